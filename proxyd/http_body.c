/* Bodies: length, until close, and chunked (RFC 9112 section 7.1) as a machine that takes one byte after the other, so that
 * it does not matter how they are cut. Chunk extensions and trailers are checked and dropped. */
#include "http_class.h"
#include "http_body.h"

enum {
	CHUNK_LINE_MAX = 256,
	SIZE_DIGITS_MAX = 16,
	TRAILER_BYTES_MAX = 8 * 1024
};
#define CHUNK_MAX ((uint64_t)1 << 60)

enum state {
	SIZE,            /* at least one digit, then: more, white space, ";" or CR */
	EXT_BLANK,       /* white space that only a ";" may follow */
	EXT_NAME_START,  /* after ";" and white space */
	EXT_NAME,
	EXT_NAME_BLANK,  /* "=" or ";" may follow */
	EXT_VALUE_START, /* after "=" and white space */
	EXT_VALUE,
	EXT_QUOTED,
	EXT_ESCAPE,
	EXT_QUOTED_END,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_START,   /* of a line: a name, or the CR of the end */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF
};

void http_body_init(struct http_body *body, enum http_framing framing, uint64_t length)
{
	*body = (struct http_body){ .framing = framing, .left = framing == FRAMING_length ? length : 0, .state = SIZE };
	body->done = framing == FRAMING_none || (framing == FRAMING_length && length == 0);
}

/* Each of the readers below moves the machine by one byte, or says why it cannot. */

static enum refusal size_digit(struct http_body *body, char byte)
{
	if (body->line_bytes >= SIZE_DIGITS_MAX)
		return REFUSAL_chunk_size;
	body->left = body->left << 4 | http_hex_value(byte);   /* at most 16 digits: nothing is shifted out */
	return body->left > CHUNK_MAX ? REFUSAL_chunk_size : REFUSAL_none;
}

static enum refusal size_byte(struct http_body *body, char byte)
{
	if (http_is(byte, HTTP_HEX))
		return size_digit(body, byte);
	if (body->line_bytes == 0)
		return REFUSAL_chunk_size;
	if (byte == '\r')
		body->state = SIZE_LF;
	else if (byte == ';')
		body->state = EXT_NAME_START;
	else if (http_is(byte, HTTP_BLANK))
		body->state = EXT_BLANK;
	else
		return REFUSAL_chunk_size;
	return REFUSAL_none;
}

/* After a whole name or value of an extension. */
static enum refusal ext_next(struct http_body *body, char byte, enum state if_blank)
{
	if (byte == ';')
		body->state = EXT_NAME_START;
	else if (byte == '\r' && body->state != EXT_BLANK && body->state != EXT_NAME_BLANK)
		body->state = SIZE_LF;
	else if (http_is(byte, HTTP_BLANK))
		body->state = if_blank;
	else
		return REFUSAL_chunk_ext;
	return REFUSAL_none;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ): white space at the end is no part of it. */
static enum refusal ext_byte(struct http_body *body, char byte)
{
	switch ((enum state)body->state) {
	case EXT_NAME_START:
	case EXT_VALUE_START:
		if (http_is(byte, HTTP_BLANK))
			return REFUSAL_none;
		if (http_is(byte, HTTP_TOKEN))
			body->state = body->state == EXT_NAME_START ? EXT_NAME : EXT_VALUE;
		else if (byte == '"' && body->state == EXT_VALUE_START)
			body->state = EXT_QUOTED;
		else
			return REFUSAL_chunk_ext;
		return REFUSAL_none;
	case EXT_NAME:
		if (http_is(byte, HTTP_TOKEN))
			return REFUSAL_none;
		/* fall through */
	case EXT_NAME_BLANK:
		if (byte != '=')
			return ext_next(body, byte, EXT_NAME_BLANK);
		body->state = EXT_VALUE_START;
		return REFUSAL_none;
	case EXT_VALUE:
		if (http_is(byte, HTTP_TOKEN))
			return REFUSAL_none;
		return ext_next(body, byte, EXT_BLANK);
	case EXT_QUOTED:
		if (byte == '"')
			body->state = EXT_QUOTED_END;
		else if (byte == '\\')
			body->state = EXT_ESCAPE;
		else if (!http_is(byte, HTTP_QUOTED))
			return REFUSAL_chunk_ext;
		return REFUSAL_none;
	case EXT_ESCAPE:
		body->state = EXT_QUOTED;
		return http_is(byte, HTTP_VALUE) ? REFUSAL_none : REFUSAL_chunk_ext;
	default:                                     /* EXT_BLANK, EXT_QUOTED_END */
		return ext_next(body, byte, EXT_BLANK);
	}
}

static enum refusal chunk_line_byte(struct http_body *body, char byte)
{
	enum refusal refusal;

	if (body->line_bytes >= CHUNK_LINE_MAX)
		return REFUSAL_chunk_ext;
	if (body->state != SIZE_LF && byte == '\n')
		return REFUSAL_bare_lf;
	if (body->state == SIZE_LF) {
		if (byte != '\n')
			return REFUSAL_bare_cr;
		body->state = body->left > 0 ? DATA : TRAILER_START;
		body->line_bytes = 0;
		return REFUSAL_none;
	}
	refusal = body->state == SIZE ? size_byte(body, byte) : ext_byte(body, byte);
	body->line_bytes++;
	return refusal;
}

/* By the same rules as header lines; what they say is dropped, so that no trailer can change what a head said. */
static enum refusal trailer_byte(struct http_body *body, char byte)
{
	bool fits;

	if (++body->trailer_bytes > TRAILER_BYTES_MAX)
		return REFUSAL_trailer_invalid;
	switch ((enum state)body->state) {
	case TRAILER_START:
		fits = byte == '\r' || http_is(byte, HTTP_TOKEN);
		body->state = byte == '\r' ? END_LF : TRAILER_NAME;
		break;
	case TRAILER_NAME:
		fits = byte == ':' || http_is(byte, HTTP_TOKEN);
		if (byte == ':')
			body->state = TRAILER_VALUE;
		break;
	case TRAILER_VALUE:
		fits = byte == '\r' || http_is(byte, HTTP_VALUE);
		if (byte == '\r')
			body->state = TRAILER_LF;
		break;
	default:                                     /* TRAILER_LF, END_LF */
		fits = byte == '\n';
		body->done = body->state == END_LF && fits;
		body->state = TRAILER_START;
		break;
	}
	return fits ? REFUSAL_none : REFUSAL_trailer_invalid;
}

static enum refusal data_end_byte(struct http_body *body, char byte)
{
	if (byte != (body->state == DATA_CR ? '\r' : '\n'))
		return REFUSAL_chunk_end;
	body->state = body->state == DATA_CR ? DATA_LF : SIZE;
	return REFUSAL_none;
}

static enum refusal chunked_byte(struct http_body *body, char byte)
{
	if (body->state < DATA)
		return chunk_line_byte(body, byte);
	return body->state < TRAILER_START ? data_end_byte(body, byte) : trailer_byte(body, byte);
}

/* Takes what is there of the payload: from p on, at most body->left. */
static struct slice data_take(struct http_body *body, const char *p, const char *end)
{
	struct slice data = slice_make(p, (size_t)(end - p));

	if (data.len > body->left)
		data.len = (size_t)body->left;
	body->left -= data.len;
	body->total += data.len;
	return data;
}

/* Stops before a second run of payload. A wrong byte is not consumed: the payload before it is handed over first, and the
 * call for the rest says BODY_BAD. */
static long chunked_feed(struct http_body *body, const char *buf, size_t len, struct slice *ret_data)
{
	const char *p = buf, *end = buf + len;

	while (p < end && !body->done) {
		if (body->state == DATA) {
			if (ret_data->len > 0)
				break;
			*ret_data = data_take(body, p, end);
			p += ret_data->len;
			if (body->left == 0)
				body->state = DATA_CR;
			continue;
		}
		body->refusal = chunked_byte(body, *p);
		if (body->refusal != REFUSAL_none)
			return ret_data->len > 0 ? p - buf : BODY_BAD;
		p++;
	}
	return p - buf;
}

long http_body_feed(struct http_body *body, const char *buf, size_t len, struct slice *ret_data)
{
	*ret_data = slice_make(buf, 0);
	if (body->refusal != REFUSAL_none)
		return BODY_BAD;
	if (body->done)
		return 0;
	switch (body->framing) {
	case FRAMING_none:
		break;
	case FRAMING_chunked:
		return chunked_feed(body, buf, len, ret_data);
	case FRAMING_length:
		*ret_data = data_take(body, buf, buf + len);
		body->done = body->left == 0;
		break;
	case FRAMING_close:
		*ret_data = slice_make(buf, len);
		body->total += len;
		break;
	}
	return (long)ret_data->len;
}

size_t http_chunk_begin(uint64_t len, char *out)
{
	unsigned digits = len ? (unsigned)(63 - __builtin_clzll(len)) / 4 + 1 : 1;

	for (unsigned i = digits; i-- > 0; len >>= 4) out[i] = "0123456789abcdef"[len & 15];
	out[digits] = '\r';
	out[digits + 1] = '\n';
	return digits + 2;
}
