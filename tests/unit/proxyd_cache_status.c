/* The value of Cache-Status (RFC 9211). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../proxyd/cache_status.h"
#include "page.h"

static const struct { struct cache_status status; const char *want, *why; } rows[] = {
	{ { .hit = true, .has_ttl = true, .ttl_s = 30 }, "proxyd; hit; ttl=30", "2.1, 2.4" },
	{ { .hit = true, .has_ttl = true, .ttl_s = -412 }, "proxyd; hit; ttl=-412", "stale: a negative ttl (2.4)" },
	{ { .hit = true, .has_ttl = true, .ttl_s = INT64_MIN }, "proxyd; hit; ttl=-9223372036854775808", "the least number" },
	{ { .hit = true, .has_ttl = true }, "proxyd; hit; ttl=0", "zero" },
	{ { .hit = true, .fwd = FWD_stale, .fwd_status = 304, .stored = true, .collapsed = true }, "proxyd; hit", "hit and fwd exclude each other (2.2)" },
	{ { .fwd = FWD_uri_miss, .stored = true, .has_ttl = true, .ttl_s = 60 }, "proxyd; fwd=uri-miss; stored; ttl=60", "a miss that was stored" },
	{ { .fwd = FWD_vary_miss, .collapsed = true }, "proxyd; fwd=vary-miss; collapsed", "collapsed (2.6)" },
	{ { .fwd = FWD_stale, .fwd_status = 304, .stored = true }, "proxyd; fwd=stale; fwd-status=304; stored", "revalidated (2.3)" },
	{ { .fwd = FWD_bypass, .detail = { "login_cookie", 12 } }, "proxyd; fwd=bypass; detail=login_cookie", "a reason of the table is a token (2.8)" },
	{ { .fwd = FWD_method }, "proxyd; fwd=method", "2.2" },
	{ { .fwd = FWD_request }, "proxyd; fwd=request", "2.2" },
	{ { .fwd = FWD_miss }, "proxyd; fwd=miss", "2.2" },
	{ { .fwd = FWD_partial }, "proxyd; fwd=partial", "2.2" },
	{ { .detail = { "a \"b\" \\", 7 } }, "proxyd; detail=\"a \\\"b\\\" \\\\\"", "free text is a string, escaped" },
	{ { .detail = { "a\xc3\xbc\x01\n", 5 } }, "proxyd; detail=\"a????\"", "strings have printable ASCII only" },
	{ { .detail = { "a\x7f~ ", 4 } }, "proxyd; detail=\"a?~ \"", "delete is none of it" },
	{ { .hit = true, .name = { "edge-1", 6 } }, "edge-1; hit", "a name that is a token" },
	{ { .hit = true, .name = { "1.example.com", 13 } }, "\"1.example.com\"; hit", "a name that is none (2)" },
};

static void test_write(void **state)
{
	struct page page = page_new(CACHE_STATUS_MAX);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t want = strlen(rows[i].want);
		char *out = page_put(page, rows[i].want, want);

		memset(out, 'x', want);
		if (cache_status_write(&rows[i].status, out, want) != want || memcmp(out, rows[i].want, want) != 0)
			fail_msg("%s: '%.*s'", rows[i].why, (int)want, out);
		for (size_t size = 0; size < want; size++)
			assert_int_equal(cache_status_write(&rows[i].status, out + want - size, size), 0);
	}
	page_free(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_write) };

	return cmocka_run_group_tests_name("proxyd_cache_status", tests, NULL, NULL);
}
