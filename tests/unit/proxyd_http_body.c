/* Bodies: rows of input and answer, whole, byte by byte, and cut at every position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../proxyd/http_body.h"
#include "page.h"
#include "http_text.h"

struct row { struct slice input; const char *answer, *why; };
#define ROW(input, answer, why) { SLICE(input), answer, why }
#define LAST "0\r\n\r\n"

/* The payload in brackets, then: "done", with what was left over; "more"; or the refusal. */
static const struct row chunked_rows[] = {
	ROW(LAST, "[] done", "the empty body"),
	ROW("5\r\nhello\r\n" LAST, "[hello] done", "one chunk"),
	ROW("5\r\nhello\r\n6\r\n world\r\n" LAST, "[hello world] done", "two chunks"),
	ROW("5\r\nhello\r\n" LAST "GET /", "[hello] done+GET /", "what follows is another's"),
	ROW("a\r\n0123456789\r\n" LAST, "[0123456789] done", "hexadecimal"),
	ROW("A\r\n0123456789\r\n" LAST, "[0123456789] done", "either case"),
	ROW("0005\r\nhello\r\n000\r\n\r\n", "[hello] done", "leading zeros"),
	ROW("0000000000000005\r\nhello\r\n" LAST, "[hello] done", "sixteen digits"),
	ROW("5\r\n\r\n0\r\n\r\n" LAST, "[\r\n0\r\n] done", "data are data"),
	ROW("", "[] more", "nothing yet"),
	ROW("5", "[] more", "half a line"),
	ROW("5\r", "[] more", "half an end"),
	ROW("5\r\nhel", "[hel] more", "half a chunk"),
	ROW("5\r\nhello", "[hello] more", "no end yet"),
	ROW("5\r\nhello\r\n", "[hello] more", "no last chunk: not whole"),
	ROW("5\r\nhello\r\n0\r\n", "[hello] more", "no end of trailers"),
	ROW("5\r\nhello\r\n0\r\n\r", "[hello] more", "half an end"),
	ROW("00000000000000005\r\nhello\r\n" LAST, "[] chunk_size", "seventeen digits"),
	ROW("1000000000000000\r\n", "[] more", "2^60"),
	ROW("1000000000000001\r\n", "[] chunk_size", "more than 2^60"),
	ROW("ffffffffffffffff\r\n", "[] chunk_size", "2^64 - 1"),
	ROW("10000000000000005\r\n", "[] chunk_size", "2^64 + 5"),
	ROW("\r\n", "[] chunk_size", "no size"),
	ROW("\r\n5\r\nhello\r\n", "[] chunk_size", "an empty line"),
	ROW(";a\r\n", "[] chunk_size", "no size"),
	ROW("+5\r\nhello\r\n", "[] chunk_size", "a sign"),
	ROW("-5\r\nhello\r\n", "[] chunk_size", "a sign"),
	ROW("0x5\r\nhello\r\n", "[] chunk_size", "a prefix"),
	ROW("5h\r\nhello\r\n", "[] chunk_size", "a suffix"),
	ROW("g\r\n", "[] chunk_size", "no digit"),
	ROW(" 5\r\nhello\r\n", "[] chunk_size", "a blank before"),
	ROW("5_0\r\nhello\r\n", "[] chunk_size", "a digit group"),
	ROW("5,\r\nhello\r\n", "[] chunk_size", "a comma"),
	ROW("5\0\r\nhello\r\n", "[] chunk_size", "NUL"),
	ROW("\xb5\r\n", "[] chunk_size", "beyond ASCII"),
	ROW("5\nhello\r\n", "[] bare_lf", "LF for CRLF"),
	ROW("5\rhello\r\n", "[] bare_cr", "CR for CRLF"),
	ROW("5\r\rhello\r\n", "[] bare_cr", "CR CR"),
	ROW("\n", "[] bare_lf", "LF for a size"),
	ROW("5\r\nhello0\r\n\r\n", "[hello] chunk_end", "no end"),
	ROW("5\r\nhello\n" LAST, "[hello] chunk_end", "LF for CRLF"),
	ROW("5\r\nhello\r" LAST, "[hello] chunk_end", "CR for CRLF"),
	ROW("5\r\nhello!\r\n" LAST, "[hello] chunk_end", "a byte too many"),
	ROW("5\r\nhell\r\n" LAST, "[hell\r] chunk_end", "a byte too few"),
	/* ---- extensions ---- */
	ROW("5;a\r\nhello\r\n0;b\r\n\r\n", "[hello] done", "a name"),
	ROW("5;a=b;c=\"d\";e\r\nhello\r\n" LAST, "[hello] done", "values"),
	ROW("5;a=\"\"\r\nhello\r\n" LAST, "[hello] done", "an empty quoted one"),
	ROW("5;a=\"x;\\\"\ty\xff\"\r\nhello\r\n" LAST, "[hello] done", "quoted"),
	ROW("5 ; a = b \t; c\r\nhello\r\n" LAST, "[hello] done", "white space where the grammar has it"),
	ROW("5;a ;b\r\nhello\r\n" LAST, "[hello] done", "white space where the grammar has it"),
	ROW("5;a=\"b\" ;c\r\nhello\r\n" LAST, "[hello] done", "white space where the grammar has it"),
	ROW("5 \r\nhello\r\n" LAST, "[] chunk_ext", "white space and no extension"),
	ROW("5\t\r\nhello\r\n" LAST, "[] chunk_ext", "white space and no extension"),
	ROW("5;a \r\nhello\r\n" LAST, "[] chunk_ext", "white space at the end"),
	ROW("5;a=b \r\nhello\r\n" LAST, "[] chunk_ext", "white space at the end"),
	ROW("5 5\r\n", "[] chunk_ext", "two numbers"),
	ROW("5;\r\nhello\r\n", "[] chunk_ext", "no name"),
	ROW("5;;a\r\nhello\r\n", "[] chunk_ext", "no name"),
	ROW("5;=b\r\nhello\r\n", "[] chunk_ext", "no name"),
	ROW("5;a=\r\nhello\r\n", "[] chunk_ext", "no value"),
	ROW("5;a=;b\r\nhello\r\n", "[] chunk_ext", "no value"),
	ROW("5;a b\r\nhello\r\n", "[] chunk_ext", "two words"),
	ROW("5;a=b c\r\nhello\r\n", "[] chunk_ext", "two words"),
	ROW("5;a=b=c\r\nhello\r\n", "[] chunk_ext", "two values"),
	ROW("5;\"a\"\r\nhello\r\n", "[] chunk_ext", "a quoted name"),
	ROW("5;a=\"b\"c\r\nhello\r\n", "[] chunk_ext", "rubbish after a quote"),
	ROW("5;a=\"b\r\nhello\r\n", "[] chunk_ext", "an open quote"),
	ROW("5;a=\"b\\\r\nhello\r\n", "[] chunk_ext", "an escaped CR"),
	ROW("5;a=\"b\\\nhello\r\n", "[] bare_lf", "an escaped LF"),
	ROW("5;a=\"b\nc\"\r\nhello\r\n", "[] bare_lf", "a quoted LF"),
	ROW("5;a\nhello\r\n", "[] bare_lf", "LF for CRLF"),
	ROW("5;\n", "[] bare_lf", "LF for a name"),
	ROW("5;a\rb\r\nhello\r\n", "[] bare_cr", "CR inside"),
	ROW("5;a=\x01\r\n", "[] chunk_ext", "a control byte"),
	ROW("5;a=\"\x7f\"\r\n", "[] chunk_ext", "DEL"),
	ROW("5;a\0\r\n", "[] chunk_ext", "NUL"),
	/* ---- trailers ---- */
	ROW("0\r\nX: y\r\n\r\n", "[] done", "a trailer"),
	ROW("0\r\nX:\r\nY:a:b \t\xff\r\n\r\nrest", "[] done+rest", "two"),
	ROW("0\r\nContent-Length: 5\r\n\r\n", "[] done", "dropped whatever it is"),
	ROW("0\r\nX : y\r\n\r\n", "[] trailer_invalid", "a blank before the colon"),
	ROW("0\r\n: y\r\n\r\n", "[] trailer_invalid", "no name"),
	ROW("0\r\nX\r\n\r\n", "[] trailer_invalid", "no colon"),
	ROW("0\r\nX: y\r\n z\r\n\r\n", "[] trailer_invalid", "folded"),
	ROW("0\r\n X: y\r\n\r\n", "[] trailer_invalid", "folded"),
	ROW("0\r\nX: y\n\r\n", "[] trailer_invalid", "LF for CRLF"),
	ROW("0\r\nX: y\rz\r\n\r\n", "[] trailer_invalid", "CR inside"),
	ROW("0\r\nX: \0\r\n\r\n", "[] trailer_invalid", "NUL"),
	ROW("0\r\nX\0: y\r\n\r\n", "[] trailer_invalid", "NUL"),
	ROW("0\r\nX(: y\r\n\r\n", "[] trailer_invalid", "no token"),
	ROW("0\r\n\n", "[] trailer_invalid", "LF for the end"),
	ROW("0\r\n\rX", "[] trailer_invalid", "CR for the end"),
	ROW("0\r\nGET / HTTP/1.1\r\n", "[] trailer_invalid", "a request where the end should be"),
	ROW("0\n\n", "[] bare_lf", "LF for CRLF"),
	ROW("0\r\r", "[] bare_cr", "CR for CRLF"),
};

static struct page page;

/* Feeds one part, as a connection would: again with the rest, until it is consumed, done or bad. Returns what was consumed
 * or BODY_BAD; every round must move. */
static long part_feed(struct http_body *body, const char *bytes, size_t len, struct text *text)
{
	const char *buf = page_put(page, bytes, len);
	size_t used = 0;

	while (used < len && !body->done) {
		struct slice data;
		long n = http_body_feed(body, buf + used, len - used, &data);
		if (n == BODY_BAD) {
			assert_int_equal(http_body_feed(body, buf + used, len - used, &data), BODY_BAD);
			return BODY_BAD;
		}
		assert_true(n > 0 && (size_t)n <= len - used);
		assert_true(data.len == 0 || (data.ptr >= buf + used && data.ptr + data.len <= buf + used + n));
		text_add(text, "%.*s", SLICE_ARG(data));
		used += (size_t)n;
	}
	return (long)used;
}

/* The parts end at `first`, then every `step` bytes. */
static void body_text(struct slice input, size_t first, size_t step, struct text *text)
{
	struct http_body body;
	size_t used = 0, cut = first;

	*text = (struct text){ .len = 0 };
	text_add(text, "[");
	http_body_init(&body, FRAMING_chunked, 0);
	while (used < input.len && !body.done) {
		size_t end = cut < input.len ? cut : input.len;
		long n = part_feed(&body, input.ptr + used, end - used, text);
		if (n == BODY_BAD) {
			text_add(text, "] %s", refusal_text(body.refusal));
			return;
		}
		used += (size_t)n;
		cut += step;
	}
	assert_int_equal(body.total, text->len - 1);
	text_add(text, body.done ? "] done" : "] more");
	if (body.done && used < input.len)
		text_add(text, "+%.*s", (int)(input.len - used), input.ptr + used);
}

static void row_check(const struct row *row)
{
	struct text text;

	for (size_t cut = 0; cut <= row->input.len; cut++) {
		body_text(row->input, cut, row->input.len, &text);
		if (strcmp(text.bytes, row->answer) != 0)
			fail_msg("%s: '%.*s' cut at %zu: '%s' instead of '%s'", row->why, SLICE_ARG(row->input), cut,
				text.bytes, row->answer);
	}
	for (size_t step = 1; step < 5; step++) {
		body_text(row->input, step, step, &text);
		if (strcmp(text.bytes, row->answer) != 0)
			fail_msg("%s: '%.*s' in steps of %zu: '%s' instead of '%s'", row->why, SLICE_ARG(row->input), step,
				text.bytes, row->answer);
	}
}

static void test_chunked_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(chunked_rows); i++) row_check(&chunked_rows[i]);
}

/* The line "5;a=xxx" may have 256 bytes and the trailers 8 KB, CRLF included. */
static void test_bounds(void **state)
{
	char input[10000];
	struct text text;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		size_t len = (size_t)sprintf(input, "5;a=");
		memset(input + len, 'x', 256);
		len = 254 + over;
		len += (size_t)sprintf(input + len, "\r\nhello\r\n" LAST);
		body_text(slice_make(input, len), 1, 1, &text);
		assert_string_equal(text.bytes, over ? "[] chunk_ext" : "[hello] done");

		len = (size_t)sprintf(input, "0\r\nX: ");
		memset(input + len, 'x', 9000);
		len = 3 + 8 * 1024 - 4 + over;
		len += (size_t)sprintf(input + len, "\r\n\r\n");
		body_text(slice_make(input, len), 100, 100, &text);
		assert_string_equal(text.bytes, over ? "[] trailer_invalid" : "[] done");
	}
	/* Many short lines are bounded as one long one is. */
	size_t len = (size_t)sprintf(input, "0\r\n");
	while (len < 9000) len += (size_t)sprintf(input + len, "a:\r\n");
	body_text(slice_make(input, len), len, len, &text);
	assert_string_equal(text.bytes, "[] trailer_invalid");
}

static void test_length(void **state)
{
	struct http_body body;
	struct slice data;

	(void)state;
	http_body_init(&body, FRAMING_length, 5);
	assert_false(body.done);
	assert_int_equal(http_body_feed(&body, "hel", 3, &data), 3);
	assert_true(slice_eq(data, SLICE("hel")));
	assert_false(body.done);
	assert_int_equal(body.left, 2);
	assert_int_equal(http_body_feed(&body, "loGET", 5, &data), 2);
	assert_true(slice_eq(data, SLICE("lo")));
	assert_true(body.done);
	assert_int_equal(body.total, 5);
	assert_int_equal(http_body_feed(&body, "GET", 3, &data), 0);
	assert_int_equal(data.len, 0);

	http_body_init(&body, FRAMING_length, 0);
	assert_true(body.done);
	http_body_init(&body, FRAMING_length, INT64_MAX);
	assert_int_equal(http_body_feed(&body, "hel", 3, &data), 3);
	assert_false(body.done);
}

static void test_none_and_close(void **state)
{
	struct http_body body;
	struct slice data;

	(void)state;
	http_body_init(&body, FRAMING_none, 5);
	assert_true(body.done);
	assert_int_equal(http_body_feed(&body, "GET", 3, &data), 0);

	http_body_init(&body, FRAMING_close, 0);
	assert_int_equal(http_body_feed(&body, "hello", 5, &data), 5);
	assert_int_equal(data.len, 5);
	assert_int_equal(http_body_feed(&body, "", 0, &data), 0);
	assert_int_equal(body.total, 5);
	assert_false(body.done);
}

/* Last data and last chunk in one call: the end is known with the data. */
static void test_end_comes_with_the_data(void **state)
{
	static const char input[] = "5\r\nhello\r\n" LAST;
	struct http_body body;
	struct slice data;

	(void)state;
	http_body_init(&body, FRAMING_chunked, 0);
	assert_int_equal(http_body_feed(&body, input, sizeof input - 1, &data), sizeof input - 1);
	assert_true(slice_eq(data, SLICE("hello")));
	assert_true(body.done);
}

static void test_chunk_begin(void **state)
{
	static const struct { uint64_t len; const char *line; } rows[] = {
		{ 0, "0\r\n" }, { 1, "1\r\n" }, { 15, "f\r\n" }, { 16, "10\r\n" }, { 500, "1f4\r\n" }, { 0x10000, "10000\r\n" },
		{ (uint64_t)1 << 60, "1000000000000000\r\n" }, { UINT64_MAX, "ffffffffffffffff\r\n" },
	};
	char out[20];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		size_t len = http_chunk_begin(rows[i].len, out);
		assert_true(slice_eq(slice_make(out, len), slice_str(rows[i].line)));
	}
}

static int page_open(void **state) { (void)state; page = page_new(16384); return 0; }
static int page_close(void **state) { (void)state; page_free(&page); return 0; }

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunked_rows),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_none_and_close),
		cmocka_unit_test(test_end_comes_with_the_data),
		cmocka_unit_test(test_chunk_begin),
	};
	return cmocka_run_group_tests(tests, page_open, page_close);
}
