/* Request and byte hit ratios of the eviction policies: traces are replayed through the store's own index and policies, with
 * the shards that a volume of the size would have, but without a disk: what is put is stored at once.
 *
 * Usage: policy_sim [TRACE.csv ...]     without a file: traces made from seeds. A line of a file is KEY,BYTES; from a log:
 *   awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
 *            $1 == "req" && $at["key"] && $at["object_bytes"] >= 0 && $at["object_bytes"] != "" { print $at["key"] $at["variant"] "," $at["object_bytes"] }' access.csv >trace.csv
 * Columns: the bound (PFOO-L), each policy, two of other people, and the default one with admission by second hit. */
#include "policy_reference.h"

static struct volume *volume_without_disk(enum eviction eviction, enum admission admission, uint64_t blocks)
{
	struct volume *volume = must(aligned_alloc(64, (sizeof(*volume) + 63) / 64 * 64));

	memset(volume, 0, sizeof(*volume));
	volume->policy = policy_find(eviction);
	volume->config.admission = admission;
	volume->shard_count = SHARDS_MIN;
	while (volume->shard_count < SHARDS_MAX && volume->shard_count < blocks * BLOCK_BYTES / SHARD_BYTES)
		volume->shard_count *= 2;
	index_init(volume);
	return volume;
}

static struct outcome replay(const struct trace *trace, enum eviction eviction, enum admission admission, uint64_t blocks)
{
	struct volume *volume = volume_without_disk(eviction, admission, blocks);
	struct outcome out = { .hits = 0 };
	uint64_t used = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct request *request = &trace->requests[i];
		struct store_key key = store_key_make(slice_make((const char *)&request->key, sizeof(request->key)));
		uint64_t weight = trace_blocks(request);
		struct object *object;
		struct doomed victim;

		if (index_look(volume, key, SLICE(""), &object) == STORE_LOAD) {
			out.hits++;
			out.bytes += request->size;
			continue;
		}
		if (weight > blocks / 4 * 3 || !index_admits(volume, key, request->size))
			continue;
		while (used + weight > blocks && evict_one(volume, ROOM_blocks, &victim))
			used -= blocks_weight(victim.blocks);
		index_insert(volume, key, i + 1, (uint32_t)blocks_of(request->size), 0, true);
		used += weight;
		out.written += request->size;
	}
	index_free(volume);
	free(volume);
	return out;
}

static double part(uint64_t of, uint64_t all)
{
	return all ? 100 * (double)of / (double)all : 0;
}

static void outcome_print(const struct trace *trace, const struct outcome *out)
{
	printf("  %5.2f/%5.2f", part(out->hits, trace->count), part(out->bytes, trace->bytes));
}

static void sizes_replay(const struct trace *trace)
{
	static const double sizes[] = { 0.1, 1, 10 };
	struct pfoo most_hits = pfoo_make(trace, false), most_bytes = pfoo_make(trace, true);

	printf("%s: %.1f million requests, %.1f GB, footprint %.1f GB\n", trace->what, (double)trace->count / 1e6, (double)trace->bytes / 1e9,
		(double)trace->footprint / 1e9);
	for (size_t i = 0; i < 3; i++) {
		uint64_t blocks = (uint64_t)((double)trace->footprint * sizes[i] / 100 / BLOCK_BYTES);
		struct outcome out = { .hits = pfoo_hits(&most_hits, trace, blocks), .bytes = pfoo_hits(&most_bytes, trace, blocks) }, all = { .hits = 0 };

		printf("%5.1f %%", sizes[i]);
		outcome_print(trace, &out);
		for (int eviction = 0; eviction < EVICTION_COUNT; eviction++) {
			out = replay(trace, (enum eviction)eviction, ADMISSION_all, blocks);
			outcome_print(trace, &out);
			if (eviction == 0)
				all = out;
		}
		out = gdsf_replay(trace, blocks);
		outcome_print(trace, &out);
		out = tiny_replay(trace, blocks);
		outcome_print(trace, &out);
		out = replay(trace, (enum eviction)0, ADMISSION_second_hit, blocks);
		outcome_print(trace, &out);
		printf("  %5.1f  %5.1f\n", (double)all.written / 1e9, (double)out.written / 1e9);
		fflush(stdout);
	}
	free(most_hits.intervals);
	free(most_bytes.intervals);
}

int main(int argc, char **argv)
{
	struct trace trace;
	bool good = true;

	printf("request/byte hit ratio in per cent; the last two columns: GB written by the first policy, without and with second_hit\n       %13s", "bound");
	for (int eviction = 0; eviction < EVICTION_COUNT; eviction++)
		printf("%13s", policy_find((enum eviction)eviction)->name);
	printf("%13s%13s%13s\n", "(GDSF)", "(W-TinyLFU)", "second_hit");
	for (int i = 1; i < argc; i++) {
		if (trace_read(argv[i], &trace))
			sizes_replay(&trace);
		else
			good = false;
		free(trace.requests);
	}
	for (size_t i = 0; argc == 1 && i < RECIPE_COUNT; i++) {
		trace_make(&recipes[i], &trace);
		sizes_replay(&trace);
		free(trace.requests);
	}
	return good ? 0 : 1;
}
