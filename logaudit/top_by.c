/* Counting by any column. */
#include "json.h"
#include "rule.h"
#include "show.h"
#include "top_by.h"

const char *const top_order_names[TOP_ORDER_COUNT] = {
#define X(name) #name,
	TOP_ORDERS(X)
#undef X
};

static void take_line(void *arg, const struct logline *l, struct place at)
{
	struct top_by *top = arg;
	char buf[COLUMN_TEXT_MAX];
	struct slice text = column_text(l, top->column, buf);
	const uint64_t counts[TOP_ORDER_COUNT] = { 1, l->body_out, l->origin_tries > 0, l->total_us };
	uint64_t *row;

	(void)at;
	if (l->rec != REC_req) return;
	row = map_get(&top->values, text.len ? text : SLICE("(none)"));
	for (int i = 0; i < TOP_ORDER_COUNT; i++) {
		row[i] += counts[i];
		top->all[i] += counts[i];
	}
}

struct audit_reader top_by_reader(struct top_by *top)
{
	return (struct audit_reader){ take_line, NULL, top };
}

void top_by_init(struct top_by *top, enum log_field column)
{
	*top = (struct top_by){ .column = column };
	map_init(&top->values, sizeof(uint64_t) * TOP_ORDER_COUNT, NAMES_MAX);
}

void top_by_release(struct top_by *top)
{
	map_release(&top->values);
}

/* ---- order ---- */

struct ranked { size_t index; uint64_t count; struct slice name; };

static int by_count(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	bool others_x = slice_eq(x->name, SLICE("(others)")), others_y = slice_eq(y->name, SLICE("(others)"));

	if (others_x != others_y) return others_x ? 1 : -1;
	if (x->count != y->count) return x->count > y->count ? -1 : 1;
	return strcmp(x->name.ptr, y->name.ptr);
}

static struct ranked *rank(const struct top_by *top, enum top_order order)
{
	struct ranked *rows = must(malloc((top->values.count + 1) * sizeof(*rows)));

	for (size_t i = 0; i < top->values.count; i++)
		rows[i] = (struct ranked){ i, ((const uint64_t *)map_value(&top->values, i))[order], map_key(&top->values, i) };
	qsort(rows, top->values.count, sizeof(*rows), by_count);
	return rows;
}

static size_t rows_shown(const struct top_by *top, size_t rows_max)
{
	return rows_max && rows_max < top->values.count ? rows_max : top->values.count;
}

/* ---- showing ---- */

static void row_text(const uint64_t *counts, const struct top_by *top, enum top_order order, const char *name, FILE *out)
{
	char n[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], m[SHOW_NUMBER_MAX], r[SHOW_NUMBER_MAX];

	fprintf(out, "%12s %18s %12s %14.1f %9s  %s\n", show_count(n, counts[TOP_ORDER_requests]), show_count(b, counts[TOP_ORDER_bytes]),
		show_count(m, counts[TOP_ORDER_misses]), (double)counts[TOP_ORDER_time] / 1e6, show_ratio(r, counts[order], top->all[order]), name);
}

void top_by_text(const struct top_by *top, enum top_order order, size_t rows_max, FILE *out)
{
	struct ranked *rows = rank(top, order);
	size_t shown = rows_shown(top, rows_max);
	char name[SHOW_TEXT_MAX];

	fprintf(out, "\n%12s %18s %12s %14s %9s  %s, by %s\n", "requests", "body bytes", "misses", "seconds", "share", log_field_rows[top->column].name.ptr,
		top_order_names[order]);
	for (size_t i = 0; i < shown; i++)
		row_text(map_value(&top->values, rows[i].index), top, order, show_text(name, rows[i].name, 60), out);
	row_text(top->all, top, order, "(all)", out);
	if (shown < top->values.count) fprintf(out, "... and %zu more (--limit 0 shows all)\n", top->values.count - shown);
	free(rows);
}

json_t *top_by_json(const struct top_by *top, enum top_order order, size_t rows_max)
{
	struct ranked *rows = rank(top, order);
	size_t shown = rows_shown(top, rows_max);
	json_t *root = must(json_object()), *list = must(json_array()), *all = must(json_object());

	put_text(root, "column", log_field_rows[top->column].name.ptr);
	put_text(root, "by", top_order_names[order]);
	for (size_t i = 0; i < shown; i++) {
		json_t *row = must(json_object());
		json_object_set_new(row, "value", json_shown(rows[i].name));
		for (int n = 0; n < TOP_ORDER_COUNT; n++)
			put_number(row, top_order_names[n], ((const uint64_t *)map_value(&top->values, rows[i].index))[n]);
		json_array_append_new(list, row);
	}
	for (int n = 0; n < TOP_ORDER_COUNT; n++) put_number(all, top_order_names[n], top->all[n]);
	json_object_set_new(root, "values", list);
	json_object_set_new(root, "all", all);
	free(rows);
	return root;
}
