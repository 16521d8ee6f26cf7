/* Voiding: what was asked for before a moment and is still on its way is not stored when it comes, by key. For one key at a
 * time and for as long as a fetch lasts, unlike a purge: nothing of it is on disk, since no fetch survives a restart.
 *
 * A table of fixed size, one slot a hash: it holds when a key of that slot was voided last. Two keys in one slot cost an
 * answer that could have been stored, once, and never store one that must not be. */
#include "internal.h"

static _Atomic uint64_t *slot_of(struct volume *volume, struct store_key key)
{
	return &volume->voids[key.lo % VOID_SLOTS];
}

uint64_t volume_void_clock(const struct volume *volume)
{
	return atomic_load(&volume->void_clock);
}

void volume_void(struct volume *volume, struct store_key key)
{
	_Atomic uint64_t *slot = slot_of(volume, key);
	uint64_t clock = atomic_fetch_add(&volume->void_clock, 1) + 1, before = atomic_load(slot);

	while (before < clock && !atomic_compare_exchange_weak(slot, &before, clock))
		;
}

bool void_forbids(struct volume *volume, const struct object *object)
{
	struct slice text = object->key_text;

	if (object->meta.asked >= volume_void_clock(volume))
		return false;
	const char *end = memchr(text.ptr, '\n', text.len);
	if (end)
		text.len = (size_t)(end - text.ptr);
	return atomic_load(slot_of(volume, store_key_make(text))) > object->meta.asked;
}
