/* Miniature simulations. */
#include "mrc.h"
#include "recent.h"
#include "rule.h"

enum { NONE = UINT32_MAX, BLOCK = 4096 };

uint64_t mrc_size(int i)
{
	return (i % 2 ? UINT64_C(3) : UINT64_C(2)) << (i / 2 + 20);
}

double mrc_rate(const struct mrc *mrc)
{
	return ((double)mrc->bound + 1) / 0x1p64;
}

static uint64_t room_of(const struct mrc *mrc, int i)
{
	return i == MRC_UNLIMITED ? UINT64_MAX : (uint64_t)((double)mrc_size(i) * mrc_rate(mrc));
}

void mrc_init(struct mrc *mrc)
{
	*mrc = (struct mrc){ .bound = UINT64_MAX };
	for (int i = 0; i <= MRC_SIZES; i++) mrc->sims[i].newest = mrc->sims[i].oldest = NONE;
}

void mrc_release(struct mrc *mrc)
{
	keys_release(&mrc->index);
	for (int i = 0; i <= MRC_SIZES; i++) free(mrc->sims[i].entries);
	free(mrc->objects);
	*mrc = (struct mrc){ 0 };
}

/* ---- one simulation: a queue by last use ---- */

static void sim_unlink(struct mrc_sim *sim, uint32_t at)
{
	struct mrc_entry *e = &sim->entries[at];

	*(e->newer == NONE ? &sim->newest : &sim->entries[e->newer].older) = e->older;
	*(e->older == NONE ? &sim->oldest : &sim->entries[e->older].newer) = e->newer;
}

static void sim_link(struct mrc_sim *sim, uint32_t at)
{
	struct mrc_entry *e = &sim->entries[at];

	e->newer = NONE;
	e->older = sim->newest;
	*(sim->newest == NONE ? &sim->oldest : &sim->entries[sim->newest].newer) = at;
	sim->newest = at;
}

static void sim_drop(struct mrc_sim *sim, const struct mrc_object *objects, uint32_t at)
{
	sim_unlink(sim, at);
	sim->entries[at].until_s = 0;
	sim->used -= objects[at].room;
}

/* now_s, until_s: of this request's answer, were it fetched now. */
static void sim_request(struct mrc_sim *sim, const struct mrc_object *objects, uint32_t at, uint64_t room, uint32_t now_s, uint32_t until_s)
{
	struct mrc_entry *e = &sim->entries[at];

	if (e->until_s) {
		bool fresh = e->until_s > now_s;
		/* What was confirmed once, or served stale, will be again. */
		e->hits += fresh || objects[at].renews;
		if (!fresh) e->until_s = until_s;
		sim_unlink(sim, at);
	} else {
		if (objects[at].room > room) return;
		e->until_s = until_s;
		sim->used += objects[at].room;
	}
	sim_link(sim, at);
	while (sim->used > room) sim_drop(sim, objects, sim->oldest);
}

/* ---- the sample ---- */

static void sim_resize(struct mrc_sim *sim, uint32_t cap)
{
	sim->entries = must(realloc(sim->entries, cap * sizeof(*sim->entries)));
}

static uint32_t object_add(struct mrc *mrc, const struct logline *l, uint64_t hash)
{
	if (mrc->count == mrc->cap) {
		mrc->cap = mrc->cap ? 2 * mrc->cap : 64;
		mrc->objects = must(realloc(mrc->objects, mrc->cap * sizeof(*mrc->objects)));
		for (int i = 0; i < mrc->started; i++) sim_resize(&mrc->sims[i], mrc->cap);
		sim_resize(&mrc->sims[MRC_UNLIMITED], mrc->cap);
	}
	mrc->objects[mrc->count] = (struct mrc_object){ .key = l->key, .variant = l->variant, .hash = hash };
	for (int i = 0; i < mrc->started; i++) mrc->sims[i].entries[mrc->count] = (struct mrc_entry){ 0 };
	mrc->sims[MRC_UNLIMITED].entries[mrc->count] = (struct mrc_entry){ 0 };
	return mrc->count++;
}

/* The entries of the objects that stay, in the order of their use. to: the new number of each object, or NONE. */
static void sim_move(struct mrc_sim *sim, const struct mrc *mrc, const uint32_t *to)
{
	struct mrc_sim moved = { .entries = must(calloc(mrc->cap, sizeof(*moved.entries))), .newest = NONE, .oldest = NONE };

	for (uint32_t i = 0; i < mrc->count; i++)
		if (to[i] != NONE) moved.entries[to[i]] = sim->entries[i];
	for (uint32_t at = sim->oldest; at != NONE; at = sim->entries[at].newer) {
		if (to[at] == NONE) continue;
		sim_link(&moved, to[at]);
		moved.used += mrc->objects[at].room;
	}
	free(sim->entries);
	*sim = moved;
}

/* Halves the bound; what is above it is forgotten with all that was counted of it. */
static void sample_halve(struct mrc *mrc)
{
	uint32_t *to = must(malloc(mrc->count * sizeof(*to))), kept = 0;
	bool is_new;

	mrc->bound /= 2;
	for (uint32_t i = 0; i < mrc->count; i++) to[i] = mrc->objects[i].hash <= mrc->bound ? kept++ : NONE;
	for (int i = 0; i < mrc->started; i++) sim_move(&mrc->sims[i], mrc, to);
	sim_move(&mrc->sims[MRC_UNLIMITED], mrc, to);
	keys_release(&mrc->index);
	for (uint32_t i = 0; i < mrc->count; i++) {
		if (to[i] == NONE) continue;
		mrc->objects[to[i]] = mrc->objects[i];
		keys_get(&mrc->index, mrc->objects[i].key, mrc->objects[i].variant, &is_new)->value[0] = to[i];
	}
	mrc->count = kept;
	free(to);
}

/* Sizes that are too small from now on part from the unlimited simulation, as which they were until now. */
static void sims_start(struct mrc *mrc)
{
	const struct mrc_sim *all = &mrc->sims[MRC_UNLIMITED];

	while (mrc->started < MRC_SIZES && all->used > room_of(mrc, mrc->started)) {
		struct mrc_sim *sim = &mrc->sims[mrc->started++];
		*sim = *all;
		sim->entries = must(malloc(mrc->cap * sizeof(*sim->entries)));
		memcpy(sim->entries, all->entries, mrc->count * sizeof(*sim->entries));
	}
}

/* The object's room as of this request; it may have been replaced by a larger one. */
static void object_resize(struct mrc *mrc, uint32_t at, uint32_t room)
{
	uint32_t before = mrc->objects[at].room;

	for (int i = 0; i <= MRC_SIZES; i++) {
		struct mrc_sim *sim = &mrc->sims[i];
		if (sim->entries && sim->entries[at].until_s) sim->used += (uint64_t)room - before;
	}
	mrc->objects[at].room = room;
}

/* ---- lines ---- */

/* Reasons that are the volume's own: with another one the answer would have been stored. */
static bool is_of_volume(enum nostore nostore)
{
	switch (nostore) {
	case NOSTORE_none:
	case NOSTORE_volume_failed:
	case NOSTORE_ram_full:
	case NOSTORE_queue_full:
	case NOSTORE_second_hit:
	case NOSTORE_disk_full:
	case NOSTORE_disk_error:
	case NOSTORE_index_full:
	case NOSTORE_purged:
	case NOSTORE_replaced:
	case NOSTORE_volume_starting:
	case NOSTORE_upgrade: return true;
	default: return false;
	}
}

static bool is_storable(const struct logline *l)
{
	if (!l->key || l->lifetime < 0) return false;
	switch ((enum verdict)l->cache) {
	case VERDICT_hit:
	case VERDICT_hit_stale:
	case VERDICT_revalidated: return true;
	case VERDICT_collapsed:
	case VERDICT_miss: return is_of_volume((enum nostore)l->nostore);
	default: return false;
	}
}

static uint32_t room_needed(const struct logline *l)
{
	uint64_t bytes = l->object_bytes >= 0 ? (uint64_t)l->object_bytes : l->body_out;

	return bytes > UINT32_MAX - 2 * BLOCK ? UINT32_MAX - BLOCK + 1 : (uint32_t)((bytes + BLOCK - 1) / BLOCK * BLOCK + BLOCK);
}

static uint32_t seconds(uint64_t s)
{
	return s >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)s;
}

void mrc_add(struct mrc *mrc, const struct logline *l)
{
	uint64_t hash = recent_pair(l->key, l->variant), now = l->t_us / 1000000;
	uint32_t at, room = room_needed(l), now_s = seconds(now);
	/* 0 stands for "not in". */
	uint32_t until_s = seconds(now + (l->lifetime > 0 ? (uint64_t)l->lifetime : 0)) + (now_s == 0);
	struct key_entry *entry;
	bool is_new;

	mrc->requests++;
	mrc->bytes += l->body_out;
	mrc->hits += line_from_store(l);
	mrc->hit_bytes += line_from_store(l) ? l->body_out : 0;
	if (!is_storable(l)) return;
	mrc->storable++;
	mrc->storable_bytes += l->body_out;
	if (hash > mrc->bound) return;
	if (mrc->count == MRC_KEYS_MAX && !keys_has(&mrc->index, l->key, l->variant)) {
		sample_halve(mrc);
		if (hash > mrc->bound) return;
	}
	entry = keys_get(&mrc->index, l->key, l->variant, &is_new);
	if (is_new) entry->value[0] = object_add(mrc, l, hash);
	at = (uint32_t)entry->value[0];
	if (mrc->objects[at].room != room && (is_new || l->object_bytes >= 0)) object_resize(mrc, at, room);
	mrc->objects[at].requests++;
	mrc->objects[at].bytes += l->body_out;
	mrc->objects[at].renews |= l->cache == VERDICT_revalidated || l->cache == VERDICT_hit_stale;
	for (int i = 0; i < mrc->started; i++) sim_request(&mrc->sims[i], mrc->objects, at, room_of(mrc, i), now_s, until_s);
	sim_request(&mrc->sims[MRC_UNLIMITED], mrc->objects, at, UINT64_MAX, now_s, until_s);
	sims_start(mrc);
	for (int i = 0; i < mrc->started; i++)
		while (mrc->sims[i].used > room_of(mrc, i)) sim_drop(&mrc->sims[i], mrc->objects, mrc->sims[i].oldest);
}

/* ---- the curve ---- */

/* The share of storable requests that are hits, corrected: the requests that the sample lacks, or has too many of, are those of the
 * hottest objects, which are hits at any size. */
static double corrected(double hits, double sampled, double expected)
{
	double ratio = expected > 0 ? (hits + expected - sampled) / expected : 0;

	return ratio < 0 ? 0 : ratio > 1 ? 1 : ratio;
}

struct mrc_point mrc_point(const struct mrc *mrc, int i)
{
	const struct mrc_sim *sim = &mrc->sims[i < mrc->started ? i : MRC_UNLIMITED];
	double hits = 0, hit_bytes = 0, sampled = 0, sampled_bytes = 0, rate = mrc_rate(mrc);
	struct mrc_point point = { 0, 0 };

	for (uint32_t at = 0; at < mrc->count; at++) {
		const struct mrc_object *o = &mrc->objects[at];
		hits += sim->entries[at].hits;
		hit_bytes += (double)sim->entries[at].hits * ((double)o->bytes / (double)o->requests);
		sampled += (double)o->requests;
		sampled_bytes += (double)o->bytes;
	}
	if (mrc->requests)
		point.requests = corrected(hits, sampled, (double)mrc->storable * rate) * (double)mrc->storable / (double)mrc->requests;
	if (mrc->bytes)
		point.bytes = corrected(hit_bytes, sampled_bytes, (double)mrc->storable_bytes * rate) * (double)mrc->storable_bytes / (double)mrc->bytes;
	return point;
}

uint64_t mrc_objects(const struct mrc *mrc)
{
	return (uint64_t)((double)mrc->count / mrc_rate(mrc) + 0.5);
}

uint64_t mrc_footprint(const struct mrc *mrc)
{
	return (uint64_t)((double)mrc->sims[MRC_UNLIMITED].used / mrc_rate(mrc));
}

bool mrc_is_sure(const struct mrc *mrc, int i)
{
	if (mrc->bound == UINT64_MAX || !mrc->count) return true;
	return (double)mrc_size(i) * mrc_rate(mrc) >= (double)MRC_OBJECTS_MIN * (double)mrc->sims[MRC_UNLIMITED].used / (double)mrc->count;
}

int mrc_knee(const struct mrc *mrc)
{
	struct mrc_point best = mrc_point(mrc, MRC_UNLIMITED);
	int i = MRC_SIZES;

	/* From the top: a curve of a sample may have a dent. */
	while (i > 0) {
		struct mrc_point point = mrc_point(mrc, i - 1);
		if (!mrc_is_sure(mrc, i - 1) || point.requests < best.requests - MRC_KNEE || point.bytes < best.bytes - MRC_KNEE) break;
		i--;
	}
	return i;
}
