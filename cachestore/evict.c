/* Who leaves the disk when room is needed: the policy says it of one shard; of the shards, the heaviest has to give. Keys are
 * hashes, so each shard is a fair sample. Sizes count through the loop of the caller: it takes victims until there is room. */
#include "internal.h"

static uint32_t shard_heaviest(struct volume *volume)
{
	uint32_t heaviest = 0;
	uint64_t most = 0;

	for (uint32_t i = 0; i < volume->shard_count; i++) {
		uint64_t weight = atomic_load_explicit(&volume->shards[i].weight, memory_order_relaxed);

		if (weight > most) {
			most = weight;
			heaviest = i;
		}
	}
	return heaviest;
}

bool evict_one(struct volume *volume, enum room room, struct doomed *ret_victim)
{
	uint32_t turn = shard_heaviest(volume), at;

	for (uint32_t i = 0; i < volume->shard_count; i++) {
		struct shard *shard = &volume->shards[(turn + i) % volume->shard_count];
		struct doomed victim = { .generation = 0 };

		pthread_mutex_lock(&shard->lock);
		at = volume->policy->victim(shard, room);
		if (at != NONE) {
			victim = (struct doomed){ .key = shard->entries[at].key, .generation = shard->entries[at].generation,
				.blocks = shard->entries[at].blocks };
			volume->policy->evicted(shard, at);
		}
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
