/* Owners: what the caller binds objects to, sites mostly, by name; a number in each object. How much of the volume each has,
 * and its quota: when room is needed and owners are over their quotas, their objects go first. A quota holds nobody up while
 * there is room.
 *
 * The numbers are kept in the index by the names, so that they mean the same after a restart. A number is never given anew. */
#include "internal.h"

void owners_init(struct owners *owners)
{
	pthread_mutex_init(&owners->lock, NULL);
	atomic_init(&owners->count, 1);          /* 0: nobody's */
}

void owners_release(struct owners *owners)
{
	for (unsigned i = 0; i < OWNERS_MAX; i++)
		free(owners->rows[i].name);
	pthread_mutex_destroy(&owners->lock);
}

bool owners_load(struct owners *owners, uint16_t number, struct slice name)
{
	if (number == 0 || number >= OWNERS_MAX || owners->rows[number].name || name.len == 0 || name.len > OWNER_NAME_MAX)
		return false;
	owners->rows[number].name = must(strndup(name.ptr, name.len));
	if (number >= atomic_load(&owners->count))
		atomic_store(&owners->count, number + 1);
	return true;
}

void owners_weigh(struct owners *owners, uint16_t number, int64_t blocks)
{
	if (number > 0 && number < OWNERS_MAX)
		atomic_fetch_add_explicit(&owners->rows[number].weight, (uint64_t)blocks, memory_order_relaxed);
}

/* The lock is held. It is on disk before it is used. */
static uint16_t owner_new(struct volume *volume, struct slice name)
{
	struct owners *owners = &volume->owners;
	unsigned number = atomic_load(&owners->count);
	enum store_err err = STORE_FAILED;

	if (number == OWNERS_MAX || name.len == 0 || name.len > OWNER_NAME_MAX || atomic_load(&volume->failed))
		return 0;
	writer_push_owner(volume, name, (uint16_t)number, &err);      /* nobody else may commit */
	volume_flush(volume);
	if (err != STORE_OK) {
		volume_event(volume, EVENT_other, STORE_EVENT_warning, "the name of an owner cannot be kept: it has no quota");
		return 0;
	}
	CHECK(owners_load(owners, (uint16_t)number, name));
	return (uint16_t)number;
}

uint16_t volume_owner(struct volume *volume, struct slice name)
{
	struct owners *owners = &volume->owners;
	uint16_t number = 0;

	pthread_mutex_lock(&owners->lock);
	for (unsigned i = 1; number == 0 && i < atomic_load(&owners->count); i++)
		if (owners->rows[i].name && slice_eq(slice_str(owners->rows[i].name), name))
			number = (uint16_t)i;
	if (number == 0)
		number = owner_new(volume, name);
	pthread_mutex_unlock(&owners->lock);
	return number;
}

void volume_quota(struct volume *volume, uint16_t owner, uint64_t bytes)
{
	if (owner > 0 && owner < OWNERS_MAX)
		atomic_store(&volume->owners.rows[owner].quota, blocks_of(bytes));
	for (unsigned i = 1; owner == 0 && i < OWNERS_MAX; i++)
		atomic_store(&volume->owners.rows[i].quota, 0);
}

bool volume_owner_stat(struct volume *volume, uint16_t owner, struct owner_stat *ret_stat)
{
	const struct owner_row *row = &volume->owners.rows[owner < OWNERS_MAX ? owner : 0];

	if (owner == 0 || owner >= atomic_load(&volume->owners.count) || !row->name)
		return false;
	*ret_stat = (struct owner_stat){ .name = row->name, .live_bytes = atomic_load(&row->weight) * BLOCK_BYTES,
		.quota_bytes = atomic_load(&row->quota) * BLOCK_BYTES };
	return true;
}

uint16_t owners_over(const struct owners *owners)
{
	unsigned count = atomic_load(&owners->count), worst = 0;
	uint64_t most = 0;

	for (unsigned i = 1; i < count; i++) {
		uint64_t quota = atomic_load_explicit(&owners->rows[i].quota, memory_order_relaxed);
		uint64_t weight = atomic_load_explicit(&owners->rows[i].weight, memory_order_relaxed);

		if (quota > 0 && weight > quota && weight - quota > most) {
			most = weight - quota;
			worst = i;
		}
	}
	return (uint16_t)worst;
}
