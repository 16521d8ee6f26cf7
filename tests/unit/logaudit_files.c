/* Sets of files: rotated ones in the order of their time whatever the order in which they are given, folders, patterns, members of
 * gzip files; what is no log is named and passed over. Lines without an end are read in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "../../logaudit/fileset.h"
#include "audit_log.h"

#define HEAD "rec/1,t_us,cache,volume,host,body_out\n"

static char folder[64];

static char *path_of(const char *name)
{
	char *path = NULL;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	return path;
}

/* The file's text; with gzip each of `parts` is a member of its own. */
static void file_make(const char *name, bool gzip, const char *const *parts)
{
	char *path = path_of(name);

	for (; *parts; parts++) {
		gzFile gz = gzopen(path, gzip ? "ab" : "aT");
		assert_non_null(gz);
		if (**parts) assert_int_equal(gzwrite(gz, *parts, (unsigned)strlen(*parts)), (int)strlen(*parts));
		assert_int_equal(gzclose(gz), Z_OK);
	}
	free(path);
}

static void file_one(const char *name, const char *text)
{
	file_make(name, false, (const char *const[]){ text, NULL });
}

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/logaudit-files-XXXXXX");
	assert_non_null(mkdtemp(folder));
	file_one("access.csv", HEAD "req,400,hit,main,d.example,1\n");
	file_one("access.csv.1", HEAD "req,300,hit,main,c.example,1\n");
	file_make("access.csv.2.gz", true, (const char *const[]){ HEAD "req,200,hit,main,b.example,1\n", "req,201,hit,main,b.example,1\n", NULL });
	file_make("access.csv.10.gz", true, (const char *const[]){ HEAD "req,100,hit,main,a.example,1\n", NULL });
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "access.csv", "access.csv.1", "access.csv.2.gz", "access.csv.10.gz", "error.log", "empty", ".hidden", "long" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char *path = path_of(names[i]);
		unlink(path);
		free(path);
	}
	return rmdir(folder);
}

static void read_set(struct audit *audit, char **given, int count)
{
	audit_init(audit);
	fileset_read(audit, given, count);
	audit_finish(audit);
}

/* a, b, b, c, d: in the order of their times. */
static void assert_in_order(const struct audit *audit)
{
	assert_int_equal(audit->lines_counted, 5);
	assert_int_equal(audit->tally.tables[TABLE_hosts].map.count, 4);
	for (size_t i = 0; i < 4; i++) assert_int_equal(map_key(&audit->tally.tables[TABLE_hosts].map, i).ptr[0], 'a' + (int)i);
}

static void a_rotated_set_is_one_log_in_any_order(void **state)
{
	char *given[] = { path_of("access.csv"), path_of("access.csv.1"), path_of("access.csv.2.gz"), path_of("access.csv.10.gz") };
	struct audit audit;

	(void)state;
	for (int turn = 0; turn < 4; turn++) {
		char *turned[4];
		for (int i = 0; i < 4; i++) turned[i] = given[(i * 3 + turn) % 4];
		read_set(&audit, turned, 4);
		assert_in_order(&audit);
		assert_int_equal(audit.trouble_count + audit.note_count, 0);
		audit_release(&audit);
	}
	for (int i = 0; i < 4; i++) free(given[i]);
}

static void a_folder_stands_for_the_logs_in_it(void **state)
{
	char *given[] = { folder };
	struct audit audit;

	(void)state;
	file_one(".hidden", HEAD "req,1,hit,main,x.example,1\n");
	read_set(&audit, given, 1);
	assert_in_order(&audit);
	assert_int_equal(audit.note_count, 0);
	audit_release(&audit);
	file_one("error.log", "2026-11-24 10:00:00 error: \"not\" a log\n");
	file_one("empty", "");
	read_set(&audit, given, 1);
	assert_in_order(&audit);
	assert_int_equal(audit.trouble_count, 0);
	assert_int_equal(audit.note_count, 1);
	assert_non_null(strstr(audit.notes[0], "passed over"));
	audit_release(&audit);
}

static void a_pattern_is_expanded_and_a_file_is_read_once(void **state)
{
	char *given[] = { path_of("access.csv*"), path_of("access.csv.1"), path_of("access.[x-z]*") };
	struct audit audit;

	(void)state;
	read_set(&audit, given, 2);
	assert_in_order(&audit);
	assert_int_equal(audit.note_count, 1);
	assert_non_null(strstr(audit.notes[0], "read once only"));
	audit_release(&audit);
	read_set(&audit, given + 2, 1);
	assert_int_equal(audit.trouble_count, 1);
	assert_non_null(strstr(audit.troubles[0], "pattern"));
	audit_release(&audit);
	for (int i = 0; i < 3; i++) free(given[i]);
}

static void an_empty_file_and_an_empty_folder_are_told(void **state)
{
	char *given[] = { path_of("none"), path_of("empty") };
	struct audit audit;

	(void)state;
	assert_int_equal(mkdir(given[0], 0700), 0);
	file_one("empty", "");
	read_set(&audit, given, 2);
	assert_int_equal(audit.trouble_count, 1);
	assert_non_null(strstr(audit.troubles[0], "no file in this folder"));
	assert_int_equal(audit.note_count, 1);
	assert_non_null(strstr(audit.notes[0], "it is empty"));
	audit_release(&audit);
	assert_int_equal(rmdir(given[0]), 0);
	free(given[0]);
	free(given[1]);
}

/* A gigabyte without a newline, in a file with a hole; in a process of its own, since its memory is measured. */
static void a_gigabyte_without_a_newline_is_one_bad_line(void **state)
{
	char *path = path_of("long");
	struct rusage usage;
	int status;

	(void)state;
	file_one("long", HEAD "req,1,hit,main,a.example,10\n");
	assert_int_equal(truncate(path, 1 << 30), 0);
	file_one("long", "\nreq,2,hit,main,a.example,10\n");
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct audit audit;
		audit_init(&audit);
		audit.threads = 2;
		audit_read(&audit, path);
		bool good = audit.lines_counted == 2 && audit.rejects[REJECT_too_long].group.count == 1 && audit.lines_read == 3
			&& audit.rejects[REJECT_too_long].group.evidence.at[0].line == 3 && audit.here.line == 4;
		_exit(good ? 0 : 1);
	}
	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_true(usage.ru_maxrss < 64 * 1024);
#endif
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_rotated_set_is_one_log_in_any_order, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_folder_stands_for_the_logs_in_it, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_pattern_is_expanded_and_a_file_is_read_once, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(an_empty_file_and_an_empty_folder_are_told, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_gigabyte_without_a_newline_is_one_bad_line, make_folder, remove_folder),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
