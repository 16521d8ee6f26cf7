/* What worker.c, timer.c, mail.c and listener.c share, and how the daemon makes, runs and ends workers. */
#ifndef PROXYD_WORKER_INTERNAL_H
#define PROXYD_WORKER_INTERNAL_H

#include <pthread.h>

#include "worker.h"

/* The wheel: a slot is 2^16 us = 66 ms wide, a turn is 67 s. What is due later is hung again once a turn. */
enum { TIMER_SLOT_SHIFT = 16, TIMER_SLOTS = 1024, TIMER_WORDS = TIMER_SLOTS / 64 };
enum { EVENTS_MAX = 256 };               /* fetched by one epoll_wait */

struct wheel {
	struct timer slots[TIMER_SLOTS];     /* heads of rings */
	uint64_t used[TIMER_WORDS];          /* a bit for each slot that is not empty */
	uint64_t done;                       /* number of the last slot of time that was run: now_us >> TIMER_SLOT_SHIFT */
};

struct listener;

struct worker_priv {
	pthread_t thread;
	struct wheel wheel;
	struct io wake;
	struct mail *deferred, **deferred_end;
	struct epoll_event events[EVENTS_MAX];
	int event_at, event_count;           /* of this round: the next one to be delivered; how many were fetched */
	bool started, stop;
	bool drained;                        /* the loop ends with the last connection */
	struct mail drain_mail;
	struct listener *listeners;          /* listener.c's own, from here to resume_timer */
	bool listeners_full;                 /* they wait for a connection to end */
	bool listeners_starved;              /* they wait for the timer: no descriptors */
	struct timer resume_timer;

	/* Written by any thread. */
	_Alignas(64) _Atomic(struct mail *) mail;   /* posted and not run, newest first */
	atomic_bool ended;                   /* the thread is at its end */
	atomic_bool asleep;                  /* nobody has woken it since it went to sleep */
};

/* Makes a worker that does not run yet: listeners and messages may be given to it. Takes a reference on conf. NULL with
 * errno when the system refuses. */
struct worker *worker_new(struct daemon *daemon, unsigned number, struct conf *conf, struct log_ring *log);
bool worker_start(struct worker *worker);
/* In the worker's thread: the loop ends after this round. */
void worker_stop(struct worker *worker);
/* In the worker's thread. Graceful: no new connections; the loop ends when the last one has. */
void worker_drain(struct worker *worker);
/* In the worker's thread. At once: what is in progress is broken off and logged. */
void worker_end(struct worker *worker);
bool worker_has_ended(const struct worker *worker);
/* Waits for the thread's end. */
void worker_join(struct worker *worker);
/* Runs what is still posted, then frees it. The thread has ended, and so has whoever might post: volumes are closed before. */
void worker_free(struct worker **worker);
/* Reads the clocks: once a round, and by what runs a worker without its loop (unit tests). */
void worker_clock(struct worker *worker);

/* timer.c */
void timers_init(struct worker *worker);
void timers_run(struct worker *worker);
/* Milliseconds until the next slot with something in it is over, -1: none. */
int timers_wait_ms(const struct worker *worker);

/* mail.c */
void mail_init(struct worker *worker);
/* Runs what is posted by now. */
void mail_run(struct worker *worker);
/* Runs what was put off, and what that puts off in turn. */
void deferred_run(struct worker *worker);
/* About to sleep: true when nothing is posted, and from now on who posts must wake. */
bool mail_sleep(struct worker *worker);
void mail_awake(struct worker *worker);
bool mail_is_empty(struct worker *worker);

#endif
