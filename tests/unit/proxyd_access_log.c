/* The access log from record to file: every line whole, numbers without holes, what is lost is counted and told, a file
 * begins with the header, nobody waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../proxyd/access_log.h"
#include "../../proxyd/log_file.h"
#include "../../proxyd/log_ring.h"

enum { WORKERS = 3, LINES = 20000 };

static char folder[] = "/tmp/access_log.XXXXXX";

static void path_of(const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", folder, name);
}

/* ---- reading a log back ---- */

struct tally {
	uint64_t headers, requests, gaps, lost, notes;
	uint64_t next[WORKERS];              /* number that the worker's next record has, when none is lost */
	bool holes;
};

/* The columns that this test looks at: rec, worker, seq and lost. */
static void tally_line(struct tally *t, char *line)
{
	char *fields[LOG_FIELD_COUNT + 1] = { NULL }, *rest = line;
	int count = 0;

	while (count <= LOG_FIELD_COUNT && (fields[count] = strsep(&rest, ",")))
		count++;
	assert_int_equal(count, LOG_FIELD_COUNT);
	if (strcmp(fields[0], "rec/1") == 0) {
		t->headers++;
		return;
	}
	uint64_t worker = strtoull(fields[LOG_FIELD_worker], NULL, 10), seq = strtoull(fields[LOG_FIELD_seq], NULL, 10);
	if (strcmp(fields[0], "gap") == 0) {
		t->gaps++;
		t->lost += strtoull(fields[LOG_FIELD_lost], NULL, 10);
		assert_true(strtoull(fields[LOG_FIELD_lost], NULL, 10) > 0);
		return;
	}
	if (strcmp(fields[0], "req") != 0) {
		assert_int_equal(worker, 65535);
		t->notes++;
		return;
	}
	assert_string_equal(fields[LOG_FIELD_node], "test");
	assert_true(worker < WORKERS);
	assert_true(seq >= t->next[worker]);
	t->holes |= seq > t->next[worker];
	t->next[worker] = seq + 1;
	t->requests++;
}

static void tally_text(struct tally *t, char *text, size_t len)
{
	if (len == 0)
		return;
	assert_int_equal(text[len - 1], '\n');
	text[len - 1] = '\0';
	for (char *line; (line = strsep(&text, "\n")); )
		tally_line(t, line);
}

static struct tally tally_begin(void)
{
	struct tally t = { 0 };

	for (unsigned i = 0; i < WORKERS; i++)
		t.next[i] = 1;
	return t;
}

/* The file begins with the header line. */
static void tally_file(struct tally *t, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	text = must(malloc((size_t)st.st_size + 1));
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	text[st.st_size] = '\0';
	assert_true(strncmp(text, "rec/1,", 6) == 0);
	tally_text(t, text, (size_t)st.st_size);
	free(text);
}

/* ---- writing one ---- */

static struct worker *workers_make(struct access_log *log)
{
	struct worker *workers = must(calloc(WORKERS, sizeof(*workers)));

	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i].number = i;
		workers[i].log = access_log_ring(log, i);
	}
	return workers;
}

static void write_one(struct worker *worker, size_t target_len)
{
	static const char text[LOG_STR_MAX] = { [0 ... LOG_STR_MAX - 1] = 'x' };
	struct logline line;

	logline_init(&line);
	line.rec = REC_req;
	line.status = 200;
	line.method = SLICE("GET");
	line.target = slice_make(text, target_len);
	access_log_write(worker, &line);
}

static void write_note(struct access_log *log, enum record rec)
{
	struct logline line;

	logline_init(&line);
	line.rec = (uint8_t)rec;
	access_log_note(log, &line);
}

static struct access_log *log_open(const char *path)
{
	struct access_log *log = NULL;
	char why[256] = "";

	if (!access_log_open(path, WORKERS, "test", &log, why))
		fail_msg("%s", why);
	return log;
}

static uint64_t counted(const struct worker *workers)
{
	struct counters sum = { 0 };

	for (unsigned i = 0; i < WORKERS; i++)
		counters_merge(&sum, &workers[i].counters);
	return counters_get(&sum, COUNTER_requests);
}

static void *writer_main(void *arg)
{
	for (unsigned i = 0; i < LINES; i++)
		write_one(arg, i % 700);
	return NULL;
}

/* ---- the tests ---- */

static void every_record_is_a_line_or_told_as_lost(void **state)
{
	char path[256];
	pthread_t threads[WORKERS];
	struct tally t = tally_begin();

	(void)state;
	path_of("threads", path);
	struct access_log *log = log_open(path);
	struct worker *workers = workers_make(log);
	write_note(log, REC_start);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer_main, &workers[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	write_note(log, REC_stop);
	access_log_sync(log);
	uint64_t lost = access_log_lost(log);
	assert_int_equal(counted(workers), WORKERS * LINES);
	access_log_close(&log);
	tally_file(&t, path);
	assert_int_equal(t.headers, 1);
	assert_int_equal(t.notes, 2);
	assert_int_equal(t.lost, lost);
	assert_int_equal(t.requests + t.lost, WORKERS * LINES);
	assert_true(!t.holes || t.lost > 0);
	free(workers);
}

/* Reads on from len until the words have come; returns how much there is. */
enum { TEXT_BYTES = 16 << 20 };
static size_t read_until(int fd, char *text, size_t len, const char *words)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	while (!memmem(text, len, words, strlen(words))) {
		assert_int_equal(poll(&wait, 1, 20000), 1);
		ssize_t n = read(fd, text + len, TEXT_BYTES - len);
		assert_true(n > 0 || errno == EAGAIN);
		len += n > 0 ? (size_t)n : 0;
	}
	return len;
}

/* Nobody reads the pipe: the ring gets full, and the worker goes on. Then somebody does. */
static void a_full_ring_makes_a_gap(void **state)
{
	enum { MANY = 6000 };
	char path[256], *text = must(malloc(TEXT_BYTES));
	struct tally t = tally_begin();
	size_t len = 0;
	ssize_t n;

	(void)state;
	path_of("fifo", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct access_log *log = log_open(path);
	struct worker *workers = workers_make(log);
	for (unsigned i = 0; i < MANY; i++)
		write_one(&workers[0], 900);
	assert_true(access_log_lost(log) > 0);
	assert_int_equal(counted(workers), MANY);
	/* Reading begins: what was kept comes, then the gap record, by itself; then the next line. */
	len = read_until(fd, text, 0, "\ngap,");
	write_one(&workers[0], 10);
	len = read_until(fd, text, len, ",xxxxxxxxxx,");
	uint64_t lost = access_log_lost(log);
	access_log_close(&log);
	while ((n = read(fd, text + len, TEXT_BYTES - len)) > 0)
		len += (size_t)n;
	close(fd);
	tally_text(&t, text, len);
	assert_int_equal(t.headers, 1);
	assert_true(t.gaps >= 1 && t.holes);
	assert_int_equal(t.lost, lost);
	assert_int_equal(t.requests + t.lost, MANY + 1);
	assert_int_equal(t.next[0], MANY + 2);
	free(workers);
	free(text);
}

static void dev_full_loses_all_and_counts_it(void **state)
{
	(void)state;
	struct access_log *log = log_open("/dev/full");
	struct worker *workers = workers_make(log);
	for (unsigned i = 0; i < 100; i++)
		write_one(&workers[i % WORKERS], 30);
	access_log_sync(log);
	assert_int_equal(access_log_lost(log), 100);
	assert_int_equal(counted(workers), 100);
	access_log_close(&log);
	free(workers);
}

/* A limit of the file's size stands for a full disk: the write that meets it is a partial one. It holds for what cmocka
 * prints, too, when that goes to a file: so nothing is asserted under the limit. */
static void limit_set(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_cuts_no_line_and_is_told_when_it_is_over(void **state)
{
	static const rlim_t limits[] = { 100 /* within the header */, 1400, 2777, 5000, 20011 };
	char path[256], name[32];

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		struct tally t = tally_begin();

		snprintf(name, sizeof(name), "small%zu", i);
		path_of(name, path);
		struct access_log *log = log_open(path);
		struct worker *workers = workers_make(log);
		unlink(path);
		limit_set(limits[i]);
		bool reopened = access_log_reopen(log);
		for (unsigned k = 0; k < 300; k++)
			write_one(&workers[k % WORKERS], k % 100);
		access_log_sync(log);
		uint64_t lost = access_log_lost(log);
		limit_set(RLIM_INFINITY);
		assert_true(reopened);
		assert_true(lost > 0 && lost <= 300);
		for (unsigned k = 0; k < 30; k++)
			write_one(&workers[k % WORKERS], k);
		access_log_close(&log);
		tally_file(&t, path);
		assert_int_equal(t.headers, 1);
		assert_int_equal(t.lost, lost);
		assert_int_equal(t.requests + t.lost, 330);
		for (unsigned w = 0; w < WORKERS; w++)
			assert_int_equal(t.next[w], 111);
		free(workers);
	}
}

static void reopening_splits_between_lines(void **state)
{
	char path[256], old[256];
	struct tally first = tally_begin(), second;

	(void)state;
	path_of("rotate", path);
	path_of("rotate.1", old);
	struct access_log *log = log_open(path);
	struct worker *workers = workers_make(log);
	for (unsigned i = 0; i < 90; i++)
		write_one(&workers[i % WORKERS], i);
	assert_int_equal(rename(path, old), 0);
	assert_true(access_log_reopen(log));
	for (unsigned i = 0; i < 60; i++)
		write_one(&workers[i % WORKERS], i);
	access_log_close(&log);
	tally_file(&first, old);
	assert_int_equal(first.requests, 90);
	second = first;
	tally_file(&second, path);
	assert_int_equal(second.requests, 150);
	assert_int_equal(second.headers, 2);
	assert_false(second.holes);
	free(workers);
}

static void a_reopen_that_fails_keeps_the_old_file(void **state)
{
	char path[256], sub[256];
	struct tally t = tally_begin();

	(void)state;
	path_of("sub", sub);
	assert_int_equal(mkdir(sub, 0700), 0);
	path_of("sub/log", path);
	struct access_log *log = log_open(path);
	struct worker *workers = workers_make(log);
	write_one(&workers[0], 1);
	access_log_sync(log);
	path_of("sub.moved", path);
	assert_int_equal(rename(sub, path), 0);
	assert_false(access_log_reopen(log));
	assert_int_equal(errno, ENOENT);
	write_one(&workers[0], 2);
	access_log_close(&log);
	path_of("sub.moved/log", path);
	tally_file(&t, path);
	assert_int_equal(t.requests, 2);
	free(workers);
}

/* Opened again after a stop, after a crash in the middle of a line, and when another schema wrote the beginning. */
static void appending(void **state)
{
	static const struct { const char *name, *tail; unsigned headers; } rows[] = {
		{ "stop", "", 1 },
		{ "crash", "req,17955", 1 },
	};
	char path[256], text[1 << 16];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		path_of(rows[i].name, path);
		for (unsigned round = 0; round < 2; round++) {
			struct access_log *log = log_open(path);
			struct worker *workers = workers_make(log);
			write_one(&workers[0], 5);
			access_log_close(&log);
			free(workers);
			int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
			if (round == 0)
				assert_int_equal(write(fd, rows[i].tail, strlen(rows[i].tail)), strlen(rows[i].tail));
			close(fd);
		}
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t len = read(fd, text, sizeof(text) - 1);
		close(fd);
		assert_true(len > 0);
		text[len] = '\0';
		unsigned headers = 0, whole = 0, broken = 0;
		char *rest = text;
		for (char *line; (line = strsep(&rest, "\n")) && *line; ) {
			unsigned commas = 0;
			for (const char *at = line; *at; at++)
				commas += *at == ',';
			headers += strncmp(line, "rec/", 4) == 0;
			whole += commas == LOG_FIELD_COUNT - 1;
			broken += commas != LOG_FIELD_COUNT - 1;
		}
		assert_int_equal(headers, rows[i].headers);
		assert_int_equal(whole, 3);
		assert_int_equal(broken, *rows[i].tail ? 1 : 0);
	}
	path_of("schema", path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "rec/0,a\nreq,1\n", 14), 14);
	close(fd);
	struct access_log *log = log_open(path);
	access_log_close(&log);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(len > 14 && memcmp(text + 14, "rec/1,", 6) == 0);
}

static void without_a_file_records_are_counted(void **state)
{
	(void)state;
	struct access_log *log = log_open("");
	struct worker *workers = workers_make(log);
	write_one(&workers[1], 1);
	write_note(log, REC_start);
	access_log_sync(log);
	assert_true(access_log_reopen(log));
	assert_int_equal(counted(workers), 1);
	assert_int_equal(access_log_lost(log), 0);
	access_log_close(&log);
	assert_null(log);
	free(workers);
}

static void a_file_that_cannot_be_opened_is_named(void **state)
{
	struct access_log *log = NULL;
	char why[256] = "", path[256];

	(void)state;
	path_of("nowhere/log", path);
	assert_false(access_log_open(path, WORKERS, "test", &log, why));
	assert_null(log);
	assert_non_null(strstr(why, "nowhere/log"));
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	static const char *const names[] = { "threads", "fifo", "small0", "small1", "small2", "small3", "small4", "rotate", "rotate.1", "sub.moved/log",
		"stop", "crash", "schema" };
	char path[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		path_of(names[i], path);
		unlink(path);
	}
	path_of("sub.moved", path);
	rmdir(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_is_a_line_or_told_as_lost),
		cmocka_unit_test(a_full_ring_makes_a_gap),
		cmocka_unit_test(dev_full_loses_all_and_counts_it),
		cmocka_unit_test(a_full_disk_cuts_no_line_and_is_told_when_it_is_over),
		cmocka_unit_test(reopening_splits_between_lines),
		cmocka_unit_test(a_reopen_that_fails_keeps_the_old_file),
		cmocka_unit_test(appending),
		cmocka_unit_test(without_a_file_records_are_counted),
		cmocka_unit_test(a_file_that_cannot_be_opened_is_named),
	};

	return cmocka_run_group_tests_name("proxyd_access_log", tests, setup, teardown);
}
