/* A client connection that speaks HTTP/1: the carrier of one request at a time. Shared by conn.c (reading, life) and
 * conn_write.c (sending); nobody else includes it. */
#ifndef PROXYD_CONN_H
#define PROXYD_CONN_H

#include "request.h"
#include "http_body.h"
#include "transport.h"

enum conn_state {
	CONN_HANDSHAKE,                /* of TLS: conn_tls.c */
	CONN_IDLE,                     /* between requests, no byte of the next one has come */
	CONN_HEAD,                     /* part of a head has come */
	CONN_BUSY,                     /* a request is in progress */
	CONN_H2,                       /* it speaks HTTP/2: h2.h */
	CONN_LINGER,                   /* answered and shut down: what still comes is thrown away, so that no reset destroys the answer */
	CONN_CLOSED,
};
/* What the timer is running for. */
enum conn_wait { CONN_WAIT_none, CONN_WAIT_handshake, CONN_WAIT_idle, CONN_WAIT_head, CONN_WAIT_content, CONN_WAIT_send, CONN_WAIT_linger,
	CONN_WAIT_left /* the client has closed its sending half */ };

enum { LINGER_US = 2000000, FIRST_REQUEST_US = 1000000, LINGER_BYTES_MAX = 1024 * 1024, MIN_RATE_WINDOW_US = 10000000 };

/* How fast content comes, over a window. */
struct content_rate { uint64_t from_us, bytes; };

struct h2;

struct conn {
	struct io io;
	struct transport transport;
	struct carrier carrier;
	struct worker *worker;
	struct timer timer;
	enum conn_state state;
	enum conn_wait wait;
	struct conn *prev, *next;
	struct mail free_mail, flush_mail, read_mail;
	bool flush_queued, read_queued;

	/* reading */
	char *in;                      /* bytes that wait: a part of a head, or what is pipelined behind a request */
	size_t in_len, in_seen;
	uint64_t first_us;             /* when the first byte of the head came */
	int64_t first_wall_us;
	bool processing;               /* conn_process is on the stack */
	bool content;                  /* content of the request is still to come */
	bool wants_content;            /* the request asked for it */
	bool continue_due;             /* the client waits for 100 (Continue) */
	bool eof;
	bool plain_on_tls;             /* HTTP came where a TLS handshake was due */
	bool cut;                      /* an answer was broken off: no good-bye may follow it */
	struct http_body body;
	struct content_rate rate;
	uint64_t held_us;              /* since when content that has come waits for room; 0: none does */
	size_t lingered;

	/* sending */
	size_t staged;                 /* bytes in the worker's head_buf that have not left */
	char *out;                     /* the same, when the kernel would not take them at once */
	size_t out_pos, out_len;
	bool head_staged, chunked, keep_alive, http_1_0, close, ended, blocked;
	uint64_t chunk_left;           /* promised by the chunk line, not taken yet */
	bool chunk_tail;               /* the CRLF behind the last chunk is due */

	struct h2 *h2;                 /* CONN_H2, and while that lingers; NULL: HTTP/1 */
	struct sockaddr_storage peer;
	char peer_text[64];
};

extern const struct carrier_ops conn_ops;

static inline struct conn *conn_of(struct carrier *carrier)
{
	return (struct conn *)((char *)carrier - offsetof(struct conn, carrier));
}

/* Sets or renews the timer. */
void conn_wait(struct conn *conn, enum conn_wait wait, uint64_t delay_us);
/* Sets it for content, when it is the client's turn to send some and nothing waits to be sent to it. */
void conn_wait_content(struct conn *conn);
/* The connection is of no use any more: the request is told, everything is freed after this round. */
void conn_gone(struct conn *conn, enum end end);
/* Closed at once, and freed after this round; its request was told, or there is none. */
void conn_close(struct conn *conn);
/* Shut down for sending; what still comes is thrown away for a while. */
void conn_linger(struct conn *conn);
/* After a reload a connection goes on with the new configuration, if that still listens on its address; else conn->close. */
void conn_rebind(struct conn *conn);
/* Whether the client, who has sent `got` more bytes, is slower than `least` bytes a second (0: any) over a window. */
bool content_too_slow(struct content_rate *rate, size_t got, uint64_t now_us, uint64_t least);
/* The request is over: the next one, or the end. */
void conn_request_done(struct conn *conn);
/* conn.c: reads what there is, of the socket or of the transport. */
void conn_read(struct conn *conn);
/* conn_tls.c: the same at the end of this round. */
void conn_read_later(struct conn *conn);
/* conn_tls.c: the handshake of a connection that was just accepted. False: no memory. */
bool conn_tls_begin(struct conn *conn);
/* conn_tls.c: the socket of a connection in its handshake is ready. */
void conn_tls_ready(struct conn *conn, uint32_t events);
/* conn_tls.c: a connection over TLS ends: the record of one that has brought no request. */
void conn_tls_end(struct conn *conn, enum end end);
/* conn_write.c: the socket is writable again. */
void conn_write_ready(struct conn *conn);
/* conn_write.c: forgets what belongs to the answer that is over. */
void conn_write_reset(struct conn *conn);

#endif
