/* One record of the access log to its line and back, field by field as tbl/log_fields.h says. */
#include "logval.h"

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* The longest text of each kind, to prove that a line always fits. */
enum {
	MAX_U64 = LOG_DECIMAL_MAX, MAX_I64 = LOG_DECIMAL_MAX, MAX_BOOL = 1, MAX_HEX64 = 16, MAX_WORD = LOG_WORD_MAX,
	MAX_STR = 4 * LOG_STR_MAX + 4 + LOG_DECIMAL_MAX,
	MAX_RECORD = 31, MAX_VERDICT = 31, MAX_TIER = 31, MAX_NOSTORE = 31, MAX_END = 31, MAX_REFUSAL = 31, MAX_FOUND = 31, MAX_UNCODED = 31,
#define LOG_FIELD(name, KIND, doc) + MAX_##KIND + 1
	LONGEST_LINE = LOGVAL_SLACK
#include "tbl/log_fields.h"
#undef LOG_FIELD
};
_Static_assert((int)LONGEST_LINE <= (int)LOG_LINE_MAX, "a record may not fit on its line");

const struct log_field_row log_field_rows[LOG_FIELD_COUNT] = {
#define LOG_FIELD(name, KIND, doc) { SLICE(#name), #KIND, doc },
#include "tbl/log_fields.h"
#undef LOG_FIELD
};

#define UNKNOWN_U64 0
#define UNKNOWN_I64 -1
#define UNKNOWN_BOOL 0
#define UNKNOWN_HEX64 0
#define UNKNOWN_WORD { NULL, 0 }
#define UNKNOWN_STR { NULL, 0 }
#define UNKNOWN_RECORD 0
#define UNKNOWN_VERDICT 0
#define UNKNOWN_TIER 0
#define UNKNOWN_NOSTORE 0
#define UNKNOWN_END 0
#define UNKNOWN_REFUSAL 0
#define UNKNOWN_FOUND 0
#define UNKNOWN_UNCODED 0

void logline_init(struct logline *line)
{
	static const struct logline empty = {
#define LOG_FIELD(name, KIND, doc) .name = UNKNOWN_##KIND,
#include "tbl/log_fields.h"
#undef LOG_FIELD
	};

	*line = empty;
}

size_t logline_write(const struct logline *line, char *out)
{
	char *at = out;

#define LOG_FIELD(name, KIND, doc) at = logval_put_##KIND(at, line->name); *at++ = ',';
#include "tbl/log_fields.h"
#undef LOG_FIELD
	at[-1] = '\n';
	return (size_t)(at - out);
}

size_t logline_write_header(char *out)
{
	char *at = out;

	for (int i = 0; i < LOG_FIELD_COUNT; i++) {
		memcpy(at, log_field_rows[i].name.ptr, log_field_rows[i].name.len);
		at += log_field_rows[i].name.len;
		if (i == LOG_FIELD_rec) {
			memcpy(at, "/" TEXT_OF(LOG_SCHEMA_VERSION), sizeof("/" TEXT_OF(LOG_SCHEMA_VERSION)) - 1);
			at += sizeof("/" TEXT_OF(LOG_SCHEMA_VERSION)) - 1;
		}
		*at++ = ',';
	}
	at[-1] = '\n';
	return (size_t)(at - out);
}

bool logline_take(struct logline *line, enum log_field field, struct slice text)
{
	switch (field) {
#define LOG_FIELD(name, KIND, doc) case LOG_FIELD_##name: return logval_take_##KIND(text, &line->name);
#include "tbl/log_fields.h"
#undef LOG_FIELD
	case LOG_FIELD_COUNT: break;
	}
	CHECK(field < LOG_FIELD_COUNT);
	return false;
}

bool logline_take_all(struct logline *line, const struct slice texts[LOG_FIELD_COUNT], enum log_field *ret_bad)
{
#define LOG_FIELD(name, KIND, doc) \
	if (__builtin_expect(!logval_take_##KIND(texts[LOG_FIELD_##name], &line->name), 0)) { \
		*ret_bad = LOG_FIELD_##name; \
		return false; \
	}
#include "tbl/log_fields.h"
#undef LOG_FIELD
	return true;
}
