#include "policy_trace.h"
#include <time.h>

static int interval_compare(const void *a, const void *b)
{
	double x = ((const struct interval *)a)->cost, y = ((const struct interval *)b)->cost;

	return x < y ? -1 : x > y;
}

uint64_t pfoo_hits(const struct trace *trace, uint64_t blocks, bool bytes)
{
	struct interval *intervals = must(malloc(trace->count * sizeof(*intervals)));
	size_t *last = must(malloc((trace->keys + 1) * sizeof(*last))), count = 0;
	double room = (double)blocks * (double)trace->count;
	uint64_t hits = 0;

	memset(last, 0xff, (trace->keys + 1) * sizeof(*last));
	for (size_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];
		uint64_t weight = blocks_of(request->size) + (request->size == 0);

		if (last[request->key] != SIZE_MAX) {
			uint64_t cost = weight * (i - last[request->key]);

			intervals[count++] = (struct interval){ (double)cost / (bytes ? (double)request->size + 1 : 1), cost, request->size };
		}
		last[request->key] = i;
	}
	qsort(intervals, count, sizeof(*intervals), interval_compare);
	for (size_t i = 0; i < count && room >= 0; i++) {
		room -= (double)intervals[i].room;
		hits += bytes ? intervals[i].size : 1;
	}
	free(intervals);
	free(last);
	return hits;
}

struct outcome { uint64_t hits, bytes, written, evicted; };

static struct outcome replay(const struct trace *trace, const struct policy *policy, uint64_t blocks)
{
	struct volume *volume = must(aligned_alloc(64, (sizeof(*volume) + 63) / 64 * 64));
	struct outcome out = { 0 };
	uint64_t used = 0;
	memset(volume, 0, sizeof(*volume));
	volume->policy = policy;
	volume->shard_count = SHARDS_MIN;
	while (volume->shard_count < SHARDS_MAX && volume->shard_count < blocks * BLOCK_BYTES / SHARD_BYTES)
		volume->shard_count *= 2;
	index_init(volume);
	for (size_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];
		struct store_key key;
		uint64_t weight = blocks_of(request->size) + (request->size == 0);
		struct object *object;
		struct doomed victim;
		XXH128_hash_t h = XXH3_128bits(&request->key, 4);
		key = (struct store_key){ h.high64, h.low64 };

		if (index_look(volume, key, SLICE(""), &object) == STORE_LOAD) {
			out.hits++;
			out.bytes += request->size;
			continue;
		}
		if (weight > blocks / 4 * 3)
			continue;
		while (used + weight > blocks && evict_one(volume, ROOM_blocks, &victim)) {
			used -= victim.blocks ? victim.blocks : 1;
			out.evicted++;
		}
		index_insert(volume, key, i + 1, (uint32_t)weight, true);
		used += weight;
		out.written += request->size;
	}
	index_free(volume);
	free(volume);
	return out;
}

int main(int argc, char **argv)
{
	static const double parts[] = { 0.1, 1, 10 };
	for (unsigned r = 0; r < RECIPE_COUNT; r++) {
		struct trace trace;
		if (argc > 1 && strcmp(argv[1], recipes[r].name) && strcmp(argv[1], "all")) continue;
		trace_make(&recipes[r], &trace);
		printf("%s: %zu requests, %.1f GB, footprint %.1f GB\n", trace.what, trace.count, (double)trace.bytes / 1e9, (double)trace.footprint / 1e9);
		for (unsigned p = 0; p < 3; p++) {
			uint64_t blocks = (uint64_t)((double)trace.footprint * parts[p] / 100 / BLOCK_BYTES);
			printf("  %5.1f%% best %5.2f/%5.2f ", parts[p], 100.0 * (double)pfoo_hits(&trace, blocks, false) / (double)trace.count, 100.0 * (double)pfoo_hits(&trace, blocks, true) / (double)trace.bytes);
			for (unsigned i = 0; i < EVICTION_COUNT; i++) {
				if (argc > 2 && strcmp(argv[2], policy_find((enum eviction)i)->name)) continue;
				clock_t t = clock();
				struct outcome o = replay(&trace, policy_find((enum eviction)i), blocks);
				printf("| %s %5.2f/%5.2f ", policy_find((enum eviction)i)->name, 100.0 * (double)o.hits / (double)trace.count, 100.0 * (double)o.bytes / (double)trace.bytes);
				if (getenv("T")) printf("%.2fs ", (double)(clock() - t) / CLOCKS_PER_SEC);
			}
			printf("\n");
		}
		free(trace.requests);
	}
	return 0;
}
