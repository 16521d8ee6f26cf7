/* A certificate with its chain and its key, as files have them: loaded and checked whole, immutable after that, shared under a
 * reference count. Any thread. */
#ifndef PROXYD_CERT_H
#define PROXYD_CERT_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "../conf/slice.h"

enum { CERT_FILE_MAX = 1024 * 1024, CERT_CHAIN_MAX = 16, CERT_LIST_MAX = 1000, CERT_NAMES_MAX = 1000, CERT_SERIAL_MAX = 44, CERT_WHY_MAX = 256, CERT_PATH_MAX = 512 };

/* What may lie beside each other under one name. */
#define CERT_KINDS(X) X(ecdsa) X(rsa) X(other)
enum cert_kind {
#define X(name) CERT_##name,
	CERT_KINDS(X)
#undef X
	CERT_KIND_COUNT };
const char *cert_kind_name(enum cert_kind kind);

/* What is known of a certificate by its X509 alone, which handshakes hold for longer than it is served. */
struct cert_facts {
	enum cert_kind kind;
	char serial[CERT_SERIAL_MAX];    /* hexadecimal */
	int64_t not_before_s, not_after_s, loaded_s;
	bool wants_staple;               /* RFC 7633: clients that know this refuse it without an OCSP answer */
};

struct cert {
	atomic_uint refs;
	X509 *leaf;
	STACK_OF(X509) *chain;           /* without the leaf, in the order of the file */
	EVP_PKEY *key;
	const struct cert_facts *facts;  /* cert_facts(leaf) */
	char **names;                    /* DNS names and addresses it is for, lower case; at least one */
	size_t name_count;
	char staple_file[CERT_PATH_MAX]; /* the file that its OCSP answer was loaded from; empty: none */
};

/* cert_staple.c: what an X509 carries for handshakes. The OCSP answer, which says good, is replaced while they run. */
struct cert_staple {
	int64_t from_s;                  /* thisUpdate */
	int64_t until_s;                 /* INT64_MAX: says nothing of it */
	size_t len;
	unsigned char der[];
};
/* Facts for a certificate that has none yet. */
struct cert_facts *cert_facts_make(X509 *leaf);
const struct cert_facts *cert_facts(const X509 *leaf);           /* NULL: it is none of ours */
struct cert_staple *cert_staple_new(struct slice der, int64_t from_s, int64_t until_s);
/* Takes it; NULL: it has none any more. */
void cert_staple_set(X509 *leaf, struct cert_staple *staple);
/* The answer for a handshake now, to be given to OPENSSL_free(); 0: it has none, or an expired one. */
size_t cert_staple_copy(const X509 *leaf, int64_t now_s, unsigned char **ret_der);
/* From when until when it is; false: it has none. */
bool cert_staple_dates(const X509 *leaf, int64_t *ret_from_s, int64_t *ret_until_s);

/* key: NULL when it is in the same file. staples: files that may have an OCSP answer for it; those that cannot be used are
 * passed over. NULL with a sentence in why when the certificate cannot be used. One that is expired, or not valid yet, is
 * loaded: cert_is_valid() says so. */
struct cert *cert_load(const char *file, const char *key, char *const *staples, size_t staple_count, int64_t now_s, char why[CERT_WHY_MAX]);
/* One that is shown to origins: it need not be for a name. */
struct cert *cert_load_client(const char *file, const char *key, int64_t now_s, char why[CERT_WHY_MAX]);
bool cert_is_valid(const struct cert *cert, int64_t now_s, char why[CERT_WHY_MAX]);
struct cert *cert_ref(struct cert *cert);
void cert_unref(struct cert **cert);             /* NULL is fine */
/* All certificates of a file in PEM; NULL with a sentence. */
STACK_OF(X509) *cert_list_read(const char *file, char why[CERT_WHY_MAX]);

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
