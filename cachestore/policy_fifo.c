/* Policies made of queues: LRU, SIEVE (Zhang et al., NSDI 2024) and S3-FIFO (Yang et al., SOSP 2023). */
#include "internal.h"

static void fifo_link(struct shard *shard, uint32_t at)
{
	queue_link(shard, 0, at);
}

/* What was used less, by its marks, and then what is older. */
static bool fifo_sooner(const struct shard *shard, uint32_t a, uint32_t b)
{
	const struct entry *one = &shard->entries[a], *other = &shard->entries[b];

	return one->uses != other->uses ? one->uses < other->uses : one->generation < other->generation;
}

static void fifo_evicted(struct shard *shard, uint32_t at)
{
	(void)shard; (void)at;
}

/* ---- LRU ---- */

static void lru_hit(struct shard *shard, uint32_t at)
{
	queue_unlink(shard, at);
	queue_link(shard, 0, at);
}

static uint32_t lru_victim(struct shard *shard, enum room room)
{
	uint32_t at = shard->policy.queues[0].oldest;

	(void)room;
	while (at != NONE && shard->entries[at].state != ENTRY_STORED)
		at = shard->entries[at].newer;
	return at;
}

const struct policy policy_lru = { "lru", fifo_link, queue_unlink, queue_resize, lru_hit, lru_victim, fifo_sooner, fifo_evicted };

/* ---- SIEVE: a hand that goes from old to new and forgives once what was used ---- */

static void sieve_unlink(struct shard *shard, uint32_t at)
{
	if (shard->policy.hand == at)
		shard->policy.hand = shard->entries[at].newer;
	queue_unlink(shard, at);
}

static void sieve_hit(struct shard *shard, uint32_t at)
{
	shard->entries[at].uses = 1;
}

/* At most two rounds: the first may only take away marks. */
static uint32_t sieve_victim(struct shard *shard, enum room room)
{
	struct policy_state *state = &shard->policy;
	uint32_t at = state->hand != NONE ? state->hand : state->queues[0].oldest, steps = 2 * state->queues[0].count;

	(void)room;
	for (; steps > 0; steps--) {
		struct entry *entry = &shard->entries[at];

		if (entry->state == ENTRY_STORED && entry->uses == 0) {
			state->hand = at;
			return at;
		}
		if (entry->state == ENTRY_STORED)
			entry->uses = 0;
		at = entry->newer != NONE ? entry->newer : state->queues[0].oldest;
	}
	return NONE;
}

const struct policy policy_sieve = { "sieve", fifo_link, sieve_unlink, queue_resize, sieve_hit, sieve_victim, fifo_sooner, fifo_evicted };

/* ---- S3-FIFO: a small queue for the new, a main one for what was used there or came back soon ---- */
enum { S3_SMALL, S3_MAIN, S3_SMALL_PART = 10 /* of the shard's weight */, S3_USES_MAX = 3, S3_USES_PROMOTE = 2 };

static void s3_link(struct shard *shard, uint32_t at)
{
	struct policy_state *state = &shard->policy;
	uint32_t born;
	bool known = ghosts_take(&state->ghosts, shard->entries[at].key, &born) && state->ghosts.now - born <= state->queues[S3_MAIN].count;

	queue_link(shard, known ? S3_MAIN : S3_SMALL, at);
}

static void s3_hit(struct shard *shard, uint32_t at)
{
	struct entry *entry = &shard->entries[at];

	if (entry->uses < S3_USES_MAX)
		entry->uses++;
}

static uint32_t s3_small_victim(struct shard *shard)
{
	struct policy_state *state = &shard->policy;

	for (uint32_t steps = state->queues[S3_SMALL].count; steps > 0; steps--) {
		uint32_t at = state->queues[S3_SMALL].oldest;
		struct entry *entry = &shard->entries[at];

		if (entry->state == ENTRY_STORED && entry->uses < S3_USES_PROMOTE)
			return at;
		queue_unlink(shard, at);
		if (entry->state == ENTRY_STORED) {
			entry->uses = 0;
			queue_link(shard, S3_MAIN, at);
		} else
			queue_link(shard, S3_SMALL, at);
	}
	return NONE;
}

static uint32_t s3_main_victim(struct shard *shard)
{
	struct policy_state *state = &shard->policy;

	for (uint64_t steps = (uint64_t)state->queues[S3_MAIN].count * (S3_USES_MAX + 1); steps > 0; steps--) {
		uint32_t at = state->queues[S3_MAIN].oldest;
		struct entry *entry = &shard->entries[at];

		if (entry->state == ENTRY_STORED && entry->uses == 0)
			return at;
		queue_unlink(shard, at);
		if (entry->state == ENTRY_STORED)
			entry->uses--;
		queue_link(shard, S3_MAIN, at);
	}
	return NONE;
}

/* As many ghosts count as there are objects in the main queue: the clock counts ghosts. */
static void s3_evicted(struct shard *shard, uint32_t at)
{
	struct policy_state *state = &shard->policy;

	if (shard->entries[at].queue != S3_SMALL)
		return;
	if (++state->ghosts.now % GHOST_AGE_MAX == 0)
		ghosts_age(&state->ghosts);
	ghosts_reserve(&state->ghosts, state->queues[S3_MAIN].count);
	ghosts_add(&state->ghosts, shard->entries[at].key, state->ghosts.now);
}

static uint32_t s3_victim(struct shard *shard, enum room room)
{
	const struct queue *small = &shard->policy.queues[S3_SMALL], *rest = &shard->policy.queues[S3_MAIN];
	bool from_small = small->weight * S3_SMALL_PART > small->weight + rest->weight;
	uint32_t at = from_small ? s3_small_victim(shard) : s3_main_victim(shard);

	(void)room;
	if (at == NONE)
		at = from_small ? s3_main_victim(shard) : s3_small_victim(shard);
	return at;
}

const struct policy policy_s3fifo = { "s3fifo", s3_link, queue_unlink, queue_resize, s3_hit, s3_victim, fifo_sooner, s3_evicted };
