/* A certificate from its files: every reason why it cannot be used is a sentence. */
#include "cert.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>

#include "../conf/check.h"
#include "ocsp.h"

const char *cert_kind_name(enum cert_kind kind)
{
	static const char *const names[CERT_KIND_COUNT] = {
#define X(name) [CERT_##name] = #name,
		CERT_KINDS(X)
#undef X
	};

	return names[kind];
}

/* ---- life ---- */

struct cert *cert_ref(struct cert *cert)
{
	atomic_fetch_add_explicit(&cert->refs, 1, memory_order_relaxed);
	return cert;
}

void cert_unref(struct cert **cert)
{
	struct cert *c = *cert;

	*cert = NULL;
	if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	X509_free(c->leaf);
	sk_X509_pop_free(c->chain, X509_free);
	EVP_PKEY_free(c->key);
	cert_names_free(c->names, c->name_count);
	free(c);
}

/* ---- files ---- */

static void openssl_why(const char *what, const char *file, char why[CERT_WHY_MAX])
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(why, CERT_WHY_MAX, "%s of '%s' cannot be read: %s", what, file, reason ? reason : "it is not PEM");
	ERR_clear_error();
}

/* The file in memory: whoever writes it meanwhile does not change what we look at. */
static BIO *file_open(const char *file, char why[CERT_WHY_MAX])
{
	FILE *in = fopen(file, "re");
	BIO *bio = NULL;
	char *bytes;
	size_t len;

	if (!in) {
		snprintf(why, CERT_WHY_MAX, "'%s': %s", file, strerror(errno));
		return NULL;
	}
	bytes = must(malloc(CERT_FILE_MAX + 1));
	len = fread(bytes, 1, CERT_FILE_MAX + 1, in);
	if (ferror(in))
		snprintf(why, CERT_WHY_MAX, "'%s': %s", file, strerror(errno));
	else if (len > CERT_FILE_MAX)
		snprintf(why, CERT_WHY_MAX, "'%s' is larger than 1 MB", file);
	else if (len == 0)
		snprintf(why, CERT_WHY_MAX, "'%s' is empty", file);
	else if ((bio = BIO_new(BIO_s_mem())))
		BIO_write(bio, bytes, (int)len);
	OPENSSL_cleanse(bytes, len);
	free(bytes);
	fclose(in);
	return bio;
}

static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

/* The certificates up to the end of the file; false: there is something else between them, or they are too many. */
static bool take_list(STACK_OF(X509) *list, int most, const char *file, BIO *bio, char why[CERT_WHY_MAX])
{
	X509 *next;

	while ((next = PEM_read_bio_X509(bio, NULL, no_password, NULL)) && sk_X509_num(list) < most)
		sk_X509_push(list, next);
	if (next) {
		X509_free(next);
		snprintf(why, CERT_WHY_MAX, "'%s' has more than %d certificates", file, most);
		return false;
	}
	unsigned long err = ERR_peek_last_error();
	if (ERR_GET_LIB(err) == ERR_LIB_PEM && ERR_GET_REASON(err) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return true;
	}
	openssl_why("the chain", file, why);     /* a half-written file */
	return false;
}

static bool take_chain(struct cert *cert, const char *file, BIO *bio, char why[CERT_WHY_MAX])
{
	cert->leaf = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
	if (!cert->leaf) {
		openssl_why("the certificate", file, why);
		return false;
	}
	cert->chain = sk_X509_new_null();
	return take_list(cert->chain, CERT_CHAIN_MAX, file, bio, why);
}

STACK_OF(X509) *cert_list_read(const char *file, char why[CERT_WHY_MAX])
{
	STACK_OF(X509) *list = sk_X509_new_null();
	BIO *bio = file_open(file, why);
	bool good = bio && take_list(list, CERT_LIST_MAX, file, bio, why);

	BIO_free(bio);
	if (good && sk_X509_num(list) == 0)
		snprintf(why, CERT_WHY_MAX, "'%s' has no certificate in PEM", file);
	if (good && sk_X509_num(list) > 0)
		return list;
	sk_X509_pop_free(list, X509_free);
	return NULL;
}

static bool take_key(struct cert *cert, const char *file, const char *key_file, char why[CERT_WHY_MAX])
{
	const char *name = key_file ? key_file : file;
	BIO *bio = file_open(name, why);

	if (!bio)
		return false;
	cert->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	if (!cert->key) {
		openssl_why("the key", name, why);
		return false;
	}
	if (X509_check_private_key(cert->leaf, cert->key) == 1)
		return true;
	ERR_clear_error();
	snprintf(why, CERT_WHY_MAX, "the key of '%s' does not belong to the certificate of '%s'", name, file);
	return false;
}

/* ---- what it says ---- */

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static bool take_names(struct cert *cert, struct cert_facts *facts, const char *file, char why[CERT_WHY_MAX])
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert->leaf, &der);
	struct cert_brief brief;

	if (len <= 0 || !cert_brief_read(slice_make((const char *)der, (size_t)len), &brief)) {
		snprintf(why, CERT_WHY_MAX, "the certificate of '%s' cannot be understood", file);
		OPENSSL_free(der);
		return false;
	}
	facts->kind = brief.kind;
	cert->names = cert_names_take(brief.names, &cert->name_count);
	OPENSSL_free(der);
	if (cert->name_count)
		return true;
	snprintf(why, CERT_WHY_MAX, "the certificate of '%s' is for no name: it has no subjectAltName", file);
	return false;
}

static void take_facts(const X509 *leaf, struct cert_facts *facts, int64_t now_s)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;

	snprintf(facts->serial, sizeof(facts->serial), "%s", hex ? hex : "");
	OPENSSL_free(hex);
	BN_free(number);
	facts->not_before_s = seconds_of(X509_get0_notBefore(leaf));
	facts->not_after_s = seconds_of(X509_get0_notAfter(leaf));
	facts->loaded_s = now_s;
}

/* ---- OCSP ---- */

/* Whether the file has an answer that says good now; then handshakes send it. */
static bool take_staple(struct cert *cert, const char *file, int64_t now_s)
{
	struct ocsp_about about = { .leaf = cert->leaf, .issuer = ocsp_issuer(cert->leaf, cert->chain, NULL) };
	struct ocsp_answer answer;
	char why[CERT_WHY_MAX], *bytes = NULL;
	BIO *bio = file_open(file, why);
	long len = bio ? BIO_get_mem_data(bio, &bytes) : 0;
	bool good = about.issuer && len > 0 && ocsp_read(slice_make(bytes, (size_t)len), &about, now_s, &answer, why) == OCSP_SAYS_good;

	if (good)
		cert_staple_set(cert->leaf, cert_staple_new(slice_make(bytes, (size_t)len), answer.from_s, answer.until_s));
	BIO_free(bio);
	return good;
}

/* ---- the whole ---- */

static struct cert *load(const char *file, const char *key, bool nameless, int64_t now_s, char why[CERT_WHY_MAX])
{
	struct cert *cert = must(calloc(1, sizeof(*cert)));
	struct cert_facts *facts = NULL;
	BIO *bio;

	ERR_clear_error();
	snprintf(why, CERT_WHY_MAX, "'%s' cannot be used", file);
	atomic_init(&cert->refs, 1);
	bio = file_open(file, why);
	bool good = bio && take_chain(cert, file, bio, why) && take_key(cert, file, key, why);
	BIO_free(bio);
	if (good)
		cert->facts = facts = cert_facts_make(cert->leaf);
	if (!good || (!nameless && !take_names(cert, facts, file, why))) {
		cert_unref(&cert);
		return NULL;
	}
	take_facts(cert->leaf, facts, now_s);
	facts->wants_staple = !nameless && ocsp_is_wanted(cert->leaf);
	return cert;
}

struct cert *cert_load(const char *file, const char *key, char *const *staples, size_t staple_count, int64_t now_s, char why[CERT_WHY_MAX])
{
	struct cert *cert = load(file, key, false, now_s, why);

	for (size_t i = 0; cert && i < staple_count && !cert->staple_file[0]; i++)
		if (take_staple(cert, staples[i], now_s))
			snprintf(cert->staple_file, sizeof(cert->staple_file), "%s", staples[i]);
	return cert;
}

struct cert *cert_load_client(const char *file, const char *key, int64_t now_s, char why[CERT_WHY_MAX])
{
	return load(file, key, true, now_s, why);
}

bool cert_is_valid(const struct cert *cert, int64_t now_s, char why[CERT_WHY_MAX])
{
	time_t when = (time_t)(now_s < cert->facts->not_before_s ? cert->facts->not_before_s : cert->facts->not_after_s);
	struct tm tm;
	char date[32] = "";

	if (now_s >= cert->facts->not_before_s && now_s <= cert->facts->not_after_s)
		return true;
	if (gmtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	snprintf(why, CERT_WHY_MAX, now_s < cert->facts->not_before_s ? "it is not valid before %s" : "it expired at %s", date);
	return false;
}
