/* Message bodies: length, chunked (RFC 9112 section 7.1, strict) and until close; as a decoder that is fed bytes.
 * Pure: no I/O, no malloc. */
#ifndef PROXYD_HTTP_BODY_H
#define PROXYD_HTTP_BODY_H

#include "http_head.h"

struct http_body {
	enum http_framing framing;
	uint64_t left;                 /* of the length, or of the current chunk */
	uint64_t total;                /* payload bytes so far */
	uint32_t state, line_bytes;    /* of the chunked reader */
	uint32_t trailer_bytes;
	bool done;
	enum refusal refusal;          /* why BODY_BAD */
};
/* Bounds: a chunk line at most 256 bytes, the trailer section at most 8 KB (CRLF included); a chunk at most 2^60. */

void http_body_init(struct http_body *body, enum http_framing framing, uint64_t length);

/* Consumes from buf. Returns the bytes consumed, or BODY_BAD. *ret_data is the payload found in them: one run, possibly
 * empty. Call again with the rest until all is consumed or body->done. Trailers are consumed and dropped. After done
 * nothing is consumed. FRAMING_close is never done by itself. Payload before a fault is handed over first: the call for the
 * rest says BODY_BAD, and so does every later one. */
enum { BODY_BAD = -2 };
long http_body_feed(struct http_body *body, const char *buf, size_t len, struct slice *ret_data);

/* Writes the line that begins a chunk of `len` bytes ("1f4\r\n") into out (at least 20 bytes); returns its length. The
 * chunk is followed by CRLF; the body ends with "0\r\n\r\n". */
size_t http_chunk_begin(uint64_t len, char *out);

#endif
