/* Random records that are valid: for properties that must hold of all of them. */
#ifndef TESTS_UNIT_LOGLINE_RANDOM_H
#define TESTS_UNIT_LOGLINE_RANDOM_H

#include "../../conf/logval.h"

struct random { uint64_t state; char *pool; size_t pool_size, used; };     /* pool: the texts of one record */

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t random_below(struct random *r, uint64_t n) { return random_next(r) % n; }
static inline char *random_room(struct random *r, size_t len)
{
	char *at = r->pool + r->used;

	CHECK(r->used + len <= r->pool_size);
	r->used += len;
	return at;
}

/* Numbers of every length, and the edges. */
static inline uint64_t random_U64(struct random *r)
{
	switch (random_below(r, 8)) {
	case 0: return 0;
	case 1: return UINT64_MAX - random_below(r, 3);
	default: return random_next(r) >> random_below(r, 64);
	}
}
static inline int64_t random_I64(struct random *r) { return random_below(r, 4) ? (int64_t)(random_U64(r) >> 1) : -1; }
static inline uint8_t random_BOOL(struct random *r) { return (uint8_t)random_below(r, 2); }
static inline uint64_t random_HEX64(struct random *r) { return random_U64(r); }

static inline struct slice random_from(struct random *r, struct slice letters, size_t len_max)
{
	size_t len = random_below(r, len_max + 1);
	char *at = random_room(r, len);

	for (size_t i = 0; i < len; i++) at[i] = letters.ptr[random_below(r, letters.len)];
	return slice_make(at, len);
}
static inline struct slice random_WORD(struct random *r)
{
	return random_from(r, SLICE("abcXYZ019._:/+-[]%@"), random_below(r, 8) ? 24 : LOG_WORD_MAX);
}
static inline struct slice random_STR(struct random *r)
{
	size_t len_max = random_below(r, 16) ? 60 : 3 * LOG_STR_MAX;

	switch (random_below(r, 4)) {
	case 0: return random_from(r, SLICE("abcdefghijklmnopqrstuvwxyz/._-"), len_max);
	case 1: return random_from(r, SLICE("ab,\" \\x~09\r\n\t\0\x7f\xc3\xa9\xff"), len_max);
	case 2: return random_from(r, SLICE(", \"\\"), len_max);
	default: {
		size_t len = random_below(r, len_max + 1);
		char *at = random_room(r, len);
		for (size_t i = 0; i < len; i++) at[i] = (char)random_next(r);
		return slice_make(at, len);
	}
	}
}
#define X(KIND, rows, count) static inline uint8_t random_##KIND(struct random *r) { return (uint8_t)random_below(r, count); }
LOG_ENUM_KINDS(X)
#undef X

static inline void random_logline(struct random *r, struct logline *ret_line)
{
	r->used = 0;
	logline_init(ret_line);
#define LOG_FIELD(name, KIND, doc) ret_line->name = random_##KIND(r);
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
}

/* ---- are two records the same? `got` was read from a line: its texts are escaped. ---- */

#define SAME_NUMBER(name) (want->name == got->name)
static inline bool same_text(struct slice want, struct slice got)
{
	char plain[LOG_LINE_MAX];
	uint64_t true_len = 0;
	size_t len = logval_unescape(got, plain, &true_len);

	if (true_len != want.len) return false;
	if (want.len <= LOG_STR_MAX && len != want.len) return false;
	/* Cut: at most the bytes of one UTF-8 character below the limit. */
	if (want.len > LOG_STR_MAX && (len > LOG_STR_MAX || len + 4 < LOG_STR_MAX)) return false;
	return len == 0 || memcmp(want.ptr, plain, len) == 0;
}
#define SAME_U64 SAME_NUMBER
#define SAME_I64 SAME_NUMBER
#define SAME_BOOL SAME_NUMBER
#define SAME_HEX64 SAME_NUMBER
#define SAME_RECORD SAME_NUMBER
#define SAME_VERDICT SAME_NUMBER
#define SAME_TIER SAME_NUMBER
#define SAME_NOSTORE SAME_NUMBER
#define SAME_END SAME_NUMBER
#define SAME_REFUSAL SAME_NUMBER
#define SAME_FOUND SAME_NUMBER
#define SAME_UNCODED SAME_NUMBER
#define SAME_WORD(name) slice_eq(want->name, got->name)
#define SAME_STR(name) same_text(want->name, got->name)

/* The first field that differs, or NULL. */
static inline const char *logline_difference(const struct logline *want, const struct logline *got)
{
#define LOG_FIELD(name, KIND, doc) if (!SAME_##KIND(name)) return #name;
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
	return NULL;
}

#endif
