/* Sets of RECENT_WAYS entries; within a set, the least recently used goes. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "large.h"
#include "recent.h"

enum { CACHE_LINE = 64 };
_Static_assert(sizeof(struct recent_set) == CACHE_LINE, "a set's keys are one line of the cache");

void recent_init(struct recent *recent, size_t value_size, size_t entries)
{
	CHECK(entries >= RECENT_WAYS && (entries & (entries - 1)) == 0);
	*recent = (struct recent){ .value_size = value_size, .sets = entries / RECENT_WAYS };
	recent->stride = sizeof(struct recent_set) + (RECENT_WAYS * value_size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	recent->first = large_alloc(recent->sets * recent->stride);
}

/* Zero marks a free entry; the key zero shares the place of another that is as unlikely. */
static uint64_t recent_key(uint64_t key)
{
	return key ? key : UINT64_MAX;
}

static struct recent_set *recent_set(const struct recent *recent, uint64_t key)
{
	uint64_t mixed = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);

	return (struct recent_set *)(void *)(recent->first + (mixed >> 32 & (recent->sets - 1)) * recent->stride);
}

static void *recent_value(const struct recent *recent, struct recent_set *set, unsigned way)
{
	return (char *)(set + 1) + way * recent->value_size;
}

void recent_ahead(const struct recent *recent, uint64_t key)
{
	const char *set = (const char *)recent_set(recent, recent_key(key));

	__builtin_prefetch(set, 1);
	__builtin_prefetch(set + CACHE_LINE, 1);
}

void *recent_find(const struct recent *recent, uint64_t key)
{
	struct recent_set *set = recent_set(recent, key = recent_key(key));

	for (unsigned i = 0; i < RECENT_WAYS; i++)
		if (set->keys[i] == key) return recent_value(recent, set, i);
	return NULL;
}

void *recent_get(struct recent *recent, uint64_t key)
{
	struct recent_set *set = recent_set(recent, key = recent_key(key));
	unsigned at = 0;

	for (unsigned i = 0; i < RECENT_WAYS; i++) {
		if (set->keys[i] == key) {
			set->used[i] = ++recent->clock;
			return recent_value(recent, set, i);
		}
		if (set->used[i] < set->used[at]) at = i;
	}
	set->keys[at] = key;
	set->used[at] = ++recent->clock;
	return memset(recent_value(recent, set, at), 0, recent->value_size);
}

void recent_release(struct recent *recent)
{
	large_free(recent->first, recent->sets * recent->stride);
	*recent = (struct recent){ 0 };
}

uint64_t recent_pair(uint64_t a, uint64_t b)
{
	uint64_t words[2] = { a, b };

	return XXH3_64bits(words, sizeof(words));
}

uint64_t recent_text(struct slice text, uint64_t seed)
{
	return XXH3_64bits_withSeed(text.len ? text.ptr : "", text.len, seed);
}
