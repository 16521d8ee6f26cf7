/* What a configuration says of TLS to origins, as OpenSSL has it: identities, made once for all that say the same, kept over
 * reloads as long as neither the lines nor the files change. */
#include "tls_origins.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "../conf/check.h"
#include "cert.h"
#include "clock.h"
#include "diag.h"
#include "origin_session.h"
#include "tls.h"

/* ---- the registry ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tls_identity *identities;
static uint64_t last_id;

struct tls_identity *tls_identity_ref(struct tls_identity *identity)
{
	pthread_mutex_lock(&lock);
	identity->refs++;
	pthread_mutex_unlock(&lock);
	return identity;
}

void tls_identity_unref(struct tls_identity **identity)
{
	struct tls_identity *i = *identity, **at = &identities;
	bool last;

	*identity = NULL;
	if (!i)
		return;
	pthread_mutex_lock(&lock);
	last = --i->refs == 0;
	while (last && *at != i)
		at = &(*at)->next;
	if (last)
		*at = i->next;
	pthread_mutex_unlock(&lock);
	if (!last)
		return;
	SSL_CTX_free(i->ctx);
	free(i->lines);
	free(i);
}

/* A reference to one of the same digest, of the same lines (digest NULL), or NULL. */
static struct tls_identity *identity_find(const unsigned char *digest, const char *lines)
{
	struct tls_identity *i;

	pthread_mutex_lock(&lock);
	for (i = identities; i; i = i->next)
		if (digest ? memcmp(i->digest, digest, TLS_DIGEST_BYTES) == 0 : strcmp(i->lines, lines) == 0)
			break;
	if (i)
		i->refs++;
	pthread_mutex_unlock(&lock);
	return i;
}

static void identity_add(struct tls_identity *identity)
{
	pthread_mutex_lock(&lock);
	identity->id = ++last_id;
	identity->next = identities;
	identities = identity;
	pthread_mutex_unlock(&lock);
}

/* The store of another one that trusts the same: a reference, or NULL. */
static X509_STORE *trust_find(const unsigned char trust[TLS_DIGEST_BYTES])
{
	X509_STORE *store = NULL;

	pthread_mutex_lock(&lock);
	for (struct tls_identity *i = identities; i && !store; i = i->next)
		if (i->verify && memcmp(i->trust, trust, TLS_DIGEST_BYTES) == 0)
			store = SSL_CTX_get_cert_store(i->ctx);
	if (store)
		X509_STORE_up_ref(store);
	pthread_mutex_unlock(&lock);
	return store;
}

/* ---- files ---- */

/* A PEM file as it was read, once for all that name it while a configuration is made. */
struct pem {
	struct pem *next;
	char *path;
	STACK_OF(X509_INFO) *all;
	unsigned char digest[TLS_DIGEST_BYTES];
	size_t certs, lists;
};

struct making {
	struct pem *pems;
	char why[CERT_WHY_MAX];
};

static bool no_reason(struct making *making, const char *path)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(making->why, sizeof(making->why), "'%.120s' cannot be read: %s", path, reason ? reason : "it is not PEM");
	ERR_clear_error();
	return false;
}

/* Certificates and lists in DER, in their order. */
static bool pem_digest(struct pem *pem)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;

	for (int i = 0; good && i < sk_X509_INFO_num(pem->all); i++) {
		const X509_INFO *info = sk_X509_INFO_value(pem->all, i);
		unsigned char one[EVP_MAX_MD_SIZE];
		unsigned len = 0;

		pem->certs += info->x509 != NULL;
		pem->lists += info->crl != NULL;
		if (info->x509)
			good = X509_digest(info->x509, EVP_sha256(), one, &len) == 1;
		else if (info->crl)
			good = X509_CRL_digest(info->crl, EVP_sha256(), one, &len) == 1;
		good = good && EVP_DigestUpdate(hash, one, len) == 1;
	}
	good = good && EVP_DigestFinal_ex(hash, pem->digest, NULL) == 1;
	EVP_MD_CTX_free(hash);
	return good;
}

static void pem_free(struct pem *pem)
{
	sk_X509_INFO_pop_free(pem->all, X509_INFO_free);
	free(pem->path);
	free(pem);
}

static const struct pem *pem_read(struct making *making, const char *path)
{
	struct pem *pem = making->pems;
	BIO *in;

	while (pem && strcmp(pem->path, path) != 0)
		pem = pem->next;
	if (pem)
		return pem;
	ERR_clear_error();
	errno = 0;
	in = BIO_new_file(path, "re");
	if (!in) {
		snprintf(making->why, sizeof(making->why), "'%.120s': %s", path, strerror(errno));
		ERR_clear_error();
		return NULL;
	}
	pem = must(calloc(1, sizeof(*pem)));
	pem->path = must(strdup(path));
	pem->all = PEM_X509_INFO_read_bio(in, NULL, NULL, NULL);
	BIO_free(in);
	if (!pem->all || !pem_digest(pem)) {
		no_reason(making, path);
		pem_free(pem);
		return NULL;
	}
	pem->next = making->pems;
	return making->pems = pem;
}

/* The system's certificates in one file: read whole at the start. Looked up one by one, in a folder of links by hash, they would
 * make a worker wait for the disk. */
static const char *system_path(void)
{
	static const char *const known[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem" };
	const char *path = getenv(X509_get_default_cert_file_env());

	if (path && *path)
		return path;
	if (access(X509_get_default_cert_file(), R_OK) == 0)
		return X509_get_default_cert_file();
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (access(known[i], R_OK) == 0)
			return known[i];
	return NULL;
}

/* ---- one identity ---- */

struct parts {
	const struct pem *trusted, *crl;         /* NULL: none */
	struct cert *cert;                       /* NULL: none */
	struct conf_pos pos;                     /* what is looked at */
};

static char *text_of(struct slice text)
{
	return must(strndup(text.len ? text.ptr : "", text.len));
}

static bool read_trusted(struct making *making, const struct conf_location *location, struct parts *parts)
{
	const struct conf_origin_tls *tls = &location->origin_tls;
	const char *system = tls->trusted.path.len ? NULL : system_path();
	char *path;

	parts->pos = tls->trusted.path.len ? tls->trusted.pos : location->pos;
	if (!tls->trusted.path.len && !system) {
		snprintf(making->why, sizeof(making->why), "the system has no certificates to verify origins by: install the package 'ca-certificates', or write proxy_ssl_trusted_certificate FILE");
		return false;
	}
	path = system ? must(strdup(system)) : text_of(tls->trusted.path);
	parts->trusted = pem_read(making, path);
	if (parts->trusted && !parts->trusted->certs) {
		snprintf(making->why, sizeof(making->why), "'%.120s' has no certificate", path);
		parts->trusted = NULL;
	}
	free(path);
	if (!parts->trusted || !tls->crl.path.len)
		return parts->trusted != NULL;
	parts->pos = tls->crl.pos;
	path = text_of(tls->crl.path);
	parts->crl = pem_read(making, path);
	if (parts->crl && !parts->crl->lists) {
		snprintf(making->why, sizeof(making->why), "'%.120s' has no list of revoked certificates", path);
		parts->crl = NULL;
	}
	free(path);
	return parts->crl != NULL;
}

static bool read_parts(struct making *making, const struct conf_location *location, struct parts *parts)
{
	const struct conf_origin_tls *tls = &location->origin_tls;
	char *file, *key;

	*parts = (struct parts){ NULL, NULL, NULL, location->pos };
	if (location->set.proxy_ssl_verify && !read_trusted(making, location, parts))
		return false;
	if (!tls->certificate.path.len)
		return true;
	parts->pos = tls->certificate.pos;
	file = text_of(tls->certificate.path);
	key = tls->key.path.len ? text_of(tls->key.path) : NULL;
	parts->cert = cert_load_client(file, key, clock_wall_us() / 1000000, making->why);
	free(file);
	free(key);
	return parts->cert != NULL;
}

/* What is written, as one text. */
static char *lines_of(const struct conf_location *location)
{
	const struct conf_origin_tls *tls = &location->origin_tls;
	const struct settings *set = &location->set;
	char *text = NULL;

	if (asprintf(&text, "%.*s\n%.*s\n%.*s\n%.*s\n%u\n%.*s\n%d %d %d %llu", SLICE_ARG(tls->trusted.path), SLICE_ARG(tls->crl.path),
			SLICE_ARG(tls->certificate.path), SLICE_ARG(tls->key.path), tls->protocols, SLICE_ARG(tls->ciphers), set->proxy_ssl_verify,
			set->proxy_ssl_server_name, set->proxy_ssl_session_reuse, (unsigned long long)set->proxy_ssl_verify_depth) < 0)
		text = NULL;
	return must(text);
}

static void digest_cert(EVP_MD_CTX *hash, const X509 *cert)
{
	unsigned char one[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	CHECK(X509_digest(cert, EVP_sha256(), one, &len) == 1);
	EVP_DigestUpdate(hash, one, len);
}

/* The key need not be in it: it belongs to the certificate. */
static void digest_parts(struct tls_identity *identity, const struct parts *parts)
{
	static const unsigned char none[TLS_DIGEST_BYTES];
	EVP_MD_CTX *hash = must(EVP_MD_CTX_new());

	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	EVP_DigestUpdate(hash, parts->trusted ? parts->trusted->digest : none, TLS_DIGEST_BYTES);
	EVP_DigestUpdate(hash, parts->crl ? parts->crl->digest : none, TLS_DIGEST_BYTES);
	CHECK(EVP_DigestFinal_ex(hash, identity->trust, NULL) == 1);
	EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
	EVP_DigestUpdate(hash, identity->trust, TLS_DIGEST_BYTES);
	EVP_DigestUpdate(hash, identity->lines, strlen(identity->lines) + 1);
	if (parts->cert)
		digest_cert(hash, parts->cert->leaf);
	for (int i = 0; parts->cert && i < sk_X509_num(parts->cert->chain); i++)
		digest_cert(hash, sk_X509_value(parts->cert->chain, i));
	CHECK(EVP_DigestFinal_ex(hash, identity->digest, NULL) == 1);
	EVP_MD_CTX_free(hash);
}

/* ---- its context ---- */

static X509_STORE *store_make(const struct parts *parts)
{
	X509_STORE *store = must(X509_STORE_new());
	const struct pem *pems[] = { parts->trusted, parts->crl };

	for (size_t p = 0; p < COUNT_OF(pems); p++)
		for (int i = 0; pems[p] && i < sk_X509_INFO_num(pems[p]->all); i++) {
			const X509_INFO *info = sk_X509_INFO_value(pems[p]->all, i);

			if (info->x509 && pems[p] == parts->trusted)
				X509_STORE_add_cert(store, info->x509);
			if (info->crl)
				X509_STORE_add_crl(store, info->crl);
		}
	return store;
}

static void use_trust(SSL_CTX *ctx, const struct conf_location *location, const struct tls_identity *identity, const struct parts *parts)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	X509_STORE *store = trust_find(identity->trust);

	SSL_CTX_set_cert_store(ctx, store ? store : store_make(parts));  /* takes the reference */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_VERIFY_PARAM_set_depth(param, (int)location->set.proxy_ssl_verify_depth);
	/* Who writes a certificate into the file trusts it, whoever has issued it. */
	if (location->origin_tls.trusted.path.len)
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (parts->crl)
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	/* Names stand in subjectAltName only, and a * is a whole label (RFC 9525 sections 6.3 and 6.4). */
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
}

static SSL_CTX *context_make(struct making *making, const struct conf_location *location, const struct tls_identity *identity, struct parts *parts)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	const struct conf_origin_tls *tls = &location->origin_tls;
	struct tls_versions versions = tls_versions(tls->protocols);
	SSL_CTX *ctx = must(SSL_CTX_new(TLS_client_method()));
	char *ciphers = text_of(tls->ciphers.len ? tls->ciphers : SLICE("DEFAULT"));
	bool good;

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | (identity->reuse ? 0 : SSL_OP_NO_TICKET));
	SSL_CTX_set_min_proto_version(ctx, versions.lowest);
	SSL_CTX_set_max_proto_version(ctx, versions.highest);
	SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	if (identity->verify)
		use_trust(ctx, location, identity, parts);
	origin_sessions_serve(ctx, identity->reuse);
	good = SSL_CTX_set_cipher_list(ctx, ciphers) == 1;
	if (!good) {
		parts->pos = location->pos;
		snprintf(making->why, sizeof(making->why), "proxy_ssl_ciphers '%.100s': no cipher suite of that name", ciphers);
	} else if (parts->cert && SSL_CTX_use_cert_and_key(ctx, parts->cert->leaf, parts->cert->key, parts->cert->chain, 1) != 1) {
		good = no_reason(making, "the certificate that is shown to origins");
	}
	ERR_clear_error();
	free(ciphers);
	if (!good)
		SSL_CTX_free(ctx);
	return good ? ctx : NULL;
}

/* NULL, and why, when something cannot be used. */
static struct tls_identity *identity_make(struct making *making, const struct conf_location *location, struct parts *parts)
{
	struct tls_identity *identity, *other = NULL;

	if (!read_parts(making, location, parts))
		return NULL;
	identity = must(calloc(1, sizeof(*identity)));
	*identity = (struct tls_identity){ .refs = 1, .lines = lines_of(location), .verify = location->set.proxy_ssl_verify,
		.server_name = location->set.proxy_ssl_server_name, .reuse = location->set.proxy_ssl_session_reuse };
	digest_parts(identity, parts);
	other = identity_find(identity->digest, NULL);
	if (!other)
		identity->ctx = context_make(making, location, identity, parts);
	if (identity->ctx) {
		identity_add(identity);
		return identity;
	}
	free(identity->lines);
	free(identity);
	return other;
}

/* ---- the configuration ---- */

static bool may_not_read(struct slice file)
{
	char *path = text_of(file);
	bool not = file.len && access(path, R_OK) != 0 && errno == EACCES;

	free(path);
	return not;
}

/* Root read it at the start, and a user cannot: not a reason to go without, or to refuse a reload. */
static struct tls_identity *identity_keep(struct making *making, const struct conf_location *location)
{
	const struct conf_origin_tls *tls = &location->origin_tls;
	struct tls_identity *identity = NULL;

	if (may_not_read(tls->certificate.path) || may_not_read(tls->key.path) || may_not_read(tls->trusted.path) || may_not_read(tls->crl.path)) {
		char *lines = lines_of(location);

		identity = identity_find(NULL, lines);
		free(lines);
	}
	if (identity)
		diag(DIAG_warn, "%s:%u: %s; what was read before is used further", location->pos.file, location->pos.line, making->why);
	return identity;
}

/* Places that have been complained about: one line may be inherited by many. */
struct wrong { struct conf_pos *places; size_t count; };

static bool same_place(const struct conf_pos *a, const struct conf_pos *b)
{
	return a->line == b->line && a->col == b->col && strcmp(a->file, b->file) == 0;
}

static void tell(struct wrong *wrong, struct conf_pos pos, const char *why)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	for (size_t i = 0; i < wrong->count; i++)
		if (same_place(&wrong->places[i], &pos))
			return;
	wrong->places[wrong->count++] = pos;
	out = must(open_memstream(&text, &len));
	conf_complain(pos, why, out);
	fclose(out);
	diag_lines(DIAG_error, text);
	free(text);
}

static void release(void *made)
{
	struct tls_identity *identity = made;

	tls_identity_unref(&identity);
}

bool tls_origins_make(struct conf *conf)
{
	struct making making = { NULL, "" };
	struct wrong wrong = { must(calloc(conf->tls_use_count + 1, sizeof(struct conf_pos))), 0 };
	bool good = true;

	conf->tls_use_free = release;
	for (size_t i = 0; i < conf->tls_use_count; i++) {
		const struct conf_location *location = conf->tls_uses[i]->location;
		struct parts parts;
		struct tls_identity *identity = identity_make(&making, location, &parts);

		if (!identity)
			identity = identity_keep(&making, location);
		if (!identity)
			tell(&wrong, parts.pos, making.why);
		cert_unref(&parts.cert);
		conf->tls_uses[i]->made = identity;
		good &= identity != NULL;
	}
	free(wrong.places);
	while (making.pems) {
		struct pem *next = making.pems->next;

		pem_free(making.pems);
		making.pems = next;
	}
	return good;
}
