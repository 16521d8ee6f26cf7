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

static void gather_pieces(struct gather *gather, struct job *job, const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++) {
		if (gather->count == GATHER_PIECES) {
			uint64_t end = gather->end;

			gather_flush(gather, job);
			gather->start = gather->end = end;
		}
		if (!gather->first)
			gather->first = job;
		gather->iov[gather->count++] = iov[i];
		gather->end += iov[i].iov_len;
	}
}

/* `len` bytes of the body from `offset`, to `at` in the file. */
static void gather_extent(struct gather *gather, struct job *job, uint64_t offset, uint64_t len, uint64_t at)
{
	static const char zeros[BLOCK_BYTES];
	const struct body *body = job->object->body;
	struct iovec iov[BODY_PIECES];

	if (at != gather->end) {
		gather_flush(gather, job);
		gather->start = gather->end = at;
	}
	while (len > 0) {
		int count = body_peek(body, offset, len, iov, BODY_PIECES);

		CHECK(count > 0);
		gather_pieces(gather, job, iov, count);
		for (int i = 0; i < count; i++) {
			offset += iov[i].iov_len;
			len -= iov[i].iov_len;
		}
	}
	/* To whole blocks: a part of one would make the kernel read the rest of the page first. */
	if (gather->end % BLOCK_BYTES != 0)
		gather_pieces(gather, job, &(struct iovec){ (void *)zeros, BLOCK_BYTES - gather->end % BLOCK_BYTES }, 1);
}

void gather_job(struct gather *gather, struct job *job)
{
	const struct body *body = job->object->body;
	uint64_t size = atomic_load(&body->size), offset = 0;

	for (uint32_t i = 0; i < body->extent_count; i++) {
		uint64_t len = (uint64_t)body->extents[i].count * BLOCK_BYTES;

		if (len > size - offset)
			len = size - offset;
		gather_extent(gather, job, offset, len, (uint64_t)body->extents[i].start * BLOCK_BYTES);
		offset += len;
	}
}

void gather_end(struct gather *gather)
{
	gather_flush(gather, NULL);
	free(gather);
}
