/* Looking at a volume from outside: what is there, which block is whose, and that the one who has it open is not disturbed. */
#include <lmdb.h>
#include <signal.h>
#include <sys/wait.h>

#include "cachestore_help.h"
#include "../../cachestore/inspect.h"
#include "../../cachestore/inspect_internal.h"

enum { OBJECTS = 700 };                      /* more than two slices */

static char *folder;

static int setup(void **state)
{
	(void)state;
	folder = help_folder();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	help_remove(folder);
	free(folder);
	return 0;
}

static size_t size_of(int i)
{
	return (size_t)(i * 37 % 20000);
}

static void fill(struct volume *volume)
{
	char text[32];

	for (int i = 0; i < OBJECTS; i++) {
		snprintf(text, sizeof(text), "key-%d", i);
		assert_int_equal(help_put(volume, text, (uint64_t)i, size_of(i)), STORE_OK);
	}
	volume_flush(volume);
}

/* ---- pure parts ---- */

static void runs_of_free_blocks_are_counted(void **state)
{
	static const struct { const char *owners; uint64_t used, runs, largest, one, two, four; const char *why; } rows[] = {
		{ "", 0, 0, 0, 0, 0, 0, "no block at all" },
		{ "x", 1, 0, 0, 0, 0, 0, "one, used" },
		{ ".", 0, 1, 1, 1, 0, 0, "one, free" },
		{ "..x.", 1, 2, 2, 1, 1, 0, "at both ends" },
		{ "...x", 1, 1, 3, 0, 1, 0, "three are of the power two" },
		{ "x....xx.x..x", 5, 3, 4, 1, 1, 1, "one of each" },
		{ "xxxx", 4, 0, 0, 0, 0, 0, "full" },
		{ ".......", 0, 1, 7, 0, 0, 1, "empty: seven are of the power four" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		uint32_t owners[16], total = (uint32_t)strlen(rows[i].owners);
		struct inspect_runs runs;

		for (uint32_t n = 0; n < total; n++)
			owners[n] = rows[i].owners[n] == 'x' ? n + 7 : 0;
		inspect_runs_count(owners, total, &runs);
		if (runs.total != total || runs.used != rows[i].used || runs.runs != rows[i].runs || runs.largest != rows[i].largest
			|| runs.by_power[0] != rows[i].one || runs.by_power[1] != rows[i].two || runs.by_power[2] != rows[i].four)
			fail_msg("'%s': %s", rows[i].owners, rows[i].why);
	}
}

static void a_block_of_two_keys_is_told(void **state)
{
	struct extent first[] = { { 2, 4 } }, second[] = { { 10, 1 }, { 5, 2 } }, beyond[] = { { 15, 9 } };
	struct inspect_object a = { .generation = 7, .key = { 1, 1 }, .extents = first, .extent_count = 1 };
	struct inspect_object again = { .generation = 8, .key = { 1, 1 }, .extents = first, .extent_count = 1 };
	struct inspect_object b = { .generation = 9, .key = { 2, 2 }, .extents = second, .extent_count = 2 };
	struct inspect_object c = { .generation = 10, .key = { 3, 3 }, .extents = beyond, .extent_count = 1 };
	struct inspect_blocks *blocks = inspect_blocks_new(16 * 4096);
	struct inspect_runs runs;
	uint32_t block = 0;

	(void)state;
	assert_int_equal(inspect_blocks_claim(blocks, &a, &block), 0);
	assert_int_equal(inspect_blocks_claim(blocks, &again, &block), 0);   /* refreshed: the same key */
	assert_int_equal(inspect_blocks_claim(blocks, &b, &block), 8);
	assert_int_equal(block, 5);
	assert_int_equal(inspect_blocks_claim(blocks, &c, &block), 0);   /* what is outside is nobody's */
	inspect_blocks_runs(blocks, &runs);
	assert_true(runs.total == 16 && runs.used == 7 && runs.runs == 3 && runs.largest == 4);
	inspect_blocks_free(&blocks);
	assert_null(blocks);
}

/* ---- a volume ---- */

struct seen { struct inspect *inspect; bool there[OBJECTS]; int count, wrong; };

static void object_seen(void *arg, const struct inspect_object *object)
{
	struct seen *seen = arg;
	char text[32];
	int i = -1;

	seen->count++;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(object->key_text));
	if (object->damage || sscanf(text, "key-%d", &i) != 1 || i < 0 || i >= OBJECTS || seen->there[i]
		|| object->body_size != size_of(i) || inspect_body(seen->inspect, object, NULL, NULL) != INSPECT_WHOLE)
		seen->wrong++;
	else
		seen->there[i] = true;
}

static int all_seen(struct inspect *inspect)
{
	struct seen seen = { .inspect = inspect };
	bool more = true;

	while (more)
		if (inspect_next(inspect, object_seen, &seen, &more) != STORE_OK)
			return 100;
	return seen.count == OBJECTS && seen.wrong == 0 ? 0 : 101;
}

static int look_at_all(void *arg)
{
	struct inspect *inspect = NULL;
	struct inspect_index index;
	char why[256];
	int code;

	if (inspect_open(folder, &inspect, why) != STORE_OK)
		return 99;
	code = all_seen(inspect);
	if (code == 0 && (inspect_index(inspect, &index) != STORE_OK || index.records != OBJECTS || index.lost > 0 || index.wrong > 0
			|| index.used + index.free + index.untouched != index.map))
		code = 102;
	if (code == 0 && inspect_is_registered(inspect) != *(bool *)arg)
		code = 103;
	inspect_close(&inspect);
	return code;
}

static void all_is_seen_open_or_closed(void **state)
{
	struct store_config config = help_config(folder, 32 * MB);
	struct volume *volume = help_open(&config);
	struct inspect_folder look;
	bool open = true;
	char why[256];
	int code = -1;

	(void)state;
	fill(volume);
	assert_int_equal(inspect_guard(look_at_all, &open, &code), STORE_OK);
	assert_int_equal(code, 0);
	volume_close(&volume);
	open = false;
	assert_int_equal(inspect_look(folder, &look, why), STORE_OK);
	assert_string_equal(look.state, "clean");
	assert_int_equal(look.open_by, 0);
	assert_int_equal(inspect_guard(look_at_all, &open, &code), STORE_OK);
	assert_int_equal(code, 0);
}

/* ---- who disturbs whom ---- */

static int pipe_in[2], pipe_out[2];

static void stall(void)
{
	char byte;

	CHECK(write(pipe_out[1], "x", 1) == 1);
	CHECK(read(pipe_in[0], &byte, 1) >= 0);       /* the test closes it */
}

static void stalled_visit(void *arg, const struct inspect_object *object)
{
	bool *done = arg;

	(void)object;
	if (!*done)
		stall();
	*done = true;
}

/* A reader that stands still between two looks. */
static void stalled_inspect(void)
{
	struct inspect *inspect = NULL;
	bool done = false, more;
	char why[256];

	CHECK(inspect_open(folder, &inspect, why) == STORE_OK);
	CHECK(inspect_next(inspect, stalled_visit, &done, &more) == STORE_OK);
}

/* One that holds its pages. */
static void stalled_reader(void)
{
	char path[600];
	MDB_env *env;
	MDB_txn *txn;

	snprintf(path, sizeof(path), "%s/index", folder);
	CHECK(mdb_env_create(&env) == 0 && mdb_env_open(env, path, MDB_RDONLY | MDB_NOSUBDIR, 0) == 0 && mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0);
	stall();
}

static pid_t begin(void (*run)(void))
{
	char byte;
	pid_t pid;

	CHECK(pipe(pipe_in) == 0 && pipe(pipe_out) == 0);
	pid = fork();
	if (pid == 0) {
		close(pipe_in[1]);
		run();
		_exit(0);
	}
	close(pipe_in[0]);
	CHECK(read(pipe_out[0], &byte, 1) == 1);
	return pid;
}

static void end(pid_t pid)
{
	close(pipe_in[1]);
	close(pipe_out[0]);
	close(pipe_out[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static pid_t expected;

static int oldest_is(void *arg)
{
	struct inspect *inspect = NULL;
	uint64_t behind = 0;
	char why[256];
	pid_t pid = -1;
	int code;

	if (inspect_open(folder, &inspect, why) != STORE_OK || inspect_oldest_reader(inspect, &pid, &behind) != STORE_OK)
		return 99;
	code = pid != expected ? 100 : behind < *(uint64_t *)arg ? 101 : 0;
	inspect_close(&inspect);
	return code;
}

static void the_oldest_reader_is_named_and_it_is_none_of_ours(void **state)
{
	struct store_config config = help_config(folder, 8 * MB);
	struct volume *volume = help_open(&config);
	uint64_t behind = 0;
	char text[32];
	int code = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(help_put(volume, "one", 1, 100), STORE_OK);
	volume_flush(volume);
	pid = begin(stalled_inspect);
	expected = 0;
	assert_int_equal(inspect_guard(oldest_is, &behind, &code), STORE_OK);
	assert_int_equal(code, 0);
	end(pid);
	pid = expected = begin(stalled_reader);
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "next-%d", i);
		assert_int_equal(help_put(volume, text, 2, 100), STORE_OK);
		volume_flush(volume);
	}
	behind = 5;
	assert_int_equal(inspect_guard(oldest_is, &behind, &code), STORE_OK);
	assert_int_equal(code, 0);
	end(pid);
	volume_close(&volume);
}

/* ---- what changes meanwhile ---- */

struct late { struct inspect *inspect; int stalled, body; };

/* The record is held; when the owner has written other bodies over its own, it is read. */
static void late_visit(void *arg, const struct inspect_object *object)
{
	struct late *late = arg;

	if (late->stalled++ > 0)
		return;
	stall();
	late->body = (int)inspect_body(late->inspect, object, NULL, NULL);
}

static void late_inspect(void)
{
	struct late late = { .body = -1 };
	char why[256];
	bool more;

	CHECK(inspect_open(folder, &late.inspect, why) == STORE_OK);
	CHECK(inspect_next(late.inspect, late_visit, &late, &more) == STORE_OK);
	_exit(late.body);
}

static void an_object_that_leaves_while_it_is_read_is_not_wrong(void **state)
{
	struct store_config config = help_config(folder, 8 * MB);
	struct volume *volume = help_open(&config);
	char text[32];
	int status = -1;
	pid_t pid;

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "key-%d", i);
		assert_int_equal(help_put(volume, text, (uint64_t)i, 50000), STORE_OK);
	}
	volume_flush(volume);
	pid = begin(late_inspect);
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "key-%d", i);
		assert_true(volume_drop(volume, help_key(text), NULL));
	}
	for (int i = 0; i < 600; i++) {               /* several volumes of it */
		snprintf(text, sizeof(text), "other-%d", i);
		assert_int_equal(help_put(volume, text, (uint64_t)(1000 + i), 50000), STORE_OK);
	}
	volume_flush(volume);
	close(pipe_in[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipe_out[0]);
	close(pipe_out[1]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), INSPECT_GONE);
	volume_close(&volume);
}

/* ---- the guard ---- */

static int dies(void *arg)
{
	raise(*(int *)arg);
	return 0;
}

static int returns(void *arg)
{
	return *(int *)arg;
}

static void whoever_dies_of_it_is_told(void **state)
{
	static const struct { int signal; enum store_err want; } rows[] = { { SIGSEGV, STORE_DAMAGED }, { SIGBUS, STORE_DAMAGED },
		{ SIGABRT, STORE_DAMAGED }, { SIGKILL, STORE_SYSTEM } };
	int code = 77, number;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		number = rows[i].signal;
		assert_int_equal(inspect_guard(dies, &number, &code), rows[i].want);
		assert_int_equal(code, 77);
	}
	number = 42;
	assert_int_equal(inspect_guard(returns, &number, &code), STORE_OK);
	assert_int_equal(code, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_of_free_blocks_are_counted),
		cmocka_unit_test(a_block_of_two_keys_is_told),
		cmocka_unit_test_setup_teardown(all_is_seen_open_or_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_reader_is_named_and_it_is_none_of_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(an_object_that_leaves_while_it_is_read_is_not_wrong, setup, teardown),
		cmocka_unit_test(whoever_dies_of_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
