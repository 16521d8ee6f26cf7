/* Rules: what each of them is (tbl/rules.h) and how the audit feeds it. */
#ifndef LOGAUDIT_RULE_H
#define LOGAUDIT_RULE_H

#include "../conf/logline.h"
#include "finding.h"

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

/* proxyd writes `none` when no volume is bound. */
static inline bool line_has_volume(const struct logline *line)
{
	return line->volume.len && !slice_eq(line->volume, SLICE("none"));
}

/* Does a Cache-Control value have this directive, with or without an argument? */
bool cache_control_has(struct slice value, struct slice directive);

/* Finishes a map of subjects whose values begin with a struct group: one finding a subject. */
struct map;
void rule_report_groups(struct map *subjects, const struct rule *rule, struct findings *out);

#endif
