/* Rules about answers that go to the wrong client: for each a log that must be reported, and near misses that must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

/* ---- authenticated-shared ---- */

struct step { enum verdict cache; bool auth, login, stored; const char *client, *cc; uint64_t took_us; };

static struct outcome play(const struct step *steps, size_t count)
{
	struct log log = log_new();

	for (size_t i = 0; i < count; i++) {
		struct logline line = log_request(steps[i].cache, "app.example", "/me");
		line.req_auth = steps[i].auth;
		line.req_login = steps[i].login;
		line.stored = steps[i].stored;
		line.client = slice_str(steps[i].client);
		line.resp_cc = slice_str(steps[i].cc);
		if (steps[i].took_us) line.total_us = steps[i].took_us;
		log_add(&log, line);
	}
	return judge(&log, RULE_authenticated_shared);
}

static void one_users_answer_to_another_is_reported(void **state)
{
	static const struct step fetched_then_hit[] = {
		{ VERDICT_miss, true, false, true, "192.0.2.1", "max-age=60", 0 }, { VERDICT_hit, false, false, false, "192.0.2.2", "max-age=60", 0 },
		{ VERDICT_hit, false, false, false, "192.0.2.3", "max-age=60", 0 }, { VERDICT_hit, false, false, false, "192.0.2.3", "max-age=60", 0 } };
	static const struct step collapsed_first[] = {
		{ VERDICT_collapsed, false, true, false, "192.0.2.2", "max-age=60", 5000 }, { VERDICT_miss, false, true, true, "192.0.2.1", "max-age=60", 4500 } };
	struct outcome o = play(fetched_then_hit, COUNT_OF(fetched_then_hit));

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.count, 3);
	assert_int_equal(o.first_line, 4);
	assert_int_equal(o.severity, SEVERITY_error);
	assert_string_equal(o.subject, "app.example");
	assert_non_null(strstr(o.cause, "to 2 other clients"));
	o = play(collapsed_first, COUNT_OF(collapsed_first));
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.first_line, 3);
}

static void what_may_be_shared_is_not_reported(void **state)
{
	static const struct { struct step steps[3]; size_t count; const char *why; } rows[] = {
		{ { { VERDICT_miss, true, false, true, "a", "max-age=60", 0 }, { VERDICT_hit, true, false, false, "a", "max-age=60", 0 } }, 2, "the same client" },
		{ { { VERDICT_miss, true, false, true, "a", "must-revalidate", 0 }, { VERDICT_hit, false, false, false, "b", "", 0 } }, 2, "allowed" },
		{ { { VERDICT_miss, false, false, true, "a", "", 0 }, { VERDICT_hit, true, false, false, "b", "", 0 } }, 2, "nobody's answer to a user" },
		{ { { VERDICT_miss, true, false, false, "a", "", 0 }, { VERDICT_hit, false, false, false, "b", "", 0 } }, 2, "not stored" },
		{ { { VERDICT_miss, true, false, true, "a", "", 0 }, { VERDICT_miss, false, false, true, "c", "", 0 },
			{ VERDICT_hit, false, false, false, "b", "", 0 } }, 3, "stored anew from nobody's request" },
		{ { { VERDICT_collapsed, false, false, false, "b", "", 0 }, { VERDICT_miss, true, false, true, "a", "", 0 } }, 2, "the fetch began after it" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (play(rows[i].steps, rows[i].count).of_rule) fail_msg("%s", rows[i].why);
}

/* ---- key-collision ---- */

/* Each fetch: a target and the letter of its content; all under one key. */
static struct outcome fetches(const char *const *targets, const char *contents, bool stored)
{
	struct log log = log_new();

	for (size_t i = 0; contents[i]; i++) {
		struct logline line = log_request(VERDICT_miss, "a.example", targets[i % 2]);
		line.key = 77;
		line.stored = stored;
		line.body_hash = (uint64_t)contents[i];
		log_add(&log, line);
	}
	return judge(&log, RULE_key_collision);
}

static const char *const two[] = { "/a?id=1", "/a?id=2" }, *const same[] = { "/a", "/a" };

static void two_contents_under_one_key_are_reported(void **state)
{
	struct outcome o = fetches(two, "ABABAB", true);

	(void)state;
	assert_int_equal(o.of_rule, 2);
	assert_int_equal(o.severity, SEVERITY_error);
	assert_string_equal(o.subject, "a.example /a?id=1");
	o = fetches(same, "ABABAB", true);
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_info);
}

static void contents_that_change_with_time_are_no_collision(void **state)
{
	static const struct { const char *const *targets; const char *contents; bool stored; } rows[] = {
		{ two, "AAAAAA", true }, { two, "AABBCC", true }, { two, "ABCDEF", true }, { two, "ABABAB", false }, { two, "ABBA", true },
		{ same, "ABCDEFGH", true }, { same, "AABBBCC", true }, { same, "ABAC", true }, { two, "AB", true } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (fetches(rows[i].targets, rows[i].contents, rows[i].stored).of_rule) fail_msg("%s", rows[i].contents);
}

/* ---- variant-explosion ---- */

static struct outcome variants(int count, int repeat, bool refused)
{
	struct log log = log_new();

	for (int i = 0; i < count * repeat; i++) {
		struct logline line = log_request(VERDICT_miss, "a.example", "/");
		line.variant = refused ? 0 : (uint64_t)(i % count) * 0x9e3779b97f4a7c15u + 1;
		line.stored = !refused;
		line.nostore = refused ? NOSTORE_vary_too_many : NOSTORE_none;
		log_add(&log, line);
	}
	return judge(&log, RULE_variant_explosion);
}

static void many_variants_are_reported(void **state)
{
	struct outcome o = variants(300, 1, false);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_string_equal(o.subject, "a.example /");
	assert_int_equal(o.severity, SEVERITY_warning);
	assert_int_equal(variants(20, 1, true).of_rule, 1);
	assert_int_equal(variants(19, 1, true).of_rule, 0);        /* a few */
	assert_int_equal(variants(32, 50, false).of_rule, 0);      /* languages, asked for again and again */
	assert_int_equal(variants(63, 1, false).of_rule, 0);
}

/* ---- forwarding ---- */

static struct outcome forwarded(int missing, int dropped, int others, enum rule_id rule)
{
	struct log log = log_new();

	for (int i = 0; i < missing + dropped + others; i++) {
		struct logline line = log_request(VERDICT_miss, "a.example", "/");
		line.fwd_sent = i >= missing;
		line.fwd_dropped = i >= missing && i < missing + dropped;
		if (!line.fwd_dropped) line.peer = SLICE("192.0.2.9");
		log_add(&log, line);
	}
	return judge(&log, rule);
}

static void an_origin_that_is_not_told_the_client_is_reported(void **state)
{
	struct log log = log_new();

	(void)state;
	assert_int_equal(forwarded(10, 0, 50, RULE_forwarding_missing).of_rule, 1);
	assert_int_equal(forwarded(9, 0, 50, RULE_forwarding_missing).of_rule, 0);
	for (int i = 0; i < 50; i++) {
		struct logline line = log_request(VERDICT_error, "a.example", "/");
		line.origin_status = -1;
		line.fwd_sent = 0;
		log_add(&log, line);
		log_add(&log, log_request(VERDICT_hit, "a.example", "/"));
	}
	assert_silent(&log, RULE_forwarding_missing);            /* no origin answered */
}

static void a_balancer_that_is_not_trusted_is_reported(void **state)
{
	struct outcome o = forwarded(0, 1000, 900, RULE_forwarding_spoofed);

	(void)state;
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_warning);
	assert_string_equal(o.subject, "192.0.2.1");
	o = forwarded(0, 1000, 1001, RULE_forwarding_spoofed);     /* one of many */
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_info);
	o = forwarded(0, 999, 0, RULE_forwarding_spoofed);         /* a test, or the first minutes */
	assert_int_equal(o.severity, SEVERITY_info);
	assert_int_equal(forwarded(0, 9, 0, RULE_forwarding_spoofed).of_rule, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_users_answer_to_another_is_reported),
		cmocka_unit_test(what_may_be_shared_is_not_reported),
		cmocka_unit_test(two_contents_under_one_key_are_reported),
		cmocka_unit_test(contents_that_change_with_time_are_no_collision),
		cmocka_unit_test(many_variants_are_reported),
		cmocka_unit_test(an_origin_that_is_not_told_the_client_is_reported),
		cmocka_unit_test(a_balancer_that_is_not_trusted_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
