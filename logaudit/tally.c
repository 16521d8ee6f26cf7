/* Counting. */
#include "rule.h"
#include "tally.h"

enum { TABLE_KEY_MAX = 128 };

const struct table_row table_rows[TABLE_COUNT] = {
#define TABLE(symbol, name, limit, order, key, title, doc) { #symbol, #name, title, doc, order },
#include "tbl/tables.h"
#undef TABLE
};

const struct measure_row measure_rows[MEASURE_COUNT] = {
#define MEASURE(name, KIND, heading, columns, part, whole, doc) { #name, heading, doc, MEASURE_is_##KIND, columns },
#include "tbl/measures.h"
#undef MEASURE
};

struct measure_value measure_of(const struct tally_row *row, enum measure measure)
{
	switch (measure) {
#define MEASURE(name, KIND, heading, columns, part, whole, doc) case MEASURE_##name: return (struct measure_value){ part, whole };
#include "tbl/measures.h"
#undef MEASURE
	case MEASURE_COUNT: break;
	}
	CHECK(false);
	return (struct measure_value){ 0, 0 };
}

void tally_init(struct tally *tally)
{
	*tally = (struct tally){ 0 };
#define TABLE(symbol, name, limit, order, key, title, doc) map_init(&tally->tables[TABLE_##symbol].map, sizeof(struct tally_row), limit);
#include "tbl/tables.h"
#undef TABLE
	map_init(&tally->codings, sizeof(struct coding_row), NAMES_MAX);
}

/* ---- the keys of lines ---- */

static struct slice key_status(char *buf, uint64_t status)
{
	if (status == 0) return SLICE("none");
	if (status > 999) return SLICE("other");
	for (size_t i = 3; i-- > 0; status /= 10) buf[i] = (char)('0' + status % 10);
	return slice_make(buf, 3);
}

static struct slice key_hour(char *buf, uint64_t t_us)
{
	unsigned hour = (unsigned)(t_us / UINT64_C(3600000000) % 24);

	buf[0] = (char)('0' + hour / 10);
	buf[1] = (char)('0' + hour % 10);
	return slice_make(buf, 2);
}

/* Media types are the same in upper and lower case (RFC 9110 section 8.3.1). */
static struct slice key_type(char *buf, struct slice value)
{
	size_t len = 0;

	for (; len < value.len && len < TABLE_KEY_MAX && value.ptr[len] != ';'; len++) {
		char c = value.ptr[len];
		buf[len] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	value = slice_trim(slice_make(buf, len));
	return value.len ? value : SLICE("(none)");
}

static struct slice key_of(enum table_id id, const struct logline *l, char *buf)
{
	switch (id) {
#define TABLE(symbol, name, limit, order, key, title, doc) case TABLE_##symbol: return key;
#include "tbl/tables.h"
#undef TABLE
	case TABLE_COUNT: break;
	}
	return (struct slice){ NULL, 0 };
}

/* ---- lines ---- */

static void row_add(struct tally_row *row, const struct logline *l, bool untold)
{
	row->untold += untold;
	row->untold_bytes += untold ? l->body_out : 0;
	row->requests[l->cache]++;
	row->bytes[l->cache] += l->body_out;
	row->errors += l->status >= 500;
	row->origin_tries += l->origin_tries;
	row->origin_bytes += l->origin_in;
	if (row->first_us == 0 || l->t_us < row->first_us) row->first_us = l->t_us;
	if (l->t_us > row->last_us) row->last_us = l->t_us;
}

static void coding_add(struct tally *tally, const struct logline *l)
{
	struct coding_row *row;

	tally->uncoded[l->uncoded]++;
	tally->uncoded_bytes[l->uncoded] += l->body_out;
	if (!l->coding.len) return;
	row = map_get(&tally->codings, l->coding);
	row->answers++;
	row->compressed += l->compressed;
	row->plain_bytes += l->plain_bytes > 0 ? (uint64_t)l->plain_bytes : 0;
	row->bytes += l->body_out;
}

static unsigned lately_of(struct slice key)
{
	if (!key.len) return 0;
	return ((unsigned)key.len + (unsigned char)key.ptr[0] + 5u * (unsigned char)key.ptr[key.len / 2] + 3u * (unsigned char)key.ptr[key.len - 1])
		% TABLE_LATELY;
}

static struct tally_row *table_get(struct table *table, struct slice key)
{
	uint32_t *lately = &table->lately[lately_of(key)];

	if (*lately >= table->map.count || !slice_eq(map_key(&table->map, *lately), key)) *lately = map_number(&table->map, key);
	return map_value(&table->map, *lately);
}

/* Names that have numbers are found by them. */
static struct tally_row *row_of(struct tally *tally, enum table_id id, const struct logline *l, struct slice key)
{
	const struct facts *facts = line_facts(l);
	struct table *table = &tally->tables[id];

	switch (id) {
	case TABLE_hosts: return map_get_name(&table->map, key, facts->host);
	case TABLE_volumes: return map_get_name(&table->map, key, facts->volume);
	case TABLE_nodes: return map_get_name(&table->map, key, facts->node);
	default: return table_get(table, key);
	}
}

void tally_add(struct tally *tally, const struct logline *l)
{
	char buf[TABLE_KEY_MAX];

	tally->records[l->rec]++;
	if (l->rec == REC_gap) tally->lost += l->lost;
	if (l->rec == REC_unstored) {
		tally->unstored += l->unstored;
		tally->unstored_bytes += l->object_bytes > 0 ? (uint64_t)l->object_bytes : 0;
	}
	if (l->rec != REC_req) {
		row_of(tally, TABLE_nodes, l, l->node);
		return;
	}
	row_add(&tally->all, l, tally->untold);
	for (int i = 0; i < TABLE_COUNT; i++) {
		struct slice key = key_of((enum table_id)i, l, buf);
		if (key.len) row_add(row_of(tally, (enum table_id)i, l, key), l, tally->untold);
	}
	tally->nostores[l->nostore]++;
	tally->ends[l->end]++;
	tally->refusals[l->refusal]++;
	tally->stored += l->stored;
	coding_add(tally, l);
}

/* ---- merging ---- */

static void add_all(uint64_t *into, const uint64_t *from, int count)
{
	for (int i = 0; i < count; i++) into[i] += from[i];
}

static void row_merge(struct tally_row *into, const struct tally_row *from)
{
	add_all(into->requests, from->requests, VERDICT_COUNT);
	add_all(into->bytes, from->bytes, VERDICT_COUNT);
	into->untold += from->untold;
	into->untold_bytes += from->untold_bytes;
	into->errors += from->errors;
	into->origin_tries += from->origin_tries;
	into->origin_bytes += from->origin_bytes;
	if (from->first_us && (!into->first_us || from->first_us < into->first_us)) into->first_us = from->first_us;
	if (from->last_us > into->last_us) into->last_us = from->last_us;
}

static void codings_merge(struct map *into, const struct map *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct coding_row *f = map_value(from, i);
		struct coding_row *row = map_get(into, map_key(from, i));
		row->answers += f->answers;
		row->compressed += f->compressed;
		row->plain_bytes += f->plain_bytes;
		row->bytes += f->bytes;
	}
}

void tally_merge(struct tally *into, const struct tally *from)
{
	row_merge(&into->all, &from->all);
	add_all(into->nostores, from->nostores, NOSTORE_COUNT);
	add_all(into->ends, from->ends, END_COUNT);
	add_all(into->refusals, from->refusals, REFUSAL_COUNT);
	add_all(into->records, from->records, REC_COUNT);
	into->lost += from->lost;
	into->stored += from->stored;
	into->unstored += from->unstored;
	into->unstored_bytes += from->unstored_bytes;
	add_all(into->uncoded, from->uncoded, UNCODED_COUNT);
	add_all(into->uncoded_bytes, from->uncoded_bytes, UNCODED_COUNT);
	codings_merge(&into->codings, &from->codings);
	for (int t = 0; t < TABLE_COUNT; t++)
		for (size_t i = 0; i < from->tables[t].map.count; i++)
			row_merge(map_get(&into->tables[t].map, map_key(&from->tables[t].map, i)), map_value(&from->tables[t].map, i));
}

void tally_release(struct tally *tally)
{
	for (int i = 0; i < TABLE_COUNT; i++) map_release(&tally->tables[i].map);
	map_release(&tally->codings);
}

/* ---- sums ---- */

static uint64_t sum(const uint64_t *numbers)
{
	uint64_t total = 0;

	for (int i = 0; i < VERDICT_COUNT; i++) total += numbers[i];
	return total;
}

uint64_t tally_requests(const struct tally_row *row) { return sum(row->requests); }
uint64_t tally_bytes(const struct tally_row *row) { return sum(row->bytes); }

uint64_t tally_told(const struct tally_row *row) { return tally_requests(row) - row->untold; }
uint64_t tally_told_bytes(const struct tally_row *row) { return tally_bytes(row) - row->untold_bytes; }

uint64_t tally_hits(const struct tally_row *row)
{
	return row->requests[VERDICT_hit] + row->requests[VERDICT_hit_stale] + row->requests[VERDICT_revalidated];
}

uint64_t tally_hit_bytes(const struct tally_row *row)
{
	return row->bytes[VERDICT_hit] + row->bytes[VERDICT_hit_stale] + row->bytes[VERDICT_revalidated];
}

/* ---- order ---- */

struct order { size_t index; bool others; uint64_t requests; struct slice name; };

/* Requests are zero throughout where the order is by name. */
static int by_requests(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->others != y->others) return x->others ? 1 : -1;
	if (x->requests != y->requests) return x->requests > y->requests ? -1 : 1;
	return strcmp(x->name.ptr, y->name.ptr);
}

bool tally_is_others(const struct tally *tally, enum table_id id, size_t row)
{
	return slice_eq(map_key(&tally->tables[id].map, row), SLICE("(others)"));
}

size_t *tally_order(const struct tally *tally, enum table_id id, size_t *ret_count)
{
	const struct map *map = &tally->tables[id].map;
	struct order *rows = must(malloc((map->count + 1) * sizeof(*rows)));
	size_t *order = must(malloc((map->count + 1) * sizeof(*order))), count = 0;

	for (size_t i = 0; i < map->count; i++) {
		uint64_t requests = tally_requests(map_value(map, i));
		if (!requests) continue;
		rows[count++] = (struct order){ i, tally_is_others(tally, id, i), table_rows[id].order == ROWS_by_name ? 0 : requests,
			map_key(map, i) };
	}
	qsort(rows, count, sizeof(*rows), by_requests);
	for (size_t i = 0; i < count; i++) order[i] = rows[i].index;
	free(rows);
	*ret_count = count;
	return order;
}
