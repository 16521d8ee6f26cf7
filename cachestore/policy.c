/* The table of policies, and the queues that some of them are made of. */
#include "internal.h"

const struct policy *policy_find(enum eviction eviction)
{
	static const struct policy *const policies[EVICTION_COUNT] = {
#define EVICTION(name, doc) [EVICTION_##name] = &policy_##name,
#include "../conf/tbl/evictions.h"
#undef EVICTION
	};

	return policies[eviction];
}

/* What is on disk only as a record weighs something, too. */
uint32_t blocks_weight(uint32_t blocks)
{
	return blocks ? blocks : 1;
}

uint32_t entry_weight(const struct entry *entry)
{
	return blocks_weight(entry->blocks);
}

void queue_link(struct shard *shard, unsigned which, uint32_t at)
{
	struct queue *queue = &shard->policy.queues[which];
	struct entry *entry = &shard->entries[at];

	entry->queue = (uint8_t)which;
	entry->newer = NONE;
	entry->older = queue->newest;
	if (queue->newest != NONE)
		shard->entries[queue->newest].newer = at;
	else
		queue->oldest = at;
	queue->newest = at;
	queue->count++;
	queue->weight += entry_weight(entry);
}

void queue_unlink(struct shard *shard, uint32_t at)
{
	const struct entry *entry = &shard->entries[at];
	struct queue *queue = &shard->policy.queues[entry->queue];

	if (entry->newer != NONE)
		shard->entries[entry->newer].older = entry->older;
	else
		queue->newest = entry->older;
	if (entry->older != NONE)
		shard->entries[entry->older].newer = entry->newer;
	else
		queue->oldest = entry->newer;
	queue->count--;
	queue->weight -= entry_weight(entry);
}

void queue_resize(struct shard *shard, uint32_t at, uint32_t blocks)
{
	struct entry *entry = &shard->entries[at];
	struct queue *queue = &shard->policy.queues[entry->queue];

	queue->weight += blocks_weight(blocks);
	queue->weight -= entry_weight(entry);
	entry->blocks = blocks;
}

uint32_t shard_draw(struct shard *shard)
{
	uint32_t x = shard->policy.random;

	x ^= x << 13;                        /* xorshift (Marsaglia 2003) */
	x ^= x >> 17;
	x ^= x << 5;
	shard->policy.random = x;
	return (uint32_t)((uint64_t)x * shard->entry_count >> 32);
}

void policy_init(struct shard *shard)
{
	struct policy_state *state = &shard->policy;

	for (unsigned i = 0; i < QUEUES; i++)
		state->queues[i] = (struct queue){ .newest = NONE, .oldest = NONE };
	state->hand = NONE;
	state->random = 1;
}

void policy_release(struct shard *shard)
{
	ghosts_release(&shard->policy.ghosts);
	ghosts_release(&shard->seen);
}
