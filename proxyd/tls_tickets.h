/* The keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): one for all workers, so that whichever gets the connection
 * resumes the session. From files that nodes share, or made here and changed every hour. Any thread. */
#ifndef PROXYD_TLS_TICKETS_H
#define PROXYD_TLS_TICKETS_H

#include <openssl/ssl.h>

#include "../conf/conf.h"

enum { TICKET_KEYS_MAX = 25, TICKET_KEY_US = 3600 * 1000000ull /* an hour each: sessions of a day are resumed */, TICKET_NAME = 16 };

struct tls_tickets;
struct tls_tickets *tls_tickets_new(void);
void tls_tickets_free(struct tls_tickets **tickets);
/* The keys of the configuration's files; without one those made here, which stay when they are in use already. False with a
 * sentence in why: nothing has changed. */
bool tls_tickets_take(struct tls_tickets *tickets, const struct conf *conf, char why[256]);
/* Reads the files and keeps nothing (-t). */
bool tls_tickets_check(const struct conf *conf, char why[256]);
/* For the process that takes over: the keys made here, with their ages. Returns how many bytes; 0: keys are from files, which it
 * reads itself. Wipe buf. */
enum { TICKETS_GIVEN_MAX = 1 + TICKET_KEYS_MAX * (TICKET_NAME + 32 + 32 + 8) };
size_t tls_tickets_give(struct tls_tickets *tickets, char buf[TICKETS_GIVEN_MAX]);
/* The other end, before tls_tickets_take(): sessions of the other process are resumed here. Bytes that are not understood are
 * passed over, and false. */
bool tls_tickets_inherit(struct tls_tickets *tickets, struct slice given);
/* Connections of this context use them; they must live as long as any handshake of it. */
void tls_tickets_serve(struct tls_tickets *tickets, SSL_CTX *ctx);

#endif
