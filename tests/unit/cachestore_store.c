/* Objects are stored, found, kept over a restart, replaced, refreshed, dropped; bounds are kept. */
#include "cachestore_help.h"

#include "../../cachestore/internal.h"

static char *folder;

static int setup(void **state)
{
	(void)state;
	folder = help_folder();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	help_remove(folder);
	free(folder);
	return 0;
}

static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 16384, 65537, 262144, 262145, 1048576, 1048577, 3000000 };

static void stored_objects_are_found_and_survive_a_restart(void **state)
{
	struct store_config config = help_config(folder, 64 * MB);
	char text[64];
	(void)state;

	for (int round = 0; round < 3; round++) {
		struct volume *volume = help_open(&config);

		for (uint64_t i = 0; round == 0 && i < 2 * COUNT_OF(sizes); i++) {
			snprintf(text, sizeof(text), "http://h/%llu", (unsigned long long)i);
			assert_int_equal(help_put(volume, text, i, sizes[i / 2]), STORE_OK);
			assert_int_equal(help_check(volume, text, i, sizes[i / 2]), 1);
		}
		volume_flush(volume);
		assert_int_equal(help_stat(volume).objects, 2 * COUNT_OF(sizes));
		assert_int_equal(help_stat(volume).queue_bytes, 0);
		assert_int_equal(help_stat(volume).fill_bytes, 0);
		for (uint64_t i = 0; i < 2 * COUNT_OF(sizes); i++) {
			snprintf(text, sizeof(text), "http://h/%llu", (unsigned long long)i);
			assert_int_equal(help_check(volume, text, i, sizes[i / 2]), 1);
		}
		assert_int_equal(help_check(volume, "http://h/none", 0, 0), 0);
		assert_int_equal(help_stat(volume).dropped_damaged, 0);
		volume_close(&volume);
		assert_null(volume);
		assert_true(help_disk_bytes(folder) <= 64 * MB);
	}
	volume_close(&(struct volume *){ NULL });
}

static void the_newest_under_a_key_wins_and_its_space_comes_back(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume = help_open(&config);
	(void)state;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		assert_int_equal(help_put(volume, "k", seed, 500000), STORE_OK);
		if (seed % 5 == 0)
			volume_flush(volume);
		assert_int_equal(help_check(volume, "k", seed, 500000), 1);
	}
	volume_flush(volume);
	assert_int_equal(help_stat(volume).objects, 1);
	assert_int_equal(help_stat(volume).live_bytes, (500000 + 4095) / 4096 * 4096);
	assert_int_equal(help_stat(volume).dropped_error, 0);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "k", 200, 500000), 1);
	volume_close(&volume);
}

static void a_dropped_object_stays_away(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume = help_open(&config);
	struct object *old, *now;
	(void)state;

	assert_false(volume_drop(volume, help_key("a"), NULL));
	help_put(volume, "a", 1, 10000);
	help_put(volume, "b", 2, 10000);
	volume_flush(volume);
	help_put(volume, "c", 3, 10000);
	old = help_get(volume, "b");
	help_put(volume, "b", 4, 20000);
	now = help_get(volume, "b");
	assert_false(volume_drop(volume, help_key("b"), old));
	assert_true(volume_drop(volume, help_key("a"), NULL));
	assert_true(volume_drop(volume, help_key("c"), NULL));       /* not even stored */
	assert_int_equal(help_check(volume, "a", 1, 10000), 0);
	assert_int_equal(help_check(volume, "b", 4, 20000), 1);
	volume_flush(volume);
	volume_close(&volume);
	assert_true(help_is(old, 2, 10000));                         /* readable from memory after all */
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, 1);
	assert_int_equal(help_check(volume, "a", 1, 10000), 0);
	assert_int_equal(help_check(volume, "c", 3, 10000), 0);
	assert_int_equal(help_check(volume, "b", 4, 20000), 1);
	object_unref(&old);
	object_unref(&now);
	volume_close(&volume);
}

static void refreshed(struct volume *volume, const char *text, uint64_t seed, size_t size)
{
	struct object *object = help_get(volume, text), *fresh = NULL;
	struct object_meta meta = help_meta(seed);

	assert_non_null(object);
	meta.lifetime_us = 77;
	assert_int_equal(object_refresh(object, &meta, SLICE("new head"), &fresh), STORE_OK);
	assert_true(slice_eq(object_head(fresh), SLICE("new head")));
	assert_int_equal(object_checksum(fresh), object_checksum(object));
	object_unref(&object);
	object_unref(&fresh);
	object = help_get(volume, text);
	assert_non_null(object);
	assert_true(slice_eq(object_head(object), SLICE("new head")));
	assert_int_equal(object_meta(object)->lifetime_us, 77);
	assert_int_equal(object_size(object), size);
	object_unref(&object);
}

static void a_refresh_shares_the_body(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume = help_open(&config);
	struct object *object, *fresh;
	char have[5000], want[5000];
	struct object_meta meta = help_meta(1);
	(void)state;

	help_put(volume, "small", 1, 5000);
	refreshed(volume, "small", 1, 5000);                         /* body not on disk yet */
	volume_flush(volume);
	refreshed(volume, "small", 1, 5000);                         /* on disk and in memory */
	help_put(volume, "large", 2, 2000000);
	volume_flush(volume);
	volume_close(&volume);
	volume = help_open(&config);
	refreshed(volume, "large", 2, 2000000);                      /* on disk only */
	refreshed(volume, "small", 1, 5000);
	volume_flush(volume);
	assert_int_equal(help_stat(volume).live_bytes, (2 + 489) * 4096);
	object = help_get(volume, "large");
	assert_int_equal(help_read(object, 1000, have, 5000), 5000);
	help_bytes(want, 5000, 2, 1000);
	assert_memory_equal(have, want, 5000);
	/* Dropped, then refreshed by one who still has it: its blocks are alive again. */
	assert_true(volume_drop(volume, help_key("large"), NULL));
	for (int i = 0; i < 4; i++) {
		help_put(volume, "other", 5, 100000);
		volume_flush(volume);
	}
	assert_int_equal(object_refresh(object, &meta, SLICE("again"), &fresh), STORE_OK);
	object_unref(&object);
	volume_flush(volume);
	for (uint64_t i = 0; i < 10; i++) {
		help_put(volume, "other", 6 + i, 500000);
		volume_flush(volume);
	}
	assert_int_equal(help_read(fresh, 1999000, have, 5000), 1000);
	object_unref(&fresh);
	volume_close(&volume);
	volume = help_open(&config);
	object = help_get(volume, "large");
	assert_non_null(object);
	assert_int_equal(help_read(object, 1000, have, 5000), 5000);
	assert_memory_equal(have, want, 5000);
	object_unref(&object);
	volume_close(&volume);
}

static void a_refresh_that_cannot_be_stored_is_still_served(void **state)
{
	struct object *object, *fresh = NULL;
	struct object_meta meta = help_meta(1);
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume = help_open(&config);
	(void)state;

	assert_int_equal(help_fill(NULL, "m", 1, 300000, false, &object), STORE_OK);
	assert_int_equal(object_finish(object), STORE_OK);
	assert_int_equal(object_refresh(object, &meta, SLICE("x"), &fresh), STORE_OK);
	assert_int_equal(object_size(fresh), 300000);
	object_unref(&object);
	object_unref(&fresh);
	help_put(volume, "k", 1, 100);
	object = help_get(volume, "k");
	help_put(volume, "k", 2, 200);
	assert_int_equal(object_refresh(object, &meta, SLICE("x"), &fresh), STORE_REPLACED);   /* something newer is there */
	assert_int_equal(object_size(fresh), 100);
	assert_int_equal(help_check(volume, "k", 2, 200), 1);
	object_unref(&object);
	object_unref(&fresh);
	volume_close(&volume);
}

static void another_text_under_the_same_hash_is_a_miss(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume = help_open(&config);
	struct object *object = NULL;
	(void)state;

	help_put(volume, "text", 1, 10000);
	assert_int_equal(volume_get(volume, help_key("text"), SLICE("other"), &object), STORE_MISS);
	volume_flush(volume);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(volume_get(volume, help_key("text"), SLICE("other"), &object), STORE_LOAD);
	assert_null(help_load(volume, help_key("text"), "other"));
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	assert_int_equal(help_check(volume, "text", 1, 10000), 1);
	volume_close(&volume);
}

static void the_ram_tier_keeps_its_bound(void **state)
{
	struct store_config config = help_config(folder, 64 * MB);
	struct volume *volume;
	char text[32];
	(void)state;

	config.ram = 1 * MB;
	volume = help_open(&config);
	for (uint64_t i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
		assert_int_equal(help_put(volume, text, i, i % 50 == 0 ? 400000 : 20000), STORE_OK);
		if (i % 20 == 0)
			volume_flush(volume);
		assert_true(help_stat(volume).ram_bytes <= config.ram);
	}
	volume_flush(volume);
	for (uint64_t i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
		assert_int_equal(help_check(volume, text, i, i % 50 == 0 ? 400000 : 20000), 1);
		assert_true(help_stat(volume).ram_bytes <= config.ram);
	}
	assert_true(help_stat(volume).ram_bytes > config.ram / 2);
	assert_true(help_stat(volume).hits_disk > 200);
	volume_close(&volume);
	config.ram = 0;
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "k7", 7, 20000), 1);
	assert_int_equal(help_stat(volume).ram_bytes, 0);
	volume_close(&volume);
}

static void fillings_are_bounded(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct object *a = NULL, *b = NULL, *kept = NULL;
	struct object_meta meta = help_meta(1);
	struct volume *volume;
	char head[STORE_HEAD_MAX + 1] = "", *big = must(calloc(1, 3 * MB));
	(void)state;

	config.fill_max = 2 * MB;
	volume = help_open(&config);
	assert_int_equal(object_new(volume, help_key("a"), SLICE("a"), &meta, SLICE("h"), 1536 * 1024, &a), STORE_OK);
	assert_int_equal(object_new(volume, help_key("b"), SLICE("b"), &meta, SLICE("h"), 1 * MB, &b), STORE_RAM_FULL);
	assert_null(b);
	assert_int_equal(object_new(volume, help_key("b"), SLICE("b"), &meta, SLICE("h"), 3 * MB, &b), STORE_TOO_LARGE);
	assert_int_equal(object_new(volume, help_key("b"), SLICE("b"), &meta, slice_make(head, sizeof(head)), 3, &b), STORE_TOO_LARGE);
	assert_int_equal(object_new(volume, help_key("b"), SLICE("b"), &meta, SLICE("h"), UINT64_MAX - 1, &b), STORE_TOO_LARGE);
	assert_int_equal(object_new(volume, help_key("b"), SLICE("b"), &meta, SLICE("h"), STORE_SIZE_UNKNOWN, &b), STORE_OK);
	assert_int_equal(object_append(b, big, 1 * MB), STORE_RAM_FULL);
	assert_int_equal(object_state(b), OBJECT_BROKEN);
	assert_int_equal(help_stat(volume).fill_bytes, 1536 * 1024);
	object_unref(&b);
	object_unref(&a);                                            /* neither finished nor failed */
	assert_int_equal(help_stat(volume).fill_bytes, 0);
	assert_int_equal(object_new(volume, help_key("b"), SLICE("b"), &meta, SLICE("h"), 10, &b), STORE_OK);
	assert_int_equal(object_append(b, "12345678901", 11), STORE_TOO_LARGE);
	assert_int_equal(object_append(b, "1", 1), STORE_FAILED);
	assert_int_equal(object_finish(b), STORE_FAILED);
	object_unref(&b);
	assert_int_equal(object_new(volume, help_key("b"), SLICE("b"), &meta, SLICE("h"), 10, &b), STORE_OK);
	assert_int_equal(object_append(b, "123456789", 9), STORE_OK);
	assert_int_equal(object_finish(b), STORE_FAILED);            /* shorter than promised */
	assert_int_equal(object_state(b), OBJECT_BROKEN);
	object_unref(&b);
	assert_int_equal(help_check(volume, "b", 1, 9), 0);
	/* Memory only: a promise of any size takes no memory. */
	assert_int_equal(object_new(NULL, help_key("c"), SLICE("c"), &meta, SLICE("h"), UINT64_MAX - 1, &kept), STORE_OK);
	assert_int_equal(object_append(kept, big, 3 * MB), STORE_OK);
	object_fail(kept);
	object_unref(&kept);
	free(big);
	volume_close(&volume);
}

static void a_full_queue_is_an_answer_at_once(void **state)
{
	struct store_config config = help_config(folder, 64 * MB);
	struct object *first[16] = { NULL };
	struct volume *volume;
	size_t full = 0;
	(void)state;

	config.fill_max = 8 * MB;
	config.batch_us = 600 * 1000 * 1000;                         /* the writer does not come by itself */
	volume = help_open(&config);
	for (uint64_t i = 0; i < 16; i++) {
		char text[32];
		enum store_err err;

		snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
		assert_int_equal(help_fill(volume, text, i, 400000, true, &first[i]), STORE_OK);
		err = object_finish(first[i]);
		if (err != STORE_OK) {
			assert_int_equal(err, STORE_QUEUE_FULL);
			full++;
			assert_true(help_is(first[i], i, 400000));           /* still good for its readers */
			assert_int_equal(help_check(volume, text, i, 400000), 0);
		}
	}
	assert_in_range(full, 4, 8);
	volume_flush(volume);
	for (size_t i = 0; i < 16; i++)
		object_unref(&first[i]);
	assert_int_equal(help_stat(volume).objects, 16 - full);
	assert_int_equal(help_stat(volume).dropped_error, 0);
	assert_int_equal(help_stat(volume).puts, 16 - full);
	assert_int_equal(help_put(volume, "again", 1, 400000), STORE_OK);
	volume_close(&volume);
}

static void reading_works_from_any_offset(void **state)
{
	struct store_config config = help_config(folder, 32 * MB);
	struct volume *volume = help_open(&config);
	struct object *object;
	struct iovec iov[2];
	char have[10], want[10];
	(void)state;

	for (int pass = 0; pass < 2; pass++) {
		if (pass == 0)
			assert_int_equal(help_put(volume, "k", 1, 5000000), STORE_OK);
		object = help_get(volume, "k");
		assert_non_null(object);
		for (uint64_t at = 0; at < 5000000; at += 49993) {
			size_t len = 5000000 - at < 10 ? (size_t)(5000000 - at) : 10;

			for (size_t got = 0; got < len;) {
				ssize_t n = help_read(object, at + got, have + got, len - got);

				assert_true(n > 0);
				got += (size_t)n;
			}
			help_bytes(want, len, 1, at);
			assert_memory_equal(have, want, len);
		}
		assert_int_equal(object_peek(object, 5000000, 10, iov, 2), 0);
		assert_int_equal(object_peek(object, UINT64_MAX, 10, iov, 2), 0);
		assert_int_equal(object_peek(object, 0, 10, iov, 2), pass == 0 ? 1 : -1);
		assert_int_equal(object_read(object, 5000000, have, 10), 0);
		object_unref(&object);
		volume_flush(volume);
		volume_close(&volume);
		volume = help_open(&config);
	}
	volume_close(&volume);
}

/* Who asks for what lies on disk uses it once, though the loader looks it up again. */
static void what_is_loaded_is_used_once(void **state)
{
	struct store_config config = help_config(folder, 8 * MB);
	struct volume *volume;
	struct store_key key = help_key("a");
	(void)state;

	config.eviction = EVICTION_s3fifo;
	volume = help_open(&config);
	assert_int_equal(help_put(volume, "a", 1, 1000), STORE_OK);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "a", 1, 1000), 1);
	assert_int_equal(help_stat(volume).hits_disk, 1);
	assert_int_equal(index_find(index_shard(volume, key), key)->uses, 1);
	volume_close(&volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(stored_objects_are_found_and_survive_a_restart),
		TEST(the_newest_under_a_key_wins_and_its_space_comes_back),
		TEST(a_dropped_object_stays_away),
		TEST(a_refresh_shares_the_body),
		TEST(a_refresh_that_cannot_be_stored_is_still_served),
		TEST(another_text_under_the_same_hash_is_a_miss),
		TEST(the_ram_tier_keeps_its_bound),
		TEST(fillings_are_bounded),
		TEST(a_full_queue_is_an_answer_at_once),
		TEST(reading_works_from_any_offset),
		TEST(what_is_loaded_is_used_once),
	};

	return cmocka_run_group_tests_name("cachestore: objects", tests, NULL, NULL);
}
