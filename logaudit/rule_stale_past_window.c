/* stale-past-window: answers past their lifetime that nothing allowed. must-revalidate, proxy-revalidate and no-cache forbid them
 * (RFC 9111 section 4.2.4). With a stated stale-if-error the answer itself says how long (RFC 5861), the longer of its two windows;
 * a client's max-stale, which is not logged, may allow more: that is only told. With none of them the window is the site's
 * setting, which is not logged: nothing is claimed. Bounded by the number of hosts. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { SLACK_S = 2 };

struct host { struct group forbidden, longer; int64_t most; };
struct state { struct map hosts; };

static void init(void *state)
{
	map_init(&((struct state *)state)->hosts, sizeof(struct host), NAMES_MAX);
}

/* The number of seconds of name=N, or -1. */
static int64_t seconds_of(struct slice value, struct slice name)
{
	for (size_t i = 0; i + name.len < value.len; i++) {
		int64_t n = 0;
		size_t at = i + name.len;
		if ((i && value.ptr[i - 1] != ' ' && value.ptr[i - 1] != ',') || value.ptr[at] != '=') continue;
		if (!slice_eq_nocase(slice_make(value.ptr + i, name.len), name)) continue;
		for (at++; at < value.len && value.ptr[at] >= '0' && value.ptr[at] <= '9' && n < INT32_MAX; at++) n = n * 10 + value.ptr[at] - '0';
		return n;
	}
	return -1;
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct host *host;
	int64_t on_error, meanwhile, over;

	if (l->rec != REC_req || l->cache != VERDICT_hit_stale || l->age < 0 || l->lifetime < 0) return;
	over = l->age - l->lifetime;
	if (over < SLACK_S) return;
	host = host_value(&((struct state *)state)->hosts, l);
	if (cache_control_has(l->resp_cc, SLICE("must-revalidate")) || cache_control_has(l->resp_cc, SLICE("proxy-revalidate"))
			|| cache_control_has(l->resp_cc, SLICE("no-cache"))) {
		group_add(&host->forbidden, at);
		return;
	}
	on_error = seconds_of(l->resp_cc, SLICE("stale-if-error"));
	meanwhile = seconds_of(l->resp_cc, SLICE("stale-while-revalidate"));
	if (on_error < 0 || over <= (on_error > meanwhile ? on_error : meanwhile) + SLACK_S) return;
	group_add(&host->longer, at);
	if (over > host->most) host->most = over;
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++) {
		const struct host *host = map_value(&s->hosts, i);
		if (host->forbidden.count) findings_add(out, rule, map_key(&s->hosts, i), &host->forbidden);
		if (!host->longer.count) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->hosts, i), &host->longer);
		f->severity = SEVERITY_info;
		finding_text(&f->cause, "answers up to %" PRId64 " s past their lifetime, longer than their own stale-if-error and "
			"stale-while-revalidate allow: right only where the client asked for it (max-stale)", host->most);
	}
	map_release(&s->hosts);
}

const struct rule_ops rule_stale_past_window = { sizeof(struct state), init, line, finish };
