/* Header lines and records. */
#include "column.h"
#include "line.h"

/* Without these no ratio can be given, whatever the rules need. */
static const enum log_field core_fields[] = { LOG_FIELD_rec, LOG_FIELD_t_us, LOG_FIELD_cache, LOG_FIELD_volume, LOG_FIELD_body_out, LOG_FIELD_host };

void line_parser_init(struct line_parser *parser)
{
	*parser = (struct line_parser){ .splitter = splitter_new(), .scratch = format_scratch_new() };
	words_init(&parser->words);
}

void line_parser_release(struct line_parser *parser)
{
	splitter_free(&parser->splitter);
	format_scratch_free(&parser->scratch);
}

void line_parser_restart(struct line_parser *parser)
{
	parser->state = (struct line_state){ 0 };
}

void line_parser_use(struct line_parser *parser, const struct format *format)
{
	parser->state = (struct line_state){ .columns.valid = true, .format = format };
	memcpy(parser->state.columns.present, format_present(format), sizeof(parser->state.columns.present));
}

bool line_state_same(const struct line_state *a, const struct line_state *b)
{
	const struct columns *x = &a->columns, *y = &b->columns;

	if (a->format != b->format) return false;
	if (!x->valid || !y->valid) return x->valid == y->valid;
	return x->count == y->count && memcmp(x->field, y->field, x->count * sizeof(*x->field)) == 0;
}

static enum line_kind reject(enum reject why, struct slice column, enum reject *ret_reject, struct slice *ret_column)
{
	*ret_reject = why;
	*ret_column = column;
	return LINE_rejected;
}

/* "rec/1": the schema's version, or 0. */
static uint64_t header_version(struct slice first)
{
	uint64_t version = 0;

	for (size_t i = 4; i < first.len; i++) {
		if (first.ptr[i] < '0' || first.ptr[i] > '9' || first.len > 4 + 9) return 0;
		version = version * 10 + (uint64_t)(first.ptr[i] - '0');
	}
	return version;
}

static enum line_kind take_header(struct columns *columns, const struct slice *fields, size_t count, enum reject *ret_reject, struct slice *ret_column)
{
	uint64_t version = header_version(fields[0]);

	*columns = (struct columns){ .count = count };
	if (version > LOG_SCHEMA_VERSION) return LINE_newer;
	if (version == 0) return reject(REJECT_bad_header, fields[0], ret_reject, ret_column);
	for (size_t i = 0; i < count; i++) {
		int field = i == 0 ? LOG_FIELD_rec : column_named(fields[i]);
		if (field >= 0 && columns->present[field]) return reject(REJECT_bad_header, fields[i], ret_reject, ret_column);
		columns->field[i] = (int16_t)field;
		if (field >= 0) columns->present[field] = true;
	}
	for (size_t i = 0; i < COUNT_OF(core_fields); i++)
		if (!columns->present[core_fields[i]])
			return reject(REJECT_bad_header, log_field_rows[core_fields[i]].name, ret_reject, ret_column);
	columns->all_in_order = count == LOG_FIELD_COUNT;
	for (size_t i = 0; i < count; i++) columns->all_in_order &= columns->field[i] == (int)i;
	columns->valid = true;
	return LINE_header;
}

static bool take_record(const struct columns *columns, const struct slice *fields, struct logline *line, enum log_field *ret_bad)
{
	if (columns->all_in_order) return logline_take_all(line, fields, ret_bad);
	logline_init(line);
	for (size_t i = 0; i < columns->count; i++) {
		if (columns->field[i] < 0 || logline_take(line, (enum log_field)columns->field[i], fields[i])) continue;
		*ret_bad = (enum log_field)columns->field[i];
		return false;
	}
	return true;
}

/* A format does not depend on the lines before. */
static enum line_kind foreign_line(struct line_parser *parser, struct slice text, struct logline *ret_line, enum reject *ret_reject,
	struct slice *ret_column)
{
	bool header;

	parser->plain = false;
	*ret_reject = format_line(parser->state.format, parser->scratch, text, ret_line, ret_column, &header);
	if (*ret_reject == REJECT_other_columns) return LINE_newer;
	if (*ret_reject != REJECT_none) return LINE_rejected;
	return header ? LINE_header : LINE_record;
}

/* The slow way, which is the definition: libcsv's fields, one by one. */
static enum line_kind parse_fields(struct line_parser *parser, struct slice text, struct logline *ret_line, enum reject *ret_reject, struct slice *ret_column)
{
	struct slice fields[FIELDS_MAX];
	struct columns *columns = &parser->state.columns;
	size_t count = 0;
	enum reject why;
	enum log_field bad = LOG_FIELD_rec;

	why = split(parser->splitter, text, fields, &count);
	if (why != REJECT_none) return reject(why, slice_make(NULL, 0), ret_reject, ret_column);
	if (count && slice_starts(fields[0], SLICE("rec/"))) return take_header(columns, fields, count, ret_reject, ret_column);
	if (!columns->valid) return reject(REJECT_no_header, slice_make(NULL, 0), ret_reject, ret_column);
	if (count != columns->count) return reject(REJECT_field_count, slice_make(NULL, 0), ret_reject, ret_column);
	if (!take_record(columns, fields, ret_line, &bad)) return reject(REJECT_bad_value, log_field_rows[bad].name, ret_reject, ret_column);
	return LINE_record;
}

enum line_kind line_parse_within(struct line_parser *parser, struct slice text, const char *limit, struct logline *ret_line, enum reject *ret_reject,
	struct slice *ret_column)
{
	const struct columns *columns = &parser->state.columns;
	struct marks *marks = &parser->marks;

	if (parser->state.format) return foreign_line(parser, text, ret_line, ret_reject, ret_column);
	if (text.len && text.ptr[text.len - 1] == '\r') text.len--;
	/* A header line fails here, since its first column is no kind of record. */
	parser->plain = columns->valid && scan(text, marks) == SCAN_plain && marks->count == columns->count && (columns->all_in_order
			? take_in_order(&parser->words, marks, text.ptr, limit, ret_line)
			: take_by_columns(&parser->words, marks, columns->field, text.ptr, limit, ret_line));
	return parser->plain ? LINE_record : parse_fields(parser, text, ret_line, ret_reject, ret_column);
}

enum line_kind line_parse(struct line_parser *parser, struct slice text, struct logline *ret_line, enum reject *ret_reject, struct slice *ret_column)
{
	return line_parse_within(parser, text, text.ptr + text.len, ret_line, ret_reject, ret_column);
}
