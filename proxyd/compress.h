/* Compressed answers. What is stored stays as its origin sent it. Its coded form is an object of its own in the same volume,
 * under a key beside, made once by a thread of its own (compress_store.c) and bound to the body by length and checksum: so a
 * revalidation keeps it, another body makes it void, and all that is said of the answer (freshness, fields) is the first one's.
 * Until it is there, and for what is not stored, the bytes are coded on their way to the one client. */
#ifndef PROXYD_COMPRESS_H
#define PROXYD_COMPRESS_H

#include "request.h"
#include "encoder.h"

/* Before the head, once for each delivery: r->coding, r->coding_varies, and what they need: r->decoded with r->object its coded
 * form, or r->zip. False: a look-up waits for the disk; call again. */
bool compress_prepare(struct request *request);
/* The field lines of the answer for r->coding: its tag, Vary, Content-Encoding. `etag`: of the coded form; empty: none. */
struct slice compress_block(struct request *request, struct slice block, struct slice etag, unsigned status);
/* If-None-Match for the origin: our tags, and behind them the origin's own that they are made of. */
struct slice compress_condition(struct request *request, struct slice value);
/* The tag of the selected representation. */
struct slice compress_etag(struct request *request, struct slice etag);
/* Body bytes to the client, through r->zip if there is one; as carrier_ops.body. At most 64 KB are coded in one turn: then
 * the request is run again in the next round of the loop, which is another one. */
void compress_turn(struct request *request);
size_t compress_body(struct request *request, const struct iovec *iov, int count);
/* What was coded leaves; end: and nothing more will come. True: the carrier has everything. */
bool compress_push(struct request *request, enum encode how);
/* What was prepared is given back: the stored body could not be read, or all is over. */
void compress_drop(struct request *request);
void compress_free(struct request *request);
/* For the record; and the coded form of what was delivered is made, if it is to be stored and is not there. */
void compress_finish(struct request *request);

/* compress_choose.c: sets r->coding, r->coding_varies and r->whole_only. Why it is identity. */
enum uncoded compress_decide(struct request *request, const struct stored_view *view, unsigned status);
/* For an answer on its way by r->coding. */
unsigned compress_level(const struct request *request);
/* Whether a comma-separated value has this element, with or without an argument. */
bool value_has(struct slice value, struct slice name);

/* compress_store.c: whether the object is the coded form of `of`; *ret_gain: and shorter than it. */
bool coded_fits(const struct object *coded, const struct object *of, bool *ret_gain);
/* A coded form to be made; drops what cannot be queued. Any thread. */
struct compress_order {
	struct daemon *daemon;
	struct conf *conf;             /* keeps the volume open; a reference is taken */
	struct volume *volume;
	struct object *object;         /* whole; a reference is taken */
	enum coding coding;
	unsigned level;
	struct store_key key;          /* of the coded form */
	struct slice key_text;         /* copied */
	struct slice volume_name;      /* of conf */
	uint64_t log_key, log_variant;
};
void compress_order(const struct compress_order *order);
/* Ends the thread, and what it does. When all workers have ended, before the volumes are closed. */
void compress_stop(void);

#endif
