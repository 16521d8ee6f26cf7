/* Requests: any bytes. */
#include "http_invariants.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const char *buf, size_t len, size_t seen, const struct http_limits *limits, struct outcome *ret_outcome)
{
	ret_outcome->answer = http_parse_request(buf, len, seen, limits, ret_outcome->headers, &ret_outcome->head, &ret_outcome->refusal);
}

static bool contains(struct slice text, const char *word)
{
	return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* The path of routing never climbs and has no empty or dot segments. */
static void path_check(struct slice path)
{
	char *out = must(malloc(path.len));
	long len = http_normalise_path(path, out);

	CHECK(len >= -1 && len <= (long)path.len && len != 0);
	if (len > 0 && path.ptr[0] == '/') {
		struct slice text = slice_make(out, (size_t)len);
		CHECK(out[0] == '/' && !memchr(out, 0, text.len));
		CHECK(!contains(text, "//") && !contains(text, "/../") && !contains(text, "/./"));
		CHECK(text.len < 2 || memcmp(out + len - 2, "/.", 2) != 0);
		CHECK(text.len < 3 || memcmp(out + len - 3, "/..", 3) != 0);
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	const struct outcome *whole = head_check(parse, data, size);
	if (whole->answer < 0)
		return 0;
	const struct http_head *head = &whole->head;
	struct slice host;
	uint16_t port;
	CHECK(http_is_token(head->method_text) && head->target.len > 0);
	CHECK(head->path.len > 0 && (head->path.ptr[0] == '/' || (head->path.ptr[0] == '*' && head->method == METHOD_OPTIONS)));
	CHECK(head->framing != FRAMING_close);
	CHECK(head->times[FIELD_host] <= 1 && head->times[FIELD_content_length] <= 1 && head->times[FIELD_transfer_encoding] <= 1);
	CHECK(head->minor == 0 || head->host.len > 0);
	if (head->authority.len > 0) {
		CHECK(http_parse_authority(head->authority, &host, &port));
		CHECK(slice_eq(host, head->host) && port == head->port);
	}
	path_check(head->path);
	return 0;
}
