/* Rules: what each of them is (tbl/rules.h) and how the audit feeds it. */
#ifndef LOGAUDIT_RULE_H
#define LOGAUDIT_RULE_H

#include "../conf/logline.h"
#include "facts.h"
#include "finding.h"
#include "map.h"

/* A rule that reads lines has a state of its own, zeroed before init. Only records whose header has the rule's columns
 * come to `line`. `finish` adds what it found and releases what the state holds. */
struct rule_ops {
	size_t state_size;
	void (*init)(void *state);
	void (*line)(void *state, const struct logline *line, struct place at);
	void (*finish)(void *state, const struct rule *rule, struct findings *out);
};

struct rule {
	const char *id;
	enum severity severity;
	const char *columns, *doc, *cause, *cure;
	const struct rule_ops *ops;
};

enum rule_id {
#define RULE(symbol, id, severity, columns, doc, cause, cure) RULE_##symbol,
#include "tbl/rules.h"
#undef RULE
	RULE_COUNT };

extern const struct rule rules[RULE_COUNT];
/* See tbl/aheads.h; NULL: the rule has none. */
typedef void rule_ahead_fn(const void *state, const struct logline *line);
extern rule_ahead_fn *const rule_aheads[RULE_COUNT];
#define AHEAD(rule) rule_ahead_fn rule_##rule##_ahead;
#include "tbl/aheads.h"
#undef AHEAD
extern const uint32_t rule_concerns[RULE_COUNT];    /* traits, of which a line must have one; 0: all lines (tbl/concerns.h) */

#define RULE(symbol, id, severity, columns, doc, cause, cure) extern const struct rule_ops rule_##symbol;
#include "tbl/rules.h"
#undef RULE

/* ---- words that several rules use ---- */

/* Served from what was stored, or from another request's fetch. */
static inline bool line_from_store(const struct logline *line)
{
	return line->cache == VERDICT_hit || line->cache == VERDICT_hit_stale || line->cache == VERDICT_revalidated;
}

/* The host for people: "(no host)" when the request had none. */
static inline struct slice line_host(const struct logline *line)
{
	return line->host.len ? line->host : SLICE("(no host)");
}

/* The volume for people: "none" when none is bound. */
static inline struct slice line_volume(const struct logline *line)
{
	return line->volume.len ? line->volume : SLICE("none");
}

/* The value of the line's host in a map of hosts. */
static inline void *host_value(struct map *hosts, const struct logline *line)
{
	return map_get_name(hosts, line_host(line), line_facts(line)->host);
}

/* proxyd writes `none` when no volume is bound. */
static inline bool line_has_volume(const struct logline *line)
{
	return line->volume.len && !slice_eq(line->volume, SLICE("none"));
}

/* Does a Cache-Control value have this directive, with or without an argument? */
bool cache_control_has(struct slice value, struct slice directive);

/* May the answer to this request be stored for others (RFC 9111 section 3.5)? With Authorization, public, s-maxage or
 * must-revalidate allow it; with a login cookie of the site nothing does. */
bool line_may_be_shared(const struct logline *line);

/* Did the request get an answer from the origin, or fail to? */
bool line_origin_failed(const struct logline *line);

/* Two words of a line as one subject: "a b", cut when long. */
enum { NAME_PAIR_MAX = LOG_STR_MAX * 4 + 512, SUBJECTS_MAX = 4096 };
struct slice name_pair(char out[NAME_PAIR_MAX], struct slice a, struct slice b);

/* A group that also knows whether it lasted: a restart or a short break lies within two minutes of the clock, a fault is seen in
 * a third. */
enum { SPREAD_MINUTES = 3 };
struct spread { struct group group; uint64_t minutes[SPREAD_MINUTES]; unsigned count; };
void spread_add(struct spread *spread, const struct logline *line, struct place at);
static inline bool spread_lasts(const struct spread *spread) { return spread->count == SPREAD_MINUTES; }

/* Finishes a map of subjects whose values begin with a struct group: one finding a subject. */
void rule_report_groups(struct map *subjects, const struct rule *rule, struct findings *out);

#endif
