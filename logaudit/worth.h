/* What an operator wants to know beside the ratio: what each reason of not storing costs, and how long answers take. */
#ifndef LOGAUDIT_WORTH_H
#define LOGAUDIT_WORTH_H

#include <stdio.h>

#include "../conf/logline.h"
#include "map.h"
#include "bloom.h"

/* Times in microseconds in classes of which each is at most 1/8 wider than its beginning: what is printed is a class' end, so at
 * most 12.5 % too much. Adding is exact, in any order. */
enum { TIMES_CLASSES = 62 * 8 };
struct times { uint64_t count, classes[TIMES_CLASSES]; };

struct worth {
	struct bloom pages;               /* that were asked for with GET */
	/* Requests for pages that had been asked for before and were not stored for the reason: hits, had they been stored and kept. */
	uint64_t repeats[NOSTORE_COUNT], repeat_bytes[NOSTORE_COUNT];
	uint64_t requests, hits;
	struct times hit, miss;          /* to the first byte to the client; miss: an origin was asked */
	struct map origins;              /* struct times: to the first byte of the origin */
};

void worth_init(struct worth *worth);
void worth_add(struct worth *worth, const struct logline *line);
/* Says that the line comes soon. */
void worth_ahead(const struct worth *worth, const struct logline *line);
void worth_release(struct worth *worth);

/* hits + all repeats: the most that the log's requests could have been, had every answer been stored and kept. */
uint64_t worth_potential(const struct worth *worth);
/* The time that the share (0 to 1) of all did not exceed; 0 when there are none. */
uint64_t times_percentile(const struct times *times, double share);
void times_add(struct times *times, uint64_t us);

/* Reasons that cost something, the dearest first; the caller's order has room for NOSTORE_COUNT. Returns how many. */
int worth_order(const struct worth *worth, int order[NOSTORE_COUNT]);
void worth_text(const struct worth *worth, FILE *out);

#endif
