/* Following a file: every line exactly once and in order, whatever is done to the file meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../../logaudit/tail.h"
#include "../../logaudit/watch.h"

/* A folder with a log whose lines are "rec/1,..." headers and numbers that count up over all its files. */
struct world {
	char folder[32], path[64];
	int64_t next;                    /* the number of the line that is written next */
	int64_t expected;                /* the number that must be given next */
	unsigned rotations, headers, notes, begins;
	uint64_t given, odd;             /* lines; those that were too long or had no newline */
	struct tail tail;
	json_t *state;
};

static void on_begin(void *arg, const char *path)
{
	((struct world *)arg)->begins++;
	assert_non_null(path);
}

static bool on_line(void *arg, struct slice text, uint64_t number, enum input_trouble trouble)
{
	struct world *w = arg;

	(void)number;
	if (trouble != INPUT_none) {
		w->odd++;
		return true;
	}
	if (slice_starts(text, SLICE("rec/1"))) {
		w->headers++;
		return true;
	}
	w->given++;
	if (strtoll(text.ptr, NULL, 10) != w->expected) fail_msg("line %.*s, not %lld", SLICE_ARG(text), (long long)w->expected);
	w->expected++;
	return true;
}

static void on_note(void *arg, const char *text)
{
	((struct world *)arg)->notes++;
	assert_non_null(text);
}

static void append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void add_header(struct world *w)
{
	append(w->path, "rec/1,columns,columns,columns\n");
}

static void add_lines(struct world *w, int count)
{
	char text[64];

	for (int i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%lld,%0*d\n", (long long)w->next, (int)(w->next % 30) + 1, 0);
		append(w->path, text);
		w->next++;
	}
}

static char *numbered(const struct world *w, char out[96], unsigned i, const char *end)
{
	snprintf(out, 96, "%s.%u%s", w->path, i, end);
	return out;
}

/* As logrotate does: .1 becomes .2. */
static void shift(struct world *w)
{
	char from[96], to[96];

	for (unsigned i = 20; i-- > 1;) {
		rename(numbered(w, from, i, ""), numbered(w, to, i + 1, ""));
		rename(numbered(w, from, i, ".gz"), numbered(w, to, i + 1, ".gz"));
	}
	w->rotations++;
}

static void rotate(struct world *w)
{
	char to[96];

	shift(w);
	assert_int_equal(rename(w->path, numbered(w, to, 1, "")), 0);
}

static char *load(const char *path, size_t *ret_len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	text = must(malloc((size_t)st.st_size + 1));
	assert_int_equal(read(fd, text, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return text;
}

static void copy_and_cut(struct world *w)
{
	char to[96], *text;
	size_t len;
	int fd;

	shift(w);
	text = load(w->path, &len);
	fd = open(numbered(w, to, 1, ""), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
	free(text);
	assert_int_equal(truncate(w->path, 0), 0);
}

/* What gzip does: the new file has the old one's time. */
static void compress_one(struct world *w, unsigned i)
{
	char from[96], to[96], *text;
	struct stat st;
	struct timespec times[2];
	size_t len;
	gzFile gz;

	if (stat(numbered(w, from, i, ""), &st) != 0) return;
	text = load(from, &len);
	gz = gzopen(numbered(w, to, i, ".gz"), "wb");
	assert_int_equal(gzwrite(gz, text, (unsigned)len), len);
	gzclose(gz);
	free(text);
	times[0] = times[1] = st.st_mtim;
	utimensat(AT_FDCWD, to, times, 0);
	unlink(from);
}

static void world_make(struct world *w)
{
	*w = (struct world){ .folder = "/tmp/tail-XXXXXX" };
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/access.csv", w->folder);
	add_header(w);
}

static void world_open(struct world *w)
{
	const struct tail_calls calls = { on_begin, on_line, on_note, w };
	char why[256] = "";

	if (!tail_open(&w->tail, w->path, w->state, &calls, why)) fail_msg("%s", why);
}

static void world_close(struct world *w)
{
	json_decref(w->state);
	w->state = tail_save(&w->tail);
	tail_close(&w->tail);
}

static void world_drop(struct world *w)
{
	char name[96];

	json_decref(w->state);
	unlink(w->path);
	for (unsigned i = 1; i < 64; i++) {
		unlink(numbered(w, name, i, ""));
		unlink(numbered(w, name, i, ".gz"));
	}
	assert_int_equal(rmdir(w->folder), 0);
}

/* ---- one thing at a time ---- */

static void half_a_line_waits_for_its_rest(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_open(&w);
	append(w.path, "0,ab");
	tail_read(&w.tail);
	assert_int_equal(w.given, 0);
	/* A restart in the middle of it, too. */
	world_close(&w);
	world_open(&w);
	tail_read(&w.tail);
	append(w.path, "cd\n");
	assert_true(tail_read(&w.tail));
	assert_int_equal(w.given, 1);
	assert_false(tail_read(&w.tail));
	world_close(&w);
	world_drop(&w);
}

static void what_is_written_before_the_renaming_is_read(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_open(&w);
	add_lines(&w, 3);
	tail_read(&w.tail);
	add_lines(&w, 2);
	rotate(&w);
	/* The new file is there and empty, and the writer uses the old one yet. */
	append(w.path, "");
	tail_read(&w.tail);
	char old[96];
	append(numbered(&w, old, 1, ""), "5,late\n");
	w.next = 6;
	add_header(&w);
	add_lines(&w, 4);
	tail_read(&w.tail);
	assert_int_equal(w.given, 10);
	assert_int_equal(w.begins, 2);
	assert_int_equal(w.headers, 2);
	world_close(&w);
	world_drop(&w);
}

static void a_cut_file_that_has_grown_again_is_noticed(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_open(&w);
	add_lines(&w, 3);
	tail_read(&w.tail);
	add_lines(&w, 2);
	copy_and_cut(&w);
	add_header(&w);
	add_lines(&w, 50);               /* larger than before */
	tail_read(&w.tail);
	assert_int_equal(w.given, 55);
	world_close(&w);
	world_drop(&w);
}

static void a_cut_file_without_a_copy_is_told(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_open(&w);
	add_lines(&w, 3);
	tail_read(&w.tail);
	assert_int_equal(truncate(w.path, 0), 0);
	add_header(&w);
	add_lines(&w, 1);
	tail_read(&w.tail);
	assert_int_equal(w.given, 4);
	assert_int_equal(w.notes, 1);
	world_close(&w);
	world_drop(&w);
}

static void a_file_that_vanishes_is_waited_for(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_open(&w);
	add_lines(&w, 3);
	tail_read(&w.tail);
	add_lines(&w, 1);
	unlink(w.path);
	assert_true(tail_read(&w.tail));         /* what it had is read all the same */
	assert_false(tail_read(&w.tail));
	assert_int_equal(w.notes, 1);
	add_header(&w);
	add_lines(&w, 2);
	tail_read(&w.tail);
	assert_int_equal(w.notes, 2);
	assert_int_equal(w.given, 6);
	world_close(&w);
	world_drop(&w);
}

static void files_that_came_and_went_meanwhile_are_read(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	world_open(&w);
	add_lines(&w, 3);
	tail_read(&w.tail);
	world_close(&w);
	for (int i = 0; i < 3; i++) {
		add_lines(&w, 2);
		rotate(&w);
		add_header(&w);
		add_lines(&w, 1);
	}
	compress_one(&w, 3);
	compress_one(&w, 2);
	world_open(&w);
	tail_read(&w.tail);
	assert_int_equal(w.given, 12);
	assert_int_equal(w.expected, w.next);
	world_close(&w);
	world_drop(&w);
}

static void long_lines_are_cut_once(void **state)
{
	static char text[3 * LOG_LINE_MAX];
	struct world w;

	(void)state;
	world_make(&w);
	world_open(&w);
	add_lines(&w, 1);
	memset(text, 'x', sizeof(text) - 1);
	append(w.path, text);
	tail_read(&w.tail);
	world_close(&w);
	world_open(&w);
	append(w.path, "x\n");
	add_lines(&w, 1);
	tail_read(&w.tail);
	assert_int_equal(w.odd, 1);
	assert_int_equal(w.given, 2);
	world_close(&w);
	world_drop(&w);
}

static void states_that_are_none_are_refused(void **state)
{
	static const char *const changes[] = { "{\"version\": 2}", "{\"path\": \"/other\"}", "{\"offset\": -1}", "{\"offset\": \"1\"}", "{\"head\": {}}",
		"{\"head\": {\"len\": 5000, \"hash\": \"0000000000000000\"}}", "{\"head\": {\"len\": 1, \"hash\": \"x\"}}", "{\"earlier\": {}}", "{\"earlier\": [1]}",
		"{\"earlier\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "{\"header_at\": 4000000000000}", "{\"skipping\": 3}", "{\"lines\": null}" };
	const struct tail_calls calls = { on_begin, on_line, on_note, NULL };
	struct world w;
	struct tail tail;
	char why[256];

	(void)state;
	world_make(&w);
	world_open(&w);
	add_lines(&w, 3);
	tail_read(&w.tail);
	world_close(&w);
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		json_t *bad = json_deep_copy(w.state), *change = json_loads(changes[i], 0, NULL);
		assert_non_null(change);
		json_object_update(bad, change);
		why[0] = 0;
		if (tail_open(&tail, w.path, bad, &calls, why)) fail_msg("%s", changes[i]);
		tail_close(&tail);
		assert_true(why[0]);
		json_decref(bad);
		json_decref(change);
	}
	assert_false(tail_open(&tail, w.folder, NULL, &calls, why));
	assert_false(tail_open(&tail, "/nonexistent/access.csv", NULL, &calls, why));
	assert_false(tail_open(&tail, "/dev/null", NULL, &calls, why));
	world_drop(&w);
}

/* ---- everything together ---- */

/* Whatever is done, in whatever order, with or without a reader: each line once, in order. */
static void random_days_lose_nothing(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int day = 0; day < 60; day++) {
		struct world w;
		bool open = true;
		world_make(&w);
		add_lines(&w, 1);
		world_open(&w);
		for (int step = 0; step < 60 && w.rotations < 14; step++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			switch (seed >> 33 & 15) {
			case 0:
				rotate(&w);
				add_header(&w);
				add_lines(&w, 1);
				break;
			case 1:
				if (open) tail_read(&w.tail);    /* a copy is known by the first bytes that were read */
				copy_and_cut(&w);
				add_header(&w);
				add_lines(&w, 1);
				break;
			case 2: compress_one(&w, 1 + (unsigned)(seed >> 40 & 3)); break;
			case 3:
			case 4:
				if (open) world_close(&w);
				else world_open(&w);
				open = !open;
				break;
			case 5:
			case 6:
			case 7:
			case 8:
				if (open) tail_read(&w.tail);
				break;
			default: add_lines(&w, (int)(seed >> 40 & 7));
			}
		}
		if (!open) world_open(&w);
		tail_read(&w.tail);
		if (w.expected != w.next) fail_msg("day %d: %lld of %lld lines", day, (long long)w.expected, (long long)w.next);
		assert_int_equal(w.odd, 0);
		world_close(&w);
		world_drop(&w);
	}
}

static void watching_sees_what_happens_in_the_folder(void **state)
{
	struct world w;
	struct watch watch;

	(void)state;
	world_make(&w);
	watch_init(&watch, w.path);
	add_lines(&w, 1);
	/* An hour: it returns since something happened. */
	watch_wait(&watch, 3600 * 1000);
	rotate(&w);
	watch_wait(&watch, 3600 * 1000);
	watch_release(&watch);
	/* Without inotify it returns soon. */
	watch_init(&watch, "/nonexistent/access.csv");
	assert_int_equal(watch.fd, -1);
	watch_wait(&watch, 3600 * 1000);
	watch_release(&watch);
	world_drop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_a_line_waits_for_its_rest), cmocka_unit_test(what_is_written_before_the_renaming_is_read),
		cmocka_unit_test(a_cut_file_that_has_grown_again_is_noticed), cmocka_unit_test(a_cut_file_without_a_copy_is_told),
		cmocka_unit_test(a_file_that_vanishes_is_waited_for), cmocka_unit_test(files_that_came_and_went_meanwhile_are_read),
		cmocka_unit_test(long_lines_are_cut_once), cmocka_unit_test(states_that_are_none_are_refused),
		cmocka_unit_test(random_days_lose_nothing), cmocka_unit_test(watching_sees_what_happens_in_the_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
