/* TLS towards clients: what a configuration's servers are for OpenSSL, and how a handshake chooses among them. */
#ifndef PROXYD_TLS_FRONT_H
#define PROXYD_TLS_FRONT_H

#include "certs.h"
#include "tls.h"
#include "tls_tickets.h"
#include "../conf/enums.h"

/* What all configurations of the daemon share. */
struct tls_shared {
	struct certs *certs;
	struct tls_tickets *tickets;
};
bool tls_shared_open(struct tls_shared *shared);
/* The thread of the certificates ends: before the workers are freed. */
void tls_shared_stop(struct tls_shared *shared);
/* When no configuration is left. */
void tls_shared_close(struct tls_shared *shared);

/* Makes conf->tls, unless nothing listens with ssl: certificates and keys are read. Tells every failure; then false. */
bool tls_front_make(struct tls_shared *shared, struct conf *conf);
/* The same for -t: nothing is kept. */
bool tls_front_check(struct conf *conf);

struct tls_server {
	const struct conf_server *conf;
	SSL_CTX *ctx;                            /* under front->lock: replaced when a certificate is */
	struct cert_slot **slots;
	size_t slot_count;
	struct cert_folder **folders;
	size_t folder_count;
	struct cert_wish *wishes;                /* one for each slot, then for each folder */
	STACK_OF(X509) *trusted;                 /* ssl_trusted_certificate */
};

struct tls_front {
	struct tls_shared *shared;
	const struct conf *conf;
	struct certs_listener listener;
	pthread_mutex_t lock;
	struct tls_server *servers;              /* by conf_server.index */
	size_t server_count;
	bool early;                              /* a server takes early data */
};

/* One reference. NULL: the server has no TLS. */
SSL_CTX *tls_front_context(struct tls_front *front, const struct conf_server *server);

/* tls_context.c: what a server says, as OpenSSL has it. NULL with a sentence. */
SSL_CTX *tls_context_make(const struct tls_shared *shared, const struct conf_server *server, struct cert *const *certs, size_t count, char why[CERT_WHY_MAX]);
/* The rest of it that a connection does not get with a context. */
void tls_context_apply(SSL *ssl, const struct conf_server *server);

/* tls_hello.c: a client that has connected. resume: called when a handshake that was held can go on. NULL: no memory. */
struct tls *tls_accept(struct worker *worker, int fd, const struct conf *conf, const struct conf_listen *listen, void (*resume)(void *owner), void *owner);
/* What the handshake of a client was refused for. */
enum end tls_failure(const struct tls *tls, const char **ret_text);
int tls_hello(SSL *ssl, int *alert, void *arg);
/* The name in a server_name extension (RFC 6066 section 3), in lower case without a final dot. False: malformed. Pure. */
bool tls_parse_name(struct slice extension, char ret_name[TLS_NAME_MAX + 1]);

/* A client's certificate, as text: slices in the arena. */
struct arena;
struct tls_peer {
	struct slice verify;                     /* none (shown), good, bad */
	struct slice error;                      /* what is bad */
	struct slice subject, issuer, serial, fingerprint;
	struct slice der;                        /* as the value of Client-Cert (RFC 9440) */
};
/* False: none was asked for. */
bool tls_peer_read(const struct tls *tls, struct arena *arena, struct tls_peer *ret);

#endif
