/* Purges: what they concern to the byte, at once, for what is being filled too; counts; what is left of them after a restart,
 * a kill -9, and when nothing is left to purge. Meant for SAN=tsan too. */
#include "cachestore_help.h"
#include "../../cachestore/internal.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { INDEX = 32 };                                     /* flag of the tests' bookkeeping objects */

static const char *self;

struct answer { struct help_wait wait; enum store_err err; uint64_t objects; };

static void purged(void *arg, enum store_err err, uint64_t objects)
{
	struct answer *answer = arg;

	answer->err = err;
	answer->objects = objects;
	help_done(&answer->wait);
}

/* How many, or minus an error. */
static int64_t purge(struct volume *volume, enum purge_kind kind, bool soft, const char *text)
{
	struct store_purge order = { .kind = kind, .soft = soft, .text = slice_str(text) };
	struct answer answer = { .wait = HELP_WAIT };
	enum store_err err = volume_purge(volume, &order, purged, &answer);

	if (err != STORE_OK)
		return -(int64_t)err;
	help_join(&answer.wait);
	return answer.err ? -(int64_t)answer.err : (int64_t)answer.objects;
}

static struct object *begin(struct volume *volume, const char *text, const char *tags, uint32_t flags, const char *head)
{
	struct object_meta meta = { .status = 200, .flags = flags, .tags = slice_str(tags) };
	struct object *object = NULL;

	assert_int_equal(object_new(volume, help_key(text), slice_str(text), &meta, slice_str(head), 5, &object), STORE_OK);
	return object;
}

static enum store_err end(struct object *object)
{
	enum store_err err = object_append(object, "hello", 5);

	if (err == STORE_OK)
		err = object_finish(object);
	object_unref(&object);
	return err;
}

static void put(struct volume *volume, const char *text, const char *tags)
{
	assert_int_equal(end(begin(volume, text, tags, 0, "head")), STORE_OK);
}

/* 'f' fresh, 's' stale by a purge, '-' not there. */
static char look(struct volume *volume, const char *text)
{
	struct object *object = help_get(volume, text);
	char state = !object ? '-' : object_is_purged(object) ? 's' : 'f';

	object_unref(&object);
	return state;
}

static void looks(struct volume *volume, const char *want, const char *const texts[])
{
	char have[64] = "";

	for (size_t i = 0; want[i]; i++)
		have[i] = look(volume, texts[i]);
	assert_string_equal(have, want);
}

static size_t related(struct slice head, struct store_key *keys, size_t room)
{
	size_t count = 0;
	char text[64];

	for (const char *at = head.ptr, *last = head.ptr + head.len; at < last && count < room; at += 2) {
		snprintf(text, sizeof(text), "http://a/v\n%c", *at);
		keys[count++] = help_key(text);
	}
	return count;
}

static struct store_config config_make(const char *path, uint64_t ram)
{
	struct store_config config = help_config(path, 16 * MB);

	config.ram = ram;
	config.batch_us = 1000;
	config.bookkeeping_flags = INDEX;
	config.related = related;
	return config;
}

/* Each of the rows in a volume of its own, once with everything in memory and once with everything on disk. */
static const char *const pages[] = { "http://a/items", "http://a/items2", "http://a/items/1", "http://b/items", "http://a/v", "http://a/v\nx",
	"http://a/v\ny", "http://a/v2" };
static const struct { enum purge_kind kind; const char *text, *after; int64_t count; } rows[] = {
	{ PURGE_KEY,    "http://a/items",  "-fffffff", 1 },
	{ PURGE_KEY,    "http://a/item",   "ffffffff", 0 },
	{ PURGE_KEY,    "http://a/v",      "ffff---f", 2 },       /* the index is no object, its variants are */
	{ PURGE_PREFIX, "http://a/items",  "---fffff", 3 },
	{ PURGE_PREFIX, "http://a/items/", "ff-fffff", 1 },
	{ PURGE_PREFIX, "http://a/v\x01",  "ffffffff", 0 },
	{ PURGE_PREFIX, "http://a/",       "---f----", 6 },
	{ PURGE_PREFIX, "",                "--------", 7 },
	{ PURGE_TAG,    "/items",          "--ffffff", 2 },       /* exact: not /items2, not /item */
	{ PURGE_TAG,    "/items2",         "f-ffffff", 1 },
	{ PURGE_TAG,    "/item",           "ffffffff", 0 },
	{ PURGE_TAG,    "",                "ffffffff", 0 },
	{ PURGE_TAG,    "variant y",       "ffffff-f", 1 },
	{ PURGE_TAG,    "/ITEMS",          "ffffffff", 0 },
};

static void fill(struct volume *volume)
{
	put(volume, pages[0], "/items\nall\n");
	put(volume, pages[1], "all\n/items2\n/items\n");
	put(volume, pages[2], "/items/1\nx/items\n/items\t\n");
	put(volume, pages[3], "");
	assert_int_equal(end(begin(volume, pages[4], "", INDEX, "x y ")), STORE_OK);
	put(volume, pages[5], "");
	put(volume, pages[6], "variant y\n");
	put(volume, pages[7], "unfinished");                     /* no line end: no tag */
}

static void try_row(size_t row, uint64_t ram, bool soft, bool reopen)
{
	char *path = help_folder(), want[16];
	struct store_config config = config_make(path, ram);
	struct volume *volume = help_open(&config);

	fill(volume);
	volume_flush(volume);
	looks(volume, "ffffffff", pages);
	strcpy(want, rows[row].after);
	for (size_t i = 0; soft && want[i]; i++)
		want[i] = want[i] == 'f' || i == 4 ? 'f' : 's';   /* the index is no answer: it does not get stale */
	assert_int_equal(purge(volume, rows[row].kind, soft, rows[row].text), rows[row].count);
	looks(volume, want, pages);
	if (reopen) {
		volume_close(&volume);
		volume = help_open(&config);
		looks(volume, want, pages);
	}
	fill(volume);                                            /* what comes later is fresh */
	volume_flush(volume);
	looks(volume, "ffffffff", pages);
	assert_int_equal(help_stat(volume).purges, reopen ? 0 : 1);
	assert_int_equal(help_stat(volume).dropped_error, 0);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

static void each_kind_takes_exactly_its_own(void **state)
{
	(void)state;
	for (size_t row = 0; row < COUNT_OF(rows); row++)
		for (int how = 0; how < 8; how++)
			try_row(row, how & 1 ? 4 * MB : 0, how & 2, how & 4);
}

static void what_is_voided_on_its_way_is_not_stored(void **state)
{
	static const struct { const char *text; enum store_err err; } voided[] = {
		{ "http://a/1", STORE_PURGED }, { "http://a/1\naccept-language\nen\n", STORE_PURGED },
		{ "http://a/1?x", STORE_OK }, { "http://a/", STORE_OK }, { "http://a/11\nx", STORE_OK },
	};
	char *path = help_folder();
	struct store_config config = config_make(path, 4 * MB);
	struct volume *volume = help_open(&config);
	struct object *objects[COUNT_OF(voided)];
	struct object_meta meta = { .status = 200, .asked = volume_void_clock(volume) };
	(void)state;

	for (size_t i = 0; i < COUNT_OF(voided); i++)
		objects[i] = begin(volume, voided[i].text, "", 0, "head");
	volume_void(volume, help_key("http://a/1"));
	for (size_t i = 0; i < COUNT_OF(voided); i++) {
		assert_int_equal(object_is_purged(objects[i]), voided[i].err == STORE_PURGED);
		assert_int_equal(end(objects[i]), voided[i].err);
		assert_int_equal(look(volume, voided[i].text), voided[i].err ? '-' : 'f');
	}
	/* Asked for before, come after; and asked for after. */
	assert_int_equal(object_new(volume, help_key("http://a/1"), slice_str("http://a/1"), &meta, SLICE("h"), 5, &objects[0]), STORE_OK);
	assert_int_equal(end(objects[0]), STORE_PURGED);
	meta.asked = volume_void_clock(volume);
	assert_int_equal(object_new(volume, help_key("http://a/1"), slice_str("http://a/1"), &meta, SLICE("h"), 5, &objects[0]), STORE_OK);
	assert_int_equal(end(objects[0]), STORE_OK);
	assert_int_equal(look(volume, "http://a/1"), 'f');
	volume_close(&volume);
	help_remove(path);
	free(path);
}

static void what_is_being_filled_is_not_stored(void **state)
{
	char *path = help_folder();
	struct store_config config = config_make(path, 4 * MB);
	struct volume *volume = help_open(&config);
	struct object_meta meta = { .status = 200 };
	struct object *object, *stored, *fresh;
	(void)state;

	put(volume, "http://a/1", "");
	for (int soft = 0; soft < 2; soft++) {
		object = begin(volume, "http://a/2", "t\n", 0, "head");
		assert_false(object_is_purged(object));
		assert_int_equal(purge(volume, PURGE_TAG, soft, "t"), 0);
		assert_true(object_is_purged(object));
		assert_int_equal(end(object), STORE_PURGED);
		assert_int_equal(look(volume, "http://a/2"), '-');
	}
	/* The origin was asked before the purge, its answer came after. */
	meta.born = volume_purge_clock(volume);
	assert_int_equal(purge(volume, PURGE_PREFIX, true, "http://a/"), 1);
	assert_int_equal(object_new(volume, help_key("http://a/3"), slice_str("http://a/3"), &meta, SLICE("h"), 5, &object), STORE_OK);
	assert_true(object_is_purged(object));
	assert_int_equal(end(object), STORE_PURGED);
	/* So a 304 that was asked for before renews nothing; one that was asked for now does. */
	stored = help_get(volume, "http://a/1");
	assert_true(object_is_purged(stored));
	assert_int_equal(object_refresh(stored, &meta, SLICE("new"), &fresh), STORE_PURGED);
	object_unref(&fresh);
	assert_int_equal(look(volume, "http://a/1"), 's');
	meta.born = volume_purge_clock(volume);
	assert_int_equal(object_refresh(stored, &meta, SLICE("new"), &fresh), STORE_OK);
	object_unref(&fresh);
	object_unref(&stored);
	assert_int_equal(look(volume, "http://a/1"), 'f');
	assert_int_equal(purge(volume, PURGE_KEY, false, "http://a/1"), 1);
	assert_int_equal(look(volume, "http://a/1"), '-');
	assert_true(volume_was_purged(volume, help_key("http://a/1")));
	assert_false(volume_was_purged(volume, help_key("http://a/1")));
	assert_false(volume_was_purged(volume, help_key("http://a/9")));
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* The second comes as soon as the first is acknowledged: while what the first concerned is taken out. */
struct next { struct volume *volume; struct answer first, second; };

static void purge_the_rest(void *arg, enum store_err err, uint64_t objects)
{
	struct store_purge order = { .kind = PURGE_PREFIX, .text = SLICE("http://b/") };
	struct next *next = arg;

	CHECK(volume_purge(next->volume, &order, purged, &next->second) == STORE_OK);
	purged(&next->first, err, objects);
}

static void what_another_purge_has_not_counted_yet_is_not_taken_out(void **state)
{
	struct store_purge order = { .kind = PURGE_PREFIX, .text = SLICE("http://a/") };
	char *path = help_folder();
	struct store_config config = config_make(path, 4 * MB);
	struct next next = { .first = { .wait = HELP_WAIT }, .second = { .wait = HELP_WAIT } };
	char text[32];

	(void)state;
	next.volume = help_open(&config);
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "http://%c/%d", i % 4 ? 'b' : 'a', i);
		put(next.volume, text, "");
	}
	volume_flush(next.volume);
	assert_int_equal(volume_purge(next.volume, &order, purge_the_rest, &next), STORE_OK);
	help_join(&next.first.wait);
	help_join(&next.second.wait);
	assert_int_equal(next.first.objects, 500);
	assert_int_equal(next.second.objects, 1500);
	for (int i = 0; i < 1000 && help_stat(next.volume).objects > 0; i++)
		assert_true(purge(next.volume, PURGE_PREFIX, false, "http://c/") >= 0);
	assert_int_equal(help_stat(next.volume).objects, 0);
	volume_close(&next.volume);
	help_remove(path);
	free(path);
}

/* A pass that drops comes after each hard purge of a prefix: it lets go of rules, that purge's own too. */
static void rules_await(struct volume *volume, uint64_t count)
{
	for (int i = 0; i < 1000 && help_stat(volume).purge_rules != count; i++) {
		assert_int_equal(purge(volume, PURGE_PREFIX, false, "none"), 0);
		for (int wait = 0; wait < 20 && help_stat(volume).purge_rules != count; wait++)
			usleep(1000);
	}
	assert_int_equal(help_stat(volume).purge_rules, count);
}

static void rules_go_when_nothing_is_left_or_a_wider_one_comes(void **state)
{
	char *path = help_folder();
	struct store_config config = config_make(path, 4 * MB);
	struct volume *volume;
	struct object *late;
	(void)state;

	config.purge_keep_us = 1;
	volume = help_open(&config);
	fill(volume);
	late = begin(volume, "http://c/", "", 0, "head");
	assert_int_equal(purge(volume, PURGE_TAG, true, "/items"), 2);
	assert_int_equal(purge(volume, PURGE_PREFIX, true, "http://a/items"), 3);
	assert_int_equal(purge(volume, PURGE_PREFIX, true, "http://c/"), 0);
	rules_await(volume, 2);
	looks(volume, "sssfffff", pages);
	/* The rule has gone, and nobody can tell any more: not stored. */
	assert_int_equal(end(late), STORE_PURGED);
	put(volume, pages[0], "");
	put(volume, pages[1], "");
	put(volume, pages[2], "");
	rules_await(volume, 0);
	looks(volume, "ffffffff", pages);
	/* As on disk. */
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).purge_rules, 0);
	looks(volume, "ffffffff", pages);
	config.purge_keep_us = 0;
	volume_close(&volume);
	volume = help_open(&config);
	assert_int_equal(purge(volume, PURGE_PREFIX, true, "http://a/items/"), 1);
	assert_int_equal(purge(volume, PURGE_KEY, true, "http://a/items2"), 1);
	assert_int_equal(purge(volume, PURGE_TAG, true, "variant y"), 1);
	assert_int_equal(purge(volume, PURGE_PREFIX, true, "http://a/"), 6);
	assert_int_equal(purge(volume, PURGE_PREFIX, true, ""), 7);
	for (int i = 0; i < 1000 && help_stat(volume).purge_rules > 1; i++)
		usleep(1000);
	assert_int_equal(help_stat(volume).purge_rules, 1);
	looks(volume, "ssssfsss", pages);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

static void rules_are_bounded(void **state)
{
	char *path = help_folder(), text[64];
	struct store_config config = config_make(path, 1 * MB);
	struct store_purge order = { .kind = PURGE_TAG, .soft = true };
	struct volume *volume;
	struct answer answer = { .wait = HELP_WAIT };
	enum store_err err = STORE_OK;
	uint64_t made = 0;
	(void)state;

	config.size = 4 * MB;
	volume = help_open(&config);
	put(volume, "http://a/", "tag 1\n");
	volume_flush(volume);
	while (made < 100000 && err == STORE_OK) {
		order.text = slice_make(text, (size_t)snprintf(text, sizeof(text), "tag %llu", (unsigned long long)made));
		if ((err = volume_purge(volume, &order, purged, &answer)) == STORE_OK) {
			help_join(&answer.wait);
			made++;
		}
	}
	assert_int_equal(err, STORE_RULES_FULL);
	assert_int_equal(made, help_stat(volume).purge_rules_max);
	assert_int_equal(look(volume, "http://a/"), 's');
	assert_int_equal(purge(volume, PURGE_TAG, true, "tag 1"), 1);          /* one that is there may come again */
	assert_int_equal(purge(volume, PURGE_PREFIX, true, ""), 1);            /* all is always possible, and makes room */
	for (int i = 0; i < 1000 && help_stat(volume).purge_rules > 1; i++)
		usleep(1000);
	assert_int_equal(help_stat(volume).purge_rules, 1);
	assert_int_equal(purge(volume, PURGE_TAG, true, "new"), 0);
	assert_int_equal(purge(volume, PURGE_KEY, true, "two\nlines"), -(int)STORE_TOO_LARGE);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* ---- other starts ---- */

static void file_write(const char *folder, const char *name, const char *text)
{
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	out = must(fopen(path, "w"));
	fputs(text, out);
	fclose(out);
}

/* As after a power cut: the index is copied record by record, and the purges with it. */
static void purges_are_saved_with_the_index(void **state)
{
	char *path = help_folder();
	struct store_config config = config_make(path, 0);
	struct volume *volume = help_open(&config);
	(void)state;

	fill(volume);
	assert_int_equal(purge(volume, PURGE_TAG, true, "/items"), 2);
	assert_int_equal(purge(volume, PURGE_KEY, true, "http://b/items"), 1);
	volume_close(&volume);
	for (int crash = 0; crash < 3; crash++) {
		file_write(path, "volume", "cachestore volume\nformat 2\nstate dirty\nboot 00000000-0000-0000-0000-000000000000\n");
		volume = help_open(&config);
		assert_int_equal(help_stat(volume).purge_rules, 2);
		looks(volume, "ssfsffff", pages);
		volume_close(&volume);
	}
	/* Smaller: the index is written anew. */
	config.size = 8 * MB;
	volume = help_open(&config);
	assert_int_equal(help_stat(volume).purge_rules, 2);
	looks(volume, "ssfsffff", pages);
	put(volume, pages[0], "/items\n");
	assert_int_equal(look(volume, pages[0]), 'f');
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* A purge that cannot be read any more would bring back what it purged: the volume starts empty, and says so. */
static void a_damaged_purge_is_a_damaged_index(void **state)
{
	char *path = help_folder(), index[512], why[256] = "";
	struct store_config config = config_make(path, 0);
	struct volume *volume = help_open(&config);
	struct env env;
	MDB_val name, value;
	MDB_txn *txn = NULL;
	MDB_cursor *cursor;
	MDB_dbi table;
	(void)state;

	fill(volume);
	assert_int_equal(purge(volume, PURGE_TAG, true, "/items"), 2);
	volume_close(&volume);
	snprintf(index, sizeof(index), "%s/index", path);
	assert_int_equal(env_make(&env, index, 4 * MB, 0), 0);
	assert_int_equal(mdb_txn_begin(env.env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "rules", 0, &table), 0);
	assert_int_equal(mdb_cursor_open(txn, table, &cursor), 0);
	assert_int_equal(mdb_cursor_get(cursor, &name, &value, MDB_FIRST), 0);
	char *changed = must(malloc(value.mv_size));
	memcpy(changed, value.mv_data, value.mv_size);
	changed[value.mv_size - 1] ^= 1;
	value.mv_data = changed;
	assert_int_equal(mdb_cursor_put(cursor, &name, &value, MDB_CURRENT), 0);
	mdb_cursor_close(cursor);
	assert_int_equal(mdb_txn_commit(txn), 0);
	env_close(&env);
	free(changed);
	assert_int_equal(volume_open(&config, &volume, why), STORE_DAMAGED);
	looks(volume, "--------", pages);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* ---- kill -9 ---- */

/* The child: puts, purges, says so, and waits to be killed. */
static int child(const char *path, int how)
{
	struct store_config config = config_make(path, how & 1 ? 4 * MB : 0);
	struct volume *volume = NULL;
	char count;

	CHECK(volume_open(&config, &volume, NULL) == STORE_OK);
	fill(volume);
	volume_flush(volume);
	count = (char)purge(volume, (enum purge_kind)(how / 4 % 3), how & 2, how / 4 % 3 == PURGE_TAG ? "/items" : how / 4 % 3 == PURGE_KEY ? "http://a/items"
		: "http://a/items");
	CHECK(write(STDOUT_FILENO, &count, 1) == 1);
	for (;;)
		pause();
}

static void an_acknowledged_purge_survives_kill_9(void **state)
{
	static const char *const after[] = { [PURGE_KEY] = "-fffffff", [PURGE_PREFIX] = "---fffff", [PURGE_TAG] = "--ffffff" };
	(void)state;

	for (int how = 0; how < 12; how++) {
		char *path = help_folder(), number[16], count, want[16];
		struct store_config config = config_make(path, 4 * MB);
		struct volume *volume;
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		snprintf(number, sizeof(number), "%d", how);
		pid = fork();
		if (pid == 0) {
			dup2(fds[1], STDOUT_FILENO);
			execl(self, self, "child", path, number, (char *)NULL);
			_exit(127);
		}
		close(fds[1]);
		assert_int_equal(read(fds[0], &count, 1), 1);
		kill(pid, SIGKILL);
		close(fds[0]);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		volume = help_open(&config);
		strcpy(want, after[how / 4 % 3]);
		for (size_t i = 0; want[i]; i++)
			want[i] = want[i] == '-' && how & 2 ? 's' : want[i];
		looks(volume, want, pages);
		assert_int_equal(count, how / 4 % 3 == PURGE_KEY ? 1 : how / 4 % 3 == PURGE_PREFIX ? 3 : 2);
		fill(volume);
		looks(volume, "ffffffff", pages);
		volume_close(&volume);
		help_remove(path);
		free(path);
	}
}

/* ---- many threads ---- */

enum { THREADS = 3, KEYS = 40, ROUNDS = 60 };
static struct volume *shared;
static atomic_uint_fast64_t confirmed;                   /* purges of everything that have returned */
static atomic_bool over;

/* Fetches what is missing or stale, as a proxy does; nothing fresh may be older than a purge that was made before the look. */
static void *serve(void *arg)
{
	unsigned random = (unsigned)(uintptr_t)arg;
	uint64_t served = 0;

	while (!atomic_load(&over)) {
		uint64_t purges = atomic_load(&confirmed);
		struct object_meta meta = { .status = 200, .tags = SLICE("t\nu\n") };
		struct object *object;
		char text[32];

		random = random * 1103515245 + 12345;
		snprintf(text, sizeof(text), "http://a/%u", random / 65536 % KEYS);
		object = help_get(shared, text);
		if (object && !object_is_purged(object)) {
			CHECK(object_meta(object)->born >= purges);
			served++;
		} else {
			meta.born = volume_purge_clock(shared);
			object_unref(&object);
			CHECK(object_new(shared, help_key(text), slice_str(text), &meta, SLICE("h"), 5, &object) == STORE_OK);
			if (object_append(object, "hello", 5) == STORE_OK)
				object_finish(object);
		}
		object_unref(&object);
	}
	CHECK(served > 0);
	return NULL;
}

static void a_purge_holds_for_every_thread_at_once(void **state)
{
	static const char *const texts[] = { [PURGE_KEY] = "http://a/1", [PURGE_PREFIX] = "http://", [PURGE_TAG] = "u" };
	char *path = help_folder();
	struct store_config config = config_make(path, 2 * MB);
	pthread_t threads[THREADS];
	(void)state;

	config.purge_keep_us = 5000000;
	shared = help_open(&config);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, serve, (void *)(i + 1)), 0);
	for (int round = 0; round < ROUNDS; round++) {
		enum purge_kind kind = (enum purge_kind)(round % 3);
		uint64_t clock;

		assert_true(purge(shared, kind, round % 2, texts[kind]) >= 0);
		clock = volume_purge_clock(shared);
		if (kind != PURGE_KEY)
			atomic_store(&confirmed, clock);
		usleep(2000);
	}
	atomic_store(&over, true);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_true(help_stat(shared).purge_rules <= 3);
	volume_close(&shared);
	help_remove(path);
	free(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_takes_exactly_its_own),
		cmocka_unit_test(what_another_purge_has_not_counted_yet_is_not_taken_out),
		cmocka_unit_test(what_is_being_filled_is_not_stored),
		cmocka_unit_test(what_is_voided_on_its_way_is_not_stored),
		cmocka_unit_test(rules_go_when_nothing_is_left_or_a_wider_one_comes),
		cmocka_unit_test(rules_are_bounded),
		cmocka_unit_test(purges_are_saved_with_the_index),
		cmocka_unit_test(a_damaged_purge_is_a_damaged_index),
		cmocka_unit_test(an_acknowledged_purge_survives_kill_9),
		cmocka_unit_test(a_purge_holds_for_every_thread_at_once),
	};

	self = argv[0];
	if (argc == 4 && strcmp(argv[1], "child") == 0)
		return child(argv[2], atoi(argv[3]));
	return cmocka_run_group_tests_name("cachestore: purge", tests, NULL, NULL);
}
