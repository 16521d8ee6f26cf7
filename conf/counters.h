/* The counters of tbl/counters.h: a struct of numbers, one function that adds a record, one that prints. */
#ifndef CONF_COUNTERS_H
#define CONF_COUNTERS_H

#include "logline.h"

struct counters {
#define COUNTER(name, expression, doc) uint64_t name;
#include "tbl/counters.h"
#undef COUNTER
};

enum counter {
#define COUNTER(name, expression, doc) COUNTER_##name,
#include "tbl/counters.h"
#undef COUNTER
	COUNTER_COUNT };

struct counter_row {
	struct slice name;
	const char *doc;
};
extern const struct counter_row counter_rows[COUNTER_COUNT];

/* Adds one record (rec = req or refresh; others change nothing). One writer thread; others may read while it runs: the stores are
 * relaxed atomics of whole words. */
void counters_add(struct counters *counters, const struct logline *r);
/* Adds `from` to `sum`; reads `from` with relaxed atomic loads. */
void counters_merge(struct counters *sum, const struct counters *from);
uint64_t counters_get(const struct counters *counters, enum counter which);

#endif
