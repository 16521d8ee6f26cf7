/* What must hold for every head, whatever the input: shared by the fuzz targets of requests and responses. */
#ifndef TESTS_FUZZ_HTTP_INVARIANTS_H
#define TESTS_FUZZ_HTTP_INVARIANTS_H

#include "../../conf/check.h"
#include "../../proxyd/http_head.h"

struct outcome {
	long answer;
	enum refusal refusal;
	struct http_head head;
	struct http_header headers[HTTP_HEADERS_MAX];
};

/* Parses the bytes as a request or a response. */
typedef void parser(const char *buf, size_t len, size_t seen, const struct http_limits *limits, struct outcome *ret_outcome);

static inline void slice_inside(struct slice s, const char *buf, long len)
{
	CHECK(s.len == 0 || (s.ptr >= buf && s.ptr + s.len <= buf + len));
}

static inline void headers_check(const struct http_head *head, const char *buf, long len)
{
	size_t times[FIELD_COUNT] = { 0 };

	for (size_t i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];
		slice_inside(h->name, buf, len);
		slice_inside(h->value, buf, len);
		CHECK(http_is_token(h->name));
		CHECK(http_field_find(h->name) == h->id);
		CHECK(h->dropped || !(http_field_flags(h->id) & HTTP_HOP));
		for (size_t k = 0; k < h->value.len; k++) {
			unsigned char byte = (unsigned char)h->value.ptr[k];
			CHECK((byte >= 0x20 && byte != 0x7f) || byte == '\t');
		}
		struct slice trimmed = slice_trim(h->value);
		CHECK(trimmed.ptr == h->value.ptr && trimmed.len == h->value.len);
		if (h->id != FIELD_other && times[h->id]++ == 0)
			CHECK(head->first[h->id] == i + 1);
	}
	for (unsigned id = FIELD_other + 1; id < FIELD_COUNT; id++)
		CHECK(head->times[id] == times[id] && (times[id] > 0) == (head->first[id] > 0));
}

static inline void framing_check(const struct http_head *head)
{
	bool length = head->times[FIELD_content_length] > 0, coding = head->times[FIELD_transfer_encoding] > 0;

	CHECK(!(length && coding));
	CHECK(head->framing != FRAMING_chunked || (coding && head->minor == 1));
	CHECK(head->framing != FRAMING_length || length);
	CHECK(head->length <= INT64_MAX && (head->framing == FRAMING_length || head->length == 0));
}

static inline void lists_check(const struct http_head *head)
{
	for (unsigned id = FIELD_other + 1; id < FIELD_COUNT; id++) {
		struct http_list it = { 0 };
		struct slice element;
		while (http_list_next(head, (enum http_field)id, &it, &element)) CHECK(element.len > 0);
	}
}

/* Parses a copy that ends where its memory ends; *base is to be freed. */
static inline void outcome_parse(parser *parse, const uint8_t *data, size_t len, size_t seen, const struct http_limits *limits,
	struct outcome *ret_outcome, char **base)
{
	*base = must(malloc(len + 1));
	char *copy = *base + 1;                        /* unaligned, and never NULL */
	memcpy(copy, data, len);
	memset(ret_outcome->headers, 0, sizeof ret_outcome->headers);
	ret_outcome->refusal = REFUSAL_none;
	parse(copy, len, seen, limits, ret_outcome);
	CHECK(ret_outcome->answer == HEAD_PARTIAL || ret_outcome->answer == HEAD_BAD
		|| (ret_outcome->answer > 0 && (size_t)ret_outcome->answer <= len));
	CHECK((ret_outcome->answer == HEAD_BAD) == (ret_outcome->refusal != REFUSAL_none));
}

/* In parts of any size, with `seen`, the answer is that of the whole; and a part that is refused stays refused. */
static inline void parts_check(parser *parse, const uint8_t *data, size_t size, const struct http_limits *limits,
	const struct outcome *whole)
{
	static struct outcome part;
	size_t seen = 0, turn = size;

	while (seen < size) {
		turn = turn * 1103515245 + 12345;
		size_t step = 1 + turn / 65536 % (turn / 1024 % 3 ? 4 : 60);
		size_t len = size - seen > step ? seen + step : size;
		char *base;
		outcome_parse(parse, data, len, seen, limits, &part, &base);
		free(base);
		seen = len;
		if (part.answer != HEAD_PARTIAL)
			break;
	}
	CHECK(size == 0 || part.answer == whole->answer);
	CHECK(size == 0 || part.refusal == whole->refusal);
	CHECK(size == 0 || whole->answer < 0 || (part.head.header_count == whole->head.header_count
		&& part.head.framing == whole->head.framing && part.head.length == whole->head.length
		&& part.head.keep_alive == whole->head.keep_alive));
}

/* Returns the whole outcome, whose slices live until the next call. */
static inline const struct outcome *head_check(parser *parse, const uint8_t *data, size_t size)
{
	static const struct http_limits wide = { 8192, 32768, 100 }, narrow = { 40, 200, 8 };
	static struct outcome whole;
	static char *base;
	const struct http_limits *limits = size % 4 ? &wide : &narrow;

	free(base);
	outcome_parse(parse, data, size, 0, limits, &whole, &base);
	parts_check(parse, data, size, limits, &whole);
	if (whole.answer > 0) {
		CHECK((size_t)whole.answer <= limits->head_max && whole.head.header_count <= limits->count_max);
		headers_check(&whole.head, base + 1, whole.answer);
		framing_check(&whole.head);
		lists_check(&whole.head);
	}
	return &whole;
}

#endif
