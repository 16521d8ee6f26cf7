/* The table of formats for people and programs, and what a log cannot answer. */
#include <jansson.h>

#include "format_internal.h"
#include "json.h"
#include "show.h"

enum { WIDTH = 100 };

struct question { const char *name, *columns; };
static const struct question questions[] = {
#define QUESTION(name, columns) { name, columns },
#include "tbl/format_questions.h"
#undef QUESTION
};

static bool answers(const bool *present, const struct question *question)
{
	for (const char *at = question->columns; *at;) {
		size_t len = strcspn(at, " "), field = 0;
		while (field < LOG_FIELD_COUNT && !slice_eq(log_field_rows[field].name, slice_make(at, len))) field++;
		CHECK(field < LOG_FIELD_COUNT);  /* tbl/format_questions.h names a column that is none */
		if (!present[field]) return false;
		at += len + (at[len] == ' ');
	}
	return true;
}

static void questions_join(const bool *present, bool answered, char *out, size_t size)
{
	size_t len = 0;

	out[0] = 0;
	for (size_t i = 0; i < COUNT_OF(questions) && len < size; i++)
		if (answers(present, &questions[i]) == answered)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? "; " : "", questions[i].name);
}

void format_cannot(const struct format *format, char *out, size_t size)
{
	questions_join(format->present, false, out, size);
}

/* The formats as their rows make them; NULL where the columns come with the file. */
static struct format *row_format(int id)
{
	struct format *format = NULL;
	char why[FORMAT_WHY_MAX];

	if (format_rows[id].layout[0] || format_rows[id].dialect == DIALECT_CADDY) format_from_row((enum format_id)id, slice_make("", 0), &format, why);
	return format;
}

void formats_text(FILE *out)
{
	char list[2048];

	for (int i = 0; i < FORMAT_COUNT; i++) {
		const struct format_row *row = &format_rows[i];
		struct format *format = row_format(i);
		fprintf(out, "%s%s\n", i ? "\n" : "", row->name);
		show_wrapped(out, "  told by   ", 12, WIDTH, row->detected);
		if (row->layout[0]) show_wrapped(out, "  layout    ", 12, WIDTH, row->layout);
		if (format) {
			questions_join(format->present, true, list, sizeof(list));
			show_wrapped(out, "  answers   ", 12, WIDTH, list);
			questions_join(format->present, false, list, sizeof(list));
			show_wrapped(out, "  cannot    ", 12, WIDTH, list);
		} else {
			show_wrapped(out, "  answers   ", 12, WIDTH, "as far as the file has columns for it");
		}
		if (row->caveat[0]) show_wrapped(out, "  note      ", 12, WIDTH, row->caveat);
		format_free(&format);
	}
	fprintf(out, "\nLayouts of one's own, as --format 'NAME:LAYOUT'\n");
	for (int i = 0; i < DIALECT_COUNT; i++)
		if (dialect_rows[i].prefix[0]) fprintf(out, "  %-15s %s\n", dialect_rows[i].prefix, dialect_rows[i].doc);
}

static json_t *questions_json(const bool *present, bool answered)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < COUNT_OF(questions); i++)
		if (answers(present, &questions[i]) == answered) json_array_append_new(list, must(json_string(questions[i].name)));
	return list;
}

void formats_json(FILE *out)
{
	json_t *root = must(json_object()), *list = must(json_array());

	for (int i = 0; i < FORMAT_COUNT; i++) {
		json_t *object = must(json_object());
		struct format *format = row_format(i);
		put_text(object, "name", format_rows[i].name);
		put_text(object, "detected", format_rows[i].detected);
		put_text(object, "layout", format_rows[i].layout);
		put_text(object, "note", format_rows[i].caveat);
		if (format) {
			json_object_set_new(object, "answers", questions_json(format->present, true));
			json_object_set_new(object, "cannot", questions_json(format->present, false));
		}
		json_array_append_new(list, object);
		format_free(&format);
	}
	json_object_set_new(root, "formats", list);
	json_print(root, out);
}

/* ---- the formats of the files that were read ---- */

static bool shown_before(const struct audit *audit, size_t file)
{
	for (size_t i = 0; i < file; i++)
		if (audit->files[i].format && strcmp(audit->files[i].format->name, audit->files[file].format->name) == 0) return true;
	return false;
}

void formats_used_text(const struct audit *audit, FILE *out)
{
	char list[2048], text[SHOW_TEXT_MAX];

	for (size_t i = 0; i < audit->file_count; i++) {
		const struct format *format = audit->files[i].format;
		if (!format || shown_before(audit, i)) continue;
		fprintf(out, "Format    %s: ", show_text(text, slice_str(audit->files[i].path), 60));
		show_wrapped(out, "", 10, WIDTH, show_text(text, slice_str(format_detected(format) ? format_detected(format) : format->name), 0));
		format_cannot(format, list, sizeof(list));
		if (list[0]) show_wrapped(out, "          cannot tell: ", 12, WIDTH, list);
		if (format->caveat[0]) show_wrapped(out, "          note: ", 12, WIDTH, format->caveat);
	}
}

void formats_used_json(const struct audit *audit, json_t *root)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < audit->file_count; i++) {
		const struct format *format = audit->files[i].format;
		json_t *object;
		if (!format) continue;
		object = must(json_object());
		put_text(object, "file", audit->files[i].path);
		put_text(object, "format", format->name);
		if (format_detected(format)) put_text(object, "detected", format_detected(format));
		if (format->caveat[0]) put_text(object, "note", format->caveat);
		json_object_set_new(object, "cannot", questions_json(format->present, false));
		json_array_append_new(list, object);
	}
	json_object_set_new(root, "formats", list);
}
