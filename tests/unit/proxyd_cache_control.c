/* Cache-Control and CDN-Cache-Control: what is read out of well-formed, odd and hostile lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../proxyd/http_cache.h"
#include "heads.h"

#define CC(text) "Cache-Control: " text "\r\n"
#define CDN(text) "CDN-Cache-Control: " text "\r\n"
#define MAX (INT64_C(1) << 31)

static struct test_head head;

/* Members that are not named in a row have these values. */
#define NOTHING .max_age = -1, .s_maxage = -1, .stale_while_revalidate = -1, .stale_if_error = -1, .min_fresh = -1, .max_stale = -1
#define ROW(...) { NOTHING, __VA_ARGS__ }

#pragma GCC diagnostic push
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
static const struct { const char *fields; struct cache_control want; const char *why; } rows[] = {
	{ "", ROW(.no_store = false), "no field at all" },
	{ CC("max-age=3600"), ROW(.max_age = 3600), "plain" },
	{ CC("MaX-aGe=3600"), ROW(.max_age = 3600), "names in any case (RFC 9111 5.2)" },
	{ CC("max-age=\"3600\""), ROW(.max_age = 3600), "quoted form is to be taken too (5.2)" },
	{ CC("max-age=003600"), ROW(.max_age = 3600), "leading zeros (1.2.2: 1*DIGIT)" },
	{ CC("max-age='3600'"), ROW(.max_age = 0), "single quotes are no quotes" },
	{ CC("max-age =3600"), ROW(.max_age = 0), "blank before '='" },
	{ CC("max-age= 3600"), ROW(.max_age = 0), "blank behind '='" },
	{ CC("max-age=3600.5"), ROW(.max_age = 0), "no decimals" },
	{ CC("max-age=-100"), ROW(.max_age = 0), "no signs" },
	{ CC("max-age=a100"), ROW(.max_age = 0), "no number" },
	{ CC("max-age=100a"), ROW(.max_age = 0), "number with a tail" },
	{ CC("max-age"), ROW(.max_age = 0), "the number is missing" },
	{ CC("max-age="), ROW(.max_age = 0), "the number is empty" },
	{ CC("max-age=\"\""), ROW(.max_age = 0), "the number is empty, quoted" },
	{ CC("max-age=2147483648"), ROW(.max_age = MAX), "2^31 (1.2.2)" },
	{ CC("max-age=99999999999999999999999999"), ROW(.max_age = MAX), "more than fits is 2^31 (1.2.2)" },
	{ CC("max-age=1800, max-age=1"), ROW(.max_age = 0), "twice with other values is stale (4.2.1)" },
	{ CC("max-age=1") CC("max-age=1800"), ROW(.max_age = 0), "the same over two lines" },
	{ CC("max-age=60, max-age=60"), ROW(.max_age = 60), "twice the same" },
	{ CC("max-age=60, MAX-AGE=\"060\""), ROW(.max_age = 60), "twice the same, written otherwise" },
	{ CC("x=\"max-age=3600\", max-age=1"), ROW(.max_age = 1), "what stands in a quoted string is no directive" },
	{ CC("max-age=1, x=\"a\\\", max-age=3600\""), ROW(.max_age = 1), "an escaped quote does not end the string" },
	{ CC("foobar, max-age=5, x=y"), ROW(.max_age = 5), "unknown directives are ignored (5.2.3)" },
	{ CC(",, max-age=5 ,,"), ROW(.max_age = 5), "empty elements (RFC 9110 5.6.1)" },
	{ CC("s-maxage=7, max-age=9"), ROW(.s_maxage = 7, .max_age = 9), "both" },
	{ CC("no-store, private, public"), ROW(.no_store = true, .private_ = true, .public_ = true), "flags" },
	{ CC("No-StOrE"), ROW(.no_store = true), "flag in any case" },
	{ CC("no-store=1"), ROW(.no_store = true), "a flag with an argument is set all the same: the careful side" },
	{ CC("no-store "), ROW(.no_store = true), "a blank behind" },
	{ CC("must-revalidate") CC("proxy-revalidate"), ROW(.must_revalidate = true, .proxy_revalidate = true), "two lines" },
	{ CC("must-understand, immutable, no-transform"), ROW(.must_understand = true, .immutable = true, .no_transform = true), "more flags" },
	{ CC("no-cache"), ROW(.no_cache = true), "without names" },
	{ CC("no-cache=\"set-cookie\""), ROW(.no_cache_fields = true, .no_cache_names = { "set-cookie", 10 }), "with names" },
	{ CC("no-cache=x-a"), ROW(.no_cache_fields = true, .no_cache_names = { "x-a", 3 }), "token form is taken too (5.2.2.4)" },
	{ CC("private=\"x-a, X-B\""), ROW(.private_fields = true, .private_names = { "x-a, X-B", 8 }), "several names" },
	{ CC("private=\"x-a\", private=\"x-a\""), ROW(.private_fields = true, .private_names = { "x-a", 3 }), "the same names twice" },
	{ CC("private=\"x-a\", private=\"x-b\""), ROW(.private_ = true, .private_fields = true, .private_names = { "x-a", 3 }), "two lists count as all" },
	{ CC("private=\"x-a\", private"), ROW(.private_ = true, .private_fields = true, .private_names = { "x-a", 3 }), "the plain form is there too" },
	{ CC("private=\"\""), ROW(.private_ = true), "no names are all names" },
	{ CC("private = \"x-a\""), ROW(.private_ = true), "malformed counts as all" },
	{ CC("no-cache=\"x-a"), ROW(.no_cache = true), "a quote that does not end" },
	{ CC("private=\"vary\""), ROW(.private_ = true), "without Vary it would be another answer" },
	{ CC("no-cache=\"x-a, Content-Encoding\""), ROW(.no_cache = true), "without its coding too" },
	{ CC("private=\"a b\""), ROW(.private_ = true), "no field names" },
	{ CC("stale-while-revalidate=30, stale-if-error=60"), ROW(.stale_while_revalidate = 30, .stale_if_error = 60), "RFC 5861" },
	{ CC("stale-while-revalidate"), ROW(.stale_while_revalidate = 0), "without a number: no window" },
	{ CC("max-stale"), ROW(.max_stale = INT64_MAX), "without a number: any (5.2.1.2)" },
	{ CC("max-stale=5, min-fresh=6, only-if-cached"), ROW(.max_stale = 5, .min_fresh = 6, .only_if_cached = true), "of requests" },
};

static const struct { const char *fields; bool targeted; struct cache_control want; const char *why; } targeted[] = {
	{ CDN("max-age=3600") CC("no-store"), true, ROW(.max_age = 3600), "replaces Cache-Control (RFC 9213 2.2)" },
	{ CC("max-age=1"), false, ROW(.max_age = 1), "not there" },
	{ CDN("") CC("max-age=1"), false, ROW(.max_age = 1), "empty is not there (2.2)" },
	{ CDN("max-age=10000, &&&&&") CC("no-store"), false, ROW(.no_store = true), "one error and it is nothing (2.1)" },
	{ CDN("max-age=\"10000\"") CC("no-store"), true, ROW(.max_age = 0), "a number in another type is none (2.1)" },
	{ CDN("max-age=10.5"), true, ROW(.max_age = 0), "a decimal is no integer" },
	{ CDN("max-age"), true, ROW(.max_age = 0), "true is no integer" },
	{ CDN("max-age=-5"), true, ROW(.max_age = 0), "negative" },
	{ CDN("max-age=99999999999"), true, ROW(.max_age = MAX), "clamped" },
	{ CDN("max-age=1000000000000000") CC("max-age=1"), false, ROW(.max_age = 1), "16 digits are no integer (RFC 8941 3.3.1)" },
	{ CDN("max-age =100") CC("max-age=1"), false, ROW(.max_age = 1), "blank before '='" },
	{ CDN("max-age= 100") CC("max-age=1"), false, ROW(.max_age = 1), "blank behind '='" },
	{ CDN("MaX-aGe=3600") CC("max-age=1"), false, ROW(.max_age = 1), "keys are in lower case (RFC 8941 3.1.2)" },
	{ CDN("max-age=1, max-age=60"), true, ROW(.max_age = 60), "the last of a key counts (RFC 8941 3.2)" },
	{ CDN("max-age=1") CDN("max-age=60, private"), true, ROW(.max_age = 60, .private_ = true), "several lines are one" },
	{ CDN("max-age=1,") CC("max-age=2"), false, ROW(.max_age = 2), "a comma at the end" },
	{ CDN("max-age=1") CDN("") CC("max-age=2"), false, ROW(.max_age = 2), "an empty line is a lone comma" },
	{ CDN("max-age=1;x=2;y, foo=(a \"b\" 3.5);z=?1, no-store"), true, ROW(.max_age = 1, .no_store = true), "parameters and lists are read over" },
	{ CDN("no-store=?0, max-age=1"), true, ROW(.max_age = 1), "false is not set" },
	{ CDN("no-store=7"), true, ROW(.no_store = true), "a flag with another value is set: the careful side" },
	{ CDN("no-cache=\"x-a\""), true, ROW(.no_cache_fields = true, .no_cache_names = { "x-a", 3 }), "names" },
	{ CDN("no-cache=\"x-a\", no-cache"), true, ROW(.no_cache = true), "the last of a key counts here too" },
	{ CDN("private=(x-a)"), true, ROW(.private_ = true), "names in another type are all" },
	{ CDN("x=:YWJj:, y=*tok/en, z=\"q\\\"\\\\\", max-age=4"), true, ROW(.max_age = 4), "all bare items" },
	{ CDN("x=:YW*:, max-age=4") CC("max-age=2"), false, ROW(.max_age = 2), "bytes not in base64" },
	{ CDN("x=\"a\\b\", max-age=4") CC("max-age=2"), false, ROW(.max_age = 2), "an escape that is none" },
	{ CDN("x=\"a, max-age=4") CC("max-age=2"), false, ROW(.max_age = 2), "a string that does not end" },
	{ CDN("x=(a, max-age=4") CC("max-age=2"), false, ROW(.max_age = 2), "a list that does not end" },
	{ CDN("x=(a\"b\")") CC("max-age=2"), false, ROW(.max_age = 2), "a list without a blank" },
	{ CDN("x=?2") CC("max-age=2"), false, ROW(.max_age = 2), "no boolean" },
	{ CDN("x=1.") CC("max-age=2"), false, ROW(.max_age = 2), "no decimal" },
	{ CDN("x=-") CC("max-age=2"), false, ROW(.max_age = 2), "no number" },
	{ CDN("x=") CC("max-age=2"), false, ROW(.max_age = 2), "no value" },
	{ CDN("x;=1") CC("max-age=2"), false, ROW(.max_age = 2), "a parameter without a key" },
	{ CDN("x y") CC("max-age=2"), false, ROW(.max_age = 2), "no comma" },
	{ CDN("x=@12") CC("max-age=2"), false, ROW(.max_age = 2), "dates came after RFC 8941" },
};
#pragma GCC diagnostic pop

static void assert_same(const struct cache_control *got, const struct cache_control *want, const char *fields, const char *why)
{
	bool same = true;

#define SAME(member) do { if (got->member != want->member) { print_error(#member " = %lld\n", (long long)got->member); same = false; } } while (0)
	SAME(max_age); SAME(s_maxage); SAME(stale_while_revalidate); SAME(stale_if_error); SAME(min_fresh); SAME(max_stale);
	SAME(no_store); SAME(no_cache); SAME(private_); SAME(public_); SAME(must_revalidate); SAME(proxy_revalidate);
	SAME(must_understand); SAME(immutable); SAME(only_if_cached); SAME(no_transform); SAME(no_cache_fields); SAME(private_fields);
#undef SAME
	if (!same || !slice_eq(got->no_cache_names, want->no_cache_names) || !slice_eq(got->private_names, want->private_names))
		fail_msg("%s: %s", fields, why);
}

static void test_cache_control(void **state)
{
	struct cache_control cc;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cache_control_parse(test_request(&head, rows[i].fields), FIELD_cache_control, &cc);
		assert_same(&cc, &rows[i].want, rows[i].fields, rows[i].why);
		assert_false(cache_control_effective(test_response(&head, rows[i].fields), SLICE(""), &cc));
		assert_same(&cc, &rows[i].want, rows[i].fields, rows[i].why);
	}
}

static void test_targeted(void **state)
{
	struct cache_control cc;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(targeted); i++) {
		if (cache_control_effective(test_response(&head, targeted[i].fields), SLICE(""), &cc) != targeted[i].targeted)
			fail_msg("%s: %s: the other field was taken", targeted[i].fields, targeted[i].why);
		assert_same(&cc, &targeted[i].want, targeted[i].fields, targeted[i].why);
	}
}

/* The site's own field is read as strictly: the same rows under its name. */
static void test_own_targeted(void **state)
{
	char fields[1024];
	struct cache_control cc;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(targeted); i++) {
		snprintf(fields, sizeof fields, "%s", targeted[i].fields);
		for (char *at = fields; (at = strstr(at, "CDN-C")); at += 3)
			memmove(at + 2, at + 3, strlen(at + 3) + 1), memcpy(at, "My", 2);
		if (cache_control_effective(test_response(&head, fields), SLICE("my-cache-control"), &cc) != targeted[i].targeted)
			fail_msg("%s: %s: the other field was taken", fields, targeted[i].why);
		assert_same(&cc, &targeted[i].want, fields, targeted[i].why);
	}
}

static void test_order_of_targeted(void **state)
{
	static const struct { const char *fields; bool targeted; int64_t max_age; const char *why; } order[] = {
		{ "My-Cache-Control: max-age=1\r\n" CDN("max-age=2") CC("max-age=3"), true, 1, "the site's first" },
		{ CC("max-age=3") CDN("max-age=2") "mY-cAcHe-cOnTrOl: max-age=1\r\n", true, 1, "in any order and case" },
		{ "My-Cache-Control: &&&\r\n" CDN("max-age=2") CC("max-age=3"), true, 2, "malformed: the next" },
		{ "My-Cache-Control: \r\n" CDN("") CC("max-age=3"), false, 3, "empty: the next" },
		{ "My-Cache-Control: foo\r\n" CDN("max-age=2") CC("max-age=3"), true, -1, "well-formed, and says nothing: it counts" },
		{ "Connection: My-Cache-Control\r\nMy-Cache-Control: max-age=1\r\n" CDN("max-age=2"), true, 2, "of one hop: it would be missing when the answer is renewed" },
		{ "Not-My-Cache-Control: max-age=1\r\n" CC("max-age=3"), false, 3, "another field" },
	};
	struct cache_control cc;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(order); i++)
		if (cache_control_effective(test_response(&head, order[i].fields), SLICE("My-Cache-Control"), &cc) != order[i].targeted || cc.max_age != order[i].max_age)
			fail_msg("%s: %lld: %s", order[i].fields, (long long)cc.max_age, order[i].why);
}

static void test_thousand(void **state)
{
	static char fields[60000];
	struct cache_control cc;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(fields + len, sizeof fields - len, "%sx%d=%d, max-age=60", i ? ", " : "Cache-Control: ", i, i);
	snprintf(fields + len, sizeof fields - len, ", no-store\r\n");
	cache_control_parse(test_response(&head, fields), FIELD_cache_control, &cc);
	assert_int_equal(cc.max_age, 60);
	assert_true(cc.no_store);
}

static void test_names(void **state)
{
	(void)state;
	assert_true(cache_names_have(SLICE("x-a, Set-Cookie"), SLICE("set-cookie")));
	assert_false(cache_names_have(SLICE("x-a, Set-Cookie"), SLICE("cookie")));
	assert_false(cache_names_have(slice_make(NULL, 0), SLICE("cookie")));
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
		cmocka_unit_test(test_cache_control), cmocka_unit_test(test_targeted), cmocka_unit_test(test_own_targeted), cmocka_unit_test(test_order_of_targeted), cmocka_unit_test(test_thousand),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("proxyd_cache_control", tests, NULL, release);
}
