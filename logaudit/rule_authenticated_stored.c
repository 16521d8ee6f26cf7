/* authenticated-stored: one user's answer in a shared store. With Authorization, public, s-maxage or must-revalidate allow
 * it (RFC 9111 section 3.5); with a login cookie of the site nothing does: the site said that such answers are personal. */
#include "map.h"
#include "rule.h"

struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct group), NAMES_MAX);
}

static bool is_wrong(const struct logline *l)
{
	if (!l->req_auth && !l->req_login) return false;
	if (!l->stored && !line_from_store(l) && l->cache != VERDICT_collapsed) return false;
	return l->req_login || !(l->resp_public || cache_control_has(l->resp_cc, SLICE("must-revalidate")));
}

static void line(void *state, const struct logline *l, struct place at)
{
	if (l->rec == REC_req && is_wrong(l))
		group_add(map_get(&((struct state *)state)->hosts, line_host(l)), at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	rule_report_groups(&((struct state *)state)->hosts, rule, out);
}

const struct rule_ops rule_authenticated_stored = { sizeof(struct state), init, line, finish };
