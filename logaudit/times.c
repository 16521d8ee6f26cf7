/* Log-linear histograms. */
#include <math.h>

#include "times.h"

static size_t times_class(uint64_t us)
{
	unsigned power;

	if (us < 8) return (size_t)us;
	power = 63 - (unsigned)__builtin_clzll(us);
	return (power - 2) * 8 + (us >> (power - 3) & 7);
}

uint64_t times_class_end(size_t class)
{
	return class < 8 ? class : ((8 + class % 8 + 1) << (class / 8 - 1)) - 1;
}

void times_add(struct times *times, uint64_t us)
{
	times->count++;
	times->sum_us += us;
	times->classes[times_class(us)]++;
}

void times_merge(struct times *into, const struct times *from)
{
	into->count += from->count;
	into->sum_us += from->sum_us;
	for (size_t i = 0; i < TIMES_CLASSES; i++) into->classes[i] += from->classes[i];
}

uint64_t times_percentile(const struct times *times, double share)
{
	uint64_t rank = (uint64_t)ceil(share * (double)times->count), below = 0;

	if (!times->count) return 0;
	for (size_t i = 0; i < TIMES_CLASSES; i++) {
		below += times->classes[i];
		if (times->classes[i] && below >= rank) return times_class_end(i);
	}
	return times_class_end(TIMES_CLASSES - 1);
}

uint64_t times_mean(const struct times *times)
{
	return times->count ? times->sum_us / times->count : 0;
}

void times_small_add(struct times_small *times, uint64_t us)
{
	size_t class = times_class(us);

	times->classes[class < TIMES_SMALL ? class : TIMES_SMALL - 1]++;
}

void times_small_merge(struct times_small *into, const struct times_small *from)
{
	for (size_t i = 0; i < TIMES_SMALL; i++) into->classes[i] += from->classes[i];
}

uint64_t times_small_percentile(const struct times_small *times, double share)
{
	uint64_t count = 0, rank, below = 0;

	for (size_t i = 0; i < TIMES_SMALL; i++) count += times->classes[i];
	rank = (uint64_t)ceil(share * (double)count);
	for (size_t i = 0; count && i < TIMES_SMALL; i++) {
		below += times->classes[i];
		if (times->classes[i] && below >= rank) return times_class_end(i);
	}
	return 0;
}
