/* The most frequent of any number of texts in a table of fixed size, with the error of each count: Space-Saving (Metwally, Agrawal,
 * El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams, 2005). Exact as long as there are no more texts
 * than places. After that a new text takes the place with the smallest count and goes on from it: a count is too high by at most
 * its error, and whatever came more often than `floor` is in the table. */
#ifndef LOGAUDIT_HEAVY_H
#define LOGAUDIT_HEAVY_H

#include "../conf/check.h"
#include "../conf/slice.h"

struct heavy_entry { uint64_t hash, count, error, text_len; };

struct heavy {
	size_t value_size, text_max, places, count;
	struct heavy_entry *entries;
	char *texts, *values;            /* beside them: text_max and value_size bytes each */
	uint32_t *slots, *heap;          /* by hash: entry + 1; by count, smallest first, each at least as large as when it was put there */
	uint64_t *heap_counts;
	size_t slot_count;
	uint64_t floor;                  /* the largest count that lost its place; 0: all counts are exact */
};

/* places: at least 2; texts longer than text_max bytes are kept cut. */
void heavy_init(struct heavy *heavy, size_t value_size, size_t text_max, size_t places);
/* Counts one more; its value is zeroed when it has just got its place, and *ret_new then asks for heavy_text. hash: well mixed; stands
 * for the text. The pointer holds until the next call. */
void *heavy_add(struct heavy *heavy, uint64_t hash, bool *ret_new);
/* Says that the hash comes soon. */
static inline void heavy_ahead(const struct heavy *heavy, uint64_t hash) { __builtin_prefetch(&heavy->slots[(size_t)hash & (heavy->slot_count - 1)]); }
/* Puts back what was kept elsewhere, such as a state on disk: an entry with its text into a free place. NULL: there is none, or the
 * hash is there already. The caller sets `floor`, and fills the value, which is zeroed. */
void *heavy_put(struct heavy *heavy, uint64_t hash, uint64_t count, uint64_t error, struct slice text);
/* Appends to the text of the entry whose value was returned. */
void heavy_text(struct heavy *heavy, void *value, struct slice more);
struct slice heavy_name(const struct heavy *heavy, size_t i);
static inline void *heavy_value(const struct heavy *heavy, size_t i) { return heavy->values + i * heavy->value_size; }
/* Takes over what another table of the same shape counted; the errors add up. join: adds values. */
void heavy_merge(struct heavy *into, const struct heavy *from, void (*join)(void *into, const void *from));
/* Most counted first, then by text. The caller frees. */
size_t *heavy_order(const struct heavy *heavy);
void heavy_release(struct heavy *heavy);

#endif
