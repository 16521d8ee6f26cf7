/* origin-unverified: TLS to an origin without looking at whose it is. One finding for each host and server. Bounded by the number of
 * subjects. */
#include "map.h"
#include "rule.h"

struct state { struct map subjects; };

static void init(void *state)
{
	map_init(&((struct state *)state)->subjects, sizeof(struct group), SUBJECTS_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	char name[NAME_PAIR_MAX];

	if ((l->rec != REC_req && l->rec != REC_refresh) || !slice_eq(l->origin_verify, SLICE("off"))) return;
	group_add(map_get(&((struct state *)state)->subjects, name_pair(name, line_host(l), l->origin)), at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	rule_report_groups(&((struct state *)state)->subjects, rule, out);
}

const struct rule_ops rule_origin_unverified = { sizeof(struct state), init, line, finish };
