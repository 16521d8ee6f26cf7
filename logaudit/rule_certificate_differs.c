/* certificate-differs: for one name and kind of key two nodes showed different certificates, side by side for longer than it takes to
 * roll one out. Bounded by the number of names and by RUNS_MAX certificates of nodes for each. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { RUNS_MAX = 8, NODE_MAX = 65, SERIAL_MAX = 44 };
static const uint64_t roll_over_us = UINT64_C(3600) * 1000000;

/* One certificate at one node: the times of the first and the last handshake that showed it. */
struct run { char node[NODE_MAX], serial[SERIAL_MAX]; uint64_t first_us, last_us, count; struct place first, last; };
struct shown { unsigned count; struct run runs[RUNS_MAX]; };
struct state { struct map names; };      /* "sni key" */

static void init(void *state)
{
	map_init(&((struct state *)state)->names, sizeof(struct shown), SUBJECTS_MAX);
}

static struct run *run_of(struct shown *shown, struct slice node, struct slice serial)
{
	struct run *run;

	for (unsigned i = 0; i < shown->count; i++)
		if (slice_eq(slice_str(shown->runs[i].node), node) && slice_eq(slice_str(shown->runs[i].serial), serial)) return &shown->runs[i];
	if (shown->count == RUNS_MAX || node.len >= NODE_MAX || serial.len >= SERIAL_MAX) return NULL;
	run = &shown->runs[shown->count++];
	snprintf(run->node, sizeof(run->node), "%.*s", SLICE_ARG(node));
	snprintf(run->serial, sizeof(run->serial), "%.*s", SLICE_ARG(serial));
	return run;
}

static void line(void *state, const struct logline *l, struct place at)
{
	char name[NAME_PAIR_MAX];
	struct run *run;

	if (!l->tls_serial.len) return;
	run = run_of(map_get(&((struct state *)state)->names, name_pair(name, l->sni.len ? l->sni : SLICE("(no name)"), l->tls_key)), l->node, l->tls_serial);
	if (!run) return;
	if (!run->count || l->t_us < run->first_us) {
		run->first_us = l->t_us;
		run->first = at;
	}
	if (!run->count || l->t_us >= run->last_us) {
		run->last_us = l->t_us;
		run->last = at;
	}
	run->count++;
}

struct span { uint64_t from_us, to_us; };

static struct span both(struct span a, struct span b)
{
	struct span span = { a.from_us > b.from_us ? a.from_us : b.from_us, a.to_us < b.to_us ? a.to_us : b.to_us };

	if (span.to_us < span.from_us) span.to_us = span.from_us;
	return span;
}

static struct span span_of(const struct run *run)
{
	return (struct span){ run->first_us, run->last_us };
}

/* Most of that time the node showed the other one too: two servers with one name, not two states of one. */
static bool has_both(const struct shown *shown, const char *node, const char *serial, struct span span)
{
	for (unsigned i = 0; i < shown->count; i++) {
		const struct run *run = &shown->runs[i];
		struct span common = both(span, span_of(run));
		if (strcmp(run->node, node) == 0 && strcmp(run->serial, serial) == 0 && 2 * (common.to_us - common.from_us) > span.to_us - span.from_us)
			return true;
	}
	return false;
}

static void judge(struct slice name, const struct shown *shown, const struct rule *rule, struct findings *out)
{
	const struct run *one = NULL, *two = NULL;
	uint64_t most = roll_over_us;

	for (unsigned i = 0; i < shown->count; i++)
		for (unsigned k = i + 1; k < shown->count; k++) {
			const struct run *a = &shown->runs[i], *b = &shown->runs[k];
			struct span span = both(span_of(a), span_of(b));
			if (strcmp(a->node, b->node) == 0 || strcmp(a->serial, b->serial) == 0 || span.to_us - span.from_us <= most) continue;
			if (has_both(shown, a->node, b->serial, span) || has_both(shown, b->node, a->serial, span)) continue;
			one = a;
			two = b;
			most = span.to_us - span.from_us;
		}
	if (!one) return;
	struct group group = { .count = one->count + two->count };
	evidence_add(&group.evidence, one->first);
	evidence_add(&group.evidence, two->first);
	evidence_add(&group.evidence, one->last);
	evidence_add(&group.evidence, two->last);
	struct finding *f = findings_add(out, rule, name, &group);
	finding_text(&f->cause, "for %.1f hours %s showed the certificate with serial number %s and %s that with %s", (double)most / 3600e6, one->node,
		one->serial, two->node, two->serial);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->names.count; i++)
		if (!slice_eq(map_key(&s->names, i), SLICE("(others)")))         /* of names beyond the bound nothing is known */
			judge(map_key(&s->names, i), map_value(&s->names, i), rule, out);
	map_release(&s->names);
}

const struct rule_ops rule_certificate_differs = { sizeof(struct state), init, line, finish };
