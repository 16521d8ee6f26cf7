/* Damage, planted: in bodies, in every page of the index, in its length, in the marker. Each time in a process of its own, which
 * must open the volume (or set the index aside, or refuse it in words), serve no wrong byte, go on storing, and not die. */
#include "cachestore_help.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "../../cachestore/internal.h"

enum { OBJECTS = 16, PAGE = 4096, COPY_MAX = 16 << 20 };
enum left { LEFT_clean, LEFT_killed, LEFT_cut, LEFT_COUNT };     /* how the volume was left */
static const char *const left_names[] = { "clean", "killed", "cut" };

static char *folder;
static struct { char *bytes; size_t size; } data, index_file, marker;
static size_t data_used;                         /* zeros from there on */

/* No power is cut here: what is written need not wait for the disk (liblmdb finds these before the C library's). */
int fdatasync(int fd) { return fcntl(fd, F_GETFD) < 0 ? -1 : 0; }
int fsync(int fd) { return fcntl(fd, F_GETFD) < 0 ? -1 : 0; }

static size_t size_of(uint64_t i)
{
	static const size_t sizes[] = { 30000, 1, 4096, 300000, 4097, 12, 100000, 1300000 };

	return sizes[i % COUNT_OF(sizes)];
}

static const char *file_of(const char *name)
{
	static char file[600];

	snprintf(file, sizeof(file), "%s/%s", folder, name);
	return file;
}

static size_t file_read(const char *name, char **ret_bytes)
{
	int fd = open(file_of(name), O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	*ret_bytes = must(malloc(COPY_MAX));
	n = read(fd, *ret_bytes, COPY_MAX);
	assert_in_range(n, 1, COPY_MAX - 1);
	close(fd);
	return (size_t)n;
}

static void file_write(const char *name, const char *bytes, size_t size)
{
	int fd = open(file_of(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, 0), size);
	close(fd);
}

static void key_text(char text[32], uint64_t i)
{
	snprintf(text, 32, "k%llu", (unsigned long long)i);
}

/* A volume of OBJECTS with some turnover, so that its index has free pages, too. Its files are kept in memory. */
static int setup(void **state)
{
	struct store_config config;
	struct volume *volume;
	char text[32];
	(void)state;

	folder = help_folder();
	config = help_config(folder, 8 * MB);
	volume = help_open(&config);
	for (uint64_t i = 0; i < 3 * OBJECTS; i++) {
		key_text(text, i % OBJECTS);
		assert_int_equal(help_put(volume, text, i % OBJECTS, size_of(i % OBJECTS)), STORE_OK);
		if (i % 5 == 0)
			volume_flush(volume);
	}
	volume_close(&volume);
	data.size = data_used = file_read("data", &data.bytes);
	while (data_used > 0 && data.bytes[data_used - 1] == 0)
		data_used--;
	index_file.size = file_read("index", &index_file.bytes);
	marker.size = file_read("volume", &marker.bytes);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	help_remove(folder);
	free(folder);
	free(data.bytes);
	free(index_file.bytes);
	free(marker.bytes);
	return 0;
}

/* The files as they were, left in that way. */
static void restore(enum left left)
{
	char text[256];
	char *state = must(memmem(marker.bytes, marker.size, "state clean\n", 12));
	size_t before = (size_t)(state - marker.bytes);

	help_remove(folder);
	assert_int_equal(mkdir(folder, 0750), 0);
	assert_in_range(marker.size, 100, sizeof(text));
	memcpy(text, marker.bytes, marker.size);
	if (left != LEFT_clean)
		memcpy(text + before, "state dirty\n", 12);
	if (left == LEFT_cut)
		memcpy(must(memmem(text, marker.size, "\nboot ", 6)), "\nboot 00000000", 14);
	file_write("volume", text, marker.size);
	file_write("data", data.bytes, data_used);
	assert_int_equal(truncate(file_of("data"), (off_t)data.size), 0);
	file_write("index", index_file.bytes, index_file.size);
}

struct outcome { enum store_err err; int missing; uint64_t damaged; int events; };

static void count_event(void *arg, const struct store_event *event)
{
	CHECK(strlen(event->text) > 10);
	*(int *)arg += event->level != STORE_EVENT_notice;
}

/* In the child: opens, looks at everything, stores, closes, opens again. */
static struct outcome live(bool shut)
{
	struct store_config config = help_config(folder, 8 * MB);
	struct outcome outcome = { .err = STORE_OK };
	struct volume *volume = NULL;
	char text[32];
	int result;

	config.event = count_event;
	config.event_arg = &outcome.events;
	outcome.err = volume_open(&config, &volume, NULL);
	if (!volume)
		return outcome;
	for (uint64_t i = 0; i < OBJECTS; i++) {
		key_text(text, i);
		result = help_check(volume, text, i, size_of(i));
		CHECK(result >= 0);               /* -1: a wrong byte */
		outcome.missing += result == 0;
	}
	for (uint64_t i = 0; i < 4; i++) {
		key_text(text, 100 + i);
		result = help_put(volume, text, 100 + i, 20000) == STORE_OK;
		volume_flush(volume);
		/* A damage that only shows when it is written to: the volume is set aside. */
		CHECK(result ? help_check(volume, text, 100 + i, 20000) == 1 || help_stat(volume).dropped_error > 0 : help_stat(volume).failed);
	}
	outcome.damaged = help_stat(volume).dropped_damaged;
	if (shut)
		volume_close(&volume);
	return outcome;
}

/* *ret_signal: what it died of, 0: it did not. */
static struct outcome run(int *ret_signal)
{
	struct outcome outcome = { .err = STORE_ERR_COUNT };
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		outcome = live(true);
		_exit(write(fds[1], &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 1);
	}
	close(fds[1]);
	if (read(fds[0], &outcome, sizeof(outcome)) != sizeof(outcome))
		outcome.err = STORE_ERR_COUNT;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	return outcome;
}

/* ---- bodies ---- */

static size_t body_find(uint64_t seed, size_t at)
{
	char bytes[48];
	size_t len = size_of(seed) - at < sizeof(bytes) ? size_of(seed) - at : sizeof(bytes);
	char *hit;

	help_bytes(bytes, len, seed, at);
	hit = memmem(data.bytes, data.size, bytes, len);
	return hit ? (size_t)(hit - data.bytes) : SIZE_MAX;
}

/* Every place where the bytes are: blocks of earlier versions may still have them. */
static int body_damage(uint64_t seed, size_t at)
{
	int fd = open(file_of("data"), O_RDWR | O_CLOEXEC), count = 0;
	char bytes[48];
	size_t len = size_of(seed) - at < sizeof(bytes) ? size_of(seed) - at : sizeof(bytes);

	help_bytes(bytes, len, seed, at);
	for (const char *hit = data.bytes; (hit = memmem(hit, data.size - (size_t)(hit - data.bytes), bytes, len)); hit++, count++) {
		char wrong = (char)(*hit ^ 16);

		assert_int_equal(pwrite(fd, &wrong, 1, hit - data.bytes), 1);
	}
	close(fd);
	return count;
}

static void a_wrong_byte_in_a_body_is_one_miss(void **state)
{
	static const uint64_t seeds[] = { 0, 2, 3, 4, 6, 7 };
	(void)state;

	for (size_t i = 0; i < COUNT_OF(seeds); i++)
		for (int where = 0; where < 3; where++)
			for (enum left left = LEFT_clean; left < LEFT_COUNT; left++) {
				size_t size = size_of(seeds[i]), at = where == 0 ? 0 : where == 1 ? size / 2 : size - (size < 48 ? size : 48);
				struct outcome outcome;
				int died;

				if (left == LEFT_clean && size > 1024 * 1024)
					continue;         /* what a clean shutdown left and does not fit into memory is the scrub's to find */
				restore(left);
				assert_int_not_equal(body_find(seeds[i], at), SIZE_MAX);
				assert_true(body_damage(seeds[i], at) > 0);
				outcome = run(&died);
				if (died || outcome.err != STORE_OK || outcome.missing != 1 || outcome.damaged != 1 || outcome.events != 1)
					fail_msg("object %llu, byte %zu, left %s: died %d, err %d, %d missing, %llu damaged, %d events",
						(unsigned long long)seeds[i], at, left_names[left], died, (int)outcome.err, outcome.missing,
						(unsigned long long)outcome.damaged, outcome.events);
			}
}

/* ---- the index ---- */

static uint64_t random_state = 12345;

static uint64_t turn(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return random_state >> 33;
}

enum harm { HARM_bit, HARM_bits, HARM_head, HARM_zero, HARM_garbage, HARM_COUNT };
static const char *const harm_names[] = { "a bit", "some bits", "a bit of its head", "zeros", "garbage" };

static void page_harm(char *page, enum harm harm)
{
	switch (harm) {
	case HARM_bit: page[turn() % PAGE] ^= (char)(1 << turn() % 8); break;
	case HARM_bits:
		for (int i = 0; i < 20; i++)
			page[turn() % PAGE] ^= (char)(1 << turn() % 8);
		break;
	case HARM_head: page[turn() % 32] ^= (char)(1 << turn() % 8); break;
	case HARM_zero: memset(page, 0, PAGE); break;
	case HARM_garbage:
		for (size_t i = 0; i < PAGE; i++)
			page[i] = (char)turn();
		break;
	case HARM_COUNT: break;
	}
}

static size_t pages_used(void)
{
	size_t pages = index_file.size / PAGE;

	while (pages > 0 && index_file.bytes[(pages - 1) * PAGE] == 0 && memcmp(index_file.bytes + (pages - 1) * PAGE, index_file.bytes + (pages - 1) * PAGE + 1, PAGE - 1) == 0)
		pages--;
	return pages;
}

static void no_page_of_the_index_is_trusted(void **state)
{
	size_t pages = pages_used(), counts[LEFT_COUNT][4] = { 0 };
	char page[PAGE];
	(void)state;

	assert_in_range(pages, 10, 200);
	for (enum left left = LEFT_clean; left < LEFT_COUNT; left++)
		for (enum harm harm = 0; harm < HARM_COUNT; harm++)
			for (size_t at = 0; at < pages; at++) {
				struct outcome outcome;
				int died, fd;

				restore(left);
				memcpy(page, index_file.bytes + at * PAGE, PAGE);
				page_harm(page, harm);
				fd = open(file_of("index"), O_RDWR | O_CLOEXEC);
				assert_int_equal(pwrite(fd, page, PAGE, (off_t)(at * PAGE)), PAGE);
				close(fd);
				outcome = run(&died);
				if (died || (outcome.err != STORE_OK && outcome.err != STORE_DAMAGED))
					print_error("page %zu of %zu, %s, left %s: died %d, err %d\n", at, pages, harm_names[harm], left_names[left], died, (int)outcome.err);
				counts[left][died ? 3 : outcome.err == STORE_DAMAGED ? 2 : outcome.missing > 0]++;
			}
	for (enum left left = LEFT_clean; left < LEFT_COUNT; left++)
		print_message("left %s: %zu whole, %zu with objects missing, %zu set aside, %zu died\n", left_names[left], counts[left][0], counts[left][1], counts[left][2], counts[left][3]);
	for (enum left left = LEFT_clean; left < LEFT_COUNT; left++)
		assert_int_equal(counts[left][3], 0);
}

/* No alarm without damage, whatever has happened in it: turnover, heads of many sizes, purges, deletes. */
static void a_good_index_is_good(void **state)
{
	struct store_config config;
	char text[32];
	uint64_t seed = 1;
	(void)state;

	help_remove(folder);
	assert_int_equal(mkdir(folder, 0750), 0);
	config = help_config(folder, 4 * MB);
	for (int round = 0; round < 25; round++) {
		struct volume *volume = help_open(&config);

		assert_false(help_stat(volume).index_damaged);
		for (uint64_t end = seed + 150; seed < end; seed++) {
			key_text(text, turn() % 2000);
			help_put(volume, text, seed, turn() % 8 ? turn() % 5000 : turn() % 100000);
			if (turn() % 10 == 0) {
				key_text(text, turn() % 2000);
				volume_drop(volume, help_key(text), NULL);
			}
			if (turn() % 20 == 0)
				volume_flush(volume);
		}
		assert_true(round < 10 || help_stat(volume).evicted > 0);
		volume_close(&volume);
		assert_int_equal(env_check(file_of("index")), 0);
	}
}

static void an_index_of_any_length_opens(void **state)
{
	static const off_t lengths[] = { 0, 1, 150, 4095, 4096, 8191, 8192, 8193, 3 * PAGE, 9 * PAGE + 77 };
	(void)state;

	for (enum left left = LEFT_clean; left < LEFT_COUNT; left++)
		for (size_t i = 0; i < COUNT_OF(lengths); i++) {
			struct outcome outcome;
			int died;

			restore(left);
			assert_int_equal(truncate(file_of("index"), lengths[i]), 0);
			outcome = run(&died);
			if (died || (outcome.err != STORE_OK && outcome.err != STORE_DAMAGED) || (outcome.missing == 0 && lengths[i] <= 2 * PAGE)
				|| (lengths[i] > 0 && outcome.events == 0))
				fail_msg("%lld bytes, left %s: died %d, err %d, %d missing, %d events", (long long)lengths[i], left_names[left], died,
					(int)outcome.err, outcome.missing, outcome.events);
		}
}

/* What the marker says is not believed when it makes no sense; a folder whose format is not known is left alone. */
static void a_damaged_marker_is_an_answer(void **state)
{
	static const struct { const char *text; enum store_err err; } rows[] = {
		{ "", STORE_OK }, { "cachestore volume\n", STORE_VERSION }, { "cachestore volume\nformat", STORE_VERSION },
		{ "cachestore volume\nformat -2\nstate clean\n", STORE_VERSION }, { "\377\376\375", STORE_NOT_VOLUME },
		{ "cachestore", STORE_NOT_VOLUME },
	};
	struct outcome outcome;
	int died;
	(void)state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		restore(LEFT_clean);
		file_write("volume", rows[i].text, strlen(rows[i].text));
		outcome = run(&died);
		if (died || outcome.err != rows[i].err || outcome.missing > 0)
			fail_msg("row %zu: died %d, err %d, %d missing", i, died, (int)outcome.err, outcome.missing);
	}
	for (size_t at = 0; at < 90; at++) {
		char text[256];

		restore(LEFT_killed);
		memcpy(text, marker.bytes, marker.size);
		text[at] ^= (char)(1 << turn() % 8);
		file_write("volume", text, marker.size);
		outcome = run(&died);
		if (died || outcome.missing > 0 || (outcome.err != STORE_OK && outcome.err != STORE_VERSION && outcome.err != STORE_NOT_VOLUME))
			fail_msg("byte %zu: died %d, err %d, %d missing", at, died, (int)outcome.err, outcome.missing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_wrong_byte_in_a_body_is_one_miss, setup, teardown),
		cmocka_unit_test_setup_teardown(no_page_of_the_index_is_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_good_index_is_good, setup, teardown),
		cmocka_unit_test_setup_teardown(an_index_of_any_length_opens, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_marker_is_an_answer, setup, teardown),
	};

	return cmocka_run_group_tests_name("cachestore: damage", tests, NULL, NULL);
}
