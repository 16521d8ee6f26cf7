/* A full volume, written over several times: the size holds, nothing wrong is read, what is hot stays. And a disk or an
 * index without room: not stored, counted, told once, and over when there is room again. */
#include "cachestore_help.h"

#include <fcntl.h>

#include "../../cachestore/internal.h"

static size_t size_of(uint64_t seed)
{
	uint64_t r = seed * 0x9e3779b97f4a7c15u >> 40;

	return (size_t)(r % 100 < 90 ? r % 20000 : r % 100 < 98 ? r % 200000 : r % 1500000);
}

static void key_of(uint64_t number, char text[64])
{
	snprintf(text, 64, "http://example.org/%llu", (unsigned long long)number);
}

struct reader { struct volume *volume; atomic_bool stop; _Atomic uint64_t keys; uint64_t seen, wrong; };

static void *read_on(void *arg)
{
	struct reader *reader = arg;
	uint64_t random = 1;
	char text[64];

	while (!atomic_load(&reader->stop)) {
		uint64_t keys = atomic_load(&reader->keys), number;
		int result;

		random = random * 6364136223846793005u + 1442695040888963407u;
		number = keys - (random >> 33) % (keys < 3000 ? keys : 3000);
		key_of(number, text);
		result = help_check(reader->volume, text, number, size_of(number));
		reader->seen += result == 1;
		reader->wrong += result == -1;
	}
	return NULL;
}

static void a_full_volume_keeps_its_size_and_its_bytes(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 24 * MB);
	struct reader reader = { .keys = 1 };
	uint64_t bytes = 0, number = 1, hot = 0;
	int recent = 0;
	pthread_t thread;
	char text[64];
	(void)state;

	config.ram = 2 * MB;
	config.batch_us = 2000;
	reader.volume = help_open(&config);
	assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
	for (; bytes < 6 * config.size; number++) {
		enum store_err err;

		key_of(number, text);
		err = help_put_once(reader.volume, text, number, size_of(number));
		if (err == STORE_QUEUE_FULL || err == STORE_RAM_FULL) {
			volume_flush(reader.volume);
			err = help_put_once(reader.volume, text, number, size_of(number));
		}
		assert_int_equal(err, STORE_OK);
		bytes += size_of(number);
		atomic_store(&reader.keys, number);
		if (number % 16 == 0 && help_check(reader.volume, "http://example.org/5", 5, size_of(5)) == 1)
			hot++;
		else if (number % 16 == 0)
			help_put(reader.volume, "http://example.org/5", 5, size_of(5));    /* fetched again, as a cache would */
		if (number % 200 == 0)
			assert_true(help_disk_bytes(path) <= config.size);
	}
	volume_flush(reader.volume);
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(reader.wrong, 0);
	assert_true(reader.seen > 100);
	/* SIEVE keeps what is used. How often it errs depends on what the other thread has marked meanwhile; a FIFO of this
	 * size would lose it about every 800 objects, and then for good. */
	assert_true(hot > number / 16 / 2);
	assert_int_equal(help_stat(reader.volume).dropped_damaged, 0);
	assert_int_equal(help_stat(reader.volume).dropped_error, 0);
	assert_true(help_stat(reader.volume).evicted > 1000);
	/* One in seven has a head of 3000 bytes: here the index is what is full first. */
	assert_true(help_stat(reader.volume).live_bytes > config.size / 2);
	volume_close(&reader.volume);
	assert_true(help_disk_bytes(path) <= config.size);
	reader.volume = help_open(&config);
	assert_int_equal(help_stat(reader.volume).dropped_damaged, 0);
	for (uint64_t at = number - 50; at < number; at++) {         /* the policy may take new ones, but not nearly all */
		int result;

		key_of(at, text);
		result = help_check(reader.volume, text, at, size_of(at));
		assert_int_not_equal(result, -1);
		recent += result;
	}
	assert_in_range(recent, 5, 50);
	volume_close(&reader.volume);
	help_remove(path);
	free(path);
}

static void the_index_map_bounds_tiny_objects(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 4 * MB);
	struct volume *volume;
	char text[64];
	(void)state;

	config.batch_us = 1000;
	volume = help_open(&config);
	for (uint64_t number = 1; number <= 4000; number++) {
		key_of(number, text);
		assert_int_equal(help_put(volume, text, number, 10), STORE_OK);
	}
	volume_flush(volume);
	assert_int_equal(help_stat(volume).dropped_error, 0);
	assert_in_range(help_stat(volume).objects, 200, 1000);
	assert_int_equal(help_check(volume, text, 4000, 10), 1);
	assert_true(help_disk_bytes(path) <= config.size);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

static void pinned_blocks_are_not_reused(void **state)
{
	char *path = help_folder(), text[64];
	struct store_config config = help_config(path, 8 * MB);
	struct volume *volume = help_open(&config);
	struct object *object;
	(void)state;

	help_put(volume, "pinned", 1, 1500000);
	volume_close(&volume);
	volume = help_open(&config);
	object = help_get(volume, "pinned");
	assert_int_equal(object_peek(object, 0, 1, &(struct iovec){ 0 }, 1), -1);
	volume_drop(volume, help_key("pinned"), object);
	for (uint64_t number = 1; number <= 300; number++) {
		key_of(number, text);
		help_put(volume, text, number, 100000);
		volume_flush(volume);
	}
	assert_true(help_is(object, 1, 1500000));
	object_unref(&object);
	assert_int_equal(help_stat(volume).dropped_error, 0);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* By level: a disk that fails is an error, and that it is over is a notice. */
struct heard { atomic_int levels[STORE_EVENT_error + 1]; _Atomic uint64_t objects, bytes; };

static void hear(void *arg, const struct store_event *event)
{
	atomic_fetch_add(&((struct heard *)arg)->levels[event->level], 1);
}

static void hear_lost(void *arg, enum store_loss why, const struct store_lost *lost)
{
	struct heard *heard = arg;

	(void)why;
	atomic_fetch_add(&heard->objects, lost->objects);
	atomic_fetch_add(&heard->bytes, lost->bytes);
}

/* Puts one in a batch of its own; returns whether it was stored. */
static bool put_one(struct volume *volume, uint64_t number)
{
	uint64_t before = help_stat(volume).stored;
	char text[64];

	key_of(number, text);
	if (help_put(volume, text, number, 5000) != STORE_OK)
		return false;
	volume_flush(volume);
	assert_int_equal(help_check(volume, text, number, 5000), help_stat(volume).stored > before);
	return help_stat(volume).stored > before;
}

/* Waits until the writer has found out that the disk is well again. */
static void wait_back(struct volume *volume)
{
	while (help_stat(volume).failed)
		usleep(1000);
}

static void a_disk_without_room_is_counted_and_told_once(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 8 * MB);
	int full = open("/dev/full", O_RDWR), good;
	struct heard heard = { 0 };
	struct volume *volume;
	(void)state;

	config.event = hear;
	config.lost = hear_lost;
	config.event_arg = &heard;
	config.retry_us = 10000;
	volume = help_open(&config);
	assert_true(put_one(volume, 1));
	good = dup(volume->folder.data_fd);
	dup2(full, volume->folder.data_fd);
	for (uint64_t i = 2; i < 2 + DISK_ERRORS_MAX; i++) {
		assert_false(help_stat(volume).failed);
		assert_false(put_one(volume, i));
	}
	assert_true(help_stat(volume).failed);
	assert_false(put_one(volume, 1));                            /* refused: the one that is stored stays */
	assert_int_equal(help_check(volume, "http://example.org/1", 1, 5000), 1);
	assert_int_equal(help_stat(volume).dropped_error, DISK_ERRORS_MAX);
	assert_int_equal(help_stat(volume).lost[STORE_LOSS_disk_full].objects, DISK_ERRORS_MAX);
	assert_int_equal(help_stat(volume).lost[STORE_LOSS_disk_full].bytes, DISK_ERRORS_MAX * 5000);
	assert_int_equal(heard.objects, DISK_ERRORS_MAX);
	assert_int_equal(heard.bytes, DISK_ERRORS_MAX * 5000);
	assert_int_equal(heard.levels[STORE_EVENT_error], 2);        /* not stored; set aside */
	while (help_stat(volume).retries < 2)                        /* it tries, and it is full still */
		usleep(1000);
	assert_true(help_stat(volume).failed);
	dup2(good, volume->folder.data_fd);
	wait_back(volume);
	while (atomic_load(&heard.levels[STORE_EVENT_notice]) == 0)   /* told just after */
		usleep(1000);
	assert_int_equal(heard.levels[STORE_EVENT_notice], 1);
	assert_int_equal(help_stat(volume).set_aside, 1);
	assert_true(put_one(volume, 10));
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, 2);
	assert_int_equal(help_stat(volume).live_bytes, 2 * 8192);
	volume_close(&volume);
	close(good);
	close(full);
	help_remove(path);
	free(path);
}

/* What takes the place of another and cannot be stored: neither is there, nor comes back with a restart. */
static void what_was_to_be_replaced_does_not_come_back(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 8 * MB);
	int full = open("/dev/full", O_RDWR), good;
	struct volume *volume = help_open(&config);
	(void)state;

	assert_true(put_one(volume, 1));
	assert_true(put_one(volume, 2));
	good = dup(volume->folder.data_fd);
	dup2(full, volume->folder.data_fd);
	assert_false(put_one(volume, 1));
	dup2(good, volume->folder.data_fd);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "http://example.org/1", 1, 5000), 0);
	assert_int_equal(help_check(volume, "http://example.org/2", 2, 5000), 1);
	volume_close(&volume);
	close(good);
	close(full);
	help_remove(path);
	free(path);
}

static void a_disk_with_errors_is_set_aside(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 8 * MB);
	int broken = open("/dev/null", O_RDONLY);
	struct object_meta meta = help_meta(1);
	struct object *object = NULL;
	struct volume *volume = help_open(&config);
	(void)state;

	assert_true(put_one(volume, 1));
	volume_flush(volume);
	dup2(broken, volume->folder.data_fd);
	for (uint64_t i = 2; i < 2 + DISK_ERRORS_MAX; i++)
		assert_false(put_one(volume, i));
	assert_true(help_stat(volume).failed);
	assert_int_equal(help_stat(volume).lost[STORE_LOSS_disk_error].objects, DISK_ERRORS_MAX);
	assert_int_equal(object_new(volume, help_key("x"), SLICE("x"), &meta, SLICE("h"), 10, &object), STORE_FAILED);
	assert_null(object);
	assert_true(volume_drop(volume, help_key("http://example.org/1"), NULL));
	volume_close(&volume);
	volume = help_open(&config);                                 /* the drop was committed nevertheless */
	assert_int_equal(help_stat(volume).objects, 0);
	volume_close(&volume);
	close(broken);
	help_remove(path);
	free(path);
}

static void a_full_index_map_recovers(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 4 * MB);
	struct volume *volume;
	uint64_t number = 1;
	MDB_txn *txn = NULL;
	(void)state;

	config.ram = 0;
	volume = help_open(&config);
	for (; number < 50; number++)
		assert_true(put_one(volume, number));
	/* A reader that stays pins every page that is freed. */
	assert_int_equal(txn_begin_read(&volume->env, &txn), 0);
	while (number < 5000 && put_one(volume, number))
		number++;
	assert_true(number < 5000);
	assert_true(help_stat(volume).dropped_error > 0);
	assert_false(help_stat(volume).failed);
	txn_abort(&txn);
	put_one(volume, 6000);
	assert_true(put_one(volume, 6001));
	for (number = 7000; number < 7300; number++)
		assert_true(put_one(volume, number));
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_volume_keeps_its_size_and_its_bytes),
		cmocka_unit_test(the_index_map_bounds_tiny_objects),
		cmocka_unit_test(pinned_blocks_are_not_reused),
		cmocka_unit_test(a_disk_without_room_is_counted_and_told_once),
		cmocka_unit_test(what_was_to_be_replaced_does_not_come_back),
		cmocka_unit_test(a_disk_with_errors_is_set_aside),
		cmocka_unit_test(a_full_index_map_recovers),
	};

	return cmocka_run_group_tests_name("cachestore: no room", tests, NULL, NULL);
}
