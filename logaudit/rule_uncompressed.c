/* uncompressed: fit answers sent plain to clients that take a coding. proxyd has judged type, size, no-transform, secrets and the
 * request when it wrote `uncoded`; here only what could be had for a word in the configuration is added up. Bounded by routes. */
#include <inttypes.h>

#include "map.h"
#include "rule.h"
#include "show.h"

enum { ANSWERS_MIN = 10, BYTES_MIN = 100000 };

struct route { struct group plain; uint64_t bytes, off, slices, busy; };
struct state { struct map routes; };

static void init(void *state)
{
	map_init(&((struct state *)state)->routes, sizeof(struct route), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct route *route;

	if (l->rec != REC_req || !l->body_out) return;
	if (l->uncoded != UNCODED_off && l->uncoded != UNCODED_slices && l->uncoded != UNCODED_busy) return;
	route = map_get(&((struct state *)state)->routes, l->route.len ? l->route : line_host(l));
	group_add(&route->plain, at);
	route->bytes += l->body_out;
	route->off += l->uncoded == UNCODED_off;
	route->slices += l->uncoded == UNCODED_slices;
	route->busy += l->uncoded == UNCODED_busy;
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->routes.count; i++) {
		const struct route *route = map_value(&s->routes, i);
		char n[SHOW_NUMBER_MAX], bytes[SHOW_NUMBER_MAX];
		if (route->plain.count < ANSWERS_MIN || route->bytes < BYTES_MIN) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->routes, i), &route->plain);
		show_count(n, route->plain.count);
		show_count(bytes, route->bytes);
		if (route->off * 2 >= route->plain.count) {
			finding_text(&f->cause, "%s bytes in %s answers: compression is not switched on there, or not for a coding that these clients take", bytes, n);
		} else if (route->slices >= route->busy) {
			finding_text(&f->cause, "%s bytes in %s answers: text is stored in slices there, which are sent as they are", bytes, n);
			finding_text(&f->cure, "give text a location of its own, without `slice`: what is stored whole has a compressed form");
		} else {
			finding_text(&f->cause, "%s bytes in %s answers: too many answers were being compressed on their way at once", bytes, n);
			finding_text(&f->cure, "let answers be stored, so that they are compressed once; lower the levels; or add workers");
		}
	}
	map_release(&s->routes);
}

const struct rule_ops rule_uncompressed = { sizeof(struct state), init, line, finish };
