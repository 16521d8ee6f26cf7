/* One record of the access log: the struct that both the line and the metrics are made from.
 * Expanded from tbl/log_fields.h; the enumerations are kept as one byte. Slices are borrowed. */
#ifndef CONF_LOGLINE_H
#define CONF_LOGLINE_H

#include "enums.h"

#define LOG_SCHEMA_VERSION 1
/* Limits: a text longer than LOG_STR_MAX bytes is cut; no line is longer than LOG_LINE_MAX with its newline. */
enum { LOG_STR_MAX = 1024, LOG_LINE_MAX = 64 * 1024 };

#define LOG_TYPE_U64     uint64_t
#define LOG_TYPE_I64     int64_t
#define LOG_TYPE_BOOL    uint8_t
#define LOG_TYPE_HEX64   uint64_t
#define LOG_TYPE_WORD    struct slice
#define LOG_TYPE_STR     struct slice
#define LOG_TYPE_RECORD  uint8_t
#define LOG_TYPE_VERDICT uint8_t
#define LOG_TYPE_TIER    uint8_t
#define LOG_TYPE_NOSTORE uint8_t
#define LOG_TYPE_END     uint8_t
#define LOG_TYPE_REFUSAL uint8_t
#define LOG_TYPE_FOUND   uint8_t
#define LOG_TYPE_UNCODED uint8_t

struct logline {
#define LOG_FIELD(name, KIND, doc) LOG_TYPE_##KIND name;
#include "tbl/log_fields.h"
#undef LOG_FIELD
};

enum log_field {
#define LOG_FIELD(name, KIND, doc) LOG_FIELD_##name,
#include "tbl/log_fields.h"
#undef LOG_FIELD
	LOG_FIELD_COUNT };

struct log_field_row {
	struct slice name;
	const char *kind;
	const char *doc;
};
extern const struct log_field_row log_field_rows[LOG_FIELD_COUNT];

/* An empty record: I64 fields are -1 (not known), all others zero. */
void logline_init(struct logline *line);

/* Writes the record as one CSV line with its newline (RFC 4180; one record = one physical line). `out` has room for
 * LOG_LINE_MAX bytes. Returns the bytes written. Pure; any thread. */
size_t logline_write(const struct logline *line, char *out);

/* Writes the header line with its newline: rec/1,t_us,... Same bounds. */
size_t logline_write_header(char *out);

/* Sets one field from the text of its column (already unquoted by the CSV reader). Escapes in STR are left as they are:
 * a reader shows them; logval_unescape undoes them. Returns false, and leaves the field untouched, when the text is not
 * of the field's kind. STR and WORD borrow `text`. */
bool logline_take(struct logline *line, enum log_field field, struct slice text);
/* All fields of a line whose columns are those of the table, in its order: the same, faster. false: *ret_bad is the first
 * field whose text is not of its kind. */
bool logline_take_all(struct logline *line, const struct slice texts[LOG_FIELD_COUNT], enum log_field *ret_bad);

/* Undoes the escapes of a STR field into out (at least text.len bytes); returns the length. *ret_true_len is the length
 * before it was cut. */
size_t logval_unescape(struct slice text, char *out, uint64_t *ret_true_len);

#endif
