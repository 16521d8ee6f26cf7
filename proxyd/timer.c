/* The timer wheel of a worker.
 *
 * A timer hangs in the slot of time that follows its due time, so that it is never early and at most one slot (66 ms) and
 * one rounding of epoll_wait late. A timer that is moved into the future stays where it hangs, which costs nothing: when
 * its slot comes it is hung again. The same serves times beyond a turn of the wheel. */
#include "worker_internal.h"

static void ring_init(struct timer *head)
{
	head->prev = head->next = head;
}

void timers_init(struct worker *worker)
{
	struct wheel *wheel = &worker->priv->wheel;

	for (size_t i = 0; i < TIMER_SLOTS; i++)
		ring_init(&wheel->slots[i]);
	wheel->done = worker->now_us >> TIMER_SLOT_SHIFT;
}

/* The slot after the one in which it is due. */
static uint64_t slot_of(uint64_t due_us)
{
	return (due_us >> TIMER_SLOT_SHIFT) + 1;
}

static void timer_hang(struct wheel *wheel, struct timer *timer)
{
	uint64_t slot = slot_of(timer->due_us);
	struct timer *head;

	if (slot <= wheel->done)
		slot = wheel->done + 1;
	if (slot > wheel->done + TIMER_SLOTS - 1)
		slot = wheel->done + TIMER_SLOTS - 1;
	timer->slot_us = slot << TIMER_SLOT_SHIFT;
	slot %= TIMER_SLOTS;
	wheel->used[slot / 64] |= UINT64_C(1) << slot % 64;
	head = &wheel->slots[slot];
	timer->next = head;
	timer->prev = head->prev;
	timer->prev->next = timer;
	head->prev = timer;
}

static void timer_unhang(struct wheel *wheel, struct timer *timer)
{
	uint64_t slot = (timer->slot_us >> TIMER_SLOT_SHIFT) % TIMER_SLOTS;

	timer->prev->next = timer->next;
	timer->next->prev = timer->prev;
	timer->prev = timer->next = NULL;
	if (wheel->slots[slot].next == &wheel->slots[slot])
		wheel->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

void timer_set(struct worker *worker, struct timer *timer, uint64_t delay_us, void (*fire)(struct worker *, struct timer *))
{
	struct wheel *wheel = &worker->priv->wheel;
	bool hangs = timer->due_us != 0;

	timer->fire = fire;
	timer->due_us = worker->now_us + delay_us;
	if (hangs && slot_of(timer->due_us) << TIMER_SLOT_SHIFT >= timer->slot_us)
		return;
	if (hangs)
		timer_unhang(wheel, timer);
	timer_hang(wheel, timer);
}

void timer_clear(struct worker *worker, struct timer *timer)
{
	if (timer->due_us == 0)
		return;
	timer_unhang(&worker->priv->wheel, timer);
	timer->due_us = 0;
}

/* Takes the ring out of its slot first: what is set meanwhile belongs to a later one, even to this one's next turn. */
static void slot_run(struct worker *worker, uint64_t slot)
{
	struct wheel *wheel = &worker->priv->wheel;
	struct timer *head = &wheel->slots[slot], ring;

	if (head->next == head)
		return;
	ring = *head;
	ring.next->prev = ring.prev->next = &ring;
	ring_init(head);
	wheel->used[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	while (ring.next != &ring) {
		struct timer *timer = ring.next;

		timer_unhang(wheel, timer);
		if (timer->due_us > worker->now_us) {
			timer_hang(wheel, timer);
			continue;
		}
		timer->due_us = 0;
		timer->fire(worker, timer);
	}
}

void timers_run(struct worker *worker)
{
	struct wheel *wheel = &worker->priv->wheel;
	uint64_t now = worker->now_us >> TIMER_SLOT_SHIFT, slot = wheel->done + 1;

	if (now <= wheel->done)
		return;
	/* After a long halt of the process each slot is looked at once. */
	if (now - wheel->done > TIMER_SLOTS)
		slot = now - TIMER_SLOTS + 1;
	wheel->done = now;
	for (; slot <= now; slot++)
		slot_run(worker, slot % TIMER_SLOTS);
}

/* Slots from now until the next that is used; 0: none is. */
static unsigned slots_until(const struct wheel *wheel)
{
	unsigned from = (unsigned)((wheel->done + 1) % TIMER_SLOTS);

	for (unsigned i = 0; i <= TIMER_WORDS; i++) {
		unsigned word = (from / 64 + i) % TIMER_WORDS;
		uint64_t bits = wheel->used[word];

		if (i == 0)
			bits &= ~UINT64_C(0) << from % 64;
		else if (i == TIMER_WORDS)
			bits &= ~(~UINT64_C(0) << from % 64);
		if (bits)
			return (word * 64 + (unsigned)__builtin_ctzll(bits) - from + TIMER_SLOTS) % TIMER_SLOTS + 1;
	}
	return 0;
}

int timers_wait_ms(const struct worker *worker)
{
	const struct wheel *wheel = &worker->priv->wheel;
	unsigned slots = slots_until(wheel);
	uint64_t until;

	if (slots == 0)
		return -1;
	until = (wheel->done + slots) << TIMER_SLOT_SHIFT;
	return until <= worker->now_us ? 0 : (int)((until - worker->now_us + 999) / 1000);
}
