/* Many threads at once: readers of an object that is being filled are woken and see the right bytes; everything together
 * (put, get, drop, refresh, eviction) never gives wrong ones. Meant for SAN=tsan too. */
#include "cachestore_help.h"

#include <stdatomic.h>

enum { READERS = 4, FILL_BYTES = 3000000, FILLS = 12, MIXERS = 4, MIX_STEPS = 1500, MIX_KEYS = 60 };

struct sleeper {
	struct object_waiter waiter;                                 /* first: the library gives it back */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned wakes;
};

static void wake(struct object_waiter *waiter)
{
	struct sleeper *sleeper = (struct sleeper *)waiter;

	pthread_mutex_lock(&sleeper->lock);
	sleeper->wakes++;
	pthread_cond_signal(&sleeper->cond);
	pthread_mutex_unlock(&sleeper->lock);
}

struct follower { struct object *object; uint64_t seed, got; unsigned registered, wakes; bool wrong; };

/* Reads the object to its end while it is being filled. */
static void *follow(void *arg)
{
	struct follower *follower = arg;
	struct sleeper sleeper = { .waiter = { .wake = wake }, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
	static __thread char have[70000], want[70000];

	for (;;) {
		enum object_state state_before = object_state(follower->object);
		ssize_t n = help_read(follower->object, follower->got, have, sizeof(have));

		if (n > 0) {
			help_bytes(want, (size_t)n, follower->seed, follower->got);
			follower->wrong |= memcmp(have, want, (size_t)n) != 0;
			follower->got += (uint64_t)n;
		} else if (state_before != OBJECT_FILLING)
			break;
		else if (object_wait(follower->object, follower->got, &sleeper.waiter)) {
			follower->registered++;
			pthread_mutex_lock(&sleeper.lock);
			while (sleeper.wakes < follower->registered)
				pthread_cond_wait(&sleeper.cond, &sleeper.lock);
			pthread_mutex_unlock(&sleeper.lock);
		}
	}
	follower->wakes = sleeper.wakes;
	object_unref(&follower->object);
	return NULL;
}

static void readers_follow_a_filling(void **state)
{
	char *path = help_folder(), piece[40000];
	struct store_config config = help_config(path, 64 * MB);
	struct volume *volume = help_open(&config);
	(void)state;

	for (uint64_t seed = 1; seed <= FILLS; seed++) {
		size_t end = seed % 4 == 0 ? FILL_BYTES / 2 : FILL_BYTES, at = 0;
		struct object_meta meta = help_meta(seed);
		struct follower followers[READERS];
		pthread_t threads[READERS];
		struct object *object;

		assert_int_equal(object_new(volume, help_key("k"), SLICE("k"), &meta, SLICE("h"),
			seed % 2 ? FILL_BYTES : STORE_SIZE_UNKNOWN, &object), STORE_OK);
		for (size_t i = 0; i < READERS; i++) {
			followers[i] = (struct follower){ .object = object_ref(object), .seed = seed };
			assert_int_equal(pthread_create(&threads[i], NULL, follow, &followers[i]), 0);
		}
		while (at < end) {
			size_t len = (at * 31 + seed * 977) % sizeof(piece) + 1;

			if (len > end - at)
				len = end - at;
			help_bytes(piece, len, seed, at);
			assert_int_equal(object_append(object, piece, len), STORE_OK);
			at += len;
		}
		if (seed % 4 == 0)
			object_fail(object);
		else
			assert_int_equal(object_finish(object), STORE_OK);
		object_unref(&object);
		for (size_t i = 0; i < READERS; i++) {
			pthread_join(threads[i], NULL);
			assert_false(followers[i].wrong);
			assert_int_equal(followers[i].got, end);
			assert_int_equal(followers[i].wakes, followers[i].registered);
		}
		volume_flush(volume);
	}
	assert_int_equal(help_stat(volume).fill_bytes, 0);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

static void a_waiter_that_leaves_is_not_woken(void **state)
{
	struct sleeper sleeper = { .waiter = { .wake = wake }, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };
	struct sleeper other = sleeper;
	struct object_meta meta = help_meta(1);
	struct object *object;
	(void)state;

	assert_int_equal(object_new(NULL, help_key("k"), SLICE("k"), &meta, SLICE("h"), 10, &object), STORE_OK);
	assert_true(object_wait(object, 0, &sleeper.waiter));
	assert_true(object_wait(object, 0, &other.waiter));
	assert_true(object_unwait(object, &sleeper.waiter));
	assert_false(object_unwait(object, &sleeper.waiter));
	object_append(object, "12345", 5);
	assert_int_equal(sleeper.wakes, 0);
	assert_int_equal(other.wakes, 1);
	assert_false(object_unwait(object, &other.waiter));
	assert_false(object_wait(object, 4, &other.waiter));         /* there is more already */
	assert_true(object_wait(object, 5, &other.waiter));
	object_append(object, "67890", 5);
	assert_int_equal(object_finish(object), STORE_OK);
	assert_int_equal(other.wakes, 2);
	assert_false(object_wait(object, 10, &other.waiter));
	object_unref(&object);
}

struct mixer { struct volume *volume; uint64_t random; unsigned wrong, right, refused; };

/* Which seed an object was made of is in its meta; the text says which seeds may be there. */
static void mixer_check(struct mixer *mixer, struct object *object, uint64_t key)
{
	uint64_t seed;

	if (!object)
		return;
	seed = (uint64_t)object_meta(object)->stored_us;
	if (seed % MIX_KEYS == key && help_is(object, seed, (size_t)(seed * 7919 % 150000)))
		mixer->right++;
	else
		mixer->wrong++;
}

static void *mix(void *arg)
{
	struct mixer *mixer = arg;

	for (int step = 0; step < MIX_STEPS; step++) {
		struct object *object = NULL, *fresh = NULL;
		uint64_t key, seed;
		char text[32], head[4096];

		mixer->random = mixer->random * 6364136223846793005u + 1442695040888963407u;
		key = (mixer->random >> 33) % MIX_KEYS;
		seed = (mixer->random >> 40) % 1000 * MIX_KEYS + key;
		snprintf(text, sizeof(text), "k%llu", (unsigned long long)key);
		switch ((mixer->random >> 60) % 8) {
		case 0: case 1: case 2:
			mixer->refused += help_put_once(mixer->volume, text, seed, (size_t)(seed * 7919 % 150000)) != STORE_OK;
			break;
		case 3:
			volume_drop(mixer->volume, help_key(text), NULL);
			break;
		case 4:
			if ((object = help_get(mixer->volume, text))) {
				seed = (uint64_t)object_meta(object)->stored_us;
				object_refresh(object, object_meta(object), help_head(head, seed), &fresh);
				mixer_check(mixer, fresh, key);
			}
			break;
		default:
			object = help_get(mixer->volume, text);
			mixer_check(mixer, object, key);
		}
		object_unref(&fresh);
		object_unref(&object);
	}
	return NULL;
}

static void everything_at_once_gives_right_bytes(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 5 * MB);      /* small: evicts, and loads again */
	struct mixer mixers[MIXERS];
	pthread_t threads[MIXERS];
	unsigned right = 0;
	(void)state;

	config.ram = 1 * MB;
	config.batch_us = 500;
	mixers[0].volume = help_open(&config);
	for (size_t i = 0; i < MIXERS; i++) {
		mixers[i] = (struct mixer){ .volume = mixers[0].volume, .random = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, mix, &mixers[i]), 0);
	}
	for (size_t i = 0; i < MIXERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(mixers[i].wrong, 0);
		right += mixers[i].right;
	}
	assert_true(right > 100);                                    /* how many hits there are is the scheduler's choice */
	volume_flush(mixers[0].volume);
	assert_int_equal(help_stat(mixers[0].volume).dropped_damaged, 0);
	assert_int_equal(help_stat(mixers[0].volume).fill_bytes, 0);
	assert_int_equal(help_stat(mixers[0].volume).queue_bytes, 0);
	assert_true(help_stat(mixers[0].volume).ram_bytes <= config.ram);
	volume_close(&mixers[0].volume);
	mixers[0].volume = help_open(&config);
	assert_int_equal(help_stat(mixers[0].volume).dropped_damaged, 0);
	volume_close(&mixers[0].volume);
	help_remove(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_follow_a_filling),
		cmocka_unit_test(a_waiter_that_leaves_is_not_woken),
		cmocka_unit_test(everything_at_once_gives_right_bytes),
	};

	return cmocka_run_group_tests_name("cachestore: threads", tests, NULL, NULL);
}
