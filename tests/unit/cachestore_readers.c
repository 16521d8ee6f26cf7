/* Who reads for long, and what is in memory: a hundred readers of one object while the volume is written over ten times; hits
 * in memory that neither copy nor ask LMDB; what is kept in memory, and its bound. */
#include "cachestore_help.h"

#include <dlfcn.h>
#include <lmdb.h>
#include <stdatomic.h>

/* ---- every call of LMDB that reads or begins something is counted ---- */

static atomic_ulong lmdb_calls;

#define COUNTED(type, name, parameters, arguments) \
	type name parameters \
	{ \
		atomic_fetch_add(&lmdb_calls, 1); \
		return ((__typeof__(&name))dlsym(RTLD_NEXT, #name)) arguments; \
	}
COUNTED(int, mdb_txn_begin, (MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn), (env, parent, flags, txn))
COUNTED(int, mdb_txn_renew, (MDB_txn *txn), (txn))
COUNTED(int, mdb_get, (MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *data), (txn, dbi, key, data))
COUNTED(int, mdb_cursor_get, (MDB_cursor *cursor, MDB_val *key, MDB_val *data, MDB_cursor_op op), (cursor, key, data, op))

/* ---- long readers ---- */

enum { READERS = 100, LARGE = 2 * 1000 * 1000, STEP = 37, TURNS = 10 };

static uint64_t turn_over(struct volume *volume, uint64_t volume_bytes, uint64_t number)
{
	char text[64];

	for (uint64_t bytes = 0; bytes < volume_bytes; bytes += 50000, number++) {
		snprintf(text, sizeof(text), "http://example.org/%llu", (unsigned long long)number);
		assert_int_equal(help_put(volume, text, number, 50000), STORE_OK);
	}
	volume_flush(volume);
	return number;
}

/* A few bytes more for each. */
static void readers_step(struct object *const readers[READERS], uint64_t offset)
{
	char have[STEP], want[STEP];

	for (int i = 0; i < READERS; i++) {
		uint64_t at = offset + (uint64_t)i * (LARGE / READERS);

		at = at < LARGE - STEP ? at : LARGE - STEP;
		assert_int_equal(help_read(readers[i], at, have, STEP), STEP);
		help_bytes(want, STEP, 1, at);
		assert_memory_equal(have, want, STEP);
	}
}

static void a_hundred_long_readers_cost_their_object_and_nothing_else(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 16 * MB);
	struct volume *volume = help_open(&config);
	struct object *readers[READERS];
	uint64_t number = 100, held;
	(void)state;

	config.ram = 2 * MB;
	assert_int_equal(help_put(volume, "large", 1, LARGE), STORE_OK);
	volume_close(&volume);                                       /* so that it is on disk only */
	volume = help_open(&config);
	for (int i = 0; i < READERS; i++) {
		readers[i] = help_get(volume, "large");
		assert_int_equal(object_peek(readers[i], 0, 1, &(struct iovec){ NULL, 0 }, 1), -1);
	}
	assert_true(volume_drop(volume, help_key("large"), NULL));   /* evicted, replaced or purged: it is the same */
	for (uint64_t turn = 0; turn < TURNS; turn++) {
		number = turn_over(volume, config.size, number);
		readers_step(readers, turn * STEP);
	}
	held = help_stat(volume).limbo_bytes;
	assert_true(held >= LARGE);
	assert_int_equal(help_stat(volume).dropped_error, 0);        /* no full map, no full disk */
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	assert_true(help_stat(volume).ram_bytes <= config.ram);
	assert_true(help_disk_bytes(path) <= config.size);
	for (int i = 1; i < READERS; i++)
		object_unref(&readers[i]);
	assert_true(help_is(readers[0], 1, LARGE));                  /* the last one still has all of it */
	object_unref(&readers[0]);
	for (int i = 0; i < 4; i++)                                  /* two commits later, and when a batch wants room */
		number = turn_over(volume, MB, number);
	assert_true(help_stat(volume).limbo_bytes + LARGE <= held);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* ---- what is in memory ---- */

static void a_hit_in_memory_neither_copies_nor_asks_lmdb(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 16 * MB);
	struct volume *volume = help_open(&config);
	struct object *first, *again = NULL;
	struct iovec one = { NULL, 0 }, other = { NULL, 0 };
	unsigned long calls;
	(void)state;

	help_put(volume, "a", 1, 30000);
	volume_close(&volume);
	volume = help_open(&config);
	first = help_get(volume, "a");                               /* loaded */
	assert_int_equal(object_peek(first, 0, 30000, &one, 1), 1);
	calls = lmdb_calls;
	assert_true(calls > 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(volume_get(volume, help_key("a"), SLICE("a"), &again), STORE_HIT);
		assert_ptr_equal(again, first);
		assert_int_equal(object_peek(again, 0, 30000, &other, 1), 1);
		assert_ptr_equal(other.iov_base, one.iov_base);      /* the bytes themselves, all of them */
		assert_int_equal(other.iov_len, 30000);
		object_unref(&again);
	}
	assert_int_equal(lmdb_calls, calls);
	assert_int_equal(help_stat(volume).hits_ram, 1000);
	assert_int_equal(help_stat(volume).hits_disk, 1);
	object_unref(&first);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* Sizes against the bound of 1 MB: up to a quarter of it is kept. */
static const struct { size_t size; bool kept; const char *why; } sizes[] = {
	{ 0,          true,  "a head alone" },
	{ 100000,     true,  "small" },
	{ 250000,     true,  "a quarter, less its own overhead" },
	{ 262144,     false, "a quarter and its overhead" },
	{ 1000000,    false, "nearly all of it would go for one" },
	{ 1100000,    false, "larger than what is ever loaded as a whole" },
};

static void what_is_larger_than_a_quarter_is_not_kept(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 32 * MB);
	struct object *object = NULL;
	struct volume *volume;
	char text[32];
	(void)state;

	config.ram = MB;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		for (int loaded = 0; loaded < 2; loaded++) {         /* after it was stored; after it was loaded */
			volume = help_open(&config);
			snprintf(text, sizeof(text), "%zu", i);
			if (!loaded)
				help_put(volume, text, i + 1, sizes[i].size);
			volume_flush(volume);
			assert_int_equal(help_check(volume, text, i + 1, sizes[i].size), 1);
			/* A large body that is on disk may stay as an object without bytes. */
			bool kept = volume_get(volume, help_key(text), slice_str(text), &object) == STORE_HIT
				&& object_peek(object, 0, 1, &(struct iovec){ NULL, 0 }, 1) >= 0;
			if (kept != sizes[i].kept)
				fail_msg("%s", sizes[i].why);
			object_unref(&object);
			assert_true(help_stat(volume).ram_bytes <= config.ram / 4);
			volume_close(&volume);
		}
	}
	help_remove(path);
	free(path);
}

static void memory_is_bounded_whatever_is_asked_for(void **state)
{
	char *path = help_folder(), text[64];
	struct store_config config = help_config(path, 32 * MB);
	struct volume *volume;
	uint64_t count = 200, most = 0;
	(void)state;

	config.ram = MB;
	volume = help_open(&config);
	for (uint64_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "http://example.org/%llu", (unsigned long long)i);
		assert_int_equal(help_put(volume, text, i, 40000), STORE_OK);
		if (i % 10 == 0)
			volume_flush(volume);
		most = help_stat(volume).ram_bytes > most ? help_stat(volume).ram_bytes : most;
	}
	volume_flush(volume);
	for (uint64_t i = 0; i < 3 * count; i++) {
		snprintf(text, sizeof(text), "http://example.org/%llu", (unsigned long long)(i % count));
		assert_int_equal(help_check(volume, text, i % count, 40000), 1);
		most = help_stat(volume).ram_bytes > most ? help_stat(volume).ram_bytes : most;
	}
	assert_true(most <= config.ram);
	assert_true(most > config.ram * 8 / 10);                     /* and it is used */
	assert_true(help_stat(volume).hits_disk > 2 * count);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_long_readers_cost_their_object_and_nothing_else),
		cmocka_unit_test(a_hit_in_memory_neither_copies_nor_asks_lmdb),
		cmocka_unit_test(what_is_larger_than_a_quarter_is_not_kept),
		cmocka_unit_test(memory_is_bounded_whatever_is_asked_for),
	};

	return cmocka_run_group_tests_name("cachestore: readers and memory", tests, NULL, NULL);
}
