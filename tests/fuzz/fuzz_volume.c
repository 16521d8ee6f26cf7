/* Any records in the index of a volume, with heads and rules of purges: the volume opens (or sets its index aside), and whatever it
 * gives has the checksum it should have; it goes on storing. The input is a list of rows:
 *   u8 sort (bits 0-1: record, head, rule, clock; 4: body and head checksums are made right; 5: the row's checksum, too)
 *   u8 number   u16 length   bytes */
#include "store_fuzz.h"

enum { ROWS_MAX = 24, ROW_BYTES_MAX = 6000, BLOCKS = 64, LIVES = 2, MAP_BYTES = 1 << 20 };
enum sort { SORT_record, SORT_head, SORT_rule, SORT_clock, SORT_mask = 3, SORT_bodies = 16, SORT_sums = 32 };

static char blocks[BLOCKS * BLOCK_BYTES];
static struct store_key keys[ROWS_MAX];
static struct slice texts[ROWS_MAX];
static char text_room[ROWS_MAX][256];
static size_t key_count;

static void put64(unsigned char *at, uint64_t value)
{
	memcpy(at, &value, 8);
}

/* What the record says of checksums becomes true, as far as it says anything. */
static void record_right(unsigned char *bytes, size_t size, uint64_t generation, bool bodies)
{
	struct record record;
	struct store_key key;
	uint64_t sum;

	if (size < RECORD_FIXED + 8)
		return;
	memcpy(&key.hi, bytes + 16, 8);
	memcpy(&key.lo, bytes + 24, 8);
	for (int round = 0; round < 2; round++) {
		sum = record_sum(bytes, size - 8, key, generation);
		put64(bytes + size - 8, sum);
		if (!bodies || round > 0 || !record_decode(slice_make((char *)bytes, size), generation, BLOCKS, &record))
			break;
		if (!record.head_apart)
			put64(bytes + 48, record_sum(record.head.ptr, record.head.len, key, generation));
		if (record.extent_count <= 1)
			put64(bytes + 40, XXH3_64bits(record.extent_count ? blocks + (size_t)record_extent(&record, 0).start * BLOCK_BYTES : "", record.body_size));
	}
}

static void key_note(const unsigned char *bytes, size_t size)
{
	uint32_t extents, len;
	size_t at;

	if (size < RECORD_FIXED + 8)
		return;
	memcpy(&len, bytes + 8, 4);
	memcpy(&extents, bytes + 12, 4);
	at = RECORD_FIXED + (size_t)extents * 8;
	if (len > sizeof(text_room[0]) || at > size || len > size - at)
		return;
	memcpy(&keys[key_count].hi, bytes + 16, 8);
	memcpy(&keys[key_count].lo, bytes + 24, 8);
	memcpy(text_room[key_count], bytes + at, len);
	texts[key_count] = slice_make(text_room[key_count], len);
	key_count++;
}

static void row_put(struct env *env, MDB_txn *txn, unsigned sort, uint64_t number, unsigned char *bytes, size_t size)
{
	MDB_val name = { sizeof(number), &number }, value = { size, bytes };
	struct rule_row *row;

	switch ((enum sort)(sort & SORT_mask)) {
	case SORT_record:
		if (sort & SORT_sums)
			record_right(bytes, size, number, sort & SORT_bodies);
		key_note(bytes, size);
		mdb_put(txn, env->idx, &name, &value, 0);
		break;
	case SORT_head: mdb_put(txn, env->head, &name, &value, 0); break;
	case SORT_rule:
		if ((sort & SORT_sums) && size >= RULE_FIXED)
			put64(bytes + 24, XXH3_64bits_withSeed(bytes + RULE_FIXED, size - RULE_FIXED, XXH3_64bits(bytes, 24)));
		if ((row = rule_row_decode(slice_make((char *)bytes, size))) && (sort & SORT_bodies))
			txn_put_rule(env, txn, row, number);
		else {
			name = (MDB_val){ 16, (unsigned char[16]){ (unsigned char)number } };
			mdb_put(txn, env->rules, &name, &value, 0);
		}
		free(row);
		break;
	case SORT_clock:
		name = (MDB_val){ 6, (void *)"purges" };
		mdb_put(txn, env->misc, &name, &value, 0);
		break;
	default: break;
	}
}

static void index_write(const char *folder, struct input input)
{
	static unsigned char bytes[ROW_BYTES_MAX];
	char path[128];
	struct env env;
	MDB_txn *txn = NULL;

	snprintf(path, sizeof(path), "%s/index", folder);
	CHECK(env_open(&env, path, MAP_BYTES) == 0 && txn_begin_write(&env, &txn) == 0);
	for (key_count = 0; input.left > 0 && key_count < ROWS_MAX;) {
		unsigned sort = (unsigned)input_number(&input, 1);
		uint64_t number = input_number(&input, 1) + 1;
		size_t size = input_number(&input, 2) % ROW_BYTES_MAX;

		if (size > input.left)
			size = input.left;
		memcpy(bytes, input.at, size);
		input.at += size;
		input.left -= size;
		row_put(&env, txn, sort, number, bytes, size);
	}
	CHECK(txn_commit(&txn) == 0);
	env_close(&env);
}

struct wait { struct store_load load /* first */; pthread_mutex_t lock; pthread_cond_t cond; bool done; struct object *object; };

static void loaded(struct store_load *load, struct object *object)
{
	struct wait *wait = (struct wait *)load;

	pthread_mutex_lock(&wait->lock);
	wait->object = object;
	wait->done = true;
	pthread_cond_signal(&wait->cond);
	pthread_mutex_unlock(&wait->lock);
}

/* Whatever comes is whole and right. */
static void object_check(struct object *object)
{
	uint64_t size = object_size(object);
	char *bytes = must(malloc(size + 1));

	CHECK(object_state(object) == OBJECT_WHOLE && object_available(object) == size);
	CHECK((object->body->in_memory ? body_copy(object->body, 0, bytes, size) : body_read_disk(object->body, 0, bytes, size, 0)) == (ssize_t)size);
	CHECK(XXH3_64bits(bytes, size) == object_checksum(object));
	CHECK(object->head.len <= STORE_HEAD_MAX && object->meta.tags.len <= STORE_TAGS_MAX);
	free(bytes);
}

static void key_get(struct volume *volume, size_t i)
{
	struct wait wait = { { .loaded = loaded, .patient = true }, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, NULL };
	struct object *object = NULL;

	if (volume_get(volume, keys[i], texts[i], &object) == STORE_LOAD) {
		CHECK(volume_load(volume, keys[i], texts[i], &wait.load) == STORE_OK);
		pthread_mutex_lock(&wait.lock);
		while (!wait.done)
			pthread_cond_wait(&wait.cond, &wait.lock);
		pthread_mutex_unlock(&wait.lock);
		object = wait.object;
	}
	if (object)
		object_check(object);
	object_unref(&object);
}

static void put(struct volume *volume, uint64_t number)
{
	struct object_meta meta = { .status = 200 };
	struct object *object = NULL;
	char text[16];
	int len = snprintf(text, sizeof(text), "new %llu", (unsigned long long)number);

	if (object_new(volume, store_key_make(slice_make(text, (size_t)len)), slice_make(text, (size_t)len), &meta, SLICE("head"), 5000, &object) != STORE_OK)
		return;
	CHECK(object_append(object, blocks, 5000) == STORE_OK);
	object_finish(object);
	object_unref(&object);
}

static struct volume *begin(const struct store_config *config)
{
	struct volume *volume = NULL;
	char why[256] = "";
	enum store_err err = volume_open(config, &volume, why);

	if (err != STORE_OK && err != STORE_DAMAGED)
		fprintf(stderr, "%s\n", why);
	CHECK(err == STORE_OK || err == STORE_DAMAGED);
	return volume;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *folder = fuzz_folder();
	struct store_config config = { .path = folder, .size = VOLUME_SIZE_MIN, .ram = 1 << 20, .scrub_rate = (uint64_t)1 << 40, .scrub_interval_us = 1 };
	struct volume *volume = begin(&config);
	int fd;

	for (size_t i = 0; i < sizeof(blocks); i++)
		blocks[i] = (char)(i * 7 + i / 4096);
	fd = volume->folder.data_fd;
	CHECK(pwrite(fd, blocks, sizeof(blocks), 0) == sizeof(blocks));
	volume_close(&volume);
	index_write(folder, (struct input){ data, size });
	for (int life = 0; life < LIVES; life++) {
		volume = begin(&config);
		for (size_t i = 0; i < key_count; i++)
			key_get(volume, i);
		put(volume, (uint64_t)life);
		volume_flush(volume);
		for (size_t i = 0; i < key_count; i++)
			key_get(volume, i);
		volume_close(&volume);
	}
	return 0;
}
