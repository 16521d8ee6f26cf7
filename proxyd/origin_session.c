/* TLS sessions with origins: a small table by server, name and identity; who was not used for longest leaves. */
#include "origin_session.h"

#include <openssl/x509.h>
#include <stdlib.h>
#include <xxhash.h>

#include "../conf/check.h"

struct origin_session {
	struct origin_session *next;             /* of its bucket */
	struct origin_session *newer, *older;
	SSL_SESSION *session;
	uint64_t identity;
	size_t address_len, name_len;
	char text[];                             /* address, then name */
};

static struct origin_session **slot(struct origin_sessions *all, const struct origin_session_key *key)
{
	uint64_t hash = XXH3_64bits_withSeed(key->address.ptr, key->address.len, key->identity) ^ XXH3_64bits(key->name.ptr, key->name.len);
	struct origin_session **at = &all->buckets[hash % ORIGIN_SESSION_BUCKETS];

	while (*at && !((*at)->identity == key->identity && slice_eq(slice_make((*at)->text, (*at)->address_len), key->address)
			&& slice_eq(slice_make((*at)->text + (*at)->address_len, (*at)->name_len), key->name)))
		at = &(*at)->next;
	return at;
}

static void unlink_used(struct origin_sessions *all, struct origin_session *s)
{
	*(s->newer ? &s->newer->older : &all->newest) = s->older;
	*(s->older ? &s->older->newer : &all->oldest) = s->newer;
}

static void link_newest(struct origin_sessions *all, struct origin_session *s)
{
	s->newer = NULL;
	s->older = all->newest;
	*(all->newest ? &all->newest->newer : &all->oldest) = s;
	all->newest = s;
}

static void drop(struct origin_sessions *all, struct origin_session **at)
{
	struct origin_session *s = *at;

	*at = s->next;
	unlink_used(all, s);
	all->count--;
	SSL_SESSION_free(s->session);
	free(s);
}

void origin_session_drop(struct origin_sessions *all, const struct origin_session_key *key)
{
	struct origin_session **at = slot(all, key);

	if (*at)
		drop(all, at);
}

static bool is_over(const SSL_SESSION *session, int64_t now_s)
{
	X509 *cert = SSL_SESSION_get0_peer((SSL_SESSION *)(uintptr_t)session);
	time_t now = (time_t)now_s;

	if (!SSL_SESSION_is_resumable(session))
		return true;
	if (now_s > (int64_t)SSL_SESSION_get_time(session) + (int64_t)SSL_SESSION_get_timeout(session))
		return true;
	return cert && X509_cmp_time(X509_get0_notAfter(cert), &now) < 0;
}

SSL_SESSION *origin_session_find(struct origin_sessions *all, const struct origin_session_key *key, int64_t now_s)
{
	struct origin_session **at = slot(all, key), *s = *at;

	if (!s)
		return NULL;
	if (is_over(s->session, now_s)) {
		drop(all, at);
		return NULL;
	}
	unlink_used(all, s);
	link_newest(all, s);
	return s->session;
}

void origin_session_put(struct origin_sessions *all, const struct origin_session_key *key, SSL_SESSION *session)
{
	struct origin_session **at = slot(all, key), *s = *at;

	if (s) {
		SSL_SESSION_free(s->session);
		s->session = session;
		return;
	}
	s = must(calloc(1, sizeof(*s) + key->address.len + key->name.len));
	s->session = session;
	s->identity = key->identity;
	s->address_len = key->address.len;
	s->name_len = key->name.len;
	memcpy(s->text, key->address.ptr, key->address.len);
	if (key->name.len)
		memcpy(s->text + key->address.len, key->name.ptr, key->name.len);
	*at = s;
	link_newest(all, s);
	if (++all->count <= ORIGIN_SESSIONS_MAX)
		return;
	s = all->oldest;
	drop(all, slot(all, &(struct origin_session_key){ s->identity, slice_make(s->text, s->address_len), slice_make(s->text + s->address_len, s->name_len) }));
}

void origin_sessions_release(struct origin_sessions *all)
{
	for (size_t b = 0; b < ORIGIN_SESSION_BUCKETS; b++)
		while (all->buckets[b])
			drop(all, &all->buckets[b]);
}
