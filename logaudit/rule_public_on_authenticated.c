/* public-on-authenticated: an answer meant for one user that every shared cache may keep. */
#include "map.h"
#include "rule.h"

struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct group), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	if (l->rec == REC_req && l->resp_public && (l->req_auth || l->req_login))
		group_add(map_get(&((struct state *)state)->hosts, line_host(l)), at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	rule_report_groups(&((struct state *)state)->hosts, rule, out);
}

const struct rule_ops rule_public_on_authenticated = { sizeof(struct state), init, line, finish };
