/* A certificate from its files: every reason why it cannot be used is a sentence. */
#include "cert.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>

#include "../conf/check.h"

enum { OCSP_CLOCK_SKEW_S = 300 };

const char *cert_kind_name(enum cert_kind kind)
{
	static const char *const names[CERT_KIND_COUNT] = {
#define X(name) [CERT_##name] = #name,
		CERT_KINDS(X)
#undef X
	};

	return names[kind];
}

/* ---- what an X509 carries ---- */

static int staple_index;

static void staple_free(void *parent, void *staple, CRYPTO_EX_DATA *data, int index, long number, void *pointer)
{
	(void)parent, (void)data, (void)index, (void)number, (void)pointer;
	free(staple);
}

static void index_make(void)
{
	staple_index = X509_get_ex_new_index(0, NULL, NULL, NULL, staple_free);
	CHECK(staple_index >= 0);
}

const struct cert_staple *cert_staple(const X509 *leaf)
{
	return leaf ? X509_get_ex_data(leaf, staple_index) : NULL;
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

static bool take_chain(struct cert *cert, const char *file, BIO *bio, char why[CERT_WHY_MAX])
{
	X509 *next;

	cert->leaf = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
	if (!cert->leaf) {
		openssl_why("the certificate", file, why);
		return false;
	}
	cert->chain = sk_X509_new_null();
	while ((next = PEM_read_bio_X509(bio, NULL, no_password, NULL)) && sk_X509_num(cert->chain) < CERT_CHAIN_MAX)
		sk_X509_push(cert->chain, next);
	if (next) {
		X509_free(next);
		snprintf(why, CERT_WHY_MAX, "'%s' has more than %d certificates", file, CERT_CHAIN_MAX);
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

static bool take_names(struct cert *cert, const char *file, char why[CERT_WHY_MAX])
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert->leaf, &der);
	struct cert_brief brief;

	if (len <= 0 || !cert_brief_read(slice_make((const char *)der, (size_t)len), &brief)) {
		snprintf(why, CERT_WHY_MAX, "the certificate of '%s' cannot be understood", file);
		OPENSSL_free(der);
		return false;
	}
	cert->kind = brief.kind;
	cert->names = cert_names_take(brief.names, &cert->name_count);
	OPENSSL_free(der);
	if (cert->name_count)
		return true;
	snprintf(why, CERT_WHY_MAX, "the certificate of '%s' is for no name: it has no subjectAltName", file);
	return false;
}

static void take_facts(struct cert *cert, int64_t now_s)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert->leaf);
	BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;

	snprintf(cert->serial, sizeof(cert->serial), "%s", hex ? hex : "");
	OPENSSL_free(hex);
	BN_free(number);
	cert->not_before_s = seconds_of(X509_get0_notBefore(cert->leaf));
	cert->not_after_s = seconds_of(X509_get0_notAfter(cert->leaf));
	cert->loaded_s = now_s;
}

/* ---- OCSP ---- */

static X509 *issuer_of(const struct cert *cert)
{
	for (int i = 0; i < sk_X509_num(cert->chain); i++)
		if (X509_check_issued(sk_X509_value(cert->chain, i), cert->leaf) == X509_V_OK)
			return sk_X509_value(cert->chain, i);
	return NULL;
}

/* Whether the answer is for this certificate, good and fresh; until when. */
static bool staple_says_good(const struct cert *cert, OCSP_RESPONSE *answer, int64_t *ret_until_s)
{
	OCSP_BASICRESP *basic = OCSP_response_status(answer) == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(answer) : NULL;
	X509 *issuer = issuer_of(cert);
	OCSP_CERTID *id = issuer ? OCSP_cert_to_id(NULL, cert->leaf, issuer) : NULL;
	ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
	int status = -1;
	bool good = basic && id && OCSP_resp_find_status(basic, id, &status, NULL, NULL, &from, &until) == 1
		&& status == V_OCSP_CERTSTATUS_GOOD && OCSP_check_validity(from, until, OCSP_CLOCK_SKEW_S, -1) == 1;

	if (good)
		*ret_until_s = until ? seconds_of(until) : INT64_MAX;
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
	return good;
}

static void take_staple(struct cert *cert, const char *file)
{
	char why[CERT_WHY_MAX];
	BIO *bio = file_open(file, why);
	OCSP_RESPONSE *answer = bio ? d2i_OCSP_RESPONSE_bio(bio, NULL) : NULL;
	unsigned char *der = NULL;
	int64_t until_s;
	int len;

	if (!cert_staple(cert->leaf) && answer && staple_says_good(cert, answer, &until_s) && (len = i2d_OCSP_RESPONSE(answer, &der)) > 0) {
		struct cert_staple *staple = must(malloc(sizeof(*staple) + (size_t)len));

		*staple = (struct cert_staple){ .until_s = until_s, .len = (size_t)len };
		memcpy(staple->der, der, (size_t)len);
		if (X509_set_ex_data(cert->leaf, staple_index, staple) != 1)
			free(staple);
	}
	OPENSSL_free(der);
	OCSP_RESPONSE_free(answer);
	BIO_free(bio);
	ERR_clear_error();
}

/* ---- the whole ---- */

static struct cert *load(const char *file, const char *key, bool nameless, int64_t now_s, char why[CERT_WHY_MAX])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct cert *cert = must(calloc(1, sizeof(*cert)));
	BIO *bio;

	pthread_once(&once, index_make);
	ERR_clear_error();
	snprintf(why, CERT_WHY_MAX, "'%s' cannot be used", file);
	atomic_init(&cert->refs, 1);
	bio = file_open(file, why);
	bool good = bio && take_chain(cert, file, bio, why) && take_key(cert, file, key, why) && (nameless || take_names(cert, file, why));
	BIO_free(bio);
	if (!good) {
		cert_unref(&cert);
		return NULL;
	}
	take_facts(cert, now_s);
	return cert;
}

struct cert *cert_load(const char *file, const char *key, char *const *staples, size_t staple_count, int64_t now_s, char why[CERT_WHY_MAX])
{
	struct cert *cert = load(file, key, false, now_s, why);

	for (size_t i = 0; cert && i < staple_count; i++)
		take_staple(cert, staples[i]);
	if (cert)
		cert->stapled = cert_staple(cert->leaf) != NULL;
	return cert;
}

struct cert *cert_load_client(const char *file, const char *key, int64_t now_s, char why[CERT_WHY_MAX])
{
	return load(file, key, true, now_s, why);
}

bool cert_is_valid(const struct cert *cert, int64_t now_s, char why[CERT_WHY_MAX])
{
	time_t when = (time_t)(now_s < cert->not_before_s ? cert->not_before_s : cert->not_after_s);
	struct tm tm;
	char date[32] = "";

	if (now_s >= cert->not_before_s && now_s <= cert->not_after_s)
		return true;
	if (gmtime_r(&when, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S UTC", &tm);
	snprintf(why, CERT_WHY_MAX, now_s < cert->not_before_s ? "it is not valid before %s" : "it expired at %s", date);
	return false;
}
