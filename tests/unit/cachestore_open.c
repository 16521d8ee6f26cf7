/* Opening: what is refused and why, other sizes, damage of index and bodies. */
#include "cachestore_help.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../../cachestore/internal.h"

static char *folder;
static atomic_int events;

static int setup(void **state)
{
	(void)state;
	folder = help_folder();
	events = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	help_remove(folder);
	free(folder);
	return 0;
}

static void count_events(void *arg, const struct store_event *event)
{
	(void)arg;
	assert_true(strlen(event->text) > 10);
	events += event->level != STORE_EVENT_notice;
}

static const char *file_of(const char *name)
{
	static char file[600];

	snprintf(file, sizeof(file), "%s/%s", folder, name);
	return file;
}

static void file_write(const char *name, const char *text)
{
	FILE *file = fopen(file_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* As after a power cut: not clean, and another boot. */
static void mark_power_cut(void)
{
	help_power_cut(folder);
}

static size_t aside_count(void)
{
	DIR *dir = opendir(folder);
	struct dirent *file;
	size_t count = 0;

	while ((file = readdir(dir)))
		count += strncmp(file->d_name, "index.damaged-", 14) == 0;
	closedir(dir);
	return count;
}

/* Changes one byte at each place where the pattern is in the file. Returns how many places. */
static size_t file_damage(const char *name, const void *pattern, size_t len, size_t at)
{
	int fd = open(file_of(name), O_RDWR);
	struct stat st;
	char *map, *hit;
	size_t count = 0;

	assert_int_equal(fstat(fd, &st), 0);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	for (hit = map; (hit = memmem(hit, (size_t)(map + st.st_size - hit), pattern, len)); hit += len, count++)
		hit[at] ^= 1;
	munmap(map, (size_t)st.st_size);
	close(fd);
	return count;
}

static void expect_refusal(const struct store_config *config, enum store_err err, const char *word)
{
	struct volume *volume = (struct volume *)&events;
	char why[256] = "";

	assert_int_equal(volume_open(config, &volume, why), err);
	if (err != STORE_IN_USE)
		assert_int_equal(volume_probe(config, why), err);      /* sees it without a try */
	assert_ptr_equal(volume, &events);
	if (!strstr(why, word) || !strstr(why, config->path))
		fail_msg("'%s' does not tell '%s'", why, word);
}

static void refusals_name_the_reason(void **state)
{
	struct store_config config = help_config(folder, 8 * MB);
	char deeper[600];
	(void)state;

	config.size = 4 * MB - 1;
	expect_refusal(&config, STORE_TOO_SMALL, "4m");
	config.size = 8 * MB;
	file_write("letter.txt", "dear");
	expect_refusal(&config, STORE_NOT_VOLUME, "not empty");
	file_write("volume", "dear\n");
	expect_refusal(&config, STORE_NOT_VOLUME, "not a volume's");
	file_write("volume", "cachestore volume\nformat 99\nstate clean\nboot x\n");
	expect_refusal(&config, STORE_VERSION, "version 99");
	snprintf(deeper, sizeof(deeper), "%s/no/such", folder);
	config.path = deeper;
	expect_refusal(&config, STORE_NO_FOLDER, "No such file");
	snprintf(deeper, sizeof(deeper), "%s/letter.txt", folder);
	expect_refusal(&config, STORE_NO_FOLDER, "Not a directory");
	volume_close(&(struct volume *){ NULL });
}

static void no_room_on_the_disk_leaves_nothing_behind(void **state)
{
	struct store_config config = help_config(folder, (uint64_t)1 << 55);
	(void)state;

	expect_refusal(&config, STORE_NO_SPACE, "no room");
	assert_int_not_equal(access(file_of("data"), F_OK), 0);
	config.size = 8 * MB;
	struct volume *volume = help_open(&config);
	help_put(volume, "k", 1, 10000);
	volume_close(&volume);
	config.size = (uint64_t)1 << 55;
	expect_refusal(&config, STORE_NO_SPACE, "no room");          /* and the volume is as it was */
	config.size = 8 * MB;
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "k", 1, 10000), 1);
	volume_close(&volume);
}

static void the_same_folder_is_opened_once(void **state)
{
	struct store_config config = help_config(folder, 8 * MB), other = config;
	struct volume *volume = help_open(&config);
	char link[600];
	int status;
	pid_t pid;
	(void)state;

	expect_refusal(&config, STORE_IN_USE, "another");
	snprintf(link, sizeof(link), "%s.link", folder);
	assert_int_equal(symlink(folder, link), 0);
	other.path = link;
	expect_refusal(&other, STORE_IN_USE, "another");
	unlink(link);
	pid = fork();
	if (pid == 0) {
		struct volume *second = NULL;

		_exit(volume_open(&config, &second, NULL) == STORE_IN_USE ? 7 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	help_put(volume, "k", 1, 100);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "k", 1, 100), 1);
	volume_close(&volume);
}

static void another_size_keeps_what_fits(void **state)
{
	static const uint64_t steps[] = { 32 * MB, 64 * MB, 12 * MB, 4 * MB, 40 * MB };
	struct store_config config = help_config(folder, 32 * MB);
	uint64_t kept = 0;
	char text[32];
	(void)state;

	for (size_t step = 0; step < COUNT_OF(steps); step++) {
		struct volume *volume;

		config.size = steps[step];
		volume = help_open(&config);
		assert_true(help_disk_bytes(folder) <= steps[step]);
		for (uint64_t i = 0; step == 0 && i < 500; i++) {
			snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
			assert_int_equal(help_put(volume, text, i, 40000), STORE_OK);
			if (i % 50 == 0)
				volume_flush(volume);
		}
		volume_flush(volume);
		if (step == 2)
			assert_true(help_stat(volume).objects > 100 && help_stat(volume).objects < 300);
		for (uint64_t i = kept = 0; i < 500; i++) {
			int result;

			snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
			result = help_check(volume, text, i, 40000);
			assert_int_not_equal(result, -1);
			kept += result == 1;
		}
		assert_int_equal(kept, help_stat(volume).objects);
		assert_true(kept > (step < 2 ? 499 : 20));
		assert_int_equal(help_stat(volume).dropped_damaged, 0);
		assert_int_equal(help_put(volume, "new", 9, 50000), STORE_OK);
		volume_flush(volume);
		assert_true(volume_drop(volume, help_key("new"), NULL));
		volume_close(&volume);
	}
}

/* Stores k0..k19 (one of them large) and closes. */
static void volume_prepare(const struct store_config *config)
{
	struct volume *volume = help_open(config);
	char text[32];

	for (uint64_t i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
		assert_int_equal(help_put(volume, text, i, i == 3 ? 2000000 : 30000), STORE_OK);
	}
	volume_close(&volume);
}

static void expect_only_missing(struct volume *volume, uint64_t missing)
{
	char text[32];

	for (uint64_t i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
		assert_int_equal(help_check(volume, text, i, i == 3 ? 2000000 : 30000), i != missing);
	}
}

static void a_damaged_body_is_a_miss(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume;
	char bytes[64];
	(void)state;

	config.event = count_events;
	volume_prepare(&config);
	help_bytes(bytes, sizeof(bytes), 5, 20000);
	assert_int_equal(file_damage("data", bytes, sizeof(bytes), 11), 1);
	volume = help_open(&config);
	expect_only_missing(volume, 5);
	expect_only_missing(volume, 5);
	assert_int_equal(help_stat(volume).dropped_damaged, 1);
	assert_int_equal(events, 1);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, 19);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	volume_close(&volume);
}

static void after_a_power_cut_large_bodies_are_verified(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume;
	char bytes[64];
	(void)state;

	volume_prepare(&config);
	help_bytes(bytes, sizeof(bytes), 3, 1500000);
	assert_int_equal(file_damage("data", bytes, sizeof(bytes), 11), 1);
	mark_power_cut();
	volume = help_open(&config);
	expect_only_missing(volume, 3);
	assert_int_equal(help_stat(volume).dropped_damaged, 1);
	volume_close(&volume);
}

static void a_short_data_file_is_a_miss(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume;
	(void)state;

	volume_prepare(&config);
	assert_int_equal(truncate(file_of("data"), 4096), 0);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "k1", 1, 30000), 0);
	assert_int_equal(help_check(volume, "k7", 7, 30000), 0);
	assert_int_equal(help_stat(volume).dropped_damaged, 2);
	volume_close(&volume);
}

static void a_damaged_record_is_dropped(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume;
	char head[4096];
	struct slice bytes;
	(void)state;

	config.event = count_events;
	volume_prepare(&config);
	bytes = help_head(head, 8);
	assert_true(file_damage("index", bytes.ptr, bytes.len, 20) > 0);     /* inline in the record */
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).dropped_damaged, 1);
	assert_int_equal(help_stat(volume).objects, 19);
	assert_int_equal(events, 1);
	expect_only_missing(volume, 8);
	volume_close(&volume);
	events = 0;
	bytes = help_head(head, 7);
	assert_true(bytes.len > HEAD_INLINE_MAX);
	assert_true(file_damage("index", bytes.ptr, 100, 20) > 0);           /* in the head table: seen when it is loaded */
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "k7", 7, 30000), 0);
	assert_int_equal(help_stat(volume).dropped_damaged, 1);
	assert_int_equal(help_check(volume, "k9", 9, 30000), 1);
	volume_close(&volume);
}

static void a_damaged_index_is_set_aside(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume = NULL;
	char why[256], junk[8192];
	(void)state;

	config.event = count_events;
	memset(junk, 0xa5, sizeof(junk));
	for (int round = 0; round < 2; round++) {
		int fd;

		volume_prepare(&config);
		fd = open(file_of("index"), O_RDWR);
		assert_int_equal(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
		close(fd);
		if (round == 1)
			mark_power_cut();
		assert_int_equal(volume_open(&config, &volume, why), STORE_DAMAGED);
		assert_non_null(strstr(why, folder));
		assert_int_equal(help_stat(volume).objects, 0);
		assert_int_equal(events, round + 1);
		assert_int_equal(aside_count(), 1);
		assert_int_equal(help_put(volume, "k", 1, 1000), STORE_OK);
		volume_close(&volume);
		volume = help_open(&config);
		assert_int_equal(help_check(volume, "k", 1, 1000), 1);
		volume_close(&volume);
	}
}

/* Random bytes changed anywhere in the used part of the index, after what looks like a power cut: it opens, whole or empty
 * or with less, and whatever it gives is right. */
static void random_damage_never_gives_wrong_bytes(void **state)
{
	struct store_config config = help_config(folder, 16 * MB);
	uint64_t random = 1;
	char text[32];
	size_t damaged = 0, pages = 40;
	(void)state;

	for (int round = 0; round < 60; round++) {
		struct volume *volume = NULL;
		enum store_err err;
		char why[256];
		int fd;

		volume_prepare(&config);
		fd = open(file_of("index"), O_RDWR);
		for (int i = 0; i < 1 + round % 8; i++) {
			unsigned char byte;
			off_t at;

			random = random * 6364136223846793005u + 1442695040888963407u;
			at = (off_t)((random >> 33) % (pages * 4096));
			/* Half of them into the heads of pages, where it hurts. */
			if (i % 2 == 0)
				at = at / 4096 * 4096 + at % 64;
			assert_int_equal(pread(fd, &byte, 1, at), 1);
			byte ^= (unsigned char)(1 << (random >> 60) % 8);
			assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		}
		close(fd);
		mark_power_cut();
		err = volume_open(&config, &volume, why);
		assert_true(err == STORE_OK || err == STORE_DAMAGED);
		damaged += err == STORE_DAMAGED;
		for (uint64_t i = 0; i < 20; i++) {
			snprintf(text, sizeof(text), "k%llu", (unsigned long long)i);
			assert_int_not_equal(help_check(volume, text, i, i == 3 ? 2000000 : 30000), -1);
		}
		volume_close(&volume);
	}
	assert_in_range(damaged, 1, 59);
}

static void of_two_records_with_one_block_the_newer_stays(void **state)
{
	struct store_config config = help_config(folder, 8 * MB);
	struct extent extent = { 5, 1 };
	struct volume *volume = help_open(&config);
	MDB_txn *txn;
	(void)state;

	assert_int_equal(txn_begin_write(&volume->env, &txn), 0);
	for (uint64_t i = 1; i <= 5; i++) {
		struct record record = { .generation = i == 3 ? 99 : i, .key = { i, i }, .body_size = 10, .key_text = SLICE("x"), .head = SLICE("y"), .extent_count = 1 };

		assert_int_equal(txn_put(&volume->env, txn, &record, &extent, false), 0);
	}
	assert_int_equal(txn_commit(&txn), 0);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, 1);
	assert_int_equal(help_stat(volume).dropped_damaged, 4);
	assert_true(index_is_current(volume, (struct store_key){ 3, 3 }, 99));
	assert_int_equal(help_stat(volume).live_bytes, 4096);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	volume_close(&volume);
}

/* What a crash between two batches may leave: the older one goes, and what they share stays. */
static void of_two_records_with_one_key_the_newer_stays(void **state)
{
	static const struct { uint64_t generation, key; struct extent extent; } rows[] = {
		{ 1, 1, { 5, 1 } }, { 2, 2, { 6, 1 } }, { 3, 1, { 5, 1 } }, { 4, 3, { 8, 1 } }, { 7, 1, { 5, 1 } }, { 9, 2, { 7, 1 } },
	};
	struct store_config config = help_config(folder, 8 * MB);
	struct volume *volume = help_open(&config);
	MDB_txn *txn;
	(void)state;

	assert_int_equal(txn_begin_write(&volume->env, &txn), 0);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct record record = { .generation = rows[i].generation, .key = { rows[i].key, 0 }, .body_size = 10, .key_text = SLICE("x"),
			.head = SLICE("y"), .extent_count = 1 };

		assert_int_equal(txn_put(&volume->env, txn, &record, &rows[i].extent, true), 0);
	}
	assert_int_equal(txn_commit(&txn), 0);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).objects, 3);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	assert_true(index_is_current(volume, (struct store_key){ 1, 0 }, 7));
	assert_true(index_is_current(volume, (struct store_key){ 2, 0 }, 9));
	assert_true(index_is_current(volume, (struct store_key){ 3, 0 }, 4));
	assert_int_equal(help_stat(volume).live_bytes, 3 * 4096);
	volume_close(&volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(refusals_name_the_reason),
		TEST(no_room_on_the_disk_leaves_nothing_behind),
		TEST(the_same_folder_is_opened_once),
		TEST(another_size_keeps_what_fits),
		TEST(a_damaged_body_is_a_miss),
		TEST(after_a_power_cut_large_bodies_are_verified),
		TEST(a_short_data_file_is_a_miss),
		TEST(a_damaged_record_is_dropped),
		TEST(a_damaged_index_is_set_aside),
		TEST(random_damage_never_gives_wrong_bytes),
		TEST(of_two_records_with_one_block_the_newer_stays),
		TEST(of_two_records_with_one_key_the_newer_stays),
	};

	return cmocka_run_group_tests_name("cachestore: opening", tests, NULL, NULL);
}
