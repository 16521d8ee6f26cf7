/* LRFU (Lee et al., IEEE Transactions on Computers 50, 2001) with sizes, ghosts and sampling.
 *
 * The count of uses of an object fades by half in HALF_LIFE times as many look-ups as the shard has objects. What it was worth
 * at moment t, measured in half-lives, is kept as score = t + log2(count): that does not change while nobody uses it, since
 * both sides fall alike. A use makes of it t + log2(1 + 2^(score - t)). So scores of different times compare, and an object's
 * score goes to the ghosts with its key and is there when it comes back: this is what beats policies that begin anew.
 *
 * Size: weight^a divides the count, that is a * log2(weight) is subtracted from the score. a = 1 would be the hits that a block
 * earns, the most requests for the room; then what is large never stays, and bytes suffer. lrfu: a = 1/8, far better than
 * SIEVE and S3-FIFO for requests and not worse for bytes; lrfu_small: 1/2, about as good as GDSF for requests and far better
 * for bytes. `make bench-policy` has the numbers.
 *
 * The victim is the lowest of SAMPLES entries drawn at random. More of them are not better: that it may be another one gives
 * what is new some time. Scores are numbers with FRACTION bits after the point, and wrap: see shard_age(). */
#include "internal.h"

enum {
	HALF_LIFE = 8, HALF_LIFE_MIN = 64,   /* look-ups an object; look-ups at least */
	SAMPLES = 64, DRAWS = 4 * SAMPLES,
	GHOSTS_MIN = 1024,                   /* and one for each object: 8 bytes */
	FRACTION = 12, ONE = 1 << FRACTION,
	AGE_LOOKUPS = 1 << 28,               /* of the clock, in scores: how often what is left behind is pulled along */
};

/* log2(1 + 2^-below), within 0.01. */
static uint32_t log2_one_plus(uint32_t below)
{
	uint32_t whole = below >> FRACTION, part = below & (ONE - 1), power;

	if (whole > FRACTION)
		return 0;
	power = (ONE - (2722 * part >> 12) + (674 * (part * part >> 12) >> 12)) >> whole;    /* 2^-x: 1 - .6645 x + .1645 x^2 */
	return power + ((1408 * power >> 12) * (ONE - power) >> 12);                           /* log2(1 + y): y + .3437 y (1 - y) */
}

/* log2 of a weight; between powers of two it is a line. */
static uint32_t log2_of(uint32_t weight)
{
	uint32_t whole = 31 - (uint32_t)__builtin_clz(weight);

	return (whole << FRACTION) + (uint32_t)(((uint64_t)(weight - ((uint32_t)1 << whole)) << FRACTION) >> whole);
}

/* Scores wrap after 2^20 half-lives. An entry that nobody uses for a quarter of that is pulled along. */
static void shard_age(struct shard *shard)
{
	uint32_t now = shard->policy.ghosts.now;

	ghosts_age(&shard->policy.ghosts);
	for (uint32_t at = 0; at < shard->entry_count; at++) {
		struct entry *entry = &shard->entries[at];
		uint32_t age = now - entry->score;

		if (entry->state != ENTRY_FREE && age > GHOST_AGE_MAX && age < UINT32_MAX - GHOST_AGE_MAX)
			entry->score = now - GHOST_AGE_MAX;
	}
}

/* One look-up goes by. */
static void clock_tick(struct shard *shard)
{
	struct policy_state *state = &shard->policy;
	uint64_t life = (uint64_t)state->queues[0].count * HALF_LIFE + HALF_LIFE_MIN;
	uint32_t before = state->ghosts.now;

	state->clock += ((uint64_t)1 << 32) / life;
	state->ghosts.now = (uint32_t)(state->clock >> (32 - FRACTION));
	if (before / AGE_LOOKUPS != state->ghosts.now / AGE_LOOKUPS)
		shard_age(shard);
}

/* Of a score without its size. */
static uint32_t score_used(uint32_t score, uint32_t now)
{
	int32_t ahead = (int32_t)(score - now);

	return ahead >= 0 ? score + log2_one_plus((uint32_t)ahead) : now + log2_one_plus(-(uint32_t)ahead);
}

static void faded_link(struct shard *shard, uint32_t at, unsigned shift)
{
	struct policy_state *state = &shard->policy;
	struct entry *entry = &shard->entries[at];
	uint32_t score;

	state->queues[0].count++;
	clock_tick(shard);
	score = ghosts_take(&state->ghosts, entry->key, &score) ? score_used(score, state->ghosts.now) : state->ghosts.now;
	entry->score = score - (log2_of(entry_weight(entry)) >> shift);
}

static void faded_unlink(struct shard *shard, uint32_t at)
{
	(void)at;
	shard->policy.queues[0].count--;
}

static void faded_resize(struct shard *shard, uint32_t at, uint32_t blocks, unsigned shift)
{
	struct entry *entry = &shard->entries[at];

	entry->score += log2_of(entry_weight(entry)) >> shift;
	entry->score -= log2_of(blocks_weight(blocks)) >> shift;
	entry->blocks = blocks;
}

static void faded_hit(struct shard *shard, uint32_t at, unsigned shift)
{
	struct entry *entry = &shard->entries[at];
	uint32_t size = log2_of(entry_weight(entry)) >> shift;

	clock_tick(shard);
	entry->score = score_used(entry->score + size, shard->policy.ghosts.now) - size;
}

/* The lowest so far. Where records are what is short, all sizes are alike. */
struct lowest { uint32_t at, score; };

static void lowest_try(const struct shard *shard, uint32_t at, enum room room, unsigned shift, struct lowest *lowest)
{
	const struct entry *entry = &shard->entries[at];
	uint32_t score = entry->score + (room == ROOM_records ? log2_of(entry_weight(entry)) >> shift : 0);

	if (entry->state == ENTRY_STORED && (lowest->at == NONE || (int32_t)(score - lowest->score) < 0))
		*lowest = (struct lowest){ at, score };
}

/* Few entries are all looked at; so are many when most are free or pending, the last resort. */
static uint32_t faded_victim(struct shard *shard, enum room room, unsigned shift)
{
	struct lowest lowest = { .at = NONE };

	for (unsigned i = 0, seen = 0; i < DRAWS && seen < SAMPLES && shard->entry_count > SAMPLES; i++) {
		uint32_t at = shard_draw(shard);

		seen += shard->entries[at].state == ENTRY_STORED;
		lowest_try(shard, at, room, shift, &lowest);
	}
	if (lowest.at == NONE)
		for (uint32_t at = 0; at < shard->entry_count; at++)
			lowest_try(shard, at, room, shift, &lowest);
	return lowest.at;
}

static bool faded_sooner(const struct shard *shard, uint32_t a, uint32_t b)
{
	return (int32_t)(shard->entries[a].score - shard->entries[b].score) < 0;
}

static void faded_evicted(struct shard *shard, uint32_t at, unsigned shift)
{
	struct policy_state *state = &shard->policy;
	const struct entry *entry = &shard->entries[at];

	ghosts_reserve(&state->ghosts, GHOSTS_MIN + state->queues[0].count);
	ghosts_add(&state->ghosts, entry->key, entry->score + (log2_of(entry_weight(entry)) >> shift));
}

/* name: the row; shift: a = 2^-shift */
#define LRFU(name, shift) \
static void name##_link(struct shard *shard, uint32_t at) { faded_link(shard, at, shift); } \
static void name##_resize(struct shard *shard, uint32_t at, uint32_t blocks) { faded_resize(shard, at, blocks, shift); } \
static void name##_hit(struct shard *shard, uint32_t at) { faded_hit(shard, at, shift); } \
static uint32_t name##_victim(struct shard *shard, enum room room) { return faded_victim(shard, room, shift); } \
static void name##_evicted(struct shard *shard, uint32_t at) { faded_evicted(shard, at, shift); } \
const struct policy policy_##name = { #name, name##_link, faded_unlink, name##_resize, name##_hit, name##_victim, faded_sooner, name##_evicted };
LRFU(lrfu, 3)
LRFU(lrfu_small, 1)
