/* A volume goes from process to process: a new program takes over writing while the old one still reads.
 *
 * The old one has a shared lock on the marker's first byte until its end. As long as anybody has it, the new one's writer
 * lets nothing out of limbo, so that no block is written over that the old one may read: neither those of records that are
 * deleted from now on, nor those that the old one had freed but was still reading itself, which it leaves in the file `limbo`
 * (u64 checksum of the rest; pairs of u32, first block and count). */
#include "internal.h"
#include "bytes.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIMBO_HEAD = 8, LIMBO_ROW = 8 };

/* ---- the file ---- */

/* What stands in limbo, as the file has it: malloced; *ret_len 0: nothing. */
static unsigned char *limbo_encode(const struct blocks *blocks, size_t *ret_len)
{
	size_t rows = 0, len = LIMBO_HEAD;
	unsigned char *bytes;

	for (size_t i = 0; i < blocks->limbo_count; i++)
		rows += blocks->limbo[i].count;
	bytes = must(calloc(1, LIMBO_HEAD + rows * LIMBO_ROW));
	for (size_t i = 0; i < blocks->limbo_count; i++)
		for (uint32_t k = 0; k < blocks->limbo[i].count; k++, len += LIMBO_ROW) {
			put32(bytes + len, blocks->limbo[i].extents[k].start);
			put32(bytes + len + 4, blocks->limbo[i].extents[k].count);
		}
	put64(bytes, XXH3_64bits(bytes + LIMBO_HEAD, len - LIMBO_HEAD));
	*ret_len = rows > 0 ? len : 0;
	return bytes;
}

static bool limbo_write(struct volume *volume)
{
	char path[PATH_ROOM];
	size_t len;
	unsigned char *bytes = limbo_encode(&volume->blocks, &len);
	bool ok = folder_path(volume->folder.path, "limbo", path);
	int fd = -1;

	if (ok)
		unlink(path);
	if (ok && len > 0) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
		ok = fd >= 0 && write(fd, bytes, len) == (ssize_t)len;
	}
	if (fd >= 0)
		close(fd);
	free(bytes);
	return ok;
}

/* The rows of the file take their blocks and go to limbo. False: it cannot be believed, or somebody has a block already. */
static bool limbo_claim(struct volume *volume, const unsigned char *bytes, size_t len)
{
	struct blocks *blocks = &volume->blocks;

	if (len < LIMBO_HEAD || len % LIMBO_ROW != 0)
		return false;
	if (get64(bytes) != XXH3_64bits(bytes + LIMBO_HEAD, len - LIMBO_HEAD))
		return false;
	for (size_t at = LIMBO_HEAD; at < len; at += LIMBO_ROW) {
		struct extent *extent = must(malloc(sizeof(*extent)));

		*extent = (struct extent){ get32(bytes + at), get32(bytes + at + 4) };
		if (extent->count == 0 || !blocks_claim(blocks, extent, 1)) {
			free(extent);
			return false;
		}
		blocks_free_later(blocks, extent, 1, 0);
	}
	return true;
}

static bool limbo_read(struct volume *volume)
{
	char path[PATH_ROOM];
	struct stat st;
	unsigned char *bytes;
	bool ok = false;
	int fd;

	if (!folder_path(volume->folder.path, "limbo", path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	if (fstat(fd, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size <= (uint64_t)volume->blocks.total * LIMBO_ROW + LIMBO_HEAD) {
		bytes = must(malloc((size_t)st.st_size + 1));
		ok = pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size && limbo_claim(volume, bytes, (size_t)st.st_size);
		free(bytes);
	}
	close(fd);
	return ok;
}

/* ---- the new process ---- */

void handover_begin(struct volume *volume)
{
	volume->blocks.frozen = false;
	atomic_store(&volume->blocks.foreign, folder_has_readers(&volume->folder));
}

void handover_claim(struct volume *volume, bool unsure)
{
	if (atomic_load(&volume->blocks.foreign))
		volume->blocks.frozen = !limbo_read(volume) || unsure;
}

void handover_look(struct volume *volume)
{
	struct blocks *blocks = &volume->blocks;

	if (!atomic_load(&blocks->foreign) || folder_has_readers(&volume->folder))
		return;
	blocks->frozen = false;
	atomic_store(&blocks->foreign, false);
}

bool handover_has_room(struct volume *volume, uint64_t bytes)
{
	uint64_t queued;

	if (!atomic_load_explicit(&volume->blocks.foreign, memory_order_relaxed))
		return true;
	pthread_mutex_lock(&volume->writer.lock);
	queued = volume->writer.bytes;
	pthread_mutex_unlock(&volume->writer.lock);
	/* The writer looks when it has something to do: the first one that is not stored must not keep it from that. */
	return queued == 0 || queued + bytes < (uint64_t)blocks_free_now(&volume->blocks) * BLOCK_BYTES;
}

/* ---- the old process ---- */

static bool index_state(struct volume *volume, uint64_t *ret_txn, ino_t *ret_inode)
{
	char path[PATH_ROOM];
	MDB_envinfo info;
	struct stat st;

	if (!volume->env.env || mdb_env_info(volume->env.env, &info) != 0 || !folder_path(volume->folder.path, "index", path) || stat(path, &st) != 0)
		return false;
	*ret_txn = info.me_last_txnid;
	*ret_inode = st.st_ino;
	return true;
}

enum store_err volume_retire(struct volume *volume)
{
	bool good;

	if (atomic_load(&volume->retired))
		return STORE_OK;
	if (volume_is_starting(volume))
		return STORE_STARTING;
	atomic_store(&volume->retired, true);
	scrub_finish(volume);
	purger_finish(volume);
	writer_finish(volume);
	good = !atomic_load(&volume->failed) && !volume->unclean && mdb_env_sync(volume->env.env, 1) == 0 && limbo_write(volume);
	if (!index_state(volume, &volume->retired_txn, &volume->retired_inode))
		volume->retired_txn = 0;
	/* Unclean otherwise: the next one verifies what it reads. */
	if (good)
		folder_mark(&volume->folder, "clean");
	return folder_share(&volume->folder) ? STORE_OK : STORE_SYSTEM;
}

bool volume_resume(struct volume *volume)
{
	uint64_t txn = 0;
	ino_t inode = 0;

	if (!atomic_load(&volume->retired))
		return true;
	if (!folder_take_back(&volume->folder))
		return false;
	if (atomic_load(&volume->failed)) {
		atomic_store(&volume->retired, false);
		return true;
	}
	if (!index_state(volume, &txn, &inode) || txn == 0 || txn != volume->retired_txn || inode != volume->retired_inode
		|| folder_mark(&volume->folder, "dirty") != STORE_OK) {
		folder_share(&volume->folder);
		return false;
	}
	if (!writer_start(volume) || !purger_start(volume) || !scrub_start(volume)) {
		volume_fail(volume, STORE_SYSTEM, strerror(errno));
		return false;
	}
	atomic_store(&volume->retired, false);
	return true;
}

void volume_blind(struct volume *volume, bool blind)
{
	if (atomic_load(&volume->retired) && !atomic_load(&volume->failed))
		atomic_store_explicit(&volume->ready, !blind, memory_order_release);
}

bool volume_is_retired(const struct volume *volume)
{
	return atomic_load(&volume->retired);
}
