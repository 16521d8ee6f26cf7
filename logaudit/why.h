/* `logaudit why URL`: what happened to one URL, and for what reasons it was not answered from the store. */
#ifndef LOGAUDIT_WHY_H
#define LOGAUDIT_WHY_H

#include <inttypes.h>
#include <stdio.h>

#include "audit.h"
#include "miss.h"

/* Requests beyond WHY_EVENTS_MAX are counted, with their reasons, but are not in the order of time. */
enum { WHY_EVENTS_MAX = 1 << 18, WHY_VALUES_MAX = 64, WHY_NEAR_MAX = 5, WHY_NEAR_TEXT_MAX = 256, WHY_URL_MAX = 64 * 1024 };

/* All reasons in one row of numbers: of the column `nostore`, misses of answers that could be stored, refusals, ends of requests
 * that the origin failed, and verdicts that say it themselves. */
enum {
	REASON_nostore = 0, REASON_miss = REASON_nostore + NOSTORE_COUNT, REASON_refusal = REASON_miss + MISS_COUNT,
	REASON_end = REASON_refusal + REFUSAL_COUNT, REASON_verdict = REASON_end + END_COUNT, REASON_COUNT = REASON_verdict + VERDICT_COUNT,
	REASON_answered = REASON_COUNT,  /* from the store, by another request's fetch, or by rule: there is nothing to explain */
};
struct reason_row { const char *kind, *name, *doc, *advice; };
struct reason_row reason_row(int reason);
/* What one line says by itself; a miss that has no reason on the line is REASON_miss. */
int reason_of(const struct logline *line);
/* Missed: the cache might have answered, by its place in the way, and did not. A refused request never came so far. */
bool reason_is_missed(int reason);

/* ---- the URL ---- */

/* scheme and host are empty when they were not given: any will do. Without a port, any port will do. */
struct why_url { struct slice scheme, host, host_port, target; };

/* text: http://HOST/TARGET, HOST/TARGET or /TARGET. buf: at least twice the text's length. False: it is none of these. */
bool why_url_parse(struct slice text, char *buf, struct why_url *ret_url);
/* Targets are the same when they differ only in the notation of percent-encoding, or by the absolute form. */
bool why_url_is(const struct why_url *url, const struct logline *line);
/* Does this line tell of a purge that took it? Purges by tag do not say what they took, nor do those over HTTP whose fields ask
 * for more than the URL; the lines of what was missed because of them do (column `purged`). */
bool why_url_is_purged(const struct why_url *url, const struct logline *line);
/* How far a line's URL is from the one asked for: bytes that differ between what both begin and end with. */
unsigned why_url_distance(const struct why_url *url, const struct logline *line);

/* ---- what is known about it ---- */

/* How often something was seen, and the first and last line that shows it, by time. */
struct seen { uint64_t count, first_us, last_us; struct place first, last; };

struct why_event {
	struct visit visit;
	struct place at;
	uint16_t status;
	uint8_t rec, cache;
	int16_t reason;
};

/* Requests that followed one another with the same outcome. */
struct why_run { uint64_t count, last_us; const struct why_event *first; };

struct why_host { uint64_t requests, hits; };
struct why_near { unsigned distance; uint64_t count; char text[WHY_NEAR_TEXT_MAX]; };

struct why {
	struct why_url url;
	uint64_t verdicts[VERDICT_COUNT], methods;       /* methods: requests that are neither GET nor HEAD */
	struct seen requests, stored, refreshed, purged, reasons[REASON_COUNT];
	struct why_event *events;
	size_t event_count, event_cap;
	uint64_t unordered;              /* requests that are not among the events */
	struct why_run *runs;
	size_t run_count;
	struct keys variants;            /* key and variant of each that was seen */
	struct map hosts, nodes, varies, lifetimes, controls, volumes;  /* struct why_host; uint64_t for all others */
	char stored_by[WHY_NEAR_TEXT_MAX];               /* the client whose request stored it last */
	int64_t object_bytes;
	struct why_near near[WHY_NEAR_MAX];
	size_t near_count;
	bool missing[LOG_FIELD_COUNT];   /* columns that a header line lacked */
};

void why_init(struct why *why, struct why_url url);
/* The audit gives its lines here instead of to the report and the rules. */
struct audit_reader why_reader(struct why *why);
/* Once, after all lines: brings them in order and tells misses apart. */
void why_finish(struct why *why);
void why_release(struct why *why);

/* The reasons that occurred, most frequent first. Returns how many. */
size_t why_order(const struct why *why, int order[REASON_COUNT]);
/* Columns without which something of the answer is missing. */
bool why_needs(enum log_field field);

void why_text(const struct why *why, const struct audit *audit, FILE *out);
void why_json(const struct why *why, const struct audit *audit, FILE *out);

#endif
