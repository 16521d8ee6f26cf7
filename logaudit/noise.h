/* Is a difference more than chance? */
#ifndef LOGAUDIT_NOISE_H
#define LOGAUDIT_NOISE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Chance alone makes a difference of so many standard errors once in 1,000 comparisons (two sides). */
#define NOISE_Z 3.29

/* A share of a whole: 5 of 100 requests. */
struct share { uint64_t part, whole; };

static inline double share_of(struct share share) { return share.whole ? (double)share.part / (double)share.whole : 0; }

/* The two-proportion z-test with pooled variance: by how many standard errors the share `now` is above `before`; negative: below;
 * 0 when nothing can be said. It takes requests for independent of each other, which bursts are not: ask for a difference that
 * matters, too. */
static inline double noise_z(struct share before, struct share now)
{
	double n1 = (double)before.whole, n2 = (double)now.whole, p, error;

	if (!before.whole || !now.whole) return 0;
	p = ((double)before.part + (double)now.part) / (n1 + n2);
	error = sqrt(p * (1 - p) * (1 / n1 + 1 / n2));
	return error > 0 ? (share_of(now) - share_of(before)) / error : 0;
}

#endif
