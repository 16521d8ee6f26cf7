/* TLS sessions with origins, to be resumed: the newest of each server, name and identity, as this worker knows them. A session
 * was verified when it was made: it is never used for another identity, and not beyond the end of the certificate. In the
 * worker's thread. */
#ifndef PROXYD_ORIGIN_SESSION_H
#define PROXYD_ORIGIN_SESSION_H

#include <openssl/ssl.h>

#include "../conf/slice.h"

enum { ORIGIN_SESSIONS_MAX = 512, ORIGIN_SESSION_BUCKETS = 256 };

struct origin_session;
struct origin_sessions {
	struct origin_session *buckets[ORIGIN_SESSION_BUCKETS];
	struct origin_session *newest, *oldest;  /* by last use */
	size_t count;
};

/* address: of the server; name: lower case. */
struct origin_session_key { uint64_t identity; struct slice address, name; };

/* Connections of the context keep what origins give them; serve false: they ask for no sessions. The SSL's user data is by
 * tls_of(), whose owner is the struct origin_conn. */
void origin_sessions_serve(SSL_CTX *ctx, bool serve);
/* NULL: there is none that can be used at this time (seconds since 1970). Borrowed. */
SSL_SESSION *origin_session_find(struct origin_sessions *all, const struct origin_session_key *key, int64_t now_s);
/* Takes the session. */
void origin_session_put(struct origin_sessions *all, const struct origin_session_key *key, SSL_SESSION *session);
void origin_session_drop(struct origin_sessions *all, const struct origin_session_key *key);
void origin_sessions_release(struct origin_sessions *all);

#endif
