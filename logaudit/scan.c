/* Scanning: bit masks of commas and quotes; what lies within quotes is a prefix sum of the latter, modulo two. Three ways to make
 * the masks: by AVX2 where the processor has it, by SSE2, and byte by byte; all else is the same code. */
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "scan.h"

#define INLINE static inline __attribute__((always_inline))

enum { BLOCK = 64 };

struct block { uint64_t commas, quotes, controls; };

/* ---- masks of 64 bytes ---- */

#ifdef __SSE2__

INLINE void quarter_load(const char *at, int shift, struct block *b)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)at);
	/* x <= 0x1f, unsigned: the smaller of both is x itself. */
	__m128i control = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x), _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));

	b->commas |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(','))) << shift;
	b->quotes |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('"'))) << shift;
	b->controls |= (uint64_t)(unsigned)_mm_movemask_epi8(control) << shift;
}

INLINE struct block block_load(const char *at)
{
	struct block b = { 0 };

	quarter_load(at, 0, &b);
	quarter_load(at + 16, 16, &b);
	quarter_load(at + 32, 32, &b);
	quarter_load(at + 48, 48, &b);
	return b;
}

#define AVX2 __attribute__((target("avx2,bmi,popcnt")))

AVX2 INLINE void half_load(const char *at, int shift, struct block *b)
{
	__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)at);
	__m256i control = _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_min_epu8(x, _mm256_set1_epi8(0x1f)), x),
		_mm256_cmpeq_epi8(x, _mm256_set1_epi8(0x7f)));

	b->commas |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8(','))) << shift;
	b->quotes |= (uint64_t)(unsigned)_mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_set1_epi8('"'))) << shift;
	b->controls |= (uint64_t)(unsigned)_mm256_movemask_epi8(control) << shift;
}

AVX2 INLINE struct block block_load_avx2(const char *at)
{
	struct block b = { 0 };

	half_load(at, 0, &b);
	half_load(at + 32, 32, &b);
	return b;
}

#else

INLINE struct block block_load(const char *at)
{
	struct block b = { 0 };

	for (unsigned i = 0; i < BLOCK; i++) {
		unsigned char c = (unsigned char)at[i];
		b.commas |= (uint64_t)(c == ',') << i;
		b.quotes |= (uint64_t)(c == '"') << i;
		b.controls |= (uint64_t)(c < 0x20 || c == 0x7f) << i;
	}
	return b;
}

#endif

/* The last `rest` bytes of a line, 0 < rest < BLOCK: read together with what stands before them when there is enough. */
INLINE struct block block_load_rest(struct slice text, size_t rest)
{
	char copy[BLOCK] = { 0 };
	struct block b;

	if (text.len >= BLOCK) {
		b = block_load(text.ptr + text.len - BLOCK);
		return (struct block){ b.commas >> (BLOCK - rest), b.quotes >> (BLOCK - rest), b.controls >> (BLOCK - rest) };
	}
	memcpy(copy, text.ptr, rest);
	b = block_load(copy);
	b.controls &= (UINT64_C(1) << rest) - 1;
	return b;
}

/* ---- lines ---- */

/* Bit i: the number of bits up to and with i is odd. */
INLINE uint64_t parity_before(uint64_t bits)
{
	bits ^= bits << 1;
	bits ^= bits << 2;
	bits ^= bits << 4;
	bits ^= bits << 8;
	bits ^= bits << 16;
	return bits ^ bits << 32;
}

/* What one block leaves to the next: all ones within quotes; 1 at a line's beginning and after a comma; 1 after a closing quote. */
struct carry { uint64_t within, after_end, after_close; };

/* False: a quote where none may be, or two in a row. */
/* Four at a time, of which the last ones may be none: fewer branches that cannot be foreseen. */
INLINE void ends_put(uint64_t ends, size_t base, struct marks *marks)
{
	uint32_t *to = marks->end + marks->count, first = (uint32_t)base;

	marks->count += (unsigned)__builtin_popcountll(ends);
	for (; ends; to += 4) {
		to[0] = first + (uint32_t)__builtin_ctzll(ends);
		ends &= ends - 1;
		to[1] = first + (uint32_t)__builtin_ctzll(ends | UINT64_C(1) << 63);
		ends &= ends - 1;
		to[2] = first + (uint32_t)__builtin_ctzll(ends | UINT64_C(1) << 63);
		ends &= ends - 1;
		to[3] = first + (uint32_t)__builtin_ctzll(ends | UINT64_C(1) << 63);
		ends &= ends - 1;
	}
}

INLINE bool block_take(struct block b, size_t base, struct carry *carry, struct marks *marks)
{
	uint64_t ends = b.commas, opening, closing, within;

	if (b.quotes | (carry->within & 1) | carry->after_close) {
		within = parity_before(b.quotes) ^ carry->within;
		ends &= ~within;
		opening = b.quotes & within;
		closing = b.quotes & ~within;
		if (opening & ~(ends << 1 | carry->after_end)) return false;
		if ((closing << 1 | carry->after_close) & ~ends) return false;
		carry->within = (uint64_t)0 - (within >> 63);
		carry->after_close = closing >> 63;
	}
	carry->after_end = ends >> 63;
	ends_put(ends, base, marks);
	return true;
}

bool text_has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return true;
	return false;
}

static enum scanned odd(struct slice text)
{
	return text_has_control(text) ? SCAN_control : SCAN_odd;
}

typedef struct block load_fn(const char *at);

INLINE enum scanned scan_by(load_fn *load, struct slice text, struct marks *ret_marks)
{
	struct carry carry = { .after_end = 1 };
	uint64_t controls = 0;
	size_t at = 0, rest;
	struct block b;

	ret_marks->count = 0;
	for (; at + BLOCK <= text.len; at += BLOCK) {
		b = load(text.ptr + at);
		controls |= b.controls;
		if (!block_take(b, at, &carry, ret_marks) || ret_marks->count >= FIELDS_MAX) return odd(text);
	}
	rest = text.len - at;
	b = rest ? block_load_rest(text, rest) : (struct block){ 0 };
	controls |= b.controls;
	if (controls) return SCAN_control;
	/* The line's end is an end. */
	b.commas |= UINT64_C(1) << rest;
	if (!block_take(b, at, &carry, ret_marks) || ret_marks->count > FIELDS_MAX) return SCAN_odd;
	/* Within quotes, the line's end was none. */
	return carry.within || ret_marks->end[ret_marks->count - 1] != text.len ? SCAN_odd : SCAN_plain;
}

enum scanned scan_portable(struct slice text, struct marks *ret_marks)
{
	return scan_by(block_load, text, ret_marks);
}

#ifdef __SSE2__

AVX2 static enum scanned scan_avx2(struct slice text, struct marks *ret_marks)
{
	return scan_by(block_load_avx2, text, ret_marks);
}

enum scanned scan(struct slice text, struct marks *ret_marks)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") ? scan_avx2(text, ret_marks) : scan_portable(text, ret_marks);
}

#else

enum scanned scan(struct slice text, struct marks *ret_marks)
{
	return scan_portable(text, ret_marks);
}

#endif
