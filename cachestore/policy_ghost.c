/* Keys that are remembered: of objects that are gone (ghosts), and of those that were not let in. */
#include "internal.h"

static uint32_t print_of(struct store_key key)
{
	uint32_t print = (uint32_t)(key.hi >> 32);

	return print ? print : 1;
}

/* By the high bits of a product: keys of one shard share low bits. */
static struct ghost *bucket_of(const struct ghosts *ghosts, uint32_t print)
{
	uint32_t bucket = (uint32_t)((uint64_t)(print * 0x9e3779b1u) * (ghosts->slot_count / GHOST_WAYS) >> 32);

	return &ghosts->slots[(size_t)bucket * GHOST_WAYS];
}

/* Signed: a value may lie ahead of the clock. */
static int32_t age_of(const struct ghosts *ghosts, const struct ghost *ghost)
{
	return (int32_t)(ghosts->now - ghost->value);
}

void ghosts_release(struct ghosts *ghosts)
{
	free(ghosts->slots);
	*ghosts = (struct ghosts){ .slots = NULL };
}

static struct ghost *ghost_find(const struct ghosts *ghosts, uint32_t print)
{
	struct ghost *bucket = bucket_of(ghosts, print);

	for (unsigned way = 0; way < GHOST_WAYS; way++)
		if (bucket[way].print == print)
			return &bucket[way];
	return NULL;
}

/* Where it is, or an empty slot, or that of the lowest value. */
static struct ghost *slot_for(const struct ghosts *ghosts, uint32_t print)
{
	struct ghost *bucket = bucket_of(ghosts, print), *slot = ghost_find(ghosts, print);

	for (unsigned way = 0; !slot && way < GHOST_WAYS; way++)
		if (bucket[way].print == 0)
			slot = &bucket[way];
	if (slot)
		return slot;
	slot = bucket;
	for (unsigned way = 1; way < GHOST_WAYS; way++)
		if (age_of(ghosts, &bucket[way]) > age_of(ghosts, slot))
			slot = &bucket[way];
	return slot;
}

void ghosts_reserve(struct ghosts *ghosts, uint32_t keys)
{
	struct ghosts larger = { .slot_count = ghosts->slot_count ? ghosts->slot_count : GHOST_SLOTS_MIN, .now = ghosts->now };

	while (larger.slot_count < keys - keys / 3 && larger.slot_count < (uint32_t)1 << 30)
		larger.slot_count *= 2;
	if (ghosts->slots && larger.slot_count == ghosts->slot_count)
		return;
	larger.slots = must(calloc(larger.slot_count, sizeof(*larger.slots)));
	/* A bucket's keys are divided among its successors: none is lost. */
	for (uint32_t i = 0; ghosts->slots && i < ghosts->slot_count; i++)
		if (ghosts->slots[i].print != 0)
			*slot_for(&larger, ghosts->slots[i].print) = ghosts->slots[i];
	free(ghosts->slots);
	*ghosts = larger;
}

void ghosts_add(struct ghosts *ghosts, struct store_key key, uint32_t value)
{
	uint32_t print = print_of(key);

	if (!ghosts->slots)
		ghosts_reserve(ghosts, 0);
	*slot_for(ghosts, print) = (struct ghost){ print, value };
}

bool ghosts_take(struct ghosts *ghosts, struct store_key key, uint32_t *ret_value)
{
	uint32_t print = print_of(key);
	struct ghost *slot = ghosts->slots ? ghost_find(ghosts, print) : NULL;

	if (!slot)
		return false;
	*ret_value = slot->value;
	slot->print = 0;
	return true;
}

void ghosts_age(struct ghosts *ghosts)
{
	for (uint32_t i = 0; ghosts->slots && i < ghosts->slot_count; i++) {
		uint32_t age = ghosts->now - ghosts->slots[i].value;

		if (age > GHOST_AGE_MAX && age < UINT32_MAX - GHOST_AGE_MAX)     /* neither near behind nor near ahead */
			ghosts->slots[i].print = 0;
	}
}
