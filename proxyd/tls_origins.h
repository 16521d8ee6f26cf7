/* TLS towards origins: what the proxy_ssl_ lines of a configuration are for OpenSSL, and in which words a handshake fails.
 *
 * An identity is everything of it but the name: trusted certificates, client certificate, versions, whether it is verified. It
 * has one SSL_CTX, for all workers. Identities are shared: by all locations that say the same, and with the configuration
 * before as long as the files have not changed, so that idle connections and sessions outlive a reload that does not concern
 * them. Connections and sessions of one identity are never used for another. */
#ifndef PROXYD_TLS_ORIGINS_H
#define PROXYD_TLS_ORIGINS_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "../conf/conf.h"
#include "../conf/enums.h"

enum { TLS_DIGEST_BYTES = 32, TLS_REASON_MAX = 192 };

struct tls_identity {
	struct tls_identity *next;               /* of the registry */
	unsigned refs;                           /* under the registry's lock */
	uint64_t id;                             /* never used again */
	char *lines;                             /* what is written, as one text */
	unsigned char digest[TLS_DIGEST_BYTES];  /* of that and of what the files have */
	unsigned char trust[TLS_DIGEST_BYTES];   /* of the trusted certificates and revocation lists alone */
	SSL_CTX *ctx;                            /* read by all threads */
	bool verify, server_name, reuse;
};

/* Makes conf->tls_uses: certificates and keys are read. What is wrong is told with its place; then false. A file that may not
 * be read any more (since the user was changed to) leaves the identity as it was before. Main thread. */
bool tls_origins_make(struct conf *conf);
struct tls_identity *tls_identity_ref(struct tls_identity *identity);
void tls_identity_unref(struct tls_identity **identity);         /* NULL is fine; any thread */

/* tls_reason.c. Why a handshake with an origin, or reading before its answer, failed: one of the three ends origin_tls_*, or
 * END_complete when it was not TLS that failed. reason: a sentence, left alone when it is the certificate: tls_verify_reason() has given it.
 * *ret_alert: the number of an alert that was received, else -1. */
enum end tls_origin_failure(unsigned long error, bool handshaking, char reason[TLS_REASON_MAX], int *ret_alert);
/* What is wrong with a certificate that is being verified. */
void tls_verify_reason(X509_STORE_CTX *store, char out[TLS_REASON_MAX]);
/* "handshake_failure"; empty: not in the registry. Pure. */
struct slice tls_alert_name(int alert);

#endif
