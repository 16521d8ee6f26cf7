/* Collapsing: who leads, who waits, what wakes them; also with many threads at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <cmocka.h>

#include "../../proxyd/flight.h"

struct sleeper { struct flight_waiter waiter; atomic_int woken; };

static void woken(struct flight_waiter *waiter)
{
	atomic_fetch_add(&((struct sleeper *)waiter)->woken, 1);
}

static struct object *memory_object(void)
{
	struct object_meta meta = { .status = 200 };
	struct object *object = NULL;

	assert_int_equal(object_new(NULL, (struct store_key){ 1, 1 }, SLICE("k"), &meta, SLICE("head"), 0, &object), STORE_OK);
	return object;
}

static enum flight_join join(struct flight_key key, uint64_t now, struct sleeper *sleeper, struct flight **flight, struct object **object)
{
	struct store_key variant;

	return flight_join(key, now, sleeper ? &sleeper->waiter : NULL, flight, object, &variant);
}

static void the_first_leads_and_the_others_wait(void **state)
{
	struct flight_key key = { NULL, { 7, 7 } };
	struct sleeper a = { .waiter.wake = woken }, b = { .waiter.wake = woken }, c = { .waiter.wake = woken };
	struct flight *flight = NULL;
	struct object *object = memory_object(), *got = NULL;

	(void)state;
	flights_init();
	assert_int_equal(join(key, 1, &a, &flight, &got), FLIGHT_LEAD);
	assert_int_equal(join(key, 1, &b, &flight, &got), FLIGHT_WAIT);
	assert_int_equal(join(key, 1, &c, &flight, &got), FLIGHT_WAIT);
	flight_leave(&c.waiter);
	flight_publish(flight, object, key.key);
	assert_int_equal(b.woken, 1);
	assert_int_equal(c.woken, 0);
	assert_int_equal(join(key, 1, &b, &flight, &got), FLIGHT_OBJECT);
	assert_ptr_equal(got, object);
	object_unref(&got);
	flight_end(&flight, 0);
	object_unref(&object);
	assert_null(flight);
}

/* Only while somebody waits does a leader without a client go on. */
static void an_abandoned_leader_hears_when_the_last_one_leaves(void **state)
{
	struct flight_key key = { NULL, { 9, 9 } };
	struct sleeper leader = { .waiter.wake = woken }, a = { .waiter.wake = woken }, b = { .waiter.wake = woken };
	struct flight *flight = NULL;
	struct object *got = NULL;

	(void)state;
	flights_init();
	assert_int_equal(join(key, 1, &leader, &flight, &got), FLIGHT_LEAD);
	assert_int_equal(join(key, 1, &a, &flight, &got), FLIGHT_WAIT);
	flight_leave(&a.waiter);
	assert_int_equal(leader.woken, 0);              /* it has a client */
	assert_int_equal(flight_abandon(flight, &leader.waiter), 0);
	assert_int_equal(join(key, 1, &a, &flight, &got), FLIGHT_WAIT);
	assert_int_equal(join(key, 1, &b, &flight, &got), FLIGHT_WAIT);
	assert_int_equal(flight_abandon(flight, &leader.waiter), 2);
	flight_leave(&a.waiter);
	flight_leave(&a.waiter);
	assert_int_equal(leader.woken, 0);
	flight_leave(&b.waiter);
	assert_int_equal(leader.woken, 1);
	assert_int_equal(a.woken + b.woken, 0);
	flight_end(&flight, 0);
	flight_leave(&b.waiter);
	assert_int_equal(leader.woken, 1);
}

/* What came was asked for before a purge. */
static void a_repeat_wakes_to_join_anew(void **state)
{
	struct flight_key key = { NULL, { 8, 8 } };
	struct sleeper a = { .waiter.wake = woken }, b = { .waiter.wake = woken }, c = { .waiter.wake = woken };
	struct flight *first = NULL, *second = NULL;
	struct object *object = memory_object(), *got = NULL;

	(void)state;
	flights_init();
	assert_int_equal(join(key, 1, &a, &first, &got), FLIGHT_LEAD);
	assert_int_equal(join(key, 1, &b, &first, &got), FLIGHT_WAIT);
	assert_int_equal(join(key, 1, &c, &first, &got), FLIGHT_WAIT);
	flight_repeat(&first);
	assert_null(first);
	assert_true(b.woken == 1 && b.waiter.again && c.woken == 1 && c.waiter.again);
	assert_int_equal(join(key, 1, &b, &first, &got), FLIGHT_LEAD);
	assert_int_equal(join(key, 1, &c, &second, &got), FLIGHT_WAIT);
	flight_publish(first, object, key.key);
	assert_true(c.woken == 2 && !c.waiter.again);
	/* A purge comes now: who looks next leads one that takes its place, though it goes on. */
	assert_true(flight_replace(key, object, &second));
	assert_int_equal(join(key, 1, NULL, &first, &got), FLIGHT_AGAIN);
	assert_int_equal(join(key, 1, &a, &first, &got), FLIGHT_WAIT);
	flight_end(&first, 0);
	assert_int_equal(a.woken, 0);
	flight_end(&second, 0);
	assert_int_equal(a.woken, 1);
	assert_false(a.waiter.again);
	assert_false(flight_replace(key, object, &second));
	assert_int_equal(join(key, 1, NULL, &first, &got), FLIGHT_HIT_FOR_MISS);
	object_unref(&object);
}

static void an_end_without_an_object_lets_all_go(void **state)
{
	struct flight_key key = { NULL, { 8, 8 } };
	struct sleeper a = { .waiter.wake = woken }, b = { .waiter.wake = woken };
	struct flight *flight = NULL, *next = NULL;
	struct object *got = NULL;

	(void)state;
	assert_int_equal(join(key, 1, &a, &flight, &got), FLIGHT_LEAD);
	assert_int_equal(join(key, 1, &b, &flight, &got), FLIGHT_WAIT);
	flight_end(&flight, 0);
	assert_int_equal(b.woken, 1);
	assert_int_equal(join(key, 1, NULL, &next, &got), FLIGHT_HIT_FOR_MISS);      /* looking only: nobody to wait for */
	assert_null(next);
}

static void what_is_uncacheable_is_remembered_for_a_time(void **state)
{
	struct flight_key key = { NULL, { 9, 9 } };
	struct sleeper a = { .waiter.wake = woken };
	struct flight *flight = NULL;
	struct object *got = NULL;

	(void)state;
	assert_int_equal(join(key, 100, &a, &flight, &got), FLIGHT_LEAD);
	flight_end(&flight, 200);
	assert_int_equal(join(key, 199, &a, &flight, &got), FLIGHT_HIT_FOR_MISS);
	assert_int_equal(join(key, 200, &a, &flight, &got), FLIGHT_LEAD);
	flight_end(&flight, 300);
	flight_forget(key);
	assert_int_equal(join(key, 201, &a, &flight, &got), FLIGHT_LEAD);
	flight_end(&flight, 0);
}

enum { THREADS = 4, ROUNDS = 2000 };
static atomic_int leaders, waits, hits;

static void *racer(void *arg)
{
	struct object *object = memory_object();

	(void)arg;
	for (uint64_t i = 0; i < ROUNDS; i++) {
		struct sleeper me = { .waiter.wake = woken };
		struct flight *flight = NULL;
		struct object *got = NULL;
		struct flight_key key = { NULL, { i % 3, i % 3 } };
		switch (join(key, 1, &me, &flight, &got)) {
		case FLIGHT_LEAD:
			atomic_fetch_add(&leaders, 1);
			if (i % 2)
				flight_publish(flight, object, key.key);
			flight_end(&flight, 0);
			break;
		case FLIGHT_WAIT:
			atomic_fetch_add(&waits, 1);
			flight_leave(&me.waiter);
			assert_true(me.woken <= 1);
			break;
		default:
			atomic_fetch_add(&hits, 1);
			object_unref(&got);
		}
	}
	object_unref(&object);
	return NULL;
}

static void threads_agree_on_one_leader(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, racer, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(leaders + waits + hits, THREADS * ROUNDS);
	assert_true(leaders > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_abandoned_leader_hears_when_the_last_one_leaves), cmocka_unit_test(a_repeat_wakes_to_join_anew), cmocka_unit_test(the_first_leads_and_the_others_wait),
		cmocka_unit_test(an_end_without_an_object_lets_all_go),
		cmocka_unit_test(what_is_uncacheable_is_remembered_for_a_time),
		cmocka_unit_test(threads_agree_on_one_leader),
	};
	return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
