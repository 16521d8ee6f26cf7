/* The scrub: it finds what nobody asks for, at its rate, leaves the page cache alone, takes nothing for damaged that was only
 * replaced, and stops when it is told to. */
#include "cachestore_help.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "../../cachestore/internal.h"

enum { OBJECTS = 20, LARGE = 3, HEAD_APART = 7, DEADLINE_S = 60, TMPFS = 0x01021994 };

static char *folder;
static atomic_int events;

static int setup(void **state)
{
	(void)state;
	folder = help_folder();
	events = 0;
	alarm(2 * DEADLINE_S);                    /* what should stop and does not */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	alarm(0);
	help_remove(folder);
	free(folder);
	return 0;
}

static void count_event(void *arg, const struct store_event *event)
{
	(void)arg;
	events += strstr(event->text, "the scrub read") != NULL;
}

static size_t size_of(uint64_t i)
{
	return i == LARGE ? 2000000 : i == 4 ? 0 : 30000;
}

static void key_text(char text[32], uint64_t i)
{
	snprintf(text, 32, "k%llu", (unsigned long long)i);
}

static struct store_config config_make(uint64_t rate)
{
	struct store_config config = help_config(folder, 16 * MB);

	config.scrub_rate = rate;
	config.scrub_interval_us = 1000;
	config.event = count_event;
	return config;
}

static void prepare(void)
{
	struct store_config config = config_make(0);
	struct volume *volume = help_open(&config);
	char text[32];

	for (uint64_t i = 0; i < OBJECTS; i++) {
		key_text(text, i);
		assert_int_equal(help_put(volume, text, i, size_of(i)), STORE_OK);
	}
	volume_close(&volume);
}

static int file_open(const char *name)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Changes the byte where these are in the file, wherever they are. */
static void damage(const char *name, const void *bytes, size_t len)
{
	int fd = file_open(name);
	off_t size = lseek(fd, 0, SEEK_END);
	char *map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *hit = map;
	size_t count = 0;

	assert_ptr_not_equal(map, MAP_FAILED);
	for (; (hit = memmem(hit, (size_t)(map + size - hit), bytes, len)); count++)
		hit[len / 2] ^= 1;
	assert_true(count > 0);
	munmap(map, (size_t)size);
	close(fd);
}

static void wait_passes(struct volume *volume, uint64_t passes)
{
	uint64_t end = now_us() + (uint64_t)DEADLINE_S * 1000000;

	while (help_stat(volume).scrub_passes < passes) {
		assert_true(now_us() < end);
		usleep(1000);
	}
}

static void damage_that_nobody_asks_for_is_found(void **state)
{
	struct store_config config = config_make((uint64_t)1 << 30);
	struct volume_stat stat;
	struct volume *volume;
	char bytes[64], head[4096], text[32];
	struct slice apart = help_head(head, HEAD_APART);
	(void)state;

	prepare();
	help_bytes(bytes, sizeof(bytes), 5, 20000);
	damage("data", bytes, sizeof(bytes));
	help_bytes(bytes, sizeof(bytes), LARGE, 1999900);        /* left clean: whoever asks for it is not the first to look at all of it */
	damage("data", bytes, sizeof(bytes));
	assert_true(apart.len > HEAD_INLINE_MAX);
	damage("index", apart.ptr, 100);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, OBJECTS);
	wait_passes(volume, 1);
	volume_flush(volume);
	stat = help_stat(volume);
	assert_int_equal(stat.scrub_damaged, 3);
	assert_int_equal(stat.dropped_damaged, 3);
	assert_int_equal(stat.objects, OBJECTS - 3);
	assert_int_equal(events, 1);
	assert_true(stat.scrub_end_s + 3600 > (uint64_t)time(NULL));
	assert_true(stat.scrub_bytes > 2000000 + (OBJECTS - 3) * 30000);
	wait_passes(volume, stat.scrub_passes + 2);
	assert_int_equal(help_stat(volume).scrub_damaged, 3);
	for (uint64_t i = 0; i < OBJECTS; i++) {
		key_text(text, i);
		assert_int_equal(help_check(volume, text, i, size_of(i)), i != 5 && i != LARGE && i != HEAD_APART);
	}
	volume_close(&volume);
	config.scrub_rate = 0;
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, OBJECTS - 3);
	assert_int_equal(help_stat(volume).scrub_passes, 0);
	volume_close(&volume);
}

/* Of a record that cannot be read any more only its number is known. Damaged behind the library's back, while it is open. */
static void a_record_that_cannot_be_read_goes(void **state)
{
	struct store_config config = config_make(MB << 10);
	struct volume *volume;
	struct slice bytes;
	uint64_t generation, end = now_us() + (uint64_t)DEADLINE_S * 1000000;
	unsigned char *copy;
	MDB_txn *txn;
	MDB_val name, value;
	(void)state;

	prepare();
	config.scrub_rate = 0;
	volume = help_open(&config);
	generation = index_generation(volume, help_key("k9"), NULL);
	assert_int_equal(txn_begin_write(&volume->env, &txn), 0);
	assert_int_equal(txn_get(&volume->env, txn, generation, &bytes), 0);
	copy = must(malloc(bytes.len));
	memcpy(copy, bytes.ptr, bytes.len);
	copy[RECORD_FIXED + 3] ^= 1;
	name = (MDB_val){ sizeof(generation), &generation };
	value = (MDB_val){ bytes.len, copy };
	assert_int_equal(mdb_put(txn, volume->env.idx, &name, &value, 0), 0);
	assert_int_equal(txn_commit(&txn), 0);
	free(copy);
	volume->config.scrub_rate = MB << 10;
	assert_true(scrub_start(volume));
	while (help_stat(volume).scrub_damaged == 0) {
		assert_true(now_us() < end);
		usleep(1000);
	}
	wait_passes(volume, 1);
	volume_flush(volume);
	assert_int_equal(help_check(volume, "k9", 9, 30000), 0);
	assert_int_equal(help_check(volume, "k10", 10, 30000), 1);
	volume_close(&volume);
	config.scrub_rate = 0;
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, OBJECTS - 1);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);      /* it is not there any more */
	volume_close(&volume);
}

static void it_keeps_its_rate(void **state)
{
	struct store_config config = config_make(8 * MB);
	uint64_t begin = now_us(), rate = config.scrub_rate;
	struct volume *volume;
	struct volume_stat stat;
	(void)state;

	prepare();
	volume = help_open(&config);
	/* A slow machine only makes it slower: it is never ahead of its rate, but by the pieces it reads before it sleeps. */
	do {
		stat = help_stat(volume);
		assert_true(stat.scrub_bytes * 1000000 / rate <= now_us() - begin + 300000);
		usleep(1000);
	} while (stat.scrub_passes < 2);
	assert_true(stat.scrub_bytes > 4000000);
	volume_close(&volume);
}

static void it_stops_when_it_is_told_to(void **state)
{
	struct store_config config = config_make(4096);          /* 10 minutes for the large one */
	struct volume *volume;
	(void)state;

	prepare();
	volume = help_open(&config);
	while (help_stat(volume).scrub_bytes == 0)
		usleep(1000);
	volume_close(&volume);
	volume = help_open(&config);
	volume_close(&volume);
}

static void what_is_replaced_while_it_is_read_is_not_damaged(void **state)
{
	struct store_config config = config_make(MB << 10);
	uint64_t end = now_us() + (uint64_t)DEADLINE_S * 1000000, seed = 1;
	struct volume *volume;
	char text[32];
	(void)state;

	config.size = 6 * MB;
	config.ram = MB;
	config.batch_us = 1000;
	volume = help_open(&config);
	while (help_stat(volume).scrub_passes < 40 || help_stat(volume).evicted < 1000) {
		assert_true(now_us() < end);
		key_text(text, seed * 7919 % 500);
		help_put(volume, text, seed, seed % 17 == 0 ? 400000 : seed * 2654435761u % 30000);
		if (seed % 5 == 0) {
			struct object *object;

			key_text(text, seed * 31 % 500);
			if ((object = help_get(volume, text))) {
				uint64_t was = (uint64_t)object_meta(object)->stored_us;

				assert_true(help_is(object, was, was % 17 == 0 ? 400000 : was * 2654435761u % 30000));
				object_unref(&object);
			}
		}
		seed++;
	}
	assert_true(help_stat(volume).scrub_objects > 1000);
	assert_int_equal(help_stat(volume).scrub_damaged, 0);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	volume_close(&volume);
}

static size_t pages_cached(void)
{
	int fd = file_open("data");
	size_t size = (size_t)lseek(fd, 0, SEEK_END), pages = size / 4096, count = 0;
	unsigned char *in = must(malloc(pages));
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mincore(map, size, in), 0);
	for (size_t i = 0; i < pages; i++)
		count += in[i] & 1;
	munmap(map, size);
	close(fd);
	free(in);
	return count;
}

static void the_page_cache_stays_as_it_was(void **state)
{
	struct store_config config = config_make(MB << 10);
	struct statfs fs;
	struct volume *volume;
	size_t before;
	int fd;
	(void)state;

	prepare();
	assert_int_equal(statfs(folder, &fs), 0);
	if (fs.f_type == TMPFS)                   /* there is nothing but the page cache */
		skip();
	fd = file_open("data");
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	close(fd);
	before = pages_cached();
	volume = help_open(&config);
	wait_passes(volume, 3);
	assert_int_equal(help_stat(volume).scrub_damaged, 0);
	assert_true(pages_cached() <= before + 16);
	volume_close(&volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(damage_that_nobody_asks_for_is_found),
		TEST(a_record_that_cannot_be_read_goes),
		TEST(it_keeps_its_rate),
		TEST(it_stops_when_it_is_told_to),
		TEST(what_is_replaced_while_it_is_read_is_not_damaged),
		TEST(the_page_cache_stays_as_it_was),
#undef TEST
	};

	return cmocka_run_group_tests_name("cachestore: scrub", tests, NULL, NULL);
}
