/* Exact tables: a map from texts to values of one size, and a compact one from pairs of words. Both are bounded. */
#ifndef LOGAUDIT_MAP_H
#define LOGAUDIT_MAP_H

#include "../conf/check.h"
#include "../conf/slice.h"

/* Names come from the log, so from strangers: more than NAMES_MAX of them share the entry `(others)`. */
enum { NAMES_MAX = 65536, KEYS_MAX = 1 << 24 };

/* What is known of a name: its hash, map_hash(), and its number in struct names, from 1; 0: it has none. */
struct name { uint64_t hash; uint32_t id; };

struct map_entry { char *key; size_t len; uint64_t hash; };
struct map {
	size_t value_size, limit, count, cap;
	struct map_entry *entries;       /* in order of arrival */
	char *values;                    /* beside them */
	uint32_t *slots;                 /* index + 1; 0: free */
	size_t slot_count;
	uint32_t *known;                 /* by the number of a name: index + 1 */
	size_t known_count;
	struct map_pair *pairs;          /* by two numbers */
};

/* Pairs of numbered names that were asked for lately. */
enum { MAP_PAIRS = 256 };
struct map_pair { uint32_t a, b, index; };

void map_init(struct map *map, size_t value_size, size_t limit);
/* The value of the key; zeroed when it is new. The pointer holds until the next map_get. */
void *map_get(struct map *map, struct slice key);
/* The same for who knows the key's hash, map_hash(key), already. */
void *map_get_hashed(struct map *map, struct slice key, uint64_t hash);
/* The same for a name that has a number: found at once. */
void *map_get_name(struct map *map, struct slice key, struct name name);
/* The key "a b" (both names and a blank between them). A map has keys of one kind only. */
void *map_get_pair(struct map *map, struct slice a, struct slice b, struct name name_a, struct name name_b);
uint64_t map_hash(struct slice key);
void *map_find(const struct map *map, struct slice key);         /* NULL when there is none */
struct slice map_key(const struct map *map, size_t i);
void *map_value(const struct map *map, size_t i);
/* The number of a value's entry, from 0. */
static inline uint32_t map_number_of(const struct map *map, const void *value)
{
	return (uint32_t)((size_t)((const char *)value - map->values) / map->value_size);
}
/* The number of the key's entry; it is added when new. */
static inline uint32_t map_number(struct map *map, struct slice key)
{
	return map_number_of(map, map_get(map, key));
}
/* Its entries in the order of their keys from now on. */
void map_sort(struct map *map);
void map_release(struct map *map);

/* Pairs of words, such as key and variant, with two words of value. */
struct key_entry { uint64_t a, b, value[2]; };
struct keys { struct key_entry *slots; size_t slot_count, count; bool full; };

/* The entry, zeroed when new; NULL when KEYS_MAX are in already (then `full` is set). */
struct key_entry *keys_get(struct keys *keys, uint64_t a, uint64_t b, bool *ret_new);
bool keys_has(const struct keys *keys, uint64_t a, uint64_t b);
void keys_release(struct keys *keys);

#endif
