/* Values out of a scanned line: the same as logline_take, for what is plain, several times faster. */
#ifndef LOGAUDIT_TAKE_H
#define LOGAUDIT_TAKE_H

#include "../conf/logval.h"
#include "scan.h"

/* The names of each enumeration by a hash of their text: index + 1 of the last row with that hash; 0: none. */
#define WORDS_ONE(KIND, rows, count) + 1
enum { WORDS_SLOTS = 256, WORDS_KINDS = 0 LOG_ENUM_KINDS(WORDS_ONE) };
#undef WORDS_ONE
enum { WORDS_SHORT_LOG = 7 };
struct words_short { uint64_t text; uint8_t len, row; };
struct words {
	uint8_t rows[WORDS_KINDS][WORDS_SLOTS], none[WORDS_KINDS];
	struct words_short shorts[WORDS_KINDS][1 << WORDS_SHORT_LOG];
};
void words_init(struct words *words);

/* Takes the fields of a SCAN_plain line whose columns are those of the table, in its order (take_in_order), or columns[i] (-1: a
 * column that is not known). limit: the end of the bytes that may be read, at or behind the line's end. False: a field needs the
 * slow way, or is wrong; *ret_line is then worth nothing. Texts borrow from `text`. */
bool take_in_order(const struct words *words, const struct marks *marks, const char *text, const char *limit, struct logline *ret_line);
bool take_by_columns(const struct words *words, const struct marks *marks, const int16_t *columns, const char *text, const char *limit,
	struct logline *ret_line);

#endif
