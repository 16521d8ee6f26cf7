/* Object <-> bytes of a record in the index. Pure. Little-endian; the fixed part, then extents, key text, tags, head (if it
 * is inline) and a checksum over all of it, seeded with the key's hash and the generation, under which the record lies, so
 * that one that lies under another number is not taken for this one.
 *
 *    0 u8 version        1 u8 flags (1: the head lies in the table of heads)      2 u16 status
 *    4 u32 head length   8 u32 key length    12 u32 extents
 *   16 u64 key hash, high   24 u64 low   32 u64 body size   40 u64 body checksum   48 u64 head checksum
 *   56 i64 stored  64 i64 age base  72 i64 lifetime  80 i64 stale-while  88 i64 stale-error  96 i64 expires
 *  104 u32 flags of proxyd   108 u16 owner   110 u16 0
 *  112 u64 born   120 u32 tags length   124 u32 0 (for the next fields) */
#include "internal.h"
#include "bytes.h"

enum { HEAD_APART = 1 };

uint64_t record_sum(const void *bytes, size_t len, struct store_key key, uint64_t generation)
{
	uint64_t seed = key.hi ^ (key.lo << 1 | key.lo >> 63) ^ generation * 0x9e3779b97f4a7c15u;

	return XXH3_64bits_withSeed(bytes, len, seed);
}

size_t record_size(const struct record *record)
{
	return RECORD_FIXED + (size_t)record->extent_count * 8 + record->key_text.len + record->meta.tags.len
		+ (record->head_apart ? 0 : record->head.len) + RECORD_SUM;
}

void record_encode(const struct record *record, const struct extent *extents, unsigned char *out)
{
	const struct object_meta *meta = &record->meta;
	unsigned char *at = out + RECORD_FIXED;

	memset(out, 0, RECORD_FIXED);
	out[0] = FORMAT_VERSION;
	out[1] = record->head_apart ? HEAD_APART : 0;
	put16(out + 2, meta->status);
	put32(out + 4, (uint32_t)record->head.len);
	put32(out + 8, (uint32_t)record->key_text.len);
	put32(out + 12, record->extent_count);
	put64(out + 16, record->key.hi);
	put64(out + 24, record->key.lo);
	put64(out + 32, record->body_size);
	put64(out + 40, record->body_checksum);
	put64(out + 48, record->head_checksum);
	put64(out + 56, (uint64_t)meta->stored_us);
	put64(out + 64, (uint64_t)meta->age_base_us);
	put64(out + 72, (uint64_t)meta->lifetime_us);
	put64(out + 80, (uint64_t)meta->stale_while_us);
	put64(out + 88, (uint64_t)meta->stale_error_us);
	put64(out + 96, (uint64_t)meta->expires_us);
	put32(out + 104, meta->flags);
	put16(out + 108, meta->owner);
	put64(out + 112, meta->born);
	put32(out + 120, (uint32_t)meta->tags.len);
	for (uint32_t i = 0; i < record->extent_count; i++, at += 8) {
		put32(at, extents[i].start);
		put32(at + 4, extents[i].count);
	}
	if (record->key_text.len > 0)
		memcpy(at, record->key_text.ptr, record->key_text.len);
	at += record->key_text.len;
	if (meta->tags.len > 0)
		memcpy(at, meta->tags.ptr, meta->tags.len);
	at += meta->tags.len;
	if (!record->head_apart && record->head.len > 0) {
		memcpy(at, record->head.ptr, record->head.len);
		at += record->head.len;
	}
	put64(at, record_sum(out, (size_t)(at - out), record->key, record->generation));
}

struct extent record_extent(const struct record *record, uint32_t at)
{
	return (struct extent){ get32(record->extents + (size_t)at * 8), get32(record->extents + (size_t)at * 8 + 4) };
}

struct extent *record_extents(const struct record *record)
{
	struct extent *extents = NULL;

	if (record->extent_count > 0)
		extents = must(malloc(record->extent_count * sizeof(*extents)));
	for (uint32_t i = 0; i < record->extent_count; i++)
		extents[i] = record_extent(record, i);
	return extents;
}

bool record_is_inside(const struct record *record, uint32_t block_total)
{
	for (uint32_t i = 0; i < record->extent_count; i++) {
		struct extent extent = record_extent(record, i);

		if (extent.start >= block_total || extent.count > block_total - extent.start)
			return false;
	}
	return true;
}

/* No extent is empty, and together they hold exactly the body. */
static bool extents_fit(const struct record *record)
{
	uint64_t blocks = 0;

	for (uint32_t i = 0; i < record->extent_count; i++) {
		struct extent extent = record_extent(record, i);

		if (extent.count == 0)
			return false;
		blocks += extent.count;
	}
	return blocks == blocks_of(record->body_size);
}

static void fixed_decode(const unsigned char *in, struct record *ret)
{
	ret->head_apart = in[1] == HEAD_APART;
	ret->key = (struct store_key){ get64(in + 16), get64(in + 24) };
	ret->body_size = get64(in + 32);
	ret->body_checksum = get64(in + 40);
	ret->head_checksum = get64(in + 48);
	ret->meta = (struct object_meta){
		.stored_us = (int64_t)get64(in + 56), .age_base_us = (int64_t)get64(in + 64),
		.lifetime_us = (int64_t)get64(in + 72), .stale_while_us = (int64_t)get64(in + 80),
		.stale_error_us = (int64_t)get64(in + 88), .expires_us = (int64_t)get64(in + 96),
		.flags = get32(in + 104), .status = get16(in + 2), .owner = get16(in + 108),
		.born = get64(in + 112),
	};
	ret->extent_count = get32(in + 12);
}

struct slice record_key_text(struct slice bytes)
{
	const unsigned char *in = (const unsigned char *)bytes.ptr;
	uint64_t len, at;

	if (bytes.len < RECORD_FIXED)
		return slice_make(NULL, 0);
	len = get32(in + 8);
	at = RECORD_FIXED + (uint64_t)get32(in + 12) * 8;
	return at + len <= bytes.len && len <= STORE_KEY_MAX ? slice_make(bytes.ptr + at, len) : slice_make(NULL, 0);
}

bool record_decode(struct slice bytes, uint64_t generation, uint32_t block_total, struct record *ret_record)
{
	const unsigned char *in = (const unsigned char *)bytes.ptr;
	uint32_t head_len, key_len, tags_len;
	struct record record = { .generation = generation };

	if (bytes.len < RECORD_FIXED + RECORD_SUM || bytes.len > RECORD_MAX + RECORD_SUM || in[0] != FORMAT_VERSION || in[1] > HEAD_APART)
		return false;
	fixed_decode(in, &record);
	head_len = get32(in + 4);
	key_len = get32(in + 8);
	tags_len = get32(in + 120);
	if (head_len > STORE_HEAD_MAX || key_len > STORE_KEY_MAX || tags_len > STORE_TAGS_MAX || record.meta.born >> 61 || record.extent_count > EXTENTS_MAX
		|| generation == 0 || generation >> 63 || record.body_size == STORE_SIZE_UNKNOWN
		|| (!record.head_apart && head_len > HEAD_INLINE_MAX))
		return false;
	record.extents = in + RECORD_FIXED;
	record.key_text = slice_make(bytes.ptr + RECORD_FIXED + (size_t)record.extent_count * 8, key_len);
	record.meta.tags = slice_make(record.key_text.ptr + key_len, tags_len);
	record.head = slice_make(NULL, head_len);
	if (record_size(&record) != bytes.len)
		return false;
	if (!record.head_apart)
		record.head.ptr = record.meta.tags.ptr + tags_len;
	if (get64(in + bytes.len - RECORD_SUM) != record_sum(in, bytes.len - RECORD_SUM, record.key, generation)
		|| !record_is_inside(&record, block_total) || !extents_fit(&record))
		return false;
	*ret_record = record;
	return true;
}
