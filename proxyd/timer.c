/* Timers: a hashed wheel. A timer hangs in the slot of the time it was first set for; moving it further into the future
 * only changes due_us, and when its slot comes it is hung anew. Nothing is ever fired early; late by at most two slots. */
#include "worker_internal.h"

static struct timer *slot_of(struct worker_priv *priv, uint64_t us)
{
	return &priv->wheel[us / TIMER_SLOT_US % TIMER_SLOTS];
}

static void hang(struct worker_priv *priv, struct timer *timer, uint64_t us)
{
	/* What lies beyond one turn of the wheel hangs in the last slot before it and is looked at once a turn. */
	uint64_t far = priv->wheel_us + (uint64_t)(TIMER_SLOTS - 1) * TIMER_SLOT_US;
	struct timer *slot;

	timer->slot_us = us < far ? us : far;
	if (timer->slot_us < priv->wheel_us + TIMER_SLOT_US)
		timer->slot_us = priv->wheel_us + TIMER_SLOT_US;
	if (timer->slot_us < priv->next_us)
		priv->next_us = timer->slot_us;
	slot = slot_of(priv, timer->slot_us);
	timer->prev = slot;
	timer->next = slot->next;
	slot->next->prev = timer;
	slot->next = timer;
}

static void unhang(struct timer *timer)
{
	timer->prev->next = timer->next;
	timer->next->prev = timer->prev;
	timer->prev = timer->next = NULL;
}

void timers_init(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	for (size_t i = 0; i < TIMER_SLOTS; i++)
		priv->wheel[i].prev = priv->wheel[i].next = &priv->wheel[i];
	priv->wheel_us = worker->now_us / TIMER_SLOT_US * TIMER_SLOT_US;
}

void timer_set(struct worker *worker, struct timer *timer, uint64_t delay_us, void (*fire)(struct worker *, struct timer *))
{
	struct worker_priv *priv = worker->priv;

	timer->due_us = worker->now_us + delay_us;
	timer->fire = fire;
	if (timer->next && timer->slot_us <= timer->due_us)
		return;
	if (timer->next)
		unhang(timer);
	else
		priv->timers++;
	hang(priv, timer, timer->due_us);
}

void timer_clear(struct worker *worker, struct timer *timer)
{
	timer->due_us = 0;
	if (!timer->next)
		return;
	unhang(timer);
	worker->priv->timers--;
}

/* One slot: what is due fires, what was moved is hung anew. A timer may set or clear any timer while it fires. */
static void slot_run(struct worker *worker, struct timer *slot)
{
	struct worker_priv *priv = worker->priv;
	struct timer ring;

	if (slot->next == slot)
		return;
	ring.next = slot->next;
	ring.prev = slot->prev;
	ring.next->prev = ring.prev->next = &ring;
	slot->prev = slot->next = slot;
	while (ring.next != &ring) {
		struct timer *timer = ring.next;
		unhang(timer);
		if (timer->due_us > worker->now_us) {
			hang(priv, timer, timer->due_us);
			continue;
		}
		priv->timers--;
		timer->due_us = 0;
		timer->fire(worker, timer);
	}
}

void timers_run(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;
	uint64_t now = worker->now_us / TIMER_SLOT_US * TIMER_SLOT_US;
	uint64_t turns = 0;

	/* After a long sleep each slot needs to be looked at once only. */
	while (priv->wheel_us < now && turns++ < TIMER_SLOTS) {
		priv->wheel_us += TIMER_SLOT_US;
		slot_run(worker, slot_of(priv, priv->wheel_us));
	}
	if (priv->wheel_us < now)
		priv->wheel_us = now;
}

/* The first slot with something in it, from the wheel's hand on. */
static uint64_t first_slot(const struct worker_priv *priv)
{
	for (uint64_t i = 1; i < TIMER_SLOTS; i++) {
		uint64_t at = priv->wheel_us + i * TIMER_SLOT_US;
		const struct timer *slot = &priv->wheel[at / TIMER_SLOT_US % TIMER_SLOTS];
		if (slot->next != slot)
			return at;
	}
	return priv->wheel_us + TIMER_SLOT_US;
}

int timers_wait_ms(const struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	if (priv->timers == 0)
		return -1;
	/* next_us is never later than the first slot; it is looked for only when its time has come. */
	if (priv->next_us <= priv->wheel_us)
		priv->next_us = first_slot(priv);
	uint64_t at = priv->next_us / TIMER_SLOT_US * TIMER_SLOT_US;
	return at <= worker->now_us ? 0 : (int)((at - worker->now_us) / 1000) + 1;
}
