/* Columns: expanded from the table of log fields. */
#include "column.h"

#define KIND_U64     COLUMN_number
#define KIND_I64     COLUMN_number
#define KIND_BOOL    COLUMN_number
#define KIND_HEX64   COLUMN_hash
#define KIND_WORD    COLUMN_word
#define KIND_STR     COLUMN_text
#define KIND_RECORD  COLUMN_name
#define KIND_VERDICT COLUMN_name
#define KIND_TIER    COLUMN_name
#define KIND_NOSTORE COLUMN_name
#define KIND_END     COLUMN_name
#define KIND_REFUSAL COLUMN_name
#define KIND_FOUND   COLUMN_name
#define KIND_UNCODED COLUMN_name

static const uint8_t kinds[LOG_FIELD_COUNT] = {
#define LOG_FIELD(name, KIND, doc) KIND_##KIND,
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
};

int column_named(struct slice name)
{
	for (int i = 0; i < LOG_FIELD_COUNT; i++)
		if (slice_eq(log_field_rows[i].name, name)) return i;
	return -1;
}

enum column_kind column_kind(enum log_field field)
{
	return kinds[field];
}

/* ---- text: what the writer puts on a line; texts are there already ---- */

#define PUT(KIND, type) \
static struct slice text_##KIND(type value, char *out) { return slice_make(out, (size_t)(logval_put_##KIND(out, value) - out)); }
PUT(U64, uint64_t)
PUT(I64, int64_t)
PUT(BOOL, uint8_t)
PUT(HEX64, uint64_t)
#define X(KIND, rows, count) PUT(KIND, uint8_t)
LOG_ENUM_KINDS(X)
#undef X

static struct slice text_WORD(struct slice value, char *out)
{
	(void)out;
	return value;
}

static struct slice text_STR(struct slice value, char *out)
{
	(void)out;
	return value;
}

struct slice column_text(const struct logline *line, enum log_field field, char out[COLUMN_TEXT_MAX])
{
	switch (field) {
#define LOG_FIELD(name, KIND, doc) case LOG_FIELD_##name: return text_##KIND(line->name, out);
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
	case LOG_FIELD_COUNT: break;
	}
	return slice_make("", 0);
}

struct slice column_plain(const struct logline *line, enum log_field field, char out[COLUMN_TEXT_MAX])
{
	struct slice text = column_text(line, field, out);
	uint64_t true_len;

	if (kinds[field] != COLUMN_text || text.len > COLUMN_TEXT_MAX || !text.len || !memchr(text.ptr, '\\', text.len)) return text;
	return slice_make(out, logval_unescape(text, out, &true_len));
}

/* ---- numbers ---- */

static int64_t clamp(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

#define NUMBER_U64(value)     clamp(value)
#define NUMBER_I64(value)     (value)
#define NUMBER_BOOL(value)    (value)
#define NUMBER_HEX64(value)   -1
#define NUMBER_WORD(value)    -1
#define NUMBER_STR(value)     -1
#define NUMBER_RECORD(value)  -1
#define NUMBER_VERDICT(value) -1
#define NUMBER_TIER(value)    -1
#define NUMBER_NOSTORE(value) -1
#define NUMBER_END(value)     -1
#define NUMBER_REFUSAL(value) -1
#define NUMBER_FOUND(value)   -1
#define NUMBER_UNCODED(value) -1

int64_t column_number(const struct logline *line, enum log_field field)
{
	switch (field) {
#define LOG_FIELD(name, KIND, doc) case LOG_FIELD_##name: return NUMBER_##KIND(line->name);
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
	case LOG_FIELD_COUNT: break;
	}
	return -1;
}
