/* Who leaves the disk when room is needed: SIEVE, a queue in each shard, the shards in turn (keys are hashes, so each shard
 * is a fair sample). Sizes count through the loop of the caller: it takes victims until there is room. */
#include "internal.h"

void sieve_link(struct shard *shard, uint32_t at)
{
	struct entry *entry = &shard->entries[at];

	entry->newer = NONE;
	entry->older = shard->newest;
	if (shard->newest != NONE)
		shard->entries[shard->newest].newer = at;
	else
		shard->oldest = at;
	shard->newest = at;
}

void sieve_unlink(struct shard *shard, uint32_t at)
{
	const struct entry *entry = &shard->entries[at];

	if (shard->hand == at)
		shard->hand = entry->newer;
	if (entry->newer != NONE)
		shard->entries[entry->newer].older = entry->older;
	else
		shard->newest = entry->older;
	if (entry->older != NONE)
		shard->entries[entry->older].newer = entry->newer;
	else
		shard->oldest = entry->newer;
}

/* Lock held. At most two rounds: the first may only take away marks. What waits for the writer cannot leave. */
static struct entry *shard_victim(struct shard *shard)
{
	uint32_t at = shard->hand != NONE ? shard->hand : shard->oldest, steps = 2 * shard->entry_count + 1;

	while (at != NONE && steps-- > 0) {
		struct entry *entry = &shard->entries[at];

		if (entry->state == ENTRY_STORED && !entry->used) {
			shard->hand = at;
			return entry;
		}
		if (entry->state == ENTRY_STORED)
			entry->used = false;
		at = entry->newer != NONE ? entry->newer : shard->oldest;
	}
	return NULL;
}

bool evict_one(struct volume *volume, struct doomed *ret_victim)
{
	uint32_t turn = atomic_fetch_add_explicit(&volume->evict_turn, 1, memory_order_relaxed);

	for (uint32_t i = 0; i < volume->shard_count; i++) {
		struct shard *shard = &volume->shards[(turn + i) % volume->shard_count];
		struct doomed victim = { .generation = 0 };
		struct entry *entry;

		pthread_mutex_lock(&shard->lock);
		entry = shard_victim(shard);
		if (entry)
			victim = (struct doomed){ .key = entry->key, .generation = entry->generation, .blocks = entry->blocks };
		pthread_mutex_unlock(&shard->lock);
		/* In between it may have been replaced: then its record goes with the replacement. */
		if (victim.generation > 0 && index_remove(volume, victim.key, victim.generation) == victim.generation) {
			atomic_fetch_add_explicit(&volume->evicted, 1, memory_order_relaxed);
			*ret_victim = victim;
			return true;
		}
	}
	return false;
}
