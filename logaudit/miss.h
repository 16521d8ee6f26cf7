/* Why a miss of an answer that could be stored was one: told by what happened before, request by request in order of time. */
#ifndef LOGAUDIT_MISS_H
#define LOGAUDIT_MISS_H

#include "../conf/logline.h"
#include "map.h"

enum miss {
#define MISS(name, doc, advice) MISS_##name,
#include "tbl/misses.h"
#undef MISS
	MISS_COUNT };

/* What counts of a line. node and url: numbers that stand for the names. */
struct visit {
	uint64_t t_us, end_us, key, variant;
	int64_t lifetime, age;
	uint32_t node, url;
	bool stored, unsafe;
};
struct visit visit_of(const struct logline *line, uint32_t node, uint32_t url);

/* When each node's store got an object, and until when it is fresh; when something was dropped for a request. What a purge took, the
 * line says itself. */
struct miss_memory { struct keys objects, dropped; };

enum miss miss_tell(struct miss_memory *memory, const struct visit *v);
void miss_learn(struct miss_memory *memory, const struct visit *v);
void miss_memory_release(struct miss_memory *memory);

#endif
