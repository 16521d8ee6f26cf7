/* Messages to a worker from any thread, and what the worker itself puts off to the end of its round.
 *
 * Senders push onto a list, newest first; the worker takes the whole list and turns it round, so that the order of each
 * sender is kept. A sender writes to the eventfd only when it finds the worker asleep, and only the first one does. The
 * worker's own thread is never asleep when it posts, so that its messages never cost a system call. */
#include "worker_internal.h"

#include <errno.h>
#include <unistd.h>

void mail_init(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	atomic_init(&priv->mail, NULL);
	atomic_init(&priv->asleep, false);
	priv->deferred_end = &priv->deferred;
}

/* The push and the look at `asleep`, and in mail_sleep() the reverse of both, are in one total order (seq_cst): either the
 * sender sees a sleeper, or the sleeper sees the message. */
void worker_post(struct worker *worker, struct mail *mail)
{
	struct worker_priv *priv = worker->priv;
	struct mail *first = atomic_load_explicit(&priv->mail, memory_order_relaxed);
	const uint64_t one = 1;

	do
		mail->next = first;
	while (!atomic_compare_exchange_weak(&priv->mail, &first, mail));
	if (!atomic_load(&priv->asleep) || !atomic_exchange(&priv->asleep, false))
		return;
	/* The descriptor is watched by edge and never read: its count would take ages to fill. */
	while (write(worker->wake_fd, &one, sizeof(one)) < 0)
		CHECK(errno == EINTR);
}

bool mail_is_empty(struct worker *worker)
{
	return !atomic_load(&worker->priv->mail);
}

bool mail_sleep(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	atomic_store(&priv->asleep, true);
	if (mail_is_empty(worker))
		return true;
	atomic_store(&priv->asleep, false);
	return false;
}

void mail_awake(struct worker *worker)
{
	/* Late writes of the eventfd by one who saw it asleep only cost an empty round. */
	atomic_store_explicit(&worker->priv->asleep, false, memory_order_relaxed);
}

void mail_run(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;
	struct mail *newest, *oldest = NULL;

	if (!atomic_load_explicit(&priv->mail, memory_order_relaxed))
		return;
	newest = atomic_exchange_explicit(&priv->mail, NULL, memory_order_acquire);
	while (newest) {
		struct mail *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest) {
		struct mail *mail = oldest;

		oldest = mail->next;             /* run() may free it, or post it again */
		mail->run(worker, mail);
	}
}

void worker_defer(struct worker *worker, struct mail *mail)
{
	struct worker_priv *priv = worker->priv;

	mail->next = NULL;
	*priv->deferred_end = mail;
	priv->deferred_end = &mail->next;
}

void deferred_run(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	while (priv->deferred) {
		struct mail *mail = priv->deferred;

		priv->deferred = NULL;
		priv->deferred_end = &priv->deferred;
		while (mail) {
			struct mail *next = mail->next;

			mail->run(worker, mail);
			mail = next;
		}
	}
}
