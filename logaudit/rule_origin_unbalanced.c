/* origin-unbalanced: of several servers of one host, one is much slower than another. Unequal shares alone are only told: weights are
 * not logged. Bounded by the number of hosts, and by SERVERS_MAX servers of each. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { SERVERS_MAX = 16, REQUESTS_MIN = 100, TIMES_SLOWER = 4, TIMES_MORE = 5, ADDRESS_MAX = 64 };
#define SLOWER_US UINT64_C(50000)

struct server { char name[ADDRESS_MAX]; uint64_t count, wait_us; struct group group; };
struct host { struct server servers[SERVERS_MAX]; unsigned count; };
struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct host), SUBJECTS_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct host *host;
	struct server *server;
	unsigned i = 0;

	if (l->rec != REC_req || !l->origin_tries || l->origin_first_us < 0 || !l->origin.len || l->origin.len >= ADDRESS_MAX) return;
	host = host_value(&((struct state *)state)->hosts, l);
	while (i < host->count && !slice_eq(slice_str(host->servers[i].name), l->origin)) i++;
	if (i == SERVERS_MAX) return;
	server = &host->servers[i];
	if (i == host->count) {
		memcpy(server->name, l->origin.ptr, l->origin.len);
		host->count++;
	}
	server->count++;
	server->wait_us += (uint64_t)l->origin_first_us;
	group_add(&server->group, at);
}

static void judge(struct slice name, const struct host *host, const struct rule *rule, struct findings *out)
{
	const struct server *slow = NULL, *fast = NULL, *much = NULL, *little = NULL;

	for (unsigned i = 0; i < host->count; i++) {
		const struct server *one = &host->servers[i];
		if (one->count < REQUESTS_MIN) continue;         /* a backup, or one that has just come */
		if (!slow || one->wait_us / one->count > slow->wait_us / slow->count) slow = one;
		if (!fast || one->wait_us / one->count < fast->wait_us / fast->count) fast = one;
		if (!much || one->count > much->count) much = one;
		if (!little || one->count < little->count) little = one;
	}
	if (!slow) return;
	uint64_t longest = slow->wait_us / slow->count, shortest = fast->wait_us / fast->count;
	if (longest >= shortest * TIMES_SLOWER && longest >= shortest + SLOWER_US) {
		struct finding *f = findings_add(out, rule, name, &slow->group);
		finding_text(&f->cause, "%s takes %" PRIu64 " ms to the first byte on average (%" PRIu64 " requests), %s takes %" PRIu64 " ms (%" PRIu64 ")",
			slow->name, longest / 1000, slow->count, fast->name, shortest / 1000, fast->count);
	} else if (much->count >= little->count * TIMES_MORE) {
		struct finding *f = findings_add(out, rule, name, &much->group);
		f->severity = SEVERITY_info;
		finding_text(&f->cause, "%s got %" PRIu64 " requests, %s got %" PRIu64 ": right if their weights say so", much->name, much->count,
			little->name, little->count);
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) judge(map_key(&s->hosts, i), map_value(&s->hosts, i), rule, out);
	map_release(&s->hosts);
}

const struct rule_ops rule_origin_unbalanced = { sizeof(struct state), init, line, finish };
