/* HTTP/1.x header sections, parsed strictly (RFC 9112; RFC 9110 section 5). Pure: no I/O, no malloc, no clock.
 * What is ambiguous is refused with a row of conf/tbl/refusals.h. Slices in the result point into the caller's bytes. */
#ifndef PROXYD_HTTP_HEAD_H
#define PROXYD_HTTP_HEAD_H

#include "../conf/enums.h"

/* Field names that anything here looks at: one table, recognised once while parsing. HTTP_FIELD(id, "name", flags)
 * flags: HOP = hop-by-hop by nature, never forwarded; FWD = a forwarding field that only trusted clients may send;
 *        KEEP = Connection cannot remove it (Host, Content-Length, Cache-Control, Authorization, Cookie, Via, ...: what we
 *        rely on; a Connection that names it is REFUSAL_connection_invalid). */
#include "tbl/http_fields.h"      /* defines HTTP_FIELDS(X): X(id, "name", flags) */
enum http_field {
	FIELD_other,
#define X(id, name, flags) FIELD_##id,
	HTTP_FIELDS(X)
#undef X
	FIELD_COUNT };
enum { HTTP_HOP = 1, HTTP_FWD = 2, HTTP_KEEP = 4 };
unsigned http_field_flags(enum http_field id);
struct slice http_field_name(enum http_field id);        /* "" for FIELD_other */
enum http_field http_field_find(struct slice name);      /* any case */
enum http_field http_field_find_cgi(struct slice name);  /* '_' is '-', too: one variable to an origin that speaks CGI or WSGI */

enum { HTTP_HEADERS_MAX = 1000 };                        /* hard bound of any count setting */
enum { MINOR_UNKNOWN = 255 };
struct http_header {
	struct slice name, value;      /* value without white space around it */
	uint8_t id;                    /* enum http_field */
	bool dropped;                  /* named by Connection, or otherwise not to be forwarded */
};

enum http_method { METHOD_other, METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_OPTIONS,
	METHOD_TRACE, METHOD_CONNECT, METHOD_PATCH, METHOD_PURGE };
static inline bool http_method_is_safe(enum http_method m)
{
	return m == METHOD_GET || m == METHOD_HEAD || m == METHOD_OPTIONS || m == METHOD_TRACE;
}

enum http_framing { FRAMING_none, FRAMING_length, FRAMING_chunked, FRAMING_close /* responses only */ };

struct http_head {
	/* both */
	uint8_t minor;                 /* HTTP/1.minor: 0 or 1 (a higher one is read as 1); MINOR_UNKNOWN: refused before it was read */
	enum http_framing framing;
	uint64_t length;               /* FRAMING_length */
	bool keep_alive;               /* what version and Connection say */
	bool connection_upgrade;       /* Connection names upgrade */
	struct http_header *headers;   /* the caller's array */
	size_t header_count;
	uint16_t first[FIELD_COUNT];   /* index + 1 of the first header of each known field; 0: none */
	uint16_t times[FIELD_COUNT];   /* how many of it, at most 65535 */
	bool http_2;                   /* it came over HTTP/2; what else is said here is as of HTTP/1.1 */
	/* request */
	enum http_method method;
	struct slice method_text, target;            /* target as received */
	struct slice authority;                      /* host[:port] of absolute-form, else of Host; validated */
	struct slice host; uint16_t port;            /* without port and without the brackets' loss: "[::1]"; port 0: none given */
	struct slice path, query;                    /* path begins with '/', or is "*"; query.ptr NULL when there is no '?' */
	bool absolute_form, expect_continue;
	bool scheme_https;                           /* absolute-form only */
	/* response */
	uint16_t status;
	struct slice reason;
};

struct http_limits { size_t line_max, head_max, count_max; };

/* Both return the bytes of the header section (> 0, terminating CRLF included), HEAD_PARTIAL: more bytes are needed, or
 * HEAD_BAD with *ret_refusal set (for responses: any row of conf/tbl/refusals.h that fits; it becomes a 502).
 * seen: how much of buf an earlier call has looked at and found partial: it is not scanned again, so that a client that
 * sends byte by byte costs O(n). headers has room for limits->count_max entries. Empty lines (CRLF) before a request line
 * are skipped (RFC 9112 section 2.2), at most 4 of them.
 * A line is judged when it has ended, or has a control byte that cannot be its end; so the answer does not depend on how the
 * bytes were cut. On HEAD_BAD *ret_head holds what had been understood before the fault (method_text and target may be
 * empty); after HEAD_PARTIAL it means nothing. line_max: the start line without its CRLF; head_max: everything from buf on.
 * Slices point into buf, but for the path "/" or "*" of an absolute-form target that has none. */
enum { HEAD_PARTIAL = -1, HEAD_BAD = -2 };
long http_parse_request(const char *buf, size_t len, size_t seen, const struct http_limits *limits,
	struct http_header *headers, struct http_head *ret_head, enum refusal *ret_refusal);
/* request_method: HEAD and status 1xx, 204, 304 have no body whatever the fields say; FRAMING_close when nothing else
 * applies. Both framings, conflicting lengths, a bad version: HEAD_BAD. Copies of one Content-Length are collapsed: all but
 * the first are marked dropped, and a list in the first is cut to its first element. */
long http_parse_response(const char *buf, size_t len, size_t seen, const struct http_limits *limits, enum http_method request_method,
	struct http_header *headers, struct http_head *ret_head, enum refusal *ret_refusal);

/* First header of a known field, or NULL. */
static inline const struct http_header *http_header_get(const struct http_head *head, enum http_field id)
{
	return head->first[id] ? &head->headers[head->first[id] - 1] : NULL;
}
static inline struct slice http_header_value(const struct http_head *head, enum http_field id)
{
	const struct http_header *h = http_header_get(head, id);
	return h ? h->value : (struct slice){ NULL, 0 };
}

/* Walks a comma-separated list over all headers of one field (RFC 9110 section 5.6.1): quoted strings are kept whole,
 * empty elements skipped. Start with *it = {0}. False at the end. */
struct http_list { size_t header; const char *pos, *end; };
bool http_list_next(const struct http_head *head, enum http_field id, struct http_list *it, struct slice *ret_element);
/* The same over one value; pos = value.ptr, end = value.ptr + value.len to start. */
bool http_value_next(const char **pos, const char *end, struct slice *ret_element);
/* An element with its quality (RFC 9110 section 12.4.2): a token, alone or with ;q=, in thousandths, 0 to HTTP_Q_MAX. False,
 * with nothing returned: it is not of that form, or has another parameter. */
enum { HTTP_Q_MAX = 1000 };
bool http_weighted(struct slice element, struct slice *ret_name, unsigned *ret_q);

/* host[:port] by one strict grammar (RFC 3986 section 3.2.2: reg-name of letters, digits, "-._~!$&'()*+;=" and whole percent
 * sequences, IPv4, or [IPv6] checked by inet_pton; port 1-65535 without leading zeros, or empty). No comma: it is the mark of
 * two Host lines joined into one. At most 255 bytes of host. */
bool http_parse_authority(struct slice text, struct slice *ret_host, uint16_t *ret_port);

/* The path for routing: percent-decoded, "." and ".." and "//" removed (never above the root). out: path.len bytes; it may
 * be path.ptr. Returns the length, or -1 when there is a bad percent sequence or %00, or when the path neither begins with
 * "/" nor is "*". */
long http_normalise_path(struct slice path, char *out);

bool http_is_token(struct slice text);
/* Reason phrase of a status; "Unknown" for one without. */
struct slice http_reason(unsigned status);

#endif
