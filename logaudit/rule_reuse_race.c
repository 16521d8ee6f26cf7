/* reuse-race: the origin closes an idle connection in the moment in which a request is sent on it. What it looks like: no byte of an
 * answer, and the connection had been used before. A restart closes many at once, so the ends must be spread over three minutes.
 * Bounded by the number of origins. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

struct origin { struct spread reused; uint64_t fresh; };
struct state { struct map origins; };

static void init(void *state)
{
	map_init(&((struct state *)state)->origins, sizeof(struct origin), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct origin *origin;

	if (l->rec != REC_req || l->end != END_origin_left || l->origin_in || l->origin_status > 0) return;
	origin = map_get(&((struct state *)state)->origins, l->origin.len ? l->origin : line_host(l));
	if (l->origin_reused) spread_add(&origin->reused, l, at);
	else origin->fresh++;
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->origins.count; i++) {
		const struct origin *origin = map_value(&s->origins, i);
		if (!spread_lasts(&origin->reused) || origin->fresh > origin->reused.group.count) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->origins, i), &origin->reused.group);
		finding_text(&f->cause, "%" PRIu64 " requests on reused connections and %" PRIu64 " on new ones got no answer: %s",
			origin->reused.group.count, origin->fresh, rule->cause);
	}
	map_release(&s->origins);
}

const struct rule_ops rule_reuse_race = { sizeof(struct state), init, line, finish };
