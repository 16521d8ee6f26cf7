/* proxy-loop: requests that came back to where they had been. The depth is what Via names; the amplification is how many requests
 * one of a client becomes. A single line may be a stranger's forged Via. Bounded by the number of hosts. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { LOOPS_MIN = 5 };

struct host { struct group group; uint64_t hops, depth; };
struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct host), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct host *host;

	if (l->rec != REC_req || !(l->refusal == REFUSAL_proxy_loop || l->end == END_loop)) return;
	host = host_value(&((struct state *)state)->hosts, l);
	group_add(&host->group, at);
	host->hops += l->hops;
	if (l->hops > host->depth) host->depth = l->hops;
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) {
		const struct host *host = map_value(&s->hosts, i);
		if (host->group.count < LOOPS_MIN) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->hosts, i), &host->group);
		finding_text(&f->cause, "%" PRIu64 " requests were refused as they came round; they had passed up to %" PRIu64 " proxies, %.1f on "
			"average: so many requests does one of a client cost; %s", host->group.count, host->depth,
			(double)host->hops / (double)host->group.count, rule->cause);
	}
	map_release(&s->hosts);
}

const struct rule_ops rule_proxy_loop = { sizeof(struct state), init, line, finish };
