/* Counters: what the expressions of tbl/counters.h make of a record. */
#include "counters.h"
#include "check.h"

const struct counter_row counter_rows[COUNTER_COUNT] = {
#define COUNTER(name, expression, doc) { SLICE(#name), doc },
#include "tbl/counters.h"
#undef COUNTER
};

void counters_add(struct counters *counters, const struct logline *r)
{
	if (r->rec != REC_req && r->rec != REC_refresh && r->rec != REC_tls && r->rec != REC_http2) return;
	/* One writer: a plain read, and a store that a reader in another thread sees whole. */
#define COUNTER(name, expression, doc) \
	__atomic_store_n(&counters->name, counters->name + (uint64_t)(expression), __ATOMIC_RELAXED);
#include "tbl/counters.h"
#undef COUNTER
}

void counters_merge(struct counters *sum, const struct counters *from)
{
#define COUNTER(name, expression, doc) sum->name += __atomic_load_n(&from->name, __ATOMIC_RELAXED);
#include "tbl/counters.h"
#undef COUNTER
}

uint64_t counters_get(const struct counters *counters, enum counter which)
{
	switch (which) {
#define COUNTER(name, expression, doc) case COUNTER_##name: return __atomic_load_n(&counters->name, __ATOMIC_RELAXED);
#include "tbl/counters.h"
#undef COUNTER
	case COUNTER_COUNT: break;
	}
	CHECK(which < COUNTER_COUNT);
	return 0;
}
