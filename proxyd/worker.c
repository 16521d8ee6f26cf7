/* The loop of a worker: events, timers, messages, and what was put off to the end of the round. */
#include "worker_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "http_cache.h"
#include "listener.h"
#include "tls.h"

/* ---- clocks ---- */

void worker_clock(struct worker *worker)
{
	int64_t second = worker->wall_us / 1000000;

	worker->wall_us = clock_wall_us();
	worker->now_us = clock_now_us();
	worker->steady_us = clock_steady_us(worker->wall_us, worker->now_us);
	if (worker->wall_us / 1000000 != second)
		http_format_date(worker->wall_us, worker->date);
}

/* ---- descriptors ---- */

void worker_io_arm(struct worker *worker, struct io *io, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = io };

	if (io->known && io->events == events)
		return;
	CHECK(io->fd >= 0);
	/* Only our own mistakes and a lack of kernel memory make it fail; the latter ends in the owner's time-out. */
	if (epoll_ctl(worker->epoll_fd, io->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, io->fd, &event) != 0) {
		CHECK(errno == ENOMEM || errno == ENOSPC);
		return;
	}
	io->known = true;
	io->events = events;
}

/* What was fetched for it in this round is not delivered any more. */
static void events_drop(struct worker *worker, const struct io *io)
{
	struct worker_priv *priv = worker->priv;

	for (int i = priv->event_at; i < priv->event_count; i++)
		if (priv->events[i].data.ptr == io)
			priv->events[i].data.ptr = NULL;
}

void worker_io_close(struct worker *worker, struct io *io)
{
	if (io->fd < 0)
		return;
	events_drop(worker, io);
	/* To close it would do, were it the only descriptor of its file: a child that is being started (an upgrade, a damaged index)
	 * has copies of all until it runs, and what the loop then tells of is freed here. */
	if (io->known)
		epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	close(io->fd);
	io->fd = -1;
	io->events = 0;
	io->known = false;
}

void worker_io_forget(struct worker *worker, struct io *io)
{
	if (io->known) {
		events_drop(worker, io);
		epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	}
	io->events = 0;
	io->known = false;
}

/* ---- the loop ---- */

static void wake_ready(struct worker *worker, struct io *io, uint32_t events)
{
	(void)worker, (void)io, (void)events;    /* that the wait is over is all it is for */
}

static void events_run(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	while (priv->event_at < priv->event_count) {
		const struct epoll_event *event = &priv->events[priv->event_at++];
		struct io *io = event->data.ptr;

		if (io)
			io->ready(worker, io, event->events);
	}
	priv->event_at = priv->event_count = 0;
}

static void round_run(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;
	int wait = mail_sleep(worker) ? timers_wait_ms(worker) : 0, count;

	count = epoll_wait(worker->epoll_fd, priv->events, EVENTS_MAX, wait);
	mail_awake(worker);
	CHECK(count >= 0 || errno == EINTR);
	priv->event_count = count < 0 ? 0 : count;
	worker_clock(worker);
	events_run(worker);                      /* before timers: bytes that came in time count */
	timers_run(worker);
	mail_run(worker);
	deferred_run(worker);
	listeners_round(worker);
	if (priv->drained && worker->conn_count == 0)
		worker_end(worker);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	struct worker_priv *priv = worker->priv;
	char name[16];

	snprintf(name, sizeof(name), "worker %u", worker->number % 100000);
	pthread_setname_np(pthread_self(), name);
	worker_clock(worker);
	while (!priv->stop)
		round_run(worker);
	atomic_store(&priv->ended, true);
	return NULL;
}

bool worker_has_ended(const struct worker *worker)
{
	return atomic_load(&worker->priv->ended);
}

/* ---- life ---- */

/* errno survives. */
static void worker_drop(struct worker *worker)
{
	int err = errno;

	if (worker->epoll_fd >= 0)
		close(worker->epoll_fd);
	if (worker->wake_fd >= 0)
		close(worker->wake_fd);
	free(worker->priv);
	free(worker);
	errno = err;
}

struct worker *worker_new(struct daemon *daemon, unsigned number, struct conf *conf, struct log_ring *log)
{
	struct worker *worker = must(calloc(1, sizeof(*worker)));
	struct worker_priv *priv = worker->priv = must(aligned_alloc(64, (sizeof(*priv) + 63) / 64 * 64));

	memset(priv, 0, sizeof(*priv));
	worker->number = number;
	worker->daemon = daemon;
	worker->log = log;
	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->epoll_fd < 0 || worker->wake_fd < 0 || getrandom(worker->rng, sizeof(worker->rng), 0) != sizeof(worker->rng)) {
		worker_drop(worker);
		return NULL;
	}
	worker->conf = conf_ref(conf);
	worker_clock(worker);
	timers_init(worker);
	mail_init(worker);
	priv->wake = (struct io){ .fd = worker->wake_fd, .ready = wake_ready };
	worker_io_arm(worker, &priv->wake, EPOLLIN | EPOLLET);
	clients_init(worker);
	origins_init(worker);
	return worker;
}

bool worker_start(struct worker *worker)
{
	int err = pthread_create(&worker->priv->thread, NULL, worker_main, worker);

	worker->priv->started = err == 0;
	errno = err;
	return err == 0;
}

void worker_stop(struct worker *worker)
{
	worker->priv->stop = true;
}

static void drain_clients(struct worker *worker, struct mail *mail)
{
	(void)mail;
	clients_drain(worker);
	worker->priv->drained = true;
}

void worker_drain(struct worker *worker)
{
	if (worker->draining)
		return;
	worker->draining = true;
	listeners_drain(worker);
	/* In the next round: requests that have arrived on what was accepted just now are no idle connections. */
	worker->priv->drain_mail.run = drain_clients;
	worker_post(worker, &worker->priv->drain_mail);
}

void worker_end(struct worker *worker)
{
	worker->draining = true;
	listeners_free(worker);
	clients_abort(worker);
	worker_stop(worker);
}

void worker_join(struct worker *worker)
{
	if (worker->priv->started)
		pthread_join(worker->priv->thread, NULL);
	worker->priv->started = false;
}

void worker_free(struct worker **worker)
{
	struct worker *w = *worker;

	if (!w)
		return;
	*worker = NULL;
	do {
		mail_run(w);
		deferred_run(w);
	} while (!mail_is_empty(w) || w->priv->deferred);
	listeners_free(w);
	origins_free(w);
	clients_free(w);
	tls_worker_free(w);
	conf_unref(&w->conf);
	worker_drop(w);
}

/* xoshiro256** (Blackman and Vigna 2018): for request ids, which need to be different and not secret. */
uint64_t worker_random(struct worker *worker)
{
	uint64_t *s = worker->rng, x = s[1] * 5, t = s[1] << 17;

	x = (x << 7 | x >> 57) * 9;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return x;
}
