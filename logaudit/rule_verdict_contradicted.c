/* verdict-contradicted: the verdict must be what was done, and the origin's columns show what was done. */
#include "map.h"
#include "rule.h"

struct state { struct map kinds; };

static void init(void *state)
{
	map_init(&((struct state *)state)->kinds, sizeof(struct group), NAMES_MAX);
}

/* What is wrong with the line; empty: nothing. A stale answer may refresh its object at the origin: that is no lie. */
static struct slice contradiction(const struct logline *l)
{
	if (l->cache == VERDICT_hit && l->origin_in > 0) return SLICE("hit with bytes from the origin");
	if (l->cache == VERDICT_hit && l->origin_tries > 0) return SLICE("hit that asked the origin");
	if (l->cache == VERDICT_miss && l->origin_tries == 0 && l->end == END_complete) return SLICE("miss that asked no origin");
	if (l->cache == VERDICT_revalidated && l->origin_tries == 0) return SLICE("revalidated without asking the origin");
	return slice_make(NULL, 0);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct slice kind = l->rec == REC_req ? contradiction(l) : slice_make(NULL, 0);

	if (kind.len) group_add(map_get(&((struct state *)state)->kinds, kind), at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	rule_report_groups(&((struct state *)state)->kinds, rule, out);
}

const struct rule_ops rule_verdict_contradicted = { sizeof(struct state), init, line, finish };
