/* stampede: many fetches of one page at the same time. Lines come in the order of their ends: a fetch overlaps with those before
 * it that ended after it began. Only pages that could be stored count: what may not be stored is fetched for each client.
 * Bounded by a table that forgets, and by ENDS_KEPT fetches a page. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

enum { PAGES_MAX = 1 << 14, ENDS_KEPT = 16, CONCURRENT_MIN = 8 };

struct page { uint64_t ends[ENDS_KEPT]; uint32_t next; };
struct url { struct group group; uint64_t most; };
struct state { struct recent pages; struct map urls; };

static void init(void *state)
{
	struct state *s = state;

	recent_init(&s->pages, sizeof(struct page), PAGES_MAX);
	map_init(&s->urls, sizeof(struct url), SUBJECTS_MAX);
}

static uint64_t fetched_page(const struct logline *l)
{
	return recent_pair(line_facts(l)->node.hash, line_page(l));
}

void rule_stampede_ahead(const void *state, const struct logline *l)
{
	recent_ahead(&((const struct state *)state)->pages, fetched_page(l));
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	char name[NAME_PAIR_MAX];
	uint64_t overlapping = 1;
	struct page *page;
	struct url *url;

	if (l->rec != REC_req || l->cache != VERDICT_miss || !l->origin_tries || !(l->stored || (l->nostore == NOSTORE_none && l->lifetime > 0))) return;
	page = recent_get(&s->pages, fetched_page(l));
	for (int i = 0; i < ENDS_KEPT; i++) overlapping += page->ends[i] > l->t_us;
	page->ends[page->next++ % ENDS_KEPT] = l->t_us + l->total_us;
	if (overlapping < CONCURRENT_MIN) return;
	url = map_get(&s->urls, name_pair(name, line_host(l), l->target));
	group_add(&url->group, at);
	if (overlapping > url->most) url->most = overlapping;
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->urls.count; i++) {
		const struct url *url = map_value(&s->urls, i);
		struct finding *f = findings_add(out, rule, map_key(&s->urls, i), &url->group);
		finding_text(&f->cause, "%s%" PRIu64 " fetches of this one page were under way at once on one node: %s",
			url->most > ENDS_KEPT ? "more than " : "", url->most > ENDS_KEPT ? ENDS_KEPT : url->most, rule->cause);
	}
	map_release(&s->urls);
	recent_release(&s->pages);
}

const struct rule_ops rule_stampede = { sizeof(struct state), init, line, finish };
