/* Percentiles by nearest rank, and sums by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../../proxyd/figures.h"

static void percentiles_are_values_that_were_there(void **state)
{
	static const struct { size_t count; unsigned percent; uint64_t want; const char *why; } rows[] = {
		{ 0, 50, 0, "nothing" }, { 1, 0, 1, "one: the smallest" }, { 1, 50, 1, "one: all ranks" }, { 1, 100, 1, "one: the largest" },
		{ 2, 50, 1, "half of two are not above the first" }, { 2, 51, 2, "more than half" }, { 10, 0, 1, "the smallest" },
		{ 10, 50, 5, "nearest rank, not between" }, { 10, 99, 10, "of ten the last" }, { 100, 99, 99, "of a hundred the one before" },
		{ 101, 99, 100, "rounded up" }, { 1000, 99, 990, "" }, { 3000, 100, 3000, "the largest" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct series series = { 0 };

		for (size_t n = rows[i].count; n > 0; n--)   /* the largest first */
			series_add(&series, n);
		if (series_at(&series, rows[i].percent) != rows[i].want)
			fail_msg("%zu values, %u %%: %llu, not %llu: %s", rows[i].count, rows[i].percent,
				(unsigned long long)series_at(&series, rows[i].percent), (unsigned long long)rows[i].want, rows[i].why);
		series_release(&series);
	}
}

static void what_is_added_after_a_look_counts(void **state)
{
	struct series series = { 0 };

	(void)state;
	series_add(&series, 5);
	assert_int_equal(series_at(&series, 100), 5);
	series_add(&series, 9);
	series_add(&series, 1);
	assert_int_equal(series_at(&series, 0), 1);
	assert_int_equal(series_at(&series, 100), 9);
	assert_true(series_mean(&series) == 5.0);
	series_release(&series);
	assert_true(series_mean(&series) == 0.0);
}

static void names_are_summed_and_the_most_come_first(void **state)
{
	static const char *const words[] = { "b", "a", "c", "b", "", "ab", "c", "b" };
	const struct name_row *rows[4];
	struct names names = { 0 };

	(void)state;
	assert_int_equal(names_top(&names, rows, 4), 0);
	for (size_t i = 0; i < COUNT_OF(words); i++)
		names_add(&names, slice_str(words[i]), i);
	assert_int_equal(names.count, 5);
	assert_int_equal(names_top(&names, rows, 4), 4);
	assert_true(rows[0]->objects == 3 && rows[0]->bytes == 0 + 3 + 7 && rows[0]->text[0] == 'b');
	assert_true(rows[1]->objects == 2 && rows[1]->bytes == 2 + 6 && rows[1]->text[0] == 'c');
	assert_true(rows[2]->len == 0 && rows[2]->objects == 1);
	assert_true(rows[3]->len == 1 && rows[3]->text[0] == 'a');
	assert_int_equal(names_top(&names, rows, 0), 0);
	names_release(&names);
}

static void names_beyond_the_bound_are_one(void **state)
{
	const struct name_row *rows[1];
	struct names names = { 0 };
	char text[16];

	(void)state;
	for (unsigned i = 0; i < NAMES_MAX + 500; i++)
		names_add(&names, slice_make(text, (size_t)snprintf(text, sizeof(text), "%u", i)), 2);
	assert_int_equal(names.count, NAMES_MAX + 1);
	assert_int_equal(names_top(&names, rows, 1), 1);
	assert_true(slice_eq(slice_make(rows[0]->text, rows[0]->len), SLICE("(others)")));
	assert_int_equal(rows[0]->objects, 500);
	assert_int_equal(rows[0]->bytes, 1000);
	names_release(&names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percentiles_are_values_that_were_there),
		cmocka_unit_test(what_is_added_after_a_look_counts),
		cmocka_unit_test(names_are_summed_and_the_most_come_first),
		cmocka_unit_test(names_beyond_the_bound_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
