/* Rules about what comes from the origin and how long it takes: for each a log that must be reported, and near misses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

#define MINUTE UINT64_C(60000000)

/* `count` lines like this one, each `apart_us` after the one before, and as many hits beside them. */
static struct log lines_like(struct logline line, int count, uint64_t apart_us)
{
	struct log log = log_new();

	for (int i = 0; i < count; i++) {
		log.t_us += apart_us;
		log_add(&log, line);
		log_add(&log, log_request(VERDICT_hit, "b.example", "/"));
	}
	return log;
}

static void reported(struct logline line, int count, uint64_t apart_us, enum rule_id rule, int severity, const char *what)
{
	struct log log = lines_like(line, count, apart_us);
	struct outcome o = judge(&log, rule);
	int got = o.of_rule ? (int)o.severity : -1;

	if (got != severity) fail_msg("%s: severity %d, not %d (%s)", what, got, severity, o.cause);
	if (severity >= 0) assert_true(o.evidence > 0 && o.first_line >= 3);
}

/* ---- redirect-loop ---- */

static struct logline redirect(const char *target, const char *location)
{
	struct logline line = log_request(VERDICT_pass, "a.example", target);

	line.status = 302;
	line.location = slice_str(location);
	return line;
}

static void redirects_in_a_circle_are_reported(void **state)
{
	struct log log = log_new();

	(void)state;
	reported(redirect("/a", "/a"), 12, 0, RULE_redirect_loop, SEVERITY_error, "relative");
	reported(redirect("/a", "http://A.example/a"), 12, 0, RULE_redirect_loop, -1, "another spelling of the host is another place");
	reported(redirect("/a", "http://a.example/a"), 12, 0, RULE_redirect_loop, SEVERITY_error, "absolute");
	reported(redirect("/a", "/a"), 9, 0, RULE_redirect_loop, -1, "nine links");
	reported(redirect("/a", "/b"), 50, 0, RULE_redirect_loop, -1, "elsewhere, asked for again and again");
	reported(redirect("/a", "/a"), 50, 5000000, RULE_redirect_loop, -1, "a health check each five seconds");
	reported(redirect("/a", "//a.example/a"), 50, 0, RULE_redirect_loop, -1, "a form that is not followed here");
	for (int i = 0; i < 12; i++) log_add(&log, i & 1 ? redirect("/b", "/a") : redirect("/a", "/b"));
	assert_int_equal(judge(&log, RULE_redirect_loop).of_rule, 2);      /* two pages, one circle */
	log = log_new();
	for (int i = 0; i < 40; i++)
		log_add(&log, i & 1 ? log_request(VERDICT_pass, "a.example", "/a") : redirect("/a", "/a"));
	assert_silent(&log, RULE_redirect_loop);          /* once round for a cookie, then the page */
}

static struct log by_scheme(int clients, bool arrives)
{
	struct log log = log_new();
	static const char *const names[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3" };

	for (int client = 0; client < clients; client++)
		for (int i = 0; i < 24; i++) {
			struct logline line = redirect("/a", "https://a.example/a");
			line.client = slice_str(names[client]);
			if (arrives && i & 1) line = log_request(VERDICT_hit, "a.example", "/a"), line.client = slice_str(names[client]), line.scheme = SLICE("https");
			log_add(&log, line);
		}
	return log;
}

static void a_circle_by_scheme_needs_several_clients(void **state)
{
	struct log log = by_scheme(3, false);
	struct outcome o = judge(&log, RULE_redirect_loop);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_non_null(strstr(o.cause, "TLS ends before"));
	log = by_scheme(2, false);
	assert_silent(&log, RULE_redirect_loop);          /* load tests of the plain port */
	log = by_scheme(3, true);
	assert_silent(&log, RULE_redirect_loop);          /* the page came by https */
}

/* ---- proxy-loop, stream-buffered ---- */

static void requests_that_come_round_are_reported(void **state)
{
	struct logline line = log_request(VERDICT_refused, "a.example", "/");
	struct log log;
	struct outcome o;

	(void)state;
	line.refusal = REFUSAL_proxy_loop;
	line.end = END_loop;
	line.hops = 4;
	reported(line, 4, 0, RULE_proxy_loop, -1, "a few forged lines");
	log = lines_like(line, 5, 0);
	o = judge(&log, RULE_proxy_loop);
	assert_int_equal(o.of_rule, 1);
	assert_non_null(strstr(o.cause, "up to 4 proxies, 4.0 on average"));
	line.refusal = REFUSAL_method_not_allowed;
	line.end = END_refused;
	reported(line, 50, 0, RULE_proxy_loop, -1, "many hops are no loop");
}

static void streams_that_come_at_the_end_are_reported(void **state)
{
	struct logline line = log_request(VERDICT_pass, "a.example", "/events");

	(void)state;
	line.resp_type = SLICE("text/event-stream; charset=utf-8");
	line.body_out = 5000;
	line.total_us = 30000000;
	line.origin_first_us = 29000000;
	line.first_us = 29000100;
	reported(line, 5, 0, RULE_stream_buffered, SEVERITY_warning, "held behind");
	reported(line, 4, 0, RULE_stream_buffered, -1, "four");
	line.body_out = 200;
	reported(line, 50, 0, RULE_stream_buffered, -1, "one short event after a long wait");
	line.origin_first_us = 1000;
	reported(line, 5, 0, RULE_stream_buffered, SEVERITY_warning, "held here");
	line.first_us = 2000;
	reported(line, 50, 0, RULE_stream_buffered, -1, "as it should be");
	line.first_us = line.origin_first_us = 29000000;
	line.body_out = 5000;
	line.resp_type = SLICE("application/json");
	reported(line, 50, 0, RULE_stream_buffered, -1, "a long poll");
}

/* ---- time-outs ---- */

static struct logline ended(enum end end, uint64_t total_us)
{
	struct logline line = log_request(VERDICT_miss, "a.example", "/");

	line.end = (uint8_t)end;
	line.total_us = total_us;
	line.stored = 0;
	line.origin = SLICE("10.0.0.1:80");
	if (end != END_complete) line.origin_status = -1, line.origin_in = 0;
	return line;
}

static void time_outs_are_named(void **state)
{
	struct logline line = ended(END_origin_read_timeout, 60010000);
	struct log log = lines_like(line, 10, MINUTE);
	struct outcome o = judge(&log, RULE_round_timeout);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_warning);
	assert_non_null(strstr(o.cause, "proxy_read_timeout"));
	assert_non_null(strstr(o.cause, "the origin's side"));
	reported(line, 9, MINUTE, RULE_round_timeout, -1, "nine");
	reported(ended(END_origin_read_timeout, 7310000), 50, MINUTE, RULE_round_timeout, SEVERITY_warning, "an odd setting");
	reported(ended(END_origin_read_timeout, 7310000), 50, 0, RULE_round_timeout, -1, "an odd setting during a restart");
	reported(ended(END_client_header_timeout, 60000000), 50, MINUTE, RULE_round_timeout, SEVERITY_info, "clients that say nothing");
	reported(ended(END_client_left, 30000000), 50, MINUTE, RULE_round_timeout, SEVERITY_info, "long polls that clients end");
	reported(ended(END_client_left, 31000000), 50, MINUTE, RULE_round_timeout, -1, "clients that leave at other times");
	reported(ended(END_origin_left, 30100000), 10, MINUTE, RULE_round_timeout, SEVERITY_warning, "somebody else's 30 s");
	reported(ended(END_complete, 30100000), 50, MINUTE, RULE_round_timeout, -1, "long polls that the origin answers");
	line = ended(END_complete, 60200000);
	line.origin_status = line.status = 504;
	reported(line, 10, MINUTE, RULE_round_timeout, SEVERITY_warning, "another proxy's 60 s");
}

static void races_on_reused_connections_are_reported(void **state)
{
	struct logline line = ended(END_origin_left, 500);

	(void)state;
	line.origin_reused = 1;
	reported(line, 3, MINUTE, RULE_reuse_race, SEVERITY_warning, "three minutes");
	reported(line, 50, 1000, RULE_reuse_race, -1, "a restart");
	line.origin_status = 200;
	reported(line, 50, MINUTE, RULE_reuse_race, -1, "it had begun to answer");
	line = ended(END_origin_left, 500);
	reported(line, 50, MINUTE, RULE_reuse_race, -1, "new connections");
}

static void answers_that_break_off_are_reported(void **state)
{
	struct logline line = ended(END_origin_left, 500);

	(void)state;
	line.origin_status = 200;
	line.nostore = NOSTORE_short_body;
	reported(line, 3, MINUTE, RULE_short_body, SEVERITY_warning, "three minutes");
	reported(line, 50, 1000, RULE_short_body, SEVERITY_info, "a restart");
	reported(line, 2, MINUTE, RULE_short_body, -1, "two");
	line.end = END_client_left;
	line.nostore = NOSTORE_none;
	reported(line, 50, MINUTE, RULE_short_body, -1, "clients that leave");
}

/* ---- origin-unverified ---- */

static void origins_that_nobody_verified_are_reported(void **state)
{
	struct logline line = log_request(VERDICT_miss, "a.example", "/");

	(void)state;
	line.origin = SLICE("10.0.0.1:443");
	line.origin_tries = 1;
	line.origin_tls = SLICE("TLSv1.3");
	line.origin_verify = SLICE("off");
	reported(line, 1, 0, RULE_origin_unverified, SEVERITY_warning, "one is enough");
	line.origin_verify = SLICE("good");
	reported(line, 50, 0, RULE_origin_unverified, -1, "verified");
	line.origin_verify = SLICE("bad");
	reported(line, 50, 0, RULE_origin_unverified, -1, "not asked");
	line.origin_verify = line.origin_tls = SLICE("");
	reported(line, 50, 0, RULE_origin_unverified, -1, "plain");
}

/* ---- stampede ---- */

/* Fetches that begin 100 us after one another and end after `took`. */
static struct outcome herd(int count, uint64_t took, bool stored, bool one_page)
{
	struct log log = log_new();
	char target[32];

	for (int i = 0; i < count; i++) {
		snprintf(target, sizeof(target), "/%d", one_page ? 0 : i);
		struct logline line = log_request(VERDICT_miss, "a.example", target);
		line.stored = stored;
		if (!stored) line.nostore = NOSTORE_private;
		line.t_us = T0 + (uint64_t)i * 100;
		line.total_us = took;
		log_add(&log, line);
	}
	return judge(&log, RULE_stampede);
}

static void a_herd_is_reported(void **state)
{
	struct outcome o = herd(8, 701, true, true);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.count, 1);
	assert_int_equal(o.severity, SEVERITY_warning);
	assert_non_null(strstr(o.cause, "8 fetches"));
	assert_int_equal(herd(8, 700, true, true).of_rule, 0);         /* the first was over when the eighth began */
	assert_int_equal(herd(7, 10000, true, true).of_rule, 0);
	assert_int_equal(herd(500, 90, true, true).of_rule, 0);        /* one after another */
	assert_int_equal(herd(500, 10000, true, false).of_rule, 0);    /* a crawler of many pages */
	assert_int_equal(herd(500, 10000, false, true).of_rule, 0);    /* for each client its own */
	assert_non_null(strstr(herd(500, 10000, true, true).cause, "more than 16"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redirects_in_a_circle_are_reported),
		cmocka_unit_test(a_circle_by_scheme_needs_several_clients),
		cmocka_unit_test(requests_that_come_round_are_reported),
		cmocka_unit_test(streams_that_come_at_the_end_are_reported),
		cmocka_unit_test(time_outs_are_named),
		cmocka_unit_test(races_on_reused_connections_are_reported),
		cmocka_unit_test(answers_that_break_off_are_reported),
		cmocka_unit_test(origins_that_nobody_verified_are_reported),
		cmocka_unit_test(a_herd_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
