/* A volume goes from an old process to a new one: the new one is a child that was made before the volume was opened. */
#include "cachestore_help.h"

#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum { SIZE = 300000, LARGE = 2000000, OBJECTS = 20 };

static char *folder;
struct shared { sem_t old, new; };
static struct shared *shared;

static int setup(void **state)
{
	(void)state;
	folder = help_folder();
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && sem_init(&shared->old, 1, 0) == 0 && sem_init(&shared->new, 1, 0) == 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	help_remove(folder);
	free(folder);
	munmap(shared, sizeof(*shared));
	return 0;
}

static void tell(sem_t *sem) { CHECK(sem_post(sem) == 0); }

static void await(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		CHECK(errno == EINTR);
}

static const char *name_of(const char *prefix, int i, char room[32])
{
	snprintf(room, 32, "%s%d", prefix, i);
	return room;
}

/* No RAM tier: what is read comes from disk. */
static struct store_config config_of(void)
{
	struct store_config config = help_config(folder, 16 * MB);

	config.ram = 0;
	return config;
}

static pid_t child(void (*run)(void))
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	run();
	_exit(0);
}

static void expect_end(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- the new process; what goes wrong in it is an abort ---- */

static void fill(struct volume *volume, const char *prefix, int count, int *ret_stored)
{
	char room[32];

	*ret_stored = 0;
	for (int i = 0; i < count; i++) {
		enum store_err err = help_put(volume, name_of(prefix, i, room), (uint64_t)(1000 + i), SIZE);

		CHECK(err == STORE_OK || err == STORE_HANDED_OVER);
		volume_flush(volume);
		*ret_stored += err == STORE_OK && help_check(volume, room, (uint64_t)(1000 + i), SIZE) == 1;
	}
}

static void takes_over(void)
{
	struct store_config config = config_of();
	struct volume *volume = NULL;
	char room[32];
	int stored, found = 0;

	await(&shared->new);
	CHECK(volume_open(&config, &volume, NULL) == STORE_OK);
	for (int i = 0; i < OBJECTS; i++) {
		int got = help_check(volume, name_of("a", i, room), (uint64_t)i, SIZE);

		CHECK(got >= 0);
		found += got;
	}
	CHECK(found >= OBJECTS - 2);              /* nothing that was committed is lost */
	fill(volume, "b", 200, &stored);          /* 60 MB into 16 MB that somebody else still reads */
	CHECK(stored > 0 && stored < 60);         /* what was free, and no more */
	tell(&shared->old);
	await(&shared->new);                      /* the old process has closed it */
	fill(volume, "c", 200, &stored);
	CHECK(stored >= 199);                     /* the first one finds out */
	volume_close(&volume);
}

static void what_the_old_process_reads_is_not_written_over(void **state)
{
	struct store_config config = config_of();
	struct object *early = NULL, *held[OBJECTS];
	pid_t pid = child(takes_over);
	struct volume *volume = help_open(&config);
	char room[32];
	(void)state;

	assert_int_equal(help_put(volume, "early", 77, LARGE), STORE_OK);
	volume_flush(volume);
	early = help_get(volume, "early");
	assert_non_null(early);
	assert_int_equal(object_peek(early, 0, 1, &(struct iovec){ 0 }, 1), -1);      /* on disk only */
	assert_true(volume_drop(volume, help_key("early"), NULL));   /* freed, and read on */
	for (int i = 0; i < OBJECTS; i++)
		assert_int_equal(help_put(volume, name_of("a", i, room), (uint64_t)i, SIZE), STORE_OK);
	volume_flush(volume);
	assert_int_equal(volume_retire(volume), STORE_OK);
	assert_true(volume_is_retired(volume));
	tell(&shared->new);
	await(&shared->old);
	/* The new one has written all it could. */
	assert_true(help_is(early, 77, LARGE));
	for (int i = 0; i < OBJECTS; i++) {
		held[i] = help_get(volume, name_of("a", i, room));
		if (held[i])
			assert_true(help_is(held[i], (uint64_t)i, SIZE));
		object_unref(&held[i]);
	}
	assert_int_equal(help_put(volume, "late", 5, SIZE), STORE_HANDED_OVER);
	volume_blind(volume, true);
	assert_null(help_get(volume, "a1"));
	assert_true(help_is(early, 77, LARGE));
	object_unref(&early);
	volume_close(&volume);
	tell(&shared->new);
	expect_end(pid);
	volume = help_open(&config);
	assert_true(help_stat(volume).objects > 10);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	volume_close(&volume);
}

static void opens_and_ends(void)
{
	struct store_config config = config_of();
	struct volume *volume = NULL;

	await(&shared->new);
	CHECK(volume_open(&config, &volume, NULL) == STORE_OK);
	tell(&shared->old);
	await(&shared->new);
	_exit(0);                                 /* as by kill -9 */
}

static void opens_writes_and_ends(void)
{
	struct store_config config = config_of();
	struct volume *volume = NULL;

	await(&shared->new);
	CHECK(volume_open(&config, &volume, NULL) == STORE_OK);
	CHECK(help_put(volume, "theirs", 3, SIZE) == STORE_OK);
	volume_flush(volume);
	tell(&shared->old);
	await(&shared->new);
	_exit(0);
}

static void when_the_new_process_dies_the_old_one_takes_it_back(void **state)
{
	struct store_config config = config_of();
	pid_t pid = child(opens_and_ends);
	struct volume *volume = help_open(&config);
	(void)state;

	assert_int_equal(help_put(volume, "ours", 1, SIZE), STORE_OK);
	assert_int_equal(volume_retire(volume), STORE_OK);
	assert_true(volume_resume(volume));       /* nobody came */
	assert_int_equal(help_put(volume, "ours2", 2, SIZE), STORE_OK);
	assert_int_equal(volume_retire(volume), STORE_OK);
	tell(&shared->new);
	await(&shared->old);
	assert_false(volume_resume(volume));      /* it has it */
	tell(&shared->new);
	expect_end(pid);
	assert_true(volume_resume(volume));
	assert_int_equal(help_put(volume, "ours3", 3, SIZE), STORE_OK);
	volume_flush(volume);
	assert_int_equal(help_check(volume, "ours", 1, SIZE), 1);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "ours2", 2, SIZE), 1);
	assert_int_equal(help_check(volume, "ours3", 3, SIZE), 1);
	volume_close(&volume);
}

static void what_the_new_process_has_written_is_not_taken_back(void **state)
{
	struct store_config config = config_of();
	pid_t pid = child(opens_writes_and_ends);
	struct volume *volume = help_open(&config);
	(void)state;

	assert_int_equal(help_put(volume, "ours", 1, SIZE), STORE_OK);
	assert_int_equal(volume_retire(volume), STORE_OK);
	tell(&shared->new);
	await(&shared->old);
	tell(&shared->new);
	expect_end(pid);
	assert_false(volume_resume(volume));
	assert_int_equal(help_check(volume, "ours", 1, SIZE), 1);    /* read on */
	assert_int_equal(help_put(volume, "more", 2, SIZE), STORE_HANDED_OVER);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "ours", 1, SIZE), 1);
	assert_int_equal(help_check(volume, "theirs", 3, SIZE), 1);
	volume_close(&volume);
}

static void never(void *arg, enum store_err err, uint64_t objects)
{
	(void)arg, (void)err, (void)objects;
	abort();
}

static void purges_are_refused_and_what_came_before_is_on_disk(void **state)
{
	struct store_purge purge = { PURGE_KEY, false, { "a", 1 } };
	struct store_config config = config_of();
	struct volume *volume = help_open(&config);
	struct help_wait wait = HELP_WAIT;
	(void)state;

	assert_int_equal(help_put(volume, "a", 1, SIZE), STORE_OK);
	assert_int_equal(help_put(volume, "b", 2, SIZE), STORE_OK);
	assert_int_equal(volume_retire(volume), STORE_OK);
	assert_int_equal(volume_purge(volume, &purge, never, &wait), STORE_HANDED_OVER);
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_check(volume, "a", 1, SIZE), 1);
	assert_int_equal(help_check(volume, "b", 2, SIZE), 1);
	volume_close(&volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(what_the_old_process_reads_is_not_written_over),
		TEST(when_the_new_process_dies_the_old_one_takes_it_back),
		TEST(what_the_new_process_has_written_is_not_taken_back),
		TEST(purges_are_refused_and_what_came_before_is_on_disk),
	};

	return cmocka_run_group_tests_name("cachestore: from process to process", tests, NULL, NULL);
}
