/* Big files in slices of one size, each fetched when its bytes are asked for, and stored under a key of its own.
 *
 * What is stored under the URL's key (or the variant's) then is the master: the head of the whole, its length, the size of the
 * slices, and no body. The identity of the whole, a strong validator with the length, is part of each slice's key: a master
 * with another identity finds none of the old slices, and bytes of two files cannot be mixed. */
#ifndef PROXYD_SLICES_H
#define PROXYD_SLICES_H

#include "request.h"

/* Whether this request's fetch asks for a slice, and of which size they would be; 0: no. */
uint64_t slice_wanted(const struct request *request);
/* The Range, and for a further slice the If-Range, that the fetch sends. */
void slice_add_fields(struct request *request, struct text *text);

/* ---- the first answer ---- */
/* A 206 that is the slice asked for, of a whole with an identity: r->fetch_part. */
bool slice_of_answer(struct request *request, const struct http_head *head);
/* Stores the master and begins to fill the slice: r->master, r->filling. kept: the head of the whole. */
enum store_err slices_begin(struct request *request, struct object_meta *meta, struct slice kept);

/* ---- further slices: requests of nobody's, made for one that has a client ---- */
/* The answer to such a request. */
void slice_take_head(struct request *request, const struct http_head *head);
/* It is over: its facts become those of the request that it was made for. */
void slice_fetch_done(struct request *request);
/* Whether any is under way for this request. */
bool slices_busy(const struct request *request);
void slices_free(struct request *request);

/* Starts one for the slice of this number, and gives it the flight. ahead: the client does not wait for it yet. False: two are
 * under way. */
bool slice_fetch_start(struct request *request, uint64_t number, struct flight **flight, bool ahead);

/* ---- delivering ---- */
/* What r->master says of the slices. False: it cannot be read. */
bool slices_take_master(struct request *request);
/* The key of a slice; the text is good until the next call. */
struct slice slice_key(struct request *request, uint64_t number, struct store_key *ret_key);
enum slice_seek { SLICE_ready, SLICE_wait, SLICE_failed };
/* Makes the slice with the byte r->sent r->object. */
enum slice_seek slice_seek(struct request *request);
/* The next one will be wanted soon: it is fetched unless it is there. */
void slice_ahead(struct request *request);
/* What is delivered has been found: the step that does. A master's slices are sought first. */
enum step slice_or_deliver(struct request *request);

#endif
