/* forwarding-spoofed: forwarding fields that were not believed. Strangers send them every day, and dropping them is right: that is
 * only told. When most of all requests come from one address and carry them, that address is a load balancer of one's own that
 * `trusted_proxy` does not name, and all clients look like one. Bounded by the number of peers. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { TOLD_MIN = 10, BALANCER_MIN = 1000 };

struct state { struct map peers; struct group all; uint64_t requests; };

static void init(void *state)
{
	map_init(&((struct state *)state)->peers, sizeof(struct group), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;

	if (l->rec != REC_req) return;
	s->requests++;
	if (!l->fwd_dropped) return;
	group_add(&s->all, at);
	group_add(map_get(&s->peers, l->peer), at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;
	bool found = false;

	for (size_t i = 0; i < s->peers.count; i++) {
		const struct group *peer = map_value(&s->peers, i);
		if (peer->count < BALANCER_MIN || peer->count * 2 <= s->requests) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->peers, i), peer);
		finding_text(&f->cause, "%" PRIu64 " of all %" PRIu64 " requests come from this one address with forwarding fields, and none was "
			"believed: it is a proxy that `trusted_proxy` does not name, and every client is logged and limited as this one", peer->count,
			s->requests);
		found = true;
	}
	if (!found && s->all.count >= TOLD_MIN) {
		struct finding *f = findings_add(out, rule, SLICE("(all peers)"), &s->all);
		f->severity = SEVERITY_info;
		finding_text(&f->cause, "%" PRIu64 " requests from %zu addresses carried forwarding fields and were not believed, as it should be",
			s->all.count, s->peers.count);
		finding_text(&f->cure, "nothing, unless one of them is a proxy of your own: then name it in `trusted_proxy`");
	}
	map_release(&s->peers);
}

const struct rule_ops rule_forwarding_spoofed = { sizeof(struct state), init, line, finish };
