/* Header sections: rows of input and answer, each whole and cut in every way that matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "page.h"
#include "http_text.h"

struct row { const char *input; size_t len; const char *answer, *why; };
#define ROW(input, answer, why) { input, sizeof(input) - 1, answer, why }
#include "http_rows.h"

static const struct http_limits limits_usual = { 8192, 32768, 100 };
static struct http_header headers[HTTP_HEADERS_MAX];
static struct page page;

typedef long parser(const char *buf, size_t len, size_t seen, const struct http_limits *limits, struct text *text);

static long parse_request(const char *buf, size_t len, size_t seen, const struct http_limits *limits, struct text *text)
{
	struct http_head head;
	enum refusal refusal = REFUSAL_none;
	long answer = http_parse_request(buf, len, seen, limits, headers, &head, &refusal);

	request_text(text, answer, &head, refusal);
	return answer;
}

static long parse_response(const char *buf, size_t len, size_t seen, const struct http_limits *limits, struct text *text)
{
	struct http_head head;
	enum refusal refusal = REFUSAL_none;
	long answer = http_parse_response(buf, len, seen, limits, METHOD_GET, headers, &head, &refusal);

	response_text(text, answer, &head, refusal);
	return answer;
}

/* Feeds the input in steps of `step` bytes, as a connection would, and stops at the first answer that is one. What a part
 * answers must also be what it answers when it is looked at for the first time. */
static long feed(parser *parse, struct slice input, size_t step, const struct http_limits *limits, struct text *text)
{
	size_t seen = 0;
	long answer;

	for (;;) {
		size_t len = seen + step < input.len ? seen + step : input.len;
		struct text fresh;
		long first = parse(page_put(page, input.ptr, len), len, 0, limits, &fresh);
		answer = parse(page_put(page, input.ptr, len), len, seen, limits, text);
		assert_int_equal(answer, first);
		assert_string_equal(text->bytes, fresh.bytes);
		if (answer != HEAD_PARTIAL || len == input.len)
			return answer;
		seen = len;
	}
}

static void row_check(parser *parse, struct slice input, const char *answer, const char *why, const struct http_limits *limits)
{
	static const size_t steps[] = { 1, 2, 3, 7, 16, 17 };
	struct text whole, part;
	long used = parse(page_put(page, input.ptr, input.len), input.len, 0, limits, &whole);

	if (strcmp(whole.bytes, answer) != 0)
		fail_msg("%s: '%.*s': '%s' instead of '%s'", why, SLICE_ARG(input), whole.bytes, answer);
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		long used_part = feed(parse, input, steps[i], limits, &part);
		if (strcmp(part.bytes, answer) != 0 || used_part != used)
			fail_msg("%s: '%.*s' in steps of %zu: '%s' instead of '%s'", why, SLICE_ARG(input), steps[i], part.bytes, answer);
	}
}

static void rows_check(parser *parse, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		row_check(parse, slice_make(rows[i].input, rows[i].len), rows[i].answer, rows[i].why, &limits_usual);
}

static void test_request_rows(void **state)
{
	(void)state;
	rows_check(parse_request, request_rows, COUNT_OF(request_rows));
}

static void test_response_rows(void **state)
{
	(void)state;
	rows_check(parse_response, response_rows, COUNT_OF(response_rows));
}

/* Every byte in every place, against sets that are written out here. */
static const char token_bytes[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char uri_bytes[] = "-._~%:/?[]@!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static bool byte_is_good(const char *format, unsigned byte, const char *set)
{
	char input[256];
	struct text text;
	int len = snprintf(input, sizeof input, format, 1);

	*(char *)memchr(input, 1, (size_t)len) = (char)byte;
	bool good = parse_request(page_put(page, input, (size_t)len), (size_t)len, 0, &limits_usual, &text) == len;
	bool wanted = set ? byte != 0 && strchr(set, (int)byte) : byte == '\t' || (byte >= 0x20 && byte != 0x7f);
	return good == wanted;
}

static void test_every_byte(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		assert_true(byte_is_good("G%cT / HTTP/1.1\r\nHost: a\r\n\r\n", byte, token_bytes));
		assert_true(byte_is_good("GET /a%cb HTTP/1.1\r\nHost: a\r\n\r\n", byte, uri_bytes));
		assert_true(byte_is_good("GET / HTTP/1.1\r\nHost: a\r\nX: a%cb\r\n\r\n", byte, NULL));
		assert_true(byte_is_good("GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789abcdef%c0123456789abcdef\r\n\r\n", byte, NULL));
		if (byte == ':')
			continue;                          /* ends the name: another line, as good */
		assert_true(byte_is_good("GET / HTTP/1.1\r\nHost: a\r\nX%cY: 1\r\n\r\n", byte, token_bytes));
		assert_true(byte_is_good("GET / HTTP/1.1\r\nHost: a\r\nX%cY: 0123456789abcdef012345\r\n\r\n", byte, token_bytes));
	}
}

static void test_limits(void **state)
{
	static const struct http_limits small = { 20, 60, 3 };
	static const struct row rows[] = {
		ROW("GET /2345 HTTP/1.1\r\nHost: a\r\n\r\n", "GET 1.1 a|a|0 /2345 none keep", "18 of 20 bytes"),
		ROW("GET /234567 HTTP/1.1\r\nHost: a\r\n\r\n", "GET 1.1 a|a|0 /234567 none keep", "20 of 20 bytes"),
		ROW("GET /2345678 HTTP/1.1\r\nHost: a\r\n\r\n", "line_too_long", "21 of 20 bytes"),
		ROW("GET /2345678 HTTP/1.1", "line_too_long", "21 of 20 bytes, no end"),
		ROW("GET /234567 HTTP/1.1\r", "partial", "20 of 20 bytes, half an end"),
		ROW("\r\n\r\n\r\n\r\nGET /234567 HTTP/1.1\r", "partial", "empty lines do not count"),
		ROW("\r\n\r\n\r\n\r\nGET /2345678 HTTP/1.1\r", "line_too_long", "empty lines do not count"),
		ROW("GET /#3456789012345678901234567890", "line_too_long", "its length is judged first"),
		ROW("GET /#345678901\r\n", "target_form", "short and wrong"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\r\n", "GET 1.1 a|a|0 / none keep", "three of three lines"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC:\r\n\r\n", "too_many_fields", "four of three lines"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC:\r\n", "too_many_fields", "no end"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC", "partial", "a line is judged when it ends"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC\r\n", "too_many_fields", "whatever it is"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n\n", "too_many_fields", "whatever it is"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nX: 7890123456789012345678901234\r\n\r\n", "GET 1.1 a|a|0 / none keep", "60 of 60 bytes"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nX: 78901234567890123456789012345\r\n\r\n", "head_too_large", "61 of 60 bytes"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nX: 7890123456789012345678901234567890", "head_too_large", "61 of 60 bytes, no end"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nX: 7890123456789012345678901234567\r\n", "head_too_large", "CR is the 60th"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nX Y: 8901234567890123456789012345678901", "head_too_large", "never judged"),
		ROW("GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n012345678901234567890123456789", "field_name", "judged before"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		row_check(parse_request, slice_make(rows[i].input, rows[i].len), rows[i].answer, rows[i].why, &small);
	row_check(parse_response, SLICE("HTTP/1.1 200 12345678\r\n\r\n"), "line_too_long", "21 of 20 bytes", &small);
	row_check(parse_response, SLICE("HTTP/1.1 200 1234567\r\n\r\n"), "1.1 200 1234567| close keep", "20 of 20 bytes", &small);
}

/* Every name of the table in three cases of letters, near the end of the page and far from it. */
static void test_known_names(void **state)
{
	(void)state;
	for (unsigned id = FIELD_other + 1; id < FIELD_COUNT; id++) {
		struct slice name = http_field_name((enum http_field)id);
		char text[64];
		for (int turn = 0; turn < 3; turn++) {
			for (size_t i = 0; i < name.len; i++) {
				bool upper = turn == 1 || (turn == 2 && i % 2);
				text[i] = upper && name.ptr[i] >= 'a' ? (char)(name.ptr[i] - 32) : name.ptr[i];
			}
			assert_int_equal(http_field_find(slice_make(page_put(page, text, name.len), name.len)), id);
			text[name.len] = 'x';
			assert_int_equal(http_field_find(slice_make(text, name.len + 1)), FIELD_other);
			assert_int_equal(http_field_find(slice_make(text, name.len - 1)), FIELD_other);
			for (size_t i = 0; i < name.len; i++) {
				for (unsigned byte = 0; byte < 256; byte++) {
					char was = text[i];
					text[i] = (char)byte;
					bool same = strncasecmp(text, name.ptr, name.len) == 0;
					enum http_field found = http_field_find(slice_make(text, name.len));
					assert_true(same ? found == id : found != id);
					text[i] = was;
				}
			}
		}
	}
	assert_int_equal(http_field_find(SLICE("")), FIELD_other);
	assert_int_equal(http_field_find(SLICE("t")), FIELD_other);
	assert_int_equal(http_field_name(FIELD_other).len, 0);
	assert_int_equal(http_field_flags(FIELD_host), HTTP_KEEP);
	assert_int_equal(http_field_flags(FIELD_x_forwarded_for), HTTP_FWD | HTTP_KEEP);
}

static void test_headers(void **state)
{
	static const char input[] = "GET / HTTP/1.1\r\nAccept: a\r\nhost: h\r\nX-Y:  z z\t\r\nACCEPT:b\r\n\r\nrest";
	struct http_head head;
	enum refusal refusal = REFUSAL_none;

	(void)state;
	long used = http_parse_request(input, sizeof input - 1, 0, &limits_usual, headers, &head, &refusal);
	assert_int_equal(used, sizeof input - 1 - 4);
	assert_int_equal(head.header_count, 4);
	assert_int_equal(head.first[FIELD_accept], 1);
	assert_int_equal(head.times[FIELD_accept], 2);
	assert_int_equal(head.first[FIELD_host], 2);
	assert_int_equal(head.times[FIELD_via], 0);
	assert_null(http_header_get(&head, FIELD_via));
	assert_true(slice_eq(headers[2].name, SLICE("X-Y")));
	assert_true(slice_eq(headers[2].value, SLICE("z z")));
	assert_int_equal(headers[2].id, FIELD_other);
	assert_int_equal(headers[3].id, FIELD_accept);
	assert_int_equal(head.method, METHOD_GET);
	assert_true(slice_eq(head.target, SLICE("/")));
}

static void test_methods(void **state)
{
	static const struct { const char *text; enum http_method method; } rows[] = {
		{ "GET", METHOD_GET }, { "HEAD", METHOD_HEAD }, { "POST", METHOD_POST }, { "PUT", METHOD_PUT },
		{ "DELETE", METHOD_DELETE }, { "OPTIONS", METHOD_OPTIONS }, { "TRACE", METHOD_TRACE }, { "PATCH", METHOD_PATCH },
		{ "PURGE", METHOD_PURGE }, { "GETS", METHOD_other }, { "Get", METHOD_other }, { "LINK", METHOD_other },
		{ "X", METHOD_other }, { "PROPFIND", METHOD_other },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char input[64];
		struct http_head head;
		enum refusal refusal = REFUSAL_none;
		int len = snprintf(input, sizeof input, "%s / HTTP/1.0\r\n\r\n", rows[i].text);
		assert_int_equal(http_parse_request(input, (size_t)len, 0, &limits_usual, headers, &head, &refusal), len);
		assert_int_equal(head.method, rows[i].method);
	}
}

static void test_head_has_no_body(void **state)
{
	static const char input[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
	struct http_head head;
	enum refusal refusal = REFUSAL_none;

	(void)state;
	assert_true(http_parse_response(input, sizeof input - 1, 0, &limits_usual, METHOD_HEAD, headers, &head, &refusal) > 0);
	assert_int_equal(head.framing, FRAMING_none);
	assert_true(http_parse_response(input, sizeof input - 1, 0, &limits_usual, METHOD_POST, headers, &head, &refusal) > 0);
	assert_int_equal(head.framing, FRAMING_length);
	static const char list[] = "HTTP/1.1 200 OK\r\nContent-Length: 5 ,5\r\n\r\n";
	assert_true(http_parse_response(list, sizeof list - 1, 0, &limits_usual, METHOD_GET, headers, &head, &refusal) > 0);
	assert_true(slice_eq(http_header_value(&head, FIELD_content_length), SLICE("5")));
}

/* A Connection that names much must not make the parser look for long. */
static void test_connection_bounded(void **state)
{
	char input[8192];
	struct text text;

	(void)state;
	for (int names = 63; names <= 65; names++) {
		size_t len = (size_t)snprintf(input, sizeof input, "GET / HTTP/1.0\r\nConnection: x");
		for (int i = 1; i < names; i++) len += (size_t)snprintf(input + len, sizeof input - len, ",x%d", i);
		len += (size_t)snprintf(input + len, sizeof input - len, "\r\n\r\n");
		parse_request(page_put(page, input, len), len, 0, &limits_usual, &text);
		assert_string_equal(text.bytes, names <= 64 ? "GET 1.0 ||0 / none close -Connection" : "connection_invalid");
	}
}

static void test_lists(void **state)
{
	static const struct { struct slice value; const char *elements; } rows[] = {
		{ SLICE(""), "" }, { SLICE("a"), "a|" }, { SLICE(" a , b"), "a|b|" }, { SLICE(",, a,\t,b , "), "a|b|" },
		{ SLICE("\"a,b\", c"), "\"a,b\"|c|" }, { SLICE("x=\"a\\\",b\",c"), "x=\"a\\\",b\"|c|" },
		{ SLICE("W/\"a\",\"b\""), "W/\"a\"|\"b\"|" }, { SLICE("\"a,b"), "\"a,b|" }, { SLICE("a\\,b"), "a\\|b|" },
		{ SLICE("\"a\\"), "\"a\\|" }, { SLICE("a b,c=d;e"), "a b|c=d;e|" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *pos = page_put(page, rows[i].value.ptr, rows[i].value.len), *end = pos + rows[i].value.len;
		struct text text = { .len = 0 };
		struct slice element;
		while (http_value_next(&pos, end, &element)) text_add(&text, "%.*s|", SLICE_ARG(element));
		assert_string_equal(text.bytes, rows[i].elements);
	}
	static const char input[] = "GET / HTTP/1.0\r\nVia: a, b\r\nX: y\r\nVia:\r\nVia: c\r\n\r\n";
	struct http_head head;
	struct http_list it = { 0 }, none = { 0 };
	enum refusal refusal = REFUSAL_none;
	struct text text = { .len = 0 };
	struct slice element;
	assert_true(http_parse_request(input, sizeof input - 1, 0, &limits_usual, headers, &head, &refusal) > 0);
	while (http_list_next(&head, FIELD_via, &it, &element)) text_add(&text, "%.*s|", SLICE_ARG(element));
	assert_string_equal(text.bytes, "a|b|c|");
	assert_false(http_list_next(&head, FIELD_via, &it, &element));
	assert_false(http_list_next(&head, FIELD_vary, &none, &element));
}

static void test_normalise_path(void **state)
{
	static const char *const rows[][2] = {
		{ "/", "/" }, { "/a", "/a" }, { "/a/", "/a/" }, { "//a", "/a" }, { "/a//b///c", "/a/b/c" }, { "/.", "/" },
		{ "/./", "/" }, { "/a/./b", "/a/b" }, { "/a/.", "/a/" }, { "/..", "/" }, { "/../", "/" }, { "/../../a", "/a" },
		{ "/a/..", "/" }, { "/a/../", "/" }, { "/a/../b", "/b" }, { "/a/b/..", "/a/" }, { "/a/b/../../../c", "/c" },
		{ "/a/b/../c/./d", "/a/c/d" }, { "/...", "/..." }, { "/a/.../b", "/a/.../b" }, { "/.a", "/.a" }, { "/..a", "/..a" },
		{ "/a.", "/a." }, { "/a..", "/a.." }, { "/%61", "/a" }, { "/%2e%2E/a", "/a" }, { "/a%2f..%2fb", "/b" },
		{ "/a/%2e", "/a/" }, { "/a%2Fb", "/a/b" }, { "/%2f%2f", "/" }, { "/%25", "/%" }, { "/%2525", "/%25" },
		{ "/%252e%252e/", "/%2e%2e/" }, { "/a%20b%0a", "/a b\n" }, { "/%ff", "/\xff" }, { "*", "*" },
		{ "/%", NULL }, { "/%2", NULL }, { "/%zz", NULL }, { "/%0g", NULL }, { "/%00", NULL }, { "/a%00b", NULL },
		{ "/%%41", NULL }, { "", NULL }, { "a", NULL }, { "../a", NULL }, { "./", NULL }, { "**", NULL },
		{ "/a/b/c/../../../../../d/..", "/" }, { "/a//../b", "/b" }, { "/a/%2e%2e%2f%2e%2e/b", "/b" },
	};

	(void)state;
	struct page out = page_new(256);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t len = strlen(rows[i][0]);
		char *to = page_put(out, rows[i][0], len);
		struct slice path = slice_make(page_put(page, rows[i][0], len), len);
		long wanted = rows[i][1] ? (long)strlen(rows[i][1]) : -1;
		assert_int_equal(http_normalise_path(path, to), wanted);
		if (wanted >= 0)
			assert_memory_equal(to, rows[i][1], (size_t)wanted);
		assert_int_equal(http_normalise_path(path, (char *)path.ptr), wanted);
		if (wanted >= 0)
			assert_memory_equal(path.ptr, rows[i][1], (size_t)wanted);
	}
	page_free(&out);
}

static void test_authority(void **state)
{
	char name[300];
	struct slice host;
	uint16_t port = 7;

	(void)state;
	memset(name, 'a', sizeof name);
	assert_true(http_parse_authority(slice_make(name, 255), &host, &port));
	assert_false(http_parse_authority(slice_make(name, 256), &host, &port));
	assert_false(http_parse_authority(slice_make(NULL, 0), &host, &port));
	assert_false(http_parse_authority(SLICE("[::1\0]"), &host, &port));
	assert_false(http_parse_authority(SLICE("a\0"), &host, &port));
	assert_true(http_parse_authority(SLICE("[::1]:443"), &host, &port));
	assert_true(slice_eq(host, SLICE("[::1]")));
	assert_int_equal(port, 443);
	assert_false(http_parse_authority(SLICE("b:x"), &host, &port));
	assert_true(slice_eq(host, SLICE("[::1]")));           /* untouched on failure */
	assert_int_equal(port, 443);
}

static void test_tokens_and_reasons(void **state)
{
	(void)state;
	assert_true(http_is_token(SLICE("a-B.1")));
	assert_false(http_is_token(SLICE("")));
	assert_false(http_is_token(SLICE("a b")));
	assert_false(http_is_token(SLICE("a\0")));
	assert_true(slice_eq(http_reason(200), SLICE("OK")));
	assert_true(slice_eq(http_reason(431), SLICE("Request Header Fields Too Large")));
	assert_true(slice_eq(http_reason(299), SLICE("Unknown")));
	assert_true(slice_eq(http_reason(0), SLICE("Unknown")));
}

/* The time that a head takes when it comes byte by byte; forgetful: as if nothing of it had been seen before. */
static double feed_seconds(const char *input, size_t len, bool forgetful)
{
	static const struct http_limits wide = { 8192, 65536, HTTP_HEADERS_MAX };
	struct timespec start, stop;
	struct http_head head;
	enum refusal refusal = REFUSAL_none;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	for (size_t n = 1; n <= len; n++) {
		long answer = http_parse_request(input, n, forgetful ? 0 : n - 1, &wide, headers, &head, &refusal);
		assert_int_equal(answer, n < len ? HEAD_PARTIAL : (long)len);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &stop);
	return (double)(stop.tv_sec - start.tv_sec) + (double)(stop.tv_nsec - start.tv_nsec) / 1e9;
}

/* A byte costs what its line costs and not what all before it do: that would be some fifty times as much here. */
static void test_slow_senders_are_cheap(void **state)
{
	enum { BYTES = 32 * 1024 };
	static char input[BYTES + 256];

	(void)state;
	size_t len = (size_t)sprintf(input, "GET / HTTP/1.1\r\nHost: a\r\n");
	while (len < BYTES) len += (size_t)sprintf(input + len, "a: %060d\r\n", 1);
	len += (size_t)sprintf(input + len, "\r\n");
	assert_true(feed_seconds(input, len, false) * 5 < feed_seconds(input, len, true));

	len = (size_t)sprintf(input, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	memset(input + len, 'x', BYTES);
	len += BYTES;
	len += (size_t)sprintf(input + len, "\r\n\r\n");
	assert_true(feed_seconds(input, len, false) * 5 < feed_seconds(input, len, true));
}

static int page_open(void **state) { (void)state; page = page_new(16384); return 0; }
static int page_close(void **state) { (void)state; page_free(&page); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_rows),
		cmocka_unit_test(test_response_rows),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_known_names),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_head_has_no_body),
		cmocka_unit_test(test_connection_bounded),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_normalise_path),
		cmocka_unit_test(test_authority),
		cmocka_unit_test(test_tokens_and_reasons),
		cmocka_unit_test(test_slow_senders_are_cheap),
	};
	return cmocka_run_group_tests(tests, page_open, page_close);
}
