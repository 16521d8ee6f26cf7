/* Any bytes as a record of the index: refused, or decoded into fields that encode to the same bytes. The checksum would
 * keep the fuzzer out of the rest, so each input is also tried with a right one. */
#include "../../cachestore/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BLOCK_TOTAL = 1000, GENERATION = 77 };

static void record_try(const char *bytes, size_t size)
{
	struct record record;
	struct extent *extents;
	unsigned char *again;
	uint64_t blocks = 0;

	struct slice text = record_key_text(slice_make(bytes, size));

	CHECK(text.len == 0 || (text.ptr >= bytes && text.len <= (size_t)(bytes + size - text.ptr)));
	if (!record_decode(slice_make(bytes, size), GENERATION, BLOCK_TOTAL, &record))
		return;
	CHECK(slice_eq(text, record.key_text));
	CHECK(record_size(&record) == size && record.generation == GENERATION);
	CHECK(record.meta.tags.len <= STORE_TAGS_MAX && record.key_text.len <= STORE_KEY_MAX && record.head.len <= STORE_HEAD_MAX && record.extent_count <= EXTENTS_MAX);
	extents = record_extents(&record);
	for (uint32_t i = 0; i < record.extent_count; i++) {
		CHECK((uint64_t)extents[i].start + extents[i].count <= BLOCK_TOTAL);
		blocks += extents[i].count;
	}
	CHECK(blocks == blocks_of(record.body_size));
	again = must(malloc(size));
	record_encode(&record, extents, again);
	/* All but what is kept for later (110, 111, 124 to 127) and the checksum over it. */
	CHECK(memcmp(again, bytes, 110) == 0 && memcmp(again + 112, bytes + 112, 12) == 0);
	CHECK(memcmp(again + RECORD_FIXED, bytes + RECORD_FIXED, size - RECORD_FIXED - 8) == 0);
	free(again);
	free(extents);
}

/* The same for a purge in force. */
static void rule_try(const char *bytes, size_t size)
{
	struct rule_row *row = rule_row_decode(slice_make(bytes, size));
	unsigned char *again;

	if (!row)
		return;
	CHECK(rule_row_size(row) == size && row->kind <= PURGE_TAG && row->text_len <= STORE_KEY_MAX);
	again = must(malloc(size));
	rule_row_encode(row, again);
	CHECK(memcmp(again, bytes, size) == 0);
	free(again);
	free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = must(malloc(size + 1));
	struct store_key key;
	uint64_t sum;

	memcpy(bytes, data, size);
	record_try(bytes, size);
	if (size >= RECORD_FIXED + 8) {
		memcpy(&key, bytes + 16, sizeof(key));    /* little-endian machines only, as the fuzzer's */
		sum = record_sum(bytes, size - 8, key, GENERATION);
		memcpy(bytes + size - 8, &sum, 8);
		record_try(bytes, size);
	}
	memcpy(bytes, data, size);
	rule_try(bytes, size);
	if (size >= RULE_FIXED) {
		sum = XXH3_64bits_withSeed(bytes + RULE_FIXED, size - RULE_FIXED, XXH3_64bits(bytes, 24));
		memcpy(bytes + 24, &sum, 8);
		rule_try(bytes, size);
	}
	free(bytes);
	return 0;
}
