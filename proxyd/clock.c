/* Reading clocks. */
#include "clock.h"

#include <stdatomic.h>
#include <time.h>

#ifdef TEST_CLOCK
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../conf/check.h"

/* What the file that PROXYD_TEST_CLOCK names holds, written by a story while the daemon runs: microseconds that have passed
 * since the first reading, and the date since 1970 that it was then. */
struct test_clock { _Atomic int64_t passed_us, date_us; };

static const struct test_clock *test_clock;
static int64_t test_from_us;             /* monotonic */
static pthread_once_t test_once = PTHREAD_ONCE_INIT;

static int64_t system_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void test_clock_open(void)
{
	const char *path = getenv("PROXYD_TEST_CLOCK");
	int fd;

	if (!path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	test_clock = mmap(NULL, sizeof(*test_clock), PROT_READ, MAP_SHARED, fd, 0);
	CHECK(test_clock != MAP_FAILED);
	test_from_us = system_us(CLOCK_MONOTONIC);
}

static int64_t clock_us(clockid_t clock)
{
	pthread_once(&test_once, test_clock_open);
	if (!test_clock)
		return system_us(clock);
	return test_clock->passed_us + (clock == CLOCK_REALTIME ? test_clock->date_us : test_from_us);
}
#else
static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
#endif

uint64_t clock_now_us(void)
{
	return (uint64_t)clock_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t clock_steady_us(int64_t wall_us, uint64_t now_us)
{
	/* The most that the date was ever ahead of the monotonic clock. Since the date is read first, a pause between the two
	 * readings makes this smaller and never larger. */
	static _Atomic int64_t ahead_us = INT64_MIN;
	int64_t most = atomic_load_explicit(&ahead_us, memory_order_relaxed), ahead = wall_us - (int64_t)now_us;

	while (ahead > most)
		if (atomic_compare_exchange_weak_explicit(&ahead_us, &most, ahead, memory_order_relaxed, memory_order_relaxed))
			most = ahead;
	return (int64_t)now_us + most;
}
