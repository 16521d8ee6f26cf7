/* Taking: numbers eight digits at a time, hexadecimal ones sixteen; names by a hash. Whatever is longer, at the edge of what may be
 * read, or looks wrong goes to conf/logval.c, which decides. */
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "../conf/check.h"
#include "../conf/logval.h"
#include "take.h"

#define INLINE static inline __attribute__((always_inline))
#define ONES UINT64_C(0x0101010101010101)

/* May so many bytes be read? limit NULL: as many as anybody here wants, ROOM. */
enum { ROOM = 16 };
INLINE bool room(const char *at, const char *limit, long bytes)
{
	return !limit || limit - at >= bytes;
}

/* ---- numbers ---- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* 1 to 8 digits; 8 bytes may be read. False: other bytes are among them. */
INLINE bool take_digits(const char *at, size_t len, uint64_t *ret_value)
{
	uint64_t x;

	memcpy(&x, at, sizeof(x));
	/* Each byte a digit, the first one lowest; shifted so that zeros stand before it. */
	x = (x ^ ONES * '0') << (64 - 8 * len);
	if ((x | (x + ONES * 0x76)) & ONES * 0x80) return false;
	x = x * 10 + (x >> 8);           /* pairs of digits in every second byte */
	*ret_value = ((x & UINT64_C(0xff000000ff)) * (100 + (UINT64_C(1000000) << 32)) + (x >> 16 & UINT64_C(0xff000000ff)) *
		(1 + (UINT64_C(10000) << 32))) >> 32;
	return true;
}

/* A text of 1 to 8 bytes as a number; 8 bytes may be read. */
INLINE uint64_t short_text(const char *at, size_t len)
{
	uint64_t x;

	memcpy(&x, at, sizeof(x));
	return x << (64 - 8 * len);
}

INLINE bool take_U64(const struct words *words, const char *at, size_t len, const char *limit, uint64_t *ret_value)
{
	uint64_t high, low;

	(void)words;
	if (len - 1 < 8 && room(at, limit, 8)) return take_digits(at, len, ret_value);
	if (len - 9 < 8 && room(at, limit, 16)) {
		if (!take_digits(at, len - 8, &high) || !take_digits(at + len - 8, 8, &low)) return false;
		*ret_value = high * 100000000 + low;
		return true;
	}
	return logval_take_U64(slice_make(at, len), ret_value);
}

#else

INLINE bool take_U64(const struct words *words, const char *at, size_t len, const char *limit, uint64_t *ret_value)
{
	(void)words, (void)limit;
	return logval_take_U64(slice_make(at, len), ret_value);
}

#endif

INLINE bool take_I64(const struct words *words, const char *at, size_t len, const char *limit, int64_t *ret_value)
{
	uint64_t value;

	(void)words;
	if (len == 0) {
		*ret_value = -1;
		return true;
	}
	if (len > 16) return logval_take_I64(slice_make(at, len), ret_value);
	if (!take_U64(words, at, len, limit, &value)) return false;
	*ret_value = (int64_t)value;
	return true;
}

INLINE bool take_BOOL(const struct words *words, const char *at, size_t len, const char *limit, uint8_t *ret_value)
{
	(void)words, (void)limit;
	if (len != 1) return false;
	*ret_value = (uint8_t)(*at - '0');
	return *ret_value <= 1;
}

INLINE bool take_HEX64(const struct words *words, const char *at, size_t len, const char *limit, uint64_t *ret_value)
{
	(void)words, (void)limit;
	if (len == 0) {
		*ret_value = 0;
		return true;
	}
	if (len != 16) return false;
#ifdef __SSE2__
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)at), zero = _mm_setzero_si128();
	__m128i digit = _mm_sub_epi8(x, _mm_set1_epi8('0')), letter = _mm_sub_epi8(_mm_or_si128(x, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	/* a <= n, unsigned: a - n, not below zero, is zero. */
	__m128i is_digit = _mm_cmpeq_epi8(_mm_subs_epu8(digit, _mm_set1_epi8(9)), zero);
	__m128i is_letter = _mm_cmpeq_epi8(_mm_subs_epu8(letter, _mm_set1_epi8(5)), zero);
	if (_mm_movemask_epi8(_mm_or_si128(is_digit, is_letter)) != 0xffff) return false;
	x = _mm_or_si128(_mm_and_si128(is_digit, digit), _mm_and_si128(is_letter, _mm_add_epi8(letter, _mm_set1_epi8(10))));
	/* The first of two digits is the higher one. */
	x = _mm_and_si128(_mm_or_si128(_mm_slli_epi16(x, 4), _mm_srli_epi16(x, 8)), _mm_set1_epi16(0xff));
	x = _mm_packus_epi16(x, zero);
	*ret_value = __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(x));
	return true;
#else
	return logval_take_HEX64(slice_make(at, len), ret_value);
#endif
}

/* ---- texts ---- */

#ifdef __SSE2__
INLINE __m128i between(__m128i x, char low, char high)
{
	return _mm_cmpeq_epi8(_mm_subs_epu8(_mm_sub_epi8(x, _mm_set1_epi8(low)), _mm_set1_epi8((char)(high - low))), _mm_setzero_si128());
}

/* Bit i: byte i may stand in a WORD (conf/logval.c). */
INLINE unsigned word_bytes(const char *at)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)at), ok = between(x, '-', ':');

	ok = _mm_or_si128(ok, between(x, '@', '['));
	ok = _mm_or_si128(ok, between(x, 'a', 'z'));
	ok = _mm_or_si128(ok, _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('+')), _mm_cmpeq_epi8(x, _mm_set1_epi8(']'))));
	ok = _mm_or_si128(ok, _mm_or_si128(_mm_cmpeq_epi8(x, _mm_set1_epi8('_')), _mm_cmpeq_epi8(x, _mm_set1_epi8('%'))));
	return (unsigned)_mm_movemask_epi8(ok);
}
#endif

INLINE bool take_WORD(const struct words *words, const char *at, size_t len, const char *limit, struct slice *ret_value)
{
	(void)words;
	*ret_value = slice_make(at, len);
	if (len == 0) return true;
#ifdef __SSE2__
	if (len <= 16 && room(at, limit, 16)) return !(~word_bytes(at) & ((1u << len) - 1));
	if (len > 16 && len <= 32) return (word_bytes(at) & word_bytes(at + len - 16)) == 0xffff;
#else
	(void)limit;
#endif
	return logval_take_WORD(slice_make(at, len), ret_value);
}

/* The scanner has seen that there is no control byte. Blanks around what is not quoted are not of the text. */
INLINE bool take_STR(const struct words *words, const char *at, size_t len, const char *limit, struct slice *ret_value)
{
	(void)words, (void)limit;
	*ret_value = slice_make(at, len);
	if (len == 0) return true;
	if (*at == '"') *ret_value = slice_make(at + 1, len - 2);
	else if (*at == ' ' || at[len - 1] == ' ') return false;
	return true;
}

/* ---- names ---- */

enum words_kind {
#define X(KIND, rows, count) WORDS_##KIND,
	LOG_ENUM_KINDS(X)
#undef X
};

/* The first and the last byte, the one in the middle and the length tell nearly all names of a kind apart. */
INLINE uint8_t words_slot(const char *at, size_t len)
{
	return (uint8_t)((unsigned char)at[0] + 5u * (unsigned char)at[len - 1] + 17u * (unsigned char)at[len / 2] + 61u * (unsigned)len);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Names of 1 to 8 bytes have a table of their own, by their bytes as one number: it is compared as a whole. */
INLINE size_t words_short_slot(uint64_t text)
{
	return text * UINT64_C(0x9e3779b97f4a7c15) >> (64 - WORDS_SHORT_LOG);
}

static void words_fill_short(struct words *words, enum words_kind kind, const struct enum_row *row, int i)
{
	uint64_t text = short_text(row->log_text, row->log_len);

	words->shorts[kind][words_short_slot(text)] = (struct words_short){ text, row->log_len, (uint8_t)i };
}

INLINE bool words_find_short(const struct words *words, enum words_kind kind, const char *at, size_t len, uint8_t *ret_value)
{
	uint64_t text = short_text(at, len);
	const struct words_short *found = &words->shorts[kind][words_short_slot(text)];

	*ret_value = found->row;
	return found->text == text && found->len == len;
}
#else
static void words_fill_short(struct words *words, enum words_kind kind, const struct enum_row *row, int i)
{
	(void)words, (void)kind, (void)row, (void)i;
}

INLINE bool words_find_short(const struct words *words, enum words_kind kind, const char *at, size_t len, uint8_t *ret_value)
{
	(void)words, (void)kind, (void)at, (void)len, (void)ret_value;
	return false;
}
#endif

static void words_fill(struct words *words, enum words_kind kind, const struct enum_row *rows, int count)
{
	for (int i = 0; i < count; i++) {
		if (rows[i].log_len) words->rows[kind][words_slot(rows[i].log_text, rows[i].log_len)] = (uint8_t)(i + 1);
		else words->none[kind] = (uint8_t)(i + 1);
		if (rows[i].log_len && rows[i].log_len <= 8) words_fill_short(words, kind, &rows[i], i);
	}
}

void words_init(struct words *words)
{
	*words = (struct words){ 0 };
#define X(KIND, table, count) words_fill(words, WORDS_##KIND, table, count);
	LOG_ENUM_KINDS(X)
#undef X
}

/* Is it the row's name? The name is padded to more than 16 bytes. */
INLINE bool row_is(const struct enum_row *row, const char *at, size_t len, const char *limit)
{
	if (row->log_len != len) return false;
#ifdef __SSE2__
	if (len <= 16 && room(at, limit, 16)) {
		__m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)at),
			_mm_loadu_si128((const __m128i *)(const void *)row->log_text));
		return !(~(unsigned)_mm_movemask_epi8(same) & ((1u << len) - 1));
	}
#else
	(void)limit;
#endif
	return memcmp(row->log_text, at, len) == 0;
}

#define X(KIND, table, count) \
INLINE bool take_##KIND(const struct words *words, const char *at, size_t len, const char *limit, uint8_t *ret_value) \
{ \
	if (len - 1 < 8 && room(at, limit, 8) && words_find_short(words, WORDS_##KIND, at, len, ret_value)) return true; \
	uint8_t found = len ? words->rows[WORDS_##KIND][words_slot(at, len)] : words->none[WORDS_##KIND]; \
	if (!found) return false; \
	*ret_value = (uint8_t)(found - 1); \
	return len == 0 || row_is(&(table)[found - 1], at, len, limit) || logval_take_##KIND(slice_make(at, len), ret_value); \
}
LOG_ENUM_KINDS(X)
#undef X

/* ---- lines ---- */

INLINE bool take_all(const struct words *words, const struct marks *marks, const char *text, const char *limit, struct logline *line)
{
	const char *at = text, *end;
	size_t len;

#define LOG_FIELD(name, KIND, doc) \
	end = text + marks->end[LOG_FIELD_##name]; \
	len = (size_t)(end - at); \
	if (__builtin_expect(!take_##KIND(words, at, len, limit, &line->name), 0)) return false; \
	at = end + 1;
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
	return true;
}

bool take_in_order(const struct words *words, const struct marks *marks, const char *text, const char *limit, struct logline *line)
{
	/* Within a chunk there is always room: said to the compiler, that leaves no question of it for each field. */
	if (limit - (text + marks->end[marks->count - 1]) >= ROOM) return take_all(words, marks, text, NULL, line);
	return take_all(words, marks, text, limit, line);
}

bool take_by_columns(const struct words *words, const struct marks *marks, const int16_t *columns, const char *text, const char *limit,
	struct logline *line)
{
	const char *at = text;
	bool good = true;

	logline_init(line);
	for (size_t i = 0; i < marks->count && good; i++) {
		size_t len = (size_t)(text + marks->end[i] - at);
		switch (columns[i]) {
#define LOG_FIELD(name, KIND, doc) case LOG_FIELD_##name: good = take_##KIND(words, at, len, limit, &line->name); break;
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
		default: break;
		}
		at += len + 1;
	}
	return good;
}
