/* The RAM index: key -> entry, in shards with a lock each. About 60 bytes an object. Answers look-ups without LMDB.
 *
 * Invariant: when an entry that may have a record on disk is replaced or removed, a job of the writer follows that deletes
 * the record (for a victim of eviction: the writer does it itself). So what is not here is not on disk for long, and a
 * record is current only while an entry has its generation.
 *
 * An entry has two numbers. Its generation says where the record lies, and grows when the cleaner moves the record (clean.c).
 * Its version says which object it is: given when the object is published, the same as long as the entry lives, and carried
 * by every object that is made of the record. So
 *   - who has an object asks by version (to refresh, to drop, after damage, after a purge), and moves are nothing to them;
 *   - who has a record asks by generation: one that has been moved is not current, and is looked for again;
 *   - a generation that was taken out of here (to be deleted, to be replaced) is where the record lay then: whether that is
 *     before or after a move is decided by index_move(), under the lock.
 * What is published gets a higher generation than any move that saw the entry before (GENERATION_STEP): of two records of a
 * key which a crash leaves, the higher is right. */
#include "internal.h"

enum { ENTRIES_FIRST = 64 };

struct shard *index_shard(struct volume *volume, struct store_key key)
{
	return &volume->shards[key.hi & (volume->shard_count - 1)];
}

static uint32_t *index_slot(struct shard *shard, struct store_key key)
{
	return &shard->slots[key.lo & (shard->slot_count - 1)];
}

struct entry *index_find(struct shard *shard, struct store_key key)
{
	uint32_t at = *index_slot(shard, key);

	while (at != NONE && !key_eq(shard->entries[at].key, key))
		at = shard->entries[at].chain;
	return at == NONE ? NULL : &shard->entries[at];
}

void index_init(struct volume *volume)
{
	for (size_t i = 0; i < volume->shard_count; i++) {
		struct shard *shard = &volume->shards[i];

		pthread_mutex_init(&shard->lock, NULL);
		shard->free = NONE;
		policy_init(shard);
		shard->slot_count = ENTRIES_FIRST;
		shard->slots = must(malloc(ENTRIES_FIRST * sizeof(*shard->slots)));
		memset(shard->slots, 0xff, ENTRIES_FIRST * sizeof(*shard->slots));
	}
}

void index_free(struct volume *volume)
{
	for (size_t i = 0; i < volume->shard_count; i++) {
		struct shard *shard = &volume->shards[i];

		for (uint32_t at = 0; at < shard->entry_count; at++)
			if (shard->entries[at].state != ENTRY_FREE)
				object_unref(&shard->entries[at].object);
		free(shard->entries);
		free(shard->slots);
		policy_release(shard);
		pthread_mutex_destroy(&shard->lock);
	}
}

/* So many slots, a power of two: there are never more entries than slots. */
static void slots_make(struct shard *shard, uint32_t count)
{
	free(shard->slots);
	shard->slots = must(malloc(count * sizeof(*shard->slots)));
	memset(shard->slots, 0xff, count * sizeof(*shard->slots));
	shard->slot_count = count;
	for (uint32_t at = 0; at < shard->entry_count; at++) {
		struct entry *entry = &shard->entries[at];
		uint32_t *slot;

		if (entry->state == ENTRY_FREE)
			continue;
		slot = index_slot(shard, entry->key);
		entry->chain = *slot;
		*slot = at;
	}
}

/* Counts it, or takes it off. */
static void entry_weigh(struct volume *volume, struct shard *shard, const struct entry *entry, int sign)
{
	int64_t weight = sign * (int64_t)entry_weight(entry);

	atomic_fetch_add_explicit(&shard->weight, (uint64_t)weight, memory_order_relaxed);
	owners_weigh(&volume->owners, entry->owner, weight);
}

/* A new entry for the key, the policy's too. Lock held. */
static struct entry *entry_add(struct volume *volume, struct shard *shard, struct store_key key, uint32_t blocks, uint16_t owner)
{
	struct entry *entry;
	uint32_t at = shard->free, *slot;

	if (at != NONE)
		shard->free = shard->entries[at].chain;
	else {
		if (shard->entry_count == shard->entry_room) {
			shard->entry_room = shard->entry_room ? shard->entry_room + shard->entry_room / 2 : ENTRIES_FIRST;
			shard->entries = must(realloc(shard->entries, shard->entry_room * sizeof(*shard->entries)));
		}
		at = shard->entry_count++;
		shard->entries[at].state = ENTRY_FREE;
		if (shard->entry_count > shard->slot_count)
			slots_make(shard, shard->slot_count * 2);
	}
	entry = &shard->entries[at];
	slot = index_slot(shard, key);
	*entry = (struct entry){ .key = key, .chain = *slot, .blocks = blocks, .owner = owner, .state = ENTRY_PENDING };
	*slot = at;
	volume->policy->link(shard, at);
	entry_weigh(volume, shard, entry, 1);
	atomic_fetch_add_explicit(&volume->objects, 1, memory_order_relaxed);
	return entry;
}

/* Lock held. Returns the object that the entry held, for the caller to unref without the lock. */
static struct object *entry_remove(struct volume *volume, struct shard *shard, struct entry *entry)
{
	uint32_t at = (uint32_t)(entry - shard->entries), *link = index_slot(shard, entry->key);
	struct object *object = entry->object;

	while (*link != at)
		link = &shard->entries[*link].chain;
	*link = entry->chain;
	volume->policy->unlink(shard, at);
	entry_weigh(volume, shard, entry, -1);
	ram_unlink(volume, shard, object);
	*entry = (struct entry){ .state = ENTRY_FREE, .chain = shard->free };
	shard->free = at;
	atomic_fetch_sub_explicit(&volume->objects, 1, memory_order_relaxed);
	return object;
}

void index_clear(struct volume *volume)
{
	for (size_t i = 0; i < volume->shard_count; i++) {
		struct shard *shard = &volume->shards[i];
		struct object *object;

		pthread_mutex_lock(&shard->lock);
		for (uint32_t at = 0; at < shard->entry_count; at++)
			if (shard->entries[at].state != ENTRY_FREE) {
				object = entry_remove(volume, shard, &shard->entries[at]);
				CHECK(!object);           /* at the start there are none */
			}
		pthread_mutex_unlock(&shard->lock);
	}
}

/* Lock held. Another object of the same key takes the entry, and its place with the policy. As entry_remove(). */
static struct object *entry_renew(struct volume *volume, struct shard *shard, struct entry *entry, uint32_t blocks, uint16_t owner)
{
	struct object *object = entry->object;

	ram_unlink(volume, shard, object);
	entry_weigh(volume, shard, entry, -1);
	volume->policy->resize(shard, (uint32_t)(entry - shard->entries), blocks);
	entry->owner = owner;
	entry_weigh(volume, shard, entry, 1);
	entry->state = ENTRY_PENDING;
	return object;
}

bool index_publish(struct volume *volume, struct object *object, const struct object *over, uint64_t *ret_replaced)
{
	struct shard *shard = index_shard(volume, object->key);
	struct object *old = NULL;
	struct entry *entry;
	bool published = true;

	*ret_replaced = 0;
	pthread_mutex_lock(&shard->lock);
	entry = index_find(shard, object->key);
	if (entry && over && entry->version != over->version)
		published = false;
	else {
		uint32_t blocks = (uint32_t)blocks_of(atomic_load(&object->body->size));

		if (entry) {
			*ret_replaced = entry->generation;
			old = entry_renew(volume, shard, entry, blocks, object->meta.owner);
		} else
			entry = entry_add(volume, shard, object->key, blocks, object->meta.owner);
		/* Given under the lock: of two objects of one key the one that stays has the higher number. */
		entry->generation = atomic_fetch_add(&volume->generation, GENERATION_STEP) + GENERATION_STEP;
		entry->version = object->version = version_of(entry->generation);
		object->generation = entry->generation;
		entry->object = object_ref(object);
		entry->verified = true;
	}
	pthread_mutex_unlock(&shard->lock);
	object_unref(&old);
	return published;
}

void index_stored(struct volume *volume, struct object *object, uint32_t blocks)
{
	struct shard *shard = index_shard(volume, object->key);
	uint64_t bytes = object_bytes(object);
	bool admit = ram_reserve(volume, bytes);
	struct object *leaves = NULL;
	struct entry *entry;

	pthread_mutex_lock(&shard->lock);
	entry = index_find(shard, object->key);
	if (entry && entry->generation == object->generation) {
		CHECK(entry->blocks == blocks);
		entry->state = ENTRY_STORED;
		if (admit) {
			ram_link(shard, object, bytes);
			admit = false;
		} else {
			leaves = entry->object;
			entry->object = NULL;
		}
	}
	pthread_mutex_unlock(&shard->lock);
	if (admit)
		atomic_fetch_sub(&volume->ram_bytes, bytes);
	object_unref(&leaves);
}

/* generation 0: any; of NULL: any. */
static uint64_t remove_if(struct volume *volume, struct store_key key, uint64_t generation, const struct object *of)
{
	struct shard *shard = index_shard(volume, key);
	struct object *object = NULL;
	struct entry *entry;
	uint64_t removed = 0;

	pthread_mutex_lock(&shard->lock);
	entry = index_find(shard, key);
	if (entry && (generation == 0 || entry->generation == generation) && (!of || entry->version == of->version)) {
		removed = entry->generation;
		object = entry_remove(volume, shard, entry);
	}
	pthread_mutex_unlock(&shard->lock);
	object_unref(&object);
	return removed;
}

uint64_t index_remove(struct volume *volume, struct store_key key, uint64_t generation)
{
	return remove_if(volume, key, generation, NULL);
}

uint64_t index_remove_object(struct volume *volume, const struct object *object)
{
	return atomic_load(&object->generation) > 0 ? remove_if(volume, object->key, 0, object) : 0;
}

bool index_move(struct volume *volume, struct store_key key, uint64_t from, uint64_t to)
{
	struct shard *shard = index_shard(volume, key);
	struct entry *entry;
	bool moved;

	pthread_mutex_lock(&shard->lock);
	entry = index_find(shard, key);
	moved = entry && entry->generation == from;
	if (moved)
		entry->generation = to;
	pthread_mutex_unlock(&shard->lock);
	return moved;
}

bool index_is_current(struct volume *volume, struct store_key key, uint64_t generation)
{
	return index_generation(volume, key, NULL) == generation;
}

uint64_t index_generation(struct volume *volume, struct store_key key, uint32_t *ret_version)
{
	struct shard *shard = index_shard(volume, key);
	const struct entry *entry;
	uint64_t generation;

	pthread_mutex_lock(&shard->lock);
	entry = index_find(shard, key);
	generation = entry ? entry->generation : 0;
	if (entry && ret_version)
		*ret_version = entry->version;
	pthread_mutex_unlock(&shard->lock);
	return generation;
}

/* A shard gets a little more than its share: keys are spread by chance. */
void index_reserve(struct volume *volume, uint64_t objects)
{
	uint64_t share = objects / volume->shard_count + objects / volume->shard_count / 32 + ENTRIES_FIRST;

	for (size_t i = 0; i < volume->shard_count && share < NONE / 2; i++) {
		struct shard *shard = &volume->shards[i];
		uint32_t slots = shard->slot_count;

		if (share > shard->entry_room) {
			shard->entries = must(realloc(shard->entries, share * sizeof(*shard->entries)));
			shard->entry_room = (uint32_t)share;
		}
		while (slots < share)
			slots *= 2;
		if (slots > shard->slot_count)
			slots_make(shard, slots);
	}
}

uint64_t index_insert(struct volume *volume, struct store_key key, uint64_t generation, uint32_t blocks, uint16_t owner, bool verified)
{
	struct shard *shard = index_shard(volume, key);
	struct entry *entry = index_find(shard, key);
	uint64_t older = 0;

	if (entry) {
		older = entry->generation;
		entry_remove(volume, shard, entry);
	}
	entry = entry_add(volume, shard, key, blocks, owner);
	entry->generation = generation;
	entry->version = version_of(generation);
	entry->state = ENTRY_STORED;
	entry->verified = verified;
	return older;
}

/* Lock held. policy: which is told of the use; NULL: it is none. */
static enum store_get shard_look(const struct policy *policy, struct shard *shard, struct store_key key, struct slice key_text, struct object **ret_object)
{
	struct entry *entry = index_find(shard, key);

	if (!entry)
		return STORE_MISS;
	if (policy)
		policy->hit(shard, (uint32_t)(entry - shard->entries));
	if (!entry->object)
		return STORE_LOAD;
	if (!slice_eq(entry->object->key_text, key_text))
		return STORE_MISS;
	entry->object->ram_used = true;
	*ret_object = object_ref(entry->object);
	return STORE_HIT;
}

static enum store_get look(struct volume *volume, const struct policy *policy, struct store_key key, struct slice key_text,
	struct object **ret_object)
{
	struct shard *shard = index_shard(volume, key);
	enum store_get get;

	pthread_mutex_lock(&shard->lock);
	get = shard_look(policy, shard, key, key_text, ret_object);
	pthread_mutex_unlock(&shard->lock);
	return get;
}

enum store_get index_look(struct volume *volume, struct store_key key, struct slice key_text, struct object **ret_object)
{
	return look(volume, volume->policy, key, key_text, ret_object);
}

enum store_get index_peek(struct volume *volume, struct store_key key, struct slice key_text, struct object **ret_object)
{
	return look(volume, NULL, key, key_text, ret_object);
}

bool index_is_verified(struct volume *volume, struct store_key key)
{
	struct shard *shard = index_shard(volume, key);
	const struct entry *entry;
	bool verified;

	pthread_mutex_lock(&shard->lock);
	entry = index_find(shard, key);
	verified = entry && entry->verified;
	pthread_mutex_unlock(&shard->lock);
	return verified;
}

enum store_get volume_get(struct volume *volume, struct store_key key, struct slice key_text, struct object **ret_object)
{
	struct shard *shard = index_shard(volume, key);
	enum store_get get;

	if (!atomic_load_explicit(&volume->ready, memory_order_acquire))
		return STORE_MISS;
	pthread_mutex_lock(&shard->lock);
	shard->gets++;
	get = shard_look(volume->policy, shard, key, key_text, ret_object);
	if (get == STORE_HIT && (*ret_object)->in_memory)
		shard->hits++;
	pthread_mutex_unlock(&shard->lock);
	if (get == STORE_HIT && purge_takes(volume, *ret_object)) {
		pthread_mutex_lock(&shard->lock);
		shard->hits -= (*ret_object)->in_memory;
		pthread_mutex_unlock(&shard->lock);
		object_unref(ret_object);
		return STORE_MISS;
	}
	if (get == STORE_HIT && !(*ret_object)->in_memory)
		atomic_fetch_add_explicit(&volume->hits_disk, 1, memory_order_relaxed);
	return get;
}

struct object *index_admit(struct volume *volume, struct object *object)
{
	struct shard *shard = index_shard(volume, object->key);
	uint64_t bytes = object_bytes(object);
	bool admit = ram_reserve(volume, bytes);
	struct object *mine = object, *out = NULL;
	struct entry *entry;

	pthread_mutex_lock(&shard->lock);
	entry = index_find(shard, object->key);
	if (entry && entry->version == object->version) {
		entry->verified = true;
		if (entry->object)
			out = object_ref(entry->object);
		else {
			out = mine;
			mine = NULL;
			if (admit) {
				entry->object = object_ref(out);
				ram_link(shard, out, bytes);
				admit = false;
			}
		}
	}
	pthread_mutex_unlock(&shard->lock);
	if (admit)
		atomic_fetch_sub(&volume->ram_bytes, bytes);
	object_unref(&mine);
	return out;
}
