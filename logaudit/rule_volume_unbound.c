/* volume-unbound: everything worked and nothing was cached. Two ways to see it: cacheable answers of a host none of whose
 * requests carried a volume; and a volume that is configured (its `volume` record) while no request carried its name. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

/* Fewer answers, or fewer requests of the node, prove nothing. */
enum { ANSWERS_MIN = 10, REQUESTS_MIN = 10 };

struct host { struct group unbound, off; bool has_volume; };
struct volume { struct group records; uint64_t requests; bool bound_to_none; };
struct state {
	struct map hosts;
	struct map volumes;              /* node, a blank, volume */
	struct map nodes;                /* uint64_t: requests */
};

static void init(void *state)
{
	struct state *s = state;

	map_init(&s->hosts, sizeof(struct host), NAMES_MAX);
	map_init(&s->volumes, sizeof(struct volume), NAMES_MAX);
	map_init(&s->nodes, sizeof(uint64_t), NAMES_MAX);
}

static bool is_cacheable(const struct logline *l)
{
	return l->cache == VERDICT_off && l->status == 200 && l->lifetime > 0 && slice_eq(l->method, SLICE("GET"))
		&& !l->req_auth && !l->req_login && !l->resp_setcookie
		&& !cache_control_has(l->resp_cc, SLICE("private")) && !cache_control_has(l->resp_cc, SLICE("no-store"))
		&& !cache_control_has(l->resp_cc, SLICE("no-cache"));
}

static struct volume *volume_of(struct state *s, const struct logline *l)
{
	return map_get_pair(&s->volumes, l->node, l->volume, line_facts(l)->node, line_facts(l)->volume);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;

	if (l->rec == REC_volume) {
		struct volume *v = volume_of(s, l);
		group_add(&v->records, at);
		v->bound_to_none = slice_eq(l->host, SLICE("0"));
	}
	if (l->rec != REC_req) return;
	++*(uint64_t *)map_get_name(&s->nodes, l->node, line_facts(l)->node);
	if (line_has_volume(l)) volume_of(s, l)->requests++;

	struct host *host = host_value(&s->hosts, l);
	if (line_has_volume(l)) host->has_volume = true;
	else if (is_cacheable(l)) group_add(l->nostore == NOSTORE_cache_off ? &host->off : &host->unbound, at);
}

static void report_host(struct slice name, const struct host *host, const struct rule *rule, struct findings *out)
{
	if (host->has_volume) return;
	if (host->unbound.count >= ANSWERS_MIN) {
		struct finding *f = findings_add(out, rule, name, &host->unbound);
		finding_text(&f->cause, "everything worked and nothing was cached: %" PRIu64 " answers could have been stored, and no volume is "
			"bound to the site", host->unbound.count);
	}
	if (host->off.count >= ANSWERS_MIN) {
		struct finding *f = findings_add(out, rule, name, &host->off);
		f->severity = SEVERITY_info;
		finding_text(&f->cause, "the site says `proxy_cache off`; %" PRIu64 " answers could have been stored", host->off.count);
		finding_text(&f->cure, "nothing, if that is meant; else name a volume with `proxy_cache NAME`");
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->hosts.count; i++)
		report_host(map_key(&s->hosts, i), map_value(&s->hosts, i), rule, out);
	for (size_t i = 0; i < s->volumes.count; i++) {
		const struct volume *v = map_value(&s->volumes, i);
		struct slice name = map_key(&s->volumes, i);
		const char *blank = memchr(name.ptr, ' ', name.len);
		const uint64_t *requests = map_find(&s->nodes, slice_make(name.ptr, (size_t)(blank - name.ptr)));
		if (v->records.count == 0 || v->requests || (!v->bound_to_none && (!requests || *requests < REQUESTS_MIN))) continue;
		struct finding *f = findings_add(out, rule, slice_make(blank + 1, name.len - (size_t)(blank + 1 - name.ptr)), &v->records);
		finding_text(&f->cause, "node %.*s has this volume, and none of its %" PRIu64 " requests used it: %s", (int)(blank - name.ptr), name.ptr,
			requests ? *requests : 0, v->bound_to_none ? "no site is bound to it" : "the sites bound to it got no requests, or "
			"none is bound");
	}
	map_release(&s->hosts);
	map_release(&s->volumes);
	map_release(&s->nodes);
}

const struct rule_ops rule_volume_unbound = { sizeof(struct state), init, line, finish };
