/* The timer wheel, with time as an argument: never early, late by less than 128 ms, whatever is set, moved and cleared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../proxyd/worker_internal.h"

enum { LATE_MAX_US = 128 * 1000, TIMERS = 3000 };
#define SECOND UINT64_C(1000000)
#define DAY (86400 * SECOND)

struct probe {
	struct timer timer;
	uint64_t due_us;                     /* by the model; 0: not set */
	unsigned fired;
};

static struct worker *worker_make(uint64_t now_us)
{
	struct worker *worker = must(calloc(1, sizeof(*worker)));

	worker->priv = must(aligned_alloc(64, (sizeof(*worker->priv) + 63) / 64 * 64));
	memset(worker->priv, 0, sizeof(*worker->priv));
	worker->now_us = now_us;
	timers_init(worker);
	return worker;
}

static void worker_drop(struct worker *worker)
{
	free(worker->priv);
	free(worker);
}

static void probe_fire(struct worker *worker, struct timer *timer)
{
	struct probe *probe = (struct probe *)(void *)timer;

	assert_true(probe->due_us != 0);
	assert_true(worker->now_us >= probe->due_us);
	assert_true(worker->now_us - probe->due_us < LATE_MAX_US);
	assert_int_equal(timer->due_us, 0);
	probe->due_us = 0;
	probe->fired++;
}

static void probe_set(struct worker *worker, struct probe *probe, uint64_t delay_us)
{
	probe->due_us = worker->now_us + delay_us;
	timer_set(worker, &probe->timer, delay_us, probe_fire);
}

/* As the loop: sleeps as long as it is told to, and a little longer. False when nothing is set. */
static bool turn(struct worker *worker)
{
	int ms = timers_wait_ms(worker);

	if (ms < 0)
		return false;
	worker->now_us += (uint64_t)ms * 1000 + 137;
	timers_run(worker);
	return true;
}

static uint64_t random_of(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 20) % below;
}

static void fires_in_time(void **state)
{
	static const uint64_t delays[] = { 0, 1, 1000, 65535, 65536, 65537, 131072, SECOND, 66 * SECOND, 67 * SECOND, 67108864, 68 * SECOND, 3600 * SECOND, DAY, 7 * DAY };
	static const uint64_t starts[] = { 1, 65535, 65536, 1234567891, 67108864 - 1, 67108864, 67108864 + 1, UINT64_C(1) << 50 };

	(void)state;
	for (size_t s = 0; s < COUNT_OF(starts); s++)
		for (size_t d = 0; d < COUNT_OF(delays); d++) {
			struct worker *worker = worker_make(starts[s]);
			struct probe probe = { 0 };
			unsigned turns = 0;

			probe_set(worker, &probe, delays[d]);
			while (turn(worker))
				turns++;
			assert_int_equal(probe.fired, 1);
			assert_true(turns <= delays[d] / (66 * SECOND) + 2);   /* idle means idle */
			worker_drop(worker);
		}
}

static void many_by_a_model(void **state)
{
	struct worker *worker = worker_make(5 * SECOND);
	struct probe *probes = must(calloc(TIMERS, sizeof(*probes)));
	uint64_t seed = 42, fired = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		for (unsigned i = 0; i < 5; i++) {
			struct probe *probe = &probes[random_of(&seed, TIMERS)];
			uint64_t span = random_of(&seed, 4) == 0 ? 300 * SECOND : 2 * SECOND;

			if (random_of(&seed, 4) == 0) {
				timer_clear(worker, &probe->timer);
				probe->due_us = 0;
			} else {
				probe_set(worker, probe, random_of(&seed, span));
			}
		}
		worker->now_us += random_of(&seed, 20000);
		int ms = timers_wait_ms(worker);
		if (ms == 0)
			timers_run(worker);
	}
	while (turn(worker))
		;
	for (unsigned i = 0; i < TIMERS; i++) {
		assert_int_equal(probes[i].due_us, 0);
		fired += probes[i].fired;
	}
	assert_true(fired > 1000);
	free(probes);
	worker_drop(worker);
}

static void moving_away_is_free(void **state)
{
	struct worker *worker = worker_make(SECOND);
	struct probe probe = { 0 };

	(void)state;
	probe_set(worker, &probe, 10 * SECOND);
	uint64_t hangs_at = probe.timer.slot_us;
	const struct timer *prev = probe.timer.prev;
	for (unsigned i = 0; i < 90; i++) {
		worker->now_us += SECOND / 10;
		timers_run(worker);
		probe_set(worker, &probe, 10 * SECOND);
		assert_true(probe.timer.slot_us == hangs_at && probe.timer.prev == prev);
	}
	while (turn(worker))
		;
	assert_int_equal(probe.fired, 1);
	worker_drop(worker);
}

static void moving_near_and_clearing(void **state)
{
	struct worker *worker = worker_make(SECOND);
	struct probe near = { 0 }, gone = { 0 };

	(void)state;
	probe_set(worker, &near, DAY);
	probe_set(worker, &near, SECOND);
	probe_set(worker, &gone, SECOND / 2);
	timer_clear(worker, &gone.timer);
	timer_clear(worker, &gone.timer);
	gone.due_us = 0;
	assert_true(timers_wait_ms(worker) > 900 && timers_wait_ms(worker) < 1128);
	while (turn(worker))
		;
	assert_int_equal(near.fired, 1);
	assert_int_equal(gone.fired, 0);
	assert_int_equal(timers_wait_ms(worker), -1);
	worker_drop(worker);
}

/* Timers of one slot that clear, set and free each other while it runs. */
static struct timer *victim, *again;
static unsigned actions;

static void act(struct worker *worker, struct timer *timer)
{
	actions++;
	if (victim && timer != victim) {
		timer_clear(worker, victim);
		free(victim);
		victim = NULL;
	}
	if (timer == again && actions < 10)
		timer_set(worker, timer, 0, act);
	else if (timer != again)
		free(timer);
}

static void fire_may_do_anything(void **state)
{
	struct worker *worker = worker_make(SECOND);
	struct timer *first = must(calloc(1, sizeof(*first)));

	(void)state;
	victim = must(calloc(1, sizeof(*victim)));
	again = must(calloc(1, sizeof(*again)));
	timer_set(worker, again, SECOND, act);
	timer_set(worker, victim, SECOND, act);
	timer_set(worker, first, SECOND, act);
	while (turn(worker))
		;
	assert_null(victim);
	assert_int_equal(actions, 10);
	free(again);
	worker_drop(worker);
}

/* A machine that was suspended: everything that is due fires at once, nothing else. */
static unsigned halts;
static void count_halt(struct worker *worker, struct timer *timer)
{
	(void)worker, (void)timer;
	halts++;
}

static void a_long_halt(void **state)
{
	struct worker *worker = worker_make(SECOND);
	struct timer due[100] = { 0 }, later = { 0 };

	(void)state;
	halts = 0;
	for (unsigned i = 0; i < 100; i++)
		timer_set(worker, &due[i], i * 3 * SECOND, count_halt);
	timer_set(worker, &later, 2 * DAY, count_halt);
	worker->now_us += DAY;
	assert_int_equal(timers_wait_ms(worker), 0);
	timers_run(worker);
	assert_int_equal(halts, 100);
	while (turn(worker))
		;
	assert_int_equal(halts, 101);
	assert_true(worker->now_us >= SECOND + 2 * DAY);
	worker_drop(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_in_time),
		cmocka_unit_test(many_by_a_model),
		cmocka_unit_test(moving_away_is_free),
		cmocka_unit_test(moving_near_and_clearing),
		cmocka_unit_test(fire_may_do_anything),
		cmocka_unit_test(a_long_halt),
	};

	return cmocka_run_group_tests_name("proxyd_timer", tests, NULL, NULL);
}
