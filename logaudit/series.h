/* What happened when: counts in buckets of time that grow by themselves, so that any log fits into SERIES_MAX of them. The result
 * does not depend on the order of the lines. */
#ifndef LOGAUDIT_SERIES_H
#define LOGAUDIT_SERIES_H

#include "../conf/logline.h"
#include "times.h"

enum { SERIES_MAX = 512 };

struct series_bucket {
	uint64_t requests, hits, asked, bytes, hit_bytes, errors;  /* asked: those for which an origin was asked; errors: status >= 500 */
	struct times_small first;        /* to the first byte to the client */
};

struct series {
	uint64_t width_us, base;         /* the first bucket begins at base * width_us, counted from 1970, UTC */
	size_t count;                    /* the last of them is not empty; 0: nothing yet */
	uint64_t outside;                /* requests of no year that a calendar knows */
	struct series_bucket *buckets;   /* SERIES_MAX */
};

void series_init(struct series *series);
void series_add(struct series *series, const struct logline *line);
/* An empty series takes over the shape of one that was kept elsewhere; the caller fills `count` buckets. False: no series has this shape. */
bool series_restore(struct series *series, uint64_t width_us, uint64_t base, uint64_t count, uint64_t outside);
void series_merge(struct series *into, const struct series *from);
void series_release(struct series *series);
static inline uint64_t series_start(const struct series *series, size_t bucket) { return (series->base + bucket) * series->width_us; }

#endif
