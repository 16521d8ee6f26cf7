/* `logaudit top`: the URLs that were asked for most, or missed most, and the main reasons of the misses. */
#ifndef LOGAUDIT_TOP_H
#define LOGAUDIT_TOP_H

#include <stdio.h>

#include "audit.h"
#include "miss.h"
#include "reasons.h"

/* URLs beyond the first NAMES_MAX share one row that says so; reasons beyond REASONS_MAX of one URL, and misses beyond what
 * TOP_OBJECTS_MAX objects can be remembered for, are counted without a name. */
enum { TOP_OBJECTS_MAX = 1 << 18 };

struct top_row {
	uint64_t requests, hits, missed, body_out, origin_in;
	struct reasons reasons;
};

struct top {
	struct map urls, nodes;          /* struct top_row; uint64_t */
	struct miss_memory memory;
	struct top_row all;              /* sums; its reasons are not filled */
};

struct top_options { bool missed, why; size_t rows_max; };

void top_init(struct top *top);
struct audit_reader top_reader(struct top *top);
void top_release(struct top *top);

/* The rows, most requests or most missed first, then by URL; those that count nothing are left out, and the shared row stands
 * last. The caller frees. */
size_t *top_order(const struct top *top, bool missed, size_t *ret_count);
void top_text(struct top *top, const struct audit *audit, const struct top_options *options, FILE *out);
void top_json(struct top *top, const struct audit *audit, const struct top_options *options, FILE *out);

#endif
