/* Tables, series and sketches: exact where they can be, within their error where not, and the same in any order and any parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>

#include "../../logaudit/json.h"
#include "../../logaudit/report.h"
#include "audit_log.h"

static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 33;
}

/* ---- tables ---- */

static const struct tally_row *row_of(const struct tally *tally, enum table_id id, const char *key)
{
	const struct tally_row *row = map_find(&tally->tables[id].map, slice_str(key));

	if (!row) fail_msg("%s has no row %s", table_rows[id].symbol, key);
	return row;
}

static void every_request_is_in_each_table_once(void **state)
{
	struct log log = log_new();
	struct audit audit;

	(void)state;
	for (int i = 0; i < 240; i++) {
		struct logline line = log_request(i % 3 ? VERDICT_hit : VERDICT_miss, i % 2 ? "a.example" : "b.example", "/");
		line.t_us = T0 + (uint64_t)i * 3600 * 1000000;       /* ten days, an hour apart: T0 is at 10:50 */
		line.status = i % 10 ? 200 : i % 20 ? 503 : 0;
		line.resp_type = i % 2 ? SLICE("Text/HTML; charset=utf-8") : SLICE("");
		line.route = SLICE("a /");
		line.origin = line.origin_tries ? SLICE("10.0.0.1:80") : SLICE("");
		line.origin_in = line.origin_tries ? 100 : 0;
		log_add(&log, line);
	}
	audit_init(&audit);
	audit_log(&audit, "a.csv", &log);
	for (int id = 0; id < TABLE_COUNT; id++) {
		uint64_t sum = 0;
		for (size_t i = 0; i < audit.tally.tables[id].map.count; i++) sum += tally_requests(map_value(&audit.tally.tables[id].map, i));
		assert_int_equal(sum, id == TABLE_origins ? 80 : 240);
	}
	assert_int_equal(tally_requests(row_of(&audit.tally, TABLE_hours, "10")), 10);
	assert_int_equal(tally_hits(row_of(&audit.tally, TABLE_types, "text/html")), 80);
	assert_int_equal(tally_requests(row_of(&audit.tally, TABLE_types, "(none)")), 120);
	assert_int_equal(tally_requests(row_of(&audit.tally, TABLE_statuses, "503")), 12);
	assert_int_equal(row_of(&audit.tally, TABLE_statuses, "503")->errors, 12);
	assert_int_equal(tally_requests(row_of(&audit.tally, TABLE_statuses, "none")), 12);
	assert_int_equal(row_of(&audit.tally, TABLE_origins, "10.0.0.1:80")->origin_bytes, 8000);
	assert_int_equal(tally_requests(row_of(&audit.tally, TABLE_tiers, "ram")), 160);
	assert_int_equal(audit.worth.saved.requests, 160);
	assert_int_equal(audit.worth.saved.bytes, 16000);
	audit_release(&audit);
	log_free(&log);
}

static char *json_of(struct audit *audit)
{
	json_t *root = json_object();
	char *text;

	tally_json(&audit->tally, root);
	worth_json(&audit->worth, root);
	text = json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(root);
	return text;
}

/* Parts read apart and merged, in another order, give the figures of one reader. */
static void parts_merged_are_the_whole(void **state)
{
	static const char *const hosts[] = { "a.example", "b.example", "c.example" };
	struct log whole = log_new(), parts[3] = { log_new(), log_new(), log_new() };
	struct audit one, many, part;
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct logline line = log_request((enum verdict)(random_next(&seed) % VERDICT_purge), hosts[random_next(&seed) % 3], "/x");
		char client[24];
		snprintf(client, sizeof(client), "10.0.0.%u", (unsigned)(random_next(&seed) % 200));
		line.client = slice_str(client);
		line.t_us = T0 + random_next(&seed) % 100000 * 1000000;
		line.first_us = (int64_t)(random_next(&seed) % 1000000);
		line.origin = line.origin_tries ? slice_str(hosts[random_next(&seed) % 3]) : SLICE("");
		line.status = 200 + random_next(&seed) % 400;
		log_add(&whole, line);
		line.seq = 0;
		log_add(&parts[random_next(&seed) % 3], line);
	}
	audit_init(&one);
	audit_init(&many);
	audit_log(&one, "whole", &whole);
	for (int i = 2; i >= 0; i--) {
		audit_init(&part);
		audit_log(&part, "part", &parts[i]);
		tally_merge(&many.tally, &part.tally);
		worth_merge(&many.worth, &part.worth);
		audit_release(&part);
		log_free(&parts[i]);
	}
	/* Three logs began, not one. */
	many.tally.records[REC_start] = one.tally.records[REC_start];
	char *expected = json_of(&one), *got = json_of(&many);
	assert_string_equal(got, expected);
	free(expected);
	free(got);
	audit_release(&one);
	audit_release(&many);
	log_free(&whole);
}

/* ---- series ---- */

static struct logline at_time(uint64_t t_us)
{
	struct logline line = log_request(VERDICT_hit, "a.example", "/");

	line.t_us = t_us;
	line.first_us = 100;
	return line;
}

static void any_span_fits_and_nothing_is_lost(void **state)
{
	static const uint64_t seconds[] = { 1, 511, 512, 3000, 86400, 40 * 86400, UINT64_C(20) * 365 * 86400, UINT64_C(7000) * 365 * 86400 };
	uint64_t seed = 7;

	(void)state;
	for (size_t s = 0; s < COUNT_OF(seconds); s++) {
		struct series forth, back;
		uint64_t sum = 0;
		series_init(&forth);
		series_init(&back);
		for (int i = 0; i <= 1000; i++) {
			uint64_t t_us = T0 + seconds[s] * 1000 * (uint64_t)i;
			struct logline line = at_time(t_us), other = at_time(T0 + seconds[s] * 1000 * (uint64_t)(1000 - i));
			series_add(&forth, &line);
			series_add(&back, &other);
		}
		assert_in_range(forth.count, 1, SERIES_MAX);
		assert_int_equal(forth.width_us, back.width_us);
		assert_int_equal(forth.base, back.base);
		assert_int_equal(forth.count, back.count);
		assert_memory_equal(forth.buckets, back.buckets, SERIES_MAX * sizeof(*forth.buckets));
		for (size_t i = 0; i < forth.count; i++) sum += forth.buckets[i].requests;
		assert_int_equal(sum, 1001);
		assert_true(forth.buckets[0].requests && forth.buckets[forth.count - 1].requests);
		assert_true(series_start(&forth, 0) <= T0 && T0 < series_start(&forth, 1));
		/* Each width is at most five times the one before: fewer buckets than that would have fitted before they grew. */
		assert_true(forth.count > SERIES_MAX / 6);
		series_release(&back);
		series_init(&back);
		for (int i = 0; i < 1000; i++) {
			struct logline line = at_time(T0 + random_next(&seed) % (seconds[s] * 1000000));
			series_add(&back, &line);
		}
		series_merge(&back, &forth);
		sum = 0;
		for (size_t i = 0; i < back.count; i++) sum += back.buckets[i].requests;
		assert_int_equal(sum, 2001);
		series_release(&forth);
		series_release(&back);
	}
}

static void times_of_no_calendar_spoil_no_series(void **state)
{
	static const uint64_t times[] = { 0, UINT64_MAX, UINT64_C(253402300800) * 1000000 };
	struct series series;

	(void)state;
	series_init(&series);
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		struct logline line = at_time(times[i]);
		series_add(&series, &line);
	}
	struct logline line = at_time(T0);
	series_add(&series, &line);
	assert_int_equal(series.outside, 3);
	assert_int_equal(series.count, 1);
	assert_int_equal(series.width_us, 10000);
	series_release(&series);
}

/* ---- the most frequent ---- */

enum { PLACES = 64, TEXTS = 1000 };

static void heavy_count(struct heavy *heavy, unsigned text)
{
	char name[16];
	bool is_new;
	uint64_t hash = (text + 1) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t *value = heavy_add(heavy, hash, &is_new);

	snprintf(name, sizeof(name), "text-%u", text);
	if (is_new) heavy_text(heavy, value, slice_str(name));
	++*value;
}

static void heavy_join(void *into, const void *from)
{
	*(uint64_t *)into += *(const uint64_t *)from;
}

/* What the definition promises: no count too low, none too high by more than its error, nothing above the floor missing. */
static void assert_sound(const struct heavy *heavy, const uint64_t truth[TEXTS])
{
	bool in[TEXTS] = { false };

	for (size_t i = 0; i < heavy->count; i++) {
		const struct heavy_entry *entry = &heavy->entries[i];
		struct slice name = heavy_name(heavy, i);
		char digits[16] = "";
		memcpy(digits, name.ptr + 5, name.len - 5);
		unsigned text = (unsigned)strtoul(digits, NULL, 10);
		assert_true(text < TEXTS && !in[text]);
		in[text] = true;
		assert_true(entry->count >= truth[text]);
		assert_true(entry->count - entry->error <= truth[text]);
		assert_true(entry->error <= heavy->floor);
		assert_true(*(uint64_t *)heavy_value(heavy, i) <= truth[text]);
	}
	for (unsigned i = 0; i < TEXTS; i++)
		if (!in[i]) assert_true(truth[i] <= heavy->floor);
}

static void the_most_frequent_are_found_and_their_error_is_true(void **state)
{
	struct heavy whole, parts[2];
	uint64_t truth[TEXTS] = { 0 }, part_truth[2][TEXTS] = { { 0 } }, seed = 3, total = 0;

	(void)state;
	heavy_init(&whole, sizeof(uint64_t), 12, PLACES);
	for (int i = 0; i < 2; i++) heavy_init(&parts[i], sizeof(uint64_t), 12, PLACES);
	for (int i = 0; i < 50000; i++) {
		unsigned a = (unsigned)(random_next(&seed) % TEXTS), b = (unsigned)(random_next(&seed) % TEXTS);
		unsigned text = a * b / TEXTS * (i % 4 ? a % 20 : TEXTS) % TEXTS, part = (unsigned)(random_next(&seed) % 2);
		heavy_count(&whole, text);
		heavy_count(&parts[part], text);
		truth[text]++;
		part_truth[part][text]++;
		total++;
	}
	assert_int_equal(whole.count, PLACES);
	assert_sound(&whole, truth);
	assert_true(whole.floor <= total / PLACES);
	for (int i = 0; i < 2; i++) assert_sound(&parts[i], part_truth[i]);
	heavy_merge(&parts[0], &parts[1], heavy_join);
	assert_sound(&parts[0], truth);
	for (int i = 0; i < 50000; i++) {                            /* and it counts on after that */
		unsigned text = (unsigned)(random_next(&seed) % TEXTS);
		heavy_count(&parts[0], text);
		truth[text]++;
	}
	assert_sound(&parts[0], truth);
	heavy_release(&whole);
	for (int i = 0; i < 2; i++) heavy_release(&parts[i]);
}

static void as_long_as_all_fit_counts_are_exact(void **state)
{
	struct heavy heavy;
	size_t *order;

	(void)state;
	heavy_init(&heavy, sizeof(uint64_t), 8, PLACES);
	for (unsigned i = 0; i < PLACES; i++)
		for (unsigned n = 0; n <= i; n++) heavy_count(&heavy, i);
	assert_int_equal(heavy.floor, 0);
	order = heavy_order(&heavy);
	for (unsigned i = 0; i < PLACES; i++) {
		assert_int_equal(heavy.entries[order[i]].count, PLACES - i);
		assert_int_equal(heavy.entries[order[i]].error, 0);
	}
	assert_true(slice_eq(heavy_name(&heavy, order[0]), SLICE("text-63")));
	/* Put back elsewhere, it is the same and counts on. */
	struct heavy back;
	heavy_init(&back, sizeof(uint64_t), 8, PLACES);
	for (size_t i = 0; i < heavy.count; i++) {
		const struct heavy_entry *entry = &heavy.entries[i];
		assert_non_null(heavy_put(&back, entry->hash, entry->count, entry->error, heavy_name(&heavy, i)));
		assert_null(heavy_put(&back, entry->hash, 1, 0, SLICE("twice")));
	}
	assert_null(heavy_put(&back, 12345, 1, 0, SLICE("full")));
	heavy_count(&back, 63);
	size_t *again = heavy_order(&back);
	assert_int_equal(back.entries[again[0]].count, PLACES + 1);
	for (unsigned i = 1; i < PLACES; i++) assert_true(slice_eq(heavy_name(&back, again[i]), heavy_name(&heavy, order[i])));
	free(again);
	heavy_release(&back);
	free(order);
	heavy_release(&heavy);
}

/* ---- numbers for people ---- */

static void numbers_are_rounded_to_what_can_be_read(void **state)
{
	char out[SHOW_NUMBER_MAX];

	(void)state;
	assert_string_equal(show_bytes(out, 0), "0 B");
	assert_string_equal(show_bytes(out, 1023), "1023 B");
	assert_string_equal(show_bytes(out, 1024), "1.00 KiB");
	assert_string_equal(show_bytes(out, 1024 * 1024 - 1), "1.00 MiB");
	assert_string_equal(show_bytes(out, 123456789), "118 MiB");
	assert_string_equal(show_bytes(out, UINT64_MAX), "16.0 EiB");
	assert_string_equal(show_span(out, 0), "0 us");
	assert_string_equal(show_span(out, 999), "999 us");
	assert_string_equal(show_span(out, 1000), "1.00 ms");
	assert_string_equal(show_span(out, 999499), "999 ms");
	assert_string_equal(show_span(out, 999500), "1.00 s");
	assert_string_equal(show_span(out, 99949999), "99.9 s");
	assert_string_equal(show_span(out, 100000000), "1 min 40 s");
	assert_string_equal(show_span(out, UINT64_C(90000) * 1000000), "1 d 01 h");
	char text[SHOW_TEXT_MAX];
	assert_string_equal(show_text(text, SLICE("a\xe2\x80\xae" "b"), 0), "a\\xe2\\x80\\xae" "b");       /* right-to-left override */
	assert_string_equal(show_text(text, SLICE("caf\xc3\xa9"), 0), "caf\xc3\xa9");
}

static void progress_fits_and_does_not_divide_by_nothing(void **state)
{
	static const struct { uint64_t total, done, elapsed_us; size_t width; const char *text; } rows[] = {
		{ 1000, 500, 1000000, 80, "[###############...............]  50 %  500 B/s  1.00 s left" },
		{ 1000, 0, 0, 80, "[..............................]   0 %  0 B/s  under 1 s left" },
		{ 1000, 2000, 1000000, 60, "[##########] 100 %  1.95 KiB/s  under 1 s left" },
		{ 0, 1 << 20, 500000, 80, "read 1.00 MiB, 2.00 MiB/s" },
		{ UINT64_MAX, 1, UINT64_MAX / 2, 60, "[..........]   0 %  0 B/s  ?" },
	};
	char text[PROGRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct progress progress = { .total = rows[i].total, .done = rows[i].done, .width = rows[i].width };
		size_t len = strcspn(rows[i].text, "?");
		progress_text(text, &progress, rows[i].elapsed_us);
		if (strncmp(text, rows[i].text, len) != 0 || (!rows[i].text[len] && text[len])) fail_msg("%s, not %s", text, rows[i].text);
		assert_true(strlen(text) < rows[i].width);
	}
	progress_add(NULL, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_is_in_each_table_once),
		cmocka_unit_test(parts_merged_are_the_whole),
		cmocka_unit_test(any_span_fits_and_nothing_is_lost),
		cmocka_unit_test(times_of_no_calendar_spoil_no_series),
		cmocka_unit_test(the_most_frequent_are_found_and_their_error_is_true),
		cmocka_unit_test(as_long_as_all_fit_counts_are_exact),
		cmocka_unit_test(progress_fits_and_does_not_divide_by_nothing),
		cmocka_unit_test(numbers_are_rounded_to_what_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
