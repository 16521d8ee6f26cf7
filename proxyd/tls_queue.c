/* The handshakes of a worker: whose turn it is. A private key's work takes a tenth of a millisecond to two; a thousand clients
 * that come at once wait for each other, not the open connections for them. */
#include "tls.h"

#include <stdlib.h>

#include "clock.h"

enum { ROUND_MAX = 16, ROUND_US = 2000 };        /* in one round of the loop: handshakes, and time */

void tls_worker_make(struct worker *worker)
{
	if (worker->tls)
		return;
	worker->tls = must(calloc(1, sizeof(*worker->tls)));
	worker->tls->ready_end = &worker->tls->ready;
}

void tls_worker_free(struct worker *worker)
{
	free(worker->tls);
	worker->tls = NULL;
}

void tls_enter(struct tls *tls)
{
	struct tls_worker *w = tls->scratch;

	tls->linked = true;
	tls->prev = w->newest;
	if (w->newest)
		w->newest->next = tls;
	else
		w->oldest = tls;
	w->newest = tls;
	w->under_way++;
}

static void queue_leave(struct tls *tls)
{
	struct tls_worker *w = tls->scratch;
	struct tls **at = &w->ready;

	if (!tls->queued)
		return;
	while (*at != tls)
		at = &(*at)->ready_next;
	*at = tls->ready_next;
	if (!*at)
		w->ready_end = at;
	tls->queued = false;
}

void tls_leave(struct tls *tls)
{
	struct tls_worker *w = tls->scratch;

	queue_leave(tls);
	if (!tls->linked)
		return;
	*(tls->prev ? &tls->prev->next : &w->oldest) = tls->next;
	*(tls->next ? &tls->next->prev : &w->newest) = tls->prev;
	tls->prev = tls->next = NULL;
	tls->linked = false;
	w->under_way--;
}

static void queue_run(struct worker *worker, struct mail *mail)
{
	struct tls_worker *w = worker->tls;
	uint64_t began_us = clock_now_us();

	w->mail_posted = false;
	for (int i = 0; w->ready && i < ROUND_MAX && clock_now_us() - began_us < ROUND_US; i++) {
		struct tls *tls = w->ready;

		w->ready = tls->ready_next;
		if (!w->ready)
			w->ready_end = &w->ready;
		tls->queued = false;
		tls->resume(tls->owner);
	}
	if (w->ready) {
		w->mail_posted = true;
		worker_post(worker, mail);
	}
}

void tls_queue(struct tls *tls)
{
	struct tls_worker *w = tls->scratch;

	if (tls->queued)
		return;
	tls->queued = true;
	tls->ready_next = NULL;
	*w->ready_end = tls;
	w->ready_end = &tls->ready_next;
	if (w->mail_posted)
		return;
	w->mail_posted = true;
	w->mail.run = queue_run;
	worker_post(tls->worker, &w->mail);
}

struct tls *tls_surplus(const struct worker *worker, uint64_t most)
{
	return worker->tls && worker->tls->under_way > most ? worker->tls->oldest : NULL;
}
