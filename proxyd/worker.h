/* A worker: one thread, one epoll loop, with its own listening sockets, timers, connections, counters and log ring.
 * Everything here is for the worker's own thread, except worker_post(). A worker never waits but in epoll_wait. */
#ifndef PROXYD_WORKER_H
#define PROXYD_WORKER_H

#include <sys/epoll.h>
#include <stdatomic.h>

#include "../conf/conf.h"
#include "../conf/counters.h"
#include "../conf/check.h"

struct worker;
struct log_ring;
struct daemon;

/* A descriptor in the loop. The struct is the owner's and stays until worker_io_close or _forget. */
struct io {
	int fd;                          /* -1: none */
	uint32_t events;                 /* what is armed: EPOLLIN, EPOLLOUT (level-triggered); EPOLLRDHUP as asked */
	bool known;                      /* worker.c's own: epoll has it */
	void (*ready)(struct worker *worker, struct io *io, uint32_t events);
};
/* Adds or changes what is waited for; makes no system call when nothing changes. events 0: stays registered, for
 * EPOLLERR and EPOLLHUP only. */
void worker_io_arm(struct worker *worker, struct io *io, uint32_t events);
/* Closes the descriptor; events already fetched for it in this round are not delivered any more, and the struct may be
 * freed at once. */
void worker_io_close(struct worker *worker, struct io *io);
/* Takes it out of the loop without closing. */
void worker_io_forget(struct worker *worker, struct io *io);

/* Timers: coarse (never early, late by at most 128 ms); setting and clearing is O(1) and makes no
 * system call. Moving a timer further into the future is free. */
struct timer {
	struct timer *prev, *next;
	uint64_t due_us;                 /* monotonic; 0: not set */
	uint64_t slot_us;                /* where it hangs in the wheel: may be before due_us */
	void (*fire)(struct worker *worker, struct timer *timer);
};
void timer_set(struct worker *worker, struct timer *timer, uint64_t delay_us, void (*fire)(struct worker *, struct timer *));
void timer_clear(struct worker *worker, struct timer *timer);

/* Messages to a worker from any thread, its own included: run() is called in the worker's thread, in order of posting for
 * one sender. The struct is the sender's and may be posted again from run() on; never while it is still queued. */
struct mail {
	struct mail *next;
	void (*run)(struct worker *worker, struct mail *mail);
};
void worker_post(struct worker *worker, struct mail *mail);
/* Runs at the end of the current round of the loop, before the next epoll_wait: the worker's own thread only. For what
 * must not be done on the stack of its cause (freeing a connection from its own call back). */
void worker_defer(struct worker *worker, struct mail *mail);

struct worker {
	unsigned number;                 /* from 0 */
	int epoll_fd, wake_fd;
	uint64_t now_us;                 /* monotonic, read once a round */
	int64_t wall_us;                 /* since 1970, read once a round */
	int64_t steady_us;               /* the same, but never going back: by it the age of what is stored is measured */
	char date[32];                   /* "Date: " value for wall_us, 29 bytes */
	struct conf *conf;               /* current configuration, one reference; swapped by a message at reload */
	struct daemon *daemon;
	struct counters counters;        /* added to by access_log_write only */
	struct log_ring *log;
	uint64_t seq, conn_seq;          /* log records written; connections accepted */
	uint64_t rng[4];                 /* for request ids */
	atomic_size_t conn_count;        /* written by the worker only; read by others */
	bool draining;                   /* stop accepting; close what is idle */
	struct client_list *clients;     /* conn.c's own */
	struct origin_pool *origins;     /* origin.c's own */
	struct tls_worker *tls;         /* of TLS: tls.h; NULL: not needed yet */
	struct worker_priv *priv;        /* worker.c's own */
};

uint64_t worker_random(struct worker *worker);

/* What a worker's modules need told; implemented by conn.c and origin.c, called by worker.c in the worker's thread. */
void clients_init(struct worker *worker);
void clients_free(struct worker *worker);        /* after clients_abort */
void clients_accept(struct worker *worker, int fd, const struct conf_listen *listen, const struct sockaddr *peer, socklen_t peer_len);
/* The worker has another configuration now: idle connections go on with it, or are closed when it does not listen there. */
void clients_reload(struct worker *worker);
/* Graceful stop: idle connections are closed now, the others after their answer ("Connection: close"). */
void clients_drain(struct worker *worker);
/* Ends everything at once (END_shutdown); each request makes its record. */
void clients_abort(struct worker *worker);
void origins_init(struct worker *worker);
/* Idle connections to origins that the new configuration does not have are closed; health state is kept by address. */
void origins_reload(struct worker *worker, const struct conf *old, const struct conf *now);
void origins_free(struct worker *worker);

/* What this daemon calls itself in Via and CDN-Loop: never the same as another one's. */
struct slice daemon_self(const struct daemon *daemon);
/* The volume that a configuration names: opened by the daemon before the configuration is taken into use. NULL when it
 * was set aside. */
struct volume *daemon_volume(struct daemon *daemon, const struct conf_volume *volume);

#endif
