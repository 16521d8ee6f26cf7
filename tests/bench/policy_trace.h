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

static inline uint64_t trace_blocks(const struct request *request)
{
	return blocks_of(request->size) + (request->size == 0);
}

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
			trace->footprint += trace_blocks(request) * BLOCK_BYTES;
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

		/* Bursts of 1 to 199, 100 in the middle: so often that they are `scan` per cent of all. */
		if (burst == 0 && trace_random(&seed) % 10000 < recipe->scan * 100 / (100 - recipe->scan))
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

/* ---- read ones ---- */
struct trace_names { uint64_t *hashes; uint32_t *numbers; size_t room, count; };

static inline void trace_names_grow(struct trace_names *names)
{
	struct trace_names larger = { .room = names->room ? names->room * 2 : 1 << 16, .count = names->count };

	larger.hashes = must(calloc(larger.room, sizeof(*larger.hashes)));
	larger.numbers = must(calloc(larger.room, sizeof(*larger.numbers)));
	for (size_t i = 0; i < names->room; i++) {
		size_t at = names->hashes[i] & (larger.room - 1);

		if (names->hashes[i] == 0)
			continue;
		while (larger.hashes[at] != 0)
			at = (at + 1) & (larger.room - 1);
		larger.hashes[at] = names->hashes[i];
		larger.numbers[at] = names->numbers[i];
	}
	free(names->hashes);
	free(names->numbers);
	*names = larger;
}

/* Keys are told apart by 64 bits of hash. */
static inline uint32_t trace_number(struct trace_names *names, struct slice key)
{
	uint64_t hash = XXH3_64bits(key.ptr, key.len) | 1;
	size_t at;

	if (names->count * 2 >= names->room)
		trace_names_grow(names);
	for (at = hash & (names->room - 1); names->hashes[at] != 0; at = (at + 1) & (names->room - 1))
		if (names->hashes[at] == hash)
			return names->numbers[at];
	names->hashes[at] = hash;
	names->numbers[at] = (uint32_t)names->count++;
	return names->numbers[at];
}

/* Lines `key,size`: any text without a comma, and bytes. False: told on stderr. */
static inline bool trace_read(const char *path, struct trace *trace)
{
	struct trace_names names = { .room = 0 };
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t room = 0, number = 0;
	bool good = in != NULL;

	*trace = (struct trace){ .name = path, .what = path };
	while (good && getline(&line, &room, in) > 0) {
		char *comma = strchr(line, ','), *end = comma;
		unsigned long long size = comma ? strtoull(comma + 1, &end, 10) : 0;

		number++;
		good = comma && end > comma + 1 && (*end == '\n' || *end == '\0') && size <= UINT32_MAX;
		if (good)
			trace_add(trace, trace_number(&names, slice_make(line, (size_t)(comma - line))), (uint32_t)size);
	}
	if (!good && in)
		fprintf(stderr, "%s:%zu: a line is KEY,BYTES, at most 4 GB\n", path, number);
	else if (!good)
		perror(path);
	if (in)
		fclose(in);
	trace_measure(trace);
	free(line);
	free(names.hashes);
	free(names.numbers);
	return good && trace->count > 0;
}

/* ---- PFOO-L (Berger, Beckmann, Harchol-Balter: Practical bounds on optimal caching with variable object sizes, 2018) ----
 * A hit costs the room of the object for the time since its last use. The cheapest hits are taken until room * time is used up,
 * as if it could be shifted in time: no policy, not the best one that knows the future, can have more. Uniform sizes apart, it
 * is the bound that Belady's rule gives; that rule itself is not the best possible where sizes differ. */
struct interval { double cost, room; uint32_t size; };

static inline int interval_compare(const void *a, const void *b)
{
	double x = ((const struct interval *)a)->cost, y = ((const struct interval *)b)->cost;

	return x < y ? -1 : x > y;
}

/* The intervals, cheapest first: for most hits, or for most bytes. */
struct pfoo { struct interval *intervals; size_t count; bool bytes; };

static inline struct pfoo pfoo_make(const struct trace *trace, bool bytes)
{
	struct pfoo pfoo = { .intervals = must(malloc(trace->count * sizeof(*pfoo.intervals))), .bytes = bytes };
	size_t *last = must(malloc((trace->keys + 1) * sizeof(*last)));

	memset(last, 0xff, (trace->keys + 1) * sizeof(*last));
	for (size_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];
		double room = (double)trace_blocks(request) * (double)(i - last[request->key]);

		if (last[request->key] != SIZE_MAX)
			pfoo.intervals[pfoo.count++] = (struct interval){ room / (bytes ? (double)request->size + 1 : 1), room, request->size };
		last[request->key] = i;
	}
	qsort(pfoo.intervals, pfoo.count, sizeof(*pfoo.intervals), interval_compare);
	free(last);
	return pfoo;
}

/* Of a cache of so many blocks. */
static inline uint64_t pfoo_hits(const struct pfoo *pfoo, const struct trace *trace, uint64_t blocks)
{
	double room = (double)blocks * (double)trace->count;
	uint64_t hits = 0;

	for (size_t i = 0; i < pfoo->count && room >= 0; i++) {
		room -= pfoo->intervals[i].room;
		hits += pfoo->bytes ? pfoo->intervals[i].size : 1;
	}
	return hits;
}

#endif
