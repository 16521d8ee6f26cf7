/* The top URLs as text and as JSON. */
#include "json.h"
#include "report.h"
#include "show.h"
#include "top.h"
#include "why.h"

enum { WIDTH = 100, URL_WIDTH = 45 };

static bool is_others(const struct top *top, size_t index)
{
	return slice_eq(map_key(&top->urls, index), SLICE("(others)"));
}

/* ---- text ---- */

static void row_text(const char *name, const struct top_row *row, FILE *out)
{
	char m[SHOW_NUMBER_MAX], n[SHOW_NUMBER_MAX], r[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX];

	fprintf(out, "%10s %10s %9s %19s  %s\n", show_count(m, row->missed), show_count(n, row->requests),
		show_ratio(r, row->hits, row->requests), show_count(b, row->origin_in), name);
}

static void reasons_line(struct top_row *row, FILE *out)
{
	char text[REASONS_TEXT_MAX];

	if (reasons_show(text, &row->reasons)[0])
		show_wrapped(out, "                                                      ", 54, WIDTH, text);
}

/* What the names of the rows shown mean, and what would help. */
static void legend_text(const bool shown[REASON_COUNT], FILE *out)
{
	for (int i = 0; i < REASON_COUNT; i++) {
		struct reason_row row;
		char first[64];
		if (!shown[i]) continue;
		row = reason_row(i);
		snprintf(first, sizeof(first), "%-20s ", row.name);
		fputc('\n', out);
		show_wrapped(out, first, 21, WIDTH, row.doc);
		if (row.advice[0]) show_wrapped(out, "                     ", 21, WIDTH, row.advice);
	}
}

void top_text(struct top *top, const struct audit *audit, const struct top_options *options, FILE *out)
{
	bool shown[REASON_COUNT] = { false };
	size_t count, *order = top_order(top, options->missed, &count), hidden = 0;
	size_t rows = options->rows_max ? options->rows_max : count;
	char name[SHOW_TEXT_MAX];

	lines_text(audit, out);
	fprintf(out, "\n%10s %10s %9s %19s  %s\n", "missed", "requests", "hit ratio", "from origin",
		options->missed ? "Most missed URLs" : "URLs most asked for");
	for (size_t i = 0; i < count; i++) {
		struct top_row *row = map_value(&top->urls, order[i]);
		if (i >= rows && !is_others(top, order[i])) {
			hidden++;
			continue;
		}
		row_text(is_others(top, order[i]) ? "(others: URLs that did not fit)" : show_text(name, map_key(&top->urls, order[i]), URL_WIDTH), row, out);
		if (!options->why) continue;
		reasons_line(row, out);
		for (int r = 0; r < REASONS_MAX; r++)
			if (row->reasons.rows[r].count) shown[row->reasons.rows[r].reason] = true;
	}
	row_text("all requests with a target", &top->all, out);
	if (hidden) fprintf(out, "... and %zu more URLs (--limit 0 shows all)\n", hidden);
	legend_text(shown, out);
	free(order);
}

/* ---- JSON ---- */

static json_t *row_json(struct top_row *row, bool why)
{
	json_t *object = must(json_object()), *reasons = must(json_array());

	put_number(object, "requests", row->requests);
	put_number(object, "hits", row->hits);
	put_number(object, "missed", row->missed);
	put_number(object, "bytes", row->body_out);
	put_number(object, "origin_bytes", row->origin_in);
	if (!why) {
		json_decref(reasons);
		return object;
	}
	reasons_sort(&row->reasons);
	for (int i = 0; i < REASONS_MAX && row->reasons.rows[i].count; i++) {
		struct reason_row reason = reason_row((int)row->reasons.rows[i].reason);
		json_t *one = must(json_object());
		put_text(one, "kind", reason.kind);
		put_text(one, "reason", reason.name);
		put_text(one, "doc", reason.doc);
		put_text(one, "advice", reason.advice);
		put_number(one, "count", row->reasons.rows[i].count);
		json_array_append_new(reasons, one);
	}
	json_object_set_new(object, "reasons", reasons);
	put_number(object, "other_reasons", row->reasons.unnamed);
	return object;
}

void top_json(struct top *top, const struct audit *audit, const struct top_options *options, FILE *out)
{
	size_t count, *order = top_order(top, options->missed, &count);
	json_t *root = must(json_object()), *urls = must(json_array());

	lines_json(audit, root);
	put_text(root, "by", options->missed ? "missed" : "requests");
	json_object_set_new(root, "all", row_json(&top->all, false));
	json_object_set_new(root, "others", must(json_null()));
	for (size_t i = 0; i < count; i++) {
		json_t *row;
		if (!is_others(top, order[i]) && options->rows_max && i >= options->rows_max) continue;
		row = row_json(map_value(&top->urls, order[i]), options->why);
		if (is_others(top, order[i])) {
			json_object_set_new(root, "others", row);
			continue;
		}
		json_object_set_new(row, "url", json_shown(map_key(&top->urls, order[i])));
		json_array_append_new(urls, row);
	}
	json_object_set_new(root, "urls", urls);
	json_print(root, out);
	free(order);
}
