/* The scrub: a thread that reads, slowly, what is stored and nobody asks for, and drops what is not what was written.
 *
 * A pass goes through the records in order of generation, some at a time: heads are checked within the transaction, bodies
 * after it, piece by piece, at scrub_rate bytes a second. They are read from the disk itself (O_DIRECT), so that the page cache
 * keeps what is asked for, and a cached copy cannot hide a bad block. While a body is read its blocks are pinned; one that
 * was replaced, evicted or dropped meanwhile is nobody's any more and judged by nobody. */
#include "internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	SLICE_RECORDS = 64,
	PIECE_MAX = 256 * 1024, PIECES_PER_SECOND = 16,      /* pieces are smaller when the rate is low */
	IO_CLASS_IDLE = 3, IO_CLASS_SHIFT = 13, IO_WHO_PROCESS = 1, NICE_LOWEST = 19,
};
#define INTERVAL_US_DEFAULT ((uint64_t)24 * 3600 * 1000 * 1000)
#define FIRST_US ((uint64_t)600 * 1000 * 1000)           /* after the start: then there is other work to do */

struct found { struct store_key key; uint64_t generation, size, checksum; struct extent *extents; uint32_t extent_count; };
struct pass {
	struct volume *volume;
	int fd, direct_fd;                      /* of the data file; -1: not to be had */
	char *piece;
	size_t piece_bytes;
	uint64_t generation;                    /* all up to this one were looked at */
	struct found found[SLICE_RECORDS];
	size_t count;
	uint64_t heads;                         /* bytes of the slice's records */
	uint64_t objects, damaged;
};

void scrub_init(struct volume *volume)
{
	struct scrub *scrub = &volume->scrub;

	pthread_mutex_init(&scrub->lock, NULL);
	cond_init(&scrub->wake);
}

/* False: it stops. */
static bool wait_until(struct volume *volume, uint64_t due_us)
{
	struct scrub *scrub = &volume->scrub;

	pthread_mutex_lock(&scrub->lock);
	while (!scrub->stop && now_us() < due_us)
		cond_wait_until(&scrub->wake, &scrub->lock, due_us);
	pthread_mutex_unlock(&scrub->lock);
	return !scrub->stop;
}

/* A volume that was set aside is left alone until it has come back. */
static bool may_go_on(struct volume *volume)
{
	return !volume->scrub.stop && !atomic_load(&volume->failed);
}

/* So many bytes were read: sleeps them off. What was not used of the past is not saved up. False: enough of it. */
static bool pace(struct volume *volume, uint64_t bytes)
{
	struct scrub *scrub = &volume->scrub;
	uint64_t now = now_us();

	atomic_fetch_add(&scrub->bytes, bytes);
	scrub->due_us = (scrub->due_us > now ? scrub->due_us : now) + bytes * 1000000 / volume->config.scrub_rate;
	return wait_until(volume, scrub->due_us) && may_go_on(volume);
}

/* ---- records ---- */

static void damaged(struct pass *pass)
{
	pass->damaged++;
	atomic_fetch_add(&pass->volume->scrub.damaged, 1);
}

/* Of a record that cannot be read only the number is known. The entry goes when somebody asks for it, or at the next start. */
static void record_damaged(struct pass *pass, uint64_t generation)
{
	damaged(pass);
	atomic_fetch_add(&pass->volume->dropped_damaged, 1);
	writer_push_drop(pass->volume, generation);
}

struct slice_visit { struct pass *pass; MDB_txn *txn; };

static int record_look(void *arg, uint64_t generation, struct slice bytes)
{
	struct slice_visit *visit = arg;
	struct pass *pass = visit->pass;
	struct volume *volume = pass->volume;
	struct record record;
	struct slice head;

	pass->heads += bytes.len;
	if (!record_decode(bytes, generation, volume->blocks.total, &record)) {
		record_damaged(pass, generation);
		return 0;
	}
	if (!index_is_current(volume, record.key, generation))
		return 0;
	if (!txn_get_right_head(&volume->env, visit->txn, &record, &head)) {
		damaged(pass);
		loader_damaged(volume, index_remove(volume, record.key, generation));
		return 0;
	}
	pass->heads += record.head_apart ? head.len : 0;
	pass->found[pass->count++] = (struct found){ record.key, generation, record.body_size, record.body_checksum,
		record.extent_count > 0 ? record_extents(&record) : NULL, record.extent_count };
	return 0;
}

/* The next records; *ret_seen 0: there are no more. */
static int slice_take(struct pass *pass, size_t *ret_seen)
{
	struct slice_visit visit = { .pass = pass };
	int rc = txn_begin_read(&pass->volume->env, &visit.txn);

	pass->count = 0;
	pass->heads = 0;
	*ret_seen = 0;
	if (rc == 0)
		rc = txn_each_some(&pass->volume->env, visit.txn, &pass->generation, SLICE_RECORDS, record_look, &visit, ret_seen);
	txn_abort(&visit.txn);
	return rc;
}

/* ---- bodies ---- */

/* len bytes of a run of blocks, whole blocks of it. Without O_DIRECT what was not cached does not stay so. False: unreadable. */
static bool piece_read(struct pass *pass, uint64_t at, size_t len)
{
	struct iovec iov = { pass->piece, len };
	size_t done = 0;

	if (pass->direct_fd >= 0 && pread(pass->direct_fd, pass->piece, len, (off_t)at) == (ssize_t)len)
		return true;
	if (preadv2(pass->fd, &iov, 1, (off_t)at, RWF_NOWAIT) == (ssize_t)len)
		return true;                      /* it was cached: it may stay */
	while (done < len) {
		ssize_t n = pread(pass->fd, pass->piece + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	posix_fadvise(pass->fd, (off_t)at, (off_t)len, POSIX_FADV_DONTNEED);
	return true;
}

enum judged { JUDGED_right, JUDGED_wrong, JUDGED_gone };

/* The blocks are pinned. JUDGED_gone: it is not current any more, or the scrub stops. */
static enum judged body_judge(struct pass *pass, const struct found *found, XXH3_state_t *hash)
{
	uint64_t left = found->size;

	XXH3_64bits_reset(hash);
	for (uint32_t i = 0; i < found->extent_count; i++) {
		uint64_t at = (uint64_t)found->extents[i].start * BLOCK_BYTES, end = at + (uint64_t)found->extents[i].count * BLOCK_BYTES;

		while (at < end && left > 0) {
			size_t len = end - at < pass->piece_bytes ? (size_t)(end - at) : pass->piece_bytes, used = left < len ? (size_t)left : len;

			if (!index_is_current(pass->volume, found->key, found->generation))
				return JUDGED_gone;
			if (!piece_read(pass, at, len))
				return JUDGED_wrong;
			XXH3_64bits_update(hash, pass->piece, used);
			at += len;
			left -= used;
			if (!pace(pass->volume, len))
				return JUDGED_gone;
		}
	}
	return XXH3_64bits_digest(hash) == found->checksum ? JUDGED_right : JUDGED_wrong;
}

/* Takes the extents. Pinned first, asked for after: blocks that are both are not written to. */
static void body_scrub(struct pass *pass, struct found *found, XXH3_state_t *hash)
{
	struct body *body = body_new_on_disk(pass->volume, found->size, found->checksum);
	enum judged judged = JUDGED_right;

	if (found->extents) {
		body_set_extents(body, found->extents, found->extent_count);
		judged = body_judge(pass, found, hash);
	}
	if (judged == JUDGED_wrong && index_is_current(pass->volume, found->key, found->generation)) {
		damaged(pass);
		loader_damaged(pass->volume, index_remove(pass->volume, found->key, found->generation));
	}
	if (judged != JUDGED_gone) {
		pass->objects++;
		atomic_fetch_add(&pass->volume->scrub.objects, 1);
	}
	body_unref(body);
}

/* ---- a pass ---- */

static void pass_end(struct pass *pass)
{
	struct volume *volume = pass->volume;
	char text[160];

	atomic_store(&volume->scrub.end_s, (uint64_t)time(NULL));
	atomic_fetch_add(&volume->scrub.passes, 1);
	if (pass->damaged == 0)
		return;
	snprintf(text, sizeof(text), "the scrub read %llu objects; %llu were damaged and are dropped: look at the disk",
		(unsigned long long)pass->objects, (unsigned long long)pass->damaged);
	volume_event(volume, EVENT_scrub, STORE_EVENT_error, text);
}

static void pass_run(struct pass *pass)
{
	struct volume *volume = pass->volume;
	uint64_t end = atomic_load(&volume->generation);         /* what comes from now on was just written */
	XXH3_state_t *hash = must(XXH3_createState());
	size_t seen = 1;
	int rc = 0;

	pass->generation = pass->objects = pass->damaged = 0;
	while (pass->generation < end && seen > 0 && may_go_on(volume)) {
		if ((rc = slice_take(pass, &seen)) != 0)
			break;
		pace(volume, pass->heads);
		for (size_t i = 0; i < pass->count; i++)
			body_scrub(pass, &pass->found[i], hash);
	}
	XXH3_freeState(hash);
	if (env_error_is_damage(rc))
		volume_fail(volume, STORE_DAMAGED, mdb_strerror(rc));
	else if (rc == 0 && may_go_on(volume))
		pass_end(pass);
}

static void priority_lower(void)
{
	pthread_setname_np(pthread_self(), "scrub");
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE_LOWEST);
	syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_CLASS_IDLE << IO_CLASS_SHIFT);
}

static void *scrub_run(void *arg)
{
	struct volume *volume = arg;
	uint64_t interval = volume->config.scrub_interval_us ? volume->config.scrub_interval_us : INTERVAL_US_DEFAULT;
	uint64_t due = now_us() + (interval < FIRST_US ? interval : FIRST_US);
	struct pass pass = { .volume = volume, .fd = -1, .direct_fd = -1 };
	char path[PATH_ROOM];

	priority_lower();
	if (folder_path(volume->config.path, "data", path)) {
		pass.direct_fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
		pass.fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (pass.fd < 0)
		volume_event(volume, EVENT_scrub, STORE_EVENT_warning, "there is no scrub: the data file cannot be opened once more");
	posix_fadvise(pass.fd, 0, 0, POSIX_FADV_RANDOM);         /* nothing is read ahead, which would stay in the cache */
	pass.piece_bytes = (size_t)(volume->config.scrub_rate / PIECES_PER_SECOND / BLOCK_BYTES * BLOCK_BYTES);
	if (pass.piece_bytes < BLOCK_BYTES)
		pass.piece_bytes = BLOCK_BYTES;
	if (pass.piece_bytes > PIECE_MAX)
		pass.piece_bytes = PIECE_MAX;
	pass.piece = must(aligned_alloc(BLOCK_BYTES, pass.piece_bytes));
	while (pass.fd >= 0 && wait_until(volume, due)) {
		due = now_us() + interval;
		if (may_go_on(volume))
			pass_run(&pass);
	}
	if (pass.fd >= 0)
		close(pass.fd);
	if (pass.direct_fd >= 0)
		close(pass.direct_fd);
	free(pass.piece);
	return NULL;
}

bool scrub_start(struct volume *volume)
{
	if (volume->config.scrub_rate == 0)
		return true;
	atomic_store(&volume->scrub.stop, false);
	volume->scrub.started = pthread_create(&volume->scrub.thread, NULL, scrub_run, volume) == 0;
	return volume->scrub.started;
}

void scrub_finish(struct volume *volume)
{
	struct scrub *scrub = &volume->scrub;

	pthread_mutex_lock(&scrub->lock);
	atomic_store(&scrub->stop, true);
	pthread_cond_signal(&scrub->wake);
	pthread_mutex_unlock(&scrub->lock);
	if (scrub->started)
		pthread_join(scrub->thread, NULL);
	scrub->started = false;
}

void scrub_stop(struct volume *volume)
{
	struct scrub *scrub = &volume->scrub;

	scrub_finish(volume);
	pthread_cond_destroy(&scrub->wake);
	pthread_mutex_destroy(&scrub->lock);
}
