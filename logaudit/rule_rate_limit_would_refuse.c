/* rate-limit-would-refuse: whom a limit of RATE requests a second would have refused something, and how much. Only told: crawlers and
 * load tests are no fault. Bounded by a table of clients that forgets. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

enum { CLIENTS_MAX = 1 << 14, RATE = 100, SECONDS_MIN = 10 };

struct client { uint64_t second; uint32_t count; };
struct refused { struct group group; uint64_t seconds, most; };
struct state { struct recent clients; struct map refused; };

static void init(void *state)
{
	struct state *s = state;

	recent_init(&s->clients, sizeof(struct client), CLIENTS_MAX);
	map_init(&s->refused, sizeof(struct refused), SUBJECTS_MAX);
}

void rule_rate_limit_would_refuse_ahead(const void *state, const struct logline *l)
{
	recent_ahead(&((const struct state *)state)->clients, line_facts(l)->client);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	struct client *client;
	struct refused *refused;

	if (l->rec != REC_req) return;
	client = recent_get(&s->clients, line_facts(l)->client);
	if (l->t_us / 1000000 > client->second) *client = (struct client){ .second = l->t_us / 1000000 };
	if (++client->count <= RATE) return;
	refused = map_get(&s->refused, l->client);
	refused->seconds += client->count == RATE + 1;
	if (client->count > refused->most) refused->most = client->count;
	group_add(&refused->group, at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->refused.count; i++) {
		const struct refused *refused = map_value(&s->refused, i);
		if (refused->seconds < SECONDS_MIN) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->refused, i), &refused->group);
		finding_text(&f->cause, "this client sent more than %d requests in each of %" PRIu64 " seconds, at most %" PRIu64 "; a limit of that rate, "
			"without a burst, would have refused %" PRIu64, RATE, refused->seconds, refused->most, refused->group.count);
	}
	map_release(&s->refused);
	recent_release(&s->clients);
}

const struct rule_ops rule_rate_limit_would_refuse = { sizeof(struct state), init, line, finish };
