/* volume-errors: objects that the log said stored and the disk did not take after all, and answers that found their volume set
 * aside. Silent for what was not stored for any other reason: nothing had been promised then. */
#include <inttypes.h>
#include <stdio.h>

#include "map.h"
#include "rule.h"

struct volume {
	struct group group;              /* count: objects and answers together */
	uint64_t objects, bytes;         /* of records `unstored` */
	uint64_t why[NOSTORE_COUNT];     /* of these, and of answers that found it set aside */
	uint64_t aside;                  /* such answers */
};
struct state { struct map volumes; };

static const char *const cures[NOSTORE_COUNT] = {
#define ADVICE(nostore, advice) [NOSTORE_##nostore] = advice,
#include "tbl/advices.h"
#undef ADVICE
};

static void init(void *state)
{
	map_init(&((struct state *)state)->volumes, sizeof(struct volume), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	struct volume *v;
	uint64_t count;

	if (l->rec == REC_unstored) count = l->unstored;
	else count = (l->rec == REC_req || l->rec == REC_refresh) && l->nostore == NOSTORE_volume_failed;
	if (count == 0 || !line_has_volume(l)) return;
	v = map_get(&s->volumes, l->volume);
	v->group.count += count;
	evidence_add(&v->group.evidence, at);
	v->why[l->nostore] += count;
	if (l->rec != REC_unstored) {
		v->aside += count;
		return;
	}
	v->objects += count;
	v->bytes += l->object_bytes > 0 ? (uint64_t)l->object_bytes : 0;
}

static void explain(struct finding *f, const struct volume *v)
{
	char reasons[256] = "";
	unsigned most = NOSTORE_none;

	for (unsigned i = NOSTORE_none + 1; i < NOSTORE_COUNT; i++) {
		size_t len = strlen(reasons);
		if (!v->why[i]) continue;
		snprintf(reasons + len, sizeof(reasons) - len, "%s%s %" PRIu64, len ? ", " : "", nostore_rows[i].name.ptr, v->why[i]);
		/* That it was set aside is what the others led to. */
		if (most == NOSTORE_none || most == NOSTORE_volume_failed || (i != NOSTORE_volume_failed && v->why[i] > v->why[most])) most = i;
	}
	finding_text(&f->cause, "%" PRIu64 " objects of %" PRIu64 " bytes that lines said stored were not, and %" PRIu64 " answers found the volume set aside: %s",
		v->objects, v->bytes, v->aside, reasons);
	if (most != NOSTORE_none) finding_text(&f->cure, "%s", cures[most]);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->volumes.count; i++) {
		const struct volume *v = map_value(&s->volumes, i);
		explain(findings_add(out, rule, map_key(&s->volumes, i), &v->group), v);
	}
	map_release(&s->volumes);
}

const struct rule_ops rule_volume_errors = { sizeof(struct state), init, line, finish };
