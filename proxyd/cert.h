/* A certificate with its chain and its key, as files have them: loaded and checked whole, immutable after that, shared under a
 * reference count. Any thread. */
#ifndef PROXYD_CERT_H
#define PROXYD_CERT_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "../conf/slice.h"

enum { CERT_FILE_MAX = 1024 * 1024, CERT_CHAIN_MAX = 16, CERT_NAMES_MAX = 1000, CERT_SERIAL_MAX = 44, CERT_WHY_MAX = 256 };

/* What may lie beside each other under one name. */
#define CERT_KINDS(X) X(ecdsa) X(rsa) X(other)
enum cert_kind {
#define X(name) CERT_##name,
	CERT_KINDS(X)
#undef X
	CERT_KIND_COUNT };
const char *cert_kind_name(enum cert_kind kind);

struct cert {
	atomic_uint refs;
	X509 *leaf;
	STACK_OF(X509) *chain;           /* without the leaf, in the order of the file */
	EVP_PKEY *key;
	enum cert_kind kind;
	char **names;                    /* DNS names and addresses it is for, lower case; at least one */
	size_t name_count;
	char serial[CERT_SERIAL_MAX];    /* hexadecimal */
	int64_t not_before_s, not_after_s, loaded_s;
	bool stapled;                    /* cert_staple(leaf) is not NULL */
};

/* An OCSP answer that says good. It belongs to the X509, which handshakes hold for longer than the certificate is served. */
struct cert_staple {
	int64_t until_s;                 /* INT64_MAX: says nothing of it */
	size_t len;
	unsigned char der[];
};

/* key: NULL when it is in the same file. staples: files that may have an OCSP answer for it; those that cannot be used are
 * passed over. NULL with a sentence in why when the certificate cannot be used. One that is expired, or not valid yet, is
 * loaded: cert_is_valid() says so. */
struct cert *cert_load(const char *file, const char *key, char *const *staples, size_t staple_count, int64_t now_s, char why[CERT_WHY_MAX]);
/* One that is shown to origins: it need not be for a name. */
struct cert *cert_load_client(const char *file, const char *key, int64_t now_s, char why[CERT_WHY_MAX]);
bool cert_is_valid(const struct cert *cert, int64_t now_s, char why[CERT_WHY_MAX]);
struct cert *cert_ref(struct cert *cert);
void cert_unref(struct cert **cert);             /* NULL is fine */
/* NULL: it has none. */
const struct cert_staple *cert_staple(const X509 *leaf);

/* cert_names.c: what a certificate in DER says, without decoding it as a whole. Pure: slices point into der. */
struct cert_brief {
	enum cert_kind kind;
	int64_t not_before_s, not_after_s;
	struct slice names;                      /* the extension subjectAltName (RFC 5280 section 4.2.1.6) */
};
bool cert_brief_read(struct slice der, struct cert_brief *ret);
/* The next DNS name or address of brief.names; an empty one at the end. Names that no host can have are passed over.
 * buf: lower case, as text. */
enum { CERT_NAME_MAX = 253 };
struct slice cert_brief_name(struct slice *names, char buf[CERT_NAME_MAX + 1]);
/* All of them, at most CERT_NAMES_MAX, in memory of their own. */
char **cert_names_take(struct slice names, size_t *ret_count);
void cert_names_free(char **names, size_t count);
/* The first certificate of a PEM text, as DER in buf; 0: there is none, or it is too large. */
size_t cert_first_der(struct slice pem, unsigned char *buf, size_t size);

#endif
