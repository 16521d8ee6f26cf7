/* volume-no-hits: a volume that takes requests and gives nothing. Silent when no page was asked for twice, when each copy
 * had expired before it was asked for again, and for a volume that has had a single hit. Bounded by a table that forgets: of more
 * than PAGES_MAX pages, those asked for most recently are judged. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

/* Fewer lines, or fewer chances, prove nothing. */
enum { LINES_MIN = 100, CHANCES_MIN = 10, PAGES_MAX = 1 << 17 };

struct volume {
	struct group group;              /* count: requests that might have used the store */
	uint64_t hits, stored, failed;
	uint64_t chances;                /* asked for while a fresh copy should have been in the store */
	uint64_t repeats;                /* asked for again */
	uint64_t nostore[NOSTORE_COUNT];
};
struct page { uint64_t since_us, until_us; bool known; };  /* when the last copy was stored, until when it is fresh; zero: not stored */
struct state { struct map volumes; struct recent pages; };

static void init(void *state)
{
	map_init(&((struct state *)state)->volumes, sizeof(struct volume), NAMES_MAX);
	recent_init(&((struct state *)state)->pages, sizeof(struct page), PAGES_MAX);
}

static void line_keep(struct state *s, struct volume *v, const struct logline *l, struct place at)
{
	size_t index = (size_t)((char *)v - s->volumes.values) / sizeof(*v);
	struct page *page = recent_get(&s->pages, recent_pair(l->key, l->variant + index * UINT64_C(0x9e3779b97f4a7c15)));

	if (page->known) {
		bool chance = page->until_us && l->t_us >= page->since_us && l->t_us < page->until_us;
		v->repeats++;
		v->chances += chance;
		if (chance || !v->stored) evidence_add(&v->group.evidence, at);
	}
	page->known = true;
	if (l->stored) {
		int64_t left = l->lifetime < 0 ? INT64_MAX / 4000000 : l->lifetime - (l->age > 0 ? l->age : 0);
		page->since_us = l->t_us + l->total_us;
		if (left > INT64_MAX / 4000000) left = INT64_MAX / 4000000;
		page->until_us = left > 0 ? page->since_us + (uint64_t)left * 1000000 : 0;
	}
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	struct volume *v;

	if (l->rec != REC_req || !line_has_volume(l)) return;
	v = map_get_name(&s->volumes, l->volume, line_facts(l)->volume);
	if (v->hits || line_from_store(l)) {
		v->hits = 1;
		return;
	}
	if (l->nostore == NOSTORE_volume_failed) {
		v->failed++;
		group_add(&v->group, at);
		return;
	}
	if (l->cache != VERDICT_miss && l->cache != VERDICT_collapsed && l->cache != VERDICT_hit_for_miss) return;
	v->group.count++;
	v->stored += l->stored;
	v->nostore[l->nostore]++;
	line_keep(s, v, l, at);
}

static void explain(struct finding *f, const struct volume *v)
{
	unsigned most = NOSTORE_none + 1;

	for (unsigned i = most; i < NOSTORE_COUNT; i++)
		if (v->nostore[i] > v->nostore[most]) most = i;
	if (v->failed) {
		finding_text(&f->cause, "%" PRIu64 " requests found the volume set aside after an error", v->failed);
	} else if (v->stored) {
		finding_text(&f->cause, "%" PRIu64 " answers were stored, %" PRIu64 " requests came while a fresh copy should have been "
			"there, none was a hit: %s", v->stored, v->chances, f->rule->cause);
	} else {
		f->severity = SEVERITY_warning;
		finding_text(&f->cause, "%" PRIu64 " requests were repeats, and nothing was ever stored; most often (%" PRIu64 " times) "
			"because of %s", v->repeats, v->nostore[most], nostore_rows[most].name.ptr);
		finding_text(&f->cure, "%s: %s", nostore_rows[most].name.ptr, nostore_rows[most].doc);
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->volumes.count; i++) {
		const struct volume *v = map_value(&s->volumes, i);
		bool barren = v->chances >= CHANCES_MIN || v->failed >= LINES_MIN || (v->stored == 0 && v->repeats >= CHANCES_MIN);
		if (v->hits || v->group.count < LINES_MIN || !barren) continue;
		explain(findings_add(out, rule, map_key(&s->volumes, i), &v->group), v);
	}
	map_release(&s->volumes);
	recent_release(&s->pages);
}

const struct rule_ops rule_volume_no_hits = { sizeof(struct state), init, line, finish };
