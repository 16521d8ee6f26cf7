/* A parsed head, or the refusal, as one line of text: what the rows of the tests compare with. */
#ifndef TESTS_UNIT_HTTP_TEXT_H
#define TESTS_UNIT_HTTP_TEXT_H

#include <stdarg.h>
#include <stdio.h>

#include "../../proxyd/http_head.h"

struct text { char bytes[4096]; size_t len; };

__attribute__((format(printf, 2, 3))) static inline void text_add(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text->bytes + text->len, sizeof text->bytes - text->len, format, args);
	va_end(args);
	text->len += (size_t)n < sizeof text->bytes - text->len ? (size_t)n : 0;
}

static inline const char *refusal_text(enum refusal refusal)
{
	static const char *const names[] = {
#define REFUSAL(name, status, doc) #name,
#include "../../conf/tbl/refusals.h"
#undef REFUSAL
	};
	return names[refusal];
}

static inline void text_add_common(struct text *text, const struct http_head *head)
{
	static const char *const framings[] = { "none", "length", "chunked", "close" };

	text_add(text, " %s", framings[head->framing]);
	if (head->framing == FRAMING_length)
		text_add(text, ":%llu", (unsigned long long)head->length);
	text_add(text, head->keep_alive ? " keep" : " close");
	if (head->connection_upgrade)
		text_add(text, " upgrade");
	if (head->expect_continue)
		text_add(text, " expect");
	for (size_t i = 0; i < head->header_count; i++)
		if (head->headers[i].dropped)
			text_add(text, " -%.*s", SLICE_ARG(head->headers[i].name));
}

/* "GET 1.1 [https]authority|host|port path ?query framing keep -dropped" */
static inline void request_text(struct text *text, long answer, const struct http_head *head, enum refusal refusal)
{
	*text = (struct text){ .len = 0 };
	if (answer == HEAD_PARTIAL)
		text_add(text, "partial");
	if (answer == HEAD_BAD)
		text_add(text, "%s", refusal_text(refusal));
	if (answer < 0)
		return;
	text_add(text, "%.*s 1.%d ", SLICE_ARG(head->method_text), head->minor);
	if (head->absolute_form)
		text_add(text, head->scheme_https ? "https:" : "http:");
	text_add(text, "%.*s|%.*s|%d %.*s", SLICE_ARG(head->authority), SLICE_ARG(head->host), head->port, SLICE_ARG(head->path));
	if (head->query.ptr)
		text_add(text, " ?%.*s", SLICE_ARG(head->query));
	text_add_common(text, head);
}

/* "1.1 200 reason| framing keep -dropped" */
static inline void response_text(struct text *text, long answer, const struct http_head *head, enum refusal refusal)
{
	*text = (struct text){ .len = 0 };
	if (answer == HEAD_PARTIAL)
		text_add(text, "partial");
	if (answer == HEAD_BAD)
		text_add(text, "%s", refusal_text(refusal));
	if (answer < 0)
		return;
	text_add(text, "1.%d %d %.*s|", head->minor, head->status, SLICE_ARG(head->reason));
	text_add_common(text, head);
}

#endif
