/* public-on-authenticated: an answer meant for one user that every shared cache may keep. A page that anonymous requests
 * get as well (a style sheet that a logged-in browser loads, too) is meant for everybody: which pages those are is known
 * once all lines are read. */
#include "map.h"
#include "rule.h"
#include "bloom.h"

enum { DOUBTS_MAX = 1 << 20 };           /* to be judged at the end; more are taken as findings */

struct doubt { uint64_t page; size_t host; struct place at; };
struct state {
	struct map hosts;                /* of struct group */
	struct bloom for_all;             /* pages that were answered with 2xx or 304 to requests of nobody in particular */
	struct doubt *doubts;
	size_t count, cap;
};

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct group), NAMES_MAX);
	bloom_init(&((struct state *)state)->for_all);
}

static void doubt_add(struct state *s, const struct logline *l, struct place at)
{
	struct group *host = host_value(&s->hosts, l);

	if (s->count == DOUBTS_MAX) {
		group_add(host, at);
		return;
	}
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->doubts = must(realloc(s->doubts, s->cap * sizeof(*s->doubts)));
	}
	s->doubts[s->count++] = (struct doubt){ line_facts(l)->url, (size_t)((char *)host - s->hosts.values) / sizeof(*host), at };
}

void rule_public_on_authenticated_ahead(const void *state, const struct logline *l)
{
	bloom_ahead(&((const struct state *)state)->for_all, line_facts(l)->url);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;

	if (l->rec != REC_req || !l->resp_public)
		return;
	if (l->req_auth || l->req_login) {
		doubt_add(s, l, at);
	} else if ((l->status >= 200 && l->status < 300) || l->status == 304) {
		bloom_add(&s->for_all, line_facts(l)->url);
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->count; i++) {
		if (!bloom_has(&s->for_all, s->doubts[i].page))
			group_add(map_value(&s->hosts, s->doubts[i].host), s->doubts[i].at);
	}
	rule_report_groups(&s->hosts, rule, out);
	bloom_release(&s->for_all);
	free(s->doubts);
}

const struct rule_ops rule_public_on_authenticated = { sizeof(struct state), init, line, finish };
