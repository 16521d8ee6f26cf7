/* Times in microseconds, kept in classes of which each is at most 1/8 wider than its beginning (a log-linear histogram): what is
 * told is the end of a class, so at most 12.5 % too much. Adding and merging are exact, in any order. */
#ifndef LOGAUDIT_TIMES_H
#define LOGAUDIT_TIMES_H

#include <stddef.h>
#include <stdint.h>

/* TIMES_SMALL classes end at 16.7 s; what takes longer is in the last of them. */
enum { TIMES_CLASSES = 62 * 8, TIMES_SMALL = 22 * 8 };
struct times { uint64_t count, sum_us, classes[TIMES_CLASSES]; };
/* The same for where many of them are kept. */
struct times_small { uint32_t classes[TIMES_SMALL]; };

void times_add(struct times *times, uint64_t us);
/* The largest time of a class. */
uint64_t times_class_end(size_t class);
void times_merge(struct times *into, const struct times *from);
/* The time that the share (0 to 1) of all did not exceed; 0 when there are none. */
uint64_t times_percentile(const struct times *times, double share);
uint64_t times_mean(const struct times *times);

void times_small_add(struct times_small *times, uint64_t us);
void times_small_merge(struct times_small *into, const struct times_small *from);
uint64_t times_small_percentile(const struct times_small *times, double share);

#endif
