/* OCSP (RFC 6960, in the profile of RFC 5019): what is asked about a certificate, and what an answer says. No I/O, and the time
 * is an argument. Any thread. */
#ifndef PROXYD_OCSP_H
#define PROXYD_OCSP_H

#include <openssl/x509.h>

#include "../conf/slice.h"

enum { OCSP_WHY_MAX = 256, OCSP_ANSWER_MAX = 64 * 1024 /* bytes: real ones have 300 to 4000 */ };

enum ocsp_says {
	OCSP_SAYS_nothing,                       /* it cannot be used, or does not know the certificate */
	OCSP_SAYS_good,
	OCSP_SAYS_revoked,                       /* signed and in force as a good one is */
};

struct ocsp_answer {
	int64_t from_s;                          /* thisUpdate: seconds since 1970 */
	int64_t until_s;                         /* nextUpdate; INT64_MAX: says nothing of it */
	int64_t revoked_s;
};

/* The certificate, and who has issued it. */
struct ocsp_about {
	X509 *leaf, *issuer;
	bool anyone;                             /* whoever has signed: the signature is verified, its right to is not */
};

/* The first responder with http:// that the certificate names (RFC 5280 section 4.2.2.1), the caller's to free; NULL: none. */
char *ocsp_responder(X509 *leaf);
/* Who has issued it, among these; borrowed; NULL: none of them. Lists may be NULL. */
X509 *ocsp_issuer(X509 *leaf, const STACK_OF(X509) *chain, const STACK_OF(X509) *others);
/* Whether it wants to be refused without a stapled answer (RFC 7633). */
bool ocsp_is_wanted(X509 *leaf);
/* A request in DER, without a nonce so that the responder need not sign for each; OPENSSL_free() it. NULL: no memory. */
unsigned char *ocsp_request(X509 *leaf, X509 *issuer, size_t *ret_len);
/* What the answer says of the certificate now. nothing: a sentence is in why. Else *ret is set. */
enum ocsp_says ocsp_read(struct slice der, const struct ocsp_about *about, int64_t now_s, struct ocsp_answer *ret, char why[OCSP_WHY_MAX]);

#endif
