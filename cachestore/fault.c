/* When the disk fails: what was not stored is counted and told, a volume that keeps failing is set aside, and tries again.
 *
 * What is believed after an error:
 *   data file   nothing of a batch whose write or sync failed: no record names its blocks, and they are written whole before
 *               they are used again. A sync that failed may leave pages marked as clean that are not on disk.
 *   index       LMDB undoes a commit that failed. But its sync was to put the meta page of the commit before on disk, too
 *               (NOMETASYNC). So the volume is set aside at once, its folder says that it is in doubt (the next start copies
 *               the index record by record), and before it is used again both meta pages are written anew, after a look
 *               whether they still are what was committed.
 *   a record or a body that cannot be read: that object is dropped, loader.c.
 *
 * All but volume_fail() is the writer's. */
#include "internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { RETRY_DOUBLINGS = 6, RETRY_DEFAULT_US = 10 * 1000 * 1000, META_PAGES = 2 };

void volume_fail(struct volume *volume, enum store_err err, const char *text)
{
	if (err == STORE_DAMAGED && !atomic_load(&volume->retired) && !atomic_exchange(&volume->index_damaged, true))
		folder_mark(&volume->folder, "damaged");   /* the next start sets the index aside */
	if (atomic_exchange(&volume->failed, true))
		return;
	atomic_fetch_add(&volume->set_aside, 1);
	volume_event(volume, EVENT_failed, STORE_EVENT_error, text);
}

/* ---- what was not stored ---- */

static enum store_loss loss_of(enum store_err err)
{
	switch (err) {
#define X(name, error, text) case STORE_##error: return STORE_LOSS_##name;
	STORE_LOSSES(X)
#undef X
	case STORE_DAMAGED: return STORE_LOSS_volume_failed;
	default: return STORE_LOSS_disk_error;
	}
}

static enum event_kind event_of(enum store_loss loss)
{
	switch (loss) {
	case STORE_LOSS_disk_full: return EVENT_disk_full;
	case STORE_LOSS_index_full: return EVENT_index_full;
	case STORE_LOSS_disk_error: case STORE_LOSS_volume_failed: case STORE_LOSS_upgrade: case STORE_LOSS_COUNT: break;
	}
	return EVENT_disk_error;
}

void fault_lost(struct volume *volume, struct object *object, enum store_err err)
{
	struct store_lost *lost = &volume->writer.batch_lost[loss_of(err)];

	atomic_fetch_add(&volume->dropped_error, 1);
	if (object->meta.flags & volume->config.unlogged_flags)
		return;
	lost->objects++;
	lost->bytes += atomic_load(&object->body->size);
}

static void losses_tell(struct volume *volume)
{
	static const char *const texts[] = {
#define X(name, error, text) text,
		STORE_LOSSES(X)
#undef X
	};
	struct writer *writer = &volume->writer;
	char line[200];

	for (int i = 0; i < STORE_LOSS_COUNT; i++) {
		struct store_lost *lost = &writer->batch_lost[i];

		if (lost->objects == 0)
			continue;
		atomic_fetch_add(&volume->lost_objects[i], lost->objects);
		atomic_fetch_add(&volume->lost_bytes[i], lost->bytes);
		if (volume->config.lost)
			volume->config.lost(volume->config.event_arg, (enum store_loss)i, lost);
		snprintf(line, sizeof(line), "%s: %" PRIu64 " objects are not stored, %" PRIu64 " since the start", texts[i], lost->objects,
			atomic_load(&volume->lost_objects[i]));
		volume_event(volume, event_of((enum store_loss)i), STORE_EVENT_error, line);
		*lost = (struct store_lost){ 0, 0 };
	}
}

/* ---- set aside, and back ---- */

static uint64_t retry_us(const struct volume *volume)
{
	uint64_t first = volume->config.retry_us ? volume->config.retry_us : RETRY_DEFAULT_US;

	return first << volume->writer.retries;
}

static void set_aside(struct volume *volume, const char *why)
{
	struct writer *writer = &volume->writer;
	char text[300];

	if (atomic_load(&volume->failed))
		return;
	writer->aside_us = now_us();
	writer->retry_at_us = writer->aside_us + retry_us(volume);
	snprintf(text, sizeof(text), "set aside, nothing is stored: %s; the next try is in %" PRIu64 " ms", why, retry_us(volume) / 1000);
	volume_fail(volume, STORE_DISK_ERROR, text);
}

/* One block, written and synced. A volume without a free one has nothing to try with: the next batch will tell. */
static int data_try(struct volume *volume)
{
	static const char block[BLOCK_BYTES] = "tried after an error";
	struct extent *extents;
	uint32_t count;
	int rc = 0;

	if (!blocks_alloc(&volume->blocks, 1, &extents, &count))
		return 0;
	if (pwrite(volume->folder.data_fd, block, sizeof(block), (off_t)extents->start * BLOCK_BYTES) != sizeof(block))
		rc = errno ? errno : EIO;
	if (rc == 0 && fdatasync(volume->folder.data_fd) != 0)
		rc = errno;
	blocks_unalloc(&volume->blocks, extents, count);
	free(extents);
	return rc;
}

uint64_t env_last_commit(struct env *env)
{
	MDB_envinfo info;

	return mdb_env_info(env->env, &info) == 0 ? info.me_last_txnid : 0;
}

/* What LMDB believes to be on disk is put there. We are the only writer, so nobody changes these pages meanwhile. */
static int index_reassure(struct volume *volume)
{
	MDB_stat stat;
	mdb_filehandle_t fd;
	size_t bytes;
	char *pages;
	int rc;

	if (env_last_commit(&volume->env) != volume->writer.last_commit)
		return MDB_CORRUPTED;
	if ((rc = mdb_env_stat(volume->env.env, &stat)) != 0 || (rc = mdb_env_get_fd(volume->env.env, &fd)) != 0)
		return rc;
	bytes = (size_t)stat.ms_psize * META_PAGES;
	pages = must(malloc(bytes));
	errno = EIO;
	if (pread(fd, pages, bytes, 0) != (ssize_t)bytes || pwrite(fd, pages, bytes, 0) != (ssize_t)bytes || fdatasync(fd) != 0)
		rc = errno;
	free(pages);
	if (rc == 0 && env_last_commit(&volume->env) != volume->writer.last_commit)
		rc = MDB_CORRUPTED;
	return rc;
}

static void index_doubt(struct volume *volume)
{
	volume->writer.index_doubtful = true;
	folder_mark(&volume->folder, "doubtful");
}

bool fault_retry_due(const struct volume *volume)
{
	return volume->writer.retry_at_us != 0 && now_us() >= volume->writer.retry_at_us;
}

/* 0: the volume stores again. */
static int retry_run(struct volume *volume, bool *ret_of_index)
{
	int rc = data_try(volume);

	*ret_of_index = rc == 0;
	if (rc == 0 && volume->writer.index_doubtful && (rc = index_reassure(volume)) == 0) {
		volume->writer.index_doubtful = false;
		folder_mark(&volume->folder, "dirty");
	}
	return rc == 0 ? batch_relief(volume) : rc;
}

void fault_retry(struct volume *volume)
{
	struct writer *writer = &volume->writer;
	bool of_index;
	char text[200];
	int rc;

	writer->retry_at_us = 0;
	if (atomic_load(&volume->index_damaged))
		return;
	atomic_fetch_add(&volume->retries, 1);
	rc = retry_run(volume, &of_index);
	if (rc == 0) {
		writer->disk_errors = 0;
		atomic_store(&volume->failed, atomic_load(&volume->index_damaged));   /* a reader may have found that meanwhile */
		atomic_store(&volume->event_us[EVENT_failed], 0);     /* should it come again it is news */
		snprintf(text, sizeof(text), "stores again; it was set aside for %" PRIu64 " ms", (now_us() - writer->aside_us) / 1000);
		volume_event(volume, EVENT_again, STORE_EVENT_notice, text);
	} else if (rc == MDB_PANIC) {                    /* LMDB could not write a meta page and refuses to go on */
		volume_event(volume, EVENT_other, STORE_EVENT_error, "nothing is stored until the next start, which looks through the index");
	} else if (env_error_is_damage(rc)) {
		volume_fail(volume, STORE_DAMAGED, mdb_strerror(rc));
	} else {
		if (rc > 0 && of_index && !writer->index_doubtful)
			index_doubt(volume);
		if (writer->retries < RETRY_DOUBLINGS)
			writer->retries++;
		writer->retry_at_us = now_us() + retry_us(volume);
	}
}

/* ---- a batch is over ---- */

void fault_batch_over(struct volume *volume, int rc, enum store_err err, bool stored)
{
	struct writer *writer = &volume->writer;
	char why[200];

	losses_tell(volume);
	if (env_error_is_damage(rc)) {
		volume_fail(volume, STORE_DAMAGED, mdb_strerror(rc));
		return;
	}
	if (rc > 0) {                            /* an errno: LMDB's own are negative */
		index_doubt(volume);
		snprintf(why, sizeof(why), "its index cannot be written (%s)", mdb_strerror(rc));
		set_aside(volume, why);
		return;
	}
	if (stored) {
		writer->disk_errors = 0;
		writer->retries = 0;
	} else if (err != STORE_OK && ++writer->disk_errors >= DISK_ERRORS_MAX) {
		set_aside(volume, store_strerror(err));
	}
}

/* What was moved lies there twice, and the start sees which one is right. */
static bool doomed_must_go(const struct writer *writer)
{
	for (size_t i = 0; i < writer->doomed_count; i++)
		if (!writer->doomed[i].moved)
			return true;
	return false;
}

void fault_last_words(struct volume *volume)
{
	struct writer *writer = &volume->writer;
	bool damaged = atomic_load(&volume->index_damaged);

	if (atomic_load(&volume->failed) && !damaged)
		fault_retry(volume);
	if (writer->doomed_count > 0 && !damaged && !writer->index_doubtful)
		batch_relief(volume);
	/* Records that must not come back: they were dropped, or replaced by what could not be stored. */
	if (!damaged && doomed_must_go(writer))
		folder_mark(&volume->folder, "damaged");
	volume->unclean = writer->doomed_count > 0 || writer->index_doubtful;
}
