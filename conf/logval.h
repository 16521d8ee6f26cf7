/* How each KIND of tbl/log_fields.h is put on a log line and taken from its column. Pure; any thread.
 *
 * Put: writes the text at `out`, which has room, and returns the end of it. It may write up to LOGVAL_SLACK bytes
 * beyond that end (fixed-size copies), so the buffer has that much more.
 * Take: from the text of the column, unquoted; false, with *ret_value untouched, when it is not of the kind. */
#ifndef CONF_LOGVAL_H
#define CONF_LOGVAL_H

#include "check.h"
#include "logline.h"

enum { LOGVAL_SLACK = 32, LOG_WORD_MAX = 255, LOG_DECIMAL_MAX = 20 };

/* The enumerated kinds: X(KIND, array of rows, number of rows). */
#define LOG_ENUM_KINDS(X) \
	X(RECORD, record_rows, REC_COUNT) \
	X(VERDICT, verdict_rows, VERDICT_COUNT) \
	X(TIER, tier_rows, TIER_COUNT) \
	X(NOSTORE, nostore_rows, NOSTORE_COUNT) \
	X(END, end_rows, END_COUNT) \
	X(REFUSAL, refusal_rows, REFUSAL_COUNT) \
	X(FOUND, found_rows, FOUND_COUNT) \
	X(UNCODED, uncoded_rows, UNCODED_COUNT)

/* ---- U64: decimal. I64: decimal; empty when negative. ---- */
char *logval_put_decimal(char *out, uint64_t value);

static inline char *logval_put_U64(char *out, uint64_t value)
{
	if (value >= 10) return logval_put_decimal(out, value);
	*out = (char)('0' + value);
	return out + 1;
}
static inline char *logval_put_I64(char *out, int64_t value)
{
	return value < 0 ? out : logval_put_U64(out, (uint64_t)value);
}
bool logval_take_U64(struct slice text, uint64_t *ret_value);
bool logval_take_I64(struct slice text, int64_t *ret_value);

/* ---- BOOL: 0 or 1. ---- */
static inline char *logval_put_BOOL(char *out, uint8_t value)
{
	*out = value ? '1' : '0';
	return out + 1;
}
bool logval_take_BOOL(struct slice text, uint8_t *ret_value);

/* ---- HEX64: 16 hexadecimal digits in lower case; empty when 0. ---- */
char *logval_put_HEX64(char *out, uint64_t value);
bool logval_take_HEX64(struct slice text, uint64_t *ret_value);

/* ---- WORD: bytes that are never quoted or escaped; any other byte becomes '_', and LOG_WORD_MAX is the longest. ---- */
char *logval_put_WORD(char *out, struct slice value);
bool logval_take_WORD(struct slice text, struct slice *ret_value);

/* ---- STR: quoted when needed, control bytes as \xHH, backslash doubled, cut when long. ---- */
char *logval_put_STR(char *out, struct slice value);
bool logval_take_STR(struct slice text, struct slice *ret_value);

/* ---- Enumerations: the name; empty for the row `none`. ---- */
static inline char *logval_put_row(char *out, const struct enum_row *row)
{
	memcpy(out, row->log_text, LOGVAL_SLACK);
	return out + row->log_len;
}
#define X(KIND, rows, count) \
static inline char *logval_put_##KIND(char *out, uint8_t value) \
{ \
	CHECK(value < (count)); \
	return logval_put_row(out, &(rows)[value]); \
} \
bool logval_take_##KIND(struct slice text, uint8_t *ret_value);
LOG_ENUM_KINDS(X)
#undef X

#endif
