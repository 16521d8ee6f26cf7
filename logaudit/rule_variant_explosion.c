/* variant-explosion: a page split into so many variants that each is asked for once. The variants of a page are counted by the bits
 * that their hashes set (linear counting: the count is a little too low when it is large, never too high by more than a few).
 * Bounded by a table that forgets: PAGES_MAX pages at once. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

/* variants_max is 32 unless it was set; languages and encodings of an honest site stay below that. */
enum { PAGES_MAX = 1 << 15, BITS = 256, VARIANTS_MIN = 64, REFUSED_MIN = 20 };

struct page { uint64_t bits[BITS / 64]; uint16_t set; };
struct url { struct group group; uint64_t variants, refused; };
struct state { struct recent pages; struct map urls; };

static void init(void *state)
{
	struct state *s = state;

	recent_init(&s->pages, sizeof(struct page), PAGES_MAX);
	map_init(&s->urls, sizeof(struct url), SUBJECTS_MAX);
}

void rule_variant_explosion_ahead(const void *state, const struct logline *l)
{
	recent_ahead(&((const struct state *)state)->pages, l->key);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	bool refused = l->nostore == NOSTORE_vary_too_many;
	char name[NAME_PAIR_MAX];
	struct page *page;
	struct url *url;
	unsigned bit;

	if (l->rec != REC_req || line_from_store(l) || (!l->variant && !refused)) return;
	bit = (unsigned)(recent_pair(l->variant, 1) % BITS);
	page = recent_get(&s->pages, l->key);
	if (l->variant && !(page->bits[bit / 64] >> bit % 64 & 1)) {
		page->bits[bit / 64] |= UINT64_C(1) << bit % 64;
		page->set++;
	}
	if (page->set < VARIANTS_MIN && !refused) return;
	url = map_get(&s->urls, name_pair(name, line_host(l), l->target));
	group_add(&url->group, at);
	url->refused += refused;
	if (page->set > url->variants) url->variants = page->set;
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->urls.count; i++) {
		const struct url *url = map_value(&s->urls, i);
		if (url->variants < VARIANTS_MIN && url->refused < REFUSED_MIN) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->urls, i), &url->group);
		finding_text(&f->cause, "at least %" PRIu64 " variants of this page were fetched, and %" PRIu64 " answers were not stored since it had too "
			"many: %s", url->variants, url->refused, rule->cause);
	}
	map_release(&s->urls);
	recent_release(&s->pages);
}

const struct rule_ops rule_variant_explosion = { sizeof(struct state), init, line, finish };
