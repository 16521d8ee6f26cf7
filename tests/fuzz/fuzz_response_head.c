/* Responses: any bytes; the length of the input chooses the request's method. */
#include "http_invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_method method;

static void parse(const char *buf, size_t len, size_t seen, const struct http_limits *limits, struct outcome *ret_outcome)
{
	ret_outcome->answer = http_parse_response(buf, len, seen, limits, method, ret_outcome->headers, &ret_outcome->head,
		&ret_outcome->refusal);
}

/* Of several Content-Length exactly one goes on, and it is one number. */
static void lengths_check(const struct http_head *head)
{
	size_t kept = 0;

	for (size_t i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];
		if (h->id != FIELD_content_length || h->dropped)
			continue;
		kept++;
		for (size_t k = 0; k < h->value.len; k++) CHECK(h->value.ptr[k] >= '0' && h->value.ptr[k] <= '9');
	}
	CHECK(kept == (head->times[FIELD_content_length] > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	method = size % 5 ? METHOD_GET : METHOD_HEAD;
	const struct outcome *whole = head_check(parse, data, size);
	if (whole->answer < 0)
		return 0;
	const struct http_head *head = &whole->head;
	CHECK(head->status >= 100 && head->status <= 599);
	bool bare = method == METHOD_HEAD || head->status < 200 || head->status == 204 || head->status == 304;
	CHECK((head->framing == FRAMING_none) == bare);
	lengths_check(head);
	return 0;
}
