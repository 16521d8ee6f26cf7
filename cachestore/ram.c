/* The RAM tier: which whole objects stay in memory. A SIEVE queue in each shard, one bound for all of them.
 *
 * In memory are: objects that wait for the writer, and what is being filled (bounded by fill_max, not by this); objects that
 * readers have (a load of at most BODY_LOAD_MAX each, for as long as they read); and the tier: objects that were stored or
 * loaded last, at most config.ram bytes with heads and overhead. Of a larger body that was loaded the tier has the head only.
 *
 * Leaving the tier means that the index lets go of its reference: readers keep theirs, and the next look-up of the key
 * loads it from disk. An object larger than a quarter of the tier never enters: it would sweep out everything else. */
#include "internal.h"

void ram_link(struct shard *shard, struct object *object, uint64_t bytes)
{
	object->ram_bytes = bytes;
	object->ram_used = false;
	object->ram_newer = NULL;
	object->ram_older = shard->ram_newest;
	if (shard->ram_newest)
		shard->ram_newest->ram_newer = object;
	else
		shard->ram_oldest = object;
	shard->ram_newest = object;
}

void ram_unlink(struct volume *volume, struct shard *shard, struct object *object)
{
	if (!object || object->ram_bytes == 0)
		return;
	if (shard->ram_hand == object)
		shard->ram_hand = object->ram_newer;
	if (object->ram_newer)
		object->ram_newer->ram_older = object->ram_older;
	else
		shard->ram_newest = object->ram_older;
	if (object->ram_older)
		object->ram_older->ram_newer = object->ram_newer;
	else
		shard->ram_oldest = object->ram_newer;
	atomic_fetch_sub(&volume->ram_bytes, object->ram_bytes);
	object->ram_bytes = 0;
}

/* Lock held. The hand goes from the oldest to the newest and forgives once what was used. */
static struct object *shard_evict(struct volume *volume, struct shard *shard)
{
	struct object *object = shard->ram_hand ? shard->ram_hand : shard->ram_oldest;
	struct entry *entry;

	if (!object)
		return NULL;
	while (object->ram_used) {
		object->ram_used = false;
		object = object->ram_newer ? object->ram_newer : shard->ram_oldest;
	}
	shard->ram_hand = object;
	ram_unlink(volume, shard, object);
	entry = index_find(shard, object->key);
	CHECK(entry && entry->object == object);
	entry->object = NULL;
	return object;
}

static bool ram_evict(struct volume *volume)
{
	uint32_t turn = atomic_fetch_add_explicit(&volume->ram_turn, 1, memory_order_relaxed);

	for (uint32_t i = 0; i < volume->shard_count; i++) {
		struct shard *shard = &volume->shards[(turn + i) % volume->shard_count];
		struct object *object;

		pthread_mutex_lock(&shard->lock);
		object = shard_evict(volume, shard);
		pthread_mutex_unlock(&shard->lock);
		if (object) {
			object_unref(&object);
			return true;
		}
	}
	return false;
}

bool ram_reserve(struct volume *volume, uint64_t bytes)
{
	uint64_t now = atomic_load(&volume->ram_bytes);

	if (bytes > volume->config.ram / 4)
		return false;
	for (;;) {
		if (now <= volume->config.ram - bytes) {
			if (atomic_compare_exchange_weak(&volume->ram_bytes, &now, now + bytes))
				return true;
		} else {
			if (!ram_evict(volume))
				return false;         /* others have reserved all of it for the moment */
			now = atomic_load(&volume->ram_bytes);
		}
	}
}
