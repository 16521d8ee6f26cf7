/* `logaudit diff`: two sets of lines beside each other, and which shares got worse by more than noise: the gate of a rolling change. */
#ifndef LOGAUDIT_DIFF_H
#define LOGAUDIT_DIFF_H

#include <jansson.h>

#include "audit.h"
#include "noise.h"

/* X(name): what is counted of a side, and kept in a baseline. slow_hits, timed_hits and their like follow from the times. */
#define SIDE_COUNTS(X) X(requests) X(hits) X(errors) X(refused) X(unfinished) X(asked) X(origin_failed)
struct side {
#define X(name) uint64_t name;
	SIDE_COUNTS(X)
#undef X
	struct times hit, miss;          /* microseconds to the first byte to the client */
};

enum { SIDES_MAX = 16, SIDE_HOSTS_MAX = 256, SIDE_REQUESTS_MIN = 100 };
/* One value of the column by which lines are told apart; the whole and each host. */
struct diff_value { char *name; uint64_t first_us; struct side all; struct map hosts; };

struct diff {
	int column;                      /* enum log_field; -1: by time, or all lines are one side */
	uint64_t at_us;                  /* by time; 0: not */
	struct diff_value *values;       /* SIDES_MAX */
	size_t count;
	uint64_t left_out;               /* lines of further values */
};

/* What is known of one share. worse, better: by more than chance, and by enough. */
enum diff_verdict { DIFF_same, DIFF_worse, DIFF_better, DIFF_too_few, DIFF_VERDICTS };
enum diff_id {
#define DIFF(name, WORSE, points, part, whole, doc) DIFF_ID_##name,
#include "tbl/diffs.h"
#undef DIFF
	DIFF_COUNT };
struct diff_row { struct share before, now; double z; enum diff_verdict verdict; };
/* z_least: NOISE_Z for a whole; NOISE_Z_HOSTS for one of many hosts, of which one is always unlucky. */
#define NOISE_Z_HOSTS 4.5
void diff_compare(const struct side *before, const struct side *now, double z_least, struct diff_row ret_rows[DIFF_COUNT]);

void diff_init(struct diff *diff, int column, uint64_t at_us);
struct audit_reader diff_reader(struct diff *diff);
void diff_release(struct diff *diff);
/* By name; NULL: none. */
struct diff_value *diff_find(const struct diff *diff, const char *name);
/* The two to compare, when nobody named them: by config the last two generations, else the only two; older first. */
bool diff_choose(const struct diff *diff, struct diff_value **ret_before, struct diff_value **ret_now, char why[256]);

/* One side as JSON: a baseline; and back. False: it is none. */
json_t *side_json(const struct diff_value *value);
bool side_take(const json_t *object, struct diff_value *ret_value);
void diff_value_release(struct diff_value *value);

/* Return how many shares are worse. now == NULL: only one side is there. */
unsigned diff_text(const struct diff_value *before, const struct diff_value *now, FILE *out);
unsigned diff_json(const struct diff_value *before, const struct diff_value *now, json_t *root);

#endif
