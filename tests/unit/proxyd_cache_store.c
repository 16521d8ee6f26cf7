/* May it be stored, for how long is it fresh, how old is it: RFC 9111 sections 3, 3.5, 4.2, as a shared cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../proxyd/http_cache.h"
#include "heads.h"

#define S INT64_C(1000000)
#define NOW (INT64_C(784111777) * S)                 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define DATE "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define CC(text) "Cache-Control: " text "\r\n"
#define ETAG "ETag: \"a\"\r\n"
#define LM_100S "Last-Modified: Sun, 06 Nov 1994 08:47:57 GMT\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define FRESH OK CC("max-age=60")
#define AUTH "Authorization: Basic x\r\n"
#define MAX (INT64_C(1) << 31)

static struct test_head request_head, response_head;

struct row { const char *request, *response; enum nostore reason; int64_t lifetime, age; const char *why; };

/* request: field lines of a GET. lifetime and age in seconds. */
static const struct row freshness[] = {
	{ "", FRESH, NOSTORE_none, 60, 0, "max-age" },
	{ "", OK CC("max-age=60, s-maxage=90"), NOSTORE_none, 90, 0, "s-maxage comes first (4.2.1)" },
	{ "", OK CC("s-maxage=0, max-age=90"), NOSTORE_expired, 0, 0, "also when it is zero" },
	{ "", FRESH "Expires: Sun, 06 Nov 1994 08:00:00 GMT\r\n", NOSTORE_none, 60, 0, "max-age before Expires (5.3)" },
	{ "", FRESH "Expires: 0\r\n", NOSTORE_none, 60, 0, "and before a broken one" },
	{ "", OK CC("max-age=0") "Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\n" DATE, NOSTORE_expired, 0, 0, "a zero max-age too" },
	{ "", OK DATE "Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\n", NOSTORE_none, 3600, 0, "Expires minus Date" },
	{ "", OK "Date: Sun, 06 Nov 1994 07:49:37 GMT\r\nExpires: Sun, 06 Nov 1994 09:49:37 GMT\r\n", NOSTORE_none, 7200, 3600, "against Date, not our clock; the age comes from Date" },
	{ "", OK "Date: Sun, 06 Nov 1994 09:49:37 GMT\r\nExpires: Sun, 06 Nov 1994 09:49:47 GMT\r\n", NOSTORE_none, 10, 0, "a Date ahead of us is age zero (4.2.3)" },
	{ "", OK "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", NOSTORE_none, 60, 0, "no Date: now (RFC 9110 6.6.1)" },
	{ "", OK "Date: foo\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", NOSTORE_none, 60, 0, "a Date that is none: now" },
	{ "", OK DATE "Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n", NOSTORE_expired, 0, 0, "Expires is Date" },
	{ "", OK DATE "Expires: 0\r\n", NOSTORE_expired, 0, 0, "invalid is expired (5.3)" },
	{ "", OK DATE "Expires: \r\n", NOSTORE_expired, 0, 0, "empty is invalid" },
	{ "", OK DATE "Expires: Sun, 06 Nov 1994 09:49:37 UTC\r\n", NOSTORE_expired, 0, 0, "UTC is not GMT (4.2)" },
	{ "", OK DATE "Expires: Mon, 01 Jan 1900 00:00:00 GMT\r\n", NOSTORE_expired, 0, 0, "1900" },
	{ "", OK DATE "Expires: Fri, 31 Dec 9999 23:59:59 GMT\r\n", NOSTORE_none, MAX, 0, "9999 is clamped" },
	{ "", OK "Date: Mon, 01 Jan 1900 00:00:00 GMT\r\nExpires: Fri, 31 Dec 9999 23:59:59 GMT\r\n", NOSTORE_expired, MAX, 2993100577, "a Date in 1900 makes an age that passes any lifetime" },
	{ "", OK "Date: Fri, 31 Dec 9999 23:59:59 GMT\r\n" CC("max-age=60"), NOSTORE_none, 60, 0, "a Date in 9999" },
	{ "", OK DATE "Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\nExpires: Sun, 06 Nov 1994 08:49:38 GMT\r\n", NOSTORE_expired, 0, 0, "two that differ: stale (4.2.1)" },
	{ "", OK DATE "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", NOSTORE_none, 60, 0, "two that agree" },
	{ "", OK DATE "Expires: Sunday, 06-Nov-94 08:50:37 GMT\r\n", NOSTORE_none, 60, 0, "RFC 850 form" },
	{ "", OK DATE "Expires: Sun Nov  6 08:50:37 1994\r\n", NOSTORE_none, 60, 0, "asctime form" },
	{ "", FRESH "Age: 15\r\n", NOSTORE_none, 60, 15, "Age adds" },
	{ "", FRESH "Age: 60\r\n", NOSTORE_expired, 60, 60, "as old as its lifetime is stale (4.2)" },
	{ "", FRESH "Age: 15\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\n", NOSTORE_none, 60, 30, "the greater of Age and the time since Date (4.2.3)" },
	{ "", FRESH "Age: 45\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\n", NOSTORE_none, 60, 45, "the other way round" },
	{ "", FRESH "Age: abc\r\n", NOSTORE_none, 60, 0, "no number: ignored (5.1)" },
	{ "", FRESH "Age: -7200\r\n", NOSTORE_none, 60, 0, "negative: ignored" },
	{ "", FRESH "Age: 7200.0\r\n", NOSTORE_none, 60, 0, "a decimal: ignored" },
	{ "", FRESH "Age: 20, 0\r\n", NOSTORE_none, 60, 20, "the first member counts (5.1)" },
	{ "", FRESH "Age: 0, 7200\r\n", NOSTORE_none, 60, 0, "also when it is the smaller" },
	{ "", FRESH "Age: 20\r\nAge: 30\r\n", NOSTORE_none, 60, 20, "over two lines too" },
	{ "", OK ETAG CC("max-age=60") "Age: 9223372036854775808\r\n", NOSTORE_none, 60, MAX, "2^63 is clamped (1.2.2)" },
	{ "", OK CC("max-age=60") "Pragma: no-cache\r\n", NOSTORE_none, 60, 0, "Pragma in a response is nothing (5.4)" },
};

static const struct row heuristics[] = {
	{ "", OK DATE LM_100S, NOSTORE_none, 10, 0, "10 % of the time since Last-Modified (4.2.2)" },
	{ "", OK DATE "Last-Modified: Sat, 06 Nov 1993 08:49:37 GMT\r\n", NOSTORE_none, 86400, 0, "never more than heuristic_max" },
	{ "", OK DATE "Last-Modified: Sun, 06 Nov 1994 09:49:37 GMT\r\n", NOSTORE_none, 0, 0, "Last-Modified after Date: only after validation" },
	{ "", OK DATE "Last-Modified: Mon, 01 Jan 1900 00:00:00 GMT\r\n", NOSTORE_none, 86400, 0, "Last-Modified in 1900" },
	{ "", OK DATE "Last-Modified: yesterday\r\n", NOSTORE_no_freshness, 0, 0, "one that is none" },
	{ "", OK DATE, NOSTORE_no_freshness, 0, 0, "nothing to go by" },
	{ "", OK DATE ETAG, NOSTORE_no_freshness, 0, 0, "a validator alone gives no lifetime" },
	{ "", OK DATE LM_100S CC("max-age=0"), NOSTORE_none, 0, 0, "an explicit lifetime forbids the estimate" },
	{ "", OK DATE LM_100S "Expires: 0\r\n", NOSTORE_none, 0, 0, "a broken Expires is explicit too" },
	{ "", "HTTP/1.1 203 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 204 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 300 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 301 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 308 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 404 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 405 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 410 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 414 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 501 x\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "RFC 9110 15.1" },
	{ "", "HTTP/1.1 201 x\r\n" DATE LM_100S, NOSTORE_status, 0, 0, "not in the list" },
	{ "", "HTTP/1.1 202 x\r\n" DATE LM_100S, NOSTORE_status, 0, 0, "not in the list" },
	{ "", "HTTP/1.1 302 x\r\n" DATE LM_100S, NOSTORE_status, 0, 0, "not in the list" },
	{ "", "HTTP/1.1 403 x\r\n" DATE LM_100S, NOSTORE_status, 0, 0, "not in the list" },
	{ "", "HTTP/1.1 502 x\r\n" DATE LM_100S, NOSTORE_status, 0, 0, "not in the list" },
	{ "", "HTTP/1.1 599 x\r\n" DATE LM_100S, NOSTORE_status, 0, 0, "not in the list" },
	{ "", "HTTP/1.1 599 x\r\n" DATE LM_100S CC("public"), NOSTORE_none, 10, 0, "public marks it as cacheable (4.2.2)" },
	{ "", "HTTP/1.1 599 x\r\n" DATE CC("public"), NOSTORE_no_freshness, 0, 0, "public alone is no lifetime" },
};

static const struct row statuses[] = {
	{ "", "HTTP/1.1 299 x\r\n" CC("max-age=60"), NOSTORE_none, 60, 0, "any final status with explicit freshness (3)" },
	{ "", "HTTP/1.1 302 x\r\n" CC("max-age=60"), NOSTORE_none, 60, 0, "any final status" },
	{ "", "HTTP/1.1 400 x\r\n" CC("max-age=60"), NOSTORE_none, 60, 0, "any final status" },
	{ "", "HTTP/1.1 503 x\r\n" CC("max-age=60"), NOSTORE_none, 60, 0, "any final status" },
	{ "", "HTTP/1.1 599 x\r\n" CC("max-age=60"), NOSTORE_none, 60, 0, "any final status" },
	{ "", "HTTP/1.1 103 x\r\n" CC("max-age=60"), NOSTORE_status, 60, 0, "not final" },
	{ "", "HTTP/1.1 206 x\r\nContent-Range: bytes 0-1/9\r\n" CC("max-age=60"), NOSTORE_partial, 60, 0, "a part" },
	{ "Range: bytes=0-1\r\n", FRESH, NOSTORE_none, 60, 0, "a range asked for, the whole given" },
	{ "Range: bytes=9-\r\n", "HTTP/1.1 416 x\r\n" CC("max-age=60"), NOSTORE_partial, 60, 0, "416 is no answer to other requests" },
	{ "", "HTTP/1.1 304 x\r\n" CC("max-age=60"), NOSTORE_status, 60, 0, "304 is no answer to other requests" },
	{ "If-Match: \"x\"\r\n", "HTTP/1.1 412 x\r\n" CC("max-age=60"), NOSTORE_status, 60, 0, "nor is 412" },
	{ "", OK CC("no-store, must-understand, max-age=60"), NOSTORE_none, 60, 0, "we understand 200: no-store is for those who do not (5.2.2.3)" },
	{ "", "HTTP/1.1 599 x\r\n" CC("no-store, must-understand, max-age=60"), NOSTORE_status, 60, 0, "we do not understand 599" },
	{ "", "HTTP/1.1 599 x\r\n" CC("must-understand, max-age=60"), NOSTORE_status, 60, 0, "also without no-store (3)" },
};

static const struct row directives[] = {
	{ "", OK CC("no-store"), NOSTORE_no_store, 0, 0, "no-store" },
	{ "", OK CC("max-age=60, No-Store"), NOSTORE_no_store, 60, 0, "no-store in any case, with freshness" },
	{ "", OK CC("private, max-age=60"), NOSTORE_private, 60, 0, "private" },
	{ "", OK CC("private=\"x-user\", max-age=60"), NOSTORE_none, 60, 0, "with names: stored without those fields (5.2.2.7)" },
	{ "", OK CC("private=\"vary\", max-age=60"), NOSTORE_private, 60, 0, "without Vary it would be another answer" },
	{ "", OK CC("no-cache"), NOSTORE_no_freshness, 0, 0, "nothing to validate with" },
	{ "", OK CC("no-cache, max-age=60"), NOSTORE_expired, 0, 0, "of no use without a validator" },
	{ "", OK CC("no-cache") ETAG, NOSTORE_none, 0, 0, "stored, used after validation (5.2.2.4)" },
	{ "", OK CC("no-cache, max-age=60") ETAG, NOSTORE_none, 0, 0, "the lifetime does not count" },
	{ "", OK CC("max-age=0") ETAG, NOSTORE_none, 0, 0, "stale at once, but can be validated" },
	{ "", OK CC("max-age=0"), NOSTORE_expired, 0, 0, "stale at once" },
	{ "", OK CC("max-age=0, stale-while-revalidate=30"), NOSTORE_none, 0, 0, "may be served stale (RFC 5861)" },
	{ "", OK CC("max-age=0, stale-if-error=30"), NOSTORE_none, 0, 0, "may be served stale on errors" },
	{ "", OK CC("max-age=0, must-revalidate, stale-if-error=30"), NOSTORE_expired, 0, 0, "must-revalidate takes that back (4.2.4)" },
	{ "", FRESH "Set-Cookie: a=b\r\n", NOSTORE_set_cookie, 60, 0, "a cookie" },
	{ "", OK CC("max-age=60, private=\"set-cookie\"") "Set-Cookie: a=b\r\n", NOSTORE_none, 60, 0, "it asks to be stored without the cookie" },
	{ "", OK CC("max-age=60, no-cache=\"Set-Cookie\"") "Set-Cookie: a=b\r\n", NOSTORE_none, 60, 0, "the same" },
	{ "", FRESH "Vary: *\r\n", NOSTORE_vary_star, 60, 0, "Vary: * (4.1)" },
	{ "", FRESH "Vary: a\r\nVary: b, *\r\n", NOSTORE_vary_star, 60, 0, "anywhere in the list" },
	{ "", FRESH "Vary: accept-encoding\r\n", NOSTORE_none, 60, 0, "Vary" },
	{ "", FRESH "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\r\n", NOSTORE_vary_too_many, 60, 0, "17 names" },
	{ "", FRESH "Content-Length: 1001\r\n", NOSTORE_too_large, 60, 0, "larger than object_max" },
	{ "", FRESH "Content-Length: 1000\r\n", NOSTORE_none, 60, 0, "just as large" },
	{ "Cache-Control: no-store\r\n", FRESH, NOSTORE_req_no_store, 60, 0, "the request says so (5.2.1.5)" },
	{ "Cache-Control: no-cache\r\nPragma: no-cache\r\n", FRESH, NOSTORE_none, 60, 0, "no-cache of a request is about using, not storing" },
	{ AUTH, FRESH, NOSTORE_authorization, 60, 0, "3.5" },
	{ AUTH, OK DATE "Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", NOSTORE_authorization, 60, 0, "3.5, by Expires" },
	{ AUTH, OK CC("max-age=60, public"), NOSTORE_none, 60, 0, "3.5: public" },
	{ AUTH, OK CC("max-age=60, must-revalidate"), NOSTORE_none, 60, 0, "3.5: must-revalidate" },
	{ AUTH, OK CC("s-maxage=60"), NOSTORE_none, 60, 0, "3.5: s-maxage" },
	{ AUTH, OK CC("max-age=60, proxy-revalidate"), NOSTORE_authorization, 60, 0, "3.5 does not name proxy-revalidate" },
	{ AUTH, OK CC("max-age=60, immutable"), NOSTORE_authorization, 60, 0, "nor immutable" },
	{ AUTH, OK CC("public, private, max-age=60"), NOSTORE_private, 60, 0, "private wins" },
	{ "Cookie: a=b\r\n", FRESH, NOSTORE_none, 60, 0, "a request's Cookie alone is no reason" },
	{ "Content-Length: 0\r\n", FRESH, NOSTORE_none, 60, 0, "no content" },
	{ "Content-Length: 1\r\n", FRESH, NOSTORE_request_body, 60, 0, "a GET with content" },
	{ "Transfer-Encoding: chunked\r\n", FRESH, NOSTORE_request_body, 60, 0, "a GET with chunked content" },
};

static const struct row targeted[] = {
	{ "", OK "CDN-Cache-Control: max-age=60\r\n" CC("no-store"), NOSTORE_none, 60, 0, "replaces Cache-Control (RFC 9213 2.2)" },
	{ "", OK "CDN-Cache-Control: no-store\r\n" CC("max-age=60"), NOSTORE_no_store, 0, 0, "both ways" },
	{ "", OK "CDN-Cache-Control: private\r\n" CC("max-age=60"), NOSTORE_private, 0, 0, "private" },
	{ "", OK "CDN-Cache-Control: max-age=0\r\n" DATE "Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\n", NOSTORE_expired, 0, 0, "replaces Expires" },
	{ "", OK "CDN-Cache-Control: foo\r\n" DATE "Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\n", NOSTORE_no_freshness, 0, 0, "also when it says nothing we know" },
	{ "", OK "CDN-Cache-Control: foo\r\n" DATE LM_100S, NOSTORE_none, 10, 0, "an estimate is still allowed" },
	{ "", OK "CDN-Cache-Control: max-age=60\r\nAge: 70\r\n", NOSTORE_expired, 60, 70, "Age counts" },
	{ "", OK "CDN-Cache-Control: max-age=10000, &&&&&\r\n" CC("no-store"), NOSTORE_no_store, 0, 0, "no dictionary: not there" },
	{ "", OK "CDN-Cache-Control: max-age=\"10000\"\r\n" CC("no-store"), NOSTORE_expired, 0, 0, "a number in another type is none" },
	{ AUTH, OK "CDN-Cache-Control: max-age=60, public\r\n", NOSTORE_none, 60, 0, "its public counts for 3.5" },
	{ AUTH, OK "CDN-Cache-Control: max-age=60\r\n" CC("public"), NOSTORE_authorization, 60, 0, "that of Cache-Control does not" },
};

static struct storing usual(void)
{
	return (struct storing){ .now_us = NOW, .request_us = NOW, .heuristic_percent = 10, .heuristic_max_us = 86400 * S, .object_max = 1000 };
}

static struct verdict_store judge(const char *request, const char *response, struct storing with)
{
	return cache_may_store(test_request(&request_head, request), test_head_parse(&response_head, response, true), &with);
}

static void run(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[2048];
		struct verdict_store v;

		snprintf(text, sizeof text, "%s\r\n", rows[i].response);
		v = judge(rows[i].request, text, usual());
		if (v.reason != rows[i].reason || v.lifetime_us != rows[i].lifetime * S || v.age_us != rows[i].age * S)
			fail_msg("%s: reason %d, lifetime %lld us, age %lld us, for\n%s", rows[i].why, (int)v.reason,
				(long long)v.lifetime_us, (long long)v.age_us, rows[i].response);
	}
}

static void test_freshness(void **state) { (void)state; run(freshness, COUNT_OF(freshness)); }
static void test_heuristics(void **state) { (void)state; run(heuristics, COUNT_OF(heuristics)); }
static void test_statuses(void **state) { (void)state; run(statuses, COUNT_OF(statuses)); }
static void test_directives(void **state) { (void)state; run(directives, COUNT_OF(directives)); }
static void test_targeted(void **state) { (void)state; run(targeted, COUNT_OF(targeted)); }

static void test_methods(void **state)
{
	static const struct { const char *method; enum nostore store, lookup; } rows[] = {
		{ "GET", NOSTORE_none, NOSTORE_none }, { "HEAD", NOSTORE_method, NOSTORE_none }, { "POST", NOSTORE_method, NOSTORE_method },
		{ "PUT", NOSTORE_method, NOSTORE_method }, { "DELETE", NOSTORE_method, NOSTORE_method },
		{ "OPTIONS", NOSTORE_method, NOSTORE_method }, { "M-SEARCH", NOSTORE_method, NOSTORE_method }, { "get", NOSTORE_method, NOSTORE_method },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct storing with = usual();
		char text[128];

		snprintf(text, sizeof text, "%s / HTTP/1.1\r\nHost: a\r\n\r\n", rows[i].method);
		test_head_parse(&request_head, text, false);
		test_head_parse(&response_head, FRESH "\r\n", true);
		assert_int_equal(cache_may_store(&request_head.head, &response_head.head, &with).reason, rows[i].store);
		assert_int_equal(cache_may_lookup(&request_head.head, false), rows[i].lookup);
	}
	assert_int_equal(cache_may_lookup(test_request(&request_head, ""), true), NOSTORE_login_cookie);
	assert_int_equal(cache_may_lookup(test_request(&request_head, "Content-Length: 3\r\n"), false), NOSTORE_request_body);
	assert_int_equal(cache_may_lookup(test_request(&request_head, AUTH "Range: bytes=0-\r\n"), false), NOSTORE_none);
}

static void test_settings(void **state)
{
	struct storing with = usual();

	(void)state;
	with.login_cookie = true;
	assert_int_equal(judge("", FRESH "\r\n", with).reason, NOSTORE_login_cookie);
	with = usual();
	with.store_cookies = true;
	assert_int_equal(judge("", FRESH "Set-Cookie: a=b\r\n\r\n", with).reason, NOSTORE_none);
	with = usual();
	with.heuristic_percent = 0;
	assert_int_equal(judge("", OK DATE LM_100S "\r\n", with).lifetime_us, 0);
	with = usual();
	with.request_us = NOW - 3 * S;
	assert_int_equal(judge("", FRESH "Age: 4\r\n\r\n", with).age_us, 7 * S);          /* 4.2.3: the answer was 3 s under way */
	with.request_us = NOW + 3 * S;
	assert_int_equal(judge("", FRESH "Age: 4\r\n\r\n", with).age_us, 4 * S);          /* our clock jumped back meanwhile */
	with.request_us = with.now_us = NOW + 900000;
	assert_int_equal(judge("", FRESH DATE "\r\n", with).age_us, 0);                    /* Date has whole seconds */
}

static void test_flags(void **state)
{
	static const struct { const char *response; bool must_revalidate, no_cache, has_validator, shareable_auth, estimated; int64_t while_us, error_us; } rows[] = {
		{ FRESH "\r\n", false, false, false, false, false, -1, -1 },
		{ OK CC("s-maxage=1") ETAG "\r\n", true, false, true, true, false, 0, 0 },
		/* s-maxage forbids stale answers but for the windows that stand beside it. */
		{ OK CC("s-maxage=1, stale-while-revalidate=2") ETAG "\r\n", false, false, true, true, false, 2 * S, 0 },
		{ OK CC("s-maxage=1, stale-if-error=2, proxy-revalidate") ETAG "\r\n", true, false, true, true, false, 0, 2 * S },
		{ OK CC("max-age=1, proxy-revalidate") LM_100S "\r\n", true, false, true, false, false, -1, -1 },
		{ OK CC("max-age=1, must-revalidate") "ETag: \r\n\r\n", true, false, false, true, false, -1, -1 },
		{ OK CC("no-cache") "ETag: odd\r\n\r\n", true, true, true, false, false, -1, -1 },
		{ OK CC("max-age=1, public, stale-while-revalidate=2, stale-if-error=0") "\r\n", false, false, false, true, false, 2 * S, 0 },
		{ OK DATE LM_100S "\r\n", false, false, true, false, true, -1, -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct verdict_store v = judge("", rows[i].response, usual());

		assert_int_equal(v.reason, NOSTORE_none);
		assert_int_equal(v.must_revalidate, rows[i].must_revalidate);
		assert_int_equal(v.no_cache, rows[i].no_cache);
		assert_int_equal(v.has_validator, rows[i].has_validator);
		assert_int_equal(v.shareable_auth, rows[i].shareable_auth);
		assert_int_equal(v.lifetime_by, rows[i].estimated ? LIFETIME_estimate : rows[i].no_cache ? LIFETIME_none : LIFETIME_answer);
		assert_int_equal(v.stale_while_us, rows[i].while_us);
		assert_int_equal(v.stale_error_us, rows[i].error_us);
	}
}

#define STATUS(code) "HTTP/1.1 " #code " X\r\n"

/* negative_ttl is 30 s, error_lifetime_max 100 s. */
static const struct { const char *request, *response; enum nostore reason; int64_t lifetime; enum lifetime_by by; const char *why; } errors[] = {
	{ "", STATUS(404), NOSTORE_none, 30, LIFETIME_negative_ttl, "states none" },
	{ "", STATUS(410), NOSTORE_none, 30, LIFETIME_negative_ttl, "states none" },
	{ "", STATUS(500), NOSTORE_none, 30, LIFETIME_negative_ttl, "by the site's word" },
	{ "", STATUS(503) "Retry-After: 5\r\n", NOSTORE_none, 30, LIFETIME_negative_ttl, "by the site's word" },
	{ "", STATUS(504) CC("public"), NOSTORE_none, 30, LIFETIME_negative_ttl, "public states no lifetime" },
	{ "", STATUS(403), NOSTORE_status, 0, LIFETIME_none, "may be about who asks" },
	{ "", STATUS(401), NOSTORE_status, 0, LIFETIME_none, "is about who asks" },
	{ "", STATUS(429), NOSTORE_status, 0, LIFETIME_none, "is about who asks" },
	{ "", STATUS(400), NOSTORE_status, 0, LIFETIME_none, "is about this request" },
	{ "", STATUS(507), NOSTORE_status, 0, LIFETIME_none, "not among them" },
	{ "", OK, NOSTORE_no_freshness, 0, LIFETIME_none, "no error" },
	{ "", STATUS(404) CC("no-store"), NOSTORE_no_store, 30, LIFETIME_negative_ttl, "forbidden" },
	{ "", STATUS(404) CC("private"), NOSTORE_private, 30, LIFETIME_negative_ttl, "forbidden" },
	{ "", STATUS(404) CC("no-cache"), NOSTORE_no_freshness, 0, LIFETIME_none, "not without asking" },
	{ "", STATUS(404) "Set-Cookie: a=b\r\n", NOSTORE_set_cookie, 30, LIFETIME_negative_ttl, "one user's" },
	{ AUTH, STATUS(404), NOSTORE_authorization, 30, LIFETIME_negative_ttl, "one user's" },
	{ "", STATUS(404) "Vary: *\r\n", NOSTORE_vary_star, 30, LIFETIME_negative_ttl, "no key for it" },
	{ "", STATUS(404) CC("max-age=60"), NOSTORE_none, 60, LIFETIME_answer, "its own word counts" },
	{ "", STATUS(404) CC("max-age=0"), NOSTORE_expired, 0, LIFETIME_answer, "also when it is zero" },
	{ "", STATUS(404) DATE LM_100S, NOSTORE_none, 30, LIFETIME_negative_ttl, "before an estimate" },
	{ "", STATUS(404) "Age: 30\r\n", NOSTORE_expired, 30, LIFETIME_negative_ttl, "old when it came" },
	{ "", STATUS(404) CC("max-age=100"), NOSTORE_none, 100, LIFETIME_answer, "as long as it may be" },
	{ "", STATUS(404) CC("max-age=101"), NOSTORE_none, 100, LIFETIME_error_lifetime_max, "longer" },
	{ "", STATUS(500) CC("s-maxage=31536000"), NOSTORE_none, 100, LIFETIME_error_lifetime_max, "any error" },
	{ "", STATUS(403) DATE "Expires: Fri, 31 Dec 9999 23:59:59 GMT\r\n", NOSTORE_none, 100, LIFETIME_error_lifetime_max, "by Expires" },
	{ "", STATUS(301) CC("max-age=31536000"), NOSTORE_none, 31536000, LIFETIME_answer, "no error" },
};

static void test_errors(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct storing with = usual();
		with.negative_us = 30 * S;
		with.error_max_us = 100 * S;
		snprintf(text, sizeof text, "%s\r\n", errors[i].response);
		struct verdict_store v = judge(errors[i].request, text, with);
		if (v.reason != errors[i].reason || v.lifetime_us != errors[i].lifetime * S || v.lifetime_by != errors[i].by)
			fail_msg("%s: reason %d, lifetime %lld by %d: %s", errors[i].response, v.reason, (long long)v.lifetime_us, v.lifetime_by, errors[i].why);
		assert_true(v.must_revalidate || v.lifetime_by != LIFETIME_negative_ttl);
	}
	struct storing low = usual();
	low.negative_us = 30 * S;
	low.error_max_us = 10 * S;
	struct verdict_store v = judge("", STATUS(404) "\r\n", low);
	assert_int_equal(v.lifetime_us, 10 * S);
	assert_int_equal(v.lifetime_by, LIFETIME_negative_ttl);
}

static int release(void **state)
{
	(void)state;
	test_head_release(&request_head);
	test_head_release(&response_head);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freshness), cmocka_unit_test(test_heuristics), cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_directives), cmocka_unit_test(test_targeted), cmocka_unit_test(test_methods),
		cmocka_unit_test(test_settings), cmocka_unit_test(test_flags), cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests_name("proxyd_cache_store", tests, NULL, release);
}
