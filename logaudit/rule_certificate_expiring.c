/* certificate-expiring: the last certificate that a node showed for a name was near its end, or past it, and no other has been seen
 * since. One finding for each certificate, however many names and nodes it has. Bounded by the number of names. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"

enum { DAY_S = 86400, WARN_DAYS = 21, WARN_PARTS = 4, ALARM_DAYS = 7, ALARM_PARTS = 12, SERIAL_MAX = 44, NAME_MAX = 64 };

struct last { uint64_t t_us; int64_t from_s, until_s; char serial[SERIAL_MAX]; struct group near; };
struct ending { int64_t left_s, life_s; uint64_t names; char name[NAME_MAX]; struct group near; };
struct state { struct map names; };      /* "node sni key" */

static void init(void *state)
{
	map_init(&((struct state *)state)->names, sizeof(struct last), SUBJECTS_MAX);
}

/* So many days, or that part of its life of a certificate that is renewed more often. */
static bool is_near(int64_t left_s, int64_t life_s, int days, int parts)
{
	return left_s < days * (int64_t)DAY_S && left_s < life_s / parts;
}

static int64_t left_of(const struct logline *l)
{
	return l->tls_until - (int64_t)(l->t_us / 1000000);
}

static void line(void *state, const struct logline *l, struct place at)
{
	char host[NAME_PAIR_MAX], name[NAME_PAIR_MAX];
	struct last *last;

	if (!l->tls_serial.len || l->tls_serial.len >= SERIAL_MAX || l->tls_until < 0 || l->tls_from > l->tls_until) return;
	last = map_get(&((struct state *)state)->names, name_pair(name, l->node, name_pair(host, l->sni.len ? l->sni : SLICE("(no name)"), l->tls_key)));
	if (!slice_eq(slice_str(last->serial), l->tls_serial)) {
		if (l->t_us < last->t_us) return;        /* of another file: an older one */
		*last = (struct last){ .from_s = l->tls_from, .until_s = l->tls_until };
		snprintf(last->serial, sizeof(last->serial), "%.*s", SLICE_ARG(l->tls_serial));
	}
	if (l->t_us > last->t_us) last->t_us = l->t_us;
	if (is_near(left_of(l), l->tls_until - l->tls_from, WARN_DAYS, WARN_PARTS)) group_add(&last->near, at);
}

/* All names and nodes of a certificate together. */
static void gather(struct map *endings, struct slice name, const struct last *last)
{
	int64_t left_s = last->until_s - (int64_t)(last->t_us / 1000000);
	struct ending *ending;

	if (!is_near(left_s, last->until_s - last->from_s, WARN_DAYS, WARN_PARTS)) return;
	ending = map_get(endings, slice_str(last->serial));
	if (!ending->names++ || left_s < ending->left_s) {
		ending->left_s = left_s;
		ending->life_s = last->until_s - last->from_s;
		snprintf(ending->name, sizeof(ending->name), "%.*s", SLICE_ARG(name));
	}
	ending->near.count += last->near.count;
	for (unsigned i = 0; i < last->near.evidence.count; i++) evidence_add(&ending->near.evidence, last->near.evidence.at[i]);
}

static void judge(struct slice serial, const struct ending *ending, const struct rule *rule, struct findings *out)
{
	struct finding *f = findings_add(out, rule, serial, &ending->near);
	char more[48] = "";

	if (is_near(ending->left_s, ending->life_s, ALARM_DAYS, ALARM_PARTS)) f->severity = SEVERITY_error;
	if (ending->names > 1) snprintf(more, sizeof(more), " and %" PRIu64 " more", ending->names - 1);
	if (ending->left_s < 0)
		finding_text(&f->cause, "it was shown when it had expired (%s%s)", ending->name, more);
	else
		finding_text(&f->cause, "when it was shown last it had %.1f days left, and no other has come (%s%s)", (double)ending->left_s / DAY_S, ending->name, more);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;
	struct map endings;

	map_init(&endings, sizeof(struct ending), SUBJECTS_MAX);
	for (size_t i = 0; i < s->names.count; i++)
		if (!slice_eq(map_key(&s->names, i), SLICE("(others)"))) gather(&endings, map_key(&s->names, i), map_value(&s->names, i));
	for (size_t i = 0; i < endings.count; i++) judge(map_key(&endings, i), map_value(&endings, i), rule, out);
	map_release(&endings);
	map_release(&s->names);
}

const struct rule_ops rule_certificate_expiring = { sizeof(struct state), init, line, finish };
