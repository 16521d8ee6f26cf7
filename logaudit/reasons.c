/* Counting by reason. */
#include <stdlib.h>

#include "reasons.h"
#include "show.h"
#include "why.h"

void reasons_add(struct reasons *reasons, int reason, uint64_t count)
{
	for (int i = 0; i < REASONS_MAX; i++) {
		if (reasons->rows[i].count && reasons->rows[i].reason != reason) continue;
		reasons->rows[i].reason = reason;
		reasons->rows[i].count += count;
		return;
	}
	reasons->unnamed += count;
}

void reasons_merge(struct reasons *into, const struct reasons *from)
{
	for (int i = 0; i < REASONS_MAX && from->rows[i].count; i++) reasons_add(into, (int)from->rows[i].reason, from->rows[i].count);
	into->unnamed += from->unnamed;
}

static int by_count(const void *a, const void *b)
{
	const struct reason_count *x = a, *y = b;

	return x->count != y->count ? x->count > y->count ? -1 : 1 : x->reason < y->reason ? -1 : x->reason > y->reason;
}

void reasons_sort(struct reasons *reasons)
{
	qsort(reasons->rows, REASONS_MAX, sizeof(reasons->rows[0]), by_count);
}

char *reasons_show(char out[REASONS_TEXT_MAX], struct reasons *reasons)
{
	char n[SHOW_NUMBER_MAX];
	size_t len = 0;

	out[0] = 0;
	reasons_sort(reasons);
	for (int i = 0; i < REASONS_MAX && reasons->rows[i].count; i++)
		len += (size_t)snprintf(out + len, REASONS_TEXT_MAX - len, "%s%s %s", len ? ", " : "", show_count(n, reasons->rows[i].count),
			reason_row((int)reasons->rows[i].reason).name);
	if (reasons->unnamed)
		snprintf(out + len, REASONS_TEXT_MAX - len, "%s%s of other reasons", len ? ", " : "", show_count(n, reasons->unnamed));
	return out;
}
