/* Rules about certificates: which of them nodes show for a name, and until when. Rows: what was shown at which hours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

#define HOUR UINT64_C(3600000000)
enum { DAY_S = 86400 };

/* A node shows a certificate each quarter of an hour, from hour to hour. */
struct shows { const char *node, *sni, *key, *serial; unsigned from, to; };

static void add(struct log *log, struct shows s, int64_t life_s, int64_t left_s)
{
	for (uint64_t t = T0 + s.from * HOUR; t <= T0 + s.to * HOUR; t += HOUR / 4) {
		struct logline line = log_request(VERDICT_hit, "a.example", "/");
		line.node = slice_str(s.node);
		line.worker = 0;
		line.sni = slice_str(s.sni);
		line.tls_key = slice_str(s.key);
		line.tls_serial = slice_str(s.serial);
		line.tls_until = (int64_t)(T0 / 1000000) + left_s;
		line.tls_from = line.tls_until - life_s;
		line.t_us = t;
		log_add(log, line);
	}
}

enum { SHOWS_MAX = 6 };
static const struct { struct shows shows[SHOWS_MAX]; bool found; const char *why; } differs[] = {
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n2", "a", "rsa", "2", 0, 5 } }, true, "side by side" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n2", "a", "rsa", "1", 0, 5 } }, false, "the same" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n2", "b", "rsa", "2", 0, 5 } }, false, "other names" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n2", "a", "ecdsa", "2", 0, 5 } }, false, "other kinds of key" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n2", "a", "rsa", "2", 6, 9 } }, false, "one after the other" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n1", "a", "rsa", "2", 6, 9 }, { "n2", "a", "rsa", "1", 0, 6 }, { "n2", "a", "rsa", "2", 7, 9 } }, false,
		"a roll-over within the hour" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n1", "a", "rsa", "2", 6, 9 }, { "n2", "a", "rsa", "1", 0, 6 } }, false, "a roll-over under way" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n1", "a", "rsa", "2", 6, 9 }, { "n2", "a", "rsa", "1", 0, 9 } }, true, "a roll-over that is stuck" },
	{ { { "n1", "a", "rsa", "1", 0, 5 }, { "n1", "a", "rsa", "2", 6, 9 }, { "n2", "a", "rsa", "1", 0, 8 }, { "n2", "a", "rsa", "2", 9, 9 } }, true,
		"one that took two hours" },
	{ { { "n1", "a", "rsa", "1", 0, 9 }, { "n1", "a", "rsa", "2", 0, 9 }, { "n2", "a", "rsa", "1", 0, 9 }, { "n2", "a", "rsa", "2", 0, 9 } }, false,
		"two ports with two certificates, on both" },
	{ { { "n1", "a", "rsa", "1", 0, 9 }, { "n1", "a", "rsa", "2", 4, 9 } }, false, "one node" },
};

static void nodes_that_show_different_certificates_are_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(differs); i++) {
		struct log log = { 0 };
		log_header(&log);
		for (size_t k = 0; k < SHOWS_MAX && differs[i].shows[k].node; k++) add(&log, differs[i].shows[k], 90 * DAY_S, 60 * DAY_S);
		struct outcome o = judge(&log, RULE_certificate_differs);
		if (o.of_rule != differs[i].found) fail_msg("row %zu: %s", i, differs[i].why);
		if (o.of_rule) {
			assert_string_equal(o.subject, "a rsa");
			assert_int_equal(o.evidence, 4);
		}
	}
}

static const struct { int64_t life_d, left_d; int severity; const char *why; } expiring[] = {
	{ 90, 60, -1, "two months" },
	{ 90, 22, -1, "a day before" },
	{ 90, 20, SEVERITY_warning, "three weeks" },
	{ 90, 6,  SEVERITY_error, "a week" },
	{ 90, -1, SEVERITY_error, "expired" },
	{ 400, 20, SEVERITY_warning, "a long life is no longer warned of" },
	{ 400, 60, -1, "a long life" },
	{ 7, 5,   -1, "of a week: it is renewed in the middle" },
	{ 7, 1,   SEVERITY_warning, "of a week, and its last quarter" },
	{ 7, 0,   SEVERITY_error, "of a week, and its last hours" },
};

static void a_certificate_that_ends_is_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(expiring); i++) {
		struct log log = { 0 };
		log_header(&log);
		add(&log, (struct shows){ "n1", "a", "rsa", "01AB", 0, 1 }, expiring[i].life_d * DAY_S, expiring[i].left_d * DAY_S + 7200);
		add(&log, (struct shows){ "n1", "b", "rsa", "01AB", 1, 1 }, expiring[i].life_d * DAY_S, expiring[i].left_d * DAY_S + 7200);
		struct outcome o = judge(&log, RULE_certificate_expiring);
		if ((o.of_rule ? (int)o.severity : -1) != expiring[i].severity) fail_msg("row %zu: %s", i, expiring[i].why);
		if (!o.of_rule) continue;
		assert_int_equal(o.of_rule, 1);
		assert_string_equal(o.subject, "01AB");
		assert_int_equal(o.count, 6);
	}
}

static void one_that_was_renewed_is_not(void **state)
{
	struct log log = { 0 };

	(void)state;
	log_header(&log);
	add(&log, (struct shows){ "n1", "a", "rsa", "1", 0, 5 }, 90 * DAY_S, 5 * DAY_S);
	add(&log, (struct shows){ "n1", "a", "rsa", "2", 6, 9 }, 90 * DAY_S, 90 * DAY_S);
	assert_silent(&log, RULE_certificate_expiring);
	log_header(&log);
	add(&log, (struct shows){ "n1", "a", "rsa", "2", 6, 9 }, 90 * DAY_S, 90 * DAY_S);      /* the files in another order */
	add(&log, (struct shows){ "n1", "a", "rsa", "1", 0, 5 }, 90 * DAY_S, 5 * DAY_S);
	assert_silent(&log, RULE_certificate_expiring);
	log_header(&log);
	add(&log, (struct shows){ "n1", "a", "rsa", "1", 0, 5 }, 90 * DAY_S, 5 * DAY_S);
	add(&log, (struct shows){ "n1", "a", "rsa", "2", 6, 9 }, 90 * DAY_S, 90 * DAY_S);
	add(&log, (struct shows){ "n2", "a", "rsa", "1", 0, 9 }, 90 * DAY_S, 5 * DAY_S);
	struct outcome o = judge(&log, RULE_certificate_expiring);
	assert_int_equal(o.of_rule, 1);                   /* at the other node it goes on */
	assert_string_equal(o.subject, "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_that_show_different_certificates_are_reported),
		cmocka_unit_test(a_certificate_that_ends_is_reported),
		cmocka_unit_test(one_that_was_renewed_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
