/* What lies between a client connection (the carrier: HTTP/1 or HTTP/2) and a request. A request does not know who
 * carries it; a carrier does not know what a request does. All in the worker's thread.
 *
 *   carrier -> request                        request -> carrier (struct carrier_ops)
 *   request_begin()    a head was parsed      informational, head, body, end, abort, flush
 *   request_content()  content bytes          want_content
 *   request_writable() room to send again
 *   request_client_gone()
 */
#ifndef PROXYD_STREAM_H
#define PROXYD_STREAM_H

#include <sys/uio.h>

#include "worker.h"
#include "http_head.h"

struct request;
struct transport;
struct carrier;
struct conf_hold;

/* The head of an answer, for any carrier. `blocks` are whole field lines "Name: value\r\n", without framing, Connection
 * and Date lines of our own: carriers add what is theirs. */
enum { ANSWER_HEAD_MAX = 128 * 1024 };   /* all blocks together: more is not given to a carrier */
enum answer_body { ANSWER_NO_BODY /* HEAD, 204, 304 */, ANSWER_LENGTH, ANSWER_UNKNOWN };
struct answer {
	unsigned status;
	const struct slice *blocks;
	size_t block_count;
	enum answer_body body;
	uint64_t length;               /* ANSWER_LENGTH; for ANSWER_NO_BODY: what Content-Length says, or UINT64_MAX: nothing */
	bool close;                    /* the connection must not be used again */
};

struct carrier_ops {
	/* Writes an interim (1xx) answer. Carriers that may not send it (HTTP/1.0) drop it. */
	void (*informational)(struct carrier *carrier, unsigned status, struct slice block);
	/* Stages the head; it leaves with the first body bytes or with flush. Once. */
	void (*head)(struct carrier *carrier, const struct answer *answer);
	/* Sends body bytes, in order; returns how many were taken (0: wait for request_writable). Bytes that were not taken
	 * must be offered again, first. */
	size_t (*body)(struct carrier *carrier, const struct iovec *iov, int count);
	/* The answer is whole. Returns true when everything was handed to the kernel, false: request_writable will come. Call
	 * again then. */
	bool (*end)(struct carrier *carrier);
	/* The answer cannot be completed: what was sent stays visibly broken. The carrier lets go of the request. */
	void (*abort)(struct carrier *carrier);
	/* Sends what is staged. */
	void (*flush)(struct carrier *carrier);
	/* Keeps what is staged until more comes or the round of the loop ends: body bytes are about to follow. */
	void (*cork)(struct carrier *carrier);
	/* The request will take content now: 100 (Continue) is sent when the client waits for it, reading goes on. */
	void (*want_content)(struct carrier *carrier);
	/* The request is over and logged; the carrier may begin the next one. */
	void (*done)(struct carrier *carrier);
};

struct carrier {
	const struct carrier_ops *ops;
	struct request *request;       /* NULL: none in progress */
	struct slice peer_text;        /* address without port */
	uint16_t peer_port;
	const struct sockaddr *peer;
	const struct conf_listen *listen;
	struct conf_hold *hold;        /* of the configuration that listen belongs to */
	const struct settings *set;    /* of the location once it is known, else of the listener's first server */
	uint64_t conn_number, request_number;
	const struct transport *transport;   /* what its bytes go over */
	bool unanswerable;             /* the head is refused without an answer: abort() is what its client gets */
	bool tls;                      /* over TLS, and the handshake is over */
	/* Counted by the carrier for the request in progress. */
	uint64_t request_bytes, head_out, body_out, first_flush, high_water;
};

/* A head was parsed, or refused (refusal != none; head holds what is known, its slices may be empty). The head and its
 * bytes are borrowed until this call returns; a request that lives longer copies them. content: none, length or chunked,
 * as in head. first_us and wall_us: when its first byte came. May call back into the carrier, done() included. */
void request_begin(struct worker *worker, struct carrier *carrier, const struct http_head *head, enum refusal refusal,
	uint64_t first_us, int64_t wall_us);
/* How many bytes of content the request takes now. */
size_t request_content_room(const struct request *request);
/* The next bytes, at most as many as there is room for; last: the content is whole. */
void request_content(struct request *request, struct slice bytes, bool last);
/* The content cannot be read to its end: malformed, too slow, or too large. */
void request_content_failed(struct request *request, enum refusal refusal, enum end end);
void request_writable(struct request *request);
/* Whether an origin is kept busy by this request and nobody but its client would have the answer. */
bool request_is_for_client_alone(const struct request *request);
/* The client is gone, or we gave up on it (END_client_left, END_send_timeout, END_shutdown ...). The carrier is not called
 * any more. */
void request_client_gone(struct request *request, enum end end);
/* The daemon stops: a fetch that would have outlived its client ends, too. */
void request_shutdown(struct request *request);

#endif
