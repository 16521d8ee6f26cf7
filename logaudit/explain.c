/* logaudit --explain-line: one line, value by value. */
#include <inttypes.h>

#include "../conf/logval.h"
#include "audit.h"
#include "explain.h"
#include "input.h"
#include "show.h"

struct explain { struct audit audit; uint64_t number; FILE *out; };

static void value_show(void *arg, struct slice name, struct slice text, const char *columns, bool ok)
{
	char shown_name[SHOW_TEXT_MAX], shown[SHOW_TEXT_MAX];
	FILE *out = arg;

	/* show_text is for texts no longer than our own log has. */
	if (text.len > LOG_STR_MAX) text.len = LOG_STR_MAX;
	fprintf(out, "  %-28s %s%s%s%s\n", show_text(shown_name, name, 40), show_text(shown, text, 60),
		columns[0] ? "  -> " : ok ? "  (not used)" : "", columns, ok ? "" : "  NOT UNDERSTOOD");
}

/* Texts stand in the record as in our log already; all else is put as it would be there. */
static struct slice show_STR(char *out, struct slice value) { return (void)out, value; }
#define show_WORD show_STR
#define SHOW(KIND, type) \
	static struct slice show_##KIND(char *out, type value) { return slice_make(out, (size_t)(logval_put_##KIND(out, value) - out)); }
SHOW(U64, uint64_t)
SHOW(I64, int64_t)
SHOW(BOOL, uint8_t)
SHOW(HEX64, uint64_t)
#define X(KIND, rows, count) SHOW(KIND, uint8_t)
LOG_ENUM_KINDS(X)
#undef X
#undef SHOW

static void column_show(enum log_field field, struct slice text, struct slice empty, const bool *present, FILE *out)
{
	char shown[SHOW_TEXT_MAX];

	if (!present[field] && slice_eq(text, empty)) return;
	if (text.len) fprintf(out, "  %-16s %s\n", log_field_rows[field].name.ptr, show_text(shown, text, 80));
}

/* Without what is not known. */
static void record_show(const struct logline *line, const bool *present, FILE *out)
{
	char one[256], other[256], time[SHOW_TIME_MAX];
	struct logline empty;

	logline_init(&empty);
	fprintf(out, "As columns of ours:\n");
#define LOG_FIELD(name, KIND, doc) \
	if (LOG_FIELD_##name == LOG_FIELD_t_us) column_show(LOG_FIELD_t_us, slice_str(show_time(time, line->t_us)), slice_make("", 0), present, out); \
	else column_show(LOG_FIELD_##name, show_##KIND(one, line->name), show_##KIND(other, empty.name), present, out);
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
}

static void own_show(struct explain *e, struct slice text)
{
	struct slice fields[FIELDS_MAX];
	size_t count = 0;
	const struct columns *columns = &e->audit.parser.state.columns;

	if (!columns->valid || split(e->audit.parser.splitter, text, fields, &count) != REJECT_none) return;
	for (size_t i = 0; i < count; i++) {
		int field = i < columns->count ? columns->field[i] : -1;
		struct slice none = SLICE("(a column too many)"), unknown = SLICE("(not known to this program)");
		if (fields[i].len || i >= columns->count)
			value_show(e->out, field >= 0 ? log_field_rows[field].name : i < columns->count ? unknown : none, fields[i], "", true);
	}
}

static void line_explain(struct explain *e, struct slice text, enum reject why)
{
	struct audit *audit = &e->audit;
	const struct format *format = audit->files[audit->file_count - 1].format;
	char shown[SHOW_TEXT_MAX];
	struct logline line;
	struct slice column = { NULL, 0 }, head = text;
	enum line_kind kind;

	if (head.len > LOG_STR_MAX) head.len = LOG_STR_MAX;
	fprintf(e->out, "%s:%" PRIu64 ": %s\nFormat: %s\n", audit_path(audit, audit->here), e->number, show_text(shown, head, 0),
		!format ? "proxyd's own" : format_detected(format) ? format_detected(format) : format_name(format));
	if (why != REJECT_none) {
		fprintf(e->out, "Rejected: %s: %s\n", reject_rows[why].name, reject_rows[why].doc);
		return;
	}
	format_scratch_trace(audit->parser.scratch, value_show, e->out);
	if (!format) own_show(e, text);
	kind = line_parse(&audit->parser, text, &line, &why, &column);
	if (kind == LINE_record) record_show(&line, audit->parser.state.columns.present, e->out);
	else if (kind == LINE_header) fprintf(e->out, "A header line: it names the columns and is not counted.\n");
	else if (why == REJECT_none) fprintf(e->out, "A header line of a newer schema than %d: nothing after it can be read.\n", LOG_SCHEMA_VERSION);
	else fprintf(e->out, "Rejected: %s%s%s: %s\n", reject_rows[why].name, column.len ? " at " : "", show_text(shown, column, 60), reject_rows[why].doc);
}

/* The lines before it may be header lines. */
static bool chunk_explain(struct explain *e, const struct chunk *chunk)
{
	struct line_parser *parser = &e->audit.parser;
	const char *at = chunk->text.ptr;
	struct slice text, column;
	struct logline line;
	enum reject why;

	if (e->number >= chunk->first + chunk->numbers) return false;
	parser->state = chunk->before;
	for (uint64_t number = chunk->first; chunk_line(chunk, &at, &text, &why); number++) {
		if (number == e->number) {
			line_explain(e, text, why);
			break;
		}
		if (why == REJECT_none) line_parse(parser, text, &line, &why, &column);
	}
	return true;
}

/* False: there is no such line; why says what ended the reading before it, or is empty. */
static bool input_explain(struct explain *e, struct input *input, char why[256])
{
	struct audit *audit = &e->audit;
	bool found = false, more = audit_head(audit, input_head(input));
	struct chunk chunk;

	chunk_init(&chunk);
	while (more && !found && input_next(input, &chunk, why)) {
		chunk_parse(&chunk, &audit->parser, chunk.text.ptr + chunk.text.len + CHUNK_SLACK);
		more = audit_settle(audit, &chunk);
		found = chunk_explain(e, &chunk);
	}
	chunk_release(&chunk);
	return found;
}

static void line_pass(void *arg, const struct logline *line, struct place at)
{
	(void)arg;
	(void)line;
	(void)at;
}

static void columns_pass(void *arg, const struct columns *columns, struct place at)
{
	(void)arg;
	(void)columns;
	(void)at;
}

bool explain_line(const char *path, uint64_t number, const char *format, FILE *out)
{
	struct explain e = { .number = number, .out = out };
	char why[256] = "";
	struct input *input;
	bool found;

	audit_init(&e.audit);
	e.audit.format = format;
	e.audit.reader = (struct audit_reader){ line_pass, columns_pass, NULL };
	audit_begin(&e.audit, path);
	input = input_open(path, why);
	found = input && input_explain(&e, input, why);
	input_close(&input);
	for (size_t i = 0; i < e.audit.trouble_count; i++) fprintf(stderr, "logaudit: %s\n", e.audit.troubles[i]);
	if (*why) fprintf(stderr, "logaudit: %s: %s\n", path, why);
	else if (!found && !e.audit.trouble_count) fprintf(stderr, "logaudit: %s has no line %" PRIu64 "\n", path, number);
	audit_release(&e.audit);
	return found;
}
