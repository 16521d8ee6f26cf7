/* Sets of RECENT_WAYS entries; within a set, the least recently used goes. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "recent.h"

void recent_init(struct recent *recent, size_t value_size, size_t entries)
{
	CHECK(entries >= RECENT_WAYS && (entries & (entries - 1)) == 0);
	*recent = (struct recent){ .value_size = value_size, .sets = entries / RECENT_WAYS };
	recent->keys = must(calloc(entries, sizeof(*recent->keys)));
	recent->used = must(calloc(entries, sizeof(*recent->used)));
	recent->values = must(calloc(entries, value_size));
}

/* Zero marks a free entry; the key zero shares the place of another that is as unlikely. */
static uint64_t recent_key(uint64_t key)
{
	return key ? key : UINT64_MAX;
}

static size_t recent_set(const struct recent *recent, uint64_t key)
{
	return (size_t)(recent_pair(key, 0) & (recent->sets - 1)) * RECENT_WAYS;
}

void *recent_find(const struct recent *recent, uint64_t key)
{
	size_t first = recent_set(recent, key = recent_key(key));

	for (size_t i = first; i < first + RECENT_WAYS; i++)
		if (recent->keys[i] == key) return recent->values + i * recent->value_size;
	return NULL;
}

void *recent_get(struct recent *recent, uint64_t key)
{
	size_t first = recent_set(recent, key = recent_key(key)), at = first;

	for (size_t i = first; i < first + RECENT_WAYS; i++) {
		if (recent->keys[i] == key) {
			recent->used[i] = ++recent->clock;
			return recent->values + i * recent->value_size;
		}
		if (recent->used[i] < recent->used[at]) at = i;
	}
	recent->keys[at] = key;
	recent->used[at] = ++recent->clock;
	return memset(recent->values + at * recent->value_size, 0, recent->value_size);
}

void recent_release(struct recent *recent)
{
	free(recent->keys);
	free(recent->used);
	free(recent->values);
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
