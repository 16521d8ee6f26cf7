/* What becomes of the head of an origin's answer: stored, passed, or proof that the stored one is good. step_fetch.c's
 * other half. */
#ifndef PROXYD_FETCH_H
#define PROXYD_FETCH_H

#include "request.h"

/* Decides, and sets up what is delivered: r->filling and r->object, the pipe, or the stale object. */
void fetch_take_head(struct request *request, const struct http_head *head);
/* Whether the stale object may be served since the origin fails (RFC 9111 section 4.2.4, RFC 5861 section 4). */
bool fetch_may_serve_stale(const struct request *request);
/* What in this answer forbids to store it for others; its lifetime is not asked for. */
enum nostore fetch_forbidden(struct request *request, const struct http_head *head);
/* The stale object becomes what is delivered. */
void fetch_use_stale(struct request *request, enum verdict verdict);
/* The URL's index of Vary specs learns of the variant that was stored. */
void fetch_update_vary_index(struct request *request, const struct object *object);
enum nostore fetch_nostore(enum store_err err);
/* The stored fields with those of an answer that speaks of the same representation, and what is kept beside them. False: they
 * cannot be kept. */
bool fetch_merge(struct request *request, const struct object *old, const struct stored_view *view, const struct http_head *head,
	struct slice *ret_kept, struct object_meta *ret_meta);
/* Who waits for it may have it, unless a purge came while it was asked for. */
void fetch_share(struct request *request, struct object *object, struct store_key key);

/* step_fetch.c. Asks the origin once more, for the same answer to the client. False: it cannot be asked. */
bool fetch_ask_on(struct request *request);
/* Everything has come, or nothing more will. */
void fetch_ended(struct request *request, enum end end);
/* Adds what an exchange has done to the record. */
void fetch_take_facts(struct request *request, const struct exchange_facts *facts);
/* The error answer for an origin that failed like this. */
enum step fetch_error(struct request *request, enum end end);
/* Stops what is under way. */
void fetch_stop(struct request *request, enum end end);

#endif
