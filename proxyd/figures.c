/* A series with its percentiles, and sums by name. */
#include "figures.h"

#include <search.h>

#include "../conf/check.h"

void series_add(struct series *series, uint64_t value)
{
	if (series->count == series->room) {
		series->room = series->room ? series->room * 2 : 1024;
		series->values = must(realloc(series->values, series->room * sizeof(*series->values)));
	}
	series->values[series->count++] = value;
	series->sum += value;
	series->sorted = false;
}

static int value_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t series_at(struct series *series, unsigned percent)
{
	size_t rank = (series->count * percent + 99) / 100;

	if (series->count == 0)
		return 0;
	if (!series->sorted)
		qsort(series->values, series->count, sizeof(*series->values), value_order);
	series->sorted = true;
	return series->values[rank > 0 ? rank - 1 : 0];
}

double series_mean(const struct series *series)
{
	return series->count > 0 ? (double)series->sum / (double)series->count : 0;
}

void series_release(struct series *series)
{
	free(series->values);
	*series = (struct series){ 0 };
}

/* ---- names ---- */

static int name_order(const void *a, const void *b)
{
	const struct name_row *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

void names_add(struct names *names, struct slice name, uint64_t bytes)
{
	struct name_row *row = must(calloc(1, sizeof(*row) + name.len)), **at;

	row->len = name.len;
	if (name.len > 0)
		memcpy(row->text, name.ptr, name.len);
	at = tfind(row, &names->tree, name_order);
	if (!at && names->count >= NAMES_MAX && !slice_eq(name, SLICE("(others)"))) {
		free(row);
		names_add(names, SLICE("(others)"), bytes);
		return;
	}
	if (!at) {
		at = must(tsearch(row, &names->tree, name_order));
		names->count++;
	} else {
		free(row);
	}
	(*at)->objects++;
	(*at)->bytes += bytes;
}

struct names_walk { const struct name_row **rows; size_t count, room; };

static bool comes_before(const struct name_row *a, const struct name_row *b)
{
	return a->objects != b->objects ? a->objects > b->objects : name_order(a, b) < 0;
}

static void name_visit(const void *node, VISIT visit, void *arg)
{
	struct names_walk *walk = arg;
	const struct name_row *row = *(struct name_row *const *)node;
	size_t at;

	if (visit != postorder && visit != leaf)
		return;
	if (walk->count == walk->room && (walk->room == 0 || !comes_before(row, walk->rows[walk->count - 1])))
		return;
	at = walk->count < walk->room ? walk->count++ : walk->count - 1;
	for (; at > 0 && comes_before(row, walk->rows[at - 1]); at--)
		walk->rows[at] = walk->rows[at - 1];
	walk->rows[at] = row;
}

size_t names_top(const struct names *names, const struct name_row **rows, size_t room)
{
	struct names_walk walk = { rows, 0, room };

	twalk_r(names->tree, name_visit, &walk);
	return walk.count;
}

void names_release(struct names *names)
{
	tdestroy(names->tree, free);
	*names = (struct names){ 0 };
}
