/* Stored parts (RFC 9111 sections 3.3 and 3.4): one range of a representation, under a key of its own beside the URL's or the
 * variant's. It answers requests that lie within it, and is what a fetch of the rest completes. */
#ifndef PROXYD_PARTS_H
#define PROXYD_PARTS_H

#include "request.h"

/* The key of the part that belongs to what the request selects: r->part_*. False: no memory. */
bool part_key_make(struct request *request);
/* The key that an object of this request's URL is stored under. */
struct store_key stored_key(const struct request *request, const struct stored_view *view, const struct object *object);

/* What the request asks of a stored part. */
enum part_covers {
	PART_all,                      /* it lies within, or certainly outside of the whole: the part is the answer */
	PART_some,                     /* what is missing can be asked for and joined to it: r->join says how */
	PART_none,
};
enum part_covers part_covers(struct request *request, const struct object *part, const struct stored_view *view);
/* The range that the request asks of a part that is its answer. False: none of it, 416. */
bool part_range(const struct request *request, uint64_t total, struct byte_range *ret_range);

/* A 206 that can be stored: one range that is as long as it says. */
bool part_of_answer(const struct request *request, const struct http_head *head, struct content_range *ret_range);
/* The validator that proves two parts to be of the same bytes (RFC 9110 section 8.8.1): a strong entity tag, or a Last-Modified
 * that is one second older than the answer. Empty: none. Of an answer that has just come, or of what is stored. */
struct slice part_validator_of_answer(const struct request *request, const struct http_head *head);
struct slice part_validator_of(const struct request *request, const struct object *object, const struct stored_view *view);

#endif
