/* Fetches in progress, by key, shared by all workers: concurrent misses of one object become one fetch (collapsing).
 *
 * The first request to join leads the flight; the others wait until its head is known. Then the flight has an object that
 * they read while it is being filled, or it is released: every waiter goes on by itself at once, and for a time the key is
 * remembered as hit-for-miss, so that nobody waits for it again.
 * Any thread. */
#ifndef PROXYD_FLIGHT_H
#define PROXYD_FLIGHT_H

#include "worker.h"
#include "../cachestore/cachestore.h"

struct flight;

/* What is fetched: two volumes may have the same URL, of two sites that have nothing to do with one another. */
struct flight_key { const struct volume *volume; struct store_key key; };

struct flight_waiter {
	void (*wake)(struct flight_waiter *waiter);   /* called in the leader's thread: must only post a message */
	struct flight_waiter *prev, *next;
	struct flight *flight;                        /* NULL: not waiting; under the shard's lock */
	struct flight_key key;                        /* of the flight it joined */
	bool joined;                                  /* it has ever joined one */
	bool again;                                   /* woken to join anew: what came is not for it */
};

enum flight_join { FLIGHT_LEAD, FLIGHT_WAIT, FLIGHT_OBJECT, FLIGHT_HIT_FOR_MISS, FLIGHT_AGAIN };

void flights_init(void);
/* LEAD: *ret_flight is the caller's to lead, and to end by flight_end().
 * WAIT: the waiter is linked in; wake() comes once, then call again.
 * OBJECT: *ret_object has a reference, *ret_variant is the key it will be stored under.
 * HIT_FOR_MISS: fetch without waiting.
 * waiter NULL: only looks: OBJECT, or HIT_FOR_MISS: who was woken without an object goes on by itself, or those who waited
 * would queue one behind the other. AGAIN: what was waited for has been replaced: join anew, with the waiter. */
enum flight_join flight_join(struct flight_key key, uint64_t now_us, struct flight_waiter *waiter, struct flight **ret_flight,
	struct object **ret_object, struct store_key *ret_variant);
/* Becomes the leader, or leaves it to the one there is: false. */
bool flight_lead(struct flight_key key, struct flight **ret_flight);
/* Leader: the head has come and is being stored as this object; waiters are woken. */
void flight_publish(struct flight *flight, struct object *object, struct store_key variant);
/* Leader: over. hit_for_miss_until: 0, or until when (monotonic) the key is known to be uncacheable. Waiters are woken. */
void flight_end(struct flight **flight, uint64_t hit_for_miss_until_us);
/* What the flight of this key fetches, if it still is this object, is not to be shared any more, though it goes on: the caller
 * leads a flight that takes its place. False: that has happened, or the flight is over; join anew. */
bool flight_replace(struct flight_key key, const struct object *object, struct flight **ret_flight);
/* Leader: over; what came was asked for before a purge. Waiters are woken to join anew: one of them leads. */
void flight_repeat(struct flight **flight);
/* Leader: nobody wants its answer for itself any more. Returns how many wait for it; when the last of them has left, and again
 * whenever that happens, leader->wake() is called, until flight_end(). */
size_t flight_abandon(struct flight *flight, struct flight_waiter *leader);
/* A waiter gives up, or is about to be freed: `flight` alone does not tell whether a leader's thread is still within wake().
 * After it returns wake() is not called any more. */
void flight_leave(struct flight_waiter *waiter);
/* An answer under hit-for-miss turned out cacheable. */
void flight_forget(struct flight_key key);

#endif
