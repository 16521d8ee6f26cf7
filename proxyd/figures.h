/* Numbers about many things, for tools: a series with its percentiles, and sums by name. Not for the daemon's hot path. */
#ifndef PROXYD_FIGURES_H
#define PROXYD_FIGURES_H

#include "../conf/slice.h"

struct series { uint64_t *values; size_t count, room; bool sorted; uint64_t sum; };
void series_add(struct series *series, uint64_t value);
/* The smallest value that so many per cent of all are not above (nearest rank): 0 the smallest, 100 the largest. 0: there is none. */
uint64_t series_at(struct series *series, unsigned percent);
double series_mean(const struct series *series);
void series_release(struct series *series);

/* Names beyond the first NAMES_MAX are one, "(others)": who chooses names must not choose our memory. */
enum { NAMES_MAX = 65536 };
struct name_row { uint64_t objects, bytes; size_t len; char text[]; };
struct names { void *tree; size_t count; };
void names_add(struct names *names, struct slice name, uint64_t bytes);
/* The most objects first, then by name; at most `room` into rows. Returns how many. */
size_t names_top(const struct names *names, const struct name_row **rows, size_t room);
void names_release(struct names *names);

#endif
