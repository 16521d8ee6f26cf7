/* A configuration's servers with TLS: made whole beside the present ones; a context is replaced when a certificate of it is. */
#include "tls_front.h"

#include <stdlib.h>

#include "diag.h"

/* ---- contexts ---- */

SSL_CTX *tls_front_context(struct tls_front *front, const struct conf_server *server)
{
	SSL_CTX *ctx;

	pthread_mutex_lock(&front->lock);
	ctx = front->servers[server->index].ctx;
	if (ctx)
		SSL_CTX_up_ref(ctx);
	pthread_mutex_unlock(&front->lock);
	return ctx;
}

/* With the certificates that its slots have now. False with a sentence: the old context stays. */
static bool server_refresh(struct tls_front *front, struct tls_server *server, char why[CERT_WHY_MAX])
{
	struct cert **certs = must(calloc(server->slot_count + 1, sizeof(struct cert *)));
	SSL_CTX *ctx, *old;

	for (size_t i = 0; i < server->slot_count; i++)
		certs[i] = certs_slot_cert(front->shared->certs, server->slots[i]);
	ctx = tls_context_make(front->shared, server->conf, certs, server->slot_count, why);
	for (size_t i = 0; i < server->slot_count; i++)
		cert_unref(&certs[i]);
	free(certs);
	if (!ctx)
		return false;
	pthread_mutex_lock(&front->lock);
	old = server->ctx;
	server->ctx = ctx;
	pthread_mutex_unlock(&front->lock);
	SSL_CTX_free(old);
	return true;
}

static void slot_changed(struct certs_listener *listener, struct cert_slot *slot)
{
	struct tls_front *front = (struct tls_front *)(void *)((char *)listener - offsetof(struct tls_front, listener));
	char why[CERT_WHY_MAX];

	for (size_t s = 0; s < front->server_count; s++)
		for (size_t i = 0; i < front->servers[s].slot_count; i++)
			if (front->servers[s].slots[i] == slot && front->servers[s].ctx && !server_refresh(front, &front->servers[s], why))
				diag(DIAG_error, "certificate not taken for '%.*s': %s", SLICE_ARG(front->servers[s].conf->first_name), why);
}

/* ---- making ---- */

static bool told(struct conf_pos pos, const char *why)
{
	diag(DIAG_error, "%s:%u: %s", pos.file, pos.line, why);
	return false;
}

/* As in nginx the last of a kind counts: not what somebody wants who writes a certificate for each of his names. */
static void warn_of_kinds(struct tls_shared *shared, const struct tls_server *server)
{
	bool seen[CERT_KIND_COUNT] = { false };

	for (size_t i = 0; i < server->slot_count; i++) {
		struct cert *cert = certs_slot_cert(shared->certs, server->slots[i]);

		if (cert && seen[cert->facts->kind])
			diag(DIAG_warn, "%s:%u: another %s certificate is written before it: this one is served; write a server, or ssl_certificate_folder, for each name",
				server->conf->tls.certificates.items[i].pos.file, server->conf->tls.certificates.items[i].pos.line, cert_kind_name(cert->facts->kind));
		if (cert)
			seen[cert->facts->kind] = true;
		cert_unref(&cert);
	}
}

/* Once all certificates are there: what is to be fetched for them. False with a sentence. */
static bool wishes_make(struct tls_front *front, struct tls_server *server, char why[CERT_WHY_MAX])
{
	const struct conf_tls *tls = &server->conf->tls;
	struct certs *certs = front->shared->certs;
	char file[4096];

	snprintf(file, sizeof(file), "%.*s", SLICE_ARG(tls->trusted.path));
	if (*file && !(server->trusted = cert_list_read(file, why)))
		return false;
	server->wishes = must(calloc(server->slot_count + server->folder_count + 1, sizeof(*server->wishes)));
	for (size_t i = 0; i < server->slot_count + server->folder_count; i++) {
		server->wishes[i] = (struct cert_wish){ .by = front, .fetch = server->conf->set.ssl_stapling, .anyone = !server->conf->set.ssl_stapling_verify,
			.responder = tls->responder, .folder = front->conf->stapling_folder, .trusted = server->trusted };
		if (i < server->slot_count)
			certs_slot_wish(certs, server->slots[i], &server->wishes[i]);
		else
			certs_folder_wish(certs, server->folders[i - server->slot_count], &server->wishes[i]);
	}
	return true;
}

static bool server_make(struct tls_front *front, struct tls_server *server, const struct conf_server *conf)
{
	struct certs *certs = front->shared->certs;
	const struct conf_tls *tls = &conf->tls;
	char why[CERT_WHY_MAX] = "";
	bool good = true;

	server->conf = conf;
	server->slots = must(calloc(tls->certificates.count + 1, sizeof(struct cert_slot *)));
	server->folders = must(calloc(tls->folders.count + 1, sizeof(struct cert_folder *)));
	for (size_t i = 0; i < tls->certificates.count; i++) {
		struct slice key = tls->keys.count ? tls->keys.items[i].path : SLICE("");
		struct cert_slot *slot = certs_slot(certs, tls->certificates.items[i].path, key, why);
		if (slot)
			server->slots[server->slot_count++] = slot;
		else
			good = told(tls->certificates.items[i].pos, why);
		for (size_t s = 0; slot && s < tls->staplings.count; s++)
			cert_slot_staple(certs, slot, tls->staplings.items[s].path);
	}
	for (size_t i = 0; i < tls->folders.count; i++) {
		struct cert_folder *folder = certs_folder(certs, tls->folders.items[i].path, why);
		if (folder)
			server->folders[server->folder_count++] = folder;
		else
			good = told(tls->folders.items[i].pos, why);
	}
	if (good && !server_refresh(front, server, why))
		good = told(conf->pos, why);
	if (good && !wishes_make(front, server, why))
		good = told(conf->tls.trusted.pos, why);
	if (good)
		warn_of_kinds(front->shared, server);
	return good;
}

static void front_free(void *tls)
{
	struct tls_front *front = tls;

	if (!front)
		return;
	certs_unlisten(front->shared->certs, &front->listener);
	for (size_t s = 0; s < front->server_count; s++) {
		struct tls_server *server = &front->servers[s];

		for (size_t i = 0; i < server->slot_count; i++) {
			if (server->wishes)
				certs_slot_unwish(front->shared->certs, server->slots[i], &server->wishes[i]);
			certs_slot_unref(front->shared->certs, &server->slots[i]);
		}
		for (size_t i = 0; i < server->folder_count; i++) {
			if (server->wishes)
				certs_folder_unwish(front->shared->certs, server->folders[i], &server->wishes[server->slot_count + i]);
			certs_folder_unref(front->shared->certs, &server->folders[i]);
		}
		free(server->slots);
		free(server->folders);
		free(server->wishes);
		sk_X509_pop_free(server->trusted, X509_free);
		SSL_CTX_free(server->ctx);
	}
	pthread_mutex_destroy(&front->lock);
	free(front->servers);
	free(front);
}

static bool wants_tls(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listen_count; i++)
		if (conf->listens[i].tls)
			return true;
	return false;
}

bool tls_front_make(struct tls_shared *shared, struct conf *conf)
{
	struct tls_front *front;
	char why[CERT_WHY_MAX];
	bool good = true;

	if (!wants_tls(conf))
		return true;
	if (!tls_tickets_take(shared->tickets, conf, why)) {
		diag(DIAG_error, "%s", why);
		return false;
	}
	front = must(calloc(1, sizeof(*front)));
	front->shared = shared;
	front->conf = conf;
	pthread_mutex_init(&front->lock, NULL);
	front->servers = must(calloc(conf->server_count + 1, sizeof(*front->servers)));
	front->server_count = conf->server_count;
	for (size_t i = 0; i < conf->server_count; i++)
		if (conf->servers[i]->has_tls)
			good &= server_make(front, &front->servers[i], conf->servers[i]);
	for (size_t i = 0; i < conf->server_count; i++)
		front->early |= conf->servers[i]->has_tls && conf->servers[i]->set.ssl_early_data;
	front->listener.changed = slot_changed;
	certs_listen(shared->certs, &front->listener);
	conf->tls = front;
	conf->tls_free = front_free;
	return good;
}

bool tls_front_check(struct conf *conf)
{
	struct tls_shared shared = { certs_new(), tls_tickets_new() };
	bool good = tls_front_make(&shared, conf);

	front_free(conf->tls);
	conf->tls = NULL;
	conf->tls_free = NULL;
	tls_shared_close(&shared);
	return good;
}

/* ---- what is shared ---- */

bool tls_shared_open(struct tls_shared *shared)
{
	*shared = (struct tls_shared){ certs_new(), tls_tickets_new() };
	return true;
}

void tls_shared_stop(struct tls_shared *shared)
{
	certs_stop(shared->certs);
}

void tls_shared_close(struct tls_shared *shared)
{
	certs_free(&shared->certs);
	tls_tickets_free(&shared->tickets);
}
