/* authenticated-stored: one user's answer in a shared store. With Authorization, public, s-maxage or must-revalidate allow
 * it (RFC 9111 section 3.5); with a login cookie of the site nothing does: the site said that such answers are personal.
 * What a request without Authorization has put into the store may be served to one with it: a hit is judged by who stored
 * the page, once all lines are read, since a hit's line may stand before that of the fetch it was served from. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"
#include "bloom.h"

enum { HITS_MAX = 1 << 20 };             /* to be judged at the end; more are taken as if nobody is known to have stored the page */

struct hit { uint64_t key, variant; size_t host; struct place at; };
struct host { struct group wrong, doubtful; };
struct state {
	struct map hosts;
	struct keys users;               /* key and variant of what authenticated requests stored, few if any */
	struct bloom anyones;             /* what others stored */
	struct hit *hits;
	size_t count, cap;
};

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct host), NAMES_MAX);
	bloom_init(&((struct state *)state)->anyones);
}

static void keep_hit(struct state *s, const struct logline *l, struct host *host, struct place at)
{
	if (s->count == HITS_MAX) {
		group_add(&host->doubtful, at);
		return;
	}
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->hits = must(realloc(s->hits, s->cap * sizeof(*s->hits)));
	}
	s->hits[s->count++] = (struct hit){ l->key, l->variant, (size_t)((char *)host - s->hosts.values) / sizeof(*host), at };
}

void rule_authenticated_stored_ahead(const void *state, const struct logline *l)
{
	if (l->stored) bloom_ahead(&((const struct state *)state)->anyones, line_page(l));
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	bool served = line_from_store(l) || l->cache == VERDICT_collapsed, allowed, is_new;

	if (l->rec != REC_req || !(served || l->stored)) return;
	allowed = line_may_be_shared(l);
	if (l->stored) {
		if (allowed) bloom_add(&s->anyones, line_page(l));
		else keys_get(&s->users, l->key, l->variant, &is_new);
	}
	if (allowed) return;
	struct host *host = host_value(&s->hosts, l);
	if (l->stored || l->req_login) group_add(&host->wrong, at);
	else keep_hit(s, l, host, at);
}

static void judge_hits(struct state *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct hit *hit = &s->hits[i];
		struct host *host = map_value(&s->hosts, hit->host);
		if (keys_has(&s->users, hit->key, hit->variant)) group_add(&host->wrong, hit->at);
		else if (!bloom_has(&s->anyones, recent_pair(hit->key, hit->variant))) group_add(&host->doubtful, hit->at);
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	judge_hits(s);
	for (size_t i = 0; i < s->hosts.count; i++) {
		const struct host *host = map_value(&s->hosts, i);
		if (host->wrong.count) findings_add(out, rule, map_key(&s->hosts, i), &host->wrong);
		if (!host->doubtful.count) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->hosts, i), &host->doubtful);
		f->severity = SEVERITY_warning;
		finding_text(&f->cause, "%" PRIu64 " requests with Authorization were answered from the store, and these lines do not show whether "
			"a request without it had stored the pages, which would be right", host->doubtful.count);
		finding_text(&f->cure, "give the files from the time when the pages were stored");
	}
	map_release(&s->hosts);
	keys_release(&s->users);
	bloom_release(&s->anyones);
	free(s->hits);
}

const struct rule_ops rule_authenticated_stored = { sizeof(struct state), init, line, finish };
