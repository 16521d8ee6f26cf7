/* Which of many were seen: a Bloom filter of fixed size. What was added is always found; what was not is taken for seen with a
 * chance of (2 n / 2^25)^2 after n additions: 0.3 % at 900,000. For rules that stay silent on what was seen. */
#ifndef LOGAUDIT_BLOOM_H
#define LOGAUDIT_BLOOM_H

#include <stdint.h>
#include <stdbool.h>

#include "large.h"

enum { BLOOM_BITS_LOG = 25, BLOOM_BYTES = 1 << (BLOOM_BITS_LOG - 3) };    /* 4 MiB */
struct bloom { uint64_t *words; };

static inline void bloom_init(struct bloom *bloom)
{
	bloom->words = large_alloc(BLOOM_BYTES);
}

/* hash: well mixed; its two halves choose the two bits. */
static inline uint64_t *bloom_word(const struct bloom *bloom, uint32_t half)
{
	return &bloom->words[(half & ((1u << BLOOM_BITS_LOG) - 1)) >> 6];
}

static inline void bloom_add(struct bloom *bloom, uint64_t hash)
{
	*bloom_word(bloom, (uint32_t)hash) |= UINT64_C(1) << (hash & 63);
	*bloom_word(bloom, (uint32_t)(hash >> 32)) |= UINT64_C(1) << (hash >> 32 & 63);
}

/* Says that the hash will be asked for soon. */
static inline void bloom_ahead(const struct bloom *bloom, uint64_t hash)
{
	__builtin_prefetch(bloom_word(bloom, (uint32_t)hash), 1);
	__builtin_prefetch(bloom_word(bloom, (uint32_t)(hash >> 32)), 1);
}

static inline bool bloom_has(const struct bloom *bloom, uint64_t hash)
{
	return *bloom_word(bloom, (uint32_t)hash) >> (hash & 63) & *bloom_word(bloom, (uint32_t)(hash >> 32)) >> (hash >> 32 & 63) & 1;
}

static inline void bloom_merge(struct bloom *into, const struct bloom *from)
{
	for (size_t i = 0; i < (size_t)1 << (BLOOM_BITS_LOG - 6); i++)
		if (from->words[i]) into->words[i] |= from->words[i];
}

static inline void bloom_release(struct bloom *bloom)
{
	large_free(bloom->words, BLOOM_BYTES);
	bloom->words = NULL;
}

#endif
