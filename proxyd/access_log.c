/* The access log: records become lines in the ring of their worker; one thread moves the rings to the file.
 *
 * The thread sleeps when nothing is there, until a first line wakes it; then it dozes, so that lines of 100 ms leave with
 * one system call, unless a ring is a quarter full. What is lost, since a ring was full or the file took no more, is counted
 * for each worker and told by a gap record before the next line that gets through. */
#include "access_log.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "diag.h"
#include "log_file.h"
#include "log_ring.h"

enum { NOTE_WORKER = 65535, NOTE_NUMBERS = 32768, NODE_MAX = 256, DOZE_MS = 100, FAILING_DOZE_MS = 1000 };

enum { LOG_AWAKE, LOG_DOZING, LOG_SLEEPING };

struct access_log {
	char node[NODE_MAX];
	struct log_ring *rings;              /* of the workers, and one more for notes */
	unsigned ring_count;
	atomic_uint_fast64_t lost;           /* by the file; what rings refused is added from them */
	_Atomic(uint32_t) state;             /* of the thread: a futex */
	pthread_t thread;

	pthread_mutex_t note_lock;           /* makes many writers of notes one */
	uint64_t note_seq;

	pthread_mutex_t order_lock;          /* orders to the thread */
	pthread_cond_t order_done;
	atomic_bool ordered;
	unsigned orders_given, orders_done;
	bool reopen_wanted, stop_wanted;
	int reopen_errno;

	/* The thread's own. */
	struct log_file file;
	char *line;                          /* room for one line */
	uint64_t owed;                       /* sum over the rings */
	bool failing;                        /* the file took less than it was given, and that has been told */
};

/* ---- waking the thread ---- */

static void log_wake(struct access_log *log)
{
	if (atomic_exchange(&log->state, LOG_AWAKE) != LOG_AWAKE)
		syscall(SYS_futex, &log->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void ring_publish(struct log_ring *ring, size_t len)
{
	bool much = log_ring_publish(ring, len);
	uint32_t state = atomic_load(&ring->log->state);

	if (state == LOG_SLEEPING || (much && state == LOG_DOZING))
		log_wake(ring->log);
}

/* ---- records ---- */

void access_log_write(struct worker *worker, struct logline *line)
{
	struct log_ring *ring = worker->log;
	char *out;

	line->worker = ring ? ring->worker : worker->number;
	line->seq = ++worker->seq;
	counters_add(&worker->counters, line);
	if (!ring || !ring->bytes)
		return;
	line->node = slice_str(ring->log->node);
	out = log_ring_room(ring);
	if (out)
		ring_publish(ring, logline_write(line, out));
}

void access_log_note(struct access_log *log, struct logline *line)
{
	struct log_ring *ring = &log->rings[log->ring_count - 1];
	char *out;

	pthread_mutex_lock(&log->note_lock);
	line->node = slice_str(log->node);
	line->worker = ring->worker;
	line->seq = ++log->note_seq;
	out = ring->bytes ? log_ring_room(ring) : NULL;
	if (out)
		ring_publish(ring, logline_write(line, out));
	pthread_mutex_unlock(&log->note_lock);
}

void access_log_number(struct access_log *log, unsigned first_worker, unsigned ordinal)
{
	for (unsigned i = 0; i < log->ring_count - 1; i++)
		log->rings[i].worker = first_worker + i;
	log->rings[log->ring_count - 1].worker = NOTE_WORKER - ordinal % NOTE_NUMBERS;
}

struct log_ring *access_log_ring(struct access_log *log, unsigned worker)
{
	CHECK(worker < log->ring_count - 1);
	return &log->rings[worker];
}

uint64_t access_log_lost(const struct access_log *log)
{
	uint64_t lost = atomic_load(&log->lost);

	for (unsigned i = 0; i < log->ring_count; i++)
		lost += atomic_load(&log->rings[i].refused);
	return lost;
}

/* ---- rings to file ---- */

static struct iovec gap_piece(struct access_log *log, struct log_ring *ring)
{
	struct logline gap;

	logline_init(&gap);
	gap.rec = REC_gap;
	gap.t_us = (uint64_t)clock_wall_us();
	gap.node = slice_str(log->node);
	gap.worker = ring->worker;               /* and no number of its own: the lost ones have them */
	gap.lost = ring->owed;
	ring->gap_len = logline_write(&gap, log->line);
	CHECK(ring->gap_len <= sizeof(ring->gap));
	memcpy(ring->gap, log->line, ring->gap_len);
	return (struct iovec){ ring->gap, ring->gap_len };
}

static uint64_t count_lines(const char *at, size_t len)
{
	uint64_t count = 0;

	for (const char *end = at + len; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
		count++;
	return count;
}

/* Of this piece the first `written` bytes are in the file. */
static void piece_settle(struct access_log *log, struct log_ring *ring, const struct iovec *piece, size_t written)
{
	if (piece->iov_base == ring->gap) {
		if (written == piece->iov_len)
			ring->owed = 0;
		return;
	}
	if (written < piece->iov_len) {
		uint64_t lost = count_lines((const char *)piece->iov_base + written, piece->iov_len - written);

		ring->owed += lost;
		atomic_fetch_add(&log->lost, lost);
	}
}

/* Who runs the daemon hears when lines begin to be lost, and when that is over; not each time in between. */
static void failure_tell(struct access_log *log, bool failed, int err)
{
	if (failed == log->failing)
		return;
	log->failing = failed;
	if (failed)
		diag(DIAG_error, "access log '%s' cannot be written: %s; lines are lost, and counted", log->file.path, strerror(err));
	else
		diag(DIAG_notice, "access log '%s' is written again; %lu lines were lost since the start", log->file.path,
			(unsigned long)access_log_lost(log));
}

/* Some rings in one write: of each its gap record, when one is due, and its lines. */
static bool rings_write(struct access_log *log, struct log_ring *rings, unsigned count)
{
	struct iovec pieces[LOG_FILE_PIECES_MAX];
	struct log_ring *of[LOG_FILE_PIECES_MAX];
	int n = 0;
	size_t written, total = 0;

	for (struct log_ring *ring = rings; ring < rings + count; ring++) {
		struct slice lines = log_ring_read(ring);

		if (ring->owed) {
			of[n] = ring;
			pieces[n++] = gap_piece(log, ring);
		}
		if (lines.len) {
			of[n] = ring;
			pieces[n++] = (struct iovec){ (void *)(uintptr_t)lines.ptr, lines.len };
		}
	}
	if (n == 0)
		return false;
	for (int i = 0; i < n; i++)
		total += pieces[i].iov_len;
	errno = 0;
	written = log_file_write(&log->file, pieces, n);
	failure_tell(log, written < total, errno);
	for (int i = 0; i < n; i++) {
		size_t part = written < pieces[i].iov_len ? written : pieces[i].iov_len;

		written -= part;
		piece_settle(log, of[i], &pieces[i], part);
	}
	for (struct log_ring *ring = rings; ring < rings + count; ring++) {
		log_ring_release(ring);
		log->owed += ring->owed;
	}
	return true;
}

/* Returns whether there was anything. */
static bool log_drain(struct access_log *log)
{
	const unsigned most = LOG_FILE_PIECES_MAX / 2;
	bool any = false;

	log->owed = 0;
	for (unsigned i = 0; i < log->ring_count; i += most)
		any |= rings_write(log, log->rings + i, log->ring_count - i < most ? log->ring_count - i : most);
	return any;
}

/* ---- the thread ---- */

/* Until somebody wakes it, or the time is over; ms < 0: for ever. Who publishes a line, or gives an order, looks at the
 * state after that, and here both are looked at after the state was set: one of the two sees the other (all seq_cst). */
static void log_wait(struct access_log *log, uint32_t state, int ms)
{
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000L };
	bool nothing;

	atomic_store(&log->state, state);
	nothing = !atomic_load(&log->ordered);
	for (unsigned i = 0; i < log->ring_count && state == LOG_SLEEPING; i++)
		nothing = nothing && log_ring_is_empty(&log->rings[i]);
	if (nothing)
		syscall(SYS_futex, &log->state, FUTEX_WAIT_PRIVATE, state, ms < 0 ? NULL : &limit, NULL, 0);
	atomic_store(&log->state, LOG_AWAKE);
}

/* Returns whether the thread is to end. */
static bool orders_take(struct access_log *log)
{
	bool stop, reopen;
	unsigned given;
	int err = 0;

	if (!atomic_load(&log->ordered))
		return false;
	pthread_mutex_lock(&log->order_lock);
	atomic_store(&log->ordered, false);
	given = log->orders_given;
	stop = log->stop_wanted;
	reopen = log->reopen_wanted;
	log->reopen_wanted = false;
	pthread_mutex_unlock(&log->order_lock);

	log_drain(log);                          /* what was made before the order belongs to the old file */
	if (reopen && !log_file_open(&log->file))
		err = errno;
	else if (reopen)
		log_file_write(&log->file, NULL, 0);     /* the header, when it is due */

	pthread_mutex_lock(&log->order_lock);
	if (reopen)
		log->reopen_errno = err;
	log->orders_done = given;
	pthread_cond_broadcast(&log->order_done);
	pthread_mutex_unlock(&log->order_lock);
	return stop;
}

static void *log_main(void *arg)
{
	struct access_log *log = arg;

	pthread_setname_np(pthread_self(), "access log");
	while (!orders_take(log)) {
		if (log_drain(log) && log->owed == 0)
			log_wait(log, LOG_DOZING, DOZE_MS);
		else if (log->owed)
			log_wait(log, LOG_DOZING, FAILING_DOZE_MS);
		else
			log_wait(log, LOG_SLEEPING, -1);
	}
	return NULL;
}

/* ---- life ---- */

static bool rings_map(struct access_log *log)
{
	for (unsigned i = 0; i < log->ring_count; i++)
		if (!log_ring_map(&log->rings[i]))
			return false;
	return true;
}

/* What is not running yet, or no more. */
static void log_free(struct access_log *log)
{
	for (unsigned i = 0; i < log->ring_count; i++)
		log_ring_unmap(&log->rings[i]);
	log_file_release(&log->file);
	pthread_mutex_destroy(&log->note_lock);
	pthread_mutex_destroy(&log->order_lock);
	pthread_cond_destroy(&log->order_done);
	free(log->rings);
	free(log->line);
	free(log);
}

static struct access_log *log_new(const char *path, unsigned workers, const char *node)
{
	struct access_log *log = must(calloc(1, sizeof(*log)));
	size_t size = (workers + 1) * sizeof(*log->rings);

	snprintf(log->node, sizeof(log->node), "%s", node);
	log->ring_count = workers + 1;
	log->rings = must(aligned_alloc(64, size));
	memset(log->rings, 0, size);
	for (unsigned i = 0; i < log->ring_count; i++) {
		log->rings[i].log = log;
		log->rings[i].worker = i < workers ? i : NOTE_WORKER;
	}
	log->line = must(malloc(LOG_LINE_MAX));
	pthread_mutex_init(&log->note_lock, NULL);
	pthread_mutex_init(&log->order_lock, NULL);
	pthread_cond_init(&log->order_done, NULL);
	log_file_init(&log->file, path);
	return log;
}

bool access_log_open(const char *path, unsigned workers, const char *node, struct access_log **ret_log, char why[256])
{
	struct access_log *log = log_new(path, workers, node);
	int err = 0;

	if (*path) {
		if (!log_file_open(&log->file) || !rings_map(log))
			err = errno;
		else
			log_file_write(&log->file, NULL, 0);
		if (!err)
			err = pthread_create(&log->thread, NULL, log_main, log);
	}
	if (err) {
		snprintf(why, 256, "access log '%s': %s", path, strerror(err));
		log_free(log);
		errno = err;
		return false;
	}
	*ret_log = log;
	return true;
}

static bool log_has_file(const struct access_log *log)
{
	return log->rings[0].bytes != NULL;
}

/* Gives an order, which the flag stands for, and returns when it was carried out: 0, or what the last reopen failed with. */
static int log_order(struct access_log *log, bool *flag)
{
	unsigned mine;
	int err;

	pthread_mutex_lock(&log->order_lock);
	mine = ++log->orders_given;
	if (flag)
		*flag = true;
	atomic_store(&log->ordered, true);
	log_wake(log);
	while ((int)(log->orders_done - mine) < 0)
		pthread_cond_wait(&log->order_done, &log->order_lock);
	err = log->reopen_errno;
	pthread_mutex_unlock(&log->order_lock);
	return err;
}

bool access_log_reopen(struct access_log *log)
{
	int err = log_has_file(log) ? log_order(log, &log->reopen_wanted) : 0;

	errno = err;
	return err == 0;
}

void access_log_sync(struct access_log *log)
{
	if (log_has_file(log))
		log_order(log, NULL);
}

void access_log_close(struct access_log **log)
{
	struct access_log *l = *log;

	if (!l)
		return;
	*log = NULL;
	if (log_has_file(l)) {
		log_order(l, &l->stop_wanted);
		pthread_join(l->thread, NULL);
	}
	log_free(l);
}
