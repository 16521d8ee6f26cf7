/* Splitting: where fields end (scan.h), and libcsv for what is odd. */
#include <csv.h>

#include "../conf/check.h"
#include "scan.h"

const struct reject_row reject_rows[REJECT_COUNT] = {
#define REJECT(name, doc) { #name, doc },
#include "tbl/rejects.h"
#undef REJECT
};

struct splitter {
	struct csv_parser csv;
	struct slice *fields;            /* during one call */
	size_t count;
	size_t used;
	struct marks marks;
	char text[LOG_LINE_MAX];         /* what libcsv unquoted */
};

struct splitter *splitter_new(void)
{
	struct splitter *s = must(calloc(1, sizeof(*s)));

	CHECK(csv_init(&s->csv, CSV_STRICT | CSV_STRICT_FINI) == 0);
	return s;
}

void splitter_free(struct splitter **splitter)
{
	if (!*splitter) return;
	csv_free(&(*splitter)->csv);
	free(*splitter);
	*splitter = NULL;
}

/* ---- libcsv ---- */

static void on_field(void *text, size_t len, void *arg)
{
	struct splitter *s = arg;

	CHECK(len <= sizeof(s->text) - s->used);
	if (len) memcpy(s->text + s->used, text, len);
	if (s->count < FIELDS_MAX) s->fields[s->count] = slice_make(s->text + s->used, len);
	s->count++;
	s->used += len;
}

static void on_row(int end, void *arg)
{
	(void)end;
	(void)arg;
}

enum reject split_by_libcsv(struct splitter *s, struct slice text, struct slice fields[FIELDS_MAX], size_t *ret_count)
{
	enum reject result = REJECT_none;

	if (text_has_control(text)) return REJECT_control_byte;
	s->fields = fields;
	s->count = s->used = 0;
	if (csv_parse(&s->csv, text.ptr, text.len, on_field, on_row, s) != text.len) result = REJECT_bad_quote;
	else if (csv_fini(&s->csv, on_field, on_row, s) != 0) result = REJECT_open_quote;
	if (result != REJECT_none) {
		/* What is left of this line must not begin the next one. */
		csv_free(&s->csv);
		CHECK(csv_init(&s->csv, CSV_STRICT | CSV_STRICT_FINI) == 0);
		return result;
	}
	if (s->count > FIELDS_MAX) return REJECT_field_count;
	*ret_count = s->count;
	return REJECT_none;
}

/* ---- the scanner ---- */

enum reject split(struct splitter *s, struct slice text, struct slice fields[FIELDS_MAX], size_t *ret_count)
{
	size_t begin = 0;

	if (!text.len) {
		*ret_count = 0;
		return REJECT_none;
	}
	switch (scan(text, &s->marks)) {
	case SCAN_plain: break;
	case SCAN_control: return REJECT_control_byte;
	case SCAN_odd: return split_by_libcsv(s, text, fields, ret_count);
	}
	for (size_t i = 0; i < s->marks.count; i++) {
		struct slice field = slice_make(text.ptr + begin, s->marks.end[i] - begin);
		begin = s->marks.end[i] + 1;
		/* libcsv drops blanks around what is not quoted. There are no tabs. */
		fields[i] = field.len && *field.ptr == '"' ? slice_make(field.ptr + 1, field.len - 2) : slice_trim(field);
	}
	/* A blank line is no row; a line of one empty quoted field is. */
	*ret_count = s->marks.count == 1 && !fields[0].len && *text.ptr != '"' ? 0 : s->marks.count;
	return REJECT_none;
}
