/* retry-storm: an origin in trouble is asked again for every request, and so gets more of them than the clients send. Whole minutes
 * are judged; one such minute may be a restart, three are a storm. Lines are a little out of the order of their starts: a line that
 * is of an earlier minute counts in the present one. Bounded by the number of hosts. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { REQUESTS_MIN = 50, STORMS_MIN = 3 };

struct host { struct group retried, storm; uint64_t minute, asked, tries, storms, all_asked, all_tries; };
struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct host), NAMES_MAX);
}

static void minute_judge(struct host *host)
{
	if (host->asked >= REQUESTS_MIN && host->tries * 2 >= host->asked * 3) {
		host->storms++;
		host->all_asked += host->asked;
		host->all_tries += host->tries;
		host->storm.count += host->retried.count;
		for (unsigned i = 0; i < host->retried.evidence.count; i++) evidence_add(&host->storm.evidence, host->retried.evidence.at[i]);
	}
	host->asked = host->tries = 0;
	host->retried = (struct group){ 0 };
}

static void line(void *state, const struct logline *l, struct place at)
{
	uint64_t minute = (l->t_us + l->total_us) / 60000000;
	struct host *host;

	if ((l->rec != REC_req && l->rec != REC_refresh) || !l->origin_tries) return;
	host = host_value(&((struct state *)state)->hosts, l);
	if (minute > host->minute) {
		minute_judge(host);
		host->minute = minute;
	}
	host->asked++;
	host->tries += l->origin_tries;
	if (l->origin_tries > 1) group_add(&host->retried, at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) {
		struct host *host = map_value(&s->hosts, i);
		minute_judge(host);
		if (host->storms < STORMS_MIN) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->hosts, i), &host->storm);
		finding_text(&f->cause, "in %" PRIu64 " minutes %" PRIu64 " requests became %" PRIu64 " at the origin: %s", host->storms, host->all_asked,
			host->all_tries, rule->cause);
	}
	map_release(&s->hosts);
}

const struct rule_ops rule_retry_storm = { sizeof(struct state), init, line, finish };
