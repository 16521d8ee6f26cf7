/* short-body: answers that an origin broke off, or whose end did not come. A restart breaks off what is under way: that is only told
 * unless it lasts. Bounded by the number of origins. */
#include "map.h"
#include "rule.h"

enum { ANSWERS_MIN = 3 };

struct state { struct map origins; };

static void init(void *state)
{
	map_init(&((struct state *)state)->origins, sizeof(struct spread), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	bool is_short = l->nostore == NOSTORE_short_body || (l->end == END_origin_left && l->origin_status > 0);

	if ((l->rec == REC_req || l->rec == REC_refresh) && is_short)
		spread_add(map_get(&((struct state *)state)->origins, l->origin.len ? l->origin : line_host(l)), l, at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->origins.count; i++) {
		const struct spread *origin = map_value(&s->origins, i);
		if (origin->group.count < ANSWERS_MIN) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->origins, i), &origin->group);
		if (!spread_lasts(origin)) f->severity = SEVERITY_info;
	}
	map_release(&s->origins);
}

const struct rule_ops rule_short_body = { sizeof(struct state), init, line, finish };
