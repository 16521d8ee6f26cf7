/* The data file, for those who only look: bodies read and compared, whose block is whose, runs of free blocks. */
#include "inspect_internal.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 * 1024 };

/* ---- bodies ---- */

/* Bytes read, 0 at the end of the file, or -1. What the kernel had to fetch for it goes again: to look at a volume must not
 * push out of memory what is asked for. */
static ssize_t piece_read(int fd, void *buf, size_t len, uint64_t at)
{
	struct iovec iov = { buf, len };
	ssize_t n = preadv2(fd, &iov, 1, (off_t)at, RWF_NOWAIT);

	if (n > 0)
		return n;
	do
		n = pread(fd, buf, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		posix_fadvise(fd, (off_t)at, n, POSIX_FADV_DONTNEED);
	return n;
}

struct body_read {
	const struct inspect *inspect;
	XXH3_state_t *hash;
	char *buf;
	uint64_t left;
	void (*piece)(void *arg, const void *bytes, size_t len);
	void *arg;
};

static bool extent_read(struct body_read *read, struct extent extent)
{
	uint64_t at = (uint64_t)extent.start * BLOCK_BYTES, end = at + (uint64_t)extent.count * BLOCK_BYTES;

	if (end - at > read->left)                /* the last block's rest is nobody's */
		end = at + read->left;
	while (at < end) {
		ssize_t n = piece_read(read->inspect->folder.data_fd, read->buf, end - at < PIECE_BYTES ? end - at : PIECE_BYTES, at);

		if (n <= 0)
			return false;
		XXH3_64bits_update(read->hash, read->buf, (size_t)n);
		if (read->piece)
			read->piece(read->arg, read->buf, (size_t)n);
		at += (uint64_t)n;
		read->left -= (uint64_t)n;
	}
	return true;
}

enum inspect_body inspect_body(struct inspect *inspect, const struct inspect_object *object,
	void (*piece)(void *arg, const void *bytes, size_t len), void *arg)
{
	struct body_read read = { inspect, must(XXH3_createState()), must(malloc(PIECE_BYTES)), object->body_size, piece, arg };
	bool readable = true, right, there = true;

	XXH3_64bits_reset(read.hash);
	for (uint32_t i = 0; readable && i < object->extent_count; i++)
		readable = extent_read(&read, object->extents[i]);
	right = readable && read.left == 0 && XXH3_64bits_digest(read.hash) == object->body_checksum;
	XXH3_freeState(read.hash);
	free(read.buf);
	if (right)
		return INSPECT_WHOLE;
	/* As long as the record is there its blocks are not given to another: asked after they were read. */
	if (inspect_has(inspect, object->generation, &there) != STORE_OK)
		return INSPECT_UNKNOWN;
	if (!there)
		return INSPECT_GONE;
	return readable ? INSPECT_WRONG : INSPECT_UNREADABLE;
}

/* ---- blocks ---- */

struct owner { uint64_t generation; struct store_key key; };
struct inspect_blocks {
	uint32_t total;
	uint32_t *owners;                    /* of each block: its number in `list`, from 1; 0: none */
	struct owner *list;
	uint32_t count, room;
};

struct inspect_blocks *inspect_blocks_new(uint64_t data_bytes)
{
	struct inspect_blocks *blocks = must(calloc(1, sizeof(*blocks)));

	blocks->total = (uint32_t)(data_bytes / BLOCK_BYTES < NONE ? data_bytes / BLOCK_BYTES : NONE);
	blocks->owners = must(calloc((size_t)blocks->total + 1, sizeof(*blocks->owners)));
	return blocks;
}

void inspect_blocks_free(struct inspect_blocks **blocks)
{
	if (*blocks) {
		free((*blocks)->owners);
		free((*blocks)->list);
	}
	free(*blocks);
	*blocks = NULL;
}

uint64_t inspect_blocks_claim(struct inspect_blocks *blocks, const struct inspect_object *object, uint32_t *ret_block)
{
	uint64_t other = 0;

	if (blocks->count == blocks->room) {
		blocks->room = blocks->room ? blocks->room * 2 : 4096;
		blocks->list = must(realloc(blocks->list, blocks->room * sizeof(*blocks->list)));
	}
	blocks->list[blocks->count++] = (struct owner){ object->generation, object->key };
	for (uint32_t i = 0; i < object->extent_count; i++)
		for (uint32_t n = 0; n < object->extents[i].count; n++) {
			uint32_t block = object->extents[i].start + n, before;

			if (block >= blocks->total)
				continue;
			before = blocks->owners[block];
			/* Two records of one key: the newer one was refreshed from the older one, or replaces it. */
			if (other == 0 && before > 0 && !key_eq(blocks->list[before - 1].key, object->key)) {
				other = blocks->list[before - 1].generation;
				*ret_block = block;
			}
			blocks->owners[block] = blocks->count;
		}
	return other;
}

void inspect_runs_count(const uint32_t *owners, uint32_t total, struct inspect_runs *ret_runs)
{
	struct inspect_runs runs = { .total = total };

	for (uint32_t at = 0; at < total;) {
		uint32_t begin = at;

		while (at < total && owners[at] == 0)
			at++;
		if (at > begin) {
			runs.runs++;
			runs.by_power[31 - __builtin_clz(at - begin)]++;
			runs.largest = at - begin > runs.largest ? at - begin : runs.largest;
		}
		for (; at < total && owners[at] != 0; at++)
			runs.used++;
	}
	*ret_runs = runs;
}

void inspect_blocks_runs(const struct inspect_blocks *blocks, struct inspect_runs *ret_runs)
{
	inspect_runs_count(blocks->owners, blocks->total, ret_runs);
}
