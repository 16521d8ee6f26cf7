/* The figures of a report as JSON. */
#include "json.h"
#include "show.h"
#include "why.h"

enum { ROWS_MAX = 100 };                 /* of URLs and clients, which are the most frequent of many */

/* ---- counts ---- */

static void put_measure(json_t *object, const struct tally_row *row, enum measure measure)
{
	struct measure_value value = measure_of(row, measure);

	if (measure_rows[measure].kind == MEASURE_is_RATIO) put_ratio(object, measure_rows[measure].name, value.part, value.whole);
	else put_number(object, measure_rows[measure].name, value.part);
}

static json_t *row_json(const struct tally_row *row)
{
	json_t *object = must(json_object()), *verdicts = must(json_object());

	for (int i = 0; i < MEASURE_COUNT; i++) put_measure(object, row, (enum measure)i);
	for (int i = 0; i < VERDICT_COUNT; i++) {
		json_t *one;
		if (!row->requests[i]) continue;
		one = must(json_object());
		put_number(one, "requests", row->requests[i]);
		put_number(one, "bytes", row->bytes[i]);
		json_object_set_new(verdicts, verdict_rows[i].name.ptr, one);
	}
	json_object_set_new(object, "verdicts", verdicts);
	return object;
}

static void put_counts(json_t *object, const char *name, const struct enum_row *rows, const uint64_t *counts, int count)
{
	json_t *list = must(json_object());

	for (int i = 0; i < count; i++)
		if (counts[i]) put_number(list, rows[i].name.ptr, counts[i]);
	json_object_set_new(object, name, list);
}

static void put_tiers(json_t *totals, const struct tally *tally)
{
	json_t *list = must(json_object());
	const struct map *map = &tally->tables[TABLE_tiers].map;

	for (size_t i = 0; i < map->count; i++) put_number(list, map_key(map, i).ptr, tally_requests(map_value(map, i)));
	json_object_set_new(totals, "tiers", list);
}

static json_t *codings_json(const struct map *map)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < map->count; i++) {
		const struct coding_row *row = map_value(map, i);
		json_t *one = must(json_object());
		json_object_set_new(one, "coding", json_shown(map_key(map, i)));
		put_number(one, "answers", row->answers);
		put_number(one, "compressed", row->compressed);
		put_number(one, "plain_bytes", row->plain_bytes);
		put_number(one, "bytes", row->bytes);
		json_array_append_new(list, one);
	}
	return list;
}

void tally_json(const struct tally *t, json_t *root)
{
	json_t *totals = row_json(&t->all);

	put_text(totals, "hit_ratio_is", "(hit + hit_stale + revalidated) / requests; collapsed, pass, error and all others count as requests only");
	put_tiers(totals, t);
	put_counts(totals, "nostore", nostore_rows, t->nostores, NOSTORE_COUNT);
	put_counts(totals, "end", end_rows, t->ends, END_COUNT);
	put_counts(totals, "refusal", refusal_rows, t->refusals, REFUSAL_COUNT);
	put_counts(totals, "uncoded", uncoded_rows, t->uncoded, UNCODED_COUNT);
	put_counts(totals, "uncoded_bytes", uncoded_rows, t->uncoded_bytes, UNCODED_COUNT);
	json_object_set_new(totals, "codings", codings_json(&t->codings));
	put_counts(totals, "records", record_rows, t->records, REC_COUNT);
	put_number(totals, "stored", t->stored);
	put_number(totals, "unstored", t->unstored);
	put_number(totals, "unstored_bytes", t->unstored_bytes);
	put_number(totals, "lost", t->lost);
	json_object_set_new(root, "totals", totals);
	for (int id = 0; id < TABLE_COUNT; id++) {
		json_t *list = must(json_array());
		size_t count, *order = tally_order(t, (enum table_id)id, &count);
		for (size_t i = 0; i < count; i++) {
			json_t *row = row_json(map_value(&t->tables[id].map, order[i]));
			json_object_set_new(row, table_rows[id].name, json_shown(map_key(&t->tables[id].map, order[i])));
			json_array_append_new(list, row);
		}
		free(order);
		json_object_set_new(root, table_rows[id].symbol, list);
	}
}

/* ---- worth ---- */

static json_t *times_json(const struct times *times)
{
	json_t *object = must(json_object());

	put_number(object, "count", times->count);
	put_number(object, "mean_us", times_mean(times));
	put_number(object, "p50_us", times_percentile(times, 0.5));
	put_number(object, "p90_us", times_percentile(times, 0.9));
	put_number(object, "p99_us", times_percentile(times, 0.99));
	return object;
}

static void costs_json(const struct worth *worth, json_t *root)
{
	json_t *costs = must(json_array());
	int order[NOSTORE_COUNT], count = worth_order(worth, order);

	for (int i = 0; i < count; i++) {
		json_t *row = must(json_object());
		put_text(row, "nostore", nostore_rows[order[i]].name.ptr);
		put_number(row, "requests", worth->repeats[order[i]]);
		put_number(row, "bytes", worth->repeat_bytes[order[i]]);
		put_ratio(row, "hit_ratio", worth->repeats[order[i]], worth->requests);
		json_array_append_new(costs, row);
	}
	json_object_set_new(root, "costs", costs);
	put_number(root, "potential_hits", worth_potential(worth));
	put_ratio(root, "potential_hit_ratio", worth_potential(worth), worth->requests);
}

static void first_byte_json(const struct worth *worth, json_t *root)
{
	json_t *times = must(json_object()), *origins = must(json_array()), *saved = must(json_object());
	size_t *order = worth_origins(worth);

	json_object_set_new(times, "hit", times_json(&worth->hit));
	json_object_set_new(times, "miss", times_json(&worth->miss));
	for (size_t i = 0; i < worth->origins.count; i++) {
		json_t *row = times_json(map_value(&worth->origins, order[i]));
		json_object_set_new(row, "origin", json_shown(map_key(&worth->origins, order[i])));
		json_array_append_new(origins, row);
	}
	free(order);
	json_object_set_new(times, "origins", origins);
	json_object_set_new(root, "first_byte", times);
	put_number(saved, "requests", worth->saved.requests);
	put_number(saved, "bytes", worth->saved.bytes);
	put_number(saved, "refreshes", worth->saved.refreshes);
	put_number(saved, "refresh_bytes", worth->saved.refresh_bytes);
	put_number(saved, "wait_us", worth_saved_us(worth));
	json_object_set_new(root, "saved", saved);
}

/* What both tables of the most frequent say of each row. */
static json_t *heavy_row(const struct heavy *heavy, size_t i, const char *name, const char *count)
{
	json_t *row = must(json_object());

	json_object_set_new(row, name, json_shown(heavy_name(heavy, i)));
	put_number(row, count, heavy->entries[i].count);
	put_number(row, "error", heavy->entries[i].error);
	return row;
}

static void missed_json(const struct worth *worth, json_t *root)
{
	json_t *list = must(json_array());
	size_t *order = heavy_order(&worth->missed);

	for (size_t i = 0; i < worth->missed.count && i < ROWS_MAX; i++) {
		struct missed missed = *(struct missed *)heavy_value(&worth->missed, order[i]);
		json_t *row = heavy_row(&worth->missed, order[i], "url", "missed"), *reasons = must(json_object());
		reasons_sort(&missed.reasons);
		for (int r = 0; r < REASONS_MAX && missed.reasons.rows[r].count; r++)
			put_number(reasons, reason_row((int)missed.reasons.rows[r].reason).name, missed.reasons.rows[r].count);
		put_number(row, "origin_bytes_in", missed.origin_bytes);
		json_object_set_new(row, "reasons", reasons);
		put_number(row, "other_reasons", missed.reasons.unnamed);
		json_array_append_new(list, row);
	}
	free(order);
	json_object_set_new(root, "missed", list);
	put_number(root, "missed_error", worth->missed.floor);
}

static void clients_json(const struct worth *worth, json_t *root)
{
	json_t *list = must(json_array());
	size_t *order = heavy_order(&worth->clients);

	for (size_t i = 0; i < worth->clients.count && i < ROWS_MAX; i++) {
		const struct client *client = heavy_value(&worth->clients, order[i]);
		json_t *row = heavy_row(&worth->clients, order[i], "client", "requests");
		put_number(row, "hits", client->hits);
		put_number(row, "bytes", client->bytes);
		put_number(row, "errors", client->errors);
		json_array_append_new(list, row);
	}
	free(order);
	json_object_set_new(root, "clients", list);
	put_number(root, "clients_error", worth->clients.floor);
}

static void series_json(const struct series *series, json_t *root)
{
	json_t *object = must(json_object()), *list = must(json_array());

	put_number(object, "width_us", series->width_us);
	put_number(object, "outside", series->outside);
	for (size_t i = 0; i < series->count; i++) {
		const struct series_bucket *b = &series->buckets[i];
		json_t *row = must(json_object());
		put_number(row, "t_us", series_start(series, i));
		put_number(row, "requests", b->requests);
		put_number(row, "hits", b->hits);
		put_number(row, "asked", b->asked);
		put_number(row, "bytes", b->bytes);
		put_number(row, "hit_bytes", b->hit_bytes);
		put_number(row, "errors", b->errors);
		put_number(row, "p50_us", times_small_percentile(&b->first, 0.5));
		put_number(row, "p99_us", times_small_percentile(&b->first, 0.99));
		json_array_append_new(list, row);
	}
	json_object_set_new(object, "buckets", list);
	json_object_set_new(root, "series", object);
}

void worth_json(const struct worth *worth, json_t *root)
{
	costs_json(worth, root);
	first_byte_json(worth, root);
	missed_json(worth, root);
	clients_json(worth, root);
	series_json(&worth->series, root);
}
