/* Completing a stored part (RFC 9111 section 3.4): the origin is asked for what is missing, and when its answer is of the same
 * bytes (validator and length agree), both become one object: the whole, or a longer part. */
#ifndef PROXYD_JOINT_H
#define PROXYD_JOINT_H

#include "request.h"

/* The fields that ask for the missing piece: Range, and If-Range when there is a strong validator. */
void joint_add_fields(struct request *request, struct text *text);
/* The head of an answer to these. True: it is the missing piece: r->filling is what both become, and is filled. False: the part
 * and this answer cannot be joined; nothing was done. */
bool joint_take_head(struct request *request, const struct http_head *head);
/* The stored part is not of what the origin has now. */
void joint_drop_part(struct request *request);

/* Joining is under way: the exchange's events go here. */
bool joint_body(struct request *request, struct slice bytes);
void joint_done(struct request *request, enum end end);
/* Whether it is, or still has a read of the disk to wait for: the request cannot be over then. */
bool joint_busy(const struct request *request);
/* Whatever is under way ends, the object stays broken. */
void joint_stop(struct request *request);
void joint_free(struct request *request);

#endif
