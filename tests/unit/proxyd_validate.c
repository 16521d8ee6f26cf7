/* Conditional requests against what is stored (RFC 9110 section 13, RFC 9111 section 4.3.2), and cookies' names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../proxyd/http_cache.h"
#include "heads.h"

#define NOW (INT64_C(784111777) * 1000000)
#define T0 "Sun, 06 Nov 1994 08:49:36 GMT"
#define T1 "Sun, 06 Nov 1994 08:49:37 GMT"
#define T2 "Sun, 06 Nov 1994 08:49:38 GMT"
#define INM(text) "If-None-Match: " text "\r\n"
#define IMS(text) "If-Modified-Since: " text "\r\n"

static struct test_head head;

static const struct { const char *fields, *etag, *modified; enum precondition want; const char *why; } rows[] = {
	{ "", "\"a\"", T1, PRECONDITION_none, "no condition" },
	{ INM("\"a\""), "\"a\"", "", PRECONDITION_not_modified, "the same strong tag" },
	{ INM("\"b\""), "\"a\"", "", PRECONDITION_send, "another" },
	{ INM("\"A\""), "\"a\"", "", PRECONDITION_send, "tags are case-sensitive" },
	{ INM("W/\"a\""), "W/\"a\"", "", PRECONDITION_not_modified, "weak and weak" },
	{ INM("W/\"a\""), "\"a\"", "", PRECONDITION_not_modified, "weak and strong: weak comparison (13.1.2)" },
	{ INM("\"a\""), "W/\"a\"", "", PRECONDITION_not_modified, "strong and weak" },
	{ INM("\"a\", \"1\", \"2\""), "\"a\"", "", PRECONDITION_not_modified, "first of a list" },
	{ INM("\"1\",\"a\" , \"2\""), "\"a\"", "", PRECONDITION_not_modified, "middle of a list" },
	{ INM("\"1\", \"2\", W/\"a\""), "\"a\"", "", PRECONDITION_not_modified, "last of a list" },
	{ INM("\"1\"") INM("\"a\""), "\"a\"", "", PRECONDITION_not_modified, "on a second line" },
	{ INM(", ,\"a\""), "\"a\"", "", PRECONDITION_not_modified, "empty elements" },
	{ INM("\"x,\", \"a\""), "\"a\"", "", PRECONDITION_not_modified, "a comma in a tag" },
	{ INM("\"x\\\", \"a\""), "\"a\"", "", PRECONDITION_not_modified, "a backslash in a tag escapes nothing (8.8.3)" },
	{ INM("\"a"), "\"a\"", "", PRECONDITION_send, "a tag that does not end" },
	{ INM("a"), "\"a\"", "", PRECONDITION_send, "unquoted is not the same as quoted" },
	{ INM("a"), "a", "", PRECONDITION_not_modified, "unquoted on both sides" },
	{ INM("w/\"a\""), "w/\"a\"", "", PRECONDITION_not_modified, "odd on both sides" },
	{ INM("w/\"a\""), "\"a\"", "", PRECONDITION_send, "w/ is no W/" },
	{ INM("\"\""), "\"\"", "", PRECONDITION_not_modified, "the empty tag is a tag" },
	{ INM("\"\xc3\xbc\""), "\"\xc3\xbc\"", "", PRECONDITION_not_modified, "obs-text" },
	{ INM("*"), "\"a\"", "", PRECONDITION_not_modified, "any (13.1.2)" },
	{ INM("*"), "", "", PRECONDITION_not_modified, "any, without a tag" },
	{ INM("\"a\""), "", T1, PRECONDITION_send, "nothing to compare with" },
	{ INM(""), "\"a\"", "", PRECONDITION_send, "an empty field" },
	{ INM("W/"), "\"a\"", "", PRECONDITION_send, "cut" },
	{ IMS(T1), "", T1, PRECONDITION_not_modified, "the same time" },
	{ IMS(T2), "", T1, PRECONDITION_not_modified, "later" },
	{ IMS(T0), "", T1, PRECONDITION_send, "earlier: it was modified since" },
	{ IMS("Sunday, 06-Nov-94 08:49:37 GMT"), "", T1, PRECONDITION_not_modified, "RFC 850 form" },
	{ IMS("Fri, 31 Dec 9999 23:59:59 GMT"), "", T1, PRECONDITION_not_modified, "9999" },
	{ IMS("yesterday"), "", T1, PRECONDITION_none, "no date: ignored (13.1.3)" },
	{ IMS(T1) IMS(T1), "", T1, PRECONDITION_none, "two: ignored (13.1.3)" },
	{ IMS(T1), "", "", PRECONDITION_send, "no Last-Modified known" },
	{ IMS(T1), "", "foo", PRECONDITION_send, "one that is none" },
	{ INM("\"b\"") IMS(T1), "\"a\"", T1, PRECONDITION_send, "If-None-Match decides alone (13.2.2)" },
	{ INM("\"a\"") IMS(T0), "\"a\"", T1, PRECONDITION_not_modified, "also this way" },
	{ INM("\"a\"") IMS(T1), "", T1, PRECONDITION_send, "also without a stored tag" },
	{ "If-Match: \"a\"\r\n", "\"a\"", "", PRECONDITION_none, "it is that one" },
	{ "If-Match: \"b\"\r\n", "\"a\"", "", PRECONDITION_failed, "it is not: the origin decides" },
	{ "If-Match: W/\"a\"\r\n", "W/\"a\"", "", PRECONDITION_failed, "strong comparison (13.1.1)" },
	{ "If-Match: \"b\", \"a\"\r\n" INM("\"a\""), "\"a\"", "", PRECONDITION_not_modified, "then the next condition" },
	{ "If-Match: *\r\n", "", "", PRECONDITION_none, "any" },
	{ "If-Unmodified-Since: " T1 "\r\n", "", T1, PRECONDITION_none, "unmodified" },
	{ "If-Unmodified-Since: " T0 "\r\n", "", T1, PRECONDITION_failed, "modified" },
	{ "If-Unmodified-Since: " T0 "\r\n", "", "", PRECONDITION_failed, "unknown: the origin decides" },
	{ "If-Unmodified-Since: x\r\n", "", T1, PRECONDITION_none, "no date: ignored (13.1.4)" },
	{ "If-Match: \"a\"\r\nIf-Unmodified-Since: " T0 "\r\n", "\"a\"", T1, PRECONDITION_none, "If-Match decides alone (13.2.2)" },
};

static enum precondition judge(const struct http_head *request, const char *etag, const char *modified)
{
	struct page a = page_new(64), b = page_new(64);
	enum precondition got = cache_precondition(request, slice_make(page_put(a, etag, strlen(etag)), strlen(etag)),
		slice_make(page_put(b, modified, strlen(modified)), strlen(modified)), NOW);

	page_free(&a);
	page_free(&b);
	return got;
}

static void test_preconditions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum precondition got = judge(test_request(&head, rows[i].fields), rows[i].etag, rows[i].modified);

		if (got != rows[i].want)
			fail_msg("%s: %s: got %d, not %d", rows[i].fields, rows[i].why, (int)got, (int)rows[i].want);
	}
}

static void test_methods(void **state)
{
	(void)state;
	test_head_parse(&head, "HEAD / HTTP/1.1\r\nHost: a\r\n" INM("\"a\"") "\r\n", false);
	assert_int_equal(judge(&head.head, "\"a\"", ""), PRECONDITION_not_modified);
	test_head_parse(&head, "POST / HTTP/1.1\r\nHost: a\r\n" INM("\"a\"") IMS(T1) "\r\n", false);
	assert_int_equal(judge(&head.head, "\"a\"", T1), PRECONDITION_none);
}

static const struct { const char *fields; bool want; const char *why; } cookies[] = {
	{ "", false, "no Cookie" },
	{ "Cookie: sid=1\r\n", true, "alone" },
	{ "Cookie: a=b; sid=1; c=d\r\n", true, "in the middle" },
	{ "Cookie: a=b;sid=1\r\n", true, "without a blank" },
	{ "Cookie: a=b;  sid =1\r\n", true, "blanks around the name" },
	{ "Cookie: a=b\r\nCookie: sid=1\r\n", true, "on a second line" },
	{ "Cookie: user=\r\n", true, "the other name, with an empty value" },
	{ "Cookie: sid\r\n", true, "a name without a value" },
	{ "Cookie: SID=1\r\n", false, "names are case-sensitive (RFC 6265 4.2)" },
	{ "Cookie: xsid=1; sidx=1\r\n", false, "other names" },
	{ "Cookie: a=sid; b=\"sid=1\"\r\n", false, "in a value" },
	{ "Cookie: a=\"x; sid=1\"\r\n", true, "quotes do not hide a name" },
	{ "Cookie: =sid\r\nCookie: ;;\r\n", false, "no name" },
	{ "X: sid=1\r\n", false, "another field" },
};

static void test_cookies(void **state)
{
	const struct slice names[] = { SLICE("sid"), SLICE("user") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cookies); i++) {
		struct http_head *request = test_request(&head, cookies[i].fields);

		if (cookie_has(request, names, COUNT_OF(names)) != cookies[i].want)
			fail_msg("%s: %s", cookies[i].fields, cookies[i].why);
		assert_false(cookie_has(request, names, 0));
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
		cmocka_unit_test(test_preconditions), cmocka_unit_test(test_methods), cmocka_unit_test(test_cookies),
	};

	return cmocka_run_group_tests_name("proxyd_validate", tests, NULL, release);
}
