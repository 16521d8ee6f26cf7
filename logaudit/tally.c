/* Counting. */
#include "rule.h"
#include "tally.h"

void tally_init(struct tally *tally)
{
	*tally = (struct tally){ 0 };
	map_init(&tally->hosts, sizeof(struct tally_row), NAMES_MAX);
	map_init(&tally->volumes, sizeof(struct tally_row), NAMES_MAX);
	map_init(&tally->nodes, sizeof(uint64_t), NAMES_MAX);
	map_init(&tally->codings, sizeof(struct coding_row), NAMES_MAX);
}

static void row_add(struct tally_row *row, const struct logline *l)
{
	row->requests[l->cache]++;
	row->bytes[l->cache] += l->body_out;
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

void tally_add(struct tally *tally, const struct logline *l)
{
	const struct facts *facts = line_facts(l);

	tally->records[l->rec]++;
	++*(uint64_t *)map_get_name(&tally->nodes, l->node, facts->node);
	if (l->rec == REC_gap) tally->lost += l->lost;
	if (l->rec == REC_unstored) {
		tally->unstored += l->unstored;
		tally->unstored_bytes += l->object_bytes > 0 ? (uint64_t)l->object_bytes : 0;
	}
	if (l->rec != REC_req) return;
	row_add(&tally->all, l);
	row_add(host_value(&tally->hosts, l), l);
	row_add(map_get_name(&tally->volumes, line_volume(l), facts->volume), l);
	tally->tiers[l->tier]++;
	tally->tier_bytes[l->tier] += l->body_out;
	tally->nostores[l->nostore]++;
	tally->ends[l->end]++;
	tally->refusals[l->refusal]++;
	tally->status[l->status / 100 < COUNT_OF(tally->status) ? l->status / 100 : COUNT_OF(tally->status) - 1]++;
	tally->origin_tries += l->origin_tries;
	tally->origin_bytes += l->origin_in;
	tally->stored += l->stored;
	coding_add(tally, l);
}

void tally_release(struct tally *tally)
{
	map_release(&tally->hosts);
	map_release(&tally->volumes);
	map_release(&tally->nodes);
	map_release(&tally->codings);
}

static uint64_t sum(const uint64_t *numbers)
{
	uint64_t total = 0;

	for (int i = 0; i < VERDICT_COUNT; i++) total += numbers[i];
	return total;
}

uint64_t tally_requests(const struct tally_row *row) { return sum(row->requests); }
uint64_t tally_bytes(const struct tally_row *row) { return sum(row->bytes); }

uint64_t tally_hits(const struct tally_row *row)
{
	return row->requests[VERDICT_hit] + row->requests[VERDICT_hit_stale] + row->requests[VERDICT_revalidated];
}

uint64_t tally_hit_bytes(const struct tally_row *row)
{
	return row->bytes[VERDICT_hit] + row->bytes[VERDICT_hit_stale] + row->bytes[VERDICT_revalidated];
}

struct order { size_t index; uint64_t requests; struct slice name; };

static int by_requests(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->requests != y->requests) return x->requests > y->requests ? -1 : 1;
	return strcmp(x->name.ptr, y->name.ptr);
}

size_t *tally_order(const struct map *map)
{
	struct order *rows = must(malloc((map->count + 1) * sizeof(*rows)));
	size_t *order = must(malloc((map->count + 1) * sizeof(*order)));

	for (size_t i = 0; i < map->count; i++)
		rows[i] = (struct order){ i, tally_requests(map_value(map, i)), map_key(map, i) };
	qsort(rows, map->count, sizeof(*rows), by_requests);
	for (size_t i = 0; i < map->count; i++) order[i] = rows[i].index;
	free(rows);
	return order;
}
