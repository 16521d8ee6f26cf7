/* authenticated-shared: what was stored from one user's request, against RFC 9111 section 3.5, went to another client. Worse than
 * authenticated-stored, which only says that it could. Bounded by two tables that forget; a collapsed request's line may stand
 * before that of the fetch it was served from, so such lines are kept for a while. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

enum { PAGES_MAX = 1 << 14 };

struct page { uint64_t client; };        /* who asked for what is stored; 0: nobody in particular */
struct early { uint64_t client, end_us; struct place at; };
struct host { struct group group; uint64_t clients; };
struct state { struct recent pages, earlier, clients; struct map hosts; bool any; };   /* any: something is in pages */

static void init(void *state)
{
	struct state *s = state;

	recent_init(&s->pages, sizeof(struct page), PAGES_MAX);
	recent_init(&s->earlier, sizeof(struct early), PAGES_MAX);
	recent_init(&s->clients, sizeof(uint8_t), PAGES_MAX);
	map_init(&s->hosts, sizeof(struct host), NAMES_MAX);
}

static void shared(struct state *s, const struct logline *l, uint64_t client, struct place at)
{
	struct host *host = host_value(&s->hosts, l);
	uint8_t *seen = recent_get(&s->clients, recent_pair(line_facts(l)->host.hash, client));

	host->clients += !*seen;
	*seen = 1;
	group_add(&host->group, at);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	bool served = line_from_store(l) || l->cache == VERDICT_collapsed;
	uint64_t id, client;

	if (l->rec != REC_req || !(served || l->stored)) return;
	if (!s->any && l->cache != VERDICT_collapsed && (!l->stored || line_may_be_shared(l))) return;
	id = line_page(l);
	client = line_facts(l)->client | 1;
	if (l->stored && line_may_be_shared(l)) {
		struct page *page = recent_find(&s->pages, id);
		if (page) page->client = 0;
	} else if (l->stored && !served) {
		struct early *early = recent_find(&s->earlier, id);
		((struct page *)recent_get(&s->pages, id))->client = client;
		s->any = true;
		if (early && early->client && early->client != client && early->end_us >= l->t_us) shared(s, l, early->client, early->at);
	} else {
		const struct page *page = recent_find(&s->pages, id);
		if (page && page->client && page->client != client) shared(s, l, client, at);
		else if (l->cache == VERDICT_collapsed && !page)
			*(struct early *)recent_get(&s->earlier, id) = (struct early){ client, l->t_us + l->total_us, at };
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) {
		const struct host *host = map_value(&s->hosts, i);
		if (!host->group.count) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->hosts, i), &host->group);
		finding_text(&f->cause, "%" PRIu64 " answers that were fetched for one user went to %" PRIu64 " other clients: %s", host->group.count,
			host->clients, rule->cause);
	}
	map_release(&s->hosts);
	recent_release(&s->pages);
	recent_release(&s->earlier);
	recent_release(&s->clients);
}

const struct rule_ops rule_authenticated_shared = { sizeof(struct state), init, line, finish };
