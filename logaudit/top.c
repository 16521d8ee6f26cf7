/* Counting by URL. */
#include "rule.h"
#include "top.h"
#include "why.h"

/* ---- lines ---- */

static void row_add(struct top_row *row, const struct logline *line, bool missed)
{
	row->requests++;
	row->hits += line_from_store(line);
	row->missed += missed;
	row->body_out += line->body_out;
	row->origin_in += line->origin_in;
}

/* The reason of a miss, and what it teaches about later ones. -1: too many objects to tell. */
static int tell(struct top *top, const struct logline *line, uint32_t url, int reason)
{
	struct visit visit;

	if (reason != REASON_miss && !line->stored && line->cache != VERDICT_pass) return reason;
	if (top->memory.objects.count >= TOP_OBJECTS_MAX) return reason == REASON_miss ? -1 : reason;
	visit = visit_of(line, map_number(&top->nodes, line->node), url);
	if (reason == REASON_miss) reason += (int)miss_tell(&top->memory, &visit);
	miss_learn(&top->memory, &visit);
	return reason;
}

static void take_line(void *arg, const struct logline *line, struct place at)
{
	char text[2 * LOG_LINE_MAX];
	struct top *top = arg;
	struct top_row *row;
	int reason, len;

	(void)at;
	if ((line->rec != REC_req && line->rec != REC_refresh) || !line->target.len) return;
	len = snprintf(text, sizeof(text), "%.*s%s%.*s%.*s", SLICE_ARG(line->scheme), line->scheme.len ? "://" : "", SLICE_ARG(line->host),
		SLICE_ARG(line->target));
	uint32_t url = map_number(&top->urls, slice_make(text, (size_t)len));
	if (line->rec != REC_req) {
		tell(top, line, url, REASON_answered);
		return;
	}
	row = map_value(&top->urls, url);
	reason = reason_of(line);
	row_add(row, line, reason_is_missed(reason));
	row_add(&top->all, line, reason_is_missed(reason));
	reason = tell(top, line, url, reason);
	if (reason < 0) row->reasons.unnamed++;
	else if (reason_is_missed(reason)) reasons_add(&row->reasons, reason, 1);
}

struct audit_reader top_reader(struct top *top)
{
	return (struct audit_reader){ take_line, NULL, top };
}

/* ---- order ---- */

struct order { size_t index; uint64_t count; struct slice name; };

static int by_count(const void *a, const void *b)
{
	const struct order *x = a, *y = b;
	bool others_x = slice_eq(x->name, SLICE("(others)")), others_y = slice_eq(y->name, SLICE("(others)"));

	if (others_x != others_y) return others_x ? 1 : -1;
	if (x->count != y->count) return x->count > y->count ? -1 : 1;
	return strcmp(x->name.ptr, y->name.ptr);
}

size_t *top_order(const struct top *top, bool missed, size_t *ret_count)
{
	struct order *rows = must(malloc((top->urls.count + 1) * sizeof(*rows)));
	size_t *order = must(malloc((top->urls.count + 1) * sizeof(*order))), count = 0;

	for (size_t i = 0; i < top->urls.count; i++) {
		const struct top_row *row = map_value(&top->urls, i);
		if (missed ? row->missed : row->requests)
			rows[count++] = (struct order){ i, missed ? row->missed : row->requests, map_key(&top->urls, i) };
	}
	qsort(rows, count, sizeof(*rows), by_count);
	for (size_t i = 0; i < count; i++) order[i] = rows[i].index;
	free(rows);
	*ret_count = count;
	return order;
}

/* ---- life ---- */

void top_init(struct top *top)
{
	*top = (struct top){ 0 };
	map_init(&top->urls, sizeof(struct top_row), NAMES_MAX);
	map_init(&top->nodes, sizeof(uint64_t), NAMES_MAX);
}

void top_release(struct top *top)
{
	map_release(&top->urls);
	map_release(&top->nodes);
	miss_memory_release(&top->memory);
	*top = (struct top){ 0 };
}
