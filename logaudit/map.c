/* Open addressing with linear probing; never more than two thirds full. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "map.h"
#include "recent.h"

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

uint64_t map_hash(struct slice key)
{
	return recent_text(key, 0);
}

/* A new entry: the key's text is to be filled in. */
static struct map_entry *map_add(struct map *map, size_t len, uint64_t hash)
{
	struct map_entry *entry;

	if (map->count == map->cap) {
		map->cap = map->cap ? 2 * map->cap : 8;
		map->entries = must(realloc(map->entries, map->cap * sizeof(*map->entries)));
		map->values = must(realloc(map->values, map->cap * map->value_size));
	}
	entry = &map->entries[map->count];
	*entry = (struct map_entry){ must(malloc(len + 1)), len, hash };
	entry->key[len] = 0;
	memset(map_value(map, map->count), 0, map->value_size);
	map->count++;
	return entry;
}

static void map_make_room(struct map *map)
{
	if (map->count * 3 >= map->slot_count * 2) map_rehash(map, map->slot_count ? 2 * map->slot_count : 16);
}

/* Whoever comes when the map is full. */
static void *map_others(struct map *map)
{
	struct slice key = SLICE("(others)");
	uint64_t hash = map_hash(key);
	size_t at = map_slot(map, key, hash);

	if (!map->slots[at]) {
		map->slots[at] = (uint32_t)(map->count + 1);
		memcpy(map_add(map, key.len, hash)->key, key.ptr, key.len);
	}
	return map_value(map, map->slots[at] - 1);
}

void *map_get_hashed(struct map *map, struct slice key, uint64_t hash)
{
	size_t at;

	map_make_room(map);
	at = map_slot(map, key, hash);
	if (map->slots[at]) return map_value(map, map->slots[at] - 1);
	if (map->count + 1 >= map->limit) return map_others(map);
	map->slots[at] = (uint32_t)(map->count + 1);
	struct map_entry *entry = map_add(map, key.len, hash);
	if (key.len) memcpy(entry->key, key.ptr, key.len);
	return map_value(map, map->count - 1);
}

void *map_get(struct map *map, struct slice key)
{
	return map_get_hashed(map, key, map_hash(key));
}

void *map_get_name(struct map *map, struct slice key, struct name name)
{
	void *value;

	if (name.id < map->known_count && map->known[name.id]) return map_value(map, map->known[name.id] - 1);
	value = map_get_hashed(map, key, name.hash);
	if (!name.id) return value;
	if (name.id >= map->known_count) {
		size_t count = name.id < 16 ? 32 : 2 * (size_t)name.id;
		map->known = must(realloc(map->known, count * sizeof(*map->known)));
		memset(map->known + map->known_count, 0, (count - map->known_count) * sizeof(*map->known));
		map->known_count = count;
	}
	map->known[name.id] = map_number_of(map, value) + 1;
	return value;
}

static bool is_pair(struct slice key, struct slice a, struct slice b)
{
	return key.len == a.len + 1 + b.len && slice_eq(slice_make(key.ptr, a.len), a) && key.ptr[a.len] == ' '
		&& slice_eq(slice_make(key.ptr + a.len + 1, b.len), b);
}

static void *map_find_pair(struct map *map, struct slice a, struct slice b, uint64_t hash)
{
	size_t at;

	map_make_room(map);
	for (at = hash & (map->slot_count - 1); map->slots[at]; at = (at + 1) & (map->slot_count - 1)) {
		size_t i = map->slots[at] - 1;
		if (map->entries[i].hash == hash && is_pair(map_key(map, i), a, b)) return map_value(map, i);
	}
	if (map->count + 1 >= map->limit) return map_others(map);
	map->slots[at] = (uint32_t)(map->count + 1);
	struct map_entry *entry = map_add(map, a.len + 1 + b.len, hash);
	if (a.len) memcpy(entry->key, a.ptr, a.len);
	entry->key[a.len] = ' ';
	if (b.len) memcpy(entry->key + a.len + 1, b.ptr, b.len);
	return map_value(map, map->count - 1);
}

void *map_get_pair(struct map *map, struct slice a, struct slice b, struct name name_a, struct name name_b)
{
	struct map_pair *pair;
	void *value;

	if (!map->pairs) map->pairs = must(calloc(MAP_PAIRS, sizeof(*map->pairs)));
	pair = &map->pairs[(name_a.id * 37 + name_b.id) % MAP_PAIRS];
	if (name_a.id && name_b.id && pair->a == name_a.id && pair->b == name_b.id) return map_value(map, pair->index);
	value = map_find_pair(map, a, b, recent_pair(name_a.hash, name_b.hash));
	if (name_a.id && name_b.id) *pair = (struct map_pair){ name_a.id, name_b.id, map_number_of(map, value) };
	return value;
}

void *map_find(const struct map *map, struct slice key)
{
	size_t at;

	if (map->slot_count == 0) return NULL;
	at = map_slot(map, key, map_hash(key));
	return map->slots[at] ? map_value(map, map->slots[at] - 1) : NULL;
}

struct sorted { struct slice key; size_t i; };

static int by_key(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	size_t len = x->key.len < y->key.len ? x->key.len : y->key.len;
	int order = len ? memcmp(x->key.ptr, y->key.ptr, len) : 0;

	return order ? order : x->key.len < y->key.len ? -1 : x->key.len > y->key.len;
}

void map_sort(struct map *map)
{
	struct sorted *rows = must(malloc((map->count + 1) * sizeof(*rows)));
	struct map sorted;

	map_init(&sorted, map->value_size, map->limit);
	for (size_t i = 0; i < map->count; i++) rows[i] = (struct sorted){ map_key(map, i), i };
	qsort(rows, map->count, sizeof(*rows), by_key);
	for (size_t i = 0; i < map->count; i++) memcpy(map_get(&sorted, rows[i].key), map_value(map, rows[i].i), map->value_size);
	free(rows);
	map_release(map);
	*map = sorted;
}

void map_release(struct map *map)
{
	for (size_t i = 0; i < map->count; i++) free(map->entries[i].key);
	free(map->entries);
	free(map->values);
	free(map->slots);
	free(map->known);
	free(map->pairs);
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
