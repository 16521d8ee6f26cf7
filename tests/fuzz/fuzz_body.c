/* Bodies: the first byte chooses framing and length, the rest is fed whole and in parts; both must say the same. */
#include "../../conf/check.h"
#include "../../proxyd/http_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome { struct http_body body; char *payload; size_t payload_len, used; };

/* Feeds until all is consumed, done or bad, in steps that `turn` chooses; 0: at once. */
static struct outcome feed(enum http_framing framing, uint64_t length, const uint8_t *bytes, size_t size, size_t turn)
{
	struct outcome o = { .payload = must(malloc(size + 1)) };

	http_body_init(&o.body, framing, length);
	while (o.used < size && !o.body.done) {
		size_t step = turn ? 1 + (turn = turn * 1103515245 + 12345) / 65536 % 7 : size;
		size_t len = size - o.used > step ? step : size - o.used;
		char *copy = must(malloc(len));
		struct slice payload;
		memcpy(copy, bytes + o.used, len);
		long n = http_body_feed(&o.body, copy, len, &payload);
		if (n == BODY_BAD) {
			free(copy);
			CHECK(o.body.refusal != REFUSAL_none);
			break;
		}
		CHECK(n > 0 && (size_t)n <= len);
		CHECK(payload.len == 0 || (payload.ptr >= copy && payload.ptr + payload.len <= copy + n));
		memcpy(o.payload + o.payload_len, payload.ptr, payload.len);
		o.payload_len += payload.len;
		o.used += (size_t)n;
		free(copy);
	}
	CHECK(o.body.total == o.payload_len);
	return o;
}

/* What was read is written again in one chunk and read again: the same payload. */
static void round_trip(const struct outcome *o)
{
	char *text = must(malloc(o->payload_len + 32));
	size_t len = 0;

	if (o->payload_len > 0) {
		len = http_chunk_begin(o->payload_len, text);
		memcpy(text + len, o->payload, o->payload_len);
		len += o->payload_len;
		memcpy(text + len, "\r\n", 2);
		len += 2;
	}
	memcpy(text + len, "0\r\n\r\n", 5);
	len += 5;
	struct outcome again = feed(FRAMING_chunked, 0, (const uint8_t *)text, len, 0);
	CHECK(again.body.done && again.used == len);
	CHECK(again.payload_len == o->payload_len && memcmp(again.payload, o->payload, o->payload_len) == 0);
	free(again.payload);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4096)
		return 0;
	enum http_framing framing = data[0] < 16 ? (enum http_framing)(data[0] % 4) : FRAMING_chunked;
	uint64_t length = data[0];
	struct outcome whole = feed(framing, length, data + 1, size - 1, 0);
	struct outcome parts = feed(framing, length, data + 1, size - 1, size);
	CHECK(whole.body.done == parts.body.done && whole.body.refusal == parts.body.refusal);
	CHECK(whole.body.refusal != REFUSAL_none || whole.used == parts.used);
	CHECK(whole.payload_len == parts.payload_len && memcmp(whole.payload, parts.payload, whole.payload_len) == 0);
	if (framing == FRAMING_chunked && whole.body.done)
		round_trip(&whole);
	free(whole.payload);
	free(parts.payload);
	return 0;
}
