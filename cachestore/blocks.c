/* Who owns which block of the data file: a bitmap, next-fit allocation in extents, and the limbo of freed blocks.
 *
 * A block freed by commit n may be written again once commit n + 1 is done: only then is the delete on disk (NOMETASYNC
 * leaves the newest meta page to the next sync). And only when no body in memory names it: those are in the pin table.
 * A record that refreshes an older one names the same blocks: those come free with the last record that names them.
 * All but the pins belongs to the writer's thread. */
#include "internal.h"

enum { WORD_BITS = 64, PIN_SLOTS_MIN = 1024, PIN_SLOTS_MAX = 1 << 20 };

void blocks_init(struct blocks *blocks, uint32_t total)
{
	uint32_t slots = PIN_SLOTS_MIN;

	while (slots < PIN_SLOTS_MAX && slots < total / 8)
		slots *= 2;
	*blocks = (struct blocks){ .total = total, .pin_mask = slots - 1 };
	blocks->bits = must(calloc(total / WORD_BITS + 1, sizeof(*blocks->bits)));
	blocks->pins = must(calloc(slots, sizeof(struct body *)));
	pthread_mutex_init(&blocks->pin_lock, NULL);
}

void blocks_release(struct blocks *blocks)
{
	for (size_t i = 0; i < blocks->limbo_count; i++)
		free(blocks->limbo[i].extents);
	free(blocks->limbo);
	free(blocks->shared);
	free(blocks->bits);
	free(blocks->pins);
	if (blocks->pins)
		pthread_mutex_destroy(&blocks->pin_lock);
	*blocks = (struct blocks){ 0 };
}

void blocks_clear(struct blocks *blocks)
{
	memset(blocks->bits, 0, (blocks->total / WORD_BITS + 1) * sizeof(*blocks->bits));
	blocks->used = 0;
}

uint32_t blocks_free_now(const struct blocks *blocks)
{
	return blocks->total - atomic_load_explicit(&blocks->used, memory_order_relaxed);
}

static bool bit_get(const struct blocks *blocks, uint32_t at)
{
	return blocks->bits[at / WORD_BITS] >> (at % WORD_BITS) & 1;
}

/* Sets or clears count bits, a word at a time. */
static void bits_set(struct blocks *blocks, struct extent extent, bool value)
{
	uint32_t at = extent.start, end = extent.start + extent.count;

	while (at < end) {
		uint32_t bit = at % WORD_BITS, n = WORD_BITS - bit;
		uint64_t mask;

		if (n > end - at)
			n = end - at;
		mask = (n == WORD_BITS ? UINT64_MAX : ((uint64_t)1 << n) - 1) << bit;
		if (value)
			blocks->bits[at / WORD_BITS] |= mask;
		else
			blocks->bits[at / WORD_BITS] &= ~mask;
		at += n;
	}
	if (value)
		atomic_fetch_add_explicit(&blocks->used, extent.count, memory_order_relaxed);
	else
		atomic_fetch_sub_explicit(&blocks->used, extent.count, memory_order_relaxed);
}

/* The first block from `from` on, below `end`, whose bit is `value`; `end` when there is none. */
static uint32_t bits_find(const struct blocks *blocks, uint32_t from, uint32_t end, bool value)
{
	while (from < end) {
		uint64_t word = blocks->bits[from / WORD_BITS];

		word = (value ? word : ~word) >> (from % WORD_BITS);
		if (word) {
			from += (uint32_t)__builtin_ctzll(word);
			return from < end ? from : end;
		}
		from += WORD_BITS - from % WORD_BITS;
	}
	return end;
}

bool blocks_claim(struct blocks *blocks, const struct extent *extents, uint32_t count)
{
	uint32_t done = 0;

	for (; done < count; done++) {
		struct extent extent = extents[done];

		if (extent.start >= blocks->total || extent.count > blocks->total - extent.start
			|| bits_find(blocks, extent.start, extent.start + extent.count, true) != extent.start + extent.count)
			break;
		bits_set(blocks, extent, true);
	}
	if (done == count)
		return true;
	blocks_unalloc(blocks, extents, done);
	return false;
}

/* Takes runs of at least min_run from [from, end), as many as are needed. Returns what is still needed. */
static uint32_t runs_take(struct blocks *blocks, uint32_t from, uint32_t end, uint32_t min_run, uint32_t need,
	struct extent *extents, uint32_t *count)
{
	while (need > 0 && *count < EXTENTS_MAX) {
		uint32_t start = bits_find(blocks, from, end, false), stop, want = need < min_run ? need : min_run;

		if (start == end)
			break;
		stop = bits_find(blocks, start, need < end - start ? start + need : end, true);
		from = stop;
		if (stop - start < want)
			continue;
		extents[*count] = (struct extent){ start, stop - start };
		bits_set(blocks, extents[*count], true);
		need -= stop - start;
		(*count)++;
		blocks->cursor = stop == blocks->total ? 0 : stop;
	}
	return need;
}

bool blocks_alloc(struct blocks *blocks, uint32_t need, struct extent **ret_extents, uint32_t *ret_count)
{
	struct extent taken[EXTENTS_MAX];
	uint32_t min_runs[] = { need / 256, RUN_BLOCKS_MIN, 1 }, count = 0;

	if (need > blocks_free_now(blocks) || blocks->frozen)
		return false;
	for (size_t i = 0; i < COUNT_OF(min_runs) && need > 0; i++) {
		uint32_t cursor = blocks->cursor;

		if ((i == 0 && min_runs[0] <= RUN_BLOCKS_MIN) || (min_runs[i] > 1 && blocks->runs_exhausted))
			continue;
		need = runs_take(blocks, cursor, blocks->total, min_runs[i], need, taken, &count);
		need = runs_take(blocks, 0, cursor, min_runs[i], need, taken, &count);
		if (need > 0 && min_runs[i] == RUN_BLOCKS_MIN)
			blocks->runs_exhausted = true;
	}
	if (need > 0) {
		blocks_unalloc(blocks, taken, count);
		return false;
	}
	*ret_extents = must(malloc(count * sizeof(**ret_extents) + 1));
	memcpy(*ret_extents, taken, count * sizeof(**ret_extents));
	*ret_count = count;
	return true;
}

void blocks_unalloc(struct blocks *blocks, const struct extent *extents, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		CHECK(bit_get(blocks, extents[i].start));
		bits_set(blocks, extents[i], false);
	}
	blocks->runs_exhausted = false;
}

/* One record less names the blocks. False: it was the only one. */
static bool share_end(struct blocks *blocks, uint32_t start)
{
	for (size_t i = 0; i < blocks->shared_count; i++) {
		if (blocks->shared[i] != start)
			continue;
		blocks->shared[i] = blocks->shared[--blocks->shared_count];
		return true;
	}
	return false;
}

void blocks_free_later(struct blocks *blocks, struct extent *extents, uint32_t count, uint64_t commit)
{
	struct limbo *limbo;

	if (share_end(blocks, extents[0].start)) {
		free(extents);
		return;
	}
	if (blocks->limbo_count == blocks->limbo_room) {
		blocks->limbo_room = blocks->limbo_room ? blocks->limbo_room * 2 : 64;
		blocks->limbo = must(realloc(blocks->limbo, blocks->limbo_room * sizeof(*blocks->limbo)));
	}
	limbo = &blocks->limbo[blocks->limbo_count++];
	*limbo = (struct limbo){ .extents = extents, .count = count, .commit = commit };
	for (uint32_t i = 0; i < count; i++)
		limbo->blocks += extents[i].count;
	atomic_fetch_add_explicit(&blocks->limbo_blocks, limbo->blocks, memory_order_relaxed);
}

void blocks_share(struct blocks *blocks, uint32_t start)
{
	for (size_t i = blocks->limbo_count; i-- > 0;) {          /* what was freed just now is the last */
		struct limbo *limbo = &blocks->limbo[i];

		if (limbo->extents[0].start != start)
			continue;
		atomic_fetch_sub_explicit(&blocks->limbo_blocks, limbo->blocks, memory_order_relaxed);
		free(limbo->extents);
		memmove(limbo, limbo + 1, (blocks->limbo_count - i - 1) * sizeof(*limbo));
		blocks->limbo_count--;
		return;
	}
	if (blocks->shared_count == blocks->shared_room) {
		blocks->shared_room = blocks->shared_room ? blocks->shared_room * 2 : 64;
		blocks->shared = must(realloc(blocks->shared, blocks->shared_room * sizeof(*blocks->shared)));
	}
	blocks->shared[blocks->shared_count++] = start;
}

static bool is_pinned(struct blocks *blocks, uint32_t block)
{
	const struct body *body;

	pthread_mutex_lock(&blocks->pin_lock);
	body = blocks->pins[block & blocks->pin_mask];
	while (body && body->extents[0].start != block)
		body = body->pin_next;
	pthread_mutex_unlock(&blocks->pin_lock);
	return body != NULL;
}

void blocks_mature(struct blocks *blocks, uint64_t commits)
{
	bool foreign = atomic_load(&blocks->foreign);
	size_t kept = 0;

	blocks->limbo_pinned = 0;
	for (size_t i = 0; i < blocks->limbo_count; i++) {
		struct limbo limbo = blocks->limbo[i];
		bool pinned = limbo.commit < commits && (foreign || is_pinned(blocks, limbo.extents[0].start));

		if (limbo.commit >= commits || pinned) {
			blocks->limbo_pinned += pinned ? limbo.blocks : 0;
			blocks->limbo[kept++] = limbo;
			continue;
		}
		blocks_unalloc(blocks, limbo.extents, limbo.count);
		atomic_fetch_sub_explicit(&blocks->limbo_blocks, limbo.blocks, memory_order_relaxed);
		free(limbo.extents);
	}
	blocks->limbo_count = kept;
}

void blocks_pin(struct blocks *blocks, struct body *body)
{
	struct body **slot = &blocks->pins[body->extents[0].start & blocks->pin_mask];

	pthread_mutex_lock(&blocks->pin_lock);
	body->pin_next = *slot;
	*slot = body;
	pthread_mutex_unlock(&blocks->pin_lock);
}

void blocks_unpin(struct blocks *blocks, struct body *body)
{
	struct body **at = &blocks->pins[body->extents[0].start & blocks->pin_mask];

	pthread_mutex_lock(&blocks->pin_lock);
	while (*at != body)
		at = &(*at)->pin_next;
	*at = body->pin_next;
	pthread_mutex_unlock(&blocks->pin_lock);
}
