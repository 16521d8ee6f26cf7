/* TLS with an origin: the handshake's turns between connecting and the request, sessions, what the record says of it. */
#include "origin_internal.h"
#include "tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

static struct tls_identity *identity_of(const struct exchange *ex)
{
	return ex->location->tls_use ? ex->location->tls_use->made : NULL;
}

/* The name that is asked for and verified, as it was given: without a final dot, and without a port ($http_host has one). */
static struct slice name_of(const struct exchange *ex)
{
	struct slice name = ex->location->origin_tls.name.count ? ex->tls_name : ex->pick.origin->tls_name;
	const char *colon = memchr(name.len ? name.ptr : "", ':', name.len);
	const char *end = name.len && name.ptr[0] == '[' ? memchr(name.ptr, ']', name.len) : NULL;

	if (end)
		name = slice_make(name.ptr + 1, (size_t)(end - name.ptr) - 1);
	else if (colon && !memchr(colon + 1, ':', name.len - (size_t)(colon + 1 - name.ptr)))
		name.len = (size_t)(colon - name.ptr);
	if (name.len && name.ptr[name.len - 1] == '.')
		name.len--;
	return name;
}

bool origin_tls_fits(const struct exchange *ex, const struct origin_conn *conn)
{
	return conn->identity == identity_of(ex)
		&& (!conn->identity || slice_eq_nocase(slice_str(conn->transport.tls->name), name_of(ex)));
}

/* ---- sessions ---- */

static struct origin_session_key session_key(const struct origin_conn *conn)
{
	return (struct origin_session_key){ conn->identity->id, conn->place->text, slice_str(conn->transport.tls->name) };
}

/* A session comes with the handshake (TLS 1.2) or any time after it. */
static int session_came(SSL *ssl, SSL_SESSION *session)
{
	struct tls *tls = tls_of(ssl);
	struct origin_conn *conn = tls->owner;

	if (!SSL_SESSION_is_resumable(session))
		return 0;
	const struct origin_session_key key = session_key(conn);

	origin_session_put(&tls->worker->origins->sessions, &key, session);
	return 1;
}

void origin_sessions_serve(SSL_CTX *ctx, bool serve)
{
	SSL_CTX_set_session_cache_mode(ctx, serve ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
	if (serve)
		SSL_CTX_sess_set_new_cb(ctx, session_came);
}

static void session_use(const struct exchange *ex)
{
	const struct origin_session_key key = session_key(ex->conn);
	SSL_SESSION *session = origin_session_find(&ex->worker->origins->sessions, &key, ex->worker->wall_us / 1000000);

	if (session)
		SSL_set_session(ex->conn->transport.tls->ssl, session);
	ERR_clear_error();
}

/* ---- the record ---- */

static void facts_take(struct exchange *ex)
{
	struct transport_facts facts = transport_facts(&ex->conn->transport);

	ex->facts.tls = facts.protocol;
	ex->facts.tls_name = name_of(ex);
	ex->facts.verify = ex->conn->identity->verify ? ORIGIN_VERIFY_good : ORIGIN_VERIFY_off;
}

void origin_tls_reused(struct exchange *ex)
{
	if (ex->conn->identity)
		facts_take(ex);
}

/* ---- the handshake ---- */

/* Only writes down what is wrong: the certificate itself is gone when the handshake has failed. */
static int verified(int good, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct origin_conn *conn = tls_of(ssl)->owner;

	if (!good)
		tls_verify_reason(store, conn->exchange->facts.tls_error);
	return good;
}

static bool is_address(const char *name)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* What the certificate must be for, and what is asked for. False: no name, where one must be verified. */
static bool name_use(const struct exchange *ex, SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	const struct tls_identity *identity = ex->conn->identity;
	bool address = is_address(name), good = true;

	X509_VERIFY_PARAM_set_time(param, ex->worker->wall_us / 1000000);
	if (identity->verify)
		good = *name && (address ? X509_VERIFY_PARAM_set1_ip_asc(param, name) : X509_VERIFY_PARAM_set1_host(param, name, 0)) == 1;
	if (identity->verify)
		SSL_set_verify(ssl, SSL_VERIFY_PEER, verified);
	if (good && identity->server_name && *name && !address)  /* RFC 6066 section 3: no addresses */
		good = SSL_set_tlsext_host_name(ssl, name) == 1;
	ERR_clear_error();
	return good;
}

/* Whose name comes from a client's request can fail by any client's will: that is no fault of the server's. */
static bool is_blamed(const struct exchange *ex, enum end why)
{
	const struct conf_template *name = &ex->location->origin_tls.name;

	for (size_t i = 0; i < name->count; i++)
		if (name->pieces[i].var != CONF_VAR_literal)
			return why == END_origin_tls_invalid;
	return true;
}

static void failed(struct exchange *ex, enum end why)
{
	const struct origin_session_key key = session_key(ex->conn);

	origin_session_drop(&ex->worker->origins->sessions, &key);       /* it may be what the origin cannot stand */
	ex->facts.tls_name = name_of(ex);
	if (why == END_origin_tls_certificate)
		ex->facts.verify = ORIGIN_VERIFY_bad;
	exchange_failed(ex, why, is_blamed(ex, why));
}

void origin_tls_begin(struct exchange *ex)
{
	struct origin_conn *conn = ex->conn;
	struct tls_identity *identity = identity_of(ex);
	struct slice name = name_of(ex);
	uint64_t patience_us = ex->location->set.proxy_connect_timeout, gone_us = ex->worker->now_us - ex->connect_from_us;
	struct tls *tls = tls_new(ex->worker, conn->io.fd, identity->ctx, false);

	if (!tls) {
		exchange_failed(ex, END_internal, false);
		return;
	}
	conn->transport.tls = tls;
	conn->identity = tls_identity_ref(identity);
	tls->owner = conn;
	tls->begun = true;
	tls->first_us = ex->worker->now_us;
	if (name.len <= TLS_NAME_MAX)
		for (size_t i = 0; i < name.len; i++)
			tls->name[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20 : name.ptr[i]);
	ex->step = EXCHANGE_handshake;
	if (!name_use(ex, tls->ssl, tls->name)) {
		snprintf(ex->facts.tls_error, sizeof(ex->facts.tls_error), "'%.*s' is no name to verify a certificate by: see proxy_ssl_name",
			(int)(name.len < 64 ? name.len : 64), name.len ? name.ptr : "");
		failed(ex, END_origin_tls_certificate);
		return;
	}
	if (identity->reuse)
		session_use(ex);
	timer_set(ex->worker, &conn->timer, gone_us < patience_us ? patience_us - gone_us : 1, exchange_timeout);
	origin_tls_go(ex);
}

void origin_tls_go(struct exchange *ex)
{
	struct transport *transport = &ex->conn->transport;
	enum end why;

	if (!transport_flush(transport)) {
		failed(ex, END_origin_tls_invalid);
		return;
	}
	switch (transport_handshake(transport)) {
	case TRANSPORT_READY:
		facts_take(ex);
		ex->facts.tls_resumed = transport_facts(transport).resumed;
		ex->facts.tls_us = (int64_t)transport_facts(transport).handshake_us;
		exchange_opened(ex);
		break;
	case TRANSPORT_WAITS: case TRANSPORT_HELD:
		worker_io_arm(ex->worker, &ex->conn->io, EPOLLIN | (transport_has_unsent(transport) ? EPOLLOUT : 0));
		break;
	case TRANSPORT_FAILED:
		why = tls_origin_failure(transport->tls->error, true, ex->facts.tls_error, &ex->facts.tls_alert);
		failed(ex, why);
		break;
	}
}

enum end origin_tls_why_lost(struct exchange *ex)
{
	const struct tls *tls = ex->conn ? ex->conn->transport.tls : NULL;
	enum end why = tls && tls->error ? tls_origin_failure(tls->error, false, ex->facts.tls_error, &ex->facts.tls_alert) : END_complete;

	if (why == END_complete)
		return END_origin_left;
	const struct origin_session_key key = session_key(ex->conn);

	origin_session_drop(&ex->worker->origins->sessions, &key);
	return why;
}
