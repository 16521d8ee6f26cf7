/* Which of many were seen: a Bloom filter of fixed size. What was added is always found; what was not is taken for seen with a
 * chance of (2 n / 2^25)^2 after n additions: 0.3 % at 900,000. For rules that stay silent on what was seen. */
#ifndef LOGAUDIT_SEEN_H
#define LOGAUDIT_SEEN_H

#include "../conf/check.h"

enum { SEEN_BITS_LOG = 25 };             /* 4 MiB; pages that are never touched cost nothing */
struct seen { uint64_t *words; };

static inline void seen_init(struct seen *seen)
{
	seen->words = must(calloc((size_t)1 << (SEEN_BITS_LOG - 6), sizeof(*seen->words)));
}

/* hash: well mixed; its two halves choose the two bits. */
static inline uint64_t *seen_word(const struct seen *seen, uint32_t half)
{
	return &seen->words[(half & ((1u << SEEN_BITS_LOG) - 1)) >> 6];
}

static inline void seen_add(struct seen *seen, uint64_t hash)
{
	*seen_word(seen, (uint32_t)hash) |= UINT64_C(1) << (hash & 63);
	*seen_word(seen, (uint32_t)(hash >> 32)) |= UINT64_C(1) << (hash >> 32 & 63);
}

static inline bool seen_has(const struct seen *seen, uint64_t hash)
{
	return *seen_word(seen, (uint32_t)hash) >> (hash & 63) & *seen_word(seen, (uint32_t)(hash >> 32)) >> (hash >> 32 & 63) & 1;
}

static inline void seen_release(struct seen *seen)
{
	free(seen->words);
	seen->words = NULL;
}

#endif
