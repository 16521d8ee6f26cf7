/* Messages to a worker: a stack that any thread pushes to without a lock and the worker takes whole; a wake-up is written
 * only when the worker may be asleep and nobody else has written one. */
#include "worker_internal.h"

#include <unistd.h>

static _Thread_local struct worker *current;

void worker_post(struct worker *worker, struct mail *mail)
{
	struct worker_priv *priv = worker->priv;
	struct mail *head = atomic_load_explicit(&priv->mail, memory_order_relaxed);
	uint64_t one = 1;

	do
		mail->next = head;
	while (!atomic_compare_exchange_weak_explicit(&priv->mail, &head, mail, memory_order_seq_cst, memory_order_relaxed));
	if (current == worker)
		return;                        /* it looks before it sleeps */
	if (!atomic_exchange(&priv->awake, true)) {
		ssize_t n = write(worker->wake_fd, &one, sizeof(one));
		(void)n;                       /* EAGAIN: the counter is full, so it wakes anyhow */
	}
}

void mail_owner(struct worker *worker)
{
	current = worker;
}

/* Runs what was posted, in order of posting. False: there was nothing. */
bool mail_run(struct worker *worker)
{
	struct mail *mail = atomic_exchange(&worker->priv->mail, NULL), *ordered = NULL, *next;

	if (!mail)
		return false;
	for (; mail; mail = next) {
		next = mail->next;
		mail->next = ordered;
		ordered = mail;
	}
	for (; ordered; ordered = next) {
		next = ordered->next;
		ordered->run(worker, ordered);
	}
	return true;
}

void worker_defer(struct worker *worker, struct mail *mail)
{
	struct worker_priv *priv = worker->priv;

	mail->next = NULL;
	*priv->deferred_end = mail;
	priv->deferred_end = &mail->next;
}

bool deferred_run(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;
	bool any = false;

	while (priv->deferred) {
		struct mail *mail = priv->deferred;
		priv->deferred = mail->next;
		if (!priv->deferred)
			priv->deferred_end = &priv->deferred;
		mail->run(worker, mail);
		any = true;
	}
	return any;
}
