/* Remembering what each node's store should have. */
#include <xxhash.h>

#include "miss.h"

/* ---- lines ---- */

static bool is_safe(struct slice method)
{
	static const struct slice safe[] = { { "GET", 3 }, { "HEAD", 4 }, { "OPTIONS", 7 }, { "TRACE", 5 } };

	for (size_t i = 0; i < COUNT_OF(safe); i++)
		if (slice_eq(method, safe[i])) return true;
	return method.len == 0;          /* the column is missing */
}

struct visit visit_of(const struct logline *line, uint32_t node, uint32_t url)
{
	return (struct visit){ .t_us = line->t_us, .end_us = line->t_us + line->total_us, .key = line->key, .variant = line->variant,
		.lifetime = line->lifetime, .age = line->age, .node = node, .url = url, .stored = line->stored,
		.unsafe = !is_safe(line->method) && line->status >= 200 && line->status < 400 && line->cache != VERDICT_purge };
}

/* ---- memory ---- */

static uint64_t memory_key(const struct visit *v)
{
	uint64_t words[2] = { v->key, v->node };

	return XXH3_64bits(words, sizeof(words));
}

static void drop(struct miss_memory *memory, const struct visit *v)
{
	bool new;
	struct key_entry *entry = keys_get(&memory->dropped, (uint64_t)v->node << 32 | v->url, 1, &new);

	if (entry) entry->value[0] = v->end_us;
}

enum miss miss_tell(struct miss_memory *memory, const struct visit *v)
{
	bool new, other;
	struct key_entry *object = keys_get(&memory->objects, memory_key(v), v->variant, &new), *any, *dropped;
	uint64_t stored_us, fresh_us;

	if (!object) return MISS_first;
	stored_us = object->value[0];
	fresh_us = object->value[1];
	if (!stored_us) {
		any = keys_get(&memory->objects, memory_key(v), UINT64_MAX, &other);
		return any && any->value[0] ? MISS_variant : MISS_first;
	}
	if (v->t_us < stored_us) return MISS_meanwhile;
	dropped = keys_get(&memory->dropped, (uint64_t)v->node << 32 | v->url, 1, &other);
	if (dropped && dropped->value[0] >= stored_us) return MISS_invalidated;
	return v->t_us >= fresh_us ? MISS_expired : MISS_gone;
}

static void remember(struct miss_memory *memory, const struct visit *v)
{
	int64_t left = v->lifetime - (v->age > 0 ? v->age : 0);
	bool new;

	for (int i = 0; i < 2; i++) {
		struct key_entry *object = keys_get(&memory->objects, memory_key(v), i ? UINT64_MAX : v->variant, &new);
		if (!object) continue;
		object->value[0] = v->end_us;
		object->value[1] = left > 0 && left < INT64_MAX / 2000000 ? v->end_us + (uint64_t)left * 1000000 : left > 0 ? UINT64_MAX : v->end_us;
	}
}

void miss_learn(struct miss_memory *memory, const struct visit *v)
{
	if (v->unsafe) drop(memory, v);
	if (v->stored) remember(memory, v);
}

void miss_memory_release(struct miss_memory *memory)
{
	keys_release(&memory->objects);
	keys_release(&memory->dropped);
}
