/* The thread of the certificates: it watches their files, loads what handshakes wait for, and says when one is about to expire. */
#include "certs_internal.h"

#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"

enum { WATCHED = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB, DAY_S = 86400, TOLD_MAX = 20 };

/* ---- watching ---- */

void watch_folder(struct certs *certs, const char *path)
{
	struct cert_watch *watch;

	for (watch = certs->watches; watch; watch = watch->next)
		if (strcmp(watch->path, path) == 0)
			return;
	watch = must(calloc(1, sizeof(*watch)));
	watch->path = must(strdup(path));
	/* Without inotify, or out of watches, the regular look is what there is. */
	watch->watch = certs->inotify_fd >= 0 ? inotify_add_watch(certs->inotify_fd, path, WATCHED) : -1;
	watch->next = certs->watches;
	certs->watches = watch;
}

/* The folder, since files are replaced by renaming, and so are links in it. */
void watch_file(struct certs *certs, const char *file)
{
	char *copy = must(strdup(file));

	watch_folder(certs, dirname(copy));
	free(copy);
}

void watches_free(struct certs *certs)
{
	while (certs->watches) {
		struct cert_watch *watch = certs->watches;

		certs->watches = watch->next;
		free(watch->path);
		free(watch);
	}
}

/* What happened does not matter: everything is looked at. Returns whether anything did. */
static bool events_take(struct certs *certs)
{
	char buf[16 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool any = false;

	while (read(certs->inotify_fd, buf, sizeof(buf)) > 0)
		any = true;
	return any;
}

static void look_around(struct certs *certs)
{
	pthread_mutex_lock(&certs->loading);
	/* Slots come, and those outside of folders go, in the main thread only, which may do so but while we load. */
	for (struct cert_folder *folder = certs->folders; folder; folder = folder->next)
		if (!folder_scan(certs, folder))
			diag(DIAG_error, "certificates: '%s': %s; what is known of it is served on", folder->path, strerror(errno));
	for (struct cert_slot *slot = certs->slots, *next; slot; slot = next) {
		next = slot->next;
		if (!slot->in_folder)
			slot_look(certs, slot);
	}
	pthread_mutex_unlock(&certs->loading);
}

/* ---- handshakes that wait ---- */

static void wait_serve(struct certs *certs, struct cert_wait *wait)
{
	char why[CERT_WHY_MAX];

	for (int kind = 0; kind < CERT_KIND_COUNT; kind++) {
		struct cert_slot *slot = wait->slots[kind];

		if (!slot)
			continue;
		pthread_mutex_lock(&certs->loading);
		if (!slot->cert && !slot->bad && !slot_load(certs, slot, why)) {
			diag(DIAG_error, "certificate refused: %s; its names are not served by it", why);
			pthread_mutex_lock(&certs->lock);
			slot->bad = true;
			pthread_mutex_unlock(&certs->lock);
		}
		pthread_mutex_lock(&certs->lock);
		slot_unref(slot);
		pthread_mutex_unlock(&certs->lock);
		pthread_mutex_unlock(&certs->loading);
	}
	worker_post(wait->worker, &wait->mail);
}

static void waiting_serve(struct certs *certs)
{
	struct cert_wait *wait, *next;

	pthread_mutex_lock(&certs->lock);
	wait = certs->waiting;
	certs->waiting = NULL;
	pthread_mutex_unlock(&certs->lock);
	for (; wait; wait = next) {
		next = wait->next;
		wait_serve(certs, wait);
	}
}

/* ---- dates ---- */

/* So many days, or that part of its life of one that is renewed more often than every three months. */
static int64_t span_s(const struct cert_slot *slot, int days, int parts)
{
	int64_t life_s = slot->not_after_s - slot->not_before_s, part_s = life_s / parts, all_s = (int64_t)days * DAY_S;

	return slot->not_before_s && part_s < all_s ? part_s : all_s;
}

static enum cert_warned warning_of(const struct cert_slot *slot, int64_t left_s)
{
	return left_s < 0 ? WARNED_expired : left_s < span_s(slot, CERTS_ALARM_DAYS, 12) ? WARNED_alarm : left_s < span_s(slot, CERTS_WARN_DAYS, 4) ? WARNED_soon : WARNED_no;
}

static void date_tell(const struct cert_slot *slot, int64_t left_s)
{
	enum diag_level level = slot->warned == WARNED_alarm ? DIAG_error : DIAG_warn;

	if (slot->warned == WARNED_expired)
		diag(DIAG_error, "certificate '%s' has expired and no new one has come", slot->file);
	else if (left_s < 2 * DAY_S)
		diag(level, "certificate '%s' expires in %ld hours and no new one has come", slot->file, (long)(left_s / 3600));
	else
		diag(level, "certificate '%s' expires in %ld days and no new one has come", slot->file, (long)(left_s / DAY_S));
}

/* Each step is told once; of very many, some. */
static void dates_look(struct certs *certs)
{
	int64_t now_s = certs_now_s();
	size_t told = 0, lacking = 0;

	pthread_mutex_lock(&certs->lock);
	for (struct cert_slot *slot = certs->slots; slot; slot = slot->next) {
		int64_t left_s = slot->not_after_s - now_s;
		enum cert_warned warned = slot->not_after_s ? warning_of(slot, left_s) : WARNED_no, before = slot->warned;

		if (stapling_lacks(slot, now_s) && lacking++ < TOLD_MAX)
			diag(DIAG_warn, "certificate '%s' wants to be refused without an OCSP answer (RFC 7633), and has none: write ssl_stapling on", slot->file);
		slot->warned = warned;
		if (warned > before && told++ < TOLD_MAX)
			date_tell(slot, left_s);
	}
	pthread_mutex_unlock(&certs->lock);
	if (told > TOLD_MAX)
		diag(DIAG_warn, "%zu more certificates are about to expire, or have", told - TOLD_MAX);
	if (lacking > TOLD_MAX)
		diag(DIAG_warn, "%zu more certificates want to be refused without an OCSP answer, and have none", lacking - TOLD_MAX);
}

/* ---- the thread ---- */

static void *certs_main(void *arg)
{
	struct certs *certs = arg;
	uint64_t settle_us = 0, poll_us = clock_now_us() + CERTS_POLL_MS * 1000ull, dates_us = 0, count;

	pthread_setname_np(pthread_self(), "certificates");
	for (;;) {
		struct pollfd polls[2] = { { .fd = certs->wake_fd, .events = POLLIN }, { .fd = certs->inotify_fd, .events = POLLIN } };
		int ms = settle_us ? CERTS_SETTLE_MS : CERTS_POLL_MS;

		if (dates_us <= clock_now_us()) {
			dates_look(certs);
			dates_us = clock_now_us() + CERTS_EXPIRY_MS * 1000ull;
		}
		stapling_wait(certs, polls, 2, ms);
		if (polls[0].revents && read(certs->wake_fd, &count, sizeof(count)) == sizeof(count)) {
			pthread_mutex_lock(&certs->lock);
			bool stop = certs->stop;
			pthread_mutex_unlock(&certs->lock);
			if (stop)
				break;
		}
		waiting_serve(certs);
		stapling_run(certs);
		if (certs->inotify_fd >= 0 && polls[1].revents && events_take(certs))
			settle_us = clock_now_us() + CERTS_SETTLE_MS * 1000ull;
		uint64_t now_us = clock_now_us();
		if ((settle_us && (now_us >= settle_us || !polls[1].revents)) || now_us >= poll_us) {
			settle_us = 0;
			poll_us = now_us + CERTS_POLL_MS * 1000ull;
			dates_us = 0;
			look_around(certs);
		}
	}
	waiting_serve(certs);
	stapling_end(certs);
	return NULL;
}

bool certs_start(struct certs *certs)
{
	int err;

	certs->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	for (struct cert_watch *watch = certs->watches; watch && certs->inotify_fd >= 0; watch = watch->next)
		watch->watch = inotify_add_watch(certs->inotify_fd, watch->path, WATCHED);
	certs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = certs->wake_fd < 0 ? errno : pthread_create(&certs->thread, NULL, certs_main, certs);
	certs->running = err == 0;
	errno = err;
	return certs->running;
}

void certs_stop(struct certs *certs)
{
	if (!certs || !certs->running)
		return;
	pthread_mutex_lock(&certs->lock);
	certs->stop = true;
	pthread_mutex_unlock(&certs->lock);
	certs_wake(certs);
	pthread_join(certs->thread, NULL);
	certs->running = false;
}
