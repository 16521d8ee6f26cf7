/* What worker.c, timer.c and mail.c share, and nobody else. */
#ifndef PROXYD_WORKER_INTERNAL_H
#define PROXYD_WORKER_INTERNAL_H

#include <pthread.h>

#include "worker.h"

enum {
	TIMER_SLOT_US = 64 * 1000,
	TIMER_SLOTS = 1024,            /* one turn: 65 s */
	EVENTS_MAX = 256,              /* fetched by one epoll_wait */
};

struct worker_priv {
	struct timer wheel[TIMER_SLOTS];       /* heads of rings */
	uint64_t wheel_us;                     /* all slots up to this time are done; a multiple of TIMER_SLOT_US */
	uint64_t next_us;                      /* no slot before it has anything in it */
	size_t timers;                         /* hanging */

	pthread_t thread;
	_Atomic(struct mail *) mail;           /* posted, newest first */
	atomic_bool awake;                     /* a wake is pending, or the worker is about to look anyhow */
	struct mail *deferred, **deferred_end;
	struct epoll_event events[EVENTS_MAX];
	int event_count, event_next;
	bool stop;
	struct io wake;
	struct listener *listeners;            /* of this worker */
};

struct worker *worker_new(struct daemon *daemon, unsigned number, struct conf *conf, struct log_ring *log);
bool worker_start(struct worker *worker);
/* In the worker's thread: the loop ends after this round. */
void worker_stop(struct worker *worker);
void worker_join(struct worker *worker);
/* After it was joined. */
void worker_free(struct worker **worker);

void timers_init(struct worker *worker);
void timers_run(struct worker *worker);
/* Milliseconds until the next slot with something in it is due; -1: nothing hangs. */
int timers_wait_ms(const struct worker *worker);
bool mail_run(struct worker *worker);
void mail_owner(struct worker *worker);
bool deferred_run(struct worker *worker);

#endif
