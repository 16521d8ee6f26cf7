/* Keys of session tickets that go to another process: what is given is what is taken, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../proxyd/tls_tickets.h"

static void keys_that_are_given_are_given_on(void **state)
{
	struct tls_tickets *one = tls_tickets_new(), *two = tls_tickets_new();
	char given[TICKETS_GIVEN_MAX], again[TICKETS_GIVEN_MAX];
	size_t len = tls_tickets_give(one, given);

	(void)state;
	assert_int_equal(len, 1 + TICKET_NAME + 64 + 8);
	assert_int_equal(tls_tickets_give(two, again), len);
	assert_memory_not_equal(given, again, len);
	for (size_t cut = 0; cut < len; cut++)
		assert_false(tls_tickets_inherit(two, slice_make(given, cut)));
	given[0]++;
	assert_false(tls_tickets_inherit(two, slice_make(given, len)));
	given[0]--;
	assert_true(tls_tickets_inherit(two, slice_make(given, len)));
	assert_int_equal(tls_tickets_give(two, again), len);
	assert_memory_equal(given, again, len - 8);      /* but for the age */
	tls_tickets_free(&one);
	tls_tickets_free(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keys_that_are_given_are_given_on) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
