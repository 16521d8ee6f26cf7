/* forwarding-missing: an origin that is not told who asks, by which scheme and for which host. Bounded by the number of hosts. */
#include "map.h"
#include "rule.h"

enum { REQUESTS_MIN = 10 };

struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct group), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	if (l->rec == REC_req && l->origin_status > 0 && l->origin_tries && !l->fwd_sent)
		group_add(host_value(&((struct state *)state)->hosts, l), at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) {
		const struct group *host = map_value(&s->hosts, i);
		if (host->count >= REQUESTS_MIN) findings_add(out, rule, map_key(&s->hosts, i), host);
	}
	map_release(&s->hosts);
}

const struct rule_ops rule_forwarding_missing = { sizeof(struct state), init, line, finish };
