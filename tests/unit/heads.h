/* Heads for tests of what works on parsed heads: the text lies at the end of an unreadable page, and is parsed for real. */
#ifndef TESTS_UNIT_HEADS_H
#define TESTS_UNIT_HEADS_H

#include "../../proxyd/http_head.h"
#include "page.h"

struct test_head {
	struct page page;
	struct http_head head;
	struct http_header headers[HTTP_HEADERS_MAX];
};

static inline void test_head_release(struct test_head *t)
{
	if (t->page.base)
		page_free(&t->page);
}

/* A request, or a response to GET. The text must parse, to its last byte. */
static inline struct http_head *test_head_parse(struct test_head *t, const char *text, bool response)
{
	struct http_limits limits = { 60000, 64000, HTTP_HEADERS_MAX };
	enum refusal refusal = REFUSAL_none;
	size_t len = strlen(text);
	const char *bytes;
	long got;

	test_head_release(t);
	t->page = page_new(len);
	bytes = page_put(t->page, text, len);
	got = response ? http_parse_response(bytes, len, 0, &limits, METHOD_GET, t->headers, &t->head, &refusal)
		: http_parse_request(bytes, len, 0, &limits, t->headers, &t->head, &refusal);
	if (got != (long)len) {
		fprintf(stderr, "does not parse (%ld, refusal %d):\n%s\n", got, (int)refusal, text);
		abort();
	}
	return &t->head;
}

/* From field lines alone. */
static inline struct http_head *test_request(struct test_head *t, const char *fields)
{
	char text[70000];

	CHECK((size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields) < sizeof text);
	return test_head_parse(t, text, false);
}

static inline struct http_head *test_response(struct test_head *t, const char *fields)
{
	char text[70000];

	CHECK((size_t)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", fields) < sizeof text);
	return test_head_parse(t, text, true);
}

#endif
