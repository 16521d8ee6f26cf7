/* Slots of certificates: made, loaded, swapped, shown. */
#include "certs_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"

int64_t certs_now_s(void)
{
	return clock_wall_us() / 1000000;
}

void certs_wake(struct certs *certs)
{
	const uint64_t one = 1;

	while (certs->wake_fd >= 0 && write(certs->wake_fd, &one, sizeof(one)) < 0)
		CHECK(errno == EINTR);
}

/* ---- slots ---- */

struct cert_slot *slot_new(struct certs *certs, const char *file, const char *key)
{
	struct cert_slot *slot = must(calloc(1, sizeof(*slot)));

	slot->refs = 1;
	slot->file = must(strdup(file));
	slot->key = key ? must(strdup(key)) : NULL;
	CHECK(asprintf(&slot->staples[0], "%s.ocsp", file) > 0);
	slot->staple_count = 1;
	pthread_mutex_lock(&certs->lock);
	slot->next = certs->slots;
	slot->at = &certs->slots;
	if (slot->next)
		slot->next->at = &slot->next;
	certs->slots = slot;
	pthread_mutex_unlock(&certs->lock);
	return slot;
}

/* The lock is held. */
void slot_unref(struct cert_slot *slot)
{
	if (--slot->refs > 0)
		return;
	*slot->at = slot->next;
	if (slot->next)
		slot->next->at = slot->at;
	cert_unref(&slot->cert);
	for (size_t i = 0; i < slot->staple_count; i++)
		free(slot->staples[i]);
	cert_names_free(slot->names, slot->name_count);
	free(slot->file);
	free(slot->key);
	free(slot);
}

static void sign_one(const char *path, struct cert_sign *sign, size_t i)
{
	struct stat st;

	if (!path || stat(path, &st) != 0)
		return;
	sign->mtime_ns[i] = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	sign->size[i] = (uint64_t)st.st_size;
	sign->inode[i] = st.st_ino;
}

bool slot_sign(const struct cert_slot *slot, struct cert_sign *ret)
{
	memset(ret, 0, sizeof(*ret));
	sign_one(slot->file, ret, 0);
	sign_one(slot->key, ret, 1);
	for (size_t i = 0; i < slot->staple_count; i++)
		sign_one(slot->staples[i], ret, 2 + i);
	return memcmp(ret, &slot->seen, sizeof(*ret)) != 0;
}

void slot_refused(struct certs *certs, struct cert_slot *slot, const char *why)
{
	pthread_mutex_lock(&certs->lock);
	snprintf(slot->error, sizeof(slot->error), "%s", why);
	slot->error_s = certs_now_s();
	pthread_mutex_unlock(&certs->lock);
	atomic_fetch_add(&certs->refused, 1);
}

static void listeners_tell(struct certs *certs, struct cert_slot *slot)
{
	/* Listeners come and go in the main thread, which waits for `loading` then. */
	for (struct certs_listener *l = certs->listeners; l; l = l->next)
		l->changed(l, slot);
}

bool slot_load(struct certs *certs, struct cert_slot *slot, char why[CERT_WHY_MAX])
{
	struct cert_sign sign;
	int64_t now_s = certs_now_s();
	char date[CERT_WHY_MAX];
	struct cert *cert, *old;

	slot_sign(slot, &sign);
	cert = cert_load(slot->file, slot->key, slot->staples, slot->staple_count, now_s, why);
	slot->seen = sign;
	/* Better an expired one than none; better the old one than an expired one. */
	if (cert && !cert_is_valid(cert, now_s, date)) {
		snprintf(why, CERT_WHY_MAX, "'%.120s': %.120s", slot->file, date);
		if (slot->cert)
			cert_unref(&cert);
		else
			diag(DIAG_warn, "certificate %s; there is no other, it is served all the same", why);
	}
	if (!cert) {
		slot_refused(certs, slot, why);
		return false;
	}
	pthread_mutex_lock(&certs->lock);
	old = slot->cert;
	slot->cert = cert;
	slot->kind = cert->facts->kind;
	slot->not_before_s = cert->facts->not_before_s;
	slot->not_after_s = cert->facts->not_after_s;
	slot->error[0] = '\0';
	slot->warned = WARNED_no;
	pthread_mutex_unlock(&certs->lock);
	stapling_loaded(certs, slot, old);
	cert_unref(&old);
	listeners_tell(certs, slot);
	return true;
}

void slot_look(struct certs *certs, struct cert_slot *slot)
{
	struct cert_sign sign;
	char why[CERT_WHY_MAX];

	if (!slot_sign(slot, &sign))
		return;
	if (slot_load(certs, slot, why))
		diag(DIAG_notice, "certificate '%s' is new: serial %s", slot->file, slot->cert->facts->serial);
	else
		diag(DIAG_error, "certificate refused: %s; %s", why, slot->cert ? "the old one is served on" : "there is no old one");
}

void certs_check_access(struct certs *certs)
{
	for (const struct cert_slot *slot = certs->slots; slot; slot = slot->next) {
		const char *key = slot->key ? slot->key : slot->file;

		if (!slot->in_folder && access(key, R_OK) != 0)
			diag(DIAG_warn, "key '%s' was read as root and cannot be read any more: a new one would be refused; let the user of proxyd read it", key);
	}
}

/* ---- for configurations ---- */

static struct cert_slot *slot_find(struct certs *certs, const char *file, const char *key)
{
	for (struct cert_slot *slot = certs->slots; slot; slot = slot->next)
		if (!slot->in_folder && strcmp(slot->file, file) == 0 && !slot->key == !key && (!key || strcmp(slot->key, key) == 0))
			return slot;
	return NULL;
}

struct cert_slot *certs_slot(struct certs *certs, struct slice file, struct slice key, char why[CERT_WHY_MAX])
{
	char *path = must(strndup(file.ptr, file.len)), *key_path = key.len ? must(strndup(key.ptr, key.len)) : NULL;
	struct cert_slot *slot;

	pthread_mutex_lock(&certs->loading);
	pthread_mutex_lock(&certs->lock);
	slot = slot_find(certs, path, key_path);
	if (slot)
		slot->refs++;
	pthread_mutex_unlock(&certs->lock);
	if (slot) {
		slot_look(certs, slot);
	} else {
		slot = slot_new(certs, path, key_path);
		if (slot_load(certs, slot, why)) {
			watch_file(certs, path);
			if (key_path)
				watch_file(certs, key_path);
		} else {
			pthread_mutex_lock(&certs->lock);
			slot_unref(slot);
			pthread_mutex_unlock(&certs->lock);
			slot = NULL;
		}
	}
	pthread_mutex_unlock(&certs->loading);
	free(path);
	free(key_path);
	return slot;
}

void cert_slot_staple(struct certs *certs, struct cert_slot *slot, struct slice file)
{
	char *path = must(strndup(file.ptr, file.len));
	bool known = false;

	pthread_mutex_lock(&certs->loading);
	for (size_t i = 0; i < slot->staple_count; i++)
		known |= strcmp(slot->staples[i], path) == 0;
	if (known || slot->staple_count == CERT_STAPLES_MAX) {
		free(path);
	} else {
		slot->staples[slot->staple_count++] = path;
		watch_file(certs, path);
		slot_look(certs, slot);
	}
	pthread_mutex_unlock(&certs->loading);
}

void certs_slot_unref(struct certs *certs, struct cert_slot **slot)
{
	if (!*slot)
		return;
	pthread_mutex_lock(&certs->loading);
	pthread_mutex_lock(&certs->lock);
	slot_unref(*slot);
	pthread_mutex_unlock(&certs->lock);
	pthread_mutex_unlock(&certs->loading);
	*slot = NULL;
}

struct cert *certs_slot_cert(struct certs *certs, struct cert_slot *slot)
{
	struct cert *cert;

	pthread_mutex_lock(&certs->lock);
	cert = slot->cert ? cert_ref(slot->cert) : NULL;
	pthread_mutex_unlock(&certs->lock);
	return cert;
}

void certs_listen(struct certs *certs, struct certs_listener *listener)
{
	pthread_mutex_lock(&certs->loading);
	listener->next = certs->listeners;
	certs->listeners = listener;
	pthread_mutex_unlock(&certs->loading);
}

void certs_unlisten(struct certs *certs, struct certs_listener *listener)
{
	struct certs_listener **at = &certs->listeners;

	pthread_mutex_lock(&certs->loading);
	while (*at && *at != listener)
		at = &(*at)->next;
	if (*at)
		*at = listener->next;
	pthread_mutex_unlock(&certs->loading);
}

/* ---- showing ---- */

void certs_each(struct certs *certs, void (*show)(void *arg, const struct cert_view *view), void *arg)
{
	int64_t now_s = certs_now_s();

	pthread_mutex_lock(&certs->lock);
	for (const struct cert_slot *slot = certs->slots; slot; slot = slot->next) {
		struct cert_view view = { .file = slot->file, .error = slot->error, .error_s = slot->error_s, .cert = slot->cert, .names = slot->names,
			.name_count = slot->name_count, .in_folder = slot->in_folder, .not_after_s = slot->not_after_s };

		stapling_view(slot, now_s, &view.staple);
		if (slot->cert) {
			view.names = slot->cert->names;
			view.name_count = slot->cert->name_count;
		}
		show(arg, &view);
	}
	pthread_mutex_unlock(&certs->lock);
}

uint64_t certs_refused(const struct certs *certs)
{
	return atomic_load(&certs->refused);
}

/* ---- life ---- */

struct certs *certs_new(void)
{
	struct certs *certs = must(calloc(1, sizeof(*certs)));

	pthread_mutex_init(&certs->lock, NULL);
	pthread_mutex_init(&certs->loading, NULL);
	certs->wake_fd = certs->inotify_fd = -1;
	certs->stapling_us = UINT64_MAX;
	return certs;
}

void certs_free(struct certs **certs)
{
	struct certs *c = *certs;

	if (!c)
		return;
	*certs = NULL;
	CHECK(!c->running && !c->slots && !c->folders && !c->listeners);
	watches_free(c);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	if (c->inotify_fd >= 0)
		close(c->inotify_fd);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->loading);
	free(c);
}
