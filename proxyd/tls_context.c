/* What a server says of TLS, as OpenSSL has it: an SSL_CTX, and what a connection does not take over with one. */
#include "tls_front.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

static const char default_ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
	"ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
static const char default_suites[] = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
static const char default_curves[] = "X25519:P-256:P-384";
enum { EARLY_DATA_MAX = 16384 };

struct tls_versions tls_versions(unsigned protocols)
{
	static const struct { unsigned bit; int version; } all[] = {
		{ CONF_TLS_1_0, TLS1_VERSION }, { CONF_TLS_1_1, TLS1_1_VERSION }, { CONF_TLS_1_2, TLS1_2_VERSION }, { CONF_TLS_1_3, TLS1_3_VERSION },
	};
	unsigned bits = protocols ? protocols : CONF_TLS_1_2 | CONF_TLS_1_3;
	struct tls_versions versions = { 0, 0 };

	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (!(bits & all[i].bit))
			continue;
		versions.lowest = versions.lowest ? versions.lowest : all[i].version;
		versions.highest = all[i].version;
	}
	return versions;
}

static uint64_t options_of(const struct conf_server *server)
{
	const struct settings *set = &server->set;

	/* Early data is for safe methods only, here and at origins that know Early-Data: what OpenSSL would keep against replays
	 * is kept by one process for itself and would make tickets useless on others. */
	return SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_ANTI_REPLAY | SSL_OP_NO_SSLv3
		| (set->ssl_prefer_server_ciphers ? SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA : 0)
		| (set->ssl_session_tickets ? 0 : SSL_OP_NO_TICKET);
}

/* Whatever the certificate is worth, the handshake goes on: the request is refused, and a person learns why. */
static int verify_later(int good, X509_STORE_CTX *store)
{
	(void)good, (void)store;
	return 1;
}

void tls_context_apply(SSL *ssl, const struct conf_server *server)
{
	struct tls_versions versions = tls_versions(server->tls.protocols);
	const uint64_t mine = SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_TICKET;
	char curves[256];

	SSL_clear_options(ssl, mine);
	SSL_set_options(ssl, options_of(server));
	SSL_set_min_proto_version(ssl, versions.lowest);
	SSL_set_max_proto_version(ssl, versions.highest);
	SSL_set_verify(ssl, server->tls.verify == CONF_VERIFY_off ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, verify_later);
	SSL_set_verify_depth(ssl, (int)server->set.ssl_verify_depth);
	SSL_set_max_early_data(ssl, server->set.ssl_early_data ? EARLY_DATA_MAX : 0);
	snprintf(curves, sizeof(curves), "%.*s", SLICE_ARG(server->tls.curves));
	SSL_set1_groups_list(ssl, *curves ? curves : default_curves);
}

/* ---- parts of a context ---- */

static bool failed(const char *what, struct slice value, char why[CERT_WHY_MAX])
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(why, CERT_WHY_MAX, "%s '%.*s' cannot be used: %s", what, (int)(value.len < 128 ? value.len : 128), value.ptr, reason ? reason : "OpenSSL says no more");
	ERR_clear_error();
	return false;
}

static bool set_lists(SSL_CTX *ctx, const struct conf_tls *tls, char why[CERT_WHY_MAX])
{
	char text[4096];

	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(tls->ciphers));
	if (SSL_CTX_set_cipher_list(ctx, *text ? text : default_ciphers) != 1)
		return failed("ssl_ciphers", tls->ciphers, why);
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(tls->suites));
	if (SSL_CTX_set_ciphersuites(ctx, *text ? text : default_suites) != 1)
		return failed("ssl_ciphersuites", tls->suites, why);
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(tls->curves));
	return SSL_CTX_set1_groups_list(ctx, *text ? text : default_curves) == 1 || failed("ssl_ecdh_curve", tls->curves, why);
}

static bool set_client_ca(SSL_CTX *ctx, const struct conf_tls *tls, char why[CERT_WHY_MAX])
{
	char path[4096];
	STACK_OF(X509_NAME) *names;

	if (!tls->client_ca.path.len)
		return true;
	snprintf(path, sizeof(path), "%.*s", SLICE_ARG(tls->client_ca.path));
	errno = 0;
	names = SSL_load_client_CA_file(path);
	if (!names || SSL_CTX_load_verify_file(ctx, path) != 1) {
		int err = errno;
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		failed("ssl_client_certificate", tls->client_ca.path, why);
		if (err == ENOENT || err == EACCES)
			snprintf(why, CERT_WHY_MAX, "ssl_client_certificate '%.128s': %s", path, strerror(err));
		return false;
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	return true;
}

static bool hash_file(EVP_MD_CTX *hash, struct slice file)
{
	char path[4096], bytes[4096];
	size_t n;
	FILE *in;

	snprintf(path, sizeof(path), "%.*s", SLICE_ARG(file));
	in = fopen(path, "re");
	if (!in)
		return false;
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		EVP_DigestUpdate(hash, bytes, n);
	fclose(in);
	return true;
}

/* A session is resumed by the server that it was made with, on every node and after every reload, but not when other clients
 * would be let in than then. */
static bool set_session(SSL_CTX *ctx, const struct conf_server *server, char why[CERT_WHY_MAX])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	unsigned char id[EVP_MAX_MD_SIZE], verify = (unsigned char)server->tls.verify;
	unsigned len = 0;
	bool good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;

	good = good && EVP_DigestUpdate(hash, server->first_name.ptr, server->first_name.len) == 1 && EVP_DigestUpdate(hash, &verify, 1) == 1;
	good = good && (!server->tls.client_ca.path.len || hash_file(hash, server->tls.client_ca.path));
	good = good && EVP_DigestFinal_ex(hash, id, &len) == 1 && SSL_CTX_set_session_id_context(ctx, id, len < 32 ? len : 32) == 1;
	EVP_MD_CTX_free(hash);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, (long)(server->set.ssl_session_timeout / 1000000));
	if (!server->set.ssl_session_tickets)
		SSL_CTX_set_num_tickets(ctx, 0);
	return good || failed("the session context of", server->first_name, why);
}

static int staple_callback(SSL *ssl, void *arg)
{
	unsigned char *copy;
	size_t len = cert_staple_copy(SSL_get_certificate(ssl), tls_of(ssl)->worker->wall_us / 1000000, &copy);

	(void)arg;
	if (!len)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (int)len);
	return SSL_TLSEXT_ERR_OK;
}

static char protocols_1[] = "\x08http/1.1", protocols_2[] = "\x02h2\x08http/1.1";

/* What we speak on it; the client's list decides what it is, not its order. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len, void *arg)
{
	const char *ours = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours, (unsigned)strlen(ours), in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;       /* no_application_protocol (RFC 7301 section 3.2) */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* That the name was used is said to the client (RFC 6066 section 3); tls_hello() has done so. */
static int name_was_used(SSL *ssl, int *alert, void *arg)
{
	(void)ssl, (void)alert, (void)arg;
	return SSL_TLSEXT_ERR_OK;
}

static bool set_certs(SSL_CTX *ctx, struct cert *const *certs, size_t count, char why[CERT_WHY_MAX])
{
	for (size_t i = 0; i < count; i++)
		if (SSL_CTX_use_cert_and_key(ctx, certs[i]->leaf, certs[i]->key, certs[i]->chain, 1) != 1)
			return failed("the certificate for", slice_str(certs[i]->names[0]), why);
	return true;
}

SSL_CTX *tls_context_make(const struct tls_shared *shared, const struct conf_server *server, struct cert *const *certs, size_t count, char why[CERT_WHY_MAX])
{
	const struct conf_tls *tls = &server->tls;
	struct tls_versions versions = tls_versions(tls->protocols);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	snprintf(why, CERT_WHY_MAX, "no memory for a TLS context");
	if (!ctx)
		return NULL;
	SSL_CTX_set_options(ctx, options_of(server));
	SSL_CTX_set_min_proto_version(ctx, versions.lowest);
	SSL_CTX_set_max_proto_version(ctx, versions.highest);
	SSL_CTX_set_verify(ctx, tls->verify == CONF_VERIFY_off ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, verify_later);
	SSL_CTX_set_verify_depth(ctx, (int)server->set.ssl_verify_depth);
	SSL_CTX_set_max_early_data(ctx, server->set.ssl_early_data ? EARLY_DATA_MAX : 0);
	SSL_CTX_set_recv_max_early_data(ctx, EARLY_DATA_MAX);
	SSL_CTX_set_client_hello_cb(ctx, tls_hello, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, name_was_used);
	SSL_CTX_set_tlsext_status_cb(ctx, staple_callback);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, server->set.http2 ? protocols_2 : protocols_1);
	tls_tickets_serve(shared->tickets, ctx);
	if (set_lists(ctx, tls, why) && set_client_ca(ctx, tls, why) && set_session(ctx, server, why) && set_certs(ctx, certs, count, why))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}
