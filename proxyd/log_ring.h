/* A ring of log lines between one writer (a worker) and one reader (the log thread), without locks. The memory is mapped
 * twice, one mapping behind the other, so that what is written and what is read is always in one piece. */
#ifndef PROXYD_LOG_RING_H
#define PROXYD_LOG_RING_H

#include <stdatomic.h>

#include "../conf/check.h"
#include "../conf/logline.h"

enum { LOG_RING_BYTES = 1024 * 1024, LOG_RING_QUARTER = LOG_RING_BYTES / 4, LOG_GAP_MAX = 1024 };

struct access_log;

struct log_ring {
	struct access_log *log;
	char *bytes;                         /* NULL: lines go nowhere */
	unsigned worker;

	/* The writer. */
	_Alignas(64) _Atomic(uint64_t) head; /* bytes ever written */
	uint64_t tail_seen;                  /* what it last knew of `tail` */
	_Atomic(uint64_t) refused;           /* lines ever for which there was no room */

	/* The reader. */
	_Alignas(64) _Atomic(uint64_t) tail; /* bytes ever read */
	uint64_t reading;                    /* how far the read that is under way goes */
	uint64_t refused_seen;               /* of them, those that are in `owed` or were told */
	uint64_t owed;                       /* lost lines that no gap record has told yet */
	char gap[LOG_GAP_MAX];               /* the gap record that is being written */
	size_t gap_len;
};

/* Zeroed memory. False with errno when the mappings cannot be made. */
bool log_ring_map(struct log_ring *ring);
void log_ring_unmap(struct log_ring *ring);

/* ---- the writer ---- */

/* Room for one line of any length, or NULL: it is lost, and counted as refused. */
static inline char *log_ring_room(struct log_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (head - ring->tail_seen > LOG_RING_BYTES - LOG_LINE_MAX) {
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head - ring->tail_seen > LOG_RING_BYTES - LOG_LINE_MAX) {
			atomic_fetch_add_explicit(&ring->refused, 1, memory_order_relaxed);
			return NULL;
		}
	}
	return ring->bytes + head % LOG_RING_BYTES;
}

/* The line of len bytes is there. Returns whether a quarter of the ring, or more, waits to be read. */
static inline bool log_ring_publish(struct log_ring *ring, size_t len)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + len;

	/* In one order with what the reader does before it sleeps: see access_log.c. */
	atomic_exchange_explicit(&ring->head, head, memory_order_seq_cst);
	if (head - ring->tail_seen < LOG_RING_QUARTER)
		return false;
	ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
	return head - ring->tail_seen >= LOG_RING_QUARTER;
}

/* ---- the reader ---- */

static inline bool log_ring_is_empty(const struct log_ring *ring)
{
	return atomic_load(&ring->head) == atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

/* What there is: whole lines. It stays until log_ring_release(). */
static inline struct slice log_ring_read(struct log_ring *ring)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	ring->reading = atomic_load_explicit(&ring->head, memory_order_acquire);
	return slice_make(ring->bytes + tail % LOG_RING_BYTES, ring->reading - tail);
}

/* Lines were refused after those that were just read and before any that will be. */
static inline void log_ring_release(struct log_ring *ring)
{
	uint64_t refused = atomic_load_explicit(&ring->refused, memory_order_relaxed);

	ring->owed += refused - ring->refused_seen;
	ring->refused_seen = refused;
	atomic_store_explicit(&ring->tail, ring->reading, memory_order_release);
}

#endif
