/* The cleaner: an index full of small objects stays dense whatever the order in which they leave, and nobody notices that
 * records move: not who holds an object, not a purge that counts, not a start after a crash between the two commits. */
#include "cachestore_help.h"

#include <signal.h>
#include <sys/wait.h>

#include "../../cachestore/internal.h"

enum { SIZE = 16, KEPT = 40, BODY = 100, FLUSH_EVERY = 50, MIN_OBJECTS = 720 /* 627 when nothing is moved */ };

static uint64_t random_state = 1;

static uint64_t random_next(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return random_state >> 33;
}

static void key_of(uint64_t number, char text[64])
{
	snprintf(text, 64, "http://example.org/%llu", (unsigned long long)number);
}

/* A head of 300 bytes, every tenth of 3000, which lies in a table of its own. */
static void head_of(uint64_t number, char head[3000], struct slice *ret_head)
{
	memset(head, 'a' + (int)(number % 26), 3000);
	*ret_head = slice_make(head, number % 10 == 0 ? 3000 : 300);
}

static void put_small(struct volume *volume, uint64_t number)
{
	char text[64], head_room[3000], body[BODY];
	struct object_meta meta = help_meta(number);
	struct object *object;
	struct slice head;

	key_of(number, text);
	head_of(number, head_room, &head);
	help_bytes(body, BODY, number, 0);
	CHECK(object_new(volume, help_key(text), slice_str(text), &meta, head, BODY, &object) == STORE_OK);
	CHECK(object_append(object, body, BODY) == STORE_OK);
	CHECK(object_finish(object) == STORE_OK);
	object_unref(&object);
}

/* 1 right, 0 not there, -1 wrong. */
static int check_small(struct volume *volume, uint64_t number)
{
	char text[64], head_room[3000], want[BODY], have[BODY];
	struct object *object;
	struct slice head;
	int result = 0;

	key_of(number, text);
	head_of(number, head_room, &head);
	help_bytes(want, BODY, number, 0);
	if ((object = help_get(volume, text)))
		result = help_read(object, 0, have, BODY) == BODY && memcmp(have, want, BODY) == 0
			&& slice_eq(object_head(object), head) && object_meta(object)->stored_us == (int64_t)number ? 1 : -1;
	object_unref(&object);
	return result;
}

static void touch(struct volume *volume, uint64_t number)
{
	struct object *object = NULL;
	char text[64];

	key_of(number, text);
	volume_get(volume, help_key(text), slice_str(text), &object);
	object_unref(&object);
}

/* Puts numbers (*next, end); hits between them make the order random in which objects leave, and keep 1 .. KEPT. */
static void churn(struct volume *volume, uint64_t *next, uint64_t end)
{
	for (; *next < end; ++*next) {
		put_small(volume, *next);
		for (int i = 0; i < 2; i++)
			touch(volume, *next - random_next() % (*next < 1000 ? *next : 1000));
		if (*next % FLUSH_EVERY != 0)
			continue;
		for (uint64_t kept = 1; kept <= KEPT; kept++)
			touch(volume, kept);
		volume_flush(volume);
	}
	volume_flush(volume);
}

static struct volume *open_small(const char *path)
{
	struct store_config config = help_config(path, SIZE * MB);

	config.ram = 0;
	return help_open(&config);
}

struct count { uint64_t bytes, records; };

static int count_visit(void *arg, uint64_t generation, struct slice bytes)
{
	struct count *count = arg;
	bool apart;
	(void)generation;

	count->bytes += txn_leaf_bytes(bytes.len, &apart);
	count->records++;
	return 0;
}

/* What the writer believes is what is there. Returns the density in percent. */
static unsigned count_all(struct volume *volume)
{
	struct writer *writer = &volume->writer;
	struct count count = { 0, 0 };
	struct index_size size;
	MDB_txn *txn = NULL;

	assert_int_equal(txn_begin_read(&volume->env, &txn), 0);
	assert_int_equal(txn_each(&volume->env, txn, count_visit, &count), 0);
	assert_int_equal(txn_size(&volume->env, txn, &size), 0);
	txn_abort(&txn);
	assert_int_equal(count.bytes, writer->record_bytes);
	assert_int_equal(count.records, writer->index.records);
	assert_int_equal(size.leaves, writer->index.leaves);
	return (unsigned)(count.bytes * 100 / (size.leaves * LEAF_BYTES));
}

static uint64_t check_all(struct volume *volume, uint64_t end)
{
	uint64_t there = 0;

	for (uint64_t number = 1; number < end; number++) {
		int result = check_small(volume, number);

		assert_int_not_equal(result, -1);
		there += (uint64_t)result;
	}
	return there;
}

static void a_full_index_is_dense(void **state)
{
	char *path = help_folder();
	struct volume *volume = open_small(path);
	unsigned density = 0, rounds = 0;
	uint64_t next = 1, objects, used;
	(void)state;

	churn(volume, &next, 6000);
	for (; next < 14000; rounds++) {
		churn(volume, &next, next + 400);
		density += count_all(volume);
		assert_true(volume->writer.index.pages * 100 <= volume->index_pages_max * 115);
	}
	assert_in_range(density / rounds, 56, 100);
	assert_true(help_stat(volume).moved > 1000);
	assert_int_equal(help_stat(volume).dropped_error, 0);
	objects = check_all(volume, next);
	assert_in_range(objects, MIN_OBJECTS, 10000);
	assert_int_equal(objects, help_stat(volume).objects);
	assert_int_equal(volume->blocks.shared_count, 0);
	used = help_stat(volume).live_bytes;
	assert_int_equal(used, objects * BLOCK_BYTES);
	volume_close(&volume);
	volume = open_small(path);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	assert_int_equal(help_stat(volume).live_bytes, used);
	assert_int_equal(check_all(volume, next), objects);
	count_all(volume);
	churn(volume, &next, next + 2000);                           /* what is put now has higher numbers than what was moved */
	assert_int_equal(check_all(volume, next), help_stat(volume).objects);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

struct done { pthread_mutex_t lock; pthread_cond_t cond; bool done; enum store_err err; uint64_t objects; };

static void purge_done(void *arg, enum store_err err, uint64_t objects)
{
	struct done *done = arg;

	pthread_mutex_lock(&done->lock);
	done->done = true;
	done->err = err;
	done->objects = objects;
	pthread_cond_signal(&done->cond);
	pthread_mutex_unlock(&done->lock);
}

static uint64_t purge(struct volume *volume, enum purge_kind kind, bool soft, const char *text)
{
	struct done done = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, STORE_OK, 0 };
	struct store_purge purge = { .kind = kind, .soft = soft, .text = slice_str(text) };

	assert_int_equal(volume_purge(volume, &purge, purge_done, &done), STORE_OK);
	pthread_mutex_lock(&done.lock);
	while (!done.done)
		pthread_cond_wait(&done.cond, &done.lock);
	pthread_mutex_unlock(&done.lock);
	assert_int_equal(done.err, STORE_OK);
	return done.objects;
}

/* Objects 1 .. KEPT whose records have moved since they were got, while they were held: up to `want` of them. */
static size_t hold_and_move(struct volume *volume, uint64_t *next, struct object *held[KEPT + 1], uint64_t moved[], size_t want)
{
	uint64_t from[KEPT + 1];
	size_t count = 0;
	char text[64];

	for (uint64_t number = 1; number <= KEPT; number++) {
		key_of(number, text);
		held[number] = help_get(volume, text);
		from[number] = index_generation(volume, help_key(text), NULL);
	}
	churn(volume, next, *next + 3000);
	for (uint64_t number = 1; number <= KEPT && count < want; number++) {
		uint64_t generation;

		key_of(number, text);
		generation = index_generation(volume, help_key(text), NULL);
		if (held[number] && generation != 0 && generation != from[number])
			moved[count++] = number;
	}
	return count;
}

static void who_holds_an_object_does_not_notice(void **state)
{
	char *path = help_folder(), text[64];
	struct volume *volume = open_small(path);
	struct object *held[KEPT + 1] = { NULL }, *fresh;
	struct object_meta meta = help_meta(77);
	uint64_t next = 1, moved[5];
	(void)state;

	churn(volume, &next, 4000);
	assert_int_equal(hold_and_move(volume, &next, held, moved, 5), 5);
	assert_int_equal(object_refresh(held[moved[0]], &meta, SLICE("new"), &fresh), STORE_OK);
	object_unref(&fresh);
	assert_int_equal(object_refresh(held[moved[0]], &meta, SLICE("late"), &fresh), STORE_REPLACED);
	object_unref(&fresh);
	key_of(moved[1], text);
	assert_true(volume_drop(volume, help_key(text), held[moved[1]]));
	assert_false(volume_drop(volume, help_key(text), held[moved[1]]));
	key_of(moved[2], text);
	assert_int_equal(purge(volume, PURGE_KEY, false, text), 1);
	loader_damaged(volume, index_remove_object(volume, held[moved[3]]));
	assert_int_equal(help_stat(volume).dropped_damaged, 1);
	put_small(volume, moved[4]);                                 /* replaced: who holds the old one drops nothing */
	key_of(moved[4], text);
	assert_false(volume_drop(volume, help_key(text), held[moved[4]]));
	volume_flush(volume);
	for (uint64_t number = 1; number <= KEPT; number++)
		object_unref(&held[number]);
	volume_close(&volume);

	volume = open_small(path);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(check_small(volume, moved[i]), 0);
	assert_int_equal(check_small(volume, moved[4]), 1);
	key_of(moved[0], text);
	assert_non_null(fresh = help_get(volume, text));
	assert_true(slice_eq(object_head(fresh), SLICE("new")));
	object_unref(&fresh);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	assert_int_equal(help_stat(volume).live_bytes, help_stat(volume).objects * BLOCK_BYTES);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

static void a_purge_counts_each_object_once(void **state)
{
	char *path = help_folder();
	struct volume *volume = open_small(path);
	uint64_t next = 1;
	(void)state;

	churn(volume, &next, 6000);
	for (int i = 0; i < 5; i++) {
		uint64_t counted;

		churn(volume, &next, next + 200);
		counted = purge(volume, PURGE_PREFIX, true, "http://example.org/");
		assert_int_equal(counted, help_stat(volume).objects);
	}
	assert_true(help_stat(volume).moved > 100);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

static void a_pinned_map_ends_moves_and_not_puts(void **state)
{
	char *path = help_folder();
	struct volume *volume = open_small(path);
	uint64_t next = 1, yields = 0;
	MDB_txn *txn = NULL;
	(void)state;

	churn(volume, &next, 5000);
	for (int round = 0; round < 200 && yields < 3; round++) {
		uint64_t lost = help_stat(volume).dropped_error;

		assert_int_equal(txn_begin_read(&volume->env, &txn), 0);     /* every page that is freed meanwhile stays */
		while (volume->writer.cleaner.rest == 0 && help_stat(volume).dropped_error == lost)
			churn(volume, &next, next + 10);
		yields += help_stat(volume).dropped_error == lost;           /* what was put was stored nevertheless */
		txn_abort(&txn);
		churn(volume, &next, next + 1000);
		assert_int_equal(volume->writer.cleaner.rest, 0);
		count_all(volume);
	}
	assert_int_equal(yields, 3);
	assert_false(help_stat(volume).failed);
	assert_int_equal(check_all(volume, next), help_stat(volume).objects);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

struct mixer { struct volume *volume; atomic_bool *stop; _Atomic uint64_t *next; uint64_t random, right, wrong; };

/* Gets, refreshes and drops while records move. */
static void *mix(void *arg)
{
	struct mixer *mixer = arg;

	while (!atomic_load(mixer->stop)) {
		struct object *object, *fresh = NULL;
		uint64_t number, end = atomic_load(mixer->next);
		char text[64];

		mixer->random = mixer->random * 6364136223846793005u + 1442695040888963407u;
		number = end - 1 - (mixer->random >> 33) % 1500;
		key_of(number, text);
		object = help_get(mixer->volume, text);
		if (object && mixer->random >> 62 == 0)
			object_refresh(object, object_meta(object), object_head(object), &fresh);
		else if (object && mixer->random >> 60 == 15)
			volume_drop(mixer->volume, help_key(text), object);
		object_unref(&fresh);
		object_unref(&object);
		switch (check_small(mixer->volume, number)) {
		case 1: mixer->right++; break;
		case -1: mixer->wrong++; break;
		}
	}
	return NULL;
}

static void threads_that_use_what_moves_get_it_right(void **state)
{
	char *path = help_folder();
	struct volume *volume = open_small(path);
	_Atomic uint64_t shown;
	atomic_bool stop = false;
	struct mixer mixers[3];
	pthread_t threads[COUNT_OF(mixers)];
	uint64_t next = 1;
	(void)state;

	churn(volume, &next, 4000);
	atomic_init(&shown, next);
	for (size_t i = 0; i < COUNT_OF(mixers); i++) {
		mixers[i] = (struct mixer){ .volume = volume, .stop = &stop, .next = &shown, .random = i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, mix, &mixers[i]), 0);
	}
	while (next < 8000) {
		churn(volume, &next, next + 50);
		atomic_store(&shown, next);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < COUNT_OF(mixers); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(mixers[i].wrong, 0);
	}
	volume_flush(volume);
	assert_true(help_stat(volume).moved > 100);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	count_all(volume);
	assert_int_equal(check_all(volume, next), help_stat(volume).objects);
	volume_close(&volume);
	volume = open_small(path);
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	assert_int_equal(help_stat(volume).live_bytes, help_stat(volume).objects * BLOCK_BYTES);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

/* In a child: works until records lie there twice, and dies. */
static void die_between_two_commits(const char *path)
{
	struct volume *volume = open_small(path);
	uint64_t next = 1;

	churn(volume, &next, 5000);
	while (next < 7000) {
		struct writer *writer = &volume->writer;

		churn(volume, &next, next + 1);
		volume_flush(volume);
		for (size_t i = 0; i < writer->doomed_count; i++)
			if (writer->doomed[i].moved)
				kill(getpid(), SIGKILL);
	}
}

static void a_crash_between_the_two_commits_leaves_one(void **state)
{
	char *path = help_folder(), index[600];
	struct count count = { 0, 0 };
	struct volume *volume;
	struct env env;
	MDB_txn *txn = NULL;
	pid_t pid = fork();
	int status;
	(void)state;

	CHECK(pid >= 0);
	if (pid == 0) {
		die_between_two_commits(path);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	snprintf(index, sizeof(index), "%s/index", path);
	assert_int_equal(env_make(&env, index, SIZE * MB / 10, MDB_RDONLY), 0);
	assert_int_equal(txn_open_tables(&env), 0);
	assert_int_equal(txn_begin_read(&env, &txn), 0);
	assert_int_equal(txn_each(&env, txn, count_visit, &count), 0);
	txn_abort(&txn);
	env_close(&env);
	volume = open_small(path);
	assert_true(count.records > help_stat(volume).objects);      /* there were two of some */
	assert_int_equal(help_stat(volume).dropped_damaged, 0);
	assert_int_equal(check_all(volume, 8000), help_stat(volume).objects);
	assert_int_equal(help_stat(volume).live_bytes, help_stat(volume).objects * BLOCK_BYTES);
	volume_close(&volume);
	help_remove(path);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crash_between_the_two_commits_leaves_one),  /* first: it forks */
		cmocka_unit_test(a_full_index_is_dense),
		cmocka_unit_test(who_holds_an_object_does_not_notice),
		cmocka_unit_test(a_purge_counts_each_object_once),
		cmocka_unit_test(threads_that_use_what_moves_get_it_right),
		cmocka_unit_test(a_pinned_map_ends_moves_and_not_puts),
	};

	return cmocka_run_group_tests_name("cachestore: clean", tests, NULL, NULL);
}
