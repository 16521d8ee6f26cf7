/* Which lines count: a span of time, and conditions on columns, all of which must hold. */
#ifndef LOGAUDIT_FILTER_H
#define LOGAUDIT_FILTER_H

#include "column.h"

enum filter_op { FILTER_is, FILTER_is_not, FILTER_below, FILTER_above, FILTER_matches, FILTER_matches_not };
struct filter_condition {
	enum log_field field;
	enum filter_op op;
	int64_t number;                  /* of a COLUMN_number */
	uint64_t hash;                   /* of a COLUMN_hash */
	struct slice text;               /* borrowed from whoever made the condition */
	void *regex;                     /* pcre2_code: FILTER_matches, FILTER_matches_not */
};

/* What of the log a filter leaves out: the less of a kind a rule can do without, the sooner it cannot tell (tbl/sights.h). */
enum filter_reach { FILTER_nothing, FILTER_time, FILTER_place, FILTER_outcome };

enum { FILTER_CONDITIONS_MAX = 64, FILTER_WHY_MAX = 256 };
struct filter {
	uint64_t since_us, until_us;     /* of the first byte of the request: since <= t_us < until; 0: open */
	struct filter_condition conditions[FILTER_CONDITIONS_MAX];
	size_t count;
	char *words;                     /* as it was asked for, for people */
};

void filter_init(struct filter *filter);
/* "column=value", and !=, <, >, ~ (PCRE2), !~. Comparing by < and > needs a column of numbers. False, with the reason in why. The
 * text must outlive the filter. */
bool filter_where(struct filter *filter, const char *text, char why[FILTER_WHY_MAX]);
/* The value of one column: with * or ? a pattern of which it is the whole; a status may be written 5xx. */
bool filter_column(struct filter *filter, enum log_field field, const char *value, char why[FILTER_WHY_MAX]);
/* See moment.h. */
bool filter_since(struct filter *filter, const char *text, uint64_t now_us, char why[FILTER_WHY_MAX]);
bool filter_until(struct filter *filter, const char *text, uint64_t now_us, char why[FILTER_WHY_MAX]);
void filter_release(struct filter *filter);

static inline bool filter_is_open(const struct filter *filter) { return !filter->since_us && !filter->until_us && !filter->count; }
/* Pure; any thread. */
bool filter_passes(const struct filter *filter, const struct logline *line);
enum filter_reach filter_reach(const struct filter *filter);

#endif
