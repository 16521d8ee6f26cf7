/* Exact counts of requests: in all, and by each of tbl/tables.h. */
#ifndef LOGAUDIT_TALLY_H
#define LOGAUDIT_TALLY_H

#include "../conf/logline.h"
#include "map.h"

struct tally_row {
	uint64_t requests[VERDICT_COUNT], bytes[VERDICT_COUNT];   /* bytes: body bytes sent to clients */
	uint64_t errors, origin_tries, origin_bytes;
	uint64_t untold, untold_bytes;   /* of these, lines of logs that do not say what the cache did: no ratio counts them */
	uint64_t first_us, last_us;      /* of the first bytes; 0: no request */
};

/* Answers with a content coding of the proxy's; compressed: those whose bytes were coded for the one request. */
struct coding_row { uint64_t answers, compressed, plain_bytes, bytes; };

enum table_id {
#define TABLE(symbol, name, limit, order, key, title, doc) TABLE_##symbol,
#include "tbl/tables.h"
#undef TABLE
	TABLE_COUNT };

enum rows_order { ROWS_by_requests, ROWS_by_name };
struct table_row { const char *symbol, *name, *title, *doc; enum rows_order order; };
extern const struct table_row table_rows[TABLE_COUNT];

/* lately: rows of names seen lately, by a cheap hash, so that a line does not hash each of its names well. */
enum { TABLE_LATELY = 16 };
struct table { struct map map; uint32_t lately[TABLE_LATELY]; };

struct tally {
	bool untold;                     /* set by who feeds it: the lines that come have no column `cache` */
	struct tally_row all;
	uint64_t nostores[NOSTORE_COUNT], ends[END_COUNT], refusals[REFUSAL_COUNT];
	uint64_t records[REC_COUNT];     /* lines counted, by kind */
	uint64_t lost;                   /* what gap records say */
	uint64_t stored;
	uint64_t unstored, unstored_bytes;/* what was not stored after all: records of their own say so */
	uint64_t uncoded[UNCODED_COUNT], uncoded_bytes[UNCODED_COUNT];
	struct map codings;              /* struct coding_row */
	struct table tables[TABLE_COUNT];/* maps of struct tally_row; a node that wrote no request has a row of zeros */
};

void tally_init(struct tally *tally);
void tally_add(struct tally *tally, const struct logline *line);
/* Adds what another tally counted: the result is as if one had counted all lines, as long as no table is full. */
void tally_merge(struct tally *into, const struct tally *from);
void tally_release(struct tally *tally);

/* Sums over verdicts. A hit is hit, hit_stale or revalidated: what the store answered. Collapsed requests were spared the
 * origin too, but by luck of time: they stand beside. */
uint64_t tally_requests(const struct tally_row *row);
uint64_t tally_hits(const struct tally_row *row);
uint64_t tally_bytes(const struct tally_row *row);
/* What ratios are of: requests, and bytes, of which the log says what the cache did. */
uint64_t tally_told(const struct tally_row *row);
uint64_t tally_told_bytes(const struct tally_row *row);
uint64_t tally_hit_bytes(const struct tally_row *row);

/* The rows of a table that have requests, in the table's order; the shared row of those that did not fit stands last. The caller
 * frees. */
size_t *tally_order(const struct tally *tally, enum table_id id, size_t *ret_count);
/* Whether this row is the shared one. */
bool tally_is_others(const struct tally *tally, enum table_id id, size_t row);

/* ---- measures ---- */

enum measure {
#define MEASURE(name, KIND, heading, columns, part, whole, doc) MEASURE_##name,
#include "tbl/measures.h"
#undef MEASURE
	MEASURE_COUNT };
enum measure_kind { MEASURE_is_COUNT, MEASURE_is_BYTES, MEASURE_is_RATIO, MEASURE_is_INSTANT };
struct measure_row { const char *name, *heading, *doc; enum measure_kind kind; unsigned columns; };
extern const struct measure_row measure_rows[MEASURE_COUNT];

/* whole: of a ratio. */
struct measure_value { uint64_t part, whole; };
struct measure_value measure_of(const struct tally_row *row, enum measure measure);

#endif
