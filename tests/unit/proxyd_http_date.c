/* HTTP dates: the three forms, what is none, and what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "../../proxyd/http_cache.h"
#include "page.h"

#define S INT64_C(1000000)
#define NOW_1994 (INT64_C(784111777) * S)
#define NOW_2026 (INT64_C(1767225600) * S)

static const struct { const char *text; int64_t now_us, seconds; const char *why; } good[] = {
	{ "Sun, 06 Nov 1994 08:49:37 GMT",    NOW_1994, 784111777,     "IMF-fixdate (RFC 9110 5.6.7)" },
	{ "Sunday, 06-Nov-94 08:49:37 GMT",   NOW_1994, 784111777,     "RFC 850 form" },
	{ "Sun Nov  6 08:49:37 1994",         NOW_1994, 784111777,     "asctime form, day with a space" },
	{ "Sun Nov 16 08:49:37 1994",         NOW_1994, 784975777,     "asctime form, day of two digits" },
	{ "Wed Nov 06 08:49:37 1996",         NOW_1994, 847270177,     "asctime form, 2DIGIT with a zero" },
	{ "THU, 18 AUG 2050 02:01:18 gMT",    NOW_2026, 2544400878,    "any case, for caches (RFC 9111 4.2)" },
	{ "Thu, 01 Jan 1970 00:00:00 GMT",    NOW_2026, 0,             "the epoch" },
	{ "Mon, 01 Jan 1900 00:00:00 GMT",    NOW_2026, -2208988800,   "before the epoch" },
	{ "Wed, 31 Dec 1969 23:59:59 GMT",    NOW_2026, -1,            "one second before: not the -1 of an error" },
	{ "Fri, 31 Dec 9999 23:59:59 GMT",    NOW_2026, 253402300799,  "the last there is" },
	{ "Sat, 01 Jan 0000 00:00:00 GMT",    NOW_2026, -62167219200,  "the first there is" },
	{ "Tue, 29 Feb 2000 00:00:00 GMT",    NOW_2026, 951782400,     "leap day of a year divisible by 400" },
	{ "Thu, 29 Feb 2024 12:00:00 GMT",    NOW_2026, 1709208000,    "leap day" },
	{ "Sat, 31 Dec 2016 23:59:60 GMT",    NOW_2026, 1483228799,    "a leap second is in the grammar; it counts as the one before (RFC 9111 4.2)" },
	{ "Tuesday, 01-Jan-75 00:00:00 GMT",  NOW_2026, 3313526400,    "two digits: 49 years ahead stays" },
	{ "Thursday, 01-Jan-76 00:00:00 GMT", NOW_2026, 3345062400,    "two digits: 50 years ahead to the second is not more" },
	{ "Friday, 02-Jan-76 00:00:00 GMT",   NOW_2026, 189388800,     "two digits: more than 50 years ahead is the past" },
	{ "Friday, 31-Dec-99 23:59:59 GMT",   NOW_2026, 946684799,     "two digits: 1999" },
	{ "Saturday, 01-Jan-05 00:00:00 GMT", INT64_C(4070908800) * S, 4260211200, "two digits in 2099: 2105 is six years ahead" },
};

static const struct { const char *text, *why; } bad[] = {
	{ "",                                 "nothing" },
	{ "0",                                "what many send in Expires" },
	{ "-1",                               "another one" },
	{ "Sun, 06 Nov 1994 08:49:37 UTC",    "not GMT (RFC 9111 4.2)" },
	{ "Sun, 06 Nov 1994 08:49:37 +0000",  "a numeric zone" },
	{ "Sun, 06 Nov 1994 08:49:37",        "no zone" },
	{ "Sun, 06 Nov 94 08:49:37 GMT",      "two-digit year in IMF-fixdate" },
	{ "Sun 06 Nov 1994 08:49:37 GMT",     "no comma" },
	{ "Sun, 06  Nov  1994 08:49:37 GMT",  "several spaces" },
	{ "Sun, 06-Nov-1994 08:49:37 GMT",    "dashes with a short day" },
	{ "Sunday, 06 Nov 1994 08:49:37 GMT", "a long day without dashes" },
	{ "Sun, 06 Nov 1994 08.49.37 GMT",    "points" },
	{ "Sun, 06 Nov 1994 8:49:37 GMT",     "hour of one digit" },
	{ "Sun, 6 Nov 1994 08:49:37 GMT",     "day of one digit" },
	{ "Sun, 06 Nov 1994 08:49:37 GMT ",   "something behind" },
	{ "Sun, 06 Nov 1994 08:49:37 GM",     "cut" },
	{ "Sun, 06 Nov 1994 24:00:00 GMT",    "hour 24" },
	{ "Sun, 06 Nov 1994 08:60:00 GMT",    "minute 60" },
	{ "Sun, 06 Nov 1994 08:49:61 GMT",    "second 61" },
	{ "Sun, 31 Nov 1994 08:49:37 GMT",    "a day that November has not" },
	{ "Sun, 00 Nov 1994 08:49:37 GMT",    "day 0" },
	{ "Thu, 29 Feb 1900 00:00:00 GMT",    "1900 was no leap year" },
	{ "Sun, 06 Foo 1994 08:49:37 GMT",    "no month" },
	{ "Foo, 06 Nov 1994 08:49:37 GMT",    "no day of the week" },
	{ "Sun Nov  6 08:49:37 1994 GMT",     "asctime with a zone" },
	{ "Sun Nov 6 08:49:37 1994",          "asctime with one space" },
};

static int64_t parse_at_page_end(struct page page, const char *text, int64_t now_us)
{
	return http_parse_date(slice_make(page_put(page, text, strlen(text)), strlen(text)), now_us);
}

static void test_parse(void **state)
{
	struct page page = page_new(64);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		if (parse_at_page_end(page, good[i].text, good[i].now_us) != good[i].seconds * S)
			fail_msg("'%s': %s: got %lld", good[i].text, good[i].why, (long long)parse_at_page_end(page, good[i].text, good[i].now_us));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (parse_at_page_end(page, bad[i].text, NOW_2026) != -1)
			fail_msg("'%s' was taken: %s", bad[i].text, bad[i].why);
	page_free(&page);
}

/* Every prefix of every good date must be refused without reading on. */
static void test_prefixes(void **state)
{
	struct page page = page_new(64);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++)
		for (size_t len = 0; len < strlen(good[i].text); len++)
			assert_int_equal(http_parse_date(slice_make(page_put(page, good[i].text, len), len), NOW_2026), -1);
	page_free(&page);
}

/* Against the C library, over all years that have four digits. */
static void test_format(void **state)
{
	struct page page = page_new(64);

	(void)state;
	for (int64_t t = -62167219200; t <= 253402300799; t += 86399 * 37) {
		char expected[64], *out = page_put(page, "", 0) - HTTP_DATE_LEN;
		time_t seconds = (time_t)t;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(expected, sizeof expected, "%a, %d %b ", &tm);
		snprintf(expected + 12, sizeof expected - 12, "%04d %02d:%02d:%02d GMT", tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		http_format_date(t * S + 999999, out);
		assert_memory_equal(out, expected, HTTP_DATE_LEN);
		assert_int_equal(http_parse_date(slice_make(out, HTTP_DATE_LEN), NOW_2026), t * S);
	}
	page_free(&page);
}

static void test_format_bounds(void **state)
{
	char out[HTTP_DATE_LEN];

	(void)state;
	http_format_date(INT64_MAX, out);
	assert_memory_equal(out, "Fri, 31 Dec 9999 23:59:59 GMT", HTTP_DATE_LEN);
	http_format_date(INT64_MIN, out);
	assert_memory_equal(out, "Sat, 01 Jan 0000 00:00:00 GMT", HTTP_DATE_LEN);
	http_format_date(-1, out);
	assert_memory_equal(out, "Wed, 31 Dec 1969 23:59:59 GMT", HTTP_DATE_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_prefixes), cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_bounds),
	};

	return cmocka_run_group_tests_name("proxyd_http_date", tests, NULL, NULL);
}
