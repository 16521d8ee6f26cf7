/* The loop of a worker: events, timers, messages, and what was put off to the end of the round. */
#include "worker_internal.h"
#include "http_cache.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void clocks_read(struct worker *worker)
{
	int64_t second = worker->wall_us / 1000000;

	worker->now_us = clock_us(CLOCK_MONOTONIC);
	worker->wall_us = (int64_t)clock_us(CLOCK_REALTIME);
	if (worker->wall_us / 1000000 != second)
		http_format_date(worker->wall_us, worker->date);
}

/* ---- descriptors ---- */




void worker_io_arm(struct worker *worker, struct io *io, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = io };

	if (io->known && io->events == events)
		return;
	if (epoll_ctl(worker->epoll_fd, io->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, io->fd, &event) == 0) {
		io->known = true;
		io->events = events;
	}
}

/* Events that were fetched in this round for a descriptor that is gone are not delivered. */
static void forget_events(struct worker *worker, const struct io *io)
{
	struct worker_priv *priv = worker->priv;

	for (int i = priv->event_next; i < priv->event_count; i++)
		if (priv->events[i].data.ptr == io)
			priv->events[i].data.ptr = NULL;
}

void worker_io_forget(struct worker *worker, struct io *io)
{
	if (io->known)
		epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	io->known = false;
	io->events = 0;
	forget_events(worker, io);
}

void worker_io_close(struct worker *worker, struct io *io)
{
	if (io->fd < 0)
		return;
	forget_events(worker, io);
	close(io->fd);                         /* takes it out of epoll: no descriptor is ever duplicated */
	io->fd = -1;
	io->known = false;
	io->events = 0;
}

/* ---- the loop ---- */

static void wake_ready(struct worker *worker, struct io *io, uint32_t events)
{
	uint64_t count;
	ssize_t n = read(io->fd, &count, sizeof(count));

	(void)n;
	(void)events;
	(void)worker;
}

static void events_run(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	while (priv->event_next < priv->event_count) {
		struct epoll_event *event = &priv->events[priv->event_next++];
		struct io *io = event->data.ptr;
		if (io)
			io->ready(worker, io, event->events);
	}
}

/* Messages and what was put off bring each other forth; all of it runs before the loop sleeps. */
static void work_run(struct worker *worker)
{
	bool any;

	do {
		any = mail_run(worker);
		any |= deferred_run(worker);
	} while (any);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct worker_priv *priv = worker->priv;

	mail_owner(worker);
	while (!priv->stop) {
		int wait = timers_wait_ms(worker);
		/* From here on a message must wake; one posted before is seen here. */
		atomic_store(&priv->awake, false);
		if (atomic_load(&priv->mail))
			wait = 0;
		priv->event_next = 0;
		priv->event_count = epoll_wait(worker->epoll_fd, priv->events, EVENTS_MAX, wait);
		atomic_store(&priv->awake, true);
		if (priv->event_count < 0)
			priv->event_count = 0;
		clocks_read(worker);
		timers_run(worker);
		events_run(worker);
		work_run(worker);
	}
	return NULL;
}

/* ---- life ---- */

struct worker *worker_new(struct daemon *daemon, unsigned number, struct conf *conf, struct log_ring *log)
{
	struct worker *worker = must(calloc(1, sizeof(*worker)));
	struct worker_priv *priv = worker->priv = must(calloc(1, sizeof(*priv)));

	worker->number = number;
	worker->daemon = daemon;
	worker->conf = conf_ref(conf);
	worker->log = log;
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	CHECK(worker->epoll_fd >= 0 && worker->wake_fd >= 0);
	CHECK(getrandom(worker->rng, sizeof(worker->rng), 0) == (ssize_t)sizeof(worker->rng));
	priv->deferred_end = &priv->deferred;
	priv->wake = (struct io){ .fd = worker->wake_fd, .ready = wake_ready };
	clocks_read(worker);
	timers_init(worker);
	worker_io_arm(worker, &priv->wake, EPOLLIN);
	clients_init(worker);
	origins_init(worker);
	return worker;
}

bool worker_start(struct worker *worker)
{
	return pthread_create(&worker->priv->thread, NULL, worker_main, worker) == 0;
}

void worker_stop(struct worker *worker)
{
	worker->priv->stop = true;
}

void worker_join(struct worker *worker)
{
	pthread_join(worker->priv->thread, NULL);
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	*worker = NULL;
	origins_free(w);
	/* What the ends of requests and exchanges have left behind. */
	work_run(w);
	clients_free(w);
	conf_unref(&w->conf);
	close(w->epoll_fd);
	close(w->wake_fd);
	free(w->priv);
	free(w);
}

/* xoshiro256++ (Blackman and Vigna, 2019): ids, not secrets. */
uint64_t worker_random(struct worker *worker)
{
	uint64_t *s = worker->rng, sum = s[0] + s[3];
	uint64_t result = (sum << 23 | sum >> 41) + s[0], t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return result;
}
