/* Logs whose columns are named by a line #Fields at the top: CloudFront, and others of the W3C extended log file format. */
#include "format_internal.h"

static bool fields_find(struct slice head, struct slice *ret_fields)
{
	struct slice line;

	while (head_line(&head, &line)) {
		if (!slice_starts(line, SLICE("#Fields:"))) continue;
		*ret_fields = slice_trim(slice_make(line.ptr + 8, line.len - 8));
		return true;
	}
	return false;
}

/* CloudFront parts names by blanks, and values by tabs. */
static char separator_find(struct slice head)
{
	struct slice line;

	while (head_line(&head, &line))
		if (line.len && line.ptr[0] != '#') return memchr(line.ptr, '\t', line.len) ? '\t' : ' ';
	return '\t';
}

bool w3c_compile(struct format *format, struct slice head, char why[FORMAT_WHY_MAX])
{
	struct slice fields;
	size_t at = 0;

	if (!fields_find(head, &fields) || fields.len >= LAYOUT_MAX) {
		snprintf(why, FORMAT_WHY_MAX, "no line #Fields: is among the first");
		return false;
	}
	memcpy(format->layout, fields.ptr, fields.len);
	format->fields = slice_make(format->layout, fields.len);
	format->separator = separator_find(head);
	while (at < fields.len) {
		size_t len = 0;
		enum take_id take;
		while (at + len < fields.len && format->layout[at + len] != ' ' && format->layout[at + len] != '\t') len++;
		if (len && format->count == ITEMS_MAX) {
			snprintf(why, FORMAT_WHY_MAX, "#Fields: names more than %d columns", ITEMS_MAX);
			return false;
		}
		take = field_take(DIALECT_W3C, slice_make(format->layout + at, len));
		if (len) {
			format->items[format->count++] = (struct item){ .take = take, .name = slice_make(format->layout + at, len),
				.end = slice_make(&format->separator, 1) };
			format_claim(format, take);
		}
		at += len + 1;
	}
	if (format->count) format->items[format->count - 1].end.len = 0;
	return format->count > 0;
}

enum reject w3c_line(const struct format *format, struct work *work, struct slice text, struct slice *ret_column, bool *ret_header)
{
	enum reject why;

	if (text.len && text.ptr[0] == '#') {
		bool fields = slice_starts(text, SLICE("#Fields:"));
		*ret_header = true;
		return fields && !slice_eq(slice_trim(slice_make(text.ptr + 8, text.len - 8)), format->fields) ? REJECT_other_columns : REJECT_none;
	}
	/* The last value would swallow what is too much. */
	if (format->count && memchr(text.ptr, format->separator, text.len)) {
		size_t count = 0;
		for (size_t i = 0; i < text.len; i++) count += text.ptr[i] == format->separator;
		if (count != format->count - 1) return REJECT_field_count;
	}
	why = layout_line(format, work, text, ret_column);
	return why == REJECT_no_match ? REJECT_field_count : why;
}
