/* `logaudit top --by COLUMN`: the values of a column, by requests, bytes, misses or time. */
#ifndef LOGAUDIT_TOP_BY_H
#define LOGAUDIT_TOP_BY_H

#include <jansson.h>

#include "audit.h"
#include "column.h"

/* X(name): what is counted of a value, and by what they may be ordered. time: microseconds from first byte to end. */
#define TOP_ORDERS(X) X(requests) X(bytes) X(misses) X(time)
enum top_order {
#define X(name) TOP_ORDER_##name,
	TOP_ORDERS(X)
#undef X
	TOP_ORDER_COUNT };
extern const char *const top_order_names[TOP_ORDER_COUNT];

struct top_by { enum log_field column; struct map values; /* uint64_t[TOP_ORDER_COUNT] */ uint64_t all[TOP_ORDER_COUNT]; };

void top_by_init(struct top_by *top, enum log_field column);
struct audit_reader top_by_reader(struct top_by *top);
void top_by_release(struct top_by *top);
/* rows_max: 0 for all. Values beyond NAMES_MAX share a row, which stands last. */
void top_by_text(const struct top_by *top, enum top_order order, size_t rows_max, FILE *out);
json_t *top_by_json(const struct top_by *top, enum top_order order, size_t rows_max);

#endif
