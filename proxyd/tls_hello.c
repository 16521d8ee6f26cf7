/* A client's handshake: by the name in its hello it gets a server and that server's certificates. */
#include "tls_front.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { SNI_HOST = 0 };

bool tls_parse_name(struct slice ext, char ret_name[TLS_NAME_MAX + 1])
{
	const unsigned char *at = (const unsigned char *)ext.ptr;
	size_t list, len;

	/* One list of one name: u16 bytes of the list, u8 kind, u16 bytes of the name. */
	if (ext.len < 5)
		return false;
	list = (size_t)at[0] << 8 | at[1];
	len = (size_t)at[3] << 8 | at[4];
	if (list != ext.len - 2 || at[2] != SNI_HOST || len != list - 3 || len == 0 || len > TLS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = at[5 + i];
		if (c <= ' ' || c >= 0x7f)
			return false;
		ret_name[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	ret_name[len] = '\0';
	if (len > 1 && ret_name[len - 1] == '.')
		ret_name[len - 1] = '\0';
	return true;
}

/* ---- certificates that are not loaded yet ---- */

struct held { struct cert_wait wait; struct tls *tls; /* NULL: it has been given up */ };

static void held_over(struct worker *worker, struct mail *mail)
{
	struct held *held = (struct held *)(void *)mail;

	(void)worker;
	if (held->tls) {
		held->tls->wait = NULL;
		tls_queue(held->tls);
	}
	free(held);
}

static struct cert_wait *held_make(void *arg)
{
	struct tls *tls = arg;
	struct held *held = must(calloc(1, sizeof(*held)));

	held->wait.mail.run = held_over;
	held->wait.worker = tls->worker;
	held->tls = tls;
	tls->wait = &held->wait;
	return &held->wait;
}

void tls_forget_wait(struct tls *tls)
{
	if (tls->wait)
		((struct held *)(void *)tls->wait)->tls = NULL;
	tls->wait = NULL;
}

/* ---- the hello ---- */

/* 1: the connection has certificates from a folder; 0: there are none for the name; -1: they are being loaded. */
static int use_folders(SSL *ssl, struct tls *tls, const struct tls_server *server)
{
	struct cert *found[CERT_KIND_COUNT] = { NULL };
	int count = 0, used = 0;

	for (size_t i = 0; i < server->folder_count && count == 0; i++)
		count = certs_find(tls->front->shared->certs, server->folders[i], slice_str(tls->name), found, held_make, tls);
	if (count <= 0)
		return count;
	SSL_certs_clear(ssl);
	for (int i = 0; i < count; i++) {
		used += SSL_use_cert_and_key(ssl, found[i]->leaf, found[i]->key, found[i]->chain, 1) == 1;
		cert_unref(&found[i]);
	}
	ERR_clear_error();
	return used > 0;
}

static int refuse(struct tls *tls, int *alert)
{
	tls->name_unknown = true;
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_CLIENT_HELLO_ERROR;
}

int tls_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls *tls = tls_of(ssl);
	const unsigned char *ext;
	size_t len;

	(void)arg;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &len)
			&& !tls_parse_name(slice_make((const char *)ext, len), tls->name)) {
		*alert = SSL_AD_DECODE_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	struct slice name = slice_str(tls->name);
	const struct conf_server *conf = name.len ? conf_find_server(tls->listen, name) : tls->listen->fallback;
	const struct tls_server *server = &tls->front->servers[conf->index];
	if (conf->set.ssl_reject_handshake)
		return refuse(tls, alert);
	SSL_CTX *ctx = tls_front_context(tls->front, conf);
	if (!ctx)
		return refuse(tls, alert);
	if (ctx != SSL_get_SSL_CTX(ssl)) {
		SSL_set_SSL_CTX(ssl, ctx);
		tls_context_apply(ssl, conf);
	}
	SSL_CTX_free(ctx);
	int found = server->folder_count && name.len ? use_folders(ssl, tls, server) : 0;
	if (found < 0)
		return SSL_CLIENT_HELLO_RETRY;
	return found || server->slot_count ? SSL_CLIENT_HELLO_SUCCESS : refuse(tls, alert);
}

struct tls *tls_accept(struct worker *worker, int fd, const struct conf *conf, const struct conf_listen *listen, void (*resume)(void *owner), void *owner)
{
	struct tls_front *front = conf->tls;
	SSL_CTX *ctx = tls_front_context(front, listen->fallback);
	struct tls *tls = ctx ? tls_new(worker, fd, ctx, true) : NULL;

	SSL_CTX_free(ctx);
	if (!tls)
		return NULL;
	tls->front = front;
	tls->listen = listen;
	tls->owner = owner;
	tls->resume = resume;
	tls->early = front->early;
	tls->first_us = worker->now_us;
	tls_enter(tls);
	return tls;
}

/* ---- why it failed ---- */

enum end tls_failure(const struct tls *tls, const char **ret_text)
{
	int reason = ERR_GET_REASON(tls->error);
	const char *text = tls->error ? ERR_reason_error_string(tls->error) : NULL;

	*ret_text = text ? text : "";
	if (tls->name_unknown)
		return END_tls_unknown_name;
	if (tls->error == 0 || ERR_GET_LIB(tls->error) != ERR_LIB_SSL)
		return tls->error ? END_tls_invalid : END_client_left;
	if (reason > SSL_AD_REASON_OFFSET)
		return END_tls_alert;
	switch (reason) {
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return END_client_left;
	case SSL_R_UNSUPPORTED_PROTOCOL: case SSL_R_VERSION_TOO_LOW: case SSL_R_NO_PROTOCOLS_AVAILABLE: case SSL_R_WRONG_SSL_VERSION:
		return END_tls_version;
	case SSL_R_NO_SHARED_CIPHER: case SSL_R_NO_SUITABLE_KEY_SHARE: case SSL_R_NO_SHARED_GROUPS: case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: case SSL_R_NO_SUITABLE_GROUPS:
		return END_tls_no_cipher;
	}
	return END_tls_invalid;
}
