/* Traces for policy_sim.c: made from seeds, or read from a file; and the bound that no policy can pass. */
#ifndef POLICY_TRACE_H
#define POLICY_TRACE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../cachestore/internal.h"

struct request { uint32_t key; uint32_t size; };       /* number of the key, bytes of its body */
struct trace {
	const char *name, *what;
	struct request *requests;
	size_t count, room;
	uint32_t keys;                          /* numbers are below it */
	uint64_t bytes, footprint;              /* of all requests; of each key once, in blocks' bytes */
};

static inline uint64_t trace_random(uint64_t *seed)         /* splitmix64 */
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline double trace_unit(uint64_t *seed)             /* (0, 1) */
{
	return ((double)(trace_random(seed) >> 12) + 0.5) / (double)((uint64_t)1 << 52);
}

/* Log-normal, median 10 KB, mean 72 KB; the same for a key each time. At most 64 MB, object_max of a site. */
static inline uint32_t trace_size(uint32_t key)
{
	uint64_t seed = key * (uint64_t)0xd1342543de82ef95u + 99;
	double u = trace_unit(&seed), v = trace_unit(&seed);
	double size = exp(log(10240.0) + sqrt(2 * log(7.2)) * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));

	return size < 1 ? 1 : size > 67108864.0 ? 67108864 : (uint32_t)size;
}

static inline void trace_add(struct trace *trace, uint32_t key, uint32_t size)
{
	if (trace->count == trace->room) {
		trace->room = trace->room ? trace->room * 2 : 1 << 16;
		trace->requests = must(realloc(trace->requests, trace->room * sizeof(*trace->requests)));
	}
	trace->requests[trace->count++] = (struct request){ key, size };
	if (key >= trace->keys)
		trace->keys = key + 1;
}

static inline void trace_measure(struct trace *trace)
{
	bool *seen = must(calloc(trace->keys + 1, 1));

	trace->bytes = trace->footprint = 0;
	for (size_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];

		trace->bytes += request->size;
		if (!seen[request->key])
			trace->footprint += (blocks_of(request->size) + (request->size == 0)) * BLOCK_BYTES;
		seen[request->key] = true;
	}
	free(seen);
}

/* ---- made ones ---- */
enum { TRACE_OBJECTS = 100000, TRACE_REQUESTS = 1000000, TRACE_LOOP = 20000 };
struct recipe {
	const char *name, *what;
	double zipf;
	unsigned scan, loop;                    /* per cent of the requests: keys that come once; keys that come round */
	unsigned drift;                         /* requests between two changes of popularity; 0: none */
};
static const struct recipe recipes[] = {
	{ "zipf-0.8",  "Zipf 0.8, 100,000 objects",                          0.8, 0, 0, 0 },
	{ "zipf-0.9",  "Zipf 0.9, 100,000 objects",                          0.9, 0, 0, 0 },
	{ "scan-20",   "Zipf 0.9 and 20 % one-hit wonders, in bursts",       0.9, 20, 0, 0 },
	{ "scan-30",   "Zipf 0.8 and 30 % one-hit wonders, in bursts",       0.8, 30, 0, 0 },
	{ "loop",      "Zipf 0.9 and 20 % a loop over 20,000 objects",       0.9, 0, 20, 0 },
	{ "drift",     "Zipf 0.9, popularity drifts",                        0.9, 0, 0, 200 },
	{ "mix",       "Zipf 0.8 that drifts, 20 % one-hit, 10 % loop",      0.8, 20, 10, 400 },
};
enum { RECIPE_COUNT = sizeof(recipes) / sizeof(recipes[0]) };

static inline uint32_t zipf_draw(const double *sums, uint64_t *seed)
{
	double u = trace_unit(seed) * sums[TRACE_OBJECTS - 1];
	uint32_t low = 0, high = TRACE_OBJECTS - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (sums[middle] < u)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static inline void trace_make(const struct recipe *recipe, struct trace *trace)
{
	double *sums = must(malloc(TRACE_OBJECTS * sizeof(*sums))), sum = 0;
	uint32_t *rank = must(malloc(TRACE_OBJECTS * sizeof(*rank))), fresh = TRACE_OBJECTS + TRACE_LOOP, loop = 0, burst = 0;
	uint64_t seed = 7;

	*trace = (struct trace){ .name = recipe->name, .what = recipe->what };
	for (uint32_t i = 0; i < TRACE_OBJECTS; i++) {
		sums[i] = sum += pow(i + 1, -recipe->zipf);
		rank[i] = i;
	}
	while (trace->count < TRACE_REQUESTS) {
		uint32_t percent = (uint32_t)(trace_random(&seed) % 100), key;

		/* A burst of 1 to 199 for every 100 times that one begins. */
		if (burst == 0 && trace_random(&seed) % 10000 < recipe->scan * 100 / (100 - recipe->scan + recipe->scan / 100))
			burst = 1 + (uint32_t)(trace_random(&seed) % 199);
		if (recipe->drift && trace->count % recipe->drift == 0)      /* as often among the first ten as among all the next ninety */
			rank[(uint32_t)exp(trace_unit(&seed) * log(TRACE_OBJECTS))] = fresh++;
		if (burst > 0) {
			burst--;
			key = fresh++;
		} else if (percent < recipe->loop)
			key = TRACE_OBJECTS + loop++ % TRACE_LOOP;
		else
			key = rank[zipf_draw(sums, &seed)];
		trace_add(trace, key, trace_size(key));
	}
	trace_measure(trace);
	free(sums);
	free(rank);
}

/* Lines `key,size`; the key is any text without a comma. False: told on stderr. */
bool trace_read(const char *path, struct trace *trace);

/* ---- PFOO-L (Berger, Beckmann, Harchol-Balter: Practical bounds on optimal caching with variable object sizes, 2018) ----
 * A hit costs the room of the object for the time since its last use. The cheapest hits are taken until room * time is used up,
 * as if it could be shifted in time: no policy, not the best one that knows the future, can have more. */
struct interval { double cost; uint64_t room; uint32_t size; };
uint64_t pfoo_hits(const struct trace *trace, uint64_t blocks, bool bytes);

#endif
