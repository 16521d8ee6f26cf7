/* Open addressing with linear probing; never more than two thirds full. */
#include <xxhash.h>

#include "map.h"

void map_init(struct map *map, size_t value_size, size_t limit)
{
	*map = (struct map){ .value_size = value_size, .limit = limit };
}

struct slice map_key(const struct map *map, size_t i)
{
	return slice_make(map->entries[i].key, map->entries[i].len);
}

void *map_value(const struct map *map, size_t i)
{
	return map->values + i * map->value_size;
}

static void map_rehash(struct map *map, size_t slot_count)
{
	free(map->slots);
	map->slots = must(calloc(slot_count, sizeof(*map->slots)));
	map->slot_count = slot_count;
	for (size_t i = 0; i < map->count; i++) {
		size_t at = map->entries[i].hash & (slot_count - 1);
		while (map->slots[at]) at = (at + 1) & (slot_count - 1);
		map->slots[at] = (uint32_t)(i + 1);
	}
}

/* Where the key is, or the free slot where it would be. */
static size_t map_slot(const struct map *map, struct slice key, uint64_t hash)
{
	size_t at = hash & (map->slot_count - 1);

	for (; map->slots[at]; at = (at + 1) & (map->slot_count - 1)) {
		size_t i = map->slots[at] - 1;
		if (map->entries[i].hash == hash && slice_eq(map_key(map, i), key)) break;
	}
	return at;
}

static void *map_add(struct map *map, struct slice key, uint64_t hash)
{
	struct map_entry *entry;

	if (map->count == map->cap) {
		map->cap = map->cap ? 2 * map->cap : 8;
		map->entries = must(realloc(map->entries, map->cap * sizeof(*map->entries)));
		map->values = must(realloc(map->values, map->cap * map->value_size));
	}
	entry = &map->entries[map->count];
	*entry = (struct map_entry){ must(malloc(key.len + 1)), key.len, hash };
	if (key.len) memcpy(entry->key, key.ptr, key.len);
	entry->key[key.len] = 0;
	memset(map_value(map, map->count), 0, map->value_size);
	map->count++;
	return map_value(map, map->count - 1);
}

void *map_get(struct map *map, struct slice key)
{
	uint64_t hash = XXH3_64bits(key.len ? key.ptr : "", key.len);
	size_t at;

	if (map->count * 3 >= map->slot_count * 2) map_rehash(map, map->slot_count ? 2 * map->slot_count : 16);
	at = map_slot(map, key, hash);
	if (map->slots[at]) return map_value(map, map->slots[at] - 1);
	if (map->count + 1 >= map->limit) {
		key = SLICE("(others)");
		hash = XXH3_64bits(key.ptr, key.len);
		at = map_slot(map, key, hash);
		if (map->slots[at]) return map_value(map, map->slots[at] - 1);
	}
	map->slots[at] = (uint32_t)(map->count + 1);
	return map_add(map, key, hash);
}

void *map_find(const struct map *map, struct slice key)
{
	size_t at;

	if (map->slot_count == 0) return NULL;
	at = map_slot(map, key, XXH3_64bits(key.len ? key.ptr : "", key.len));
	return map->slots[at] ? map_value(map, map->slots[at] - 1) : NULL;
}

void map_release(struct map *map)
{
	for (size_t i = 0; i < map->count; i++) free(map->entries[i].key);
	free(map->entries);
	free(map->values);
	free(map->slots);
	*map = (struct map){ 0 };
}

/* ---- pairs of words ---- */

/* A slot is free when both words are zero; that pair is stored as another that is as unlikely. */
static struct key_entry *keys_slot(const struct keys *keys, uint64_t a, uint64_t b)
{
	uint64_t words[2] = { a, b };
	size_t at = XXH3_64bits(words, sizeof(words)) & (keys->slot_count - 1);

	while ((keys->slots[at].a | keys->slots[at].b) && (keys->slots[at].a != a || keys->slots[at].b != b))
		at = (at + 1) & (keys->slot_count - 1);
	return &keys->slots[at];
}

static void keys_grow(struct keys *keys)
{
	struct keys bigger = { .slot_count = keys->slot_count ? 2 * keys->slot_count : 256, .count = keys->count };

	bigger.slots = must(calloc(bigger.slot_count, sizeof(*bigger.slots)));
	for (size_t i = 0; i < keys->slot_count; i++) {
		const struct key_entry *old = &keys->slots[i];
		if (old->a | old->b) *keys_slot(&bigger, old->a, old->b) = *old;
	}
	free(keys->slots);
	*keys = bigger;
}

struct key_entry *keys_get(struct keys *keys, uint64_t a, uint64_t b, bool *ret_new)
{
	struct key_entry *entry;

	if (!(a | b)) a = UINT64_MAX;
	if (keys->count * 3 >= keys->slot_count * 2) keys_grow(keys);
	entry = keys_slot(keys, a, b);
	if (entry->a | entry->b) {
		*ret_new = false;
		return entry;
	}
	if (keys->count >= KEYS_MAX) {
		keys->full = true;
		return NULL;
	}
	*entry = (struct key_entry){ .a = a, .b = b };
	keys->count++;
	*ret_new = true;
	return entry;
}

bool keys_has(const struct keys *keys, uint64_t a, uint64_t b)
{
	const struct key_entry *entry;

	if (!(a | b)) a = UINT64_MAX;
	if (!keys->slot_count) return false;
	entry = keys_slot(keys, a, b);
	return (entry->a | entry->b) != 0;
}

void keys_release(struct keys *keys)
{
	free(keys->slots);
	*keys = (struct keys){ 0 };
}
