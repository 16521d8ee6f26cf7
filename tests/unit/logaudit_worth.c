/* What each reason of not storing costs, and how long answers take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

static void percentiles_are_at_most_an_eighth_too_much(void **state)
{
	static const uint64_t values[] = { 0, 1, 7, 8, 9, 15, 16, 17, 100, 1000, 123456, 60000000, UINT64_MAX / 3, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		struct times times = { 0 };
		times_add(&times, values[i]);
		uint64_t got = times_percentile(&times, 0.5);
		assert_true(got >= values[i] && got - values[i] <= values[i] / 8);
	}
	struct times times = { 0 };
	assert_int_equal(times_percentile(&times, 0.5), 0);
	for (uint64_t us = 1; us <= 1000; us++) times_add(&times, us);
	assert_in_range(times_percentile(&times, 0.5), 500, 562);
	assert_in_range(times_percentile(&times, 0.99), 990, 1113);
	assert_in_range(times_percentile(&times, 1), 1000, 1125);
}

static void repeats_are_what_a_reason_costs(void **state)
{
	struct log log = log_new();
	struct audit audit;
	int order[NOSTORE_COUNT];

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct logline line = log_request(VERDICT_miss, "a.example", "/private");
		line.nostore = NOSTORE_private;
		line.stored = 0;
		line.first_us = 1000;
		line.origin = SLICE("10.0.0.1:80");
		log_add(&log, line);
		line.target = i % 2 ? SLICE("/a") : SLICE("/b");
		line.nostore = NOSTORE_set_cookie;
		log_add(&log, line);
		line.method = SLICE("POST");
		line.nostore = NOSTORE_method;
		log_add(&log, line);
		line = log_request(VERDICT_hit, "a.example", "/private");
		line.first_us = 10;
		log_add(&log, line);
	}
	audit_init(&audit);
	audit_log(&audit, "a.csv", &log);
	assert_int_equal(worth_order(&audit.worth, order), 2);
	assert_int_equal(order[0], NOSTORE_private);
	assert_int_equal(audit.worth.repeats[NOSTORE_private], 9);
	assert_int_equal(audit.worth.repeats[NOSTORE_set_cookie], 8);       /* each page once does not count */
	assert_int_equal(audit.worth.repeat_bytes[NOSTORE_set_cookie], 800);
	assert_int_equal(worth_potential(&audit.worth), 10 + 9 + 8);
	assert_int_equal(audit.worth.hit.count, 10);
	assert_int_equal(audit.worth.miss.count, 30);
	assert_int_equal(audit.worth.origins.count, 1);
	assert_in_range(times_percentile(&audit.worth.hit, 0.9), 10, 11);
	audit_release(&audit);
	log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_at_most_an_eighth_too_much),
		cmocka_unit_test(repeats_are_what_a_reason_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
