/* The threads that read, with a disk that hangs: nothing waits without a bound, who gives up is not called, one read serves all
 * who ask, and long reads leave a thread for short ones. */
#include "cachestore_help.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "../../cachestore/internal.h"

/* ---- a gate before every read of bodies ---- */

static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_moved = PTHREAD_COND_INITIALIZER;
static bool gate_shut;
static unsigned gate_waiting;

static void gate_set(bool shut)
{
	pthread_mutex_lock(&gate_lock);
	gate_shut = shut;
	pthread_cond_broadcast(&gate_moved);
	pthread_mutex_unlock(&gate_lock);
}

static void gate_await(unsigned waiting)
{
	pthread_mutex_lock(&gate_lock);
	while (gate_waiting < waiting)
		pthread_cond_wait(&gate_moved, &gate_lock);
	pthread_mutex_unlock(&gate_lock);
}

static void gate_pass(void)
{
	pthread_mutex_lock(&gate_lock);
	gate_waiting++;
	pthread_cond_broadcast(&gate_moved);
	while (gate_shut)
		pthread_cond_wait(&gate_moved, &gate_lock);
	gate_waiting--;
	pthread_mutex_unlock(&gate_lock);
}

ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	if (flags & RWF_NOWAIT) {
		errno = EAGAIN;                                      /* nothing comes from the page cache */
		return -1;
	}
	gate_pass();
	return ((__typeof__(&preadv2))dlsym(RTLD_NEXT, "preadv2"))(fd, iov, count, at, flags);
}

/* ---- a volume that has everything on disk only ---- */

enum { SMALL = 2000, LARGE = 1500000 };

static void key_of(unsigned number, char text[64])
{
	snprintf(text, 64, "http://example.org/%u", number);
}

static struct volume *on_disk(const struct store_config *config, unsigned small, unsigned large)
{
	struct volume *volume = help_open(config);
	char text[64];

	for (unsigned i = 0; i < small + large; i++) {
		key_of(i, text);
		assert_int_equal(help_put(volume, text, i, i < small ? SMALL : LARGE), STORE_OK);
	}
	volume_close(&volume);
	return help_open(config);
}

static enum store_err load(struct volume *volume, unsigned number, struct store_load *load)
{
	char text[64];

	key_of(number, text);
	return volume_load(volume, help_key(text), slice_str(text), load);
}

struct counted { struct store_load load; atomic_uint called, objects; };

static void count(struct store_load *store_load, struct object *object)
{
	struct counted *counted = (struct counted *)store_load;

	atomic_fetch_add(&counted->objects, object != NULL);
	object_unref(&object);
	atomic_fetch_add(&counted->called, 1);
}

static struct counted *counted_new(unsigned number)
{
	struct counted *all = must(calloc(number, sizeof(*all)));

	for (unsigned i = 0; i < number; i++)
		all[i].load.loaded = count;
	return all;
}

static void called(struct counted *counted)
{
	while (atomic_load(&counted->called) == 0)
		usleep(1000);
}

static void the_queue_has_a_bound(void **state)
{
	enum { ALL = LOADER_WAITING_MAX + 3 };
	char *path = help_folder();
	struct store_config config = help_config(path, 32 * MB);
	struct volume *volume;
	struct counted *all = counted_new(ALL);
	(void)state;

	config.io_threads = 1;
	volume = on_disk(&config, ALL, 0);
	gate_set(true);
	assert_int_equal(load(volume, 0, &all[0].load), STORE_OK);
	gate_await(1);
	for (unsigned i = 1; i <= LOADER_WAITING_MAX; i++)
		assert_int_equal(load(volume, i, &all[i].load), STORE_OK);
	assert_int_equal(help_stat(volume).io_waiting, LOADER_WAITING_MAX);
	assert_int_equal(load(volume, ALL - 2, &all[ALL - 2].load), STORE_BUSY);
	assert_int_equal(help_stat(volume).io_refused, 1);
	all[ALL - 1].load.patient = true;
	assert_int_equal(load(volume, ALL - 1, &all[ALL - 1].load), STORE_OK);
	/* One who leaves makes room. */
	assert_true(volume_load_cancel(volume, &all[7].load, false));
	assert_true(volume_load_cancel(volume, &all[8].load, false));
	assert_int_equal(load(volume, ALL - 2, &all[ALL - 2].load), STORE_OK);
	gate_set(false);
	for (unsigned i = 0; i < ALL; i++)
		if (i != 7 && i != 8)
			called(&all[i]);
	volume_close(&volume);
	for (unsigned i = 0; i < ALL; i++) {
		bool left = i == 7 || i == 8;

		assert_int_equal(all[i].called, !left);
		assert_int_equal(all[i].objects, !left);
	}
	free(all);
	help_remove(path);
	free(path);
}

static void who_gives_up_on_a_disk_that_hangs_spares_the_others(void **state)
{
	char *path = help_folder();
	struct store_config config = help_config(path, 32 * MB);
	struct counted *all = counted_new(5);
	struct volume *volume;
	(void)state;

	config.io_threads = 2;
	volume = on_disk(&config, 5, 0);
	gate_set(true);
	assert_int_equal(load(volume, 0, &all[0].load), STORE_OK);
	gate_await(1);
	assert_true(volume_load_cancel(volume, &all[0].load, true)); /* one thread still works: no reason to refuse */
	assert_int_equal(load(volume, 1, &all[1].load), STORE_OK);
	gate_await(2);
	assert_int_equal(load(volume, 2, &all[2].load), STORE_OK);   /* waits for a thread */
	assert_true(volume_load_cancel(volume, &all[2].load, true));
	assert_int_equal(load(volume, 3, &all[3].load), STORE_BUSY);
	assert_int_equal(load(volume, 1, &all[3].load), STORE_BUSY); /* what is on its way is as late */
	assert_int_equal(help_stat(volume).io_late, 2);
	gate_set(false);
	called(&all[1]);
	while (load(volume, 3, &all[3].load) == STORE_BUSY)          /* until its thread is through */
		usleep(1000);
	called(&all[3]);
	volume_close(&volume);
	assert_int_equal(all[0].called + all[2].called, 0);
	assert_int_equal(all[1].objects + all[3].objects, 2);
	free(all);
	help_remove(path);
	free(path);
}

static void one_read_serves_all_who_ask(void **state)
{
	enum { ALL = 50 };
	char *path = help_folder();
	struct store_config config = help_config(path, 32 * MB);
	struct counted *all = counted_new(ALL);
	struct volume *volume;
	(void)state;

	volume = on_disk(&config, 1, 0);
	gate_set(true);
	for (unsigned i = 0; i < ALL; i++)
		assert_int_equal(load(volume, 0, &all[i].load), STORE_OK);
	gate_await(1);
	assert_true(volume_load_cancel(volume, &all[20].load, false));
	assert_int_equal(help_stat(volume).loads_shared, ALL - 1);
	gate_set(false);
	for (unsigned i = 0; i < ALL; i++)
		if (i != 20)
			called(&all[i]);
	assert_false(volume_load_cancel(volume, &all[0].load, true)); /* it was called */
	volume_close(&volume);
	assert_int_equal(all[20].called, 0);
	for (unsigned i = 0; i < ALL; i++)
		assert_int_equal(all[i].objects, i != 20);
	free(all);
	help_remove(path);
	free(path);
}

struct reading_one { struct store_read read; atomic_uint called; ssize_t result; char buf[4096]; };

static void was_read(struct store_read *store_read, ssize_t result)
{
	struct reading_one *one = (struct reading_one *)store_read;

	one->result = result;
	atomic_fetch_add(&one->called, 1);
}

static void long_reads_leave_a_thread(void **state)
{
	enum { FILMS = 8 };
	char *path = help_folder(), want[4096];
	struct store_config config = help_config(path, 64 * MB);
	struct reading_one *films = must(calloc(FILMS, sizeof(*films)));
	struct object *objects[FILMS];
	struct counted *small = counted_new(1);
	struct volume *volume;
	char text[64];
	(void)state;

	config.io_threads = 3;
	volume = on_disk(&config, 1, FILMS);
	for (unsigned i = 0; i < FILMS; i++) {
		key_of(1 + i, text);
		objects[i] = help_get(volume, text);
		assert_non_null(objects[i]);
	}
	gate_set(true);
	for (unsigned i = 0; i < FILMS; i++) {
		films[i].read.done = was_read;
		assert_int_equal(object_read_wait(objects[i], 1000, films[i].buf, sizeof(films[i].buf), &films[i].read), STORE_OK);
	}
	gate_await(2);
	assert_int_equal(load(volume, 0, &small->load), STORE_OK);
	gate_await(3);                                               /* the third is the record's */
	assert_false(object_read_cancel(&films[0].read, false));     /* the kernel has its buffer */
	assert_true(object_read_cancel(&films[FILMS - 1].read, false));
	gate_set(false);
	called(small);
	for (unsigned i = 0; i < FILMS - 1; i++) {
		while (atomic_load(&films[i].called) == 0)
			usleep(1000);
		help_bytes(want, sizeof(want), 1 + i, 1000);
		assert_int_equal(films[i].result, sizeof(want));
		assert_memory_equal(films[i].buf, want, sizeof(want));
	}
	for (unsigned i = 0; i < FILMS; i++)
		object_unref(&objects[i]);
	volume_close(&volume);
	assert_int_equal(films[FILMS - 1].called, 0);
	free(films);
	free(small);
	help_remove(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_has_a_bound),
		cmocka_unit_test(who_gives_up_on_a_disk_that_hangs_spares_the_others),
		cmocka_unit_test(one_read_serves_all_who_ask),
		cmocka_unit_test(long_reads_leave_a_thread),
	};

	return cmocka_run_group_tests_name("cachestore: a disk that hangs", tests, NULL, NULL);
}
