/* Scanning: bit masks of commas and quotes; what lies within quotes is a prefix sum of the latter, modulo two. */
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "scan.h"

enum { BLOCK = 64 };

struct block { uint64_t commas, quotes, controls; };

static inline struct block block_load(const char *at)
{
	struct block b = { 0 };

#ifdef __SSE2__
	for (int i = 0; i < 4; i++) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
		/* x <= 0x1f, unsigned: the smaller of both is x itself. */
		__m128i control = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x), _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
		b.commas |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8(','))) << 16 * i;
		b.quotes |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, _mm_set1_epi8('"'))) << 16 * i;
		b.controls |= (uint64_t)(unsigned)_mm_movemask_epi8(control) << 16 * i;
	}
#else
	for (unsigned i = 0; i < BLOCK; i++) {
		unsigned char c = (unsigned char)at[i];
		b.commas |= (uint64_t)(c == ',') << i;
		b.quotes |= (uint64_t)(c == '"') << i;
		b.controls |= (uint64_t)(c < 0x20 || c == 0x7f) << i;
	}
#endif
	return b;
}

/* The last `rest` bytes of a line, 0 < rest < BLOCK: read together with what stands before them when there is enough. */
static inline struct block block_load_rest(struct slice text, size_t rest)
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

/* Bit i: the number of bits up to and with i is odd. */
static inline uint64_t parity_before(uint64_t bits)
{
	for (int i = 1; i < BLOCK; i *= 2) bits ^= bits << i;
	return bits;
}

/* What one block leaves to the next: all ones within quotes; 1 at a line's beginning and after a comma; 1 after a closing quote. */
struct carry { uint64_t within, after_end, after_close; };

/* False: a quote where none may be, or two in a row. */
static inline bool block_take(struct block b, size_t base, struct carry *carry, struct marks *marks)
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
	for (; ends; ends &= ends - 1) marks->end[marks->count++] = (uint32_t)(base + (unsigned)__builtin_ctzll(ends));
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

enum scanned scan(struct slice text, struct marks *ret_marks)
{
	struct carry carry = { .after_end = 1 };
	uint64_t controls = 0;
	size_t at = 0, rest;
	struct block b;

	ret_marks->count = 0;
	for (; at + BLOCK <= text.len; at += BLOCK) {
		b = block_load(text.ptr + at);
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
