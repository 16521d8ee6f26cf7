/* The rule `uncompressed`, and what the report counts of codings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "audit_log.h"

static struct logline plain(enum uncoded why, uint64_t bytes)
{
	struct logline line = log_request(VERDICT_hit, "a.example", "/");

	line.route = SLICE("a.example /");
	line.uncoded = (uint8_t)why;
	line.body_out = bytes;
	return line;
}

static struct outcome of_plain(enum uncoded why, unsigned count, uint64_t bytes)
{
	struct log log = log_new();

	for (unsigned i = 0; i < count; i++) log_add(&log, plain(why, bytes));
	return judge(&log, RULE_uncompressed);
}

static void text_sent_plain_for_want_of_a_word_is_reported(void **state)
{
	static const struct { enum uncoded why; const char *cause; } loud[] = {
		{ UNCODED_off, "100,000 bytes in 10 answers: compression is not switched on" },
		{ UNCODED_slices, "100,000 bytes in 10 answers: text is stored in slices" },
		{ UNCODED_busy, "100,000 bytes in 10 answers: too many answers" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(loud); i++) {
		struct outcome o = of_plain(loud[i].why, 10, 10000);
		assert_int_equal(o.of_rule, 1);
		assert_int_equal(o.count, 10);
		assert_int_equal(o.first_line, 3);
		assert_string_equal(o.subject, "a.example /");
		if (!strstr(o.cause, loud[i].cause)) fail_msg("%s", o.cause);
	}
}

static void what_had_to_be_plain_is_not(void **state)
{
	(void)state;
	for (int why = 0; why < UNCODED_COUNT; why++)
		if (why != UNCODED_off && why != UNCODED_slices && why != UNCODED_busy)
			assert_int_equal(of_plain((enum uncoded)why, 1000, 10000).of_rule, 0);
	assert_int_equal(of_plain(UNCODED_off, 9, 1000000).of_rule, 0);          /* too few */
	assert_int_equal(of_plain(UNCODED_off, 60, 1666).of_rule, 0);            /* too small together */
	assert_int_equal(of_plain(UNCODED_off, 1000, 0).of_rule, 0);             /* nothing was sent */
}

static void a_route_is_judged_by_its_main_reason(void **state)
{
	struct log log = log_new();

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		log_add(&log, plain(i < 10 ? UNCODED_off : i < 18 ? UNCODED_slices : UNCODED_busy, 10000));
		struct logline other = plain(UNCODED_off, 100);
		other.route = SLICE("a.example /other");
		log_add(&log, other);
	}
	struct outcome o = judge(&log, RULE_uncompressed);
	assert_int_equal(o.of_rule, 1);
	assert_int_equal(o.count, 30);
	assert_non_null(strstr(o.cause, "too many answers"));
}

static void codings_are_counted(void **state)
{
	struct log log = log_new();
	struct audit audit;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct logline line = plain(UNCODED_none, 100);
		line.coding = i ? SLICE("br") : SLICE("gzip");
		line.compressed = i == 1;
		line.plain_bytes = 1000;
		log_add(&log, line);
		log_add(&log, plain(UNCODED_type, 7));
	}
	audit_init(&audit);
	audit_log(&audit, "a.csv", &log);
	const struct coding_row *br = map_get(&audit.tally.codings, SLICE("br"));
	assert_int_equal(audit.tally.codings.count, 2);
	assert_int_equal(br->answers, 3);
	assert_int_equal(br->compressed, 1);
	assert_int_equal(br->plain_bytes, 3000);
	assert_int_equal(br->bytes, 300);
	assert_int_equal(audit.tally.uncoded[UNCODED_type], 4);
	assert_int_equal(audit.tally.uncoded_bytes[UNCODED_type], 28);
	audit_release(&audit);
	log_free(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_sent_plain_for_want_of_a_word_is_reported),
		cmocka_unit_test(what_had_to_be_plain_is_not),
		cmocka_unit_test(a_route_is_judged_by_its_main_reason),
		cmocka_unit_test(codings_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
