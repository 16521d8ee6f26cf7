/* The access log: records are written as lines into the ring of their worker; one thread moves the rings to the file.
 *
 * A ring is mapped twice, one mapping behind the other, so that a line is always contiguous. What does not fit into a ring,
 * or cannot be written to the file, is lost as whole lines, counted, and told by a gap record. */
#include "access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RING_BYTES = 1024 * 1024, DRAIN_MS = 100, NOTE_BYTES = 4 * LOG_LINE_MAX, NODE_MAX = 64 };

struct log_ring {
	struct access_log *log;
	char *bytes;                               /* RING_BYTES, twice */
	unsigned worker;
	_Alignas(64) atomic_size_t written;        /* by the worker */
	uint64_t lost;                             /* not told yet */
	_Alignas(64) atomic_size_t taken;          /* by the log thread */
	uint64_t file_lost;                        /* the log thread's: not told yet */
};

struct access_log {
	char *path;
	char node[NODE_MAX];
	int fd, wake_fd;
	unsigned count;
	struct log_ring *rings;
	atomic_bool idle, kicked;
	atomic_uint_fast64_t lost;
	pthread_t thread;
	pthread_mutex_t lock;                      /* what follows */
	pthread_cond_t done;
	char *notes;
	size_t notes_len;
	uint64_t note_lost, note_seq;
	unsigned sync_wanted, sync_done;
	bool reopen, reopen_ok, stop;
};

enum { NOTE_WORKER = 65535 };

/* ---- the worker's side ---- */

static void kick(struct access_log *log)
{
	uint64_t one = 1;

	atomic_store(&log->idle, false);
	if (!atomic_exchange(&log->kicked, true)) {
		ssize_t n = write(log->wake_fd, &one, sizeof(one));
		(void)n;
	}
}

/* Room for a whole line, or NULL. */
static char *ring_room(struct log_ring *ring)
{
	size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
	size_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);

	return RING_BYTES - (written - taken) >= LOG_LINE_MAX ? ring->bytes + written % RING_BYTES : NULL;
}

static void ring_add(struct log_ring *ring, size_t len)
{
	size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed) + len;

	atomic_store_explicit(&ring->written, written, memory_order_release);
	if (atomic_load_explicit(&ring->log->idle, memory_order_relaxed)
			|| written - atomic_load_explicit(&ring->taken, memory_order_relaxed) > RING_BYTES / 4)
		kick(ring->log);
}

static void gap_line(const struct access_log *log, struct logline *gap, unsigned worker, uint64_t lost)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	logline_init(gap);
	gap->rec = REC_gap;
	gap->t_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	gap->node = slice_str(log->node);
	gap->worker = worker;
	gap->lost = lost;
}

void access_log_write(struct worker *worker, struct logline *line)
{
	struct log_ring *ring = worker->log;
	char *out;

	line->worker = worker->number;
	line->seq = ++worker->seq;
	counters_add(&worker->counters, line);
	if (!ring)
		return;
	line->node = slice_str(ring->log->node);
	out = ring_room(ring);
	if (out && ring->lost) {
		struct logline gap;
		gap_line(ring->log, &gap, worker->number, ring->lost);
		ring_add(ring, logline_write(&gap, out));
		ring->lost = 0;
		out = ring_room(ring);
	}
	if (!out) {
		ring->lost++;
		atomic_fetch_add(&ring->log->lost, 1);
		return;
	}
	ring_add(ring, logline_write(line, out));
}

void access_log_note(struct access_log *log, struct logline *line)
{
	if (log->fd < 0 && !*log->path)
		return;
	pthread_mutex_lock(&log->lock);
	line->node = slice_str(log->node);
	line->worker = NOTE_WORKER;
	line->seq = ++log->note_seq;
	if (NOTE_BYTES - log->notes_len >= LOG_LINE_MAX) {
		log->notes_len += logline_write(line, log->notes + log->notes_len);
	} else {
		log->note_lost++;
		atomic_fetch_add(&log->lost, 1);
	}
	pthread_mutex_unlock(&log->lock);
	kick(log);
}

/* ---- the file ---- */

static uint64_t count_lines(const char *bytes, size_t len)
{
	uint64_t lines = 0;

	for (const char *at = bytes, *end = bytes + len; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		lines++;
	return lines;
}

/* Writes whole lines. What cannot be written is cut back to the last whole line; returns how many lines were lost. */
static uint64_t file_write(struct access_log *log, const char *bytes, size_t len)
{
	size_t pos = 0;

	while (pos < len) {
		ssize_t n = log->fd < 0 ? -1 : write(log->fd, bytes + pos, len - pos);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		pos += (size_t)n;
	}
	if (pos == len)
		return 0;
	size_t whole = pos;
	while (whole > 0 && bytes[whole - 1] != '\n')
		whole--;
	struct stat st;
	if (whole < pos && fstat(log->fd, &st) == 0 && S_ISREG(st.st_mode)
			&& ftruncate(log->fd, st.st_size - (off_t)(pos - whole)) < 0)
		whole = pos;                       /* a torn line stays: readers count and show it */
	uint64_t lines = count_lines(bytes + whole, len - whole);
	atomic_fetch_add(&log->lost, lines);
	return lines;
}

static bool file_open(struct access_log *log)
{
	char *header = must(malloc(LOG_LINE_MAX));
	struct stat st;
	int fd = strcmp(log->path, "-") == 0 ? dup(1) : open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	bool ok = fd >= 0;

	if (ok) {
		if (log->fd >= 0)
			close(log->fd);
		log->fd = fd;
		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
			file_write(log, header, logline_write_header(header));
	}
	free(header);
	return ok;
}

static bool ring_drain(struct access_log *log, struct log_ring *ring)
{
	size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
	size_t len = atomic_load_explicit(&ring->written, memory_order_acquire) - taken;

	if (!len)
		return false;
	if (ring->file_lost) {
		char *out = must(malloc(LOG_LINE_MAX));
		struct logline gap;
		gap_line(log, &gap, ring->worker, ring->file_lost);
		size_t gap_len = logline_write(&gap, out);
		if (file_write(log, out, gap_len) == 0)
			ring->file_lost = 0;
		else
			atomic_fetch_sub(&log->lost, 1);       /* the gap record itself is not a lost request */
		free(out);
	}
	ring->file_lost += file_write(log, ring->bytes + taken % RING_BYTES, len);
	atomic_store_explicit(&ring->taken, taken + len, memory_order_release);
	return true;
}

static bool drain(struct access_log *log)
{
	bool any = log->notes_len > 0;

	if (any) {
		file_write(log, log->notes, log->notes_len);
		log->notes_len = 0;
	}
	for (unsigned i = 0; i < log->count; i++)
		any |= ring_drain(log, &log->rings[i]);
	return any;
}

static void *log_main(void *arg)
{
	struct access_log *log = arg;
	struct pollfd wait = { .fd = log->wake_fd, .events = POLLIN };
	uint64_t count;
	bool any, stop = false;

	while (!stop) {
		int n = poll(&wait, 1, atomic_load(&log->idle) ? -1 : DRAIN_MS);
		atomic_store(&log->kicked, false);
		if (n > 0 && read(log->wake_fd, &count, sizeof(count)) < 0)
			continue;
		pthread_mutex_lock(&log->lock);
		/* Idle is said before the last look: who writes after that look sees it and kicks. */
		bool was_idle = atomic_exchange(&log->idle, false);
		any = drain(log);
		if (!any && !was_idle) {
			atomic_store(&log->idle, true);
			if (drain(log))
				atomic_store(&log->idle, false);
		}
		if (log->sync_done != log->sync_wanted) {
			log->reopen_ok = !log->reopen || file_open(log);
			log->reopen = false;
			log->sync_done = log->sync_wanted;
			pthread_cond_broadcast(&log->done);
		}
		stop = log->stop;
		if (stop)
			drain(log);
		pthread_mutex_unlock(&log->lock);
	}
	return NULL;
}

/* ---- life ---- */

static char *ring_map(void)
{
	int fd = memfd_create("access-log-ring", MFD_CLOEXEC);
	char *bytes;

	CHECK(fd >= 0 && ftruncate(fd, RING_BYTES) == 0);
	bytes = mmap(NULL, 2 * RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(bytes != MAP_FAILED);
	for (int i = 0; i < 2; i++)
		CHECK(mmap(bytes + i * RING_BYTES, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
	close(fd);
	return bytes;
}

bool access_log_open(const char *path, unsigned workers, const char *node, struct access_log **ret_log, char why[256])
{
	struct access_log *log = must(calloc(1, sizeof(*log)));

	log->path = must(strdup(path));
	snprintf(log->node, sizeof(log->node), "%s", node);
	log->fd = log->wake_fd = -1;
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->done, NULL);
	*ret_log = log;
	if (!*path)
		return true;
	if (!file_open(log)) {
		snprintf(why, 256, "access_log: cannot open '%s': %s", path, strerror(errno));
		access_log_close(ret_log);
		return false;
	}
	log->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(log->wake_fd >= 0);
	log->notes = must(malloc(NOTE_BYTES));
	log->count = workers;
	log->rings = must(aligned_alloc(64, workers * sizeof(*log->rings)));
	memset(log->rings, 0, workers * sizeof(*log->rings));
	for (unsigned i = 0; i < workers; i++) {
		log->rings[i].log = log;
		log->rings[i].worker = i;
		log->rings[i].bytes = ring_map();
	}
	CHECK(pthread_create(&log->thread, NULL, log_main, log) == 0);
	return true;
}

void access_log_close(struct access_log **log)
{
	struct access_log *l = *log;

	if (!l)
		return;
	*log = NULL;
	if (l->wake_fd >= 0) {
		pthread_mutex_lock(&l->lock);
		l->stop = true;
		pthread_mutex_unlock(&l->lock);
		kick(l);
		pthread_join(l->thread, NULL);
		close(l->wake_fd);
	}
	for (unsigned i = 0; i < l->count; i++)
		munmap(l->rings[i].bytes, 2 * RING_BYTES);
	if (l->fd >= 0)
		close(l->fd);
	pthread_cond_destroy(&l->done);
	pthread_mutex_destroy(&l->lock);
	free(l->rings);
	free(l->notes);
	free(l->path);
	free(l);
}

/* Until the log thread has written all that is there by now, and opened a new file when one is wanted. */
static bool log_sync(struct access_log *log, bool reopen)
{
	bool ok;

	if (log->wake_fd < 0)
		return true;
	pthread_mutex_lock(&log->lock);
	unsigned wanted = ++log->sync_wanted;
	log->reopen |= reopen;
	kick(log);
	while ((int)(log->sync_done - wanted) < 0)
		pthread_cond_wait(&log->done, &log->lock);
	ok = log->reopen_ok;
	pthread_mutex_unlock(&log->lock);
	return ok;
}

bool access_log_reopen(struct access_log *log)
{
	return log_sync(log, true);
}

void access_log_sync(struct access_log *log)
{
	log_sync(log, false);
}

struct log_ring *access_log_ring(struct access_log *log, unsigned worker)
{
	return worker < log->count ? &log->rings[worker] : NULL;
}

uint64_t access_log_lost(const struct access_log *log)
{
	return atomic_load(&((struct access_log *)(uintptr_t)log)->lost);
}
