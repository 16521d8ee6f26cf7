/* Writing the bodies of a batch: what lies side by side in the file goes out in one call. Blocks are given out next to each
 * other while there is room, so that a batch of small bodies is a few long writes. */
#include "internal.h"

#include <sys/uio.h>

enum { GATHER_PIECES = 512, BODY_PIECES = 64 };

struct gather {
	int fd;
	uint64_t start, end;                    /* of what is gathered, in the file */
	struct job *first;                      /* the first job with bytes in it */
	size_t count;
	struct iovec iov[GATHER_PIECES];
};

struct gather *gather_new(int fd)
{
	struct gather *gather = must(malloc(sizeof(*gather)));

	gather->fd = fd;
	gather->start = gather->end = gather->count = 0;
	gather->first = NULL;
	return gather;
}

/* 0 or an errno. */
static int run_write(struct gather *gather)
{
	struct iovec *iov = gather->iov;

	while (gather->start < gather->end) {
		ssize_t n = pwritev(gather->fd, iov, (int)gather->count, (off_t)gather->start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? errno : EIO;
		gather->start += (uint64_t)n;
		while (gather->count > 0 && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			gather->count--;
		}
		if (gather->count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* Writes what is gathered; a failure is one of all jobs with bytes in it, up to and with `last`. */
static void gather_flush(struct gather *gather, struct job *last)
{
	int rc = run_write(gather);

	for (struct job *job = gather->first; rc != 0 && job; job = job == last ? NULL : job->next)
		if (job->allocated && job->err == STORE_OK)
			job->err = env_error(rc) == STORE_DISK_FULL ? STORE_DISK_FULL : STORE_DISK_ERROR;
	gather->start = gather->end = gather->count = 0;
	gather->first = NULL;
}

/* The bytes of a body from its beginning to its end, going along its chunks once: they are cold. */
struct cursor { const struct body *body; uint64_t offset; int count, at; struct iovec iov[BODY_PIECES]; };

/* The next piece, at most `max` bytes. */
static struct iovec cursor_take(struct cursor *cursor, uint64_t max)
{
	struct iovec piece, *from;

	if (cursor->at == cursor->count) {
		cursor->count = body_peek(cursor->body, cursor->offset, UINT64_MAX, cursor->iov, BODY_PIECES);
		cursor->at = 0;
		CHECK(cursor->count > 0);
	}
	from = &cursor->iov[cursor->at];
	piece = (struct iovec){ from->iov_base, from->iov_len < max ? from->iov_len : (size_t)max };
	from->iov_base = (char *)from->iov_base + piece.iov_len;
	from->iov_len -= piece.iov_len;
	cursor->offset += piece.iov_len;
	cursor->at += from->iov_len == 0;
	return piece;
}

static void gather_piece(struct gather *gather, struct job *job, struct iovec piece)
{
	if (gather->count == GATHER_PIECES) {
		uint64_t end = gather->end;

		gather_flush(gather, job);
		gather->start = gather->end = end;
	}
	if (!gather->first)
		gather->first = job;
	gather->iov[gather->count++] = piece;
	gather->end += piece.iov_len;
}

/* The next `len` bytes of the body, to `at` in the file. */
static void gather_extent(struct gather *gather, struct job *job, struct cursor *cursor, uint64_t len, uint64_t at)
{
	static const char zeros[BLOCK_BYTES];

	if (at != gather->end) {
		gather_flush(gather, job);
		gather->start = gather->end = at;
	}
	while (len > 0) {
		struct iovec piece = cursor_take(cursor, len);

		gather_piece(gather, job, piece);
		len -= piece.iov_len;
	}
	/* To whole blocks: a part of one would make the kernel read the rest of the page first. */
	if (gather->end % BLOCK_BYTES != 0)
		gather_piece(gather, job, (struct iovec){ (void *)zeros, BLOCK_BYTES - gather->end % BLOCK_BYTES });
}

void gather_job(struct gather *gather, struct job *job)
{
	const struct body *body = job->object->body;
	struct cursor cursor = { .body = body };
	uint64_t size = atomic_load(&body->size);

	for (uint32_t i = 0; i < body->extent_count; i++) {
		uint64_t len = (uint64_t)body->extents[i].count * BLOCK_BYTES;

		if (len > size - cursor.offset)
			len = size - cursor.offset;
		gather_extent(gather, job, &cursor, len, (uint64_t)body->extents[i].start * BLOCK_BYTES);
	}
}

void gather_end(struct gather *gather)
{
	gather_flush(gather, NULL);
	free(gather);
}
