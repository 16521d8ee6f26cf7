/* What step_deliver.c (bodies), deliver_disk.c (those on disk), deliver_head.c (heads) and deliver_range.c (parts of a body) share. */
#ifndef PROXYD_DELIVER_H
#define PROXYD_DELIVER_H

#include "request.h"

/* Stages the head of the answer. But for SENT nothing was staged: the first bytes of a body on disk are to be waited for, or
 * cannot be read; or the head is too large. */
enum head { HEAD_SENT, HEAD_WAIT, HEAD_UNREADABLE, HEAD_TOO_LARGE };
enum head deliver_head(struct request *request);
/* A GET with Range, answered with 200 from an object of known size: 206, 416, or as it is (RFC 9110 section 14.2). */
void deliver_ranges(struct request *request, const struct stored_view *view, struct answer *answer);
/* A stored part, or what a part was completed to: the range that the client asked for. False: it is not in there. */
bool deliver_part(struct request *request, const struct stored_view *view, struct answer *answer);
/* The client's own copy may do (RFC 9110 section 13.2.2): asked of what the cache holds, or has just fetched for itself. */
bool deliver_not_modified(struct request *request, const struct stored_view *view, unsigned status);
/* A file in slices: where the first body byte of the answer lies. False: the answer has no body. */
bool deliver_first_byte(struct request *request, uint64_t *ret_at);
/* Several ranges: the next one, or the closing line. */
void deliver_next_range(struct request *request);

#endif
