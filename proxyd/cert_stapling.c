/* OCSP answers for the certificates that are served: for which they are fetched and when, and where they are kept. */
#include "certs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "cert_stapling.h"
#include "clock.h"
#include "diag.h"
#include "ocsp.h"

enum { REFRESH_LEAST_S = 10, SECOND_US = 1000000 };

/* ---- when ---- */

/* About so many seconds, an eighth more or less: not all certificates of one day at one moment. */
static uint64_t about_us(int64_t seconds)
{
	uint64_t us = (uint64_t)seconds * SECOND_US, random = 0;

	CHECK(RAND_bytes((unsigned char *)&random, sizeof(random)) == 1);
	return us - us / 8 + random % (us / 4 + 1);
}

void stapling_due_in(struct certs *certs, struct cert_slot *slot, int64_t seconds)
{
	uint64_t due_us = clock_now_us() + (seconds ? about_us(seconds) : 0);

	pthread_mutex_lock(&certs->lock);
	slot->stapling.due_us = due_us;
	if (due_us < certs->stapling_us)
		certs->stapling_us = due_us;
	pthread_mutex_unlock(&certs->lock);
	certs_wake(certs);
}

void stapling_due_never(struct certs *certs, struct cert_slot *slot)
{
	pthread_mutex_lock(&certs->lock);
	slot->stapling.due_us = 0;
	pthread_mutex_unlock(&certs->lock);
}

/* In the middle of what is left: for a fresh answer half of its validity. */
void stapling_due_refresh(struct certs *certs, struct cert_slot *slot, int64_t until_s)
{
	int64_t left_s = until_s - certs_now_s();

	stapling_due_in(certs, slot, left_s / 2 > REFRESH_LEAST_S ? left_s / 2 : REFRESH_LEAST_S);
}

/* ---- what is wanted ---- */

/* NULL: nobody wants answers fetched for it. */
const struct cert_wish *stapling_wish(const struct cert_slot *slot)
{
	const struct cert_wish *first = slot->in_folder ? slot->folder ? slot->folder->wishes : NULL : slot->wishes;

	for (const struct cert_wish *wish = first; wish && wish->by == first->by; wish = wish->next)
		if (wish->fetch)
			return wish;
	return NULL;
}

X509 *stapling_issuer(const struct cert_slot *slot, const struct cert_wish *wish)
{
	return ocsp_issuer(slot->cert->leaf, slot->cert->chain, wish->trusted);
}

bool stapling_is_valid(const struct cert_slot *slot, int64_t now_s)
{
	int64_t from_s, until_s;

	return slot->cert && cert_staple_dates(slot->cert->leaf, &from_s, &until_s) && now_s < until_s;
}

/* ---- in a file ---- */

static void saved_path(const struct cert_slot *slot, const struct cert_wish *wish, char path[CERT_PATH_MAX])
{
	XXH128_hash_t hash = XXH3_128bits(slot->file, strlen(slot->file));

	/* By the certificate's file: the answer about its successor takes the place of the one before. */
	snprintf(path, CERT_PATH_MAX, "%.*s/%016lx%016lx.ocsp", SLICE_ARG(wish->folder), (unsigned long)hash.high64, (unsigned long)hash.low64);
}

void stapling_save(const struct cert_slot *slot, const struct cert_wish *wish, struct slice der)
{
	char path[CERT_PATH_MAX], new[CERT_PATH_MAX + 8];
	static struct diag_limit limit;
	uint64_t count;
	int fd;
	bool ok;

	if (!wish->folder.len)
		return;
	saved_path(slot, wish, path);
	snprintf(new, sizeof(new), "%s.new", path);
	fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	ok = fd >= 0 && write(fd, der.ptr, der.len) == (ssize_t)der.len;
	if (fd >= 0)
		ok = close(fd) == 0 && ok;
	ok = ok && rename(new, path) == 0;
	if (!ok && diag_limited(&limit, clock_now_us(), &count))
		diag(DIAG_warn, "ssl_stapling_folder: '%s' cannot be written: %s", path, strerror(errno));
	if (!ok)
		unlink(new);
}

void stapling_unsave(const struct cert_slot *slot, const struct cert_wish *wish)
{
	char path[CERT_PATH_MAX];

	if (!wish->folder.len)
		return;
	saved_path(slot, wish, path);
	unlink(path);
}

/* Whoever has written there: it is verified as what comes from the network is. */
static void saved_read(struct certs *certs, struct cert_slot *slot, const struct cert_wish *wish)
{
	static _Thread_local char bytes[OCSP_ANSWER_MAX];
	struct ocsp_about about = { .leaf = slot->cert->leaf, .issuer = stapling_issuer(slot, wish), .anyone = wish->anyone };
	struct ocsp_answer answer;
	char path[CERT_PATH_MAX], why[CERT_WHY_MAX];
	ssize_t len;
	int fd;

	if (!wish->folder.len || !about.issuer)
		return;
	saved_path(slot, wish, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	if (fd >= 0)
		close(fd);
	/* One without an end was good when it was fetched, and nobody knows when that was. */
	if (len <= 0 || ocsp_read(slice_make(bytes, (size_t)len), &about, certs_now_s(), &answer, why) != OCSP_SAYS_good || answer.until_s == INT64_MAX)
		return;
	cert_staple_set(slot->cert->leaf, cert_staple_new(slice_make(bytes, (size_t)len), answer.from_s, answer.until_s));
	pthread_mutex_lock(&certs->lock);
	slot->stapling.fetched = true;
	snprintf(slot->stapling.source, sizeof(slot->stapling.source), "%s", path);
	pthread_mutex_unlock(&certs->lock);
}

/* ---- planning ---- */

void stapling_drop(struct certs *certs, struct cert_slot *slot)
{
	cert_staple_set(slot->cert->leaf, NULL);
	pthread_mutex_lock(&certs->lock);
	slot->stapling.fetched = false;
	slot->stapling.source[0] = '\0';
	pthread_mutex_unlock(&certs->lock);
}

/* Nothing can be asked: says why, once for each certificate; why empty: nothing is to be. */
static void cannot(struct certs *certs, struct cert_slot *slot, const char *why)
{
	struct cert_stapling *st = &slot->stapling;
	bool again = strcmp(st->error, why) == 0;

	pthread_mutex_lock(&certs->lock);
	snprintf(st->error, sizeof(st->error), "%s", why);
	st->error_s = certs_now_s();
	pthread_mutex_unlock(&certs->lock);
	stapling_due_never(certs, slot);
	if (!again && *why)
		diag(DIAG_warn, "certificate '%s': ssl_stapling has no effect: %s", slot->file, why);
}

/* What is wanted has changed, or what it is wanted for. */
static void plan(struct certs *certs, struct cert_slot *slot)
{
	const struct cert_wish *wish = slot->cert ? stapling_wish(slot) : NULL;
	int64_t from_s, until_s;
	char *responder;

	pthread_mutex_lock(&certs->lock);
	slot->stapling.wanted = wish != NULL;
	pthread_mutex_unlock(&certs->lock);
	if (!wish) {
		if (slot->cert && slot->stapling.fetched)
			stapling_drop(certs, slot);
		if (slot->cert)
			cannot(certs, slot, "");
		return;
	}
	if (!stapling_is_valid(slot, certs_now_s()))
		saved_read(certs, slot, wish);
	responder = wish->responder.len ? NULL : ocsp_responder(slot->cert->leaf);
	if (!wish->responder.len && !responder)
		cannot(certs, slot, "the certificate names no responder with http:// (its authority may have none any more); ssl_stapling_responder can");
	else if (!stapling_issuer(slot, wish))
		cannot(certs, slot, "its issuer is not in the chain: add it there, or name a file with it in ssl_trusted_certificate");
	else if (!cert_staple_dates(slot->cert->leaf, &from_s, &until_s) || until_s == INT64_MAX || until_s <= certs_now_s())
		stapling_due_in(certs, slot, 0);
	else if (!slot->stapling.due_us)
		stapling_due_refresh(certs, slot, until_s);
	free(responder);
}

/* The same certificate, read once more: what is known of it stays. Of its two answers the newer one counts. */
static bool inherit(struct cert_slot *slot, const struct cert *old)
{
	int64_t from_s, until_s, new_from_s, new_until_s;
	unsigned char *der;
	size_t len;

	if (!old || X509_cmp(old->leaf, slot->cert->leaf) != 0)
		return false;
	if (!cert_staple_dates(old->leaf, &from_s, &until_s) || !slot->stapling.fetched)
		return true;
	if (cert_staple_dates(slot->cert->leaf, &new_from_s, &new_until_s) && new_from_s >= from_s)
		return true;
	len = cert_staple_copy(old->leaf, certs_now_s(), &der);
	if (len) {
		cert_staple_set(slot->cert->leaf, cert_staple_new(slice_make((const char *)der, len), from_s, until_s));
		slot->cert->staple_file[0] = '\0';
		OPENSSL_free(der);
	}
	return true;
}

void stapling_loaded(struct certs *certs, struct cert_slot *slot, const struct cert *old)
{
	struct cert_stapling *st = &slot->stapling;
	bool same = inherit(slot, old);

	pthread_mutex_lock(&certs->lock);
	if (!same)
		*st = (struct cert_stapling){ .fetching = st->fetching };
	if (slot->cert->staple_file[0]) {
		st->fetched = false;
		snprintf(st->source, sizeof(st->source), "%s", slot->cert->staple_file);
	}
	pthread_mutex_unlock(&certs->lock);
	plan(certs, slot);
}

/* ---- wishes ---- */

static void wish_add(struct cert_wish **list, struct cert_wish *wish)
{
	wish->next = *list;
	*list = wish;
}

static void wish_take(struct cert_wish **at, const struct cert_wish *wish)
{
	while (*at && *at != wish)
		at = &(*at)->next;
	if (*at)
		*at = wish->next;
}

static void plan_folder(struct certs *certs, struct cert_folder *folder)
{
	for (struct cert_slot *slot = folder->items; slot; slot = slot->folder_next)
		if (slot->cert)
			plan(certs, slot);
}

void certs_slot_wish(struct certs *certs, struct cert_slot *slot, struct cert_wish *wish)
{
	pthread_mutex_lock(&certs->loading);
	wish_add(&slot->wishes, wish);
	plan(certs, slot);
	pthread_mutex_unlock(&certs->loading);
}

void certs_folder_wish(struct certs *certs, struct cert_folder *folder, struct cert_wish *wish)
{
	pthread_mutex_lock(&certs->loading);
	wish_add(&folder->wishes, wish);
	plan_folder(certs, folder);
	pthread_mutex_unlock(&certs->loading);
}

void certs_slot_unwish(struct certs *certs, struct cert_slot *slot, struct cert_wish *wish)
{
	pthread_mutex_lock(&certs->loading);
	wish_take(&slot->wishes, wish);
	plan(certs, slot);
	pthread_mutex_unlock(&certs->loading);
}

void certs_folder_unwish(struct certs *certs, struct cert_folder *folder, struct cert_wish *wish)
{
	pthread_mutex_lock(&certs->loading);
	wish_take(&folder->wishes, wish);
	plan_folder(certs, folder);
	pthread_mutex_unlock(&certs->loading);
}

/* ---- words ---- */

bool stapling_lacks(struct cert_slot *slot, int64_t now_s)
{
	struct cert_stapling *st = &slot->stapling;
	bool lacks = slot->cert && slot->cert->facts->wants_staple && !st->wanted && !stapling_is_valid(slot, now_s), news = lacks && !st->gap_told;

	if (!st->wanted)                         /* else the failed fetch says it */
		st->gap_told = lacks;
	return news;
}

void stapling_view(const struct cert_slot *slot, int64_t now_s, struct cert_staple_view *ret)
{
	const struct cert_stapling *st = &slot->stapling;

	*ret = (struct cert_staple_view){ .wanted = st->wanted || (slot->cert && slot->cert->facts->wants_staple), .revoked = st->revoked, .source = st->source,
		.error = st->error, .error_s = st->error_s, .fetched_s = st->fetched_s };
	if (st->due_us)
		ret->next_s = now_s + ((int64_t)st->due_us - (int64_t)clock_now_us()) / SECOND_US;
	if (!slot->cert || !cert_staple_dates(slot->cert->leaf, &ret->from_s, &ret->until_s))
		return;
	ret->valid = now_s < ret->until_s;
}
