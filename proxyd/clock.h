/* The clocks of the daemon. Any thread. A program for stories is linked with another clock.o, made with -DTEST_CLOCK, whose
 * time stands still and moves when a story says so; the program that is shipped has nothing of it. */
#ifndef PROXYD_CLOCK_H
#define PROXYD_CLOCK_H

#include <stdint.h>

/* Monotonic, for durations and timers. */
uint64_t clock_now_us(void);
/* Since 1970, as the system has it: for the log and for dates. It may jump. */
int64_t clock_wall_us(void);

#endif
