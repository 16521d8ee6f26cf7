/* logaudit why: which lines are about a URL, why each miss was one, and that nothing depends on the order of the lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>

#include "../../conf/logval.h"
#include "../../logaudit/why.h"
#include "audit_log.h"

/* ---- URLs ---- */

static const struct { const char *text, *scheme, *host, *host_port, *target, *why; } urls[] = {
	{ "http://a.example/b?c", "http", "a.example", "a.example", "/b?c", "whole" },
	{ "HTTPS://A.Example:8443/B", "https", "a.example", "a.example:8443", "/B", "scheme and host are in lower case, the path is not" },
	{ "a.example/b", "", "a.example", "a.example", "/b", "without a scheme" },
	{ "a.example:80", "", "a.example", "a.example:80", "/", "an empty path" },
	{ "a.example?q", "", "a.example", "a.example", "/?q", "an empty path before a query" },
	{ "http://[::1]:80/x", "http", "[::1]", "[::1]:80", "/x", "IPv6 with a port" },
	{ "http://[::1]/x", "http", "[::1]", "[::1]", "/x", "IPv6 without" },
	{ "http://user@a.example/", "http", "a.example", "a.example", "/", "a user's name" },
	{ "/b#part", "", "", "", "/b", "a fragment never reaches a server" },
	{ "/b?u=http://c/", "", "", "", "/b?u=http://c/", "a URL in a query" },
	{ "*", "", "", "", "*", "OPTIONS *" },
	{ "", NULL, NULL, NULL, NULL, "nothing" },
	{ "#x", NULL, NULL, NULL, NULL, "only a fragment" },
	{ "ftp://a/", NULL, NULL, NULL, NULL, "another scheme" },
	{ "http:///x", NULL, NULL, NULL, NULL, "no host" },
	{ ":80/x", NULL, NULL, NULL, NULL, "a port alone" },
};

static void a_url_may_lack_scheme_and_host(void **state)
{
	char buf[256];
	struct why_url url;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		bool ok = why_url_parse(slice_str(urls[i].text), buf, &url);
		if (ok != (urls[i].target != NULL)) fail_msg("%s", urls[i].why);
		if (!ok) continue;
		if (!slice_eq(url.scheme, slice_str(urls[i].scheme)) || !slice_eq(url.host, slice_str(urls[i].host))
			|| !slice_eq(url.host_port, slice_str(urls[i].host_port)) || !slice_eq(url.target, slice_str(urls[i].target)))
			fail_msg("%s: %.*s %.*s", urls[i].why, SLICE_ARG(url.host_port), SLICE_ARG(url.target));
	}
}

static const struct { const char *url, *host, *target; bool same; const char *why; } lines[] = {
	{ "/a", "x.example", "/a", true, "any host" },
	{ "x.example/a", "y.example", "/a", false, "another host" },
	{ "x.example:8080/a", "x.example", "/a", true, "the log has no port" },
	{ "x.example:8080/a", "x.example:8080", "/a", true, "the log has the port" },
	{ "x.example:8080/a", "x.example:8081", "/a", false, "another port" },
	{ "https://x.example/a", "x.example", "/a", false, "another scheme" },
	{ "/~a", "x.example", "/%7Ea", true, "encoded for no reason" },
	{ "/%7ea", "x.example", "/%7Ea", true, "hexadecimal digits in either case" },
	{ "/a%2Fb", "x.example", "/a/b", false, "an encoded slash is no slash" },
	{ "/a%3fb", "x.example", "/a?b", false, "nor is a question mark" },
	{ "/a%", "x.example", "/a%", true, "no escape at all" },
	{ "/a", "x.example", "/ab", false, "longer" },
	{ "/ab", "x.example", "/a", false, "shorter" },
	{ "/a?b", "x.example", "/a", false, "a query counts" },
	{ "/a", "x.example", "http://x.example/a", true, "the absolute form" },
	{ "/", "x.example", "http://x.example", true, "the absolute form without a path" },
	{ "/a", "x.example", "", false, "no target" },
	{ "/a\\b", "x.example", "/a\\\\b", true, "the log doubles a backslash" },
	{ "/a", "x.example", "/a\\~2000", false, "one that was cut" },
};

static void the_same_url_in_another_notation_is_found(void **state)
{
	char buf[256];
	struct why_url url;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct logline line = log_request(VERDICT_hit, lines[i].host, lines[i].target);
		assert_true(why_url_parse(slice_str(lines[i].url), buf, &url));
		if (why_url_is(&url, &line) != lines[i].same) fail_msg("%s", lines[i].why);
	}
}

static const struct { const char *url, *target; bool taken; const char *why; } purges[] = {
	{ "a.example/b", "url hard http://a.example/b", true, "the URL" },
	{ "/b", "url soft http://a.example/b", true, "of any host" },
	{ "https://a.example/b", "url hard http://a.example/b", false, "of another scheme" },
	{ "c.example/b", "url hard http://a.example/b", false, "of another host" },
	{ "a.example/bc", "url hard http://a.example/b", false, "no prefix" },
	{ "a.example/bc", "prefix hard http://a.example/b", true, "a prefix" },
	{ "a.example/b", "prefix hard http://a.example/bc", false, "a longer one" },
	{ "a.example/b", "all hard", true, "all" },
	{ "a.example/b", "tag hard http://a.example/b", false, "a tag does not say what it took" },
	{ "a.example/b", "", false, "nothing" },
};

static void a_purge_is_known_by_what_it_names(void **state)
{
	char buf[256];
	struct why_url url;
	struct logline line = log_request(VERDICT_purge, "a.example", "/b");

	(void)state;
	assert_true(why_url_parse(SLICE("/b"), buf, &url) && why_url_is_purged(&url, &line));
	line.rec = REC_purge;
	for (size_t i = 0; i < COUNT_OF(purges); i++) {
		line.target = slice_str(purges[i].target);
		assert_true(why_url_parse(slice_str(purges[i].url), buf, &url));
		if (why_url_is_purged(&url, &line) != purges[i].taken) fail_msg("%s", purges[i].why);
	}
}

/* A target that the log had to cut is known by what is left and by its length. */
static void a_long_target_is_found_by_its_length(void **state)
{
	char text[2001], logged[4 * LOG_STR_MAX], buf[4002];
	struct logline line = log_request(VERDICT_hit, "a.example", "/");
	struct why_url url;

	(void)state;
	memset(text, 'a', 2000);
	text[0] = '/';
	text[2000] = 0;
	line.target = slice_make(logged, (size_t)(logval_put_STR(logged, slice_str(text)) - logged));
	assert_true(line.target.len < 1100);
	assert_true(why_url_parse(slice_str(text), buf, &url) && why_url_is(&url, &line));
	url.target.len--;
	assert_false(why_url_is(&url, &line));
}

/* ---- causes ---- */

enum { S = 1000000 };

/* One request: seconds after T0, what the cache did, whether it was stored, node, variant, method. */
struct step { double at; enum verdict cache; int stored; const char *node; uint64_t variant; const char *method; enum nostore nostore; };

static void add_step(struct log *log, const struct step *step)
{
	struct logline line = log_request(step->cache, "a.example", "/x");

	line.t_us = T0 + (uint64_t)(step->at * S);
	line.total_us = S / 10;
	line.stored = (uint8_t)step->stored;
	line.lifetime = 10;
	line.age = line.cache == VERDICT_hit ? 1 : 0;
	line.node = slice_str(step->node ? step->node : "n1");
	line.variant = step->variant;
	line.nostore = (uint8_t)step->nostore;
	if (step->method) line.method = slice_str(step->method);
	log_add(log, line);
}

static void ask(struct why *why, struct audit *audit, const char *url, const struct log *log)
{
	static char buf[1024];
	struct why_url parsed;

	assert_true(why_url_parse(slice_str(url), buf, &parsed));
	audit_init(audit);
	why_init(why, parsed);
	audit->reader = why_reader(why);
	audit_log(audit, "a.csv", log);
	why_finish(why);
	assert_int_equal(audit->lines_rejected, 0);
}

static const struct { struct step steps[4]; enum miss last; const char *why; } causes[] = {
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 } }, MISS_first, "the first request" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 20, VERDICT_miss, 1, 0, 0, 0, 0 } }, MISS_expired, "after its lifetime" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 5, VERDICT_miss, 1, 0, 0, 0, 0 } }, MISS_gone, "within its lifetime" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 9, VERDICT_revalidated, 1, 0, 0, 0, 0 }, { 15, VERDICT_miss, 1, 0, 0, 0, 0 } }, MISS_gone,
		"a confirmation begins a new lifetime" },
	{ { { 0, VERDICT_miss, 1, 0, 7, 0, 0 }, { 5, VERDICT_miss, 1, 0, 8, 0, 0 } }, MISS_variant, "another variant" },
	{ { { 0, VERDICT_miss, 1, 0, 7, 0, 0 }, { 1, VERDICT_miss, 1, 0, 8, 0, 0 }, { 5, VERDICT_miss, 1, 0, 7, 0, 0 } }, MISS_gone, "the first variant again" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 0.05, VERDICT_miss, 1, 0, 0, 0, 0 } }, MISS_meanwhile, "while it was being fetched" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 5, VERDICT_miss, 1, "n2", 0, 0, 0 } }, MISS_first, "another node has a store of its own" },
	{ { { 0, VERDICT_miss, 0, 0, 0, 0, NOSTORE_set_cookie }, { 5, VERDICT_miss, 1, 0, 0, 0, 0 } }, MISS_first, "nothing was stored before" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 2, VERDICT_pass, 0, 0, 0, "POST", NOSTORE_method }, { 5, VERDICT_miss, 1, 0, 0, 0, 0 } },
		MISS_invalidated, "a POST in between" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 2, VERDICT_pass, 0, 0, 0, "OPTIONS", NOSTORE_method }, { 5, VERDICT_miss, 1, 0, 0, 0, 0 } },
		MISS_gone, "a safe method drops nothing" },
	{ { { 0, VERDICT_miss, 1, 0, 0, 0, 0 }, { 2, VERDICT_pass, 0, 0, 0, "POST", NOSTORE_method }, { 3, VERDICT_miss, 1, 0, 0, 0, 0 },
		{ 20, VERDICT_miss, 1, 0, 0, 0, 0 } }, MISS_expired, "what was stored after a POST ends by itself" },
};

/* The lines may come in any order: what counts is when the requests came. */
static void a_miss_has_a_cause_whatever_the_order_of_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(causes); i++)
		for (int reversed = 0; reversed < 2; reversed++) {
			struct log log = log_new();
			struct audit audit;
			struct why why;
			size_t count = 0;
			while (count < 4 && (causes[i].steps[count].cache || count == 0)) count++;
			for (size_t n = 0; n < count; n++) add_step(&log, &causes[i].steps[reversed ? count - 1 - n : n]);
			ask(&why, &audit, "a.example/x", &log);
			assert_int_equal(why.event_count, count);
			int reason = why.events[count - 1].reason;
			if (reason != REASON_miss + (int)causes[i].last) fail_msg("%s: %s", causes[i].why, reason == REASON_answered ? "none" : reason_row(reason).name);
			why_release(&why);
			audit_release(&audit);
			log_free(&log);
		}
}

static const struct { enum verdict cache; enum nostore nostore; enum end end; enum refusal refusal; const char *kind, *name; } kinds[] = {
	{ VERDICT_miss, NOSTORE_vary_star, 0, 0, "nostore", "vary_star" }, { VERDICT_hit_for_miss, NOSTORE_private, 0, 0, "nostore", "private" },
	{ VERDICT_pass, NOSTORE_authorization, 0, 0, "nostore", "authorization" }, { VERDICT_off, NOSTORE_no_volume, 0, 0, "nostore", "no_volume" },
	{ VERDICT_error, 0, END_connect_refused, 0, "end", "connect_refused" }, { VERDICT_refused, 0, END_refused, REFUSAL_version, "refusal", "version" },
	{ VERDICT_pass, 0, 0, 0, "verdict", "pass" }, { VERDICT_hit, 0, 0, 0, NULL, NULL }, { VERDICT_hit_stale, 0, 0, 0, NULL, NULL },
	{ VERDICT_revalidated, 0, 0, 0, NULL, NULL }, { VERDICT_collapsed, 0, 0, 0, NULL, NULL }, { VERDICT_synth, 0, 0, 0, NULL, NULL },
};

static void each_verdict_has_its_reason_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		struct logline line = log_request(kinds[i].cache, "a.example", "/x");
		line.nostore = (uint8_t)kinds[i].nostore;
		line.end = (uint8_t)kinds[i].end;
		line.refusal = (uint8_t)kinds[i].refusal;
		int reason = reason_of(&line);
		assert_int_equal(reason == REASON_answered, kinds[i].kind == NULL);
		if (!kinds[i].kind) continue;
		assert_string_equal(reason_row(reason).kind, kinds[i].kind);
		assert_string_equal(reason_row(reason).name, kinds[i].name);
	}
	for (int i = 0; i < REASON_verdict; i++) {
		assert_true(reason_row(i).doc[0]);
		if (i != REASON_nostore) assert_true(reason_row(i).advice[0]);
	}
}

/* ---- what is printed ---- */

static char *print(void (*how)(const struct why *, const struct audit *, FILE *), const struct why *why, const struct audit *audit)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	how(why, audit, out);
	fclose(out);
	return text;
}

static void the_answer_names_reasons_with_a_line_each(void **state)
{
	static const struct step steps[] = { { 1, VERDICT_miss, 1, 0, 3, 0, 0 }, { 2, VERDICT_hit, 0, 0, 3, 0, 0 }, { 3, VERDICT_hit, 0, 0, 3, 0, 0 },
		{ 4, VERDICT_pass, 0, 0, 0, 0, NOSTORE_login_cookie }, { 5, VERDICT_pass, 0, 0, 0, 0, NOSTORE_login_cookie }, { 60, VERDICT_miss, 1, 0, 3, 0, 0 } };
	struct log log = log_new();
	struct audit audit;
	struct why why;
	json_t *root, *row;
	char *text;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(steps); i++) add_step(&log, &steps[i]);
	ask(&why, &audit, "http://a.example/x", &log);
	text = print(why_text, &why, &audit);
	assert_non_null(strstr(text, "33.33 % = 2 of 6 from the store\n          2 hit, 2 miss, 2 pass\n"));
	assert_non_null(strstr(text, "login_cookie: 2 of 6 requests (33.33 %)"));
	assert_non_null(strstr(text, nostore_rows[NOSTORE_login_cookie].doc));
	assert_non_null(strstr(text, "expired: 1 of 6 requests"));
	assert_non_null(strstr(text, ", a.csv:6\n"));
	assert_non_null(strstr(text, "Lifetime  10 s (6 requests)"));
	assert_non_null(strstr(text, "Stored    2 times, last "));
	free(text);
	text = print(why_json, &why, &audit);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	assert_int_equal(json_array_size(json_object_get(root, "timeline")), 4);
	row = json_array_get(json_object_get(root, "reasons"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "reason")), "login_cookie");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "first"), "line")), 6);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "last"), "line")), 7);
	json_decref(root);
	free(text);
	why_release(&why);
	audit_release(&audit);
	log_free(&log);
}

static void nothing_found_names_what_is_near(void **state)
{
	static const struct { const char *host, *target; } seen[] = { { "a.example", "/articles/1.html" }, { "a.example", "/articles/2.html" },
		{ "b.example", "/articel/1.html" }, { "a.example", "/about" }, { "a.example", "/article/1.html?page=2&sort=name" },
		{ "a.example", "/x" }, { "a.example", "/y" }, { "a.example", "/z" } };
	struct log log = log_new();
	struct audit audit;
	struct why why;
	char *text;

	(void)state;
	for (int times = 0; times < 3; times++)
		for (size_t i = 0; i < COUNT_OF(seen); i++) log_add(&log, log_request(VERDICT_hit, seen[i].host, seen[i].target));
	ask(&why, &audit, "a.example/article/1.html", &log);
	assert_int_equal(why.requests.count, 0);
	assert_int_equal(why.near_count, WHY_NEAR_MAX);
	assert_string_equal(why.near[0].text, "http://a.example/articles/1.html");
	assert_int_equal(why.near[0].count, 3);
	assert_string_equal(why.near[1].text, "http://a.example/article/1.html?page=2&sort=name");
	text = print(why_text, &why, &audit);
	assert_non_null(strstr(text, "No request for a.example/article/1.html\nis among the 25 lines that were read.\nNearest: http://a.example/articles/1.html\n"));
	free(text);
	why_release(&why);
	audit_release(&audit);
	log_free(&log);
}

/* More than fits: every request is counted, the rest of the order of time is told to be missing. */
static void more_requests_than_are_kept_are_counted(void **state)
{
	struct audit audit;
	struct why why;
	struct logline line = log_request(VERDICT_miss, "a.example", "/x");
	char buf[16];
	struct why_url url;

	(void)state;
	assert_true(why_url_parse(SLICE("/x"), buf, &url));
	audit_init(&audit);
	why_init(&why, url);
	struct audit_reader reader = why_reader(&why);
	line.t_us = T0;
	for (uint64_t i = 0; i < WHY_EVENTS_MAX + 5; i++) reader.line(reader.arg, &line, (struct place){ 0, i + 1 });
	why_finish(&why);
	assert_int_equal(why.requests.count, WHY_EVENTS_MAX + 5);
	assert_int_equal(why.unordered, 5);
	why_release(&why);
	audit_release(&audit);
}

static void text_fits_whatever_the_log_holds(void **state)
{
	struct log log = log_new();
	struct audit audit;
	struct why why;
	char *text, number[200];
	size_t columns = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct logline line = log_request((enum verdict)(i % VERDICT_COUNT), i % 3 ? "\x1b[31m.example" : "a-host-of-a-rather-long-name.with.many.labels.example", "/\xff");
		line.nostore = (uint8_t)(i % NOSTORE_COUNT);
		line.end = (uint8_t)(i % END_COUNT);
		line.refusal = (uint8_t)(i % REFUSAL_COUNT);
		snprintf(number, sizeof(number), "max-age=%d, %0*d", i, 100, i);
		line.resp_cc = line.resp_vary = slice_str(number);
		line.lifetime = i;
		line.stored = 1;
		log_add(&log, line);
	}
	ask(&why, &audit, "/\xff", &log);
	free(audit.files[0].path);
	audit.files[0].path = must(strdup("a/rather/long/path/of/a/file/that/does/not/fit/beside/anything/else/on/the/line/access.csv"));
	assert_int_equal(why.requests.count + why.purged.count, 200);
	text = print(why_text, &why, &audit);
	for (const char *c = text; *c; c++) {
		assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
		columns = *c == '\n' ? 0 : columns + 1;
		if (columns > 100) fail_msg("too wide: %.110s", c - 100);
	}
	free(text);
	why_release(&why);
	audit_release(&audit);
	log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_url_may_lack_scheme_and_host),
		cmocka_unit_test(the_same_url_in_another_notation_is_found),
		cmocka_unit_test(a_purge_is_known_by_what_it_names),
		cmocka_unit_test(a_long_target_is_found_by_its_length),
		cmocka_unit_test(a_miss_has_a_cause_whatever_the_order_of_lines),
		cmocka_unit_test(each_verdict_has_its_reason_or_none),
		cmocka_unit_test(the_answer_names_reasons_with_a_line_each),
		cmocka_unit_test(nothing_found_names_what_is_near),
		cmocka_unit_test(more_requests_than_are_kept_are_counted),
		cmocka_unit_test(text_fits_whatever_the_log_holds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
