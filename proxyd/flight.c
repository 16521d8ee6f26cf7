/* Fetches in progress, by key: a sharded table of flights and of hit-for-miss marks. */
#include "flight.h"

#include <pthread.h>
#include <stdlib.h>

enum { SHARDS = 64, BUCKETS = 256, MARKS = 1024 };

struct flight {
	struct flight *next;
	struct flight_key key;
	struct store_key variant;
	struct object *object;
	struct flight_waiter *waiters;
	size_t waiter_count;
	struct flight_waiter *abandoned;     /* its leader, that goes on only for those who wait */
	bool detached;                       /* not in the table any more */
	bool replaces;                       /* one that was */
};

/* hit-for-miss marks: a small table per shard, one slot a hash; a newer key takes the slot. Forgetting one costs a wait,
 * never a wrong answer. */
struct mark { struct flight_key key; uint64_t until_us; };

static struct shard {
	pthread_mutex_t lock;
	struct flight *buckets[BUCKETS];
	struct mark marks[MARKS];
} shards[SHARDS];

static void shards_init(void)
{
	for (size_t i = 0; i < SHARDS; i++)
		pthread_mutex_init(&shards[i].lock, NULL);
}

void flights_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, shards_init);
}

static bool key_eq(struct flight_key a, struct flight_key b)
{
	return a.key.hi == b.key.hi && a.key.lo == b.key.lo && a.volume == b.volume;
}

static struct shard *shard_of(struct flight_key key)
{
	return &shards[key.key.hi % SHARDS];
}

static struct flight **flight_slot(struct shard *shard, struct flight_key key)
{
	struct flight **at = &shard->buckets[key.key.lo % BUCKETS];

	while (*at && !key_eq((*at)->key, key))
		at = &(*at)->next;
	return at;
}

static void waiter_link(struct flight *flight, struct flight_waiter *waiter)
{
	waiter->flight = flight;
	waiter->key = flight->key;
	waiter->joined = true;
	waiter->prev = NULL;
	waiter->next = flight->waiters;
	if (flight->waiters)
		flight->waiters->prev = waiter;
	flight->waiters = waiter;
	flight->waiter_count++;
}

static void waiter_unlink(struct flight_waiter *waiter)
{
	struct flight *flight = waiter->flight;

	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		flight->waiters = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	waiter->flight = NULL;
	flight->waiter_count--;
}

static void wake_all(struct flight *flight, bool again)
{
	while (flight->waiters) {
		struct flight_waiter *waiter = flight->waiters;
		waiter_unlink(waiter);
		waiter->again = again;
		waiter->wake(waiter);
	}
}

static struct flight *flight_new(struct flight **at, struct flight_key key)
{
	struct flight *flight = must(calloc(1, sizeof(*flight)));

	flight->key = key;
	*at = flight;
	return flight;
}

bool flight_lead(struct flight_key key, struct flight **ret_flight)
{
	struct shard *shard = shard_of(key);

	pthread_mutex_lock(&shard->lock);
	struct flight **at = flight_slot(shard, key);
	bool lead = !*at;
	if (lead)
		*ret_flight = flight_new(at, key);
	pthread_mutex_unlock(&shard->lock);
	return lead;
}

enum flight_join flight_join(struct flight_key key, uint64_t now_us, struct flight_waiter *waiter, struct flight **ret_flight,
	struct object **ret_object, struct store_key *ret_variant)
{
	struct shard *shard = shard_of(key);
	enum flight_join join;

	pthread_mutex_lock(&shard->lock);
	struct flight **at = flight_slot(shard, key);
	const struct mark *mark = &shard->marks[key.key.lo / BUCKETS % MARKS];
	if (*at && (*at)->object) {
		*ret_object = object_ref((*at)->object);
		*ret_variant = (*at)->variant;
		join = FLIGHT_OBJECT;
	} else if (!waiter) {
		join = *at && (*at)->replaces ? FLIGHT_AGAIN : FLIGHT_HIT_FOR_MISS;
	} else if (*at) {
		waiter_link(*at, waiter);
		join = FLIGHT_WAIT;
	} else if (mark->until_us > now_us && key_eq(mark->key, key)) {
		join = FLIGHT_HIT_FOR_MISS;
	} else {
		*ret_flight = flight_new(at, key);
		join = FLIGHT_LEAD;
	}
	pthread_mutex_unlock(&shard->lock);
	return join;
}

void flight_publish(struct flight *flight, struct object *object, struct store_key variant)
{
	struct shard *shard = shard_of(flight->key);

	pthread_mutex_lock(&shard->lock);
	CHECK(!flight->object);
	flight->object = object_ref(object);
	flight->variant = variant;
	wake_all(flight, false);
	pthread_mutex_unlock(&shard->lock);
}

static void end(struct flight **flight, uint64_t hit_for_miss_until_us, bool again)
{
	struct flight *f = *flight;

	if (!f)
		return;
	*flight = NULL;
	struct shard *shard = shard_of(f->key);
	pthread_mutex_lock(&shard->lock);
	if (!f->detached) {
		struct flight **at = flight_slot(shard, f->key);
		CHECK(*at == f);
		*at = f->next;
	}
	if (hit_for_miss_until_us)
		shard->marks[f->key.key.lo / BUCKETS % MARKS] = (struct mark){ f->key, hit_for_miss_until_us };
	wake_all(f, again);
	pthread_mutex_unlock(&shard->lock);
	object_unref(&f->object);
	free(f);
}

void flight_end(struct flight **flight, uint64_t hit_for_miss_until_us)
{
	end(flight, hit_for_miss_until_us, false);
}

void flight_repeat(struct flight **flight)
{
	end(flight, 0, true);
}

bool flight_replace(struct flight_key key, const struct object *object, struct flight **ret_flight)
{
	struct shard *shard = shard_of(key);

	pthread_mutex_lock(&shard->lock);
	struct flight **at = flight_slot(shard, key), *flight = *at;
	bool replace = flight && flight->object == object;
	if (replace) {
		flight->detached = true;
		*at = flight->next;
		*ret_flight = flight_new(flight_slot(shard, key), key);
		(*ret_flight)->replaces = true;
	}
	pthread_mutex_unlock(&shard->lock);
	return replace;
}

size_t flight_abandon(struct flight *flight, struct flight_waiter *leader)
{
	struct shard *shard = shard_of(flight->key);

	pthread_mutex_lock(&shard->lock);
	size_t count = flight->waiter_count;
	flight->abandoned = leader->wake ? leader : NULL;
	pthread_mutex_unlock(&shard->lock);
	return count;
}

void flight_leave(struct flight_waiter *waiter)
{
	struct shard *shard = shard_of(waiter->key);

	if (!waiter->joined)
		return;
	pthread_mutex_lock(&shard->lock);
	struct flight *flight = waiter->flight;
	if (flight)
		waiter_unlink(waiter);
	if (flight && flight->abandoned && flight->waiter_count == 0)
		flight->abandoned->wake(flight->abandoned);
	pthread_mutex_unlock(&shard->lock);
}

void flight_forget(struct flight_key key)
{
	struct shard *shard = shard_of(key);

	pthread_mutex_lock(&shard->lock);
	struct mark *mark = &shard->marks[key.key.lo / BUCKETS % MARKS];
	if (key_eq(mark->key, key))
		mark->until_us = 0;
	pthread_mutex_unlock(&shard->lock);
}
