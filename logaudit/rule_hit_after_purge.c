/* hit-after-purge: a page was served as fresh though a purge of its URL came after it had been stored, by its age, and no fetch of its
 * key since then could have brought it anew (an answer of a cache behind may be older than its time here). Only purges of a
 * URL are judged: which answers carry a tag, the log does not say. The line of the fetch may stand behind that of the hit, since
 * lines come in the order of their ends. Bounded by tables that forget; when they had to, it is only told. */
#include <inttypes.h>
#include <stdio.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

enum { URLS_MAX = 1 << 14, FETCHES_MAX = 1 << 15 };

struct url { uint64_t purged_us; };
struct fetch { uint64_t end_us, first_hit_us; uint32_t suspect; };  /* suspect: number of the subject + 1 */
struct state { struct recent urls, fetches; struct map suspects; uint64_t purges, fetched; };

static void init(void *state)
{
	struct state *s = state;

	recent_init(&s->urls, sizeof(struct url), URLS_MAX);
	recent_init(&s->fetches, sizeof(struct fetch), FETCHES_MAX);
	map_init(&s->suspects, sizeof(struct group), SUBJECTS_MAX);
}

static void purge_take(struct state *s, const struct logline *l)
{
	struct slice text = l->target;

	if (text.len < 9 || memcmp(text.ptr, "url ", 4) != 0) return;
	text = slice_make(text.ptr + 9, text.len - 9);           /* "url hard " or "url soft " */
	((struct url *)recent_get(&s->urls, recent_text(text, line_facts(l)->node.hash)))->purged_us = l->t_us;
	s->purges++;
}

static uint64_t url_of(const struct logline *l)
{
	char text[NAME_PAIR_MAX];
	int len = snprintf(text, sizeof(text), "%.*s://%.*s%.*s", SLICE_ARG(l->scheme), SLICE_ARG(l->host), SLICE_ARG(l->target));

	return recent_text(slice_make(text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1), line_facts(l)->node.hash);
}

static void fetch_take(struct state *s, const struct logline *l)
{
	struct fetch *fetch = recent_get(&s->fetches, recent_pair(line_facts(l)->node.hash, l->key));

	/* It was under way when the suspect was served: that is where it came from. */
	if (fetch->suspect && l->t_us <= fetch->first_hit_us) *(struct group *)map_value(&s->suspects, fetch->suspect - 1) = (struct group){ 0 };
	s->fetched++;
	*fetch = (struct fetch){ .end_us = l->t_us + l->total_us };
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	char name[NAME_PAIR_MAX];
	const struct url *url;
	struct fetch *fetch;

	if (l->rec == REC_purge) purge_take(s, l);
	if (!s->purges || (l->rec != REC_req && l->rec != REC_refresh)) return;
	if (l->origin_tries) fetch_take(s, l);
	else if (l->cache == VERDICT_hit && l->age > 0) {
		url = recent_find(&s->urls, url_of(l));
		if (!url || l->t_us <= url->purged_us || (uint64_t)l->age <= (l->t_us + l->total_us - url->purged_us) / 1000000 + 1) return;
		fetch = recent_get(&s->fetches, recent_pair(line_facts(l)->node.hash, l->key));
		if (fetch->end_us >= url->purged_us) return;
		if (!fetch->suspect) {
			fetch->suspect = map_number(&s->suspects, name_pair(name, line_host(l), l->target)) + 1;
			fetch->first_hit_us = l->t_us;
		}
		group_add(map_value(&s->suspects, fetch->suspect - 1), at);
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->suspects.count; i++) {
		const struct group *suspect = map_value(&s->suspects, i);
		if (!suspect->count) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->suspects, i), suspect);
		if (s->fetched <= FETCHES_MAX / 4) continue;
		f->severity = SEVERITY_info;
		finding_text(&f->cause, "more pages were fetched than are remembered here: the fetch that brought it anew may be among them");
	}
	map_release(&s->suspects);
	recent_release(&s->urls);
	recent_release(&s->fetches);
}

const struct rule_ops rule_hit_after_purge = { sizeof(struct state), init, line, finish };
