/* The steady clock: it follows the date forward and never back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdbool.h>

#include "../../proxyd/clock.h"

enum { S = 1000000, HOUR = 3600 };

/* In seconds: the date, the monotonic clock, and what is to be seen. One process: each row follows the one before. */
static const struct { int64_t wall; uint64_t now; int64_t steady; const char *why; } rows[] = {
	{ 1000000, 50, 1000000, "the first reading" },
	{ 1000010, 60, 1000010, "ten seconds" },
	{ 1000010 - HOUR, 60, 1000010, "set back an hour: no time" },
	{ 1000015 - HOUR, 65, 1000015, "five seconds" },
	{ 1000020, 70, 1000020, "set right again" },
	{ 1000020 + HOUR, 70, 1000020 + HOUR, "set forward: as if time had passed" },
	{ 1000020, 70, 1000020 + HOUR, "and back: that is not undone" },
	{ 1000021, 71, 1000021 + HOUR, "but goes on" },
	{ 1000021, 69, 1000019 + HOUR, "another thread, which read its clocks a moment before" },
};

static void it_goes_forward_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (clock_steady_us(rows[i].wall * S, rows[i].now * S) != rows[i].steady * S) fail_msg("%s", rows[i].why);
}

static void the_clocks_run(void **state)
{
	int64_t wall = clock_wall_us();
	uint64_t now = clock_now_us();

	(void)state;
	assert_true(wall > INT64_C(1700000000) * S);
	assert_true(now > 0 && clock_now_us() >= now);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(it_goes_forward_only), cmocka_unit_test(the_clocks_run) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
