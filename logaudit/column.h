/* One column of a line, by its name: as text and as a number. For what is asked of any column: filters, top, diff, convert. */
#ifndef LOGAUDIT_COLUMN_H
#define LOGAUDIT_COLUMN_H

#include "../conf/logval.h"

/* How a column compares: by the number, or by the bytes of its text. */
enum column_kind { COLUMN_number, COLUMN_hash, COLUMN_name /* of a row of a table */, COLUMN_word, COLUMN_text };

/* LOG_FIELD_..., or -1 when no column has the name. */
int column_named(struct slice name);
enum column_kind column_kind(enum log_field field);

/* Room for any column's text. */
enum { COLUMN_TEXT_MAX = 4 * LOG_STR_MAX + 64 };
/* As it stands on the line, without quotes: in out, or borrowed from the line. Escapes of texts are left. */
struct slice column_text(const struct logline *line, enum log_field field, char out[COLUMN_TEXT_MAX]);
/* The same with the escapes undone: what the client or the origin sent. */
struct slice column_plain(const struct logline *line, enum log_field field, char out[COLUMN_TEXT_MAX]);
/* COLUMN_number columns; -1: not known, which is less than any number. */
int64_t column_number(const struct logline *line, enum log_field field);

#endif
