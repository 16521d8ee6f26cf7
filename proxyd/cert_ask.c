/* Asking responders about certificates: a few at once, not many a second, again after failures, and what becomes of the answers. */
#include "cert_stapling.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cert_fetch.h"
#include "clock.h"
#include "diag.h"
#include "ocsp.h"

enum {
	OPEN_MAX = 4,                            /* fetches under way */
	TOKENS_MAX = 20, TOKEN_US = 100 * 1000,  /* begun at once, and how often another one may be */
	RETRY_S = 15, RETRY_DOUBLINGS = 8,       /* after a failure: 15 s, 30 s... an hour */
	REVOKED_AGAIN_S = 3600,
	OPEN_END_S = 2 * 3600,                   /* life of an answer that does not say how long it lives */
};

/* ---- what comes of it ---- */

struct asking { struct certs *certs; struct cert_slot *slot; struct cert *cert; X509 *issuer; bool anyone; char url[2048]; };

static void asking_free(void *owner)
{
	struct asking *a = owner;

	pthread_mutex_lock(&a->certs->lock);
	a->slot->stapling.fetching = false;
	slot_unref(a->slot);
	pthread_mutex_unlock(&a->certs->lock);
	cert_unref(&a->cert);
	X509_free(a->issuer);
	free(a);
}

static const char *date_text(int64_t s, char text[32])
{
	time_t when = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || !strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(text, 32, "?");
	return text;
}

static void take_failure(struct certs *certs, struct asking *a, const char *why)
{
	static struct diag_limit limit;
	struct cert_stapling *st = &a->slot->stapling;
	int64_t now_s = certs_now_s(), from_s, until_s, pause_s;
	bool valid = stapling_is_valid(a->slot, now_s), has = cert_staple_dates(a->slot->cert->leaf, &from_s, &until_s), gap = !valid && !st->gap_told;
	bool news = strcmp(why, st->error) != 0 || gap;
	char date[32], state[160];
	uint64_t count;

	atomic_fetch_add(&certs->fetches_failed, 1);
	pause_s = (int64_t)RETRY_S << (st->failures < RETRY_DOUBLINGS ? st->failures : RETRY_DOUBLINGS);
	pthread_mutex_lock(&certs->lock);
	st->failures++;
	st->gap_told = !valid;
	st->error_s = now_s;
	snprintf(st->error, sizeof(st->error), "%s", why);
	pthread_mutex_unlock(&certs->lock);
	stapling_due_in(certs, a->slot, pause_s);
	if (valid)
		snprintf(state, sizeof(state), "the present one is sent until %s", date_text(until_s, date));
	else
		snprintf(state, sizeof(state), "%s%s", has ? "the one before has expired, " : "", a->cert->facts->wants_staple
			? "handshakes go without, and the certificate wants to be refused then (RFC 7633)" : "handshakes go without");
	if (news && diag_limited(&limit, clock_now_us(), &count))
		diag(!valid && a->cert->facts->wants_staple ? DIAG_error : DIAG_warn,
			"certificate '%s': no OCSP answer from %.200s: %s; %s; asked again in %ld s (one of %lu such)", a->slot->file, a->url, why, state,
			(long)pause_s, (unsigned long)count);
}

static void take_revoked(struct certs *certs, struct asking *a, const struct ocsp_answer *answer)
{
	const struct cert_wish *wish = stapling_wish(a->slot);
	char date[32];

	stapling_drop(certs, a->slot);
	stapling_unsave(a->slot, wish);
	pthread_mutex_lock(&certs->lock);
	a->slot->stapling.revoked = true;
	a->slot->stapling.failures = 0;
	a->slot->stapling.fetched_s = certs_now_s();
	snprintf(a->slot->stapling.error, sizeof(a->slot->stapling.error), "revoked since %s", date_text(answer->revoked_s, date));
	a->slot->stapling.error_s = certs_now_s();
	pthread_mutex_unlock(&certs->lock);
	stapling_due_in(certs, a->slot, REVOKED_AGAIN_S);
	diag(DIAG_error, "certificate '%s', serial %s, is REVOKED since %s, says %.200s: get a new one; clients that look at it refuse it", a->slot->file,
		a->cert->facts->serial, date, a->url);
}

static void take_good(struct certs *certs, struct asking *a, struct slice der, const struct ocsp_answer *answer)
{
	struct cert_stapling *st = &a->slot->stapling;
	int64_t now_s = certs_now_s(), until_s = answer->until_s == INT64_MAX ? now_s + OPEN_END_S : answer->until_s, had_from_s, had_until_s;
	bool had = cert_staple_dates(a->cert->leaf, &had_from_s, &had_until_s) && now_s < had_until_s;
	char date[32];

	if (had && had_until_s != INT64_MAX && until_s < had_until_s) {
		take_failure(certs, a, "what it sends is older than what was there");
		return;
	}
	cert_staple_set(a->cert->leaf, cert_staple_new(der, answer->from_s, until_s));
	stapling_save(a->slot, stapling_wish(a->slot), der);
	diag(!had || st->failures ? DIAG_notice : DIAG_info, "certificate '%s': OCSP answer from %.200s: good until %s", a->slot->file, a->url, date_text(until_s, date));
	pthread_mutex_lock(&certs->lock);
	st->fetched = true;
	st->revoked = st->gap_told = false;
	st->failures = 0;
	st->fetched_s = now_s;
	st->error[0] = '\0';
	snprintf(st->source, sizeof(st->source), "%.*s", CERT_PATH_MAX - 1, a->url);
	pthread_mutex_unlock(&certs->lock);
	stapling_due_refresh(certs, a->slot, until_s);
}

static void fetch_over(void *arg, void *owner, const struct slice *answer, const char *why)
{
	struct certs *certs = arg;
	struct asking *a = owner;
	struct ocsp_about about = { .leaf = a->cert->leaf, .issuer = a->issuer, .anyone = a->anyone };
	struct ocsp_answer read;
	char reason[CERT_WHY_MAX];
	enum ocsp_says says = OCSP_SAYS_nothing;

	snprintf(reason, sizeof(reason), "%s", why);
	if (answer)
		says = ocsp_read(*answer, &about, certs_now_s(), &read, reason);
	atomic_fetch_add(&certs->fetches_over, 1);
	pthread_mutex_lock(&certs->loading);
	/* Another certificate, or nobody wants it any more: that one has its own turn. */
	if (a->slot->cert == a->cert && stapling_wish(a->slot)) {
		switch (says) {
		case OCSP_SAYS_good: take_good(certs, a, *answer, &read); break;
		case OCSP_SAYS_revoked: take_revoked(certs, a, &read); break;
		case OCSP_SAYS_nothing: take_failure(certs, a, reason); break;
		}
	}
	asking_free(a);
	pthread_mutex_lock(&certs->lock);
	certs->stapling_us = 0;                  /* it has made room; and the slot may have waited for this end itself */
	pthread_mutex_unlock(&certs->lock);
	pthread_mutex_unlock(&certs->loading);
}

/* ---- asking ---- */

/* certs->loading is held. */
static void ask(struct certs *certs, struct cert_slot *slot)
{
	const struct cert_wish *wish = stapling_wish(slot);
	X509 *issuer = wish ? stapling_issuer(slot, wish) : NULL;
	struct asking *a;
	unsigned char *body;
	char *url;
	size_t len;

	stapling_due_never(certs, slot);
	if (!issuer || certs_now_s() > slot->cert->facts->not_after_s)
		return;
	a = must(calloc(1, sizeof(*a)));
	url = wish->responder.len ? must(strndup(wish->responder.ptr, wish->responder.len)) : ocsp_responder(slot->cert->leaf);
	snprintf(a->url, sizeof(a->url), "%s", url ? url : "");
	free(url);
	a->certs = certs;
	a->slot = slot;
	a->cert = cert_ref(slot->cert);
	a->issuer = issuer;
	a->anyone = wish->anyone;
	X509_up_ref(issuer);
	pthread_mutex_lock(&certs->lock);
	slot->refs++;
	slot->stapling.fetching = true;
	pthread_mutex_unlock(&certs->lock);
	if (!certs->fetches)
		certs->fetches = fetches_new();
	body = ocsp_request(slot->cert->leaf, issuer, &len);
	if (!certs->fetches || !body || !fetch_begin(certs->fetches, a->url, body, len, clock_now_us(), a)) {
		take_failure(certs, a, "it cannot be asked: libcurl refuses");
		asking_free(a);
	}
	OPENSSL_free(body);
}

/* ---- the thread ---- */

/* How many may be begun now: a certificate each 100 ms, however many there are. */
static unsigned tokens_now(struct certs *certs, uint64_t now_us)
{
	uint64_t more = (now_us - certs->token_us) / TOKEN_US;

	if (!certs->token_us || more >= TOKENS_MAX) {
		certs->tokens = TOKENS_MAX;
		certs->token_us = now_us;
	} else {
		certs->tokens = certs->tokens + (unsigned)more < TOKENS_MAX ? certs->tokens + (unsigned)more : TOKENS_MAX;
		certs->token_us += more * TOKEN_US;
	}
	return certs->tokens;
}

static void due_begin(struct certs *certs, uint64_t now_us)
{
	uint64_t next_us = UINT64_MAX;

	pthread_mutex_lock(&certs->lock);
	certs->stapling_us = UINT64_MAX;
	pthread_mutex_unlock(&certs->lock);
	pthread_mutex_lock(&certs->loading);
	for (struct cert_slot *slot = certs->slots; slot; slot = slot->next) {
		const struct cert_stapling *st = &slot->stapling;

		if (!slot->cert || !st->due_us || st->fetching)
			continue;
		if (st->due_us > now_us)
			next_us = st->due_us < next_us ? st->due_us : next_us;
		else if (!certs->tokens)
			next_us = now_us + TOKEN_US;
		else if (fetches_open(certs->fetches) >= OPEN_MAX)
			next_us = now_us + TOKEN_US < next_us ? now_us + TOKEN_US : next_us;
		else {
			certs->tokens--;
			ask(certs, slot);
		}
	}
	pthread_mutex_unlock(&certs->loading);
	pthread_mutex_lock(&certs->lock);
	if (next_us < certs->stapling_us)
		certs->stapling_us = next_us;
	pthread_mutex_unlock(&certs->lock);
}

void stapling_run(struct certs *certs)
{
	uint64_t now_us = clock_now_us(), due_us;

	if (fetches_open(certs->fetches))
		fetches_run(certs->fetches, now_us, fetch_over, certs);
	pthread_mutex_lock(&certs->lock);
	due_us = certs->stapling_us;
	pthread_mutex_unlock(&certs->lock);
	tokens_now(certs, now_us);
	if (due_us <= now_us)
		due_begin(certs, now_us);
}

void stapling_wait(struct certs *certs, struct pollfd *polls, unsigned count, int ms)
{
	uint64_t now_us = clock_now_us(), due_us;

	if (fetches_open(certs->fetches) && ms > FETCH_LOOK_MS)
		ms = FETCH_LOOK_MS;
	pthread_mutex_lock(&certs->lock);
	due_us = certs->stapling_us;
	pthread_mutex_unlock(&certs->lock);
	if (due_us < now_us + (uint64_t)ms * 1000)
		ms = due_us > now_us ? (int)((due_us - now_us + 999) / 1000) : 0;
	fetches_poll(certs->fetches, polls, count, ms);
}

void stapling_end(struct certs *certs)
{
	fetches_free(&certs->fetches, asking_free);
}

void certs_fetches(const struct certs *certs, uint64_t *ret_all, uint64_t *ret_failed)
{
	*ret_failed = atomic_load(&certs->fetches_failed);
	*ret_all = atomic_load(&certs->fetches_over);
}
