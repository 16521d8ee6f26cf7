/* kill -9 while it is writing: everything that volume_flush() or volume_sync() acknowledged is there, with the right bytes. */
#include "cachestore_help.h"

#include <signal.h>
#include <sys/wait.h>

enum { KEYS = 300, ROUNDS = 20, PER_FLUSH = 7 };

static const char *self;

static size_t size_of(uint64_t seed)
{
	return (size_t)(seed * 2654435761u % 60000) * (seed % 11 == 0 ? 10 : 1);
}

static void put_numbered(struct volume *volume, uint64_t seed)
{
	char text[32];
	enum store_err err;

	snprintf(text, sizeof(text), "key %llu", (unsigned long long)(seed % KEYS));
	err = help_put(volume, text, seed, size_of(seed));
	CHECK(err == STORE_OK);
}

static void synced(void *arg, enum store_err err)
{
	CHECK(err == STORE_OK);
	help_done(arg);
}

static void acknowledge(struct volume *volume, uint64_t seed)
{
	struct help_wait wait = HELP_WAIT;

	if (seed / PER_FLUSH % 2 == 0) {
		volume_flush(volume);
	} else {
		volume_sync(volume, synced, &wait);
		help_join(&wait);
	}
	CHECK(write(STDOUT_FILENO, &seed, sizeof(seed)) == sizeof(seed));
}

/* The child: puts from `seed` on, and writes each acknowledged number to stdout, until it is killed. */
static int child(const char *path, uint64_t seed)
{
	struct store_config config = help_config(path, 64 * MB);
	struct volume *volume = NULL;

	config.batch_us = 1000;
	CHECK(volume_open(&config, &volume, NULL) == STORE_OK);
	for (;; seed++) {
		put_numbered(volume, seed);
		if (seed % PER_FLUSH == 0)
			acknowledge(volume, seed);
	}
}

/* Runs a child until it acknowledged `acks` times, and kills it. Returns the last number acknowledged. */
static uint64_t run_and_kill(const char *path, uint64_t seed, int acks)
{
	uint64_t last = 0, next;
	char number[32];
	int fds[2];
	pid_t pid;

	CHECK(pipe(fds) == 0);
	snprintf(number, sizeof(number), "%llu", (unsigned long long)seed);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(self, self, "child", path, number, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while (acks-- > 0 && read(fds[0], &next, sizeof(next)) == sizeof(next))
		last = next;
	kill(pid, SIGKILL);
	while (read(fds[0], &next, sizeof(next)) == sizeof(next))    /* acknowledged before it died */
		last = next;
	close(fds[0]);
	CHECK(waitpid(pid, NULL, 0) == pid);
	return last;
}

/* The seed that is stored under a key, or 0; wrong bytes end the test. */
static uint64_t stored_seed(struct volume *volume, uint64_t key)
{
	struct object *object;
	uint64_t seed;
	char text[32];

	snprintf(text, sizeof(text), "key %llu", (unsigned long long)key);
	if (!(object = help_get(volume, text)))
		return 0;
	seed = (uint64_t)object_meta(object)->stored_us;
	assert_int_equal(seed % KEYS, key);
	assert_true(help_is(object, seed, size_of(seed)));
	object_unref(&object);
	return seed;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 64 * MB);
	uint64_t seed = 1;
	(void)state;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t acked = run_and_kill(path, seed, 3 + round * 7 % 40), newest = acked;
		struct volume *volume;

		assert_true(acked >= seed);
		volume = help_open(&config);
		for (uint64_t key = 0; key < KEYS; key++) {
			uint64_t have = stored_seed(volume, key), due = acked - (acked + KEYS - key) % KEYS;

			if (acked >= key && due > 0 && due <= acked)
				assert_true(have >= due);
			if (have > newest)
				newest = have;
		}
		assert_int_equal(help_stat(volume).dropped_damaged, 0);
		volume_close(&volume);
		seed = newest + 1;
	}
	help_remove(path);
	free(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_acknowledged_survives_kill_9) };

	self = argv[0];
	if (argc == 4 && strcmp(argv[1], "child") == 0)
		return child(argv[2], strtoull(argv[3], NULL, 10));
	return cmocka_run_group_tests_name("cachestore: crash", tests, NULL, NULL);
}
