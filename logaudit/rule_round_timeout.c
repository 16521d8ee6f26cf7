/* round-timeout: requests that end when somebody's patience does. Our own time-outs name their setting (tbl/ends.h); those of others
 * show as ends of one kind that lie close together at a round number of seconds. The client's side is only told: slow and silent
 * clients, and long polls that the client ends, are every day's business. Bounded by the number of hosts. */
#include <inttypes.h>
#include <stdio.h>

#include "map.h"
#include "rule.h"

enum { ENDS_MIN = 10, NEAR_MS = 300 };
static const uint32_t rounds_s[] = { 5, 10, 15, 20, 30, 45, 60, 90, 100, 120, 180, 240, 300, 600, 900, 1800, 3600 };

struct ends { struct spread all; struct group near[COUNT_OF(rounds_s)]; uint64_t status; uint8_t end; };
struct state { struct map ends; };       /* "host end" */

static void init(void *state)
{
	map_init(&((struct state *)state)->ends, sizeof(struct ends), SUBJECTS_MAX);
}

static bool is_client_side(enum end end)
{
	return end == END_client_left || end == END_client_header_timeout || end == END_client_body_timeout || end == END_send_timeout
		|| end == END_client_min_rate;
}

/* Was it cut off, as far as we can see? 504 from the origin is another proxy's time-out. */
static bool is_cut(const struct logline *l)
{
	return *end_rows[l->end].extra || l->end == END_origin_left || l->end == END_client_left || l->origin_status == 504;
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct ends *ends;
	char name[NAME_PAIR_MAX];
	uint64_t ms = l->total_us / 1000;

	if (l->rec != REC_req || !is_cut(l)) return;
	ends = map_get(&((struct state *)state)->ends, name_pair(name, line_host(l),
		l->end == END_complete ? SLICE("504 of the origin") : end_rows[l->end].name));
	ends->end = l->end;
	spread_add(&ends->all, l, at);
	for (size_t i = 0; i < COUNT_OF(rounds_s); i++)
		if (ms + NEAR_MS >= rounds_s[i] * 1000u && ms <= rounds_s[i] * 1000u + NEAR_MS) group_add(&ends->near[i], at);
}

static const char *side_of(enum end end)
{
	return is_client_side(end) ? "the client's side" : "the origin's side";
}

static void report(struct slice name, const struct ends *ends, const struct rule *rule, struct findings *out)
{
	const char *setting = end_rows[ends->end].extra;
	size_t most = 0;
	struct finding *f;

	for (size_t i = 1; i < COUNT_OF(rounds_s); i++)
		if (ends->near[i].count > ends->near[most].count) most = i;
	bool is_round = ends->near[most].count >= ENDS_MIN && ends->near[most].count * 5 >= ends->all.group.count * 4;
	if (!is_round && (!*setting || ends->all.group.count < ENDS_MIN || !spread_lasts(&ends->all))) return;
	f = findings_add(out, rule, name, is_round ? &ends->near[most] : &ends->all.group);
	if (is_client_side(ends->end)) f->severity = SEVERITY_info;
	if (*setting) {
		finding_text(&f->cause, "`%s` of this proxy ended %" PRIu64 " requests%s: %s was silent for longer", setting, ends->all.group.count,
			is_round ? ", at a round time" : "", side_of(ends->end));
		finding_text(&f->cure, "find out why %s is that slow; raise `%s` only where long waits are meant", side_of(ends->end), setting);
	} else {
		finding_text(&f->cause, "%" PRIu64 " of %" PRIu64 " such ends came within %d ms of %u s: a time-out of that length on %s", ends->near[most].count,
			ends->all.group.count, NEAR_MS, rounds_s[most], side_of(ends->end));
	}
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->ends.count; i++) report(map_key(&s->ends, i), map_value(&s->ends, i), rule, out);
	map_release(&s->ends);
}

const struct rule_ops rule_round_timeout = { sizeof(struct state), init, line, finish };
