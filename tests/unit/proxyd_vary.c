/* Vary: the spec that is made of an answer, and the text that selects a variant for a request (RFC 9111 section 4.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../proxyd/http_cache.h"
#include "heads.h"

static struct test_head head;

static const struct { const char *fields; long len; const char *spec, *why; } specs[] = {
	{ "", 0, "", "no Vary" },
	{ "Vary: \r\n", 0, "", "an empty one" },
	{ "Vary: Foo\r\n", 3, "foo", "names in lower case" },
	{ "Vary: Foo, bar ,BAZ\r\n", 11, "bar,baz,foo", "sorted, blanks removed" },
	{ "Vary: foo\r\nVary: bar\r\nVary: FOO\r\n", 7, "bar,foo", "over all lines, each once" },
	{ "Vary: a, ab, a-b\r\n", 8, "a,a-b,ab", "prefixes" },
	{ "Vary: *\r\n", -1, NULL, "star" },
	{ "Vary: *, *\r\n", -1, NULL, "stars" },
	{ "Vary: , *\r\n", -1, NULL, "behind an empty element" },
	{ "Vary: \r\nVary: *\r\n", -1, NULL, "behind an empty line" },
	{ "Vary: foo, *\r\n", -1, NULL, "behind a name" },
	{ "Vary: *, foo\r\n", -1, NULL, "before a name" },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,*\r\n", -1, NULL, "behind too many names" },
	{ "Vary: foo bar\r\n", -1, NULL, "no field name: cannot be matched" },
	{ "Vary: \"foo\"\r\n", -1, NULL, "nor is a quoted one" },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\r\n", 31, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "16 names" },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n", -2, NULL, "17 names" },
	{ "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,A\r\n", 31, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "16 names, one twice" },
};

static const struct { const char *spec, *fields, *text, *why; } texts[] = {
	{ "", "Foo: 1\r\n", "", "no names" },
	{ "foo", "Foo: 1\r\nBar: 2\r\n", "foo=1\n", "only what is named" },
	{ "foo", "", "foo\n", "absent" },
	{ "foo", "Foo: \r\n", "foo=\n", "empty is not absent" },
	{ "bar,foo", "Foo: 1\r\n", "bar\nfoo=1\n", "one of two" },
	{ "foo", "Foo: 1,2\r\n", "foo=1,2\n", "a list" },
	{ "foo", "Foo:  1, 2 \r\n", "foo=1,2\n", "white space around commas (4.1)" },
	{ "foo", "Foo: 1\r\nX: y\r\nFOO: 2\r\n", "foo=1,2\n", "lines joined (4.1)" },
	{ "foo", "Foo: A\r\n", "foo=A\n", "values keep their case" },
	{ "foo", "Foo: \"a , b\", c\r\n", "foo=\"a , b\",c\n", "quoted strings are kept whole" },
	{ "foo", "Foo: \"a , b\r\n", "foo=\"a , b\n", "a quote that does not end" },
	{ "accept-encoding", "Accept-Encoding: GZIP, br\r\n", "accept-encoding=br,gzip\n", "lower case; order of equal ones means nothing" },
	{ "accept-encoding", "Accept-Encoding: gzip;q=1.0, br;q=1\r\n", "accept-encoding=br,gzip\n", "q=1 is nothing (RFC 9110 12.4.2)" },
	{ "accept-encoding", "Accept-Encoding: gzip;q=0.5, br\r\n", "accept-encoding=br,gzip;q=0.5\n", "by q" },
	{ "accept-encoding", "Accept-Encoding: gzip;q=0.500 , br ; Q=0.75\r\n", "accept-encoding=br;q=0.75,gzip;q=0.5\n", "q in its shortest form" },
	{ "accept-encoding", "Accept-Encoding: identity;q=0, *;q=0.001\r\n", "accept-encoding=*;q=0.001,identity;q=0\n", "refused is not absent" },
	{ "accept-encoding", "Accept-Encoding: gzip\r\nAccept-Encoding: gzip\r\n", "accept-encoding=gzip\n", "twice the same" },
	{ "accept-encoding", "Accept-Encoding: gzip;q=0.5, gzip\r\n", "accept-encoding=gzip,gzip;q=0.5\n", "twice with other q: both are kept" },
	{ "accept-encoding", "Accept-Encoding: GZIP;q=2, br\r\n", "accept-encoding=gzip;q=2,br\n", "no q: kept in its order" },
	{ "accept-encoding", "Accept-Encoding: gzip;x=1\r\n", "accept-encoding=gzip;x=1\n", "another parameter: kept" },
	{ "accept-encoding", "Accept-Encoding: \r\n", "accept-encoding=\n", "empty: identity only (RFC 9110 12.5.3)" },
	{ "accept-encoding", "", "accept-encoding\n", "absent: any" },
	{ "accept-language", "Accept-Language: en, de\r\n", "accept-language=de,en\n", "languages" },
	{ "accept-language", "Accept-Language: de, en\r\n", "accept-language=de,en\n", "in the other order" },
	{ "accept-language", "Accept-Language: en-GB;q=0.8,de-DE, *;q=0.1\r\n", "accept-language=de-de,en-gb;q=0.8,*;q=0.1\n", "by q" },
	{ "cookie", "Cookie: a=b; c=d\r\nCookie: e=f,  g\r\n", "cookie=a=b; c=d; e=f,  g\n", "Cookie is no list" },
};

static void test_spec(void **state)
{
	struct page page = page_new(64);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(specs); i++) {
		char out[VARY_SPEC_MAX];
		long len = vary_spec(test_response(&head, specs[i].fields), out, sizeof out);

		if (len != specs[i].len || (len > 0 && memcmp(out, specs[i].spec, (size_t)len) != 0))
			fail_msg("%s: %ld '%.*s'", specs[i].why, len, len > 0 ? (int)len : 0, out);
		if (len <= 0)
			continue;
		assert_int_equal(vary_spec(&head.head, page_put(page, out, (size_t)len), (size_t)len), len);   /* just enough room */
		assert_int_equal(vary_spec(&head.head, page_put(page, out, (size_t)len - 1), (size_t)len - 1), -2);
	}
	page_free(&page);
}

static void test_text(void **state)
{
	struct page page = page_new(256);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		size_t want = strlen(texts[i].text);
		struct http_head *request = test_request(&head, texts[i].fields);
		char *out = page_put(page, texts[i].text, want);

		memset(out, 'x', want);
		if (vary_text(slice_str(texts[i].spec), request, out, want) != (long)want || memcmp(out, texts[i].text, want) != 0)
			fail_msg("%s: '%.*s'", texts[i].why, (int)want, out);
		if (want > 0)
			assert_int_equal(vary_text(slice_str(texts[i].spec), request, out + 1, want - 1), -1);
	}
	page_free(&page);
}

/* Many and odd elements: what cannot be put in order is kept as it came, and nothing is written past the end. */
static void test_many(void **state)
{
	static char fields[4096], out[4096];
	size_t len = 0;

	(void)state;
	for (int i = 40; i > 0; i--)
		len += (size_t)snprintf(fields + len, sizeof fields - len, "%sX%02d", i < 40 ? ", " : "Accept-Language: ", i);
	snprintf(fields + len, sizeof fields - len, "\r\n");
	assert_int_equal(vary_text(SLICE("accept-language"), test_request(&head, fields), out, sizeof out), 16 + 40 * 4);
	assert_memory_equal(out, "accept-language=x40,x39,", 24);
}

static int release(void **state)
{
	(void)state;
	test_head_release(&head);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_spec), cmocka_unit_test(test_text), cmocka_unit_test(test_many) };

	return cmocka_run_group_tests_name("proxyd_vary", tests, NULL, release);
}
