/* key-collision: one cache key, several contents. Two requests whose targets differ share a key, each target always brings its own
 * content, and the two alternate: whoever comes first decides what the others get. Contents that change with time are no
 * collision: when a target brings something new, what was known of its key is forgotten. One target whose contents alternate is
 * only told: servers that are not alike, or a request field outside the key (the usual way of poisoning a cache).
 * Bounded by a table that forgets. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

enum { PAGES_MAX = 1 << 15, CHANGES_MIN = 3 };

struct content { uint64_t target, body; };
struct page {
	struct content known[2];
	uint64_t last, before;           /* the bodies of the last fetches, without repeats */
	uint16_t collisions, returns;
};
struct state { struct recent pages; struct map collided, alternating; };

static void init(void *state)
{
	struct state *s = state;

	recent_init(&s->pages, sizeof(struct page), PAGES_MAX);
	map_init(&s->collided, sizeof(struct group), SUBJECTS_MAX);
	map_init(&s->alternating, sizeof(struct group), SUBJECTS_MAX);
}

/* Learns of this fetch; true: another target's content was under the key just before. */
static bool collides(struct page *page, struct content now)
{
	struct content *a = &page->known[0], *b = &page->known[1];
	struct content *mine = !a->target || a->target == now.target ? a : !b->target || b->target == now.target ? b : NULL;
	bool is_known = mine && mine->target == now.target;

	if (!mine) return false;
	if (is_known && mine->body != now.body) {
		page->collisions = 0;
		*a = now;
		*b = (struct content){ 0 };
		return false;
	}
	if (!is_known && mine == b && a->body == now.body) return false;
	*mine = now;
	return page->last && page->last != now.body && a->body != b->body && b->target;
}

void rule_key_collision_ahead(const void *state, const struct logline *l)
{
	recent_ahead(&((const struct state *)state)->pages, line_page(l));
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	char name[NAME_PAIR_MAX];
	struct page *page;
	struct content now;

	if (l->rec != REC_req || !l->stored || !l->body_hash || l->status != 200 || line_from_store(l)) return;
	now = (struct content){ line_facts(l)->url | 1, l->body_hash };
	page = recent_get(&s->pages, line_page(l));
	if (collides(page, now)) page->collisions += page->collisions < UINT16_MAX;
	page->returns = page->before == now.body && page->last != now.body ? (uint16_t)(page->returns + (page->returns < UINT16_MAX))
		: page->last == now.body ? page->returns : 0;
	if (page->last != now.body) {
		page->before = page->last;
		page->last = now.body;
	}
	if (page->collisions >= CHANGES_MIN) group_add(map_get(&s->collided, name_pair(name, line_host(l), l->target)), at);
	else if (page->returns >= CHANGES_MIN && !page->known[1].target)
		group_add(map_get(&s->alternating, name_pair(name, line_host(l), l->target)), at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->alternating.count; i++) {
		struct finding *f = findings_add(out, rule, map_key(&s->alternating, i), map_value(&s->alternating, i));
		f->severity = SEVERITY_info;
		finding_text(&f->cause, "the same URL brings one content and another in turn: the origin's servers are not alike, or something in the "
			"request that is not in the key selects the content, which can be used to poison the cache");
		finding_text(&f->cure, "compare the lines named (`origin`, `client`, `body_hash`); let the origin ignore the field, or name it in Vary");
	}
	rule_report_groups(&s->collided, rule, out);
	map_release(&s->alternating);
	recent_release(&s->pages);
}

const struct rule_ops rule_key_collision = { sizeof(struct state), init, line, finish };
