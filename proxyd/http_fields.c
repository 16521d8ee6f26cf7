/* Field names: recognised by a perfect hash over length and the first and last two letters. */
#include "../conf/check.h"
#include "http_parts.h"

enum { SLOT_BITS = 9, NAME_SPACE = FIELD_NAME_MAX + 1, SEEDS_MAX = 100000 };

static const _Alignas(16) char names[FIELD_COUNT][NAME_SPACE] = {
#define X(id, name, flags) [FIELD_##id] = name,
	HTTP_FIELDS(X)
#undef X
};
static const uint8_t lengths[FIELD_COUNT] = {
#define X(id, name, flags) [FIELD_##id] = sizeof(name) - 1,
	HTTP_FIELDS(X)
#undef X
};
static const uint8_t flags_of[FIELD_COUNT] = {
#define X(id, name, flags) [FIELD_##id] = (flags),
	HTTP_FIELDS(X)
#undef X
};
#define X(id, name, flags) _Static_assert(sizeof(name) > 2 && sizeof(name) <= NAME_SPACE, "a length the hash can take");
HTTP_FIELDS(X)
#undef X
_Static_assert(FIELD_COUNT <= 256, "http_header.id is one byte");

/* Filled once before main() from the table above, so that a new row needs nothing else; never written again. */
static uint8_t slots[1 << SLOT_BITS];
static uint32_t seed = 1;

static inline uint32_t slot_of(const char *name, size_t len)
{
	uint16_t first, last;

	memcpy(&first, name, 2);
	memcpy(&last, name + len - 2, 2);
	uint32_t letters = (first | (uint32_t)last << 16) | 0x20202020u;   /* lower case; other bytes may fall together */
	return ((letters ^ (uint32_t)len * 0x9e3779b1u) * seed) >> (32 - SLOT_BITS);
}

static bool slots_fill(void)
{
	memset(slots, FIELD_other, sizeof slots);
	for (unsigned id = FIELD_other + 1; id < FIELD_COUNT; id++) {
		uint32_t slot = slot_of(names[id], lengths[id]);
		if (slots[slot] != FIELD_other)
			return false;
		slots[slot] = (uint8_t)id;
	}
	return true;
}

__attribute__((constructor)) static void fields_init(void)
{
	for (unsigned tries = 0; !slots_fill(); tries++) {
		CHECK(tries < SEEDS_MAX);   /* two names of one length with the same four letters: widen slot_of() */
		seed = seed * 0x2c9277b5u + 0x5851f42eu;
		seed |= 1;
	}
}

#ifdef HTTP_SSE2
/* Lower case of letters only: setting 0x20 everywhere would read CR as "-". Reads 16 bytes. */
static inline unsigned equal_16(const char *name, const char *known)
{
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)name);
	__m128i y = _mm_loadu_si128((const __m128i *)(const void *)known);
	__m128i letters = _mm_cmpgt_epi8(x, _mm_set1_epi8(0x3f));

	x = _mm_or_si128(x, _mm_and_si128(letters, _mm_set1_epi8(0x20)));
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y));
}
#endif

enum http_field field_recognise(const char *name, size_t len, size_t readable)
{
	if (len < 2)
		return FIELD_other;
	unsigned id = slots[slot_of(name, len)];
	if (lengths[id] != len)
		return FIELD_other;
#ifdef HTTP_SSE2
	if (readable >= 16 && len < 16) {
		unsigned wanted = (1u << len) - 1;
		return (equal_16(name, names[id]) & wanted) == wanted ? (enum http_field)id : FIELD_other;
	}
	if (len >= 16 && len <= 32) {
		bool same = equal_16(name, names[id]) == 0xffff && equal_16(name + len - 16, names[id] + len - 16) == 0xffff;
		return same ? (enum http_field)id : FIELD_other;
	}
#else
	(void)readable;
#endif
	return strncasecmp(name, names[id], len) == 0 ? (enum http_field)id : FIELD_other;
}

enum http_field http_field_find(struct slice name)
{
	return field_recognise(name.ptr, name.len, name.len);
}

enum http_field http_field_find_cgi(struct slice name)
{
	char dashed[FIELD_NAME_MAX];

	if (name.len > sizeof(dashed) || !memchr(name.ptr, '_', name.len))
		return http_field_find(name);
	for (size_t i = 0; i < name.len; i++)
		dashed[i] = (char)(name.ptr[i] == '_' ? '-' : name.ptr[i]);
	return http_field_find(slice_make(dashed, name.len));
}

unsigned http_field_flags(enum http_field id)
{
	return flags_of[id];
}

struct slice http_field_name(enum http_field id)
{
	return slice_make(names[id], lengths[id]);
}
