/* A volume: its sizes, opening, closing, numbers, events. */
#include "internal.h"

#include <stdio.h>
#include <unistd.h>

enum {
	MAP_PART = 10,                       /* of the size: 512 bytes and more for each object of 8 KB, with reserve */
	MAP_MIN = 1024 * 1024,
	OVERHEAD_BYTES = 64 * 1024,          /* marker, LMDB's lock file, the folder */
	DIRTY_PAGES = 16 * 1024,             /* what commits between two generations of free pages need at most */
	EVENT_GAP_US = 60 * 1000 * 1000,
	RESERVE_PART = 10,                   /* of the blocks: kept free, for limbo and for runs. With 16 the fifth volume was written at half the speed */
};

struct geometry { uint64_t map_bytes, data_bytes; uint32_t blocks; };

static struct geometry geometry_make(uint64_t size)
{
	struct geometry geometry = { .map_bytes = size / MAP_PART / OVERHEAD_BYTES * OVERHEAD_BYTES };
	uint64_t blocks;

	if (geometry.map_bytes < MAP_MIN)
		geometry.map_bytes = MAP_MIN;
	blocks = (size - geometry.map_bytes - OVERHEAD_BYTES) / BLOCK_BYTES;
	geometry.blocks = blocks < NONE - 1 ? (uint32_t)blocks : NONE - 1;
	geometry.data_bytes = (uint64_t)geometry.blocks * BLOCK_BYTES;
	return geometry;
}

static uint64_t min64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t max64(uint64_t a, uint64_t b) { return a > b ? a : b; }

struct volume *volume_ref(struct volume *volume)
{
	atomic_fetch_add_explicit(&volume->refs, 1, memory_order_relaxed);
	return volume;
}

void volume_unref(struct volume *volume)
{
	if (atomic_fetch_sub_explicit(&volume->refs, 1, memory_order_acq_rel) != 1)
		return;
	folder_close(&volume->folder);
	blocks_release(&volume->blocks);
	rules_release(&volume->rules);
	owners_release(&volume->owners);
	free((char *)volume->config.name);
	free((char *)volume->config.path);
	free(volume);
}

void volume_tell(struct volume *volume, int level, const char *text)
{
	char line[512];
	struct store_event event = { .level = level, .text = line };

	if (!volume->config.event)
		return;
	snprintf(line, sizeof(line), "volume '%s': %s", volume->config.name, text);
	volume->config.event(volume->config.event_arg, &event);
}

void volume_event(struct volume *volume, enum event_kind kind, int level, const char *text)
{
	uint64_t now = now_us(), last = atomic_load(&volume->event_us[kind]);

	if ((last == 0 || now - last >= EVENT_GAP_US) && atomic_compare_exchange_strong(&volume->event_us[kind], &last, now))
		volume_tell(volume, level, text);
}

/* ---- times of commits ---- */

static size_t commit_bucket(uint64_t us)
{
	unsigned octave = 63 - (unsigned)__builtin_clzll(us | 4);
	size_t bucket = (octave - 2) * 4 + (us >> (octave - 2) & 3);

	return bucket < COMMIT_TIMES ? bucket : COMMIT_TIMES - 1;
}

void volume_commit_took(struct volume *volume, uint64_t us)
{
	atomic_fetch_add(&volume->commits, 1);
	atomic_fetch_add(&volume->commit_times[commit_bucket(us)], 1);
	if (us > atomic_load(&volume->commit_us_max))
		atomic_store(&volume->commit_us_max, us);
}

/* The upper end of the bucket where that part of all commits is reached. */
static uint64_t commit_percentile(const struct volume *volume, unsigned percent)
{
	uint64_t want = (atomic_load(&volume->commits) * percent + 99) / 100, seen = 0, max = atomic_load(&volume->commit_us_max);

	for (size_t bucket = 0; bucket < COMMIT_TIMES; bucket++) {
		uint64_t end = ((uint64_t)(4 + bucket % 4) + 1) << (bucket / 4);

		seen += atomic_load(&volume->commit_times[bucket]);
		if (seen >= want)
			return end < max ? end : max;
	}
	return max;
}

/* Half of the map lives, half is for pages that commits have written anew and that are not free yet. */
uint64_t index_pages_limit(uint64_t map_pages)
{
	return max64(map_pages / 2, min64(map_pages * 6 / 10, map_pages > 2 * DIRTY_PAGES ? map_pages - 2 * DIRTY_PAGES : 0));
}

/* Everything that a size decides. A batch must leave most of a small volume, and most of a small map, alone. */
static struct volume *volume_make(const struct store_config *config, const struct geometry *geometry)
{
	struct volume *volume = must(aligned_alloc(64, (sizeof(*volume) + 63) / 64 * 64));
	uint64_t map_pages = geometry->map_bytes / PAGE_BYTES;

	memset(volume, 0, sizeof(*volume));
	atomic_init(&volume->refs, 1);
	volume->config = *config;
	volume->config.name = must(strdup(config->name ? config->name : config->path));
	volume->config.path = must(strdup(config->path));
	volume->folder = (struct folder){ .marker_fd = -1, .data_fd = -1 };
	volume->fill_max = config->fill_max ? config->fill_max : FILL_MAX_DEFAULT;
	volume->shard_count = SHARDS_MIN;
	while (volume->shard_count < SHARDS_MAX && volume->shard_count < geometry->data_bytes / SHARD_BYTES)
		volume->shard_count *= 2;
	/* Half: the other half is for what is being filled. What waits cannot be evicted, so it must not be most of a volume. */
	volume->queue_max = min64(volume->fill_max / 2, geometry->data_bytes / 4);
	volume->batch_bytes = min64(config->batch_bytes ? config->batch_bytes : BATCH_BYTES_DEFAULT, geometry->data_bytes / 8);
	volume->batch_us = config->batch_us ? config->batch_us : BATCH_US_DEFAULT;
	volume->batch_jobs = (size_t)min64(BATCH_JOBS_MAX, map_pages / 16);
	volume->doomed_max = 2 * volume->batch_jobs;
	volume->index_batch_bytes = geometry->map_bytes / 16;
	volume->index_pages_max = index_pages_limit(map_pages);
	volume->body_max = min64(geometry->data_bytes / 4 * 3, volume->fill_max);
	volume->map_bytes = geometry->map_bytes;
	volume->reserve_blocks = geometry->blocks / RESERVE_PART;
	blocks_init(&volume->blocks, geometry->blocks);
	volume->policy = policy_find(config->eviction);
	index_init(volume);
	writer_init(volume);
	loader_init(volume);
	rules_init(&volume->rules, geometry->map_bytes);
	owners_init(&volume->owners);
	atomic_store(&volume->void_clock, 1);   /* 0 says nothing */
	purger_init(volume);
	scrub_init(volume);
	start_init(volume);
	return volume;
}

/* Undoes all but the memory that bodies may still look at. */
static void volume_stop(struct volume *volume)
{
	start_stop(volume);                     /* it begins the other threads */
	scrub_stop(volume);                     /* it gives orders to the writer, and so does the next one */
	purger_stop(volume);                    /* it gives orders to the writer and waits for them */
	loader_stop(volume);                    /* it may still drop what it finds damaged */
	writer_stop(volume);
	atomic_store(&volume->closed, true);
	index_free(volume);
}

enum store_err volume_open(const struct store_config *config, struct volume **ret_volume, char why[256])
{
	struct geometry geometry;
	struct volume *volume;
	enum store_err err;

	if (config->size < VOLUME_SIZE_MIN) {
		folder_why(why, config->path, "%s", store_strerror(STORE_TOO_SMALL));
		return STORE_TOO_SMALL;
	}
	geometry = geometry_make(config->size);
	volume = volume_make(config, &geometry);
	if ((err = folder_open(&volume->folder, volume->config.path, why)) == STORE_OK) {
		err = start_begin(volume, why);
		if (err != STORE_OK && err != STORE_DAMAGED) {
			if (volume->folder.fresh)
				folder_remove_all(&volume->folder);
			else if (volume->folder.clean)
				folder_mark(&volume->folder, "clean");   /* no block was written */
		}
	}
	if (err == STORE_OK || err == STORE_DAMAGED) {
		*ret_volume = volume;
		return err;
	}
	volume_stop(volume);
	env_close(&volume->env);
	volume_unref(volume);
	return err;
}

enum store_err volume_probe(const struct store_config *config, char why[256])
{
	if (config->size >= VOLUME_SIZE_MIN)
		return folder_probe(config->path, config->size, why);
	folder_why(why, config->path, "%s", store_strerror(STORE_TOO_SMALL));
	return STORE_TOO_SMALL;
}

void volume_close(struct volume **closing)
{
	struct volume *volume = *closing;
	bool retired, synced, unchanged;

	*closing = NULL;
	if (!volume)
		return;
	volume_stop(volume);
	retired = atomic_load(&volume->retired);  /* then the rest is another process' */
	synced = !retired && volume->env.env && mdb_env_sync(volume->env.env, 1) == 0;
	env_close(&volume->env);
	/* When the start did not come to its end it is as clean as it was: no block was written. */
	unchanged = !atomic_load(&volume->ready) && !volume->folder.clean;
	if (synced && !atomic_load(&volume->failed) && !volume->unclean && !unchanged)
		folder_mark(&volume->folder, "clean");
	/* The lock goes now; the data file stays open for reads that are in the air, and is not read by others after `closed`. */
	close(volume->folder.marker_fd);
	volume->folder.marker_fd = -1;
	volume_unref(volume);
}

bool volume_drop(struct volume *volume, struct store_key key, const struct object *object)
{
	uint64_t removed = object ? index_remove_object(volume, object) : index_remove(volume, key, 0);

	if (removed > 0)
		writer_push_drop(volume, removed);
	return removed > 0;
}

void volume_stat(struct volume *volume, struct volume_stat *ret_stat)
{
	uint64_t limbo = atomic_load(&volume->blocks.limbo_blocks), used = max64(atomic_load(&volume->blocks.used), limbo);
	struct volume_stat stat = {
		.objects = atomic_load(&volume->objects), .live_bytes = (used - limbo) * BLOCK_BYTES, .limbo_bytes = limbo * BLOCK_BYTES,
		.data_bytes = (uint64_t)volume->blocks.total * BLOCK_BYTES,
		.ram_bytes = atomic_load(&volume->ram_bytes), .fill_bytes = atomic_load(&volume->fill_bytes),
		.hits_disk = atomic_load(&volume->hits_disk), .puts = atomic_load(&volume->puts),
		.stored = atomic_load(&volume->stored), .evicted = atomic_load(&volume->evicted), .moved = atomic_load(&volume->moved),
		.dropped_damaged = atomic_load(&volume->dropped_damaged), .dropped_error = atomic_load(&volume->dropped_error),
		.commits = atomic_load(&volume->commits), 
		.commit_us_p50 = commit_percentile(volume, 50), .commit_us_p99 = commit_percentile(volume, 99),
		.commit_us_max = atomic_load(&volume->commit_us_max),
		.purges = atomic_load(&volume->rules.purges), .purged = atomic_load(&volume->rules.purged),
		.read_errors = atomic_load(&volume->read_errors), .set_aside = atomic_load(&volume->set_aside),
		.not_admitted = atomic_load(&volume->not_admitted), .retries = atomic_load(&volume->retries), .failed = atomic_load(&volume->failed),
		.index_damaged = volume->index_was_damaged || atomic_load(&volume->index_damaged),
		.scrub_objects = atomic_load(&volume->scrub.objects), .scrub_bytes = atomic_load(&volume->scrub.bytes),
		.scrub_damaged = atomic_load(&volume->scrub.damaged), .scrub_passes = atomic_load(&volume->scrub.passes),
		.scrub_end_s = atomic_load(&volume->scrub.end_s),
		.starting = volume_is_starting(volume),
		.start_records = atomic_load(&volume->start.records), .start_total = atomic_load(&volume->start.total),
	};

	for (int i = 0; i < STORE_LOSS_COUNT; i++)
		stat.lost[i] = (struct store_lost){ atomic_load(&volume->lost_objects[i]), atomic_load(&volume->lost_bytes[i]) };
	for (size_t i = 0; i < volume->shard_count; i++) {
		struct shard *shard = &volume->shards[i];

		pthread_mutex_lock(&shard->lock);
		stat.gets += shard->gets;
		stat.hits_ram += shard->hits;
		pthread_mutex_unlock(&shard->lock);
	}
	pthread_rwlock_rdlock(&volume->rules.lock);
	stat.purge_rules = volume->rules.count;
	stat.purge_rules_max = volume->rules.max;
	pthread_rwlock_unlock(&volume->rules.lock);
	pthread_mutex_lock(&volume->loader.lock);
	stat.io_waiting = volume->loader.shorts.count + volume->loader.longs.count;
	stat.loads_shared = volume->loader.shared;
	stat.io_refused = volume->loader.refused;
	stat.io_late = volume->loader.late;
	stat.reads_ahead = volume->loader.ahead;
	pthread_mutex_unlock(&volume->loader.lock);
	pthread_mutex_lock(&volume->writer.lock);
	stat.queue_bytes = volume->writer.bytes;
	pthread_mutex_unlock(&volume->writer.lock);
	*ret_stat = stat;
}
