/* Records: what is encoded is decoded; each changed byte, each cut, another key is refused. And the block bitmap. */
#include "cachestore_help.h"

#include <sys/mman.h>

#include "../../cachestore/internal.h"

static const struct store_key key = { 0x0123456789abcdefu, 0xfedcba9876543210u };

static struct record record_make(const char *text, const char *head, uint32_t extent_count, uint64_t body_size)
{
	return (struct record){ .generation = 77, .key = key, .body_size = body_size, .body_checksum = 1, .head_checksum = 2,
		.meta = help_meta(99), .key_text = slice_str(text), .head = slice_str(head), .extent_count = extent_count };
}

/* A copy that ends at an unreadable page: a byte too far is a crash. */
static char *at_edge(const void *bytes, size_t len)
{
	static char *map;
	size_t room = (RECORD_MAX / 4096 + 2) * 4096;

	if (!map) {
		map = mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(map, MAP_FAILED);
		assert_int_equal(mprotect(map + room, 4096, PROT_NONE), 0);
	}
	memcpy(map + room - len, bytes, len);
	return map + room - len;
}

static void a_record_comes_back(void **state)
{
	const struct extent extents[] = { { 10, 3 }, { 99, 1 } };
	struct record record = record_make("key", "head", 2, 4 * 4096 - 5), back;
	unsigned char out[1024];
	size_t len;
	(void)state;

	record.meta.born = 12345;
	record.meta.tags = SLICE("a\nb\n");
	len = record_size(&record);
	record_encode(&record, extents, out);
	assert_true(record_decode(slice_make(at_edge(out, len), len), 77, 100, &back));
	assert_int_equal(back.generation, 77);
	assert_true(key_eq(back.key, key) && !back.head_apart);
	assert_int_equal(back.body_size, 4 * 4096 - 5);
	assert_true(slice_eq(back.key_text, SLICE("key")));
	assert_true(slice_eq(back.head, SLICE("head")));
	assert_memory_equal(&back.meta, &record.meta, offsetof(struct object_meta, tags));
	assert_true(slice_eq(back.meta.tags, SLICE("a\nb\n")));
	assert_int_equal(record_extent(&back, 0).start, 10);
	assert_int_equal(record_extent(&back, 1).start, 99);
	record.head_apart = true;
	len = record_size(&record);
	record_encode(&record, extents, out);
	assert_true(record_decode(slice_make(at_edge(out, len), len), 77, 100, &back));
	assert_null(back.head.ptr);
	assert_int_equal(back.head.len, 4);
}

static void a_changed_record_is_refused(void **state)
{
	const struct extent extent = { 10, 1 };
	struct record record = record_make("http://example.org/", "head of the answer", 1, 100), back;
	unsigned char out[1024];
	size_t len = record_size(&record);
	(void)state;

	record_encode(&record, &extent, out);
	for (size_t at = 0; at < len; at++)
		for (int bit = 0; bit < 8; bit++) {
			out[at] ^= (unsigned char)(1 << bit);
			assert_false(record_decode(slice_make(at_edge(out, len), len), 77, 100, &back));
			out[at] ^= (unsigned char)(1 << bit);
		}
	for (size_t cut = 0; cut < len; cut++)
		assert_false(record_decode(slice_make(at_edge(out, cut), cut), 77, 100, &back));
	assert_false(record_decode(slice_make((char *)out, len), 78, 100, &back));
	assert_true(record_decode(slice_make((char *)out, len), 77, 11, &back));
	assert_false(record_decode(slice_make((char *)out, len), 77, 10, &back));   /* block 10 is outside */
}

static void extents_must_hold_the_body(void **state)
{
	static const struct { struct extent extents[2]; uint32_t count; uint64_t body_size; bool good; const char *why; } rows[] = {
		{ { { 0, 0 } }, 0, 0, true, "empty" },
		{ { { 0, 0 } }, 0, 1, false, "a byte, no block" },
		{ { { 0, 1 } }, 1, 0, false, "a block, no byte" },
		{ { { 0, 1 } }, 1, 4096, true, "full block" },
		{ { { 0, 1 } }, 1, 4097, false, "one byte more" },
		{ { { 0, 0 }, { 0, 1 } }, 2, 4096, false, "an empty extent" },
		{ { { 99, 1 }, { 0, 1 } }, 2, 8192, true, "the last block" },
		{ { { 99, 2 } }, 1, 8192, false, "one block outside" },
		{ { { 2, UINT32_MAX } }, 1, (uint64_t)UINT32_MAX * 4096, false, "start + count wraps" },
		{ { { UINT32_MAX, 1 } }, 1, 1, false, "far outside" },
		{ { { 0, 1 } }, 1, UINT64_MAX - 1, false, "a body of any size" },
	};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct record record = record_make("k", "h", rows[i].count, rows[i].body_size), back;
		unsigned char out[1024];

		record_encode(&record, rows[i].extents, out);
		if (record_decode(slice_make((char *)out, record_size(&record)), 77, 100, &back) != rows[i].good)
			fail_msg("%s", rows[i].why);
	}
}

static void blocks_are_given_once_and_come_back_two_commits_later(void **state)
{
	struct blocks blocks;
	struct extent *a, *b, *c;
	uint32_t a_count, b_count, c_count;
	(void)state;

	blocks_init(&blocks, 100);
	assert_true(blocks_alloc(&blocks, 60, &a, &a_count));
	assert_int_equal(a_count, 1);
	assert_true(blocks_alloc(&blocks, 30, &b, &b_count));
	assert_false(blocks_alloc(&blocks, 11, &c, &c_count));
	assert_false(blocks_claim(&blocks, &(struct extent){ 59, 2 }, 1));
	assert_false(blocks_claim(&blocks, &(struct extent){ 95, 6 }, 1));
	assert_false(blocks_claim(&blocks, &(struct extent){ UINT32_MAX, 1 }, 1));
	assert_int_equal(blocks_free_now(&blocks), 10);
	blocks_free_later(&blocks, a, a_count, 7);
	blocks_mature(&blocks, 7);
	assert_int_equal(blocks_free_now(&blocks), 10);
	blocks_mature(&blocks, 8);
	assert_int_equal(blocks_free_now(&blocks), 70);
	assert_true(blocks_alloc(&blocks, 70, &c, &c_count));
	assert_int_equal(c_count, 2);                                /* around b */
	free(b);
	free(c);
	blocks_release(&blocks);
}

static void short_runs_are_taken_last(void **state)
{
	struct blocks blocks;
	struct extent *got;
	uint32_t count, singles = 0;
	(void)state;

	/* Free: single blocks at odd numbers below 1000, then runs of five. */
	blocks_init(&blocks, 2000);
	for (uint32_t at = 0; at < 1000; at += 2)
		assert_true(blocks_claim(&blocks, &(struct extent){ at, 1 }, 1));
	for (uint32_t at = 1000; at < 2000; at += 6)
		assert_true(blocks_claim(&blocks, &(struct extent){ at, 1 }, 1));
	for (int i = 0; i < 80; i++) {
		assert_true(blocks_alloc(&blocks, 8, &got, &count));
		for (uint32_t at = 0; at < count; at++)
			singles += got[at].start < 1000;
		free(got);
	}
	assert_int_equal(singles, 0);
	assert_true(blocks_alloc(&blocks, blocks_free_now(&blocks), &got, &count));
	assert_int_equal(blocks_free_now(&blocks), 0);
	free(got);
	blocks_release(&blocks);
}

static void keys_and_texts(void **state)
{
	struct store_key a = store_key_make(SLICE("a")), b = store_key_make(SLICE("b"));
	(void)state;

	assert_true(key_eq(a, store_key_make(SLICE("a"))));
	assert_false(key_eq(a, b));
	assert_string_equal(store_strerror(STORE_OK), "no error");
	assert_string_equal(store_strerror(STORE_ERR_COUNT), "unknown error");
	for (int err = 0; err < STORE_ERR_COUNT; err++)
		assert_non_null(store_strerror((enum store_err)err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back),
		cmocka_unit_test(a_changed_record_is_refused),
		cmocka_unit_test(extents_must_hold_the_body),
		cmocka_unit_test(blocks_are_given_once_and_come_back_two_commits_later),
		cmocka_unit_test(short_runs_are_taken_last),
		cmocka_unit_test(keys_and_texts),
	};

	return cmocka_run_group_tests_name("cachestore: records and blocks", tests, NULL, NULL);
}
