/* The pid file: who has it is found by it, also when one daemon ends while the next one starts. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../proxyd/pidfile.h"

enum { ROUNDS = 20000 };

static char path[64];
static atomic_uint taken, not_found;

/* A daemon's life, again and again. */
static void *daemons(void *arg)
{
	char why[256];

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct pid_file file = { NULL, -1 };

		if (!pid_file_take(slice_str(path), -1, &file, why))
			continue;                    /* the other one has it */
		atomic_fetch_add(&taken, 1);
		if (pid_file_read(slice_str(path), why) != getpid())
			atomic_fetch_add(&not_found, 1);
		pid_file_give(&file);
	}
	return NULL;
}

static void whoever_has_it_is_found_by_it(void **state)
{
	pthread_t threads[2];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/proxyd_pidfile.%ld", (long)getpid());
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, daemons, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	unlink(path);
	assert_true(taken > 0);
	assert_int_equal(not_found, 0);
}

static void a_number_that_was_left_behind_is_no_daemon(void **state)
{
	char why[256] = "";
	FILE *file;

	(void)state;
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "%ld\n", (long)getppid());
	fclose(file);
	assert_int_equal(pid_file_read(slice_str(path), why), 0);
	assert_non_null(strstr(why, "nobody holds the pid file"));
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_has_it_is_found_by_it),
		cmocka_unit_test(a_number_that_was_left_behind_is_no_daemon),
	};
	return cmocka_run_group_tests_name("pidfile", tests, NULL, NULL);
}
