/* A volume that is read in the background: what is asked of it meanwhile, and how it ends. The start is held where it tells
 * that the index is being copied, for as long as the test wants. */
#include "cachestore_help.h"

#include <semaphore.h>
#include <sys/wait.h>

enum { OBJECTS = 20, SIZE = 3000 };

static char *folder;
static sem_t reached, go;

static int setup(void **state)
{
	(void)state;
	folder = help_folder();
	CHECK(sem_init(&reached, 0, 0) == 0 && sem_init(&go, 0, 0) == 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	help_remove(folder);
	free(folder);
	sem_destroy(&reached);
	sem_destroy(&go);
	return 0;
}

static void hold(void *arg, const struct store_event *event)
{
	(void)arg;
	if (!strstr(event->text, "being copied"))
		return;
	CHECK(sem_post(&reached) == 0);
	while (sem_wait(&go) != 0)
		CHECK(errno == EINTR);
}

static const char *name_of(int i, char room[32])
{
	snprintf(room, 32, "http://t/%d", i);
	return room;
}

static struct store_config filled(void)
{
	struct store_config config = help_config(folder, 16 * MB);
	struct volume *volume = help_open(&config);
	char room[32];

	for (int i = 0; i < OBJECTS; i++)
		assert_int_equal(help_put(volume, name_of(i, room), (uint64_t)i, SIZE), STORE_OK);
	volume_close(&volume);
	return config;
}

static struct volume *open_held(struct store_config *config)
{
	struct volume *volume;

	help_power_cut(folder);
	config->in_background = true;
	config->event = hold;
	volume = help_open(config);
	while (sem_wait(&reached) != 0)
		CHECK(errno == EINTR);
	return volume;
}

static void let_go(struct volume *volume)
{
	CHECK(sem_post(&go) == 0);
	assert_true(volume_wait(volume, 60 * 1000 * 1000));
}

/* ---- purges ---- */

struct purge_wait { struct help_wait wait; enum store_err err; uint64_t objects; };

static void purge_done(void *arg, enum store_err err, uint64_t objects)
{
	struct purge_wait *purge = arg;

	purge->err = err;
	purge->objects = objects;
	help_done(&purge->wait);
}

static void expect_missing(struct volume *volume, int which)
{
	char room[32];

	for (int i = 0; i < OBJECTS; i++)
		assert_int_equal(help_check(volume, name_of(i, room), (uint64_t)i, SIZE), i != which);
}

static void what_is_asked_meanwhile_is_a_miss_and_not_stored(void **state)
{
	struct store_config config = filled();
	struct volume *volume = open_held(&config);
	(void)state;

	assert_true(volume_is_starting(volume));
	assert_true(help_stat(volume).starting);
	assert_false(volume_wait(volume, 1));
	assert_int_equal(help_check(volume, "http://t/3", 3, SIZE), 0);
	assert_int_equal(help_put(volume, "http://t/3", 3, SIZE), STORE_STARTING);
	assert_false(volume_drop(volume, help_key("http://t/3"), NULL));
	let_go(volume);
	assert_false(volume_is_starting(volume));
	assert_int_equal(help_stat(volume).start_records, OBJECTS);
	assert_int_equal(help_stat(volume).start_total, OBJECTS);
	expect_missing(volume, -1);
	assert_int_equal(help_put(volume, "http://t/new", 5, SIZE), STORE_OK);
	assert_int_equal(help_check(volume, "http://t/new", 5, SIZE), 1);
	volume_close(&volume);
}

static void a_purge_meanwhile_holds_for_what_is_found_later(void **state)
{
	static const struct store_purge purges[] = {
		{ PURGE_KEY, false, { "http://t/7", 10 } }, { PURGE_PREFIX, false, { "http://t/7", 10 } },
	};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(purges); i++) {
		struct purge_wait purge = { .wait = HELP_WAIT };
		struct store_config config = filled();
		struct volume *volume = open_held(&config);

		assert_int_equal(volume_purge(volume, &purges[i], purge_done, &purge), STORE_OK);
		assert_false(purge.wait.done);
		let_go(volume);
		expect_missing(volume, 7);
		help_join(&purge.wait);
		assert_int_equal(purge.err, STORE_OK);
		volume_close(&volume);
		config.in_background = false;
		volume = help_open(&config);
		expect_missing(volume, 7);
		volume_close(&volume);
		help_remove(folder);
	}
}

static void *close_it(void *arg)
{
	struct volume *volume = arg;

	volume_close(&volume);
	return NULL;
}

static void a_start_that_is_given_up_loses_nothing(void **state)
{
	struct purge_wait purge = { .wait = HELP_WAIT };
	struct store_purge all = { .kind = PURGE_PREFIX };
	struct store_config config = filled();
	struct volume *volume = open_held(&config);
	pthread_t thread;
	(void)state;

	assert_int_equal(volume_purge(volume, &all, purge_done, &purge), STORE_OK);
	assert_int_equal(pthread_create(&thread, NULL, close_it, volume), 0);
	CHECK(sem_post(&go) == 0);                /* before or after the close has begun: both must be right */
	help_join(&purge.wait);
	pthread_join(thread, NULL);
	config.in_background = false;
	config.event = NULL;
	volume = help_open(&config);
	/* Done, or told as failed: then nobody was promised anything. */
	assert_int_equal(help_stat(volume).objects == 0 || purge.err == STORE_FAILED || purge.objects > 0, 1);
	if (purge.err == STORE_FAILED && help_stat(volume).purge_rules == 0)
		expect_missing(volume, -1);
	volume_close(&volume);
}

static void who_is_killed_while_it_is_copied_copies_it_again(void **state)
{
	struct store_config config = filled();
	(void)state;

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct volume *volume;

			if (i == 0)
				help_power_cut(folder);
			config.event = hold;
			config.in_background = true;
			CHECK(volume_open(&config, &volume, NULL) == STORE_OK);
			while (sem_wait(&reached) != 0)
				CHECK(errno == EINTR);
			_exit(7);                         /* as by kill -9, in the middle */
		}
		int status = 0;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), 7);    /* the second time, too, it came to where it copies */
	}
	struct volume *volume = help_open(&config);
	expect_missing(volume, -1);
	volume_close(&volume);
}

static void an_index_that_cannot_be_copied_is_set_aside_in_the_background(void **state)
{
	struct store_config config = filled();
	char junk[8192], path[1024];
	struct volume *volume;
	FILE *index;
	(void)state;

	memset(junk, 0xa5, sizeof(junk));
	snprintf(path, sizeof(path), "%s/index", folder);
	CHECK((index = fopen(path, "r+")) && fwrite(junk, sizeof(junk), 1, index) == 1 && fclose(index) == 0);
	volume = open_held(&config);
	let_go(volume);
	assert_false(help_stat(volume).failed);
	assert_int_equal(help_stat(volume).objects, 0);
	assert_int_equal(help_put(volume, "http://t/1", 1, SIZE), STORE_OK);
	assert_int_equal(help_check(volume, "http://t/1", 1, SIZE), 1);
	volume_close(&volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(what_is_asked_meanwhile_is_a_miss_and_not_stored),
		TEST(a_purge_meanwhile_holds_for_what_is_found_later),
		TEST(a_start_that_is_given_up_loses_nothing),
		TEST(who_is_killed_while_it_is_copied_copies_it_again),
		TEST(an_index_that_cannot_be_copied_is_set_aside_in_the_background),
	};

	return cmocka_run_group_tests_name("cachestore: starting", tests, NULL, NULL);
}
