/* How the index of a volume comes into use: opened, or copied record by record after a crash of the machine, or set aside when
 * it is damaged; then all records are read (scan.c), and the threads begin. What can refuse a volume is done by the call
 * that opens it; the rest takes as long as the index is large, and may have a thread of its own. */
#include "internal.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TELL_US = 1000 * 1000 };

void start_init(struct volume *volume)
{
	struct start *start = &volume->start;

	pthread_mutex_init(&start->lock, NULL);
	cond_init(&start->done);
	start->begun_us = start->told_us = now_us();
}

/* ---- the index ---- */

/* After a crash of the machine anything may stand in it. */
static bool is_suspect(const struct folder *folder)
{
	return !folder->clean && !folder->same_boot && !folder->fresh && !folder->damaged;
}

/* 0, an errno or an MDB error; damage of any kind is an MDB error that env_error_is_damage() knows. */
static int index_open(struct volume *volume, const char *path, bool verified, uint64_t *ret_deleted)
{
	struct stat st;
	int rc = 0;

	if (stat(path, &st) == 0 && (uint64_t)st.st_size > volume->map_bytes)
		rc = env_shrink(path, volume->map_bytes, volume->blocks.total);
	if (rc == 0)
		rc = env_open(&volume->env, path, volume->map_bytes);
	if (rc == 0 && (rc = scan_run(volume, verified, ret_deleted)) != 0)
		env_close(&volume->env);
	return rc;
}

static enum store_err index_refused(struct volume *volume, int rc, char why[256])
{
	enum store_err err = env_error(rc);

	folder_why(why, volume->config.path, "opening the index: %s", mdb_strerror(rc));
	return err == STORE_DISK_FULL ? STORE_NO_SPACE : err == STORE_DISK_ERROR || err == STORE_INDEX_FULL ? STORE_SYSTEM : err;
}

/* LMDB can die of a damaged index, of writing to it too: it is copied record by record. The marker is of this boot when the
 * copy is in its place, not before: who is killed meanwhile leaves it to be copied again. */
static int index_salvage(struct volume *volume, const char *path, char why[256])
{
	int rc;

	if (!volume->index_was_damaged)
		volume_tell(volume, STORE_EVENT_notice, "the machine was not shut down in good order: the index is being copied, record by record");
	rc = env_salvage(path, volume->map_bytes, &volume->start.stop);
	if (rc == 0 && folder_mark(&volume->folder, "dirty") != STORE_OK) {
		rc = errno;
		folder_why(why, volume->config.path, "%s", strerror(rc));
	}
	return rc;
}

static void damage_tell(struct volume *volume, const char *reason, char why[256])
{
	char text[200];

	folder_why(why, volume->config.path, "%s (%s)", store_strerror(STORE_DAMAGED), reason);
	snprintf(text, sizeof(text), "%s (%s)", store_strerror(STORE_DAMAGED), reason);
	volume_event(volume, EVENT_failed, STORE_EVENT_error, text);
}

/* Opens the index, or sets it aside and makes a new one. */
static enum store_err index_open_or_replace(struct volume *volume, uint64_t *ret_deleted, char why[256])
{
	struct folder *folder = &volume->folder;
	bool damaged = folder->damaged, suspect = is_suspect(folder);
	const char *reason = "an earlier run found it damaged";
	char path[PATH_ROOM], text[200];
	int rc = 0;

	if (folder_path(volume->config.path, "index.new", path))
		unlink(path);                     /* of a copy that was cut short */
	if (!folder_path(volume->config.path, "index", path))
		return STORE_NO_FOLDER;
	if (!damaged && !suspect && env_check(path) == MDB_CORRUPTED)
		suspect = volume->index_was_damaged = true;
	if (suspect && (rc = index_salvage(volume, path, why)) != 0) {
		damaged = env_error_is_damage(rc);
		reason = "it cannot be read to its end";
	} else if (volume->index_was_damaged)
		volume_event(volume, EVENT_damaged, STORE_EVENT_error, "the index has damaged pages; what can be read of it is kept");
	if (!damaged && rc == 0) {
		rc = index_open(volume, path, folder->clean, ret_deleted);
		damaged = env_error_is_damage(rc);
		if (damaged)
			reason = mdb_strerror(rc);
	}
	if (damaged && (rc = folder_set_aside(folder)) == 0)
		rc = index_open(volume, path, true, ret_deleted);
	if (rc != 0)
		return index_refused(volume, rc, why);
	if (damaged) {
		volume->index_was_damaged = true;
		damage_tell(volume, reason, why);
		return STORE_DAMAGED;
	}
	if (atomic_load(&volume->dropped_damaged) > 0) {
		snprintf(text, sizeof(text), "%llu damaged records were dropped", (unsigned long long)atomic_load(&volume->dropped_damaged));
		volume_event(volume, EVENT_other, STORE_EVENT_warning, text);
	}
	return STORE_OK;
}

/* ---- the run ---- */

/* Everything up to running threads and look-ups that find something. */
static enum store_err start_run(struct volume *volume, char why[256])
{
	struct folder *folder = &volume->folder;
	uint64_t data_bytes = (uint64_t)volume->blocks.total * BLOCK_BYTES, deleted = 0;
	enum store_err err, opened;

	handover_begin(volume);
	opened = index_open_or_replace(volume, &deleted, why);
	if (opened != STORE_OK && opened != STORE_DAMAGED)
		return opened;
	handover_claim(volume, opened == STORE_DAMAGED || deleted > 0);
	if ((err = folder_allocate(folder, "index", volume->map_bytes, why)) != STORE_OK)
		return err;
	/* Records of what is cut off are deleted, and that is on disk, before it is cut off. */
	if (mdb_env_sync(volume->env.env, 1) != 0 || (errno = folder_sync(folder)) != 0 || folder_shrink_data(folder, data_bytes) != 0
		|| (opened == STORE_DAMAGED && folder_mark(folder, "dirty") != STORE_OK)
		|| !writer_start(volume) || !loader_start(volume)) {
		folder_why(why, volume->config.path, "%s", strerror(errno));
		return STORE_SYSTEM;
	}
	purger_release(volume, false);
	if (!purger_start(volume) || !scrub_start(volume)) {
		folder_why(why, volume->config.path, "%s", strerror(errno));
		return STORE_SYSTEM;
	}
	return opened;
}

static void start_end(struct volume *volume, bool good)
{
	struct start *start = &volume->start;
	uint64_t took_us = now_us() - start->begun_us;
	char text[128];

	if (good) {
		atomic_store_explicit(&volume->ready, true, memory_order_release);
		if (took_us >= TELL_US) {
			snprintf(text, sizeof(text), "started: %llu objects in %llu.%llu s", (unsigned long long)atomic_load(&volume->objects),
				(unsigned long long)(took_us / 1000000), (unsigned long long)(took_us / 100000 % 10));
			volume_tell(volume, STORE_EVENT_notice, text);
		}
	} else
		purger_release(volume, true);
	pthread_mutex_lock(&start->lock);
	start->over = true;
	pthread_cond_broadcast(&start->done);
	pthread_mutex_unlock(&start->lock);
}

static void *start_main(void *arg)
{
	struct volume *volume = arg;
	char why[256] = "";
	enum store_err err = start_run(volume, why);

	if (err != STORE_OK && err != STORE_DAMAGED && !atomic_load(&volume->start.stop))
		volume_fail(volume, err, *why ? why : store_strerror(err));
	start_end(volume, err == STORE_OK || err == STORE_DAMAGED);
	if (atomic_load(&volume->ready) && volume->config.started)
		volume->config.started(volume->config.event_arg);
	return NULL;
}

/* Room for the index that there is, and the right to write it. */
static enum store_err index_reserve_room(struct volume *volume, char why[256])
{
	char path[PATH_ROOM];
	struct stat st;

	if (!folder_path(volume->config.path, "index", path) || stat(path, &st) != 0 || st.st_size == 0 || (uint64_t)st.st_size > volume->map_bytes)
		return STORE_OK;
	return folder_allocate(&volume->folder, "index", volume->map_bytes, why);
}

enum store_err start_begin(struct volume *volume, char why[256])
{
	struct folder *folder = &volume->folder;
	struct start *start = &volume->start;
	enum store_err err = is_suspect(folder) ? STORE_OK : folder_mark(folder, folder->damaged ? "damaged" : "dirty");

	if (err != STORE_OK) {
		folder_why(why, volume->config.path, "%s", store_strerror(err));
		return err;
	}
	if ((err = folder_allocate(folder, "data", (uint64_t)volume->blocks.total * BLOCK_BYTES, why)) != STORE_OK
		|| (err = index_reserve_room(volume, why)) != STORE_OK)
		return err;
	if (volume->config.in_background && !folder->fresh) {
		start->threaded = pthread_create(&start->thread, NULL, start_main, volume) == 0;
		if (start->threaded)
			return STORE_OK;
	}
	err = start_run(volume, why);
	start_end(volume, err == STORE_OK || err == STORE_DAMAGED);
	return err;
}

/* ---- while it runs ---- */

int start_progress(struct volume *volume, uint64_t records)
{
	struct start *start = &volume->start;
	uint64_t now = now_us(), total = atomic_load(&start->total);
	char text[128];

	atomic_store(&start->records, records);
	if (atomic_load(&start->stop))
		return ECANCELED;
	if (now - start->told_us < TELL_US)
		return 0;
	start->told_us = now;
	if (total > 0)
		snprintf(text, sizeof(text), "starting: %llu of %llu records are read (%llu %%)", (unsigned long long)records,
			(unsigned long long)total, (unsigned long long)(records * 100 / total));
	else
		snprintf(text, sizeof(text), "starting: %llu records are read", (unsigned long long)records);
	volume_tell(volume, STORE_EVENT_notice, text);
	return 0;
}

void start_stop(struct volume *volume)
{
	struct start *start = &volume->start;

	atomic_store(&start->stop, true);
	if (start->threaded)
		pthread_join(start->thread, NULL);
	start->threaded = false;
	pthread_cond_destroy(&start->done);
	pthread_mutex_destroy(&start->lock);
}

bool volume_is_starting(const struct volume *volume)
{
	return !atomic_load_explicit(&volume->ready, memory_order_acquire) && !atomic_load(&volume->failed) && !atomic_load(&volume->retired);
}

bool volume_wait(struct volume *volume, uint64_t us)
{
	struct start *start = &volume->start;
	uint64_t due = now_us() + us;
	bool over;

	pthread_mutex_lock(&start->lock);
	while (!start->over && cond_wait_until(&start->done, &start->lock, due) == 0)
		;
	over = start->over;
	pthread_mutex_unlock(&start->lock);
	return over;
}
