/* Which objects leave the disk when room is needed: the interface of the policies, what they share; who is let in; owners with quotas.
 *
 * A policy sees the entries of one shard, by their numbers, with the shard's lock held. It is told of each that comes, is
 * used and goes, and says who goes next. Room is counted in weights: blocks on disk, and one for what has none. */
#ifndef CACHESTORE_POLICY_H
#define CACHESTORE_POLICY_H

#include <pthread.h>
#include <stdatomic.h>

#include "cachestore.h"

struct entry;
struct shard;
/* What is short: blocks of the data file, or pages of the index, of which a large object has no more than a small one. */
enum room { ROOM_blocks, ROOM_records };

/* ---- keys that are remembered (policy_ghost.c) ----
 * A table of fingerprints of keys (32 bits), each with a value, in buckets; 8 bytes a key, and a bound: in a full bucket the
 * lowest value gives way. Of n keys remembered, another one is taken for one of them with a chance of n * 2^-32.
 * Values are moments of a clock of the caller's, which may wrap: what lies more than 2^30 behind `now` is forgotten. */
struct ghost { uint32_t print, value; };         /* print 0: empty */
struct ghosts {
	struct ghost *slots;                     /* NULL until a key is remembered */
	uint32_t slot_count;                     /* a power of two */
	uint32_t now;                            /* the caller's clock */
};
enum { GHOST_WAYS = 8, GHOST_SLOTS_MIN = 64 };
#define GHOST_AGE_MAX ((uint32_t)1 << 30)
void ghosts_release(struct ghosts *ghosts);
/* Grows, by powers of two, to at least 2/3 of so many slots, and at most 4/3; it does not shrink. */
void ghosts_reserve(struct ghosts *ghosts, uint32_t keys);
void ghosts_add(struct ghosts *ghosts, struct store_key key, uint32_t value);
/* Forgets the key. False: it was not known. */
bool ghosts_take(struct ghosts *ghosts, struct store_key key, uint32_t *ret_value);
/* Forgets what lies too far behind; to be called before the clock has moved on by GHOST_AGE_MAX since the last time. */
void ghosts_age(struct ghosts *ghosts);

/* ---- queues of entries, linked through entry.newer and entry.older (policy.c) ---- */
enum { QUEUES = 2 };
struct queue { uint32_t newest, oldest, count; uint64_t weight; };
void queue_link(struct shard *shard, unsigned which, uint32_t at);        /* as the newest */
void queue_unlink(struct shard *shard, uint32_t at);
void queue_resize(struct shard *shard, uint32_t at, uint32_t blocks);

/* A shard's part of it. */
struct policy_state {
	struct queue queues[QUEUES];             /* LRFU: only the count of the first */
	uint32_t hand;                           /* SIEVE */
	uint32_t random;                         /* shard_draw()'s */
	uint64_t clock;                          /* LRFU: half-lives gone by, 32 bits after the point */
	struct ghosts ghosts;
};

struct policy {
	const char *name;
	/* An entry comes: its key and blocks are set. At the start, so do those that were there, oldest first. */
	void (*link)(struct shard *shard, uint32_t at);
	/* It goes, whatever the reason; the entry is whole yet. */
	void (*unlink)(struct shard *shard, uint32_t at);
	/* Its object is replaced by one of so many blocks: it keeps its place. To set entry.blocks. */
	void (*resize)(struct shard *shard, uint32_t at, uint32_t blocks);
	void (*hit)(struct shard *shard, uint32_t at);
	/* The next victim, a stored one, or NONE. Not unlinked: the caller does that. */
	uint32_t (*victim)(struct shard *shard, enum room room);
	/* Of two entries, is `a` to go before `b`? For choices that are not the policy's own. */
	bool (*sooner)(const struct shard *shard, uint32_t a, uint32_t b);
	/* It leaves as a victim, before unlink: to be remembered. */
	void (*evicted)(struct shard *shard, uint32_t at);
};
#define EVICTION(name, doc) extern const struct policy policy_##name;
#include "../conf/tbl/evictions.h"
#undef EVICTION
const struct policy *policy_find(enum eviction eviction);

uint32_t blocks_weight(uint32_t blocks);
uint32_t entry_weight(const struct entry *entry);
uint32_t shard_draw(struct shard *shard);        /* the number of an entry, of any state, at random; there is one */
void policy_init(struct shard *shard);
void policy_release(struct shard *shard);

/* ---- admission (admission.c) ---- */
/* Whether an answer of so many bytes, or STORE_SIZE_UNKNOWN, may go in. */
bool index_admits(struct volume *volume, struct store_key key, uint64_t size);

/* ---- owners (owners.c) ---- */
enum { OWNERS_MAX = 1024 };
struct owner_row { char *name; _Atomic uint64_t weight, quota /* blocks; 0: none */; };
struct owners {
	pthread_mutex_t lock;                   /* of names */
	_Atomic unsigned count;                 /* rows from 1 to below it */
	struct owner_row rows[OWNERS_MAX];
};
void owners_init(struct owners *owners);
void owners_release(struct owners *owners);
bool owners_load(struct owners *owners, uint16_t number, struct slice name);     /* at the start; false: that cannot be */
void owners_weigh(struct owners *owners, uint16_t number, int64_t blocks);
uint16_t owners_over(const struct owners *owners);         /* who is over its quota most; 0: nobody */

#endif
