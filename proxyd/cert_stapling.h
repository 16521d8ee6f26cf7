/* What cert_stapling.c and cert_ask.c share. certs->loading is held by who calls any of this.
 *
 * An answer is asked for again in the middle of its life; while that fails the old one is sent until its end. Of certificates in
 * folders those are asked about that somebody has asked for. */
#ifndef PROXYD_CERT_STAPLING_H
#define PROXYD_CERT_STAPLING_H

#include "certs_internal.h"

/* What is wanted for it; NULL: no answers are fetched. */
const struct cert_wish *stapling_wish(const struct cert_slot *slot);
/* Borrowed from its chain or the wish; NULL: it is in neither. */
X509 *stapling_issuer(const struct cert_slot *slot, const struct cert_wish *wish);
/* Whether handshakes send an answer now. */
bool stapling_is_valid(const struct cert_slot *slot, int64_t now_s);
void stapling_drop(struct certs *certs, struct cert_slot *slot);

/* The next fetch: about so many seconds from now (0: at once); in the middle of what is left of an answer; not at all. */
void stapling_due_in(struct certs *certs, struct cert_slot *slot, int64_t seconds);
void stapling_due_refresh(struct certs *certs, struct cert_slot *slot, int64_t until_s);
void stapling_due_never(struct certs *certs, struct cert_slot *slot);

/* The file in ssl_stapling_folder, if there is one. */
void stapling_save(const struct cert_slot *slot, const struct cert_wish *wish, struct slice der);
void stapling_unsave(const struct cert_slot *slot, const struct cert_wish *wish);

#endif
