/* The rule volume-errors: what must be reported, and near misses that must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

static struct logline unstored(enum nostore why, uint64_t objects, int64_t bytes)
{
	struct logline line;

	logline_init(&line);
	line.rec = REC_unstored;
	line.worker = 65535;
	line.volume = SLICE("main");
	line.nostore = (uint8_t)why;
	line.unstored = objects;
	line.object_bytes = bytes;
	return line;
}

static void what_the_disk_did_not_take_is_reported(void **state)
{
	struct log log = log_new();
	struct logline aside = log_request(VERDICT_miss, "a.example", "/x");
	struct outcome o;

	(void)state;
	aside.stored = 0;
	aside.nostore = NOSTORE_volume_failed;
	log_add(&log, unstored(NOSTORE_disk_error, 3, 3000));
	log_add(&log, unstored(NOSTORE_disk_full, 2, 500));
	for (int i = 0; i < 7; i++) log_add(&log, aside);
	o = judge(&log, RULE_volume_errors);
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.severity, SEVERITY_error);
	assert_int_equal(o.count, 12);
	assert_int_equal(o.first_line, 3);
	assert_string_equal(o.subject, "main");
	assert_string_equal(o.cause, "5 objects of 3500 bytes that lines said stored were not, and 7 answers found the volume set aside: "
		"volume_failed 7, disk_full 2, disk_error 3");
}

static void what_was_never_said_stored_is_no_error_of_the_volume(void **state)
{
	static const enum nostore others[] = { NOSTORE_queue_full, NOSTORE_ram_full, NOSTORE_too_large, NOSTORE_no_store, NOSTORE_no_volume,
		NOSTORE_cache_off, NOSTORE_purged, NOSTORE_short_body };
	struct log log = log_new();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct logline line = log_request(VERDICT_miss, "a.example", "/x");
		line.stored = 0;
		line.nostore = (uint8_t)others[i];
		for (int n = 0; n < 200; n++) log_add(&log, line);
	}
	log_add(&log, unstored(NOSTORE_disk_error, 0, 0));
	assert_silent(&log, RULE_volume_errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_disk_did_not_take_is_reported),
		cmocka_unit_test(what_was_never_said_stored_is_no_error_of_the_volume),
	};

	return cmocka_run_group_tests_name("logaudit: volume-errors", tests, NULL, NULL);
}
