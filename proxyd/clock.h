/* The clocks of the daemon. Any thread. A program for stories is linked with another clock.o, made with -DTEST_CLOCK, whose
 * time stands still and moves when a story says so; the program that is shipped has nothing of it. */
#ifndef PROXYD_CLOCK_H
#define PROXYD_CLOCK_H

#include <stdint.h>

/* Monotonic, for durations and timers. */
uint64_t clock_now_us(void);
/* Since 1970, as the system has it: for the log and for dates. It may jump. */
int64_t clock_wall_us(void);
/* Since 1970 too, but never going back while the process lives: how long something has been stored is measured by it. A date that
 * is set back counts as no time, one that is set forward (or a system that slept) as time that passed: an answer that is taken
 * for too old costs a request, one that is taken for too young is wrong. The arguments were read in the order of their places. */
int64_t clock_steady_us(int64_t wall_us, uint64_t now_us);

#endif
