/* A table by hash, and a heap by count that is put in order only when a place is needed: counting a text that has one is one look-up. */
#include "heavy.h"

void heavy_init(struct heavy *heavy, size_t value_size, size_t text_max, size_t places)
{
	CHECK(places >= 2);
	*heavy = (struct heavy){ .value_size = value_size, .text_max = text_max, .places = places, .slot_count = 4 };
	while (heavy->slot_count < 2 * places) heavy->slot_count *= 2;
	heavy->entries = must(calloc(places, sizeof(*heavy->entries)));
	heavy->texts = must(calloc(places, text_max));
	heavy->values = must(calloc(places, value_size));
	heavy->slots = must(calloc(heavy->slot_count, sizeof(*heavy->slots)));
	heavy->heap = must(calloc(places, sizeof(*heavy->heap)));
	heavy->heap_counts = must(calloc(places, sizeof(*heavy->heap_counts)));
}

void heavy_release(struct heavy *heavy)
{
	free(heavy->entries);
	free(heavy->texts);
	free(heavy->values);
	free(heavy->slots);
	free(heavy->heap);
	free(heavy->heap_counts);
	*heavy = (struct heavy){ 0 };
}

/* ---- by hash ---- */

static size_t slot_of(const struct heavy *heavy, uint64_t hash)
{
	size_t at = (size_t)hash & (heavy->slot_count - 1);

	while (heavy->slots[at] && heavy->entries[heavy->slots[at] - 1].hash != hash) at = (at + 1) & (heavy->slot_count - 1);
	return at;
}

/* The slots behind it move up, so that no search ends too early. */
static void slot_free(struct heavy *heavy, size_t at)
{
	size_t mask = heavy->slot_count - 1, next = at;

	heavy->slots[at] = 0;
	while (heavy->slots[next = (next + 1) & mask]) {
		size_t home = (size_t)heavy->entries[heavy->slots[next] - 1].hash & mask;
		if (((next - home) & mask) < ((next - at) & mask)) continue;
		heavy->slots[at] = heavy->slots[next];
		heavy->slots[next] = 0;
		at = next;
	}
}

/* ---- by count ---- */

static void heap_swap(struct heavy *heavy, size_t a, size_t b)
{
	uint32_t entry = heavy->heap[a];
	uint64_t count = heavy->heap_counts[a];

	heavy->heap[a] = heavy->heap[b];
	heavy->heap[b] = entry;
	heavy->heap_counts[a] = heavy->heap_counts[b];
	heavy->heap_counts[b] = count;
}

static void heap_sink(struct heavy *heavy, size_t at)
{
	for (size_t child; (child = 2 * at + 1) < heavy->count; at = child) {
		if (child + 1 < heavy->count && heavy->heap_counts[child + 1] < heavy->heap_counts[child]) child++;
		if (heavy->heap_counts[at] <= heavy->heap_counts[child]) return;
		heap_swap(heavy, at, child);
	}
}

static void heap_push(struct heavy *heavy, uint32_t entry)
{
	size_t at = heavy->count++;

	heavy->heap[at] = entry;
	heavy->heap_counts[at] = heavy->entries[entry].count;
	for (; at && heavy->heap_counts[(at - 1) / 2] > heavy->heap_counts[at]; at = (at - 1) / 2) heap_swap(heavy, at, (at - 1) / 2);
}

/* The entry with the smallest count stands at the root once its number there is true. */
static uint32_t heap_least(struct heavy *heavy)
{
	while (heavy->heap_counts[0] != heavy->entries[heavy->heap[0]].count) {
		heavy->heap_counts[0] = heavy->entries[heavy->heap[0]].count;
		heap_sink(heavy, 0);
	}
	return heavy->heap[0];
}

/* ---- counting ---- */

/* A place for a text that has none; `count` is what it begins with, of which `error` is not known to be its own. */
static uint32_t place_take(struct heavy *heavy, uint64_t hash, uint64_t count, uint64_t error)
{
	uint32_t entry;

	if (heavy->count < heavy->places) {
		entry = (uint32_t)heavy->count;
		heavy->entries[entry] = (struct heavy_entry){ hash, count, error, 0 };
		heap_push(heavy, entry);
	} else {
		entry = heap_least(heavy);
		if (heavy->entries[entry].count > heavy->floor) heavy->floor = heavy->entries[entry].count;
		slot_free(heavy, slot_of(heavy, heavy->entries[entry].hash));
		heavy->entries[entry] = (struct heavy_entry){ hash, count, error, 0 };
		memset(heavy_value(heavy, entry), 0, heavy->value_size);
		heavy->heap_counts[0] = count;
		heap_sink(heavy, 0);
	}
	heavy->slots[slot_of(heavy, hash)] = entry + 1;
	return entry;
}

void *heavy_add(struct heavy *heavy, uint64_t hash, bool *ret_new)
{
	size_t slot = slot_of(heavy, hash);
	uint32_t entry = heavy->slots[slot];
	uint64_t least = 0;

	*ret_new = entry == 0;
	if (entry) {
		heavy->entries[entry - 1].count++;
		return heavy_value(heavy, entry - 1);
	}
	if (heavy->count == heavy->places) least = heavy->entries[heap_least(heavy)].count;
	/* After a merge the floor may be above the smallest count. */
	if (least < heavy->floor) least = heavy->floor;
	return heavy_value(heavy, place_take(heavy, hash, least + 1, least));
}

void *heavy_put(struct heavy *heavy, uint64_t hash, uint64_t count, uint64_t error, struct slice text)
{
	void *value;

	if (heavy->count == heavy->places || heavy->slots[slot_of(heavy, hash)]) return NULL;
	value = heavy_value(heavy, place_take(heavy, hash, count, error));
	heavy_text(heavy, value, text);
	return value;
}

void heavy_text(struct heavy *heavy, void *value, struct slice more)
{
	size_t i = (size_t)((char *)value - heavy->values) / heavy->value_size, room;
	struct heavy_entry *entry = &heavy->entries[i];

	room = heavy->text_max - entry->text_len;
	if (more.len > room) more.len = room;
	if (more.len) memcpy(heavy->texts + i * heavy->text_max + entry->text_len, more.ptr, more.len);
	entry->text_len += more.len;
}

struct slice heavy_name(const struct heavy *heavy, size_t i)
{
	return slice_make(heavy->texts + i * heavy->text_max, heavy->entries[i].text_len);
}

/* ---- order and merging ---- */

static int by_count(const void *a, const void *b, void *arg)
{
	const struct heavy *heavy = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	const struct heavy_entry *x = &heavy->entries[i], *y = &heavy->entries[j];
	struct slice m = heavy_name(heavy, i), n = heavy_name(heavy, j);
	int order;

	if (x->count != y->count) return x->count > y->count ? -1 : 1;
	order = memcmp(m.ptr, n.ptr, m.len < n.len ? m.len : n.len);
	return order ? order : m.len < n.len ? -1 : m.len > n.len;
}

size_t *heavy_order(const struct heavy *heavy)
{
	size_t *order = must(malloc((heavy->count + 1) * sizeof(*order)));

	for (size_t i = 0; i < heavy->count; i++) order[i] = i;
	qsort_r(order, heavy->count, sizeof(*order), by_count, (void *)(uintptr_t)heavy);
	return order;
}

/* What either table lacks it may have counted up to its floor: that much is added to count and error (Agarwal and others: Mergeable
 * Summaries, 2012). Those that both have come first, so that none of them loses its place before. */
static void merge_known(struct heavy *into, const struct heavy *from, void (*join)(void *, const void *))
{
	for (size_t i = 0; i < into->count; i++) {
		struct heavy_entry *entry = &into->entries[i];
		uint32_t other = from->slots[slot_of(from, entry->hash)];
		entry->count += other ? from->entries[other - 1].count : from->floor;
		entry->error += other ? from->entries[other - 1].error : from->floor;
		if (other) join(heavy_value(into, i), heavy_value(from, other - 1));
	}
}

void heavy_merge(struct heavy *into, const struct heavy *from, void (*join)(void *, const void *))
{
	size_t *order = heavy_order(from);
	uint64_t floor = into->floor;
	bool *known = must(calloc(from->count + 1, sizeof(*known)));

	for (size_t n = 0; n < from->count; n++) known[n] = into->slots[slot_of(into, from->entries[order[n]].hash)];
	merge_known(into, from, join);
	for (size_t n = 0; n < from->count; n++) {
		const struct heavy_entry *entry = &from->entries[order[n]];
		uint64_t count = entry->count + floor;
		uint64_t least = into->count == into->places ? into->entries[heap_least(into)].count : 0;
		if (known[n]) continue;
		if (count <= least) {
			if (count > into->floor) into->floor = count;
			continue;
		}
		void *value = heavy_value(into, place_take(into, entry->hash, count, entry->error + floor));
		heavy_text(into, value, heavy_name(from, order[n]));
		join(value, heavy_value(from, order[n]));
	}
	if (floor + from->floor > into->floor) into->floor = floor + from->floor;
	free(known);
	free(order);
}
