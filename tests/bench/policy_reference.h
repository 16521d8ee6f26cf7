/* Other people's policies, for comparison, as plainly as they can be written: GDSF (Cherkasova 1998; exact, by a heap) and
 * W-TinyLFU (Einziger, Friedman, Manes, ACM ToS 2017; window of 1 %, segmented LRU, a sketch of 4 rows that is halved, with
 * sizes as in Einziger, Eytan, Friedman, Manes 2022: who comes must be used more than all who would have to go). One queue for
 * the whole cache: no shards, which is to their advantage. */
#ifndef POLICY_REFERENCE_H
#define POLICY_REFERENCE_H

#include "policy_trace.h"

struct outcome { uint64_t hits, bytes, written; };

/* ---- GDSF ---- */
struct gdsf_node { double worth; uint32_t key, stamp; };
struct gdsf { struct gdsf_node *heap; size_t count, room; struct { uint32_t stamp, uses, weight; } *keys; };

static inline void gdsf_swap(struct gdsf *gdsf, size_t a, size_t b)
{
	struct gdsf_node node = gdsf->heap[a];

	gdsf->heap[a] = gdsf->heap[b];
	gdsf->heap[b] = node;
}

/* Old nodes of a key stay until they come up: their stamp is not the key's. */
static inline void gdsf_push(struct gdsf *gdsf, uint32_t key, double level)
{
	size_t at = gdsf->count++;

	if (at == gdsf->room) {
		gdsf->room = gdsf->room ? gdsf->room * 2 : 1024;
		gdsf->heap = must(realloc(gdsf->heap, gdsf->room * sizeof(*gdsf->heap)));
	}
	gdsf->heap[at] = (struct gdsf_node){ level + (double)gdsf->keys[key].uses / gdsf->keys[key].weight, key, ++gdsf->keys[key].stamp };
	for (; at > 0 && gdsf->heap[at].worth < gdsf->heap[(at - 1) / 2].worth; at = (at - 1) / 2)
		gdsf_swap(gdsf, at, (at - 1) / 2);
}

static inline struct gdsf_node gdsf_pop(struct gdsf *gdsf)
{
	struct gdsf_node top = gdsf->heap[0];

	gdsf->heap[0] = gdsf->heap[--gdsf->count];
	for (size_t at = 0, least = 0;; at = least) {
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < gdsf->count; child++)
			if (gdsf->heap[child].worth < gdsf->heap[least].worth)
				least = child;
		if (least == at)
			return top;
		gdsf_swap(gdsf, at, least);
	}
}

static inline struct outcome gdsf_replay(const struct trace *trace, uint64_t blocks)
{
	struct gdsf gdsf = { .keys = must(calloc(trace->keys, sizeof(*gdsf.keys))) };
	struct outcome out = { .hits = 0 };
	uint64_t used = 0;
	double level = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];
		uint64_t weight = trace_blocks(request);

		if (gdsf.keys[request->key].uses > 0) {
			out.hits++;
			out.bytes += request->size;
		} else if (weight > blocks / 4 * 3)
			continue;
		else {
			used += weight;
			out.written += request->size;
			gdsf.keys[request->key].weight = (uint32_t)weight;
		}
		gdsf.keys[request->key].uses++;
		gdsf_push(&gdsf, request->key, level);
		while (used > blocks) {
			struct gdsf_node node = gdsf_pop(&gdsf);

			if (gdsf.keys[node.key].stamp != node.stamp || gdsf.keys[node.key].uses == 0)
				continue;
			level = node.worth;
			used -= gdsf.keys[node.key].weight;
			gdsf.keys[node.key].uses = 0;
		}
	}
	free(gdsf.heap);
	free(gdsf.keys);
	return out;
}

/* ---- W-TinyLFU ---- */
enum { TINY_NONE = UINT32_MAX, TINY_WINDOW = 0, TINY_PROBATION, TINY_PROTECTED, TINY_OUT };
struct tiny_key { uint32_t newer, older, weight; uint8_t where; };
struct tiny {
	struct tiny_key *keys;
	uint32_t newest[3], oldest[3];
	uint64_t weight[3];
	uint8_t *counts;                        /* 4 rows */
	uint32_t width;
	uint64_t added, period;
};

static inline void tiny_unlink(struct tiny *tiny, uint32_t key)
{
	struct tiny_key *k = &tiny->keys[key];

	*(k->newer == TINY_NONE ? &tiny->newest[k->where] : &tiny->keys[k->newer].older) = k->older;
	*(k->older == TINY_NONE ? &tiny->oldest[k->where] : &tiny->keys[k->older].newer) = k->newer;
	tiny->weight[k->where] -= k->weight;
	k->where = TINY_OUT;
}

static inline void tiny_link(struct tiny *tiny, uint32_t key, unsigned where)
{
	struct tiny_key *k = &tiny->keys[key];

	*k = (struct tiny_key){ .newer = TINY_NONE, .older = tiny->newest[where], .weight = k->weight, .where = (uint8_t)where };
	*(k->older == TINY_NONE ? &tiny->oldest[where] : &tiny->keys[k->older].newer) = key;
	tiny->newest[where] = key;
	tiny->weight[where] += k->weight;
}

static inline uint8_t *tiny_count(const struct tiny *tiny, uint32_t key, uint64_t row)
{
	uint64_t seed = key + (row << 32);

	return &tiny->counts[row * tiny->width + trace_random(&seed) % tiny->width];
}

static inline unsigned tiny_uses(const struct tiny *tiny, uint32_t key)
{
	unsigned least = 15;

	for (uint64_t row = 0; row < 4; row++)
		if (*tiny_count(tiny, key, row) < least)
			least = *tiny_count(tiny, key, row);
	return least;
}

static inline void tiny_use(struct tiny *tiny, uint32_t key)
{
	unsigned least = tiny_uses(tiny, key);

	for (uint64_t row = 0; row < 4; row++)
		if (*tiny_count(tiny, key, row) == least && least < 15)
			++*tiny_count(tiny, key, row);
	if (++tiny->added < tiny->period)
		return;
	tiny->added /= 2;
	for (size_t i = 0; i < (size_t)tiny->width * 4; i++)
		tiny->counts[i] /= 2;
}

/* Of those who would have to go for it, from the oldest on, the uses; it goes itself when they are as many as its own. */
static inline void tiny_admit(struct tiny *tiny, uint32_t key, uint64_t room)
{
	uint64_t needed = tiny->weight[TINY_PROBATION] + tiny->weight[TINY_PROTECTED] + tiny->keys[key].weight, freed = 0;
	unsigned uses = 0, own = tiny_uses(tiny, key);

	for (unsigned where = TINY_PROBATION; where <= TINY_PROTECTED; where++)
		for (uint32_t at = tiny->oldest[where]; at != TINY_NONE && needed - freed > room && uses < own; at = tiny->keys[at].newer) {
			uses += tiny_uses(tiny, at);
			freed += tiny->keys[at].weight;
		}
	if (needed - freed > room || uses >= own) {
		if (needed > room)
			return;
	}
	while (tiny->weight[TINY_PROBATION] + tiny->weight[TINY_PROTECTED] + tiny->keys[key].weight > room)
		tiny_unlink(tiny, tiny->oldest[tiny->oldest[TINY_PROBATION] != TINY_NONE ? TINY_PROBATION : TINY_PROTECTED]);
	tiny_link(tiny, key, TINY_PROBATION);
}

static inline void tiny_hit(struct tiny *tiny, uint32_t key, uint64_t room)
{
	unsigned where = tiny->keys[key].where == TINY_WINDOW ? TINY_WINDOW : TINY_PROTECTED;

	tiny_unlink(tiny, key);
	tiny_link(tiny, key, where);
	while (tiny->weight[TINY_PROTECTED] > room / 5 * 4) {
		uint32_t down = tiny->oldest[TINY_PROTECTED];

		tiny_unlink(tiny, down);
		tiny_link(tiny, down, TINY_PROBATION);
	}
}

static inline struct outcome tiny_replay(const struct trace *trace, uint64_t blocks)
{
	uint64_t window = blocks / 100 + 1, room = blocks - window, objects = blocks / 18 + 64;     /* of 72 KB */
	struct tiny tiny = { .keys = must(calloc(trace->keys, sizeof(*tiny.keys))), .width = (uint32_t)objects * 16, .period = objects * 10,
		.newest = { TINY_NONE, TINY_NONE, TINY_NONE }, .oldest = { TINY_NONE, TINY_NONE, TINY_NONE } };
	struct outcome out = { .hits = 0 };

	tiny.counts = must(calloc(4, tiny.width));
	for (uint32_t i = 0; i < trace->keys; i++)
		tiny.keys[i].where = TINY_OUT;
	for (size_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];
		uint64_t weight = trace_blocks(request);

		tiny_use(&tiny, request->key);
		if (tiny.keys[request->key].where != TINY_OUT) {
			tiny_hit(&tiny, request->key, room);
			out.hits++;
			out.bytes += request->size;
			continue;
		}
		if (weight > room / 4 * 3)
			continue;
		tiny.keys[request->key].weight = (uint32_t)weight;
		out.written += request->size;
		tiny_link(&tiny, request->key, TINY_WINDOW);
		while (tiny.weight[TINY_WINDOW] > window) {
			uint32_t leaves = tiny.oldest[TINY_WINDOW];

			tiny_unlink(&tiny, leaves);
			tiny_admit(&tiny, leaves, room);
		}
	}
	free(tiny.keys);
	free(tiny.counts);
	return out;
}

#endif
