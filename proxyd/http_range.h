/* Range requests (RFC 9110 section 14) against a body of known size. Pure: no I/O, no malloc. */
#ifndef PROXYD_HTTP_RANGE_H
#define PROXYD_HTTP_RANGE_H

#include "http_head.h"

struct byte_range { uint64_t from, to; };      /* both included */

/* More ranges than this, ranges that overlap, or that together are as long as the whole: the request is answered with the
 * whole body, which section 14.2 always allows and which costs least. */
enum { RANGES_MAX = 16 };

enum range_answer {
	RANGE_whole,                   /* no Range, another unit, malformed, or not worth it: 200 */
	RANGE_parts,                   /* *ret_count ranges, as asked for, in their order: 206 */
	RANGE_unsatisfiable,           /* well-formed, and none of it lies within the body: 416 */
};
/* What a Range asks for, before the size is known. */
enum range_kind {
	ASKED_none,                    /* no range at all, another unit, or malformed */
	ASKED_from_to,                 /* bytes=from-to */
	ASKED_from,                    /* bytes=from- */
	ASKED_last,                    /* bytes=-to: the last `to` bytes */
	ASKED_several,                 /* from: where the first of them begins, 0 when that is not known */
};
struct range_asked { enum range_kind kind; uint64_t from, to; };
struct range_asked range_ask(struct slice value);

/* Content-Range of a 206 (section 14.4): "bytes from-to/total", total UINT64_MAX for "*". False: malformed, another unit, or
 * impossible. */
struct content_range { uint64_t from, to, total; };
bool content_range_parse(struct slice value, struct content_range *ret_range);

enum range_answer range_parse(struct slice value, uint64_t size, struct byte_range ranges[RANGES_MAX], size_t *ret_count);

/* Does Range apply, as far as If-Range says (section 13.1.5)? True without If-Range. An entity tag must match strongly; a
 * date must be the Last-Modified, and that must be a strong validator: at least one second older than the Date of the
 * answer (section 8.8.2.2): date_us, -1 when it is not known. */
bool if_range_holds(const struct http_head *request, struct slice etag, struct slice last_modified, int64_t date_us, int64_t now_us);

#endif
