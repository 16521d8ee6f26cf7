/* Logs of other programs: any bytes as a log of any format, told by its first lines, named, or of a layout that is any bytes too.
 * Every line is counted or rejected, nothing is read beyond it, and a record's texts are such as our own log may have. */
#include "../../conf/logval.h"
#include "../../logaudit/audit.h"
#include "../../logaudit/format_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_STR(struct slice value) { CHECK(logval_take_STR(value, &value)); }
static void check_WORD(struct slice value) { CHECK(logval_take_WORD(value, &value)); }
static void check_BOOL(uint8_t value) { CHECK(value <= 1); }
static void check_I64(int64_t value) { CHECK(value >= -1); }
static void check_U64(uint64_t value) { (void)value; }
#define check_HEX64 check_U64
#define X(KIND, rows, count) static void check_##KIND(uint8_t value) { CHECK(value < (count)); }
LOG_ENUM_KINDS(X)
#undef X

static void record_check(const struct logline *line)
{
#define LOG_FIELD(name, KIND, doc) check_##KIND(line->name);
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
}

static void lines_check(const struct format *format, struct slice rest)
{
	struct format_scratch *scratch = format_scratch_new();
	struct logline line;
	struct slice text, column;
	bool header;

	while (rest.len) {
		const char *newline = memchr(rest.ptr, '\n', rest.len);
		size_t len = newline ? (size_t)(newline - rest.ptr) : rest.len;
		/* A copy of just the line: what reads beyond it is caught. */
		char *copy = must(malloc(len + 1));
		memcpy(copy, rest.ptr, len);
		text = slice_make(len ? must(realloc(copy, len)) : copy, len);
		if (len < LOG_LINE_MAX && format_line(format, scratch, text, &line, &column, &header) == REJECT_none && !header) record_check(&line);
		free((char *)(uintptr_t)text.ptr);
		rest = slice_make(rest.ptr + len + (newline != NULL), rest.len - len - (newline != NULL));
	}
	format_scratch_free(&scratch);
}

/* The first byte: which format; beyond the table's, a dialect whose layout is the first line; 255: by the lines themselves. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct format *format = NULL;
	struct slice text = slice_make((const char *)data + 1, size ? size - 1 : 0);
	char why[FORMAT_WHY_MAX], wanted[512];

	if (!size) return 0;
	if (data[0] < FORMAT_COUNT) {
		format_open(text, format_rows[data[0]].name, &format, why);
	} else if (data[0] < FORMAT_COUNT + DIALECT_COUNT) {
		const char *newline = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
		size_t len = newline ? (size_t)(newline - text.ptr) : 0;
		snprintf(wanted, sizeof(wanted), "%s:%.*s", dialect_rows[data[0] - FORMAT_COUNT].prefix, (int)(len < 400 ? len : 400), text.ptr);
		format_open(text, wanted, &format, why);
	} else {
		format_open(text, NULL, &format, why);
	}
	if (format) lines_check(format, text);
	format_free(&format);
	return 0;
}
