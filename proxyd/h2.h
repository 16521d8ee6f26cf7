/* A client connection that speaks HTTP/2 (RFC 9113): many streams, each the carrier of one request. nghttp2 has the framing,
 * HPACK, the windows and the order of sending; what a head may be, limits and ends are ours. A struct conn (conn.h) is below
 * it: its socket, its timer, its place in the worker's list.
 *
 *   h2_conn.c    a connection's life: beginning, reading, limits, GOAWAY, time-outs, end, its record
 *   h2_head.c    the block of fields of a request, collected, judged and turned into the head that HTTP/1 would have had
 *   h2_stream.c  a stream's life: content, windows, ends
 *   h2_write.c   answers: heads, bodies, what the socket takes
 *
 * Nothing is sent on the stack of its cause: what is due goes out at the end of the round (h2_flush_later), so that nghttp2 is
 * never entered twice, and the answers of one round leave together. All in the worker's thread. */
#ifndef PROXYD_H2_H
#define PROXYD_H2_H

#include <nghttp2/nghttp2.h>

#include "conn.h"

enum {
	H2_STREAM_WINDOW = 65535,                /* content of one request that may come before the request takes it */
	H2_STREAM_OUT_MAX = 64 * 1024,           /* body bytes of one answer that wait for window, priority and socket */
	H2_BATCH = 64 * 1024,                    /* frames that are gathered for one system call, and wait when it is refused */
	H2_FRAME_ROOM = 16 * 1024 + 9,           /* the largest one that we send, head included */
	H2_QUEUE_MAX = 1000,                     /* frames that wait to be sent: beyond it nothing more is read */
	H2_CONTINUATIONS_MAX = 8,                /* in one head */
	H2_HEAD_OVER = 4,                        /* a head this many times larger than allowed ends the connection: HPACK bombs */
	H2_PREFACE_LEN = 24,
	H2_EARLY_PRIORITIES = 16,                /* of streams to come that are remembered: PRIORITY_UPDATE before HEADERS */
};
#define H2_BUDGET_US 10000000u

enum h2_budget {
#define H2_BUDGET(name, most, end, doc) H2_BUDGET_##name,
#include "tbl/h2_budgets.h"
#undef H2_BUDGET
	H2_BUDGET_COUNT
};

struct h2_pseudo { size_t at, len; bool seen; };
/* The head that is being received: there is at most one (RFC 9113 section 4.3). */
struct h2_head {
	int32_t stream_id;
	char *lines;                             /* "name: value\r\n"... as they came */
	size_t lines_len, lines_cap;
	char *pseudo;                            /* method, scheme, path, authority one behind the other */
	size_t pseudo_len, pseudo_cap;
	struct h2_pseudo method, scheme, path, authority;
	char *cookie;                            /* crumbs joined (RFC 9113 section 8.2.3) */
	size_t cookie_len, cookie_cap;
	size_t total, count;                     /* bytes as lines; fields */
	uint64_t frame_bytes;                    /* of its frames, heads included */
	bool has_length;                         /* Content-Length has come */
	bool fields;                             /* a field that is no pseudo field has come */
	bool trailers;                           /* of a stream that has its head: checked and dropped */
	enum refusal refusal;                    /* the first thing that is wrong */
	bool open;
	uint64_t first_us;
	int64_t first_wall_us;
};

enum h2_wait { H2_WAIT_none, H2_WAIT_content, H2_WAIT_send };

struct h2_stream {
	struct carrier carrier;
	struct h2 *h2;
	int32_t id;
	struct h2_stream *prev, *next, *next_dead;
	struct timer timer;
	enum h2_wait wait;
	/* reading */
	char *in;                                /* content that the request has no room for yet: at most H2_STREAM_WINDOW */
	size_t in_pos, in_len, in_cap;
	uint64_t received, length;               /* content; what Content-Length said, UINT64_MAX: nothing */
	struct content_rate rate;
	bool content, content_end;               /* some is due; END_STREAM has come */
	bool wants_content, continue_due, feeding;
	/* sending */
	char *out;
	size_t out_pos, out_len, out_cap;
	bool headed, no_body, ended, end_sent;   /* the head was submitted; the answer is whole; END_STREAM was gathered */
	bool deferred;                           /* nghttp2 waits for more bytes */
	bool blocked;                            /* the request waits to be told of room */
	uint64_t end_at;                         /* count of the connection's bytes when end_sent */
	bool closed;                             /* nghttp2 does not know it any more */
	bool flushed_once;                       /* body bytes have left before */
	nghttp2_extpri priority;                 /* what the client said last */
	bool let_go, dead;                       /* its request is over; so is it, and freed at the end of the round */
};

struct h2 {
	struct conn *conn;
	nghttp2_session *session;
	struct h2_stream *streams, *dead;
	struct h2_stream *sending;               /* of the frame that was gathered last; NULL: another one's */
	size_t request_count;                    /* of them with a request in progress */
	struct h2_head head;
	struct { uint64_t from_us; unsigned count[H2_BUDGET_COUNT]; } budget;
	struct { int32_t id; nghttp2_extpri priority; } early[H2_EARLY_PRIORITIES];
	size_t early_next;
	struct mail flush_mail;
	struct timer head_timer, go_timer;       /* a head that is not whole; between the two GOAWAY */
	bool flush_queued, going, gone;          /* going: told to ask elsewhere; gone: with the last stream's number */
	bool begun;                              /* its preface was whole */
	enum end end;                            /* why we ended it; END_complete: we did not */
	char why_text[128];                      /* the same in nghttp2's words; empty: not known */
	char *out;                               /* frames that the socket did not take */
	size_t out_pos, out_len;
	uint64_t made, left;                     /* bytes of frames: gathered; taken by the socket */
	uint64_t took_us;                        /* when the socket took some last */
};

extern const struct carrier_ops h2_ops;

static inline struct h2_stream *h2_stream_of(struct carrier *carrier)
{
	return (struct h2_stream *)((char *)carrier - offsetof(struct h2_stream, carrier));
}

/* ---- h2_conn.c: for conn.c ---- */

/* How much of the preface bytes begin with: H2_PREFACE_LEN when it is whole, 0 when they do not. Pure. */
size_t h2_preface(const char *buf, size_t len);
/* The connection speaks HTTP/2 from now on; len bytes (preface included) have come already. */
void h2_begin(struct conn *conn, const char *buf, size_t len);
void h2_ready(struct conn *conn, uint32_t events);
void h2_read(struct conn *conn);
void h2_timer(struct conn *conn);
/* The connection is over: every request is told `end`. Before conn_close(). */
void h2_gone(struct conn *conn, enum end end);
void h2_free(struct h2 **h2);
/* Another configuration; graceful stop: streams that are open are answered, new ones are sent elsewhere. */
void h2_reload(struct conn *conn);
void h2_drain(struct conn *conn);

/* ---- among the files ---- */

/* Ends the connection by GOAWAY; what is open is told `end`. */
void h2_give_up(struct h2 *h2, uint32_t code, enum end end);
/* Takes one of the budget; false: it was the last, and the connection is given up. */
bool h2_spend(struct h2 *h2, enum h2_budget budget);
/* No new streams: GOAWAY, in two steps (RFC 9113 section 6.8). */
void h2_go(struct h2 *h2);
/* A request is over: the idle time begins, or the end. */
void h2_settle(struct h2 *h2);

/* h2_head.c */
void h2_head_open(struct h2 *h2, int32_t stream_id, bool trailers);
void h2_head_add(struct h2 *h2, struct slice name, struct slice value);
void h2_head_close(struct h2 *h2);
/* The head is whole. end: no content follows. Gives a head of slices into *ret_buf (malloc'ed, the caller's), or a refusal. */
enum refusal h2_head_take(struct h2 *h2, bool end, const struct settings *set, struct http_header *headers, struct http_head *ret_head, char **ret_buf);
/* Priority (RFC 9218 section 4): u=0..7, i; what is absent or malformed is as in `base`. Pure. */
nghttp2_extpri h2_priority(struct slice value, nghttp2_extpri base);

/* h2_stream.c */
struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id);
void h2_stream_begin(struct h2_stream *stream, bool end);
/* nghttp2 has refused a stream (REFUSED_STREAM) and not looked at its head: its line of the log. */
void h2_stream_refused(struct h2 *h2);
/* PRIORITY_UPDATE has come for a stream, which may still be to come (RFC 9218 section 7.1). */
void h2_stream_priority(struct h2 *h2, int32_t id, struct slice value);
/* The origin's word on the priority of its answer (RFC 9218 section 8): what it names replaces what the client said. */
void h2_stream_priority_answer(struct h2_stream *stream, struct slice value);
void h2_stream_data(struct h2_stream *stream, const char *bytes, size_t len);
void h2_stream_ended(struct h2_stream *stream);
void h2_stream_closed(struct h2_stream *stream, uint32_t code);
/* Ends it by RST_STREAM; its request, if any, is told `end`. */
void h2_stream_reset(struct h2_stream *stream, uint32_t code, enum end end);
/* Frees it when neither nghttp2 nor a request has it. */
void h2_stream_settle(struct h2_stream *stream);
void h2_streams_bury(struct h2 *h2);
void h2_stream_want(struct carrier *carrier);
void h2_stream_done(struct carrier *carrier);
void h2_stream_abort(struct carrier *carrier);
void h2_stream_wait(struct h2_stream *stream, enum h2_wait wait, uint64_t delay_us);

/* h2_write.c */
ssize_t h2_body_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags, nghttp2_data_source *source, void *user);
void h2_flush_later(struct h2 *h2);
/* Sends what is due. The connection may be over after it. */
void h2_flush(struct h2 *h2);
/* More to send? */
static inline bool h2_has_unsent(const struct h2 *h2)
{
	return h2->out_len > h2->out_pos || transport_has_unsent(&h2->conn->transport);
}

#endif
