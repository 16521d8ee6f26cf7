/* Who leaves the disk when room is needed: the policy says it of one shard; of the shards, the heaviest has to give. Keys are
 * hashes, so each shard is a fair sample. Sizes count through the loop of the caller: it takes victims until there is room.
 * While an owner is over its quota, its objects go first. */
#include "internal.h"

enum { OWNER_DRAWS = 256, OWNER_SHARDS = 8 };    /* entries of a shard, and shards, that are looked at for one of an owner */

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

/* Of the owner's entries among so many drawn at random, the one that the policy would give up first. */
static uint32_t owner_victim(const struct volume *volume, struct shard *shard, uint16_t owner)
{
	uint32_t best = NONE, draws = shard->entry_count < OWNER_DRAWS ? shard->entry_count : OWNER_DRAWS;

	for (uint32_t i = 0; i < draws; i++) {
		uint32_t at = draws < OWNER_DRAWS ? i : shard_draw(shard);
		const struct entry *entry = &shard->entries[at];

		if (entry->state == ENTRY_STORED && entry->owner == owner && (best == NONE || volume->policy->sooner(shard, at, best)))
			best = at;
	}
	return best;
}

static bool shard_evict(struct volume *volume, struct shard *shard, enum room room, uint16_t owner, struct doomed *ret_victim)
{
	struct doomed victim = { .generation = 0 };
	uint32_t at;

	pthread_mutex_lock(&shard->lock);
	at = owner > 0 ? owner_victim(volume, shard, owner) : volume->policy->victim(shard, room);
	if (at != NONE) {
		victim = (struct doomed){ .key = shard->entries[at].key, .generation = shard->entries[at].generation,
			.blocks = shard->entries[at].blocks };
		volume->policy->evicted(shard, at);
	}
	pthread_mutex_unlock(&shard->lock);
	/* In between it may have been replaced: then its record goes with the replacement. */
	if (victim.generation == 0 || index_remove(volume, victim.key, victim.generation) != victim.generation)
		return false;
	atomic_fetch_add_explicit(&volume->evicted, 1, memory_order_relaxed);
	*ret_victim = victim;
	return true;
}

bool evict_one(struct volume *volume, enum room room, struct doomed *ret_victim)
{
	uint32_t first = shard_heaviest(volume), shards = volume->shard_count;
	uint16_t owner = owners_over(&volume->owners);

	/* Who is over its quota has many objects, mostly: some shards will do. Otherwise the policy decides. */
	for (uint32_t i = 0; owner > 0 && i < shards && i < OWNER_SHARDS; i++)
		if (shard_evict(volume, &volume->shards[(first + i) % shards], room, owner, ret_victim))
			return true;
	for (uint32_t i = 0; i < shards; i++)
		if (shard_evict(volume, &volume->shards[(first + i) % shards], room, 0, ret_victim))
			return true;
	return false;
}
