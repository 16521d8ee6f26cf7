/* Exchanges with origins, in a real worker's loop against a scripted origin on loopback. A story is a row: what the origin
 * does, what is asked of it, what the user is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "origin_bench.h"

/* Requests. */
#define GET(path)          "GET " path " HTTP/1.1\r\nHost: o\r\n\r\n"
#define ASK_GET            ASK_GET_OF("/")
#define ASK_GET_OF(path)   .head = GET(path), .method = METHOD_GET, .idempotent = true
#define ASK_HEAD           .head = "HEAD / HTTP/1.1\r\nHost: o\r\n\r\n", .method = METHOD_HEAD, .idempotent = true
#define ASK_POST           ASK_POST_OF("hello")
#define ASK_POST_OF(bytes) .head = "POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 5\r\n\r\n", .method = METHOD_POST, \
			   .content_length = 5, .content = bytes
#define ASK_EMPTY_POST  .head = "POST / HTTP/1.1\r\nHost: o\r\n\r\n", .method = METHOD_POST
#define ASK_PUT_CHUNKED .head = "PUT / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n", .method = METHOD_PUT, \
			.idempotent = true, .content_length = UINT64_MAX
#define OK5(five) "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" five
#define CHUNKED   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OK_FRESH  "200 [hello] complete tries=1 fresh"

struct story {
	const char *why;
	struct script_step steps[24];
	struct plan plans[PLANS_MAX];
	size_t idle_at_end;
	void (*tweak)(struct bench *b);
	bool over_unix;
};

static void run_story(const struct story *story)
{
	static struct bench b;
	size_t count = 0;
	const char *failure;

	while (count < PLANS_MAX && story->plans[count].head)
		count++;
	bench_init(&b);
	script_start(&b.script, story->steps, story->over_unix);
	for (size_t i = 0; i < ORIGINS_MAX; i++)
		b.addrs[i] = b.script.addr;
	if (story->tweak)
		story->tweak(&b);
	bench_run(&b, story->plans, count);
	failure = script_join(&b.script);
	for (size_t i = 0; i < count; i++)
		if (strcmp(b.lines[i], story->plans[i].expect) != 0)
			fail_msg("%s: exchange %zu: got \"%s\", not \"%s\"; origin: %s", story->why, i + 1, b.lines[i],
				story->plans[i].expect, failure);
	if (*failure)
		fail_msg("%s: the origin: %s", story->why, failure);
	if (b.idle_at_end != story->idle_at_end)
		fail_msg("%s: %zu idle connections, not %zu", story->why, b.idle_at_end, story->idle_at_end);
}

#define RUN(stories) \
	do { \
		for (size_t i_ = 0; i_ < COUNT_OF(stories); i_++) run_story(&(stories)[i_]); \
	} while (0)

static void no_keepalive(struct bench *b)
{
	b->up.keepalive = 0;
}
static void no_idle_time(struct bench *b)
{
	b->location.set.proxy_keepalive_timeout = 0;
}
static void short_idle_time(struct bench *b)
{
	b->location.set.proxy_keepalive_timeout = 100 * 1000;
}

static void test_reuse(void **state)
{
	static const struct story stories[] = {
		{ .why = "a whole answer leaves the connection for the next request",
			.steps = { ACCEPT, HEAD(GET("/1")), SEND(OK5("hello")), HEAD(GET("/2")), SEND(OK5("again")), CLOSED,
				NO_MORE },
			.plans = { { ASK_GET_OF("/1"), .expect = OK_FRESH }, { ASK_GET_OF("/2"), .expect = "200 [again] complete tries=1 reused" } },
			.idle_at_end = 1 },
		{ .why = "the same over a Unix socket",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), HEAD("POST "), READ("hello"), SEND(OK5("again")) },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_POST, .expect = "200 [again] complete tries=1 reused" } },
			.idle_at_end = 1,
			.over_unix = true },
		{ .why = "Connection: close", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"), CLOSED }, .plans = { { ASK_GET, .expect = OK_FRESH } } },
		{ .why = "HTTP/1.0", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"), CLOSED }, .plans = { { ASK_GET, .expect = OK_FRESH } } },
		{ .why = "HTTP/1.0 with keep-alive", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello") }, .plans = { { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "keepalive 0", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), CLOSED }, .plans = { { ASK_GET, .expect = OK_FRESH } }, .tweak = no_keepalive },
		{ .why = "proxy_keepalive_timeout 0", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), CLOSED }, .plans = { { ASK_GET, .expect = OK_FRESH } }, .tweak = no_idle_time },
		{ .why = "idle for proxy_keepalive_timeout", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")), CLOSED }, .plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .wait_no_idle = true, .expect = OK_FRESH } }, .idle_at_end = 1, .tweak = short_idle_time },
		{ .why = "closed while idle", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), CLOSE, ACCEPT, HEAD("GET "), SEND(OK5("hello")), NO_MORE }, .plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .wait_no_idle = true, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "bytes that nobody asked for, while idle", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), WAIT, SEND(OK5("wrong")), TELL, CLOSED, ACCEPT, HEAD("POST "), READ("hello"), SEND(OK5("right")), NO_MORE }, .plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_POST, .trade_words = true, .expect = "200 [right] complete tries=1 fresh" } }, .idle_at_end = 1 },
	};

	(void)state;
	RUN(stories);
}

static void test_stale(void **state)
{
	static const struct story stories[] = {
		{ .why = "closed in the moment of reuse: seen, and a fresh connection is made",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), WAIT, CLOSE, TELL, ACCEPT, HEAD("GET "),
				SEND(OK5("again")), NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .trade_words = true, .expect = "200 [again] complete tries=1 fresh" } },
			.idle_at_end = 1 },
		{ .why = "reset in the moment of reuse",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), WAIT, RESET, TELL, ACCEPT, HEAD("GET "),
				SEND(OK5("again")), NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .trade_words = true, .expect = "200 [again] complete tries=1 fresh" } },
			.idle_at_end = 1 },
		{ .why = "a POST looks first whether the connection still stands",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), WAIT, CLOSE, TELL, ACCEPT, HEAD("POST "),
				READ("hello"), SEND(OK5("again")), NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_POST, .trade_words = true, .send_at_start = true, .expect = "200 [again] complete tries=1 fresh" } },
			.idle_at_end = 1 },
		{ .why = "a GET whose reused connection was closed after it came: again",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), HEAD("GET "), CLOSE, ACCEPT, HEAD("GET "),
				SEND(OK5("again")), NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .expect = "200 [again] complete tries=2 fresh" } },
			.idle_at_end = 1 },
		{ .why = "but not a third time",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), HEAD("GET "), CLOSE, ACCEPT, HEAD("GET "), CLOSE,
				NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .expect = "origin_left tries=2 fresh" } } },
		{ .why = "a POST whose connection was closed after it came is not sent twice",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), HEAD("POST "), READ("hello"), CLOSE, NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_POST, .expect = "origin_left tries=1 reused" } } },
		{ .why = "nor a POST without content",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), HEAD("POST "), CLOSE, NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_EMPTY_POST, .expect = "origin_left tries=1 reused" } } },
		{ .why = "nor a GET of whose answer a byte has come",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), HEAD("GET "), SEND("H"), CLOSE, NO_MORE },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .expect = "origin_left tries=1 reused" } } },
		{ .why = "a PUT of which no content was taken is sent again, and then its content",
			.steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), HEAD("PUT "), READ("0\r\n\r\n"), CLOSE, ACCEPT,
				HEAD("PUT "), READ("0\r\n\r\n"), SEND(OK5("again")) },
			.plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_PUT_CHUNKED, .expect = "200 [again] complete tries=2 fresh" } },
			.idle_at_end = 1 },
	};

	(void)state;
	RUN(stories);
}

static void test_answers(void **state)
{
	static const struct story stories[] = {
		{ .why = "until close", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\n\r\nto the end"), CLOSE }, .plans = { { ASK_GET, .expect = "200 [to the end] complete tries=1 fresh" } } },
		{ .why = "until close, empty", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\n\r\n"), CLOSE }, .plans = { { ASK_GET, .expect = "200 complete tries=1 fresh" } } },
		{ .why = "a reset is no close", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\n\r\nto the end"), WAIT, RESET }, .plans = { { ASK_GET, .tell_in = CALL_body, .expect = "200 [to the end] origin_left tries=1 fresh" } } },
		{ .why = "chunked, with trailers", .steps = { ACCEPT, HEAD("GET "), SEND(CHUNKED "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: v\r\n\r\n") }, .plans = { { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "byte by byte, 1xx and all", .steps = { ACCEPT, HEAD("GET "), SEND_BYTEWISE("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" CHUNKED "5\r\nhello\r\n0\r\n\r\n") }, .plans = { { ASK_GET, .expect = "103 200 [hello] complete tries=1 fresh" } }, .idle_at_end = 1 },
		{ .why = "chunked, cut", .steps = { ACCEPT, HEAD("GET "), SEND(CHUNKED "5\r\nhello\r\n"), CLOSE }, .plans = { { ASK_GET, .expect = "200 [hello] origin_left tries=1 fresh" } } },
		{ .why = "length, cut", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"), CLOSE }, .plans = { { ASK_GET, .expect = "200 [hello] origin_left tries=1 fresh" } } },
		{ .why = "head, cut", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\nContent-Le"), CLOSE }, .plans = { { ASK_GET, .expect = "origin_left tries=1 fresh" } } },
		{ .why = "a large one", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n"), SEND_BIG(SCRIPT_BIG), CLOSED }, .plans = { { ASK_GET, .content_big = 1, .expect = "200 [pattern 3145728] complete tries=1 fresh" } }, .idle_at_end = 1 },
		{ .why = "HEAD has no body, whatever it says", .steps = { ACCEPT, HEAD("HEAD "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_HEAD, .expect = "200 complete tries=1 fresh" }, { ASK_GET, .expect = "200 [hello] complete tries=1 reused" } }, .idle_at_end = 1 },
		{ .why = "204 and 304 have none", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"), HEAD("GET "), SEND("HTTP/1.1 204 No Content\r\n\r\n") }, .plans = { { ASK_GET, .expect = "304 complete tries=1 fresh" }, { ASK_GET, .expect = "204 complete tries=1 reused" } }, .idle_at_end = 1 },
		{ .why = "bytes beyond the end: served, but the connection is not kept", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello") "HTTP/1.1 200 OK\r\n"), CLOSED }, .plans = { { ASK_GET, .expect = OK_FRESH } } },
		{ .why = "after the last chunk too", .steps = { ACCEPT, HEAD("GET "), SEND(CHUNKED "5\r\nhello\r\n0\r\n\r\nx"), CLOSED }, .plans = { { ASK_GET, .expect = OK_FRESH } } },
		{ .why = "after HEAD too", .steps = { ACCEPT, HEAD("HEAD "), SEND(OK5("hello")), CLOSED }, .plans = { { ASK_HEAD, .expect = "200 complete tries=1 fresh" } } },
		{ .why = "after 204 too", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 204 No Content\r\n\r\nhello"), CLOSED }, .plans = { { ASK_GET, .expect = "204 complete tries=1 fresh" } } },
		{ .why = "after 304 too", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 304 Not Modified\r\n\r\nhello"), CLOSED }, .plans = { { ASK_GET, .expect = "304 complete tries=1 fresh" } } },
		{ .why = "a body that follows a HEAD's answer later is never the next answer, not even to a GET",
			.steps = { ACCEPT, HEAD("HEAD "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n"), WAIT,
				SEND(OK5("wrong")), TELL, CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("right")) },
			.plans = { { ASK_HEAD, .expect = "200 complete tries=1 fresh" }, { ASK_GET, .trade_words = true, .expect = "200 [right] complete tries=1 fresh" } },
			.idle_at_end = 1 },
	};

	(void)state;
	RUN(stories);
}

static void small_head(struct bench *b)
{
	b->location.set.proxy_header_max = 1024;
	b->location.set.proxy_header_count_max = 8;
}

#define X10   "xxxxxxxxxx"
#define X100  X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100
#define HINT  "HTTP/1.1 103 Early Hints\r\n\r\n"
#define HINT8 HINT HINT HINT HINT HINT HINT HINT HINT

static void test_invalid(void **state)
{
	static const struct {
		const char *answer, *expect, *why;
	} rows[] = {
		{ "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "origin_invalid", "another protocol" },
		{ "<html>hello</html>\r\n\r\n", "origin_invalid", "HTTP/0.9" },
		{ "HTTP/2 200 OK\r\n\r\n", "origin_invalid", "another version" },
		{ "HTTP/1.1 20 OK\r\n\r\n", "origin_invalid", "a status of two digits" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "origin_invalid", "conflicting lengths" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "origin_invalid", "a negative length" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello", "origin_invalid", "a length beyond 64 bits" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "origin_invalid", "both framings" },
		{ "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "origin_invalid", "a blank before the colon" },
		{ "HTTP/1.1 200 OK\r\nA: " X1000 X100 "\r\n\r\n", "origin_invalid", "a head that is too large" },
		{ "HTTP/1.1 200 OK\r\nA: " X1000 X100, "origin_invalid", "and has no end" },
		{ "HTTP/1.1 200 OK\r\na:1\r\nb:1\r\nc:1\r\nd:1\r\ne:1\r\nf:1\r\ng:1\r\nh:1\r\ni:1\r\n\r\n", "origin_invalid", "too many fields" },
		{ CHUNKED "5\r\nhelloX", "200 [hello] origin_invalid", "a chunk without its CRLF" },
		{ CHUNKED "zz\r\n", "200 origin_invalid", "a chunk size that is none" },
		{ "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "origin_invalid", "a 101 nobody asked for" },
		{ "HTTP/1.1 100 Continue\r\n\r\n" OK5("hello"), "200 [hello] complete", "a 100 nobody asked for is swallowed" },
		{ "HTTP/1.1 102 Processing\r\nA: b\r\n\r\n" OK5("hello"), "102 200 [hello] complete", "others are handed on" },
		{ HINT8 HINT8 OK5("hello"), "103 103 103 103 103 103 103 103 103 103 103 103 103 103 103 103 200 [hello] complete", "sixteen of them" },
		{ HINT8 HINT8 HINT OK5("hello"), "103 103 103 103 103 103 103 103 103 103 103 103 103 103 103 103 origin_invalid", "but no more" },
	};

	(void)state;
	for (size_t r = 0; r < COUNT_OF(rows); r++) {
		char expect[256];
		bool good = strstr(rows[r].expect, "complete") != NULL;
		struct story story = { .why = rows[r].why,
			.steps = { ACCEPT, HEAD("GET "), SEND(rows[r].answer), CLOSED },
			.plans = { { ASK_GET, .expect = expect } },
			.idle_at_end = good,
			.tweak = small_head };

		snprintf(expect, sizeof expect, "%s tries=1 fresh", rows[r].expect);
		run_story(&story);
	}
}

#define ASK_PUT_BIG(text, count) .head = "PUT / HTTP/1.1\r\nHost: o\r\nContent-Length: " text "\r\n\r\n", .method = METHOD_PUT, .idempotent = true, .content_length = count, .content_big = count

static void test_content(void **state)
{
	static const struct story stories[] = {
		{ .why = "by length", .steps = { ACCEPT, HEAD("POST "), READ("hello"), SEND(OK5("hello")) }, .plans = { { ASK_POST, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "by length, in pieces", .steps = { ACCEPT, HEAD("POST "), READ("hello"), SEND(OK5("hello")) }, .plans = { { ASK_POST, .piece = 2, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "by length, large", .steps = { ACCEPT, HEAD("PUT "), READ_BIG(SCRIPT_BIG), SEND(OK5("hello")) }, .plans = { { ASK_PUT_BIG("3145728", SCRIPT_BIG), .expect = "200 [garbage 5] complete tries=1 fresh" } }, .idle_at_end = 1 },
		{ .why = "chunked", .steps = { ACCEPT, HEAD("PUT "), READ("b\r\nhello world\r\n0\r\n\r\n"), SEND(OK5("hello")) }, .plans = { { ASK_PUT_CHUNKED, .content = "hello world", .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "chunked, in pieces", .steps = { ACCEPT, HEAD("PUT "), READ("5\r\nhello\r\n5\r\n worl\r\n1\r\nd\r\n0\r\n\r\n"), SEND(OK5("hello")) }, .plans = { { ASK_PUT_CHUNKED, .content = "hello world", .piece = 5, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "chunked, the end apart", .steps = { ACCEPT, HEAD("PUT "), READ("5\r\nhello\r\n0\r\n\r\n"), SEND(OK5("hello")) }, .plans = { { ASK_PUT_CHUNKED, .content = "hello", .end_apart = true, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "chunked, empty, given before the connection stands", .steps = { ACCEPT, HEAD("PUT "), READ("0\r\n\r\n"), SEND(OK5("hello")) }, .plans = { { ASK_PUT_CHUNKED, .content = "", .send_at_start = true, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "chunked, large", .steps = { ACCEPT, HEAD("PUT "), READ_CHUNKED(SCRIPT_BIG), SEND(OK5("hello")) }, .plans = { { ASK_PUT_CHUNKED, .content_big = SCRIPT_BIG, .expect = "200 [garbage 5] complete tries=1 fresh" } }, .idle_at_end = 1 },
		{ .why = "chunked, large, in pieces", .steps = { ACCEPT, HEAD("PUT "), READ_CHUNKED(SCRIPT_BIG), SEND(OK5("hello")) }, .plans = { { ASK_PUT_CHUNKED, .content_big = SCRIPT_BIG, .piece = 777, .end_apart = true, .expect = "200 [garbage 5] complete tries=1 fresh" } }, .idle_at_end = 1 },
		{ .why = "with the head, on a connection that stands", .steps = { ACCEPT, HEAD("POST "), READ("hello"), SEND(OK5("hello")), HEAD("POST "), READ("hello"), SEND(OK5("again")) }, .plans = { { ASK_POST, .expect = OK_FRESH }, { ASK_POST, .send_at_start = true, .expect = "200 [again] complete tries=1 reused" } }, .idle_at_end = 1 },
	};

	(void)state;
	RUN(stories);
}

static void test_early_answer(void **state)
{
	static const struct story stories[] = {
		{ .why = "an error before the content was sent: the answer counts, the connection does not",
			.steps = { ACCEPT, HEAD("POST "), SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
				CLOSED_AFTER_REST },
			.plans = { { ASK_POST_OF("hel"), .expect = "413 [no] complete tries=1 fresh" } } },
		{ .why = "the same from an origin that closes with content unread",
			.steps = { ACCEPT, HEAD("PUT "), SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"), CLOSE },
			.plans = { { ASK_PUT_BIG("25165824", SCRIPT_HUGE), .expect = "413 [garbage 2] complete tries=1 fresh" } } },
		{ .why = "after an error no content is sent any more",
			.steps = { ACCEPT, HEAD("POST "), SEND("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n"), WAIT, SEND("no"), CLOSED },
			.plans = { { ASK_POST_OF("hello"), .send_late = true, .tell_in = CALL_head,
				.expect = "413 [no] complete tries=1 fresh" } } },
		{ .why = "during a good answer it is: an echo",
			.steps = { ACCEPT, HEAD("POST "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"), READ("hello"), SEND("hello") },
			.plans = { { ASK_POST, .send_late = true, .expect = OK_FRESH } },
			.idle_at_end = 1 },
		{ .why = "a good answer that is whole ends it too",
			.steps = { ACCEPT, HEAD("POST "), SEND(OK5("hello")), CLOSED_AFTER_REST },
			.plans = { { ASK_POST_OF("hel"), .expect = OK_FRESH } } },
	};

	(void)state;
	RUN(stories);
}

static void test_back_pressure(void **state)
{
	static const struct story stories[] = {
		{ .why = "by length", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 3145728\r\n\r\n"), SEND_BIG(SCRIPT_BIG) }, .plans = { { ASK_GET, .content_big = 1, .pause = true, .expect = "200 [pattern 3145728] complete tries=1 fresh" } }, .idle_at_end = 1 },
		{ .why = "chunked: the rest of a read waits", .steps = { ACCEPT, HEAD("GET "), SEND(CHUNKED), SEND_CHUNKS(30000), SEND("0\r\n\r\n") }, .plans = { { ASK_GET, .content_big = 1, .pause = true, .expect = "200 [pattern 150000] complete tries=1 fresh" } }, .idle_at_end = 1 },
		{ .why = "the origin resets meanwhile: what had come is still given", .steps = { ACCEPT, HEAD("GET "), SEND(CHUNKED), SEND_CHUNKS(1000), RESET }, .plans = { { ASK_GET, .content_big = 1, .pause = true, .expect = "200 [pattern 5000] origin_left tries=1 fresh" } } },
	};

	(void)state;
	RUN(stories);
}

static void test_abort(void **state)
{
	static const char chunks[] = "HTTP/1.1 103 Early Hints\r\n\r\n" CHUNKED "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n";
	static const struct story stories[] = {
		{ .why = "at once", .steps = { ACCEPT, CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .abort_in = CALL_start, .expect = "aborted tries=1 fresh" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "at once, after sending on a connection that stood", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), CLOSED_AFTER_REST, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_GET, .abort_in = CALL_start, .expect = "aborted tries=1 reused" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "at once, with mail under way", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")), CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .expect = OK_FRESH }, { ASK_POST, .abort_in = CALL_start, .expect = "aborted tries=1 reused" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "in want_content", .steps = { ACCEPT, CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_POST, .abort_in = CALL_want, .expect = "aborted tries=1 fresh" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "in informational", .steps = { ACCEPT, HEAD("GET "), SEND(chunks), CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .abort_in = CALL_informational, .expect = "103 aborted tries=1 fresh" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "in head", .steps = { ACCEPT, HEAD("GET "), SEND(chunks), CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .abort_in = CALL_head, .expect = "103 200 aborted tries=1 fresh" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "in body", .steps = { ACCEPT, HEAD("GET "), SEND(chunks), CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .abort_in = CALL_body, .expect = "103 200 [hello] aborted tries=1 fresh" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
		{ .why = "in body, after a pause", .steps = { ACCEPT, HEAD("GET "), SEND(chunks), CLOSED, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .pause = true, .abort_in = CALL_body, .abort_after = 1, .expect = "103 200 [helloworld] aborted tries=1 fresh" }, { ASK_GET, .expect = OK_FRESH } }, .idle_at_end = 1 },
	};

	(void)state;
	RUN(stories);
}

/* ---- servers that cannot be reached ---- */

static struct conf_addr loopback(struct slice text)
{
	struct conf_addr addr = { .len = sizeof addr.sa.in, .text = text };

	addr.sa.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return addr;
}

/* An address where nobody listens: bound, so that nobody else will. */
static int nobody_fd = -1;
static struct conf_addr nobody(void)
{
	struct conf_addr addr = loopback(SLICE("nobody"));

	nobody_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(nobody_fd, &addr.sa.any, addr.len) == 0 && getsockname(nobody_fd, &addr.sa.any, &addr.len) == 0);
	return addr;
}

/* An address whose queue is full: one connection fills a backlog of 0, further ones get no answer. */
static int full_fd = -1, full_client = -1;
static struct conf_addr full(void)
{
	struct conf_addr addr = loopback(SLICE("full"));

	full_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	full_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(full_fd, &addr.sa.any, addr.len) == 0 && getsockname(full_fd, &addr.sa.any, &addr.len) == 0 && listen(full_fd, 0) == 0);
	CHECK(connect(full_client, &addr.sa.any, addr.len) == 0);
	return addr;
}

static void all_refuse(struct bench *b)
{
	b->up.origin_count = 3;
	b->addrs[0] = b->addrs[1] = b->addrs[2] = nobody();
	for (size_t i = 0; i < 3; i++)
		b->origins[i].max_fails = 0;
}
static void first_refuses(struct bench *b)
{
	b->up.origin_count = 2;
	b->addrs[0] = nobody();
}
static void first_refuses_one_try(struct bench *b)
{
	first_refuses(b);
	b->location.set.proxy_tries = 1;
}
static void first_is_full(struct bench *b)
{
	b->up.origin_count = 2;
	b->addrs[0] = full();
	b->location.set.proxy_connect_timeout = 100 * 1000;
}
static void only_full(struct bench *b)
{
	first_is_full(b);
	b->up.origin_count = 1;
}
/* Two servers at one address: what it has failed as one is not held against the other. */
static void two_doors(struct bench *b)
{
	b->up.origin_count = 2;
	b->origins[0].max_fails = b->origins[1].max_fails = 0;
}
static void all_down(struct bench *b)
{
	b->origins[0].down = true;
}
static void unresolved(struct bench *b)
{
	b->origins[0].addr_count = 0;
}
static void unix_nobody(struct bench *b)
{
	b->addrs[0] = (struct conf_addr){ .sa.un = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket" },
		.len = sizeof(struct sockaddr_un),
		.text = SLICE("unix:/nonexistent/socket") };
}

static void test_failover(void **state)
{
	static const struct story stories[] = {
		{ .why = "refused: the next server, for any method", .steps = { ACCEPT, HEAD("POST "), READ("hello"), SEND(OK5("hello")), HEAD("GET "), SEND(OK5("again")) }, .plans = { { ASK_POST, .send_at_start = true, .expect = "200 [hello] complete tries=2 fresh" }, { ASK_GET, .expect = "200 [again] complete tries=1 reused" } }, .idle_at_end = 1, .tweak = first_refuses },
		{ .why = "as many as proxy_tries", .steps = { NO_MORE }, .plans = { { ASK_GET, .expect = "connect_refused tries=2 fresh" } }, .tweak = all_refuse },
		{ .why = "proxy_tries 1", .steps = { NO_MORE }, .plans = { { ASK_GET, .expect = "connect_refused tries=1 fresh" } }, .tweak = first_refuses_one_try },
		{ .why = "no answer: the next server", .steps = { ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .expect = "200 [hello] complete tries=2 fresh" } }, .idle_at_end = 1, .tweak = first_is_full },
		{ .why = "no answer, no other server", .steps = { NO_MORE }, .plans = { { ASK_GET, .expect = "connect_timeout tries=1 fresh" } }, .tweak = only_full },
		{ .why = "closed without a byte: a safe request goes to the next server", .steps = { ACCEPT, HEAD("GET "), CLOSE, ACCEPT, HEAD("GET "), SEND(OK5("hello")) }, .plans = { { ASK_GET, .expect = "200 [hello] complete tries=2 fresh" } }, .idle_at_end = 1, .tweak = two_doors },
		{ .why = "another does not", .steps = { ACCEPT, HEAD("POST "), READ("hello"), CLOSE, NO_MORE }, .plans = { { ASK_POST, .expect = "origin_left tries=1 fresh" } }, .tweak = two_doors },
		{ .why = "all down", .steps = { NO_MORE }, .plans = { { ASK_GET, .expect = "no_origin tries=0 fresh" } }, .tweak = all_down },
		{ .why = "a name that did not resolve", .steps = { NO_MORE }, .plans = { { ASK_GET, .expect = "no_origin tries=0 fresh" } }, .tweak = unresolved },
		{ .why = "a Unix socket that is not there", .steps = { NO_MORE }, .plans = { { ASK_GET, .expect = "connect_refused tries=1 fresh" } }, .tweak = unix_nobody },
		{ .why = "aborted before the failure is told", .steps = { NO_MORE }, .plans = { { ASK_GET, .abort_in = CALL_start, .expect = "aborted tries=1 fresh" }, { ASK_GET, .expect = "connect_refused tries=1 fresh" } }, .tweak = unix_nobody },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(stories); i++) {
		run_story(&stories[i]);
		if (nobody_fd >= 0) close(nobody_fd);
		if (full_fd >= 0) close(full_fd);
		if (full_client >= 0) close(full_client);
		nobody_fd = full_fd = full_client = -1;
	}
}

static void short_read(struct bench *b)
{
	b->location.set.proxy_read_timeout = 100 * 1000;
}
static void short_send(struct bench *b)
{
	b->location.set.proxy_send_timeout = 100 * 1000;
}
static void short_stream(struct bench *b)
{
	b->location.set.stream_idle_timeout = 100 * 1000;
	b->location.set.proxy_read_timeout = 3600ull * 1000000;
}

static void test_timeouts(void **state)
{
	static const struct story stories[] = {
		{ .why = "no head", .steps = { ACCEPT, HEAD("GET "), CLOSED }, .plans = { { ASK_GET, .expect = "origin_read_timeout tries=1 fresh" } }, .tweak = short_read },
		{ .why = "no more of the body", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"), CLOSED }, .plans = { { ASK_GET, .expect = "200 [hello] origin_read_timeout tries=1 fresh" } }, .tweak = short_read },
		{ .why = "nor after an answer that came before the content", .steps = { ACCEPT, HEAD("POST "), SEND("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"), CLOSED_AFTER_REST }, .plans = { { ASK_POST_OF("hel"), .expect = "200 [hello] origin_read_timeout tries=1 fresh" } }, .tweak = short_read },
		{ .why = "an event stream has its own", .steps = { ACCEPT, HEAD("GET "), SEND("HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n\r\nhello"), CLOSED }, .plans = { { ASK_GET, .expect = "200 [hello] origin_read_timeout tries=1 fresh" } }, .tweak = short_stream },
		{ .why = "the origin reads nothing", .steps = { ACCEPT, HEAD("PUT "), WAIT }, .plans = { { ASK_PUT_BIG("25165824", SCRIPT_HUGE), .expect = "origin_send_timeout tries=1 fresh" } }, .tweak = short_send },
	};

	(void)state;
	RUN(stories);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_failover),
		cmocka_unit_test(test_timeouts),
	};

	alarm(120); /* a test that hangs fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
