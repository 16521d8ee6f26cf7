/* Who leaves a volume and who is let in: the rules of each policy, tiny and odd shards, the bounds of what is remembered, and
 * every policy's bookkeeping against a model that is too simple to be wrong. No disk: shards are driven as the store does it. */
#include "cachestore_help.h"

#include "../../cachestore/internal.h"

static struct volume *shards_make(enum eviction eviction, uint32_t shards)
{
	struct volume *volume = must(aligned_alloc(64, (sizeof(*volume) + 63) / 64 * 64));

	memset(volume, 0, sizeof(*volume));
	volume->config.eviction = eviction;
	volume->policy = policy_find(eviction);
	volume->shard_count = shards;
	index_init(volume);
	return volume;
}

static void shards_free(struct volume *volume)
{
	index_free(volume);
	free(volume);
}

static struct store_key key_of(uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return help_key(text);
}

static void add(struct volume *volume, uint64_t number, uint32_t blocks)
{
	index_insert(volume, key_of(number), ++volume->generation, blocks, 0, true);
}

static bool use(struct volume *volume, uint64_t number)
{
	struct object *object;

	return index_look(volume, key_of(number), SLICE(""), &object) == STORE_LOAD;
}

static struct entry *entry_of(struct volume *volume, uint64_t number)
{
	struct store_key key = key_of(number);

	return index_find(index_shard(volume, key), key);
}

/* The number of the next victim among 0..below-1; below: there is none. */
static uint64_t evict(struct volume *volume, enum room room, uint64_t below)
{
	struct doomed victim;

	if (!evict_one(volume, room, &victim))
		return below;
	for (uint64_t number = 0; number < below; number++)
		if (key_eq(key_of(number), victim.key))
			return number;
	fail_msg("an unknown victim");
	return below;
}

/* ---- rules ---- */

static void lru_goes_by_last_use(void **state)
{
	struct volume *volume = shards_make(EVICTION_lru, 1);
	(void)state;

	for (uint64_t i = 0; i < 4; i++)
		add(volume, i, 1);
	assert_true(use(volume, 0));
	assert_true(use(volume, 2));
	assert_int_equal(evict(volume, ROOM_blocks, 4), 1);
	assert_int_equal(evict(volume, ROOM_blocks, 4), 3);
	assert_int_equal(evict(volume, ROOM_blocks, 4), 0);
	assert_int_equal(evict(volume, ROOM_blocks, 4), 2);
	assert_int_equal(evict(volume, ROOM_blocks, 4), 4);
	shards_free(volume);
}

static void sieve_spares_once_what_was_used(void **state)
{
	struct volume *volume = shards_make(EVICTION_sieve, 1);
	(void)state;

	for (uint64_t i = 0; i < 4; i++)
		add(volume, i, 1);
	use(volume, 0);
	use(volume, 1);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 2);      /* the hand has passed 0 and 1, and stays where it is */
	add(volume, 4, 1);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 3);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 4);      /* new, and before the hand */
	assert_int_equal(evict(volume, ROOM_blocks, 8), 0);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 1);
	shards_free(volume);
}

static void s3fifo_keeps_scans_out_of_the_main_queue(void **state)
{
	struct volume *volume = shards_make(EVICTION_s3fifo, 1);
	struct shard *shard = &volume->shards[0];
	(void)state;

	for (uint64_t i = 0; i < 100; i++) {
		add(volume, i, 1);
		use(volume, i);
		use(volume, i);
	}
	for (uint64_t i = 100; i < 1000; i++) {
		add(volume, i, 1);
		assert_in_range(evict(volume, ROOM_blocks, 1000), i < 200 ? 0 : 100, i);
	}
	for (uint64_t i = 0; i < 100; i++)
		if (entry_of(volume, i))
			assert_int_equal(entry_of(volume, i)->queue, 1);
	assert_in_range(shard->policy.queues[1].count, 85, 95);
	shards_free(volume);
}

static void s3fifo_takes_a_ghost_into_the_main_queue(void **state)
{
	struct volume *volume = shards_make(EVICTION_s3fifo, 1);
	(void)state;

	for (uint64_t i = 0; i < 50; i++) {
		add(volume, i, 1);
		use(volume, i);
		use(volume, i);
	}
	add(volume, 50, 1);
	while (evict(volume, ROOM_blocks, 100) != 50)    /* used twice: 0 to 49 move on */
		assert_true(volume->objects > 0);
	add(volume, 50, 1);
	add(volume, 51, 1);
	assert_int_equal(entry_of(volume, 50)->queue, 1);
	assert_int_equal(entry_of(volume, 51)->queue, 0);
	shards_free(volume);
}

/* Up to 64 entries are all looked at, so that the lowest goes. */
static void lrfu_goes_by_uses_and_size(void **state)
{
	struct volume *volume = shards_make(EVICTION_lrfu, 1);
	(void)state;

	add(volume, 0, 4);
	add(volume, 1, 4);
	add(volume, 2, 1000);
	add(volume, 3, 4);
	use(volume, 0);
	use(volume, 3);
	use(volume, 3);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 2);      /* as often as 1, larger */
	assert_int_equal(evict(volume, ROOM_blocks, 8), 1);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 0);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 3);
	shards_free(volume);
}

static void where_records_are_short_size_does_not_count(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct volume *volume = shards_make(i ? EVICTION_lrfu_small : EVICTION_lrfu, 1);

		add(volume, 0, 1);
		add(volume, 1, 100000);
		add(volume, 2, 1);
		assert_int_equal(evict(volume, ROOM_records, 8), 0);     /* the oldest */
		assert_int_equal(evict(volume, ROOM_blocks, 8), 1);
		shards_free(volume);
	}
}

static void lrfu_forgets_old_uses_and_remembers_keys(void **state)
{
	struct volume *volume = shards_make(EVICTION_lrfu, 1);
	(void)state;

	add(volume, 0, 1);
	for (int i = 0; i < 8; i++)
		use(volume, 0);
	add(volume, 1, 1);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 1);
	/* 0 is alone for long: eight uses are worth less and less. What is used now and then is worth more in the end. */
	add(volume, 2, 1);
	for (int i = 0; i < 4000; i++)
		use(volume, 2);
	add(volume, 3, 1);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 0);
	/* 2 was used a lot; when it comes back, its key is known. */
	assert_int_equal(evict(volume, ROOM_blocks, 8), 3);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 2);
	add(volume, 2, 1);
	add(volume, 4, 1);
	add(volume, 5, 1);
	use(volume, 4);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 5);
	assert_int_equal(evict(volume, ROOM_blocks, 8), 4);
	shards_free(volume);
}

/* A clock that has wrapped, and an entry that was left behind by far more than half of the numbers. */
static void lrfu_scores_may_wrap(void **state)
{
	struct volume *volume = shards_make(EVICTION_lrfu, 1);
	struct policy_state *policy = &volume->shards[0].policy;
	(void)state;

	add(volume, 0, 1);
	for (uint64_t turn = 0; turn < 10; turn++) {
		policy->clock += (uint64_t)((1 << 27) - 1) << 20;       /* 2^27 scores: not so many look-ups */
		add(volume, 1 + turn, 1);
		use(volume, 1 + turn);
	}
	for (uint64_t turn = 0; turn < 40; turn++) {
		policy->clock += (uint64_t)((1 << 27) - 1) << 20;
		use(volume, 10);
	}
	assert_int_not_equal(evict(volume, ROOM_blocks, 16), 10);
	for (uint64_t turn = 0; turn < 9; turn++)
		assert_int_not_equal(evict(volume, ROOM_blocks, 16), 10);
	assert_int_equal(evict(volume, ROOM_blocks, 16), 10);
	shards_free(volume);
}

/* ---- all policies ---- */

static void tiny_and_pending_shards(void **state)
{
	(void)state;
	for (int eviction = 0; eviction < EVICTION_COUNT; eviction++) {
		struct volume *volume = shards_make((enum eviction)eviction, SHARDS_MIN);

		assert_int_equal(evict(volume, ROOM_blocks, 300), 300);
		add(volume, 0, 0);                                   /* an empty body */
		assert_int_equal(evict(volume, ROOM_blocks, 300), 0);
		for (uint64_t i = 0; i < 300; i++) {
			add(volume, i, 1);
			entry_of(volume, i)->state = ENTRY_PENDING;
		}
		assert_int_equal(evict(volume, ROOM_records, 300), 300);
		entry_of(volume, 77)->state = ENTRY_STORED;
		for (int i = 0; i < 20; i++)
			use(volume, 77);
		assert_int_equal(evict(volume, ROOM_blocks, 300), 77);
		assert_int_equal(evict(volume, ROOM_blocks, 300), 300);
		assert_int_equal(volume->objects, 299);
		shards_free(volume);
	}
}

static void after_a_start_the_oldest_goes_first(void **state)
{
	(void)state;
	for (int eviction = 0; eviction < EVICTION_COUNT; eviction++) {
		struct volume *volume = shards_make((enum eviction)eviction, 1);

		for (uint64_t i = 0; i < 50; i++)
			add(volume, i, 3);
		for (uint64_t i = 0; i < 50; i++)
			assert_int_equal(evict(volume, ROOM_blocks, 50), i);
		shards_free(volume);
	}
}

static void the_heaviest_shard_gives(void **state)
{
	struct volume *volume = shards_make(EVICTION_lru, 8);
	uint64_t most = 0, least = UINT64_MAX;
	(void)state;

	for (uint64_t i = 0; i < 4000; i++)
		add(volume, i, 1 + (uint32_t)(i * 7919 % 50));
	for (int i = 0; i < 2000; i++)
		assert_int_not_equal(evict(volume, ROOM_blocks, 4000), 4000);
	for (uint32_t i = 0; i < 8; i++) {
		most = volume->shards[i].weight > most ? volume->shards[i].weight : most;
		least = volume->shards[i].weight < least ? volume->shards[i].weight : least;
	}
	assert_in_range(most - least, 0, 50);
	shards_free(volume);
}

static void ghosts_are_bounded(void **state)
{
	(void)state;
	for (int eviction = 0; eviction < EVICTION_COUNT; eviction++) {
		struct volume *volume = shards_make((enum eviction)eviction, 1);
		struct doomed victim;

		for (uint64_t i = 0; i < 200000; i++) {
			volume->generation++;
			index_insert(volume, (struct store_key){ i * 0x9e3779b97f4a7c15u, i }, volume->generation, 1, 0, true);
			if (i >= 1000)
				assert_true(evict_one(volume, ROOM_blocks, &victim));
		}
		assert_in_range(volume->shards[0].policy.ghosts.slot_count, 0, 2048);
		shards_free(volume);
	}
}

static void ghosts_remember_the_youngest(void **state)
{
	struct ghosts ghosts = { .slots = NULL, .now = UINT32_MAX - 20 };        /* the clock wraps on the way */
	uint32_t value, known = 0;
	(void)state;

	ghosts_reserve(&ghosts, 384);                            /* 40 in 256 slots: no bucket of 8 is full */
	for (uint64_t i = 0; i < 40; i++)
		ghosts_add(&ghosts, key_of(i), ++ghosts.now);
	ghosts_reserve(&ghosts, 1000);
	assert_int_equal(ghosts.slot_count, 1024);
	for (uint64_t i = 0; i < 40; i++)
		assert_true(ghosts_take(&ghosts, key_of(i), &value) && ghosts.now - value == 39 - i);
	assert_false(ghosts_take(&ghosts, key_of(0), &value));
	for (uint64_t i = 0; i < 100000; i++)
		ghosts_add(&ghosts, key_of(i), ++ghosts.now);
	for (uint64_t i = 0; i < 100000; i++)
		if (ghosts_take(&ghosts, key_of(i), &value)) {
			assert_int_equal(ghosts.now - value, 99999 - i);
			known++;
		}
	assert_int_equal(known, ghosts.slot_count);              /* full, and with the youngest of each bucket */
	ghosts_add(&ghosts, key_of(1), ghosts.now - GHOST_AGE_MAX - 1);
	ghosts_add(&ghosts, key_of(2), ghosts.now - GHOST_AGE_MAX);
	ghosts_add(&ghosts, key_of(3), ghosts.now + 50000);
	ghosts_age(&ghosts);
	assert_false(ghosts_take(&ghosts, key_of(1), &value));
	assert_true(ghosts_take(&ghosts, key_of(2), &value));
	assert_true(ghosts_take(&ghosts, key_of(3), &value));
	ghosts_release(&ghosts);
}

/* ---- against a model ---- */
enum { MODEL_KEYS = 400, MODEL_STEPS = 60000 };
struct model {
	struct { bool there, pending, used; uint32_t blocks; } keys[MODEL_KEYS];
	uint64_t order[MODEL_KEYS];              /* LRU: least lately used first. SIEVE: oldest first */
	size_t count, hand;                      /* hand: in order; count: none */
};

static void order_remove(struct model *model, uint64_t number)
{
	size_t at = 0;

	while (model->order[at] != number)
		at++;
	model->count--;
	memmove(&model->order[at], &model->order[at + 1], (model->count - at) * sizeof(model->order[0]));
	if (model->hand > at)
		model->hand--;
	if (model->hand == model->count)
		model->hand = 0;
}

static uint64_t model_lru(struct model *model)
{
	for (size_t i = 0; i < model->count; i++)
		if (!model->keys[model->order[i]].pending)
			return model->order[i];
	return MODEL_KEYS;
}

static uint64_t model_sieve(struct model *model)
{
	for (size_t i = 0; i < 2 * model->count; i++) {
		uint64_t number = model->order[model->hand];

		if (!model->keys[number].pending && !model->keys[number].used)
			return number;
		if (!model->keys[number].pending)
			model->keys[number].used = false;
		model->hand = (model->hand + 1) % model->count;
	}
	return MODEL_KEYS;
}

/* Links both ways, counts and weights, of what has queues; and that all that is there is in them. */
static void shard_check(const struct volume *volume, const struct model *model)
{
	const struct shard *shard = &volume->shards[0];
	bool queues = volume->config.eviction != EVICTION_lrfu && volume->config.eviction != EVICTION_lrfu_small;
	uint64_t weight = 0, count = 0, all = 0;

	for (uint64_t i = 0; i < MODEL_KEYS; i++)
		if (model->keys[i].there)
			weight += blocks_weight(model->keys[i].blocks);
	assert_int_equal(shard->weight, weight);
	assert_int_equal(volume->objects, model->count);
	for (unsigned q = 0; queues && q < QUEUES; q++) {
		const struct queue *queue = &shard->policy.queues[q];
		uint32_t before = NONE;

		count = weight = 0;
		for (uint32_t at = queue->oldest; at != NONE; before = at, at = shard->entries[at].newer) {
			assert_int_equal(shard->entries[at].older, before);
			assert_int_equal(shard->entries[at].queue, q);
			assert_int_not_equal(shard->entries[at].state, ENTRY_FREE);
			weight += entry_weight(&shard->entries[at]);
			count++;
			assert_true(count <= model->count);
		}
		assert_int_equal(queue->newest, before);
		assert_int_equal(queue->count, count);
		assert_int_equal(queue->weight, weight);
		all += count;
	}
	if (queues)
		assert_int_equal(all, model->count);
	else
		assert_int_equal(shard->policy.queues[0].count, model->count);
}

/* A victim must be there and stored; LRU's and SIEVE's is exactly the model's. */
static void model_evict(struct volume *volume, struct model *model, enum room room)
{
	uint64_t expected = volume->config.eviction == EVICTION_lru ? model_lru(model)
		: volume->config.eviction == EVICTION_sieve ? model_sieve(model) : MODEL_KEYS + 1;
	uint64_t got = evict(volume, room, MODEL_KEYS);

	if (expected <= MODEL_KEYS)
		assert_int_equal(got, expected);
	if (got == MODEL_KEYS) {
		for (uint64_t i = 0; i < MODEL_KEYS; i++)
			assert_false(model->keys[i].there && !model->keys[i].pending);
		return;
	}
	assert_true(model->keys[got].there && !model->keys[got].pending);
	order_remove(model, got);
	model->keys[got].there = false;
}

static void model_put(struct volume *volume, struct model *model, uint64_t number, uint32_t blocks)
{
	struct object_meta meta = help_meta(1);
	struct object *object = object_make(NULL, key_of(number), SLICE(""), &meta, SLICE(""), body_new(NULL, (uint64_t)blocks * BLOCK_BYTES, false));
	uint64_t replaced;

	assert_true(index_publish(volume, object, NULL, &replaced));
	assert_int_equal(replaced > 0, model->keys[number].there);
	if (!model->keys[number].there) {
		model->order[model->count++] = number;
		model->keys[number].used = false;
	}
	model->keys[number].there = model->keys[number].pending = true;
	model->keys[number].blocks = blocks;
	object_unref(&entry_of(volume, number)->object);             /* as if it were on disk already, but for the state */
	object_unref(&object);
}

static void model_step(struct volume *volume, struct model *model, uint64_t random)
{
	uint64_t number = random % MODEL_KEYS;
	bool there = model->keys[number].there;

	switch (random >> 32 & 15) {
	case 0: case 1: case 2: case 3: case 4:
		assert_int_equal(use(volume, number), there);
		model->keys[number].used |= there;
		if (there && volume->config.eviction == EVICTION_lru) {
			order_remove(model, number);
			model->order[model->count++] = number;
		}
		break;
	case 5: case 6: case 7: case 8:
		model_put(volume, model, number, (uint32_t)(random >> 40 & 63));
		break;
	case 9: case 10: case 11:
		if (there) {
			entry_of(volume, number)->state = ENTRY_STORED;
			model->keys[number].pending = false;
		}
		break;
	case 12:
		assert_int_equal(index_remove(volume, key_of(number), 0) > 0, there);
		if (there)
			order_remove(model, number);
		model->keys[number].there = false;
		break;
	default:
		model_evict(volume, model, random >> 36 & 1 ? ROOM_records : ROOM_blocks);
	}
}

static void every_policy_keeps_its_books(void **state)
{
	(void)state;
	for (int eviction = 0; eviction < EVICTION_COUNT; eviction++) {
		struct volume *volume = shards_make((enum eviction)eviction, 1);
		struct model *model = must(calloc(1, sizeof(*model)));
		uint64_t seed = 42 + (uint64_t)eviction;

		for (int step = 0; step < MODEL_STEPS; step++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			model_step(volume, model, seed >> 16);
			if (step % 16 == 0)
				shard_check(volume, model);
		}
		assert_true(model->count > 50);
		free(model);
		shards_free(volume);
	}
}

/* ---- admission ---- */

static void the_second_time_is_let_in(void **state)
{
	struct volume *volume = shards_make(EVICTION_lrfu, 1);
	(void)state;

	assert_true(index_admits(volume, key_of(1), 100));
	volume->config.admission = ADMISSION_second_hit;
	volume->config.admission_over = 10;
	assert_true(index_admits(volume, key_of(1), 10));        /* small: at once, and not remembered */
	assert_false(index_admits(volume, key_of(1), 11));
	assert_false(index_admits(volume, key_of(2), STORE_SIZE_UNKNOWN));
	assert_true(index_admits(volume, key_of(1), 11));
	assert_true(index_admits(volume, key_of(1), 11));        /* still known */
	add(volume, 3, 1);
	assert_true(index_admits(volume, key_of(3), 11));        /* it is there: a successor is no first request */
	assert_int_equal(volume->not_admitted, 2);
	shards_free(volume);
}

static void the_memory_of_first_times_is_bounded(void **state)
{
	struct volume *volume = shards_make(EVICTION_lrfu, 1);
	size_t known = 0;
	(void)state;

	volume->config.admission = ADMISSION_second_hit;
	for (uint64_t i = 0; i < 100000; i++)
		assert_false(index_admits(volume, key_of(i), 1));
	assert_in_range(volume->shards[0].seen.slot_count, 1, 2048);
	for (uint64_t i = 99900; i < 100000; i++)
		known += index_admits(volume, key_of(i), 1);
	assert_in_range(known, 95, 100);
	assert_false(index_admits(volume, key_of(5), 1));        /* forgotten long since */
	shards_free(volume);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lru_goes_by_last_use),
		cmocka_unit_test(sieve_spares_once_what_was_used),
		cmocka_unit_test(s3fifo_keeps_scans_out_of_the_main_queue),
		cmocka_unit_test(s3fifo_takes_a_ghost_into_the_main_queue),
		cmocka_unit_test(lrfu_goes_by_uses_and_size),
		cmocka_unit_test(where_records_are_short_size_does_not_count),
		cmocka_unit_test(lrfu_forgets_old_uses_and_remembers_keys),
		cmocka_unit_test(lrfu_scores_may_wrap),
		cmocka_unit_test(tiny_and_pending_shards),
		cmocka_unit_test(after_a_start_the_oldest_goes_first),
		cmocka_unit_test(the_heaviest_shard_gives),
		cmocka_unit_test(ghosts_are_bounded),
		cmocka_unit_test(ghosts_remember_the_youngest),
		cmocka_unit_test(every_policy_keeps_its_books),
		cmocka_unit_test(the_second_time_is_let_in),
		cmocka_unit_test(the_memory_of_first_times_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
