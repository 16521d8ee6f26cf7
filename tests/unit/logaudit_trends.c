/* Rules that compare: stores with purges, servers with each other, generations of a configuration; and ordinary traffic of many
 * kinds, on which no rule at all may speak above `info`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

#define SECOND UINT64_C(1000000)

static int severity_of(struct log *log, enum rule_id rule)
{
	struct outcome o = judge(log, rule);

	return o.of_rule ? (int)o.severity : -1;
}

/* ---- stale-past-window ---- */

static const struct { enum verdict cache; int64_t lifetime, age; const char *cc; int severity; const char *why; } stale[] = {
	{ VERDICT_hit_stale, 60, 70, "max-age=60, must-revalidate", SEVERITY_error, "it forbids it" },
	{ VERDICT_hit_stale, 60, 70, "max-age=60, proxy-revalidate", SEVERITY_error, "it forbids it" },
	{ VERDICT_hit_stale, 60, 61, "max-age=60, must-revalidate", -1, "a second is no proof" },
	{ VERDICT_hit, 60, 70, "max-age=60, must-revalidate", -1, "another verdict" },
	{ VERDICT_hit_stale, 60, 9999, "max-age=60", -1, "the site's window is not known" },
	{ VERDICT_hit_stale, 60, 9999, "max-age=60, stale-while-revalidate=10", -1, "the site's window for errors is not known" },
	{ VERDICT_hit_stale, 60, 100, "max-age=60, stale-if-error=30", SEVERITY_info, "past its own window" },
	{ VERDICT_hit_stale, 60, 100, "max-age=60,stale-if-error=30, Stale-While-Revalidate=60", -1, "within the longer window" },
	{ VERDICT_hit_stale, 60, 92, "max-age=60, stale-if-error=30", -1, "two seconds are no proof" },
	{ VERDICT_hit_stale, 60, 100, "max-age=60, xstale-if-error=30", -1, "another word" },
	{ VERDICT_hit_stale, 60, -1, "must-revalidate", -1, "the age is not known" },
};

static void stale_answers_that_nothing_allows_are_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(stale); i++) {
		struct log log = log_new();
		struct logline line = log_request(stale[i].cache, "a.example", "/");
		line.lifetime = stale[i].lifetime;
		line.age = stale[i].age;
		line.resp_cc = slice_str(stale[i].cc);
		log_add(&log, line);
		if (severity_of(&log, RULE_stale_past_window) != stale[i].severity) fail_msg("row %zu: %s", i, stale[i].why);
	}
}

/* ---- hit-after-purge ---- */

struct purged { const char *purge; int64_t age; int fetch_at; int hit_at; bool fetch_first; };

/* A purge at second 10, a fetch (second -1: none) and a hit. */
static int after_purge(struct purged p)
{
	struct log log = log_new();
	struct logline note, fetch = log_request(VERDICT_miss, "a.example", "/x"), hit = log_request(VERDICT_hit, "a.example", "/x");

	logline_init(&note);
	note.rec = REC_purge;
	note.worker = 65535;
	note.target = slice_str(p.purge);
	note.t_us = T0 + 10 * SECOND;
	log_add(&log, note);
	fetch.t_us = T0 + (uint64_t)p.fetch_at * SECOND;
	fetch.total_us = SECOND / 2;
	hit.t_us = T0 + (uint64_t)p.hit_at * SECOND;
	hit.age = p.age;
	if (p.fetch_at >= 0 && p.fetch_first) log_add(&log, fetch);
	log_add(&log, hit);
	if (p.fetch_at >= 0 && !p.fetch_first) log_add(&log, fetch);
	return severity_of(&log, RULE_hit_after_purge);
}

static void a_hit_on_what_was_purged_is_reported(void **state)
{
	static const struct { struct purged p; int severity; const char *why; } rows[] = {
		{ { "url hard http://a.example/x", 60, -1, 30, false }, SEVERITY_error, "nothing fetched it" },
		{ { "url soft http://a.example/x", 60, -1, 30, false }, SEVERITY_error, "as fresh, after a soft purge" },
		{ { "url hard http://a.example/x", 60, 5, 30, true }, SEVERITY_error, "fetched before the purge" },
		{ { "url hard http://a.example/x", 60, 40, 30, false }, SEVERITY_error, "fetched after it was served" },
		{ { "url hard http://a.example/x", 60, 20, 30, true }, -1, "fetched, with an age of another cache" },
		{ { "url hard http://a.example/x", 60, 29, 30, false }, -1, "the fetch's line stands behind" },
		{ { "url hard http://a.example/x", 19, -1, 30, false }, -1, "stored after the purge, by its age" },
		{ { "url hard http://a.example/x", 60, -1, 9, false }, -1, "before the purge" },
		{ { "url hard http://a.example/y", 60, -1, 30, false }, -1, "another page" },
		{ { "url hard https://a.example/x", 60, -1, 30, false }, -1, "another scheme" },
		{ { "tag hard http://a.example/x", 60, -1, 30, false }, -1, "a tag" },
		{ { "url", 60, -1, 30, false }, -1, "no URL" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (after_purge(rows[i].p) != rows[i].severity) fail_msg("row %zu: %s", i, rows[i].why);
}

/* ---- origins ---- */

/* `count` requests, each `apart` after the one before, of which one in `of` fails or is tried `tries` times. */
static struct log asked(int count, uint64_t apart, int of, int64_t status, uint64_t tries)
{
	struct log log = log_new();

	for (int i = 0; i < count; i++) {
		struct logline line = log_request(VERDICT_pass, "a.example", "/");
		line.origin = SLICE("10.0.0.1:80");
		if (i % of == 0) {
			line.origin_status = status;
			line.status = (uint64_t)status;
			line.origin_tries = tries;
		}
		log.t_us += apart;
		log_add(&log, line);
	}
	return log;
}

static void an_origin_that_fails_is_reported(void **state)
{
	struct log log = asked(400, SECOND, 20, 503, 1);
	struct outcome o = judge(&log, RULE_origin_failing);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_string_equal(o.subject, "10.0.0.1:80");
	assert_int_equal(o.count, 20);
	log = asked(420, SECOND, 21, 503, 1);
	assert_silent(&log, RULE_origin_failing);         /* less than one in twenty */
	log = asked(380, SECOND, 20, 503, 1);
	assert_silent(&log, RULE_origin_failing);         /* nineteen */
	log = asked(4000, 1000, 2, 503, 1);
	assert_silent(&log, RULE_origin_failing);         /* four seconds: a restart */
	log = asked(400, SECOND, 2, 404, 1);
	assert_silent(&log, RULE_origin_failing);         /* pages that are not there */
}

static void an_origin_that_is_asked_again_and_again_is_reported(void **state)
{
	struct log log = asked(300, SECOND, 1, 200, 2);

	(void)state;
	assert_int_equal(severity_of(&log, RULE_retry_storm), SEVERITY_warning);
	log = asked(300, SECOND, 3, 200, 2);
	assert_silent(&log, RULE_retry_storm);            /* one in three */
	log = asked(1000, 1000, 1, 200, 2);
	assert_silent(&log, RULE_retry_storm);            /* a restart */
	log = asked(300, 10 * SECOND, 1, 200, 2);
	assert_silent(&log, RULE_retry_storm);            /* six requests a minute */
}

static struct log two_servers(int first, int64_t first_us, int second, int64_t second_us)
{
	struct log log = log_new();

	for (int i = 0; i < first + second; i++) {
		struct logline line = log_request(VERDICT_pass, "a.example", "/");
		line.origin = i < first ? SLICE("10.0.0.1:80") : SLICE("10.0.0.2:80");
		line.origin_first_us = i < first ? first_us : second_us;
		log_add(&log, line);
	}
	return log;
}

static void a_slow_server_among_several_is_reported(void **state)
{
	struct log log = two_servers(100, 10000, 100, 60000);
	struct outcome o = judge(&log, RULE_origin_unbalanced);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_warning);
	assert_non_null(strstr(o.cause, "10.0.0.2:80 takes 60 ms"));
	log = two_servers(100, 1000, 100, 50000);
	assert_silent(&log, RULE_origin_unbalanced);      /* less than 50 ms apart */
	log = two_servers(100, 100000, 100, 300000);
	assert_silent(&log, RULE_origin_unbalanced);      /* three times */
	log = two_servers(100, 1000, 99, 900000);
	assert_silent(&log, RULE_origin_unbalanced);      /* a backup */
	log = two_servers(500, 1000, 100, 1000);
	assert_int_equal(severity_of(&log, RULE_origin_unbalanced), SEVERITY_info);
}

/* ---- rate-limit-would-refuse, regression ---- */

static void who_exceeds_a_rate_is_only_told(void **state)
{
	struct log log = asked(2200, SECOND / 250, 1, 200, 1);

	(void)state;
	assert_int_equal(severity_of(&log, RULE_rate_limit_would_refuse), SEVERITY_info);
	log = asked(1000, SECOND / 250, 1, 200, 1);
	assert_silent(&log, RULE_rate_limit_would_refuse);
}

/* Two generations: in each of ten requests so many fail and so many are hits. */
static struct log generations(int count, int errors_a, int hits_a, int errors_b, int hits_b, bool restart)
{
	struct log log = log_new();

	for (int i = 0; i < 2 * count; i++) {
		int errors = i < count ? errors_a : errors_b, hits = i < count ? hits_a : hits_b;
		struct logline line = log_request(i % 10 < hits ? VERDICT_hit : VERDICT_pass, "a.example", "/");
		if (i == count && restart) log_note(&log, REC_start);
		line.config = i < count ? 1 : 2;
		if (i % 10 >= 10 - errors) line.status = 500;
		log_add(&log, line);
	}
	return log;
}

static void a_change_for_the_worse_is_reported(void **state)
{
	struct log log = generations(500, 0, 5, 1, 5, false);
	struct outcome o = judge(&log, RULE_regression);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_string_equal(o.subject, "n1 a.example");
	assert_non_null(strstr(o.cause, "0.0 % of 500 requests under generation 1, 10.0 %"));
	log = generations(500, 0, 7, 0, 5, false);
	assert_non_null(strstr(judge(&log, RULE_regression).cause, "hit ratio: 70.0 %"));
	log = generations(500, 1, 5, 2, 5, false);
	assert_silent(&log, RULE_regression);             /* twice as many */
	log = generations(500, 0, 6, 0, 5, false);
	assert_silent(&log, RULE_regression);             /* ten points */
	log = generations(499, 0, 7, 4, 0, false);
	assert_silent(&log, RULE_regression);             /* too few */
	log = generations(500, 2, 2, 0, 7, false);
	assert_silent(&log, RULE_regression);             /* better */
	log = generations(500, 0, 7, 2, 0, true);
	assert_silent(&log, RULE_regression);             /* a start between: an empty memory, other numbers */
}

/* ---- ordinary traffic ---- */

static struct logline health_check(int i)
{
	struct logline line = log_request(VERDICT_pass, "a.example", "/health");

	line.t_us = T0 + (uint64_t)i * 5 * SECOND;
	line.nostore = NOSTORE_no_store;
	return line;
}

static struct logline crawler(int i)
{
	static char target[32];
	struct logline line;

	snprintf(target, sizeof(target), "/p/%d", i);
	line = log_request(VERDICT_miss, "a.example", target);
	line.body_hash = (uint64_t)i + 1;
	return line;
}

static struct logline long_poll(int i)
{
	struct logline line = log_request(VERDICT_pass, "a.example", "/poll");

	line.nostore = NOSTORE_no_store;
	line.resp_type = SLICE("application/json");
	line.t_us = T0 + (uint64_t)i * SECOND;
	line.total_us = 30 * SECOND;
	line.first_us = line.origin_first_us = 30 * SECOND;
	if (i % 2) line.end = END_client_left;
	return line;
}

static struct logline load_test(int i)
{
	struct logline line = log_request(i ? VERDICT_hit : VERDICT_miss, "a.example", "/one");

	line.t_us = T0 + (uint64_t)i * 20;
	return line;
}

static struct logline load_test_of_a_redirect(int i)
{
	struct logline line = log_request(VERDICT_synth, "a.example", "/one");

	line.t_us = T0 + (uint64_t)i * 20;
	line.status = 301;
	line.location = SLICE("https://a.example/one");
	return line;
}

/* An origin that is gone for two seconds in an hour. */
static struct logline restart(int i)
{
	bool gone = i >= 1000 && i < 1400;
	struct logline line = log_request(gone ? VERDICT_error : VERDICT_pass, "a.example", "/");

	line.t_us = T0 + (gone ? 1000 * SECOND + (uint64_t)i * 5000 : (uint64_t)i * SECOND);
	line.origin = SLICE("10.0.0.1:80");
	if (!gone) return line;
	line.status = 502;
	line.end = i % 2 ? END_connect_refused : END_origin_left;
	line.origin_status = -1;
	line.origin_tries = 2;
	line.origin_reused = i < 1100;
	line.origin_in = 0;
	return line;
}

/* A page that is renewed each minute, with new content. */
static struct logline news(int i)
{
	struct logline line = log_request(i % 60 ? VERDICT_hit : VERDICT_miss, "a.example", i % 2 ? "/news?utm=1" : "/news");

	line.key = 5;
	line.t_us = T0 + (uint64_t)i * SECOND;
	line.age = i % 60;
	line.body_hash = (uint64_t)(i / 60) + 1;
	line.variant = (uint64_t)(i % 5) + 1;
	return line;
}

static const struct { const char *name; struct logline (*make)(int i); } ordinary[] = {
	{ "health checks", health_check }, { "a crawler", crawler }, { "long polls", long_poll }, { "a load test", load_test },
	{ "a load test of a redirect", load_test_of_a_redirect }, { "a restart of the origin", restart }, { "news", news },
};

static void ordinary_traffic_of_any_size_is_not_reported(void **state)
{
	static const int sizes[] = { 10, 1000, 20000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ordinary); i++)
		for (size_t size = 0; size < COUNT_OF(sizes); size++) {
			struct log log = log_new();
			struct audit audit;
			for (int n = 0; n < sizes[size]; n++) log_add(&log, ordinary[i].make(n));
			audit_init(&audit);
			audit_log(&audit, "a.csv", &log);
			audit_finish(&audit);
			assert_int_equal(audit.lines_counted, sizes[size] + 1);
			if (audit_worst(&audit) >= (int)SEVERITY_warning)
				fail_msg("%s, %d lines: %s: %s", ordinary[i].name, sizes[size], audit.findings.rows[0].rule->id, audit.findings.rows[0].cause);
			audit_release(&audit);
			log_free(&log);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stale_answers_that_nothing_allows_are_reported),
		cmocka_unit_test(a_hit_on_what_was_purged_is_reported),
		cmocka_unit_test(an_origin_that_fails_is_reported),
		cmocka_unit_test(an_origin_that_is_asked_again_and_again_is_reported),
		cmocka_unit_test(a_slow_server_among_several_is_reported),
		cmocka_unit_test(who_exceeds_a_rate_is_only_told),
		cmocka_unit_test(a_change_for_the_worse_is_reported),
		cmocka_unit_test(ordinary_traffic_of_any_size_is_not_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
