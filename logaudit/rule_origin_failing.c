/* origin-failing: an origin that fails at least one request in twenty, and not only while it is restarted. Bounded by the number of
 * origins. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { FAILURES_MIN = 20, SHARE_MIN = 20 };

struct origin { struct spread failed; uint64_t asked, ends[END_COUNT]; };
struct state { struct map origins; };

static void init(void *state)
{
	map_init(&((struct state *)state)->origins, sizeof(struct origin), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	bool failed = line_origin_failed(l);
	struct origin *origin;

	if ((l->rec != REC_req && l->rec != REC_refresh) || !(l->origin_tries || failed)) return;
	origin = map_get(&((struct state *)state)->origins, l->origin.len ? l->origin : line_host(l));
	origin->asked++;
	if (!failed) return;
	spread_add(&origin->failed, l, at);
	origin->ends[l->end]++;
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->origins.count; i++) {
		const struct origin *origin = map_value(&s->origins, i);
		const struct group *failed = &origin->failed.group;
		unsigned most = 0;
		if (failed->count < FAILURES_MIN || failed->count * SHARE_MIN < origin->asked || !spread_lasts(&origin->failed)) continue;
		for (unsigned end = 1; end < END_COUNT; end++)
			if (origin->ends[end] > origin->ends[most]) most = end;
		struct finding *f = findings_add(out, rule, map_key(&s->origins, i), failed);
		finding_text(&f->cause, "%" PRIu64 " of %" PRIu64 " requests failed, most often (%" PRIu64 "): %s", failed->count, origin->asked,
			origin->ends[most], most == END_complete ? "it answered with a status of 500 or above" : end_rows[most].doc);
	}
	map_release(&s->origins);
}

const struct rule_ops rule_origin_failing = { sizeof(struct state), init, line, finish };
