/* Exchanges with origins: choose a server of the upstream, connect or reuse, send the request, read the answer, retry
 * when that is safe. Speaks HTTP/1.1 (or 1.0) to the origin, over TLS where the location says so; its user sees heads and payload bytes only.
 * One exchange belongs to one worker's thread. */
#ifndef PROXYD_ORIGIN_H
#define PROXYD_ORIGIN_H

#include "worker.h"
#include "http_head.h"
#include "tls_origins.h"

struct exchange;

/* What became of the origin's certificate. */
#define ORIGIN_VERIFIES(X) X(none) X(good) X(bad) X(off)
enum origin_verify {
#define X(name) ORIGIN_VERIFY_##name,
	ORIGIN_VERIFIES(X)
#undef X
};

enum { EXCHANGE_BODY_MAX = 64 * 1024 };  /* bytes of one call of body(), and of what is read at once */

/* Facts for the log record; complete after done(). */
struct exchange_facts {
	struct slice address;            /* of the last server asked: points into the configuration's conf_addr.text */
	unsigned tries;
	bool reused;
	int64_t connect_us, first_us;    /* -1: not reached */
	uint64_t bytes_in, bytes_out;    /* payload */
	int64_t status;                  /* -1: none */
	/* TLS, of the last try */
	struct slice tls;                /* version, static text; empty: plain, or no handshake was over */
	struct slice tls_name;           /* what the certificate had to be for: of the configuration, or the request's */
	enum origin_verify verify;
	bool tls_resumed;
	int64_t tls_us;                  /* handshake; -1: none was over */
	int tls_alert;                   /* the origin's, that broke it off (RFC 8446 section 6); -1: none */
	char tls_error[TLS_REASON_MAX];  /* why it failed; empty: it did not */
};

/* Calls into the user, all in the worker's thread and never from within exchange_start(). */
struct exchange_user {
	/* A 1xx other than 100 and 101 (103 Early Hints ...); may be NULL. */
	void (*informational)(void *arg, const struct http_head *head);
	/* The final head, once. Its slices live until the call returns. Hop-by-hop fields are marked dropped. Body bytes come
	 * only after it has returned. */
	void (*head)(void *arg, const struct http_head *head);
	/* Payload bytes, borrowed for the call: they count as taken whatever is returned. Returning false pauses reading until
	 * exchange_resume(); `done` may come all the same when these were the last. */
	bool (*body)(void *arg, struct slice bytes);
	/* The end, once; nothing is called after it. END_complete: the answer was whole. Anything else: why not
	 * (connect_refused, connect_timeout, origin_read_timeout, origin_send_timeout, origin_left, origin_invalid,
	 * origin_tls_certificate, origin_tls_alert, origin_tls_invalid, no_origin, internal); `head` may or may not have been called before. The exchange is freed after it returns. */
	void (*done)(void *arg, enum end end, const struct exchange_facts *facts);
	/* The origin is ready for more of the request's content (only with content_length != 0): give it by
	 * exchange_send(). Called when the connection stands, and after exchange_send() took less than it was given; between
	 * these, what comes from the client may be given at any time. After a final head of status 300 and more, no content is
	 * taken and this is not called any more; `done` with END_complete may come before all content was taken. */
	void (*want_content)(void *arg);
};

struct exchange_request {
	struct conf_location *location;  /* upstream, settings; the caller's reference to the conf outlives the exchange */
	struct slice head;               /* request line and fields as they go out, ending with the empty line, except that
	                                  * Transfer-Encoding is written by the caller too; copied */
	enum http_method method;
	bool idempotent;                 /* may be sent again on another connection when nothing of an answer has come */
	uint64_t content_length;         /* 0: none; UINT64_MAX: chunked, this side frames */
	struct slice tls_name;           /* proxy_ssl_name of the location, expanded; borrowed: outlives the exchange and its facts */
};

/* Starts; never calls the user from within. */
struct exchange *exchange_start(struct worker *worker, const struct exchange_request *request, const struct exchange_user *user, void *arg);
/* Gives content; returns how many bytes were taken (0: wait for want_content). last: no more after these; without bytes
 * it is always taken. Bytes that were not taken are given again: of a chunked request they may be announced already. Never
 * more than content_length in all. A retry is impossible once content was taken. Never calls the user. */
size_t exchange_send(struct exchange *exchange, struct slice bytes, bool last);
void exchange_resume(struct exchange *exchange);         /* never calls the user from within */
/* Drops it: the connection is closed, no call follows; facts are copied out first (NULL: not wanted). May be called from
 * within any call of the user but done; bytes and heads borrowed for that call stay until it returns. */
void exchange_abort(struct exchange **exchange, struct exchange_facts *ret_facts);
/* A server of an upstream, as this worker knows it. What is counted is counted for the address, whichever upstream names it. */
struct origin_seen {
	const struct conf_upstream *upstream;
	const struct conf_origin *origin;
	const struct conf_addr *addr;
	int64_t out_us;                  /* until when it is not asked: microseconds since 1970; 0: it is asked */
	unsigned fails;                  /* in a row */
	uint64_t idle, busy;             /* connections */
	uint64_t asked, failures;        /* tries, as origin_tries in the log counts them; those that failed */
	enum end error;                  /* of the last that failed */
	int64_t error_us;                /* when: microseconds since 1970; 0: none has */
};
/* Each server of the worker's configuration; in the worker's thread. */
void origins_look(struct worker *worker, void (*each)(void *arg, const struct origin_seen *seen), void *arg);
/* As of now. */
void exchange_facts(const struct exchange *exchange, struct exchange_facts *ret_facts);

#endif
