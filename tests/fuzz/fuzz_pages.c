/* Bytes changed anywhere in a good index: when pages_check() lets it pass, LMDB must be able to read all of it, to delete and to
 * put and to commit, without stumbling
 * (an error is an answer). The input is a list of changes: u24 where (of the used pages), u8 what it becomes. */
#include "store_fuzz.h"

enum { INDEX_MAX = 1 << 20, MAP_BYTES = 4 << 20, RECORDS = 150, HEAD_LONG = 5000 };

static unsigned char good[INDEX_MAX], harmed[INDEX_MAX];
static size_t good_size;
static char index_path[128];
static bool is_made;

/* Records with heads inline, apart and on pages of their own, and some free pages. Fixed numbers: the same one every time. */
static int record_add(struct env *env, MDB_txn *txn, uint64_t generation, size_t head_len)
{
	static char head[HEAD_LONG];
	char text[64];
	int len = snprintf(text, sizeof(text), "key number %llu of the index", (unsigned long long)generation);
	struct extent extent = { (uint32_t)generation, 1 };
	struct record record = { .generation = generation, .key = { generation, 1 }, .body_size = 10, .key_text = slice_make(text, (size_t)len),
		.head = slice_make(head, head_len), .extent_count = 1 };

	return txn_put(env, txn, &record, &extent, false);
}

static void index_make(void)
{
	struct env env;
	MDB_txn *txn = NULL;
	int fd;
	ssize_t n;

	snprintf(index_path, sizeof(index_path), "%s/index", fuzz_folder());
	CHECK(env_open(&env, index_path, MAP_BYTES) == 0);
	for (uint64_t i = 1; i <= RECORDS; i++) {
		if (!txn)
			CHECK(txn_begin_write(&env, &txn) == 0);
		CHECK(record_add(&env, txn, i, i % 20 == 0 ? HEAD_LONG : i % 7 == 0 ? 2100 : i) == 0);
		if (i > 30 && i % 3 == 0)
			CHECK(txn_delete(&env, txn, i - 25, (i - 25) % 20 == 0 || (i - 25) % 7 == 0) == 0);
		if (i % 10 == 0)
			CHECK(txn_commit(&txn) == 0);
	}
	env_close(&env);
	fd = open(index_path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && (n = read(fd, good, sizeof(good))) > 0 && (size_t)n < sizeof(good));
	close(fd);
	good_size = (size_t)n;
	CHECK(pages_check(good, good_size));
}

static int look(void *arg, uint64_t generation, struct slice bytes)
{
	struct record record;

	*(uint64_t *)arg += XXH3_64bits(bytes.ptr, bytes.len) + record_decode(bytes, generation, UINT32_MAX, &record);
	return 0;
}

static void index_use(void)
{
	uint64_t sum = 0;
	struct env env;
	MDB_txn *txn = NULL;

	if (env_open(&env, index_path, MAP_BYTES) != 0)
		return;
	if (txn_begin_read(&env, &txn) == 0)
		txn_each(&env, txn, look, &sum);
	txn_abort(&txn);
	for (int round = 0; round < 4; round++) {
		if (txn_begin_write(&env, &txn) != 0)
			break;
		for (uint64_t i = 1 + (uint64_t)round; i <= RECORDS; i += 3)
			txn_delete(&env, txn, i, i % 20 == 0 || i % 7 == 0);
		for (uint64_t i = 1000 + 100 * (uint64_t)round; i < 1020 + 100 * (uint64_t)round; i++)
			record_add(&env, txn, i, i % 3 * 2000);
		txn_commit(&txn);
	}
	env_close(&env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	int fd;

	if (!is_made)
		index_make();
	is_made = true;
	memcpy(harmed, good, good_size);
	while (input.left > 0) {
		size_t at = input_number(&input, 3) % good_size;

		harmed[at] = (unsigned char)input_number(&input, 1);
	}
	if (!pages_check(harmed, good_size))
		return 0;
	fd = open(index_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, harmed, good_size) == (ssize_t)good_size);
	close(fd);
	index_use();
	return 0;
}
