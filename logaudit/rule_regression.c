/* regression: a host got worse with a generation of the configuration. The last two generations of one run of a node are compared, by
 * errors and by hits. Numbers begin anew with a start, so a start forgets. Bounded by the number of pairs of node and host. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { REQUESTS_MIN = 500, POINTS_ERRORS = 5, POINTS_HITS = 20, TIMES_ERRORS = 3 };

struct figures { uint64_t config, requests, hits; struct group errors, misses; };
struct host { uint64_t run; struct figures before, now; };
struct state { struct map hosts, nodes; };       /* "node host"; node: number of its starts */

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct host), SUBJECTS_MAX);
	map_init(&((struct state *)state)->nodes, sizeof(uint64_t), NAMES_MAX);
}

static struct figures *figures_of(struct host *host, uint64_t run, uint64_t config)
{
	if (host->run != run) *host = (struct host){ .run = run };
	if (config > host->now.config) {
		if (host->now.requests) host->before = host->now;
		host->now = (struct figures){ .config = config };
	}
	return config == host->now.config ? &host->now : config == host->before.config ? &host->before : NULL;
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	const struct facts *facts = line_facts(l);
	uint64_t *run = map_get_name(&s->nodes, l->node, facts->node);
	struct figures *figures;

	if (l->rec == REC_start) ++*run;
	if (l->rec != REC_req || !l->config || l->refusal) return;
	figures = figures_of(map_get_pair(&s->hosts, l->node, line_host(l), facts->node, facts->host), *run, l->config);
	if (!figures) return;
	figures->requests++;
	if (l->status >= 500) group_add(&figures->errors, at);
	if (line_from_store(l)) figures->hits++;
	else group_add(&figures->misses, at);
}

static double percent(uint64_t part, uint64_t whole)
{
	return 100.0 * (double)part / (double)whole;
}

static void judge(struct slice name, const struct host *host, const struct rule *rule, struct findings *out)
{
	const struct figures *a = &host->before, *b = &host->now;
	double errors_a, errors_b, hits_a, hits_b;

	if (a->requests < REQUESTS_MIN || b->requests < REQUESTS_MIN) return;
	errors_a = percent(a->errors.count, a->requests);
	errors_b = percent(b->errors.count, b->requests);
	hits_a = percent(a->hits, a->requests);
	hits_b = percent(b->hits, b->requests);
	if (errors_b >= errors_a + POINTS_ERRORS && errors_b >= errors_a * TIMES_ERRORS) {
		struct finding *f = findings_add(out, rule, name, &b->errors);
		finding_text(&f->cause, "answers of 500 and above: %.1f %% of %" PRIu64 " requests under generation %" PRIu64 ", %.1f %% of %" PRIu64
			" under %" PRIu64, errors_a, a->requests, a->config, errors_b, b->requests, b->config);
	}
	if (hits_b + POINTS_HITS <= hits_a) {
		struct finding *f = findings_add(out, rule, name, &b->misses);
		finding_text(&f->cause, "hit ratio: %.1f %% of %" PRIu64 " requests under generation %" PRIu64 ", %.1f %% of %" PRIu64 " under %" PRIu64,
			hits_a, a->requests, a->config, hits_b, b->requests, b->config);
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) judge(map_key(&s->hosts, i), map_value(&s->hosts, i), rule, out);
	map_release(&s->hosts);
	map_release(&s->nodes);
}

const struct rule_ops rule_regression = { sizeof(struct state), init, line, finish };
