/* TLS by OpenSSL: what lies under a transport, and what a worker has of it. Shared by the files tls_*.c and conn_tls.c; those
 * who only send and receive bytes need transport.h alone. In the worker's thread. */
#ifndef PROXYD_TLS_H
#define PROXYD_TLS_H

#include <openssl/ssl.h>

#include "transport.h"
#include "worker.h"

enum {
	TLS_RECORD_MAX = 16384,                  /* payload of the largest record (RFC 8446 section 5.1) */
	TLS_RECORD_FIRST = 1400,                 /* of the first ones: one segment each, so that a client can begin at once */
	TLS_FIRST_BYTES = 64 * 1024,             /* so many in small records, after a pause */
	TLS_PAUSE_US = 1000000,
	TLS_BATCH = 4 * TLS_RECORD_MAX,          /* payload that is encrypted for one system call, and waits when it is refused */
	TLS_IN_BYTES = 64 * 1024,                /* read from a socket at once */
	TLS_PEEK_BYTES = 4096,                   /* the same when nothing but the end is looked for */
	TLS_NAME_MAX = 255,
	TLS_UNSENT_MAX = 2 * TLS_BATCH,          /* encrypted bytes that wait: one batch, or what a client provokes and does not read */
};

struct tls;
struct cert_wait;
struct tls_front;

struct tls_worker {
	/* Handshakes: those that can go on, first come first served; all that are under way, oldest first. */
	struct tls *ready, **ready_end;
	struct tls *oldest, *newest;
	uint64_t under_way;
	struct mail mail;
	bool mail_posted;
	/* Memory for bytes on their way through: nothing stays in it between two calls. */
	char in[TLS_IN_BYTES];
	char gather[TLS_RECORD_MAX];
	size_t out_len;
	char out[TLS_BATCH + 32 * 1024];
};

struct tls {
	SSL *ssl;
	struct tls_worker *scratch;              /* the worker's */
	struct worker *worker;
	int fd;
	bool begun, ready, over;                 /* the handshake: a byte has come; bytes may flow; it is over */
	bool early;                              /* early data may come before it is over (RFC 8446 section 2.3) */
	char *early_in;                          /* what has come of it and was not asked for yet */
	size_t early_len;
	bool end_seen, end_told, cut, shut;
	bool socket_end;                         /* nothing more comes from it */
	const char *feed;                        /* encrypted bytes that OpenSSL may take now */
	size_t feed_len;
	char *in;                                /* those that it did not take: kept between two calls */
	size_t in_len;
	char *out;                               /* encrypted bytes that the kernel did not take */
	size_t out_pos, out_len;
	uint64_t first_us, ready_us;             /* monotonic */
	uint64_t sent_us, sent_bytes;            /* last sending; since the last pause */
	unsigned long error;                     /* OpenSSL's: why the handshake, or reading, failed */
	/* with an origin: `owner` is the connection; a client's handshake, as long as it is under way */
	struct tls_front *front;
	const struct conf_listen *listen;
	struct cert_wait *wait;                  /* for certificates that are being loaded */
	struct tls *prev, *next, *ready_next;
	bool linked, queued, name_unknown;
	void *owner;
	void (*resume)(void *owner);
	char name[TLS_NAME_MAX + 1];             /* SNI, lower case */
};

/* A connection that was accepted (server) or is to be made. Takes nothing of ctx but a reference. NULL: no memory. */
struct tls *tls_new(struct worker *worker, int fd, SSL_CTX *ctx, bool server);
void tls_free(struct tls **tls);
struct tls *tls_of(const SSL *ssl);
enum transport_step tls_handshake(struct tls *tls);
bool tls_flush(struct tls *tls);
/* close_notify goes out, or waits to. */
void tls_say_end(struct tls *tls);
struct transport_facts tls_facts(const struct tls *tls);
/* tls_hello.c: a certificate that is being loaded for it is not waited for any more. */
void tls_forget_wait(struct tls *tls);

/* tls_context.c: the lowest and the highest of CONF_TLS_ bits, as OpenSSL has them; 0: what is good today. */
struct tls_versions { int lowest, highest; };
struct tls_versions tls_versions(unsigned protocols);

/* tls_queue.c: the handshakes of a worker. */
void tls_worker_make(struct worker *worker);
void tls_worker_free(struct worker *worker);
/* Under way from now on; tls_leave() when it is over, or given up. */
void tls_enter(struct tls *tls);
void tls_leave(struct tls *tls);
/* It can go on: resume() is called in its turn. A round of the loop goes on with so many that open connections, whose events
 * come first in the next round, hardly wait. */
void tls_queue(struct tls *tls);
/* The one that has been under way for longest, when they are more than `most`; else NULL. */
struct tls *tls_surplus(const struct worker *worker, uint64_t most);

#endif
