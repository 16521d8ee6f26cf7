/* Shared by origin*.c, by nobody else: connections, exchanges and what each file gives the others.
 *
 *   origin.c        the life of an exchange: choose, connect, events, timers, retries, the end
 *   origin_pool.c   connections: making, idling, reuse, closing; read buffers; what a worker keeps of them
 *   origin_write.c  request head and content -> socket
 *   origin_read.c   socket -> heads and payload
 *   origin_tls.c    the TLS handshake between connecting and the request; origin_session.c: sessions that are resumed
 *
 * Any call of the user may abort the exchange. So: whoever calls the user, directly or not, holds the exchange by
 * exchange_enter()/_leave() and looks at `over` afterwards before touching anything but the exchange's own memory. */
#ifndef PROXYD_ORIGIN_INTERNAL_H
#define PROXYD_ORIGIN_INTERNAL_H

#include "origin.h"
#include "http_body.h"
#include "origin_session.h"
#include "transport.h"
#include "upstream.h"

enum {
	READ_BUFFER_SIZE = EXCHANGE_BODY_MAX, /* holds the largest head that proxy_header_max allows */
	READ_BUFFERS_KEPT = 16, /* unused ones that a worker keeps */
	READS_PER_EVENT = 4, /* then the other connections have their turn */
	INFORMATIONAL_MAX = 16, /* 1xx before a final head */
	TRIES_MAX = 10, /* upper bound of proxy_tries */
	FRAME_MAX = 32, /* bytes of chunk framing that can be left over by a short write */
};

/* A connection, idle (exchange NULL) or with an exchange. */
struct origin_conn {
	struct io io;
	struct timer timer;
	struct transport transport; /* of io.fd */
	struct tls_identity *identity; /* a reference; NULL: plain */
	struct exchange *exchange;
	struct upstream_place *place;
	bool good_end; /* everything was sent and read: TLS says good-bye */
	/* while idle */
	struct upstream *upstream;
	struct upstream_link by_place, by_upstream;
};

struct read_buffer {
	union {
		struct read_buffer *next;
		char bytes[READ_BUFFER_SIZE];
	};
};

enum exchange_step { EXCHANGE_idle,
	EXCHANGE_connecting,
	EXCHANGE_handshake,
	EXCHANGE_open };

struct exchange {
	struct exchange *prev, *next; /* all of this worker's */
	struct worker *worker;
	struct exchange_user user;
	void *arg;
	struct mail mail;
	/* holding it in memory */
	unsigned depth; /* of enter/leave */
	bool mailed; /* `mail` is queued */
	bool over; /* ended or aborted: freed by the last one to leave */
	bool starting; /* within exchange_start(): the user must not be called */
	bool end_waits;
	enum end end; /* end to be told by mail */
	/* the request */
	const struct conf_location *location;
	enum http_method method;
	bool idempotent;
	uint64_t content_length;
	struct slice tls_name;
	/* where it goes */
	struct upstream *upstream;
	struct upstream_pick pick; /* place NULL: none */
	const struct conf_addr *tried[TRIES_MAX];
	size_t tried_count;
	bool stale_once; /* a reused connection was found closed: from now on only fresh ones */
	struct exchange_facts facts;
	uint64_t connect_from_us, sent_from_us;
	/* the attempt under way: wiped for a new one */
	struct origin_conn *conn;
	enum exchange_step step;
	size_t head_sent;
	uint64_t chunk_left; /* announced by a chunk line, not yet given by the user */
	char frame[FRAME_MAX]; /* framing that must go out before anything else */
	uint8_t frame_from, frame_len;
	bool blocked; /* the socket took less than was there: EPOLLOUT is armed */
	bool want; /* call want_content when it takes more */
	bool content_over; /* all content was taken */
	bool last_waits; /* the end of chunked content was given by itself: sent when it can be */
	bool send_over; /* nothing more is sent: the origin answered, or the connection broke */
	bool send_failed, reset; /* it broke; it broke without the origin's good-bye */
	/* the answer */
	struct read_buffer *buffer; /* only while bytes are in it */
	size_t in_from, in_used, in_seen;
	bool answer_begun; /* any byte of it came */
	bool head_done, keep, event_stream;
	bool paused, parked; /* parked: taken out of the loop because it hung up while paused */
	unsigned informational_count;
	struct http_body body;
	size_t head_len;
	char head[]; /* of the request */
};

struct origin_pool {
	struct upstreams upstreams;
	struct exchange *exchanges;
	struct read_buffer *buffers;
	size_t buffer_count;
	struct origin_sessions sessions;
};

/* origin.c */
static inline void exchange_enter(struct exchange *ex)
{
	ex->depth++;
}
void exchange_leave(struct exchange *ex);
/* Gives back all but its own memory. */
void exchange_strip(struct exchange *ex);
/* Tells the user; the exchange is over. */
void exchange_end(struct exchange *ex, enum end end);
/* The connection broke before a head came: once more, elsewhere, or the end. */
void exchange_lost(struct exchange *ex);
/* Runs exchange_kick at the end of the round. */
void exchange_defer(struct exchange *ex);
/* Arms the events and the timer that fit the state. */
void exchange_settle(struct exchange *ex);
void exchange_ready(struct worker *worker, struct io *io, uint32_t events);
void exchange_timeout(struct worker *worker, struct timer *timer);
/* The connection stands, with its TLS: the request may go. */
void exchange_opened(struct exchange *ex);
/* The server that was picked could not be asked: the next one, or the end. blamed: it is the server's fault. */
void exchange_failed(struct exchange *ex, enum end end, bool blamed);
/* The server that was asked has failed: why. */
void exchange_blame(struct exchange *ex, enum end why);

/* origin_write.c */
/* Everything that can be sent without the user has been. */
static inline bool exchange_is_flushed(const struct exchange *ex)
{
	return ex->head_sent == ex->head_len && ex->frame_from == ex->frame_len;
}
static inline bool exchange_is_sent(const struct exchange *ex)
{
	return ex->content_over && exchange_is_flushed(ex);
}
/* Sends what waits; asks the user for content. */
void exchange_write(struct exchange *ex);
/* The socket takes more: what TLS has kept goes first. */
void exchange_flush(struct exchange *ex);

/* origin_read.c */
/* Reads from the socket and hands on. */
void exchange_read(struct exchange *ex);
/* Hands on what is in the buffer. False when reading must stop: paused, over, or on another connection by now. */
bool exchange_take(struct exchange *ex);

/* origin_tls.c */
/* The socket is connected: a handshake begins; exchange_opened() or exchange_failed() follows. */
void origin_tls_begin(struct exchange *ex);
void origin_tls_go(struct exchange *ex);
/* Whether the connection is of the kind that the exchange needs: plain, or of the same TLS identity and name. */
bool origin_tls_fits(const struct exchange *ex, const struct origin_conn *conn);
/* For the record of an exchange on a connection that was kept. */
void origin_tls_reused(struct exchange *ex);
/* Why a connection broke before an answer came: with TLS 1.3 an origin refuses a certificate only after the handshake. */
enum end origin_tls_why_lost(struct exchange *ex);

/* origin_pool.c */
/* A fresh connection that is being made (END_complete; *ret_done: it is there already), or why not. */
enum end origin_conn_open(struct exchange *ex, bool *ret_done);
void origin_conn_close(struct worker *worker, struct origin_conn **conn);
/* The newest idle connection to the place of ex->pick becomes ex->conn. */
bool origin_conn_reuse(struct exchange *ex);
/* ex->conn becomes idle, or is closed when none may be kept. */
void origin_conn_keep(struct exchange *ex);
void read_buffer_take(struct exchange *ex);
void read_buffer_give(struct exchange *ex);

#endif
