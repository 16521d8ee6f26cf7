/* May what is stored be used now: freshness, age, staleness, and what a request may and may not ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../proxyd/cache_use.h"
#include "heads.h"

#define S INT64_C(1000000)
#define AT (INT64_C(1000000) * S)                    /* when it was stored */
#define REQ(text) "Cache-Control: " text "\r\n"

static struct test_head head;

/* Times in seconds; now: since it was stored. */
static const struct row {
	const char *fields;
	int64_t age_base, lifetime, while_s;
	bool must_revalidate, no_cache;
	int64_t now;
	enum cache_use_kind use; int64_t age; const char *why;
} rows[] = {
	{ "", 0, 60, -1, false, false, 0, USE_fresh, 0, "new" },
	{ "", 0, 60, -1, false, false, 59, USE_fresh, 59, "in its last second" },
	{ "", 0, 60, -1, false, false, 60, USE_validate, 60, "as old as its lifetime (4.2)" },
	{ "", 50, 60, -1, false, false, 9, USE_fresh, 59, "the age it came with counts (4.2.3)" },
	{ "", 50, 60, -1, false, false, 10, USE_validate, 60, "and makes it stale" },
	{ "", 0, 0, -1, false, false, 0, USE_validate, 0, "no lifetime" },
	{ "", 5, 60, -1, false, false, -1, USE_fresh, 5, "another worker read the clock a moment later: no time has passed" },
	{ "", 5, 60, -1, false, false, -100, USE_validate, INT64_MAX / S, "stored when the date was another one: nobody knows how old it is" },
	{ "", 5, 60, 30, false, false, -100, USE_validate, INT64_MAX / S, "nor whether its window is over" },
	{ "", -5, 60, -1, false, false, 60, USE_validate, 60, "a negative age in the record is zero" },
	{ "", 0, -5, -1, false, false, 0, USE_validate, 0, "a negative lifetime too" },
	{ "", INT64_C(1) << 31, 60, -1, false, false, 1, USE_validate, (INT64_C(1) << 31) + 1, "a huge age" },
	{ "", 0, 60, -1, false, true, 1, USE_validate, 1, "no-cache (5.2.2.4)" },
	{ "", 0, 60, 30, false, false, 60, USE_stale_while_revalidate, 60, "RFC 5861 section 3" },
	{ "", 0, 60, 30, false, false, 89, USE_stale_while_revalidate, 89, "in the window's last second" },
	{ "", 0, 60, 30, false, false, 90, USE_validate, 90, "past the window" },
	{ "", 0, 60, 0, false, false, 60, USE_validate, 60, "an empty window" },
	{ "", 0, 60, 30, true, false, 60, USE_validate, 60, "must-revalidate forbids it (4.2.4)" },
	{ "", 0, 60, 30, false, true, 60, USE_validate, 60, "no-cache forbids it" },
	{ REQ("no-cache"), 0, 60, -1, false, false, 1, USE_fresh, 1, "a client cannot defeat the cache" },
	{ REQ("max-age=0"), 0, 60, -1, false, false, 1, USE_fresh, 1, "not so either" },
	{ "Pragma: no-cache\r\n", 0, 60, -1, false, false, 1, USE_fresh, 1, "nor by Pragma" },
	{ REQ("max-stale"), 0, 60, -1, false, false, 61, USE_validate, 61, "nor widen what is served" },
	{ "Authorization: x\r\n", 0, 60, -1, false, false, 1, USE_fresh, 1, "3.5 is about answers to requests with it" },
};

/* With obey_client. */
static const struct row obeyed[] = {
	{ "", 0, 60, -1, false, false, 1, USE_fresh, 1, "nothing asked" },
	{ REQ("no-cache"), 0, 60, -1, false, false, 1, USE_validate, 1, "no-cache (5.2.1.4)" },
	{ REQ("max-age=10"), 0, 60, -1, false, false, 10, USE_fresh, 10, "not older than asked (5.2.1.1)" },
	{ REQ("max-age=10"), 0, 60, -1, false, false, 11, USE_validate, 11, "older than asked" },
	{ REQ("max-age=10"), 20, 60, -1, false, false, 0, USE_validate, 20, "older than asked when it came" },
	{ REQ("min-fresh=10"), 0, 60, -1, false, false, 50, USE_fresh, 50, "fresh for as long as asked (5.2.1.3)" },
	{ REQ("min-fresh=10"), 0, 60, -1, false, false, 51, USE_validate, 51, "not as long" },
	{ REQ("max-stale=99"), 0, 60, -1, false, false, 61, USE_validate, 61, "max-stale would widen" },
	{ REQ("max-age=10"), 0, 60, 30, false, false, 65, USE_validate, 65, "not stale for a client that wants it fresh" },
	{ "Pragma: x, no-cache\r\n", 0, 60, -1, false, false, 1, USE_validate, 1, "Pragma (5.4)" },
	{ "Pragma: no-cache\r\n" REQ("max-age=60"), 0, 60, -1, false, false, 1, USE_fresh, 1, "not beside Cache-Control (5.4)" },
	{ "Pragma: x\r\n", 0, 60, -1, false, false, 1, USE_fresh, 1, "another Pragma" },
};

static struct cache_object object_of(const struct row *row)
{
	return (struct cache_object){ .stored_us = AT, .age_base_us = row->age_base * S, .lifetime_us = row->lifetime * S,
		.stale_while_us = row->while_s < 0 ? -1 : row->while_s * S, .stale_error_us = -1,
		.must_revalidate = row->must_revalidate, .no_cache = row->no_cache };
}

/* extra_us: ages count in whole seconds, so a microsecond more is the same second. */
static void run_at(const struct row *row, const struct cache_use_settings *settings, int64_t extra_us)
{
	struct cache_object object = object_of(row);
	struct cache_use use = cache_may_use(&object, test_request(&head, row->fields), settings, AT + row->now * S + extra_us);
	int64_t lifetime = row->lifetime > 0 ? row->lifetime : 0;

	if (use.use != row->use || use.age_s != row->age)
		fail_msg("%s: use %d, age %lld", row->why, (int)use.use, (long long)use.age_s);
	assert_true(use.left_us <= (lifetime - row->age) * S && use.left_us >= (lifetime - row->age) * S - 1);
	assert_false(use.only_if_cached);
}

static void run(const struct row *row, const struct cache_use_settings *settings)
{
	run_at(row, settings, 0);
	run_at(row, settings, 1);
}

static void test_use(void **state)
{
	const struct cache_use_settings off = { .obey_client = false }, on = { .obey_client = true };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		run(&rows[i], NULL);
		run(&rows[i], &off);
	}
	for (size_t i = 0; i < COUNT_OF(obeyed); i++)
		run(&obeyed[i], &on);
}

static void test_other(void **state)
{
	struct cache_object object = object_of(&rows[0]);
	const struct cache_use_settings strict = { .auth_only_shareable = true };

	(void)state;
	assert_true(cache_may_use(&object, test_request(&head, REQ("only-if-cached")), NULL, AT).only_if_cached);
	assert_int_equal(cache_may_use(&object, test_request(&head, "Authorization: x\r\n"), &strict, AT).use, USE_validate);
	assert_int_equal(cache_may_use(&object, test_request(&head, ""), &strict, AT).use, USE_fresh);
	object.shareable_auth = true;
	assert_int_equal(cache_may_use(&object, test_request(&head, "Authorization: x\r\n"), &strict, AT).use, USE_fresh);
}

/* No record, however damaged, overflows or makes an old answer young. */
static void test_extremes(void **state)
{
	static const int64_t odd[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX };
	struct http_head *request = test_request(&head, "");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(odd); i++)
		for (size_t j = 0; j < COUNT_OF(odd); j++)
			for (size_t k = 0; k < COUNT_OF(odd); k++)
				for (size_t l = 0; l < COUNT_OF(odd); l++) {
					struct cache_object object = { odd[i], odd[j], odd[k], odd[l], odd[i], false, false, false };
					struct cache_use use = cache_may_use(&object, request, NULL, AT);

					assert_true(use.age_s >= 0);
					assert_true(use.age_s >= (odd[j] > 0 ? odd[j] / S : 0));
					cache_may_use_on_error(&object, odd[k], AT);
				}
}

static void test_on_error(void **state)
{
	static const struct { int64_t error_s, site_s, age_s; bool must_revalidate, no_cache, want; const char *why; } cases[] = {
		{ -1, 0, 59, false, false, true, "fresh" },
		{ -1, 0, 60, false, false, false, "stale, no window" },
		{ -1, 30, 89, false, false, true, "in the site's window" },
		{ -1, 30, 90, false, false, false, "past the site's window" },
		{ 10, 30, 69, false, false, true, "in its own (RFC 5861 section 4)" },
		{ 10, 30, 70, false, false, false, "past its own, which comes first" },
		{ 0, 30, 60, false, false, false, "it wants none" },
		{ 10, 30, 60, true, false, false, "must-revalidate (4.2.4)" },
		{ 10, 30, 1, true, false, true, "must-revalidate is about stale answers" },
		{ 10, 30, 1, false, true, false, "no-cache" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct cache_object object = { .stored_us = AT, .lifetime_us = 60 * S, .stale_while_us = -1,
			.stale_error_us = cases[i].error_s < 0 ? -1 : cases[i].error_s * S,
			.must_revalidate = cases[i].must_revalidate, .no_cache = cases[i].no_cache };

		if (cache_may_use_on_error(&object, cases[i].site_s * S, AT + cases[i].age_s * S) != cases[i].want)
			fail_msg("%s", cases[i].why);
	}
}

static int release(void **state)
{
	(void)state;
	test_head_release(&head);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_use), cmocka_unit_test(test_other), cmocka_unit_test(test_extremes), cmocka_unit_test(test_on_error),
	};

	return cmocka_run_group_tests_name("proxyd_cache_use", tests, NULL, release);
}
