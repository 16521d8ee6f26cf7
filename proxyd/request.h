/* A request's life: a list of steps, each in its own file, with the edges it may take. Newcomers start here.
 *
 * The loop in request.c runs steps until one waits; an event (a carrier's, an exchange's, a message) runs it again. A step
 * that takes an edge that is not in the list is a bug and stops the program. step_finish is the only place that makes the
 * log record, and every request comes through it. */
#ifndef PROXYD_REQUEST_H
#define PROXYD_REQUEST_H

#include "arena.h"
#include "stream.h"
#include "origin.h"
#include "stored.h"
#include "flight.h"
#include "forwarding.h"
#include "target.h"
#include "http_range.h"
#include "../conf/logline.h"
#include "../cachestore/cachestore.h"

struct tls_peer;

#define REQ_STEPS(STEP) \
	STEP(receive, NEXT(route)   | NEXT(answer))                                                     \
	STEP(route,   NEXT(guard)   | NEXT(answer))                                                     \
	STEP(guard,   NEXT(lookup)  | NEXT(fetch)  | NEXT(answer) | NEXT(purge))                        \
	STEP(purge,   NEXT(answer))                                                                     \
	STEP(lookup,  NEXT(deliver) | NEXT(fetch)  | NEXT(lookup) | NEXT(answer) | NEXT(slice))         \
	STEP(fetch,   NEXT(deliver) | NEXT(answer) | NEXT(lookup) | NEXT(finish) | NEXT(slice))         \
	STEP(slice,   NEXT(deliver) | NEXT(lookup) | NEXT(answer))  /* of a big file: the first one is sought */ \
	STEP(answer,  NEXT(deliver) | NEXT(finish))      /* an answer of our own: refusals, errors, rules */ \
	STEP(deliver, NEXT(finish)  | NEXT(answer) | NEXT(lookup))      /* lookup: the stored body could not be read */ \
	STEP(finish,  NEXT(done))

enum step {
#define STEP(name, edges) STEP_##name,
	REQ_STEPS(STEP)
#undef STEP
	STEP_done,
	STEP_wait = 255                /* stay in this step; an event comes back to it */
};

/* A configuration in use by this worker: counted without atomics, so that requests of several workers do not fight for
 * one cache line. */
struct conf_hold {
	struct conf *conf;
	size_t uses;
};

/* How a stored part becomes more than it is: joint.h. All of it in bytes of the whole, ends included. */
struct join_plan { struct byte_range part, want; uint64_t total; };

/* A fetch of one slice for a request: slices.h. */
struct slice_fetch {
	struct request *request;       /* NULL: none, or over */
	struct object *object;         /* what it fills; NULL: not yet, or it failed */
	uint64_t number;
	enum end end;
	bool used, ahead;
	bool unstored;                 /* object is of memory only */
};

enum source { SOURCE_none, SOURCE_object, SOURCE_pipe, SOURCE_text };

struct request {
	struct worker *worker;
	struct carrier *carrier;       /* NULL: the client is gone */
	struct conf_hold *hold;
	struct conf_server *server;
	struct conf_location *location;
	enum step step;
	bool running;                  /* the loop is on the stack: events only mark what they bring */
	bool again;                    /* an event came meanwhile: run the step once more */
	bool cork;                     /* more bytes are about to come: the head waits for them */
	bool background;               /* nobody's: renews a stored object; refresh.c */
	bool kept;                     /* the head was copied: the request outlives request_begin() */

	struct http_head head;
	struct slice path;             /* normalised, for routing */
	uint64_t start_us;             /* monotonic */
	struct logline log;            /* the record in the making: steps write what they know */
	struct forwarding forwarding;
	char client_text[FORWARDING_CLIENT_MAX];
	struct tls_peer *tls_peer;     /* the client's certificate, when one was asked for; NULL else */
	struct sockaddr_in6 peer;      /* of any family that fits; outlives the connection */

	/* content */
	char *hold_buf;                /* content held back until the origin is asked, or until it reads on */
	size_t hold_len, hold_cap, hold_sent;
	bool content_last;             /* everything has come */
	bool has_content;
	uint64_t content_got;
	enum refusal content_refusal;
	enum end content_end;

	/* cache */
	struct volume *volume;
	bool use_cache;                /* may look up and store */
	bool may_store;
	bool reduced;                  /* by rules, to what the cache's key has: the origin gets no more */
	bool ranged;                   /* GET with a Range: what comes may be a part */
	bool solo;                     /* fetch without waiting for others */
	bool hit_for_miss, was_collapsed, revalidating;
	bool variant_known;            /* other variants of the URL are stored */
	bool post_as_get;              /* the answer to POST says that it is what GET would get (RFC 9110 section 9.3.3) */
	struct slice first_head;       /* of an object that is being filled: with the fields that only this client gets; kept form */
	struct slice key_text;
	struct store_key key;
	struct slice variant_text;     /* whole text of the variant's key; empty: none known */
	struct store_key variant_key;
	struct slice part_text;        /* key of the stored part of what this request selects: parts.h; empty: not looked for */
	struct store_key part_key;
	struct object *part;           /* stored; what the fetch completes, as `join` says */
	struct join_plan join;
	struct joint *joint;           /* that is under way, or over: joint.c */
	struct object *master;         /* what is delivered is stored in slices: its head; object is the slice at r->sent */
	uint64_t slice_size, slice_number, slice_own, slice_ahead;   /* number: of object; own: what this fetch asks for */
	char *slice_text;              /* the key of a slice but for its number */
	size_t slice_text_len;
	struct slice slice_validator;
	enum tier slice_tier;          /* where object is from */
	enum end slice_end;            /* why the next one cannot be had */
	unsigned slice_restarts;
	bool slicing, slice_off, slice_waited;     /* the fetch asks for a slice; it must not; another's fetch has been waited for */
	struct slice_fetch slice_fetches[2];       /* the one that is waited for, and the next */
	struct request *slice_of;      /* this is such a fetch */
	struct slice_fetch *slice_fetch;
	struct object *object;         /* what is delivered (or looked at) */
	struct object *stale;          /* stored, past its lifetime: being revalidated, or the last resort */
	struct flight *flight;         /* led by this request */
	struct slice own_spec;         /* Vary spec of a running fetch that turned out to be of another variant */
	bool own_asked;                /* it has waited, or may not wait, for the fetch of its own variant */
	struct flight_waiter waiter;   /* waiting for another request's flight */
	struct timer collapse_timer;
	bool loading;                  /* volume_load is under way */
	struct store_key loaded_key;   /* of what was loaded last */
	bool from_disk;                /* r->object was: it came from disk for this request */
	bool disk_late;                /* the disk has let it wait for too long: it is asked no more */
	struct timer disk_timer;
	struct load *load;             /* shared with the I/O thread */
	struct purge_wait *purge;      /* a purge: shared with the volume's thread */
	bool purging, purge_soft;      /* it is under way */
	uint8_t purge_kind;

	/* fetch */
	struct exchange *exchange;
	struct exchange_facts facts;
	struct object *filling;        /* what the fetch fills; readers may share it */
	bool fetch_started, fetch_done, fetch_headed, fetch_304;
	enum end fetch_end;
	struct content_range fetch_part;   /* the answer is this part of a whole; total 0: it is the whole */
	int64_t fetch_sent_us;         /* by worker->steady_us */
	uint64_t fetch_born, fetch_asked;  /* the volume's clocks of purges and of voiding then */
	bool body_paused, discard, spilling, fetch_again, content_sent_last;
	struct slice tags;             /* of the origin's answer */
	unsigned pipe_status;          /* an answer that passes: its head in kept form, and how long it is */
	struct slice pipe_head;
	uint64_t pipe_length;
	bool pipe_no_body;

	/* compression: compress.h */
	uint8_t coding;                /* enum coding: put on the answer */
	bool coding_done, coding_varies;           /* it is decided; and may be another for other clients */
	bool whole_only;               /* no range of it: the client could not tell the codings apart */
	bool compress_failed;
	struct object *decoded;        /* what object is the coded form of: its head is sent */
	struct compression *zip;       /* bytes are coded on their way */
	uint64_t coded_bytes;          /* so far, before the coding */

	/* delivery */
	enum source source;
	struct answer answer;
	struct slice blocks[6];
	bool head_sent, body_done, not_modified;
	uint64_t sent;                 /* body bytes taken by the carrier; SOURCE_object: where in the whole the next ones begin */
	uint64_t body_end;             /* SOURCE_object: where to stop; UINT64_MAX: at the end */
	uint64_t base, total;          /* SOURCE_object: where in the whole it begins; how long the whole is, UINT64_MAX: not known */
	struct byte_range *ranges;     /* of a 206 */
	size_t range_count, range_at;
	struct slice boundary, range_text;   /* several ranges: the text before, or behind, the current one */
	size_t range_text_sent;
	struct slice text;             /* SOURCE_text */
	bool own, no_body, was_stale;  /* an answer of our own; nothing but a head is sent; a stored one was stale */
	bool plain;                    /* its head did not fit: one of our own goes out, without any field that is not framing */
	unsigned own_status;
	int64_t date_us;               /* the Date that the answer lacks; 0: it has one */
	struct slice own_location;     /* a redirect of our own */
	struct slice own_text, own_type;   /* type empty: plain text, with the status before it */
	char *pipe_buf;                /* SOURCE_pipe: bytes the client has not taken yet */
	size_t pipe_len, pipe_pos, pipe_cap;
	struct object_waiter object_waiter;
	struct mail wake_mail;         /* posted by object_waiter and flight_waiter */
	atomic_bool wake_queued;
	struct disk_read *disk_read;   /* under way or done: shared with an I/O thread */
	uint64_t ahead_to;             /* up to here the disk was asked to read ahead; 0: it was fast so far */
	struct timer send_timer;

	struct mail free_mail;
	struct request *prev, *next;   /* all requests of the worker that are kept */
	struct arena arena;            /* last: not cleared */
};

/* The steps. Each returns the next step or STEP_wait. */
#define STEP(name, edges) enum step step_##name(struct request *request);
REQ_STEPS(STEP)
#undef STEP

/* Runs the loop until a step waits or the request is done (and freed). Safe to call from an event at any time. */
void request_run(struct request *request);
/* Copies the head out of the carrier's buffer; call before waiting. The loop does it by itself. */
void request_keep(struct request *request);
/* An answer of our own with a short text body: sets what step_answer sends. */
enum step request_refuse(struct request *request, enum refusal refusal);
/* step_guard.c: larger than client_max_body_size, by what was announced or by what has come. */
bool request_content_too_large(const struct request *request);
/* The content could not be read: content_refusal and content_end say why. */
enum step request_refuse_content(struct request *request);
enum step request_error(struct request *request, unsigned status, enum end end);
/* step_answer.c: to another URL. */
enum step request_redirect(struct request *request, unsigned status, struct slice location);
/* request_tls.c: what the connection's TLS says, into the record; what it must have before a request is taken: REFUSAL_none,
 * or why it is not. Whether the client used https, with us or with a trusted proxy. The step to the same URL with https. */
void request_log_tls(struct request *request);
enum refusal request_check_tls(struct request *request);
bool request_is_https(const struct request *request);
enum step request_to_https(struct request *request);
/* Evaluates a template of the configuration in the request's arena: the value of a field, in one line; or a text, with its
 * line ends. */
struct slice request_expand(struct request *request, const struct conf_template *text);
struct slice request_expand_text(struct request *request, const struct conf_template *text);

/* step_fetch.c: stops what is under way when the client is gone and nobody else needs it. */
void request_fetch_client_gone(struct request *request);
/* request.c: an empty request of this worker. */
struct request *request_new(struct worker *worker);
/* invalidate.c: a successful unsafe request makes what is stored for its URL, and for those its answer names, void. */
void request_invalidate(struct request *request, const struct http_head *response);
/* Whether a URI reference (Content-Location) names the request's own URL. */
bool request_names_itself(struct request *request, struct slice reference);
/* refresh.c: a request of nobody's for the same as this one; not run yet. */
struct request *request_background(struct request *request);
/* refresh.c: fetches r->object anew in the background, unless that is under way. */
void request_refresh(struct request *request);
/* step_receive.c */
struct forwarding_input request_forwarding_input(struct request *request);
/* step_finish.c: the carrier's counts go into the record, before the carrier is let go. */
void request_take_counts(struct request *request);
/* step_fetch.c: gives the origin the content that has come, and asks the client for more. An answer may begin before the
 * content has ended (an echo). */
void request_pump_content(struct request *request);
void request_stop_exchange(struct request *request);
/* step_lookup.c: the key of the variant that this request selects by a Vary spec: r->variant_*. False: too long. */
struct target request_target(const struct request *request);
/* False: no memory for it. */
bool request_key_make(struct request *request);
bool request_variant_key(struct request *request, struct slice spec);
void request_variant_language(const struct request *request, struct slice block, struct slice *ret_language, struct slice *ret_values);
void request_object_wake(struct object_waiter *waiter);
void request_flight_wake(struct flight_waiter *waiter);
void request_collapse_timeout(struct worker *worker, struct timer *timer);
bool request_only_if_cached(const struct request *request);
/* Runs the request soon, from any thread. */
void request_wake(struct request *request);
/* The stored object under a key: HIT with r->object, MISS, or LOAD: r->loading, the step must wait. */
enum store_get request_get(struct request *request, struct store_key key, struct slice key_text);
void request_load_free(struct request *request);
/* Nobody waits for what is being loaded any more. r->loading stays when its message is on the way. */
void request_load_cancel(struct request *request);
static inline struct flight_key request_flight_key(const struct request *request, struct store_key key)
{
	return (struct flight_key){ request->volume, key };
}
/* deliver_disk.c */
enum disk { DISK_READY, DISK_WAIT, DISK_UNREADABLE };
/* Bytes at r->sent of an object that is on disk only. */
enum disk request_disk_read(struct request *request, struct iovec *ret_iov);
/* What the client did not take is read again later: memory is not for those who wait. */
void request_disk_pause(struct request *request);
void request_disk_end(struct request *request);
/* step_purge.c */
void request_purge_free(struct request *request);
/* fetch_head.c: the head that goes to the origin. Empty when it does not fit. */
struct slice request_origin_head(struct request *request);
/* How long the content is that goes with it; UINT64_MAX: chunked. */
uint64_t request_origin_length(const struct request *request);
/* step_deliver.c: sends body bytes from the exchange; false: pause it. */
bool request_pipe(struct request *request, struct slice bytes);

/* Per worker: free lists, scratch memory, the list of all connections and kept requests. */
struct client_list {
	struct conf_hold *hold;
	struct request *free_requests;
	size_t free_count;
	size_t compressions;           /* streams of this worker: compress.c */
	struct request *requests;      /* kept ones */
	struct conn *conns;
	struct http_header headers[HTTP_HEADERS_MAX];
	char read_buf[128 * 1024];
	char head_buf[ANSWER_HEAD_MAX + 32 * 1024];
	char disk_buf[256 * 1024];
};
struct conf_hold *conf_hold_get(struct worker *worker);
void conf_hold_put(struct worker *worker, struct conf_hold *hold);

#endif
