/* Moments that people write, and filters: which lines count, and which rules cannot tell any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../logaudit/moment.h"
#include "audit_log.h"
#include "page.h"

#define DAY UINT64_C(1795478400000000)           /* 2026-11-24, midnight */
#define HOUR UINT64_C(3600000000)

static void moments(void **state)
{
	static const struct { const char *text; uint64_t us; const char *why; } rows[] = {
		{ "2026-11-24", DAY, "a date is its midnight, UTC" },
		{ "2026-11-24T10:00", DAY + 10 * HOUR, "seconds may be left out" },
		{ "2026-11-24 10:00:03", DAY + 10 * HOUR + 3000000, "a blank for the T" },
		{ "2026-11-24T10:00:03Z", DAY + 10 * HOUR + 3000000, "RFC 3339" },
		{ "2026-11-24t10:00:03.25z", DAY + 10 * HOUR + 3250000, "small letters and fractions" },
		{ "2026-11-24T10:00:03.1234567Z", DAY + 10 * HOUR + 3123456, "no more than microseconds" },
		{ "2026-11-24T10:00:00+01:30", DAY + 8 * HOUR + HOUR / 2, "east is earlier" },
		{ "2026-11-24T10:00:00-01:00", DAY + 11 * HOUR, "west is later" },
		{ "2026-11-23T23:59:60Z", DAY, "a leap second" },
		{ "2028-02-29", UINT64_C(1835395200000000), "a leap day" },
		{ "1970-01-01", 0, "the beginning" },
		{ "-2h", T0 - 2 * HOUR, "before now" }, { "-1h30m", T0 - HOUR - HOUR / 2, "two units" }, { "-90", T0 - 90000000, "seconds" },
		{ "-900000y", UINT64_MAX, "too much for 64 bits" }, { "-900y", 0, "before 1970 is the beginning" }, { "now", T0, "now" },
		{ "", UINT64_MAX, "nothing" }, { "-", UINT64_MAX, "no time" }, { "yesterday", UINT64_MAX, "no word" },
		{ "2026-13-01", UINT64_MAX, "no such month" }, { "2026-02-29", UINT64_MAX, "no leap year" }, { "2026-11-31", UINT64_MAX, "no such day" },
		{ "2026-11-24T", UINT64_MAX, "half a time" }, { "2026-11-24T10", UINT64_MAX, "no minutes" }, { "2026-11-24T24:00", UINT64_MAX, "no such hour" },
		{ "2026-11-24T10:00:03.", UINT64_MAX, "a point without digits" }, { "2026-11-24T10:00:00+1:00", UINT64_MAX, "a zone of one digit" },
		{ "2026-11-24T10:00:00Zx", UINT64_MAX, "more behind it" }, { "2026-11-24x", UINT64_MAX, "no time behind the date" },
		{ "1969-12-31", UINT64_MAX, "before the beginning" }, { "1970-01-01T00:00+01:00", UINT64_MAX, "before the beginning by its zone" },
	};

	struct page page = page_new(4096);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint64_t us = UINT64_MAX;
		size_t len = strlen(rows[i].text);
		struct slice text = slice_make(page_put(page, rows[i].text, len), len);
		bool ok = moment_parse(text, T0, &us);
		if (ok != (rows[i].us != UINT64_MAX) || us != rows[i].us) fail_msg("%s: %s: %" PRIu64, rows[i].text, rows[i].why, us);
	}
	page_free(&page);
}

static struct logline example(void)
{
	struct logline line = log_request(VERDICT_hit, "www.a.example", "/x\\\\y?q=1");

	line.t_us = DAY + HOUR;
	line.node = SLICE("n1");
	line.key = 0xabc;
	line.agent = SLICE("a \\x22b");
	return line;
}

static void conditions(void **state)
{
	static const struct { const char *text; int passes; const char *why; } rows[] = {
		{ "status=200", 1, "a number" }, { "status!=200", 0, "not that number" }, { "status<500", 1, "less" }, { "status<200", 0, "not less" },
		{ "status>199", 1, "more" }, { "status>200", 0, "not more" }, { "age=1", 1, "a number that may be missing" },
		{ "connect_us=", 1, "which is missing" }, { "connect_us<0", 1, "what is missing is below all" },
		{ "cache=hit", 1, "a name" }, { "cache!=hit", 0, "another name" }, { "cache=none", 0, "the empty row" }, { "nostore=none", 1, "the empty row" },
		{ "nostore=", 1, "the empty row, as it is on the line" }, { "cache=hti", -1, "no such name" }, { "cache>hit", -1, "names have no order" },
		{ "key=0000000000000abc", 1, "a hash" }, { "key=0000000000000abd", 0, "another hash" }, { "key=xyz", -1, "no hash" },
		{ "host=www.a.example", 1, "a text" }, { "host=a.example", 0, "the whole text" }, { "host~^www\\.", 1, "a pattern" }, { "host!~^www\\.", 0, "not the pattern" },
		{ "host~(", -1, "no pattern" }, { "target=/x\\y?q=1", 1, "escapes are undone" }, { "agent~a \"b", 1, "escapes are undone for patterns, too" },
		{ "status~^2", 1, "patterns match numbers as they stand on the line" }, { "req_auth=0", 1, "a flag" }, { "req_auth=2", -1, "no flag" },
		{ "target=", 0, "an empty value" }, { "nope=1", -1, "no column" }, { "status", -1, "no comparison" }, { "=1", -1, "no name" },
		{ "host~^(w+)+$", 0, "a backtracking bomb ends" }, { "status=99999999999999999999", -1, "a number of more than 64 bits" },
	};
	struct logline line = example();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct filter filter;
		char why[FILTER_WHY_MAX] = "";
		filter_init(&filter);
		if (filter_where(&filter, rows[i].text, why) != (rows[i].passes >= 0)) fail_msg("%s: %s: %s", rows[i].text, rows[i].why, why);
		if (rows[i].passes >= 0) {
			if (filter_passes(&filter, &line) != rows[i].passes) fail_msg("%s: %s", rows[i].text, rows[i].why);
			assert_string_equal(filter.words, rows[i].text);
		} else {
			assert_true(why[0]);
		}
		filter_release(&filter);
	}
}

static void shorthands_are_patterns_of_the_whole(void **state)
{
	static const struct { enum log_field field; const char *value; bool passes; } rows[] = {
		{ LOG_FIELD_host, "www.a.example", true }, { LOG_FIELD_host, "*.a.example", true }, { LOG_FIELD_host, "*.a.exampl", false },
		{ LOG_FIELD_host, "www?a.*", true }, { LOG_FIELD_host, "w.*", false }, { LOG_FIELD_host, "(*", false },
		{ LOG_FIELD_status, "200", true }, { LOG_FIELD_status, "2xx", true }, { LOG_FIELD_status, "20?", true }, { LOG_FIELD_status, "5xx", false },
		{ LOG_FIELD_node, "n1", true }, { LOG_FIELD_node, "n", false },
	};
	struct logline line = example();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct filter filter;
		char why[FILTER_WHY_MAX] = "";
		filter_init(&filter);
		if (!filter_column(&filter, rows[i].field, rows[i].value, why)) fail_msg("%s: %s", rows[i].value, why);
		if (filter_passes(&filter, &line) != rows[i].passes) fail_msg("%s", rows[i].value);
		filter_release(&filter);
	}
}

static void all_conditions_must_hold_and_until_is_open(void **state)
{
	struct logline line = example();
	struct filter filter;
	char why[FILTER_WHY_MAX];

	(void)state;
	filter_init(&filter);
	assert_true(filter_is_open(&filter) && filter_passes(&filter, &line));
	assert_true(filter_since(&filter, "2026-11-24T01:00", T0, why) && filter_passes(&filter, &line));
	assert_true(filter_where(&filter, "status=200", why) && filter_passes(&filter, &line));
	assert_true(filter_where(&filter, "cache=miss", why) && !filter_passes(&filter, &line));
	line.cache = VERDICT_miss;
	assert_true(filter_passes(&filter, &line));
	assert_true(filter_until(&filter, "2026-11-24T01:00", T0, why) && !filter_passes(&filter, &line));
	line.t_us--;
	assert_false(filter_passes(&filter, &line));
	assert_string_equal(filter.words, "since 2026-11-24T01:00, status=200, cache=miss, until 2026-11-24T01:00");
	filter_release(&filter);
}

/* The log of an ordinary node: 200 misses and hits, all lines there. */
static void filtered_audit(struct audit *audit, const struct filter *filter)
{
	struct log log = log_new();

	for (int i = 0; i < 200; i++) log_add(&log, log_request(i % 2 ? VERDICT_hit : VERDICT_miss, i % 3 ? "a.example" : "b.example", i % 4 ? "/1" : "/2"));
	audit_init(audit);
	audit_filter(audit, filter);
	audit_log(audit, "a.csv", &log);
	audit_finish(audit);
	log_free(&log);
}

static void rules_that_a_filter_blinds_say_so(void **state)
{
	static const struct { const char *where; bool gap, unbound, no_hits, collision; } rows[] = {
		{ "host=a.example", true, true, false, false }, { "cache=miss", true, true, true, false }, { "node=n1", true, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct filter filter;
		struct audit audit;
		char why[FILTER_WHY_MAX];
		filter_init(&filter);
		assert_true(filter_where(&filter, rows[i].where, why));
		filtered_audit(&audit, &filter);
		assert_int_equal(audit.lines_read, audit.lines_counted + audit.lines_left_out);
		assert_int_equal(audit.findings.count, 0);
		assert_int_equal(audit.blind[RULE_log_gap].filtered, rows[i].gap);
		assert_int_equal(audit.blind[RULE_volume_unbound].filtered, rows[i].unbound);
		assert_int_equal(audit.blind[RULE_volume_no_hits].filtered, rows[i].no_hits);
		assert_int_equal(audit.blind[RULE_key_collision].filtered, rows[i].collision);
		audit_release(&audit);
		filter_release(&filter);
	}
}

static void time_leaves_ratios_alone(void **state)
{
	struct filter filter;
	struct audit audit;
	char why[FILTER_WHY_MAX];

	(void)state;
	filter_init(&filter);
	assert_true(filter_since(&filter, "-0", T0 + 100 * STEP_US, why));
	filtered_audit(&audit, &filter);
	assert_true(audit.blind[RULE_log_gap].filtered);
	assert_false(audit.blind[RULE_volume_no_hits].filtered || audit.blind[RULE_volume_unbound].filtered);
	/* The start record and 99 requests stand before. */
	assert_int_equal(audit.lines_left_out, 99);
	assert_int_equal(audit.lines_counted, 102);
	audit_release(&audit);
	filter_release(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments), cmocka_unit_test(conditions), cmocka_unit_test(shorthands_are_patterns_of_the_whole),
		cmocka_unit_test(all_conditions_must_hold_and_until_is_open), cmocka_unit_test(rules_that_a_filter_blinds_say_so),
		cmocka_unit_test(time_leaves_ratios_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
