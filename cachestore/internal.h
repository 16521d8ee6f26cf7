/* What the files of cachestore share; nobody else includes it.
 *
 * Who calls whom:
 *   volume.c   open, close, stat; folder.c the files; start.c how the index comes into use; env.c the LMDB environment;
 *              salvage.c after a crash; scan.c reads all records
 *   object.c   objects and their life; body.c bytes of a body: chunks in memory, extents on disk, waiters
 *   index.c    RAM index: key -> entry; ram.c which whole objects stay in memory; evict.c which leave the disk,
 *              by policy_*.c; admission.c which are let in
 *   writer.c   the thread that stores (queue, batches); batch.c one batch; gather.c its bodies; clean.c what it moves so that
 *              the index stays dense; loader.c the threads that read
 *   fault.c    what is not stored after all, a volume that is set aside, and its way back
 *   scrub.c    the thread that reads what nobody asks for
 *   pages.c    whether LMDB may walk the pages of an index at all
 *   txn.c      the only file that calls mdb_txn_*; record.c object <-> bytes; blocks.c who owns which block
 *   owners.c   whose objects: names, numbers, quotas
 *   inspect.c  the volume for those who only look; inspect_index.c pages, readers, purges; inspect_blocks.c bodies, blocks
 *   rules.c    the purges in force; purge.c what callers ask of them; purger.c the thread that counts, drops and tidies
 *
 * Locks, none of which is held while another is taken, but for cleaner->still, which comes before all others:
 *   shard->lock    the entries of a shard, its two SIEVE queues, object->ram_*
 *   body->lock     waiters of a body (wake() is called with it held)
 *   owners->lock   names of owners; a commit is waited for with it held
 *   blocks->pin_lock, writer->lock, loader->lock, rules->lock, purger->lock, scrub->lock, start->lock */
#ifndef CACHESTORE_INTERNAL_H
#define CACHESTORE_INTERNAL_H

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <xxhash.h>

#include "cachestore.h"
#include "policy.h"
#include "../conf/check.h"

enum {
	FORMAT_VERSION = 2,
	BLOCK_BYTES = 4096,
	PAGE_BYTES = 4096,                   /* of LMDB */
	SHARDS_MAX = 64, SHARDS_MIN = 4,     /* powers of two */
	SHARD_BYTES = 16 * 1024 * 1024,      /* of the volume: in smaller shards SIEVE has nothing to choose from */
	RUN_BLOCKS_MIN = 4,                  /* 16 KB: shorter runs only when there are no others */
	EXTENTS_MAX = 4096,                  /* of one body */
	HEAD_INLINE_MAX = 2048,              /* longer heads lie in a table of their own */
	BODY_CONTIGUOUS_MAX = 256 * 1024,    /* bodies of known size up to here are one piece of memory */
	BODY_LOAD_MAX = 1024 * 1024,         /* larger ones stay on disk when they are loaded */
	CHUNK_FIRST = 4096, CHUNK_MAX = 4 * 1024 * 1024,
	BATCH_BYTES_DEFAULT = 8 * 1024 * 1024, BATCH_US_DEFAULT = 50 * 1000,
	BATCH_JOBS_MAX = 4096,
	QUEUE_JOBS_MAX = 65536,
	COMMIT_TIMES = 128,
	DISK_ERRORS_MAX = 3,                 /* batches in a row with errors and nothing else, then the volume is set aside */
};
#define VOLUME_SIZE_MIN ((uint64_t)4 << 20)
#define FILL_MAX_DEFAULT ((uint64_t)64 << 20)

static inline uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* A condition that is waited for by that clock, and a moment of it. */
static inline void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static inline int cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t due_us)
{
	return pthread_cond_timedwait(cond, lock, &(struct timespec){ (time_t)(due_us / 1000000), (long)(due_us % 1000000) * 1000 });
}

static inline bool key_eq(struct store_key a, struct store_key b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

static inline uint64_t blocks_of(uint64_t bytes)
{
	return bytes / BLOCK_BYTES + (bytes % BLOCK_BYTES != 0);
}

/* ---- bodies (body.c) ---- */
struct extent { uint32_t start, count; };       /* blocks */

/* Linked before `available` says that there are bytes in it; never unlinked before the body is freed. */
struct chunk {
	_Atomic(struct chunk *) next;
	uint64_t offset;
	size_t size;
	char bytes[];
};

struct body {
	atomic_uint refs;                       /* objects that share it */
	_Atomic(enum object_state) state;
	struct volume *volume;                  /* one reference; NULL: memory only */
	_Atomic uint64_t available, size;
	uint64_t checksum;                      /* valid when WHOLE */
	_Atomic(struct chunk *) first;          /* NULL: on disk only, or empty */
	bool in_memory;                         /* chunks hold it; fixed at creation */
	atomic_bool on_disk;                    /* extents hold it */
	_Atomic uint64_t charge;                /* of volume->fill_bytes */
	/* the appending thread's */
	struct chunk *last;
	uint64_t heap_bytes;
	XXH3_state_t *hash;                     /* when it did not come in one piece */
	/* under lock */
	pthread_mutex_t lock;
	struct object_waiter *waiters;
	/* the writer's, or fixed before the body was shared (loader); in the pin table while there are extents */
	struct extent *extents;
	uint32_t extent_count;
	struct body *pin_next;
};

/* contiguous: as one piece of memory whatever the size. */
struct body *body_new(struct volume *volume, uint64_t size, bool contiguous);
struct body *body_new_on_disk(struct volume *volume, uint64_t size, uint64_t checksum);
struct body *body_ref(struct body *body);
void body_unref(struct body *body);
enum store_err body_append(struct body *body, const char *bytes, size_t len);
void body_end(struct body *body, enum object_state state);
void body_uncharge(struct body *body);
/* Takes the extents (malloced) and pins their blocks; writer or loader. NULL: takes them away again. */
void body_set_extents(struct body *body, struct extent *extents, uint32_t count);
/* Reads from disk; flags: 0 or RWF_NOWAIT. Bytes, 0 at the end, or -errno. */
ssize_t body_read_disk(struct body *body, uint64_t offset, void *buf, size_t len, int flags);
/* Has the kernel read these bytes into its page cache. */
void body_read_ahead(struct body *body, uint64_t offset, size_t len);
/* Copies from memory. */
ssize_t body_copy(const struct body *body, uint64_t offset, void *buf, size_t len);
int body_peek(const struct body *body, uint64_t offset, uint64_t max, struct iovec *iov, int count);

/* ---- objects (object.c) ---- */
struct object {                                 /* a hit touches the first 64 bytes and the key's text, which follows the struct */
	atomic_uint refs;
	bool in_memory;                         /* as the body's */
	bool ram_used;                          /* under the shard's lock */
	struct slice key_text, head;            /* in this allocation */
	struct body *body;
	struct volume *volume;                  /* NULL: memory only; kept alive by the body */
	_Atomic uint64_t generation;            /* where its record was put, or was loaded from; 0: never was published */
	_Atomic uint64_t judged;                /* the clock of purges it was last held against, and what they say: purge.c */
	struct store_key key;
	struct object_meta meta;                /* tags in this allocation */
	size_t own_bytes;                       /* of this allocation */
	uint32_t version;                       /* as its entry's in the index; set before generation is */
	/* under the shard's lock */
	struct object *ram_newer, *ram_older;
	uint64_t ram_bytes;                     /* what it counts in the RAM tier; 0: not in it */
};
struct object *object_make(struct volume *volume, struct store_key key, struct slice key_text, const struct object_meta *meta,
	struct slice head, struct body *body);
uint64_t object_bytes(const struct object *object);

/* ---- RAM index (index.c), the queue of what is in memory (ram.c) ---- */
enum {
	NONE = UINT32_MAX,
	GENERATION_STEP = 4096,                 /* of what is published; numbers between are for records that are moved */
};
/* Comes again after 2^32 puts, and is compared under one key. */
static inline uint32_t version_of(uint64_t generation)
{
	return (uint32_t)(generation / GENERATION_STEP);
}
enum entry_state { ENTRY_FREE, ENTRY_PENDING /* waits for the writer; object is there */, ENTRY_STORED };
struct entry {
	struct store_key key;
	struct object *object;                  /* one reference; NULL: on disk only */
	uint64_t generation;                    /* where its record lies */
	uint32_t blocks;                        /* on disk */
	uint32_t chain;                         /* of the hash slot, or of free entries */
	uint32_t version;                       /* which object: version_of() the generation it was published under */
	union {                                 /* the policy's, as `queue` and `uses` */
		struct { uint32_t newer, older; };
		uint32_t score;
	};
	uint16_t owner;
	uint8_t queue : 1, uses : 2;
	uint8_t state : 2;                      /* enum entry_state */
	bool verified;                          /* the body's checksum was right once since the volume was opened */
};
struct shard {
	pthread_mutex_t lock;
	struct entry *entries;
	uint32_t *slots;
	uint32_t slot_count, entry_count, entry_room, free;
	_Atomic uint64_t weight;                /* of the entries that are linked */
	struct policy_state policy;
	struct ghosts seen;                     /* keys that were not let in: admission.c */
	struct object *ram_newest, *ram_oldest, *ram_hand;
	uint64_t gets, hits;
} __attribute__((aligned(64)));

struct shard *index_shard(struct volume *volume, struct store_key key);
struct entry *index_find(struct shard *shard, struct store_key key);       /* lock held; NULL: none */
void index_init(struct volume *volume);
void index_free(struct volume *volume);
/* Gives the object its generation and puts it under its key as PENDING, unless another one than `over` is there (NULL: in
 * any case). *ret_replaced: the generation of what was there; 0: nothing. */
bool index_publish(struct volume *volume, struct object *object, const struct object *over, uint64_t *ret_replaced);
void index_clear(struct volume *volume);
/* The writer committed it: it moves to the RAM tier, or out of memory. */
void index_stored(struct volume *volume, struct object *object, uint32_t blocks);
/* Removes what is under the key with exactly this generation; 0: whatever is there. Returns its generation, 0: nothing. */
uint64_t index_remove(struct volume *volume, struct store_key key, uint64_t generation);
/* The same for what the object is, wherever its record lies by now. */
uint64_t index_remove_object(struct volume *volume, const struct object *object);
/* The record lies under `to` from now on. False: it is not current any more. The cleaner. */
bool index_move(struct volume *volume, struct store_key key, uint64_t from, uint64_t to);
bool index_is_current(struct volume *volume, struct store_key key, uint64_t generation);
/* Of what is under the key; 0: nothing. ret_version may be NULL. */
uint64_t index_generation(struct volume *volume, struct store_key key, uint32_t *ret_version);
void index_reserve(struct volume *volume, uint64_t objects);      /* room for so many */
/* At start only, in order of generation. Returns what it replaced of the same key; 0: nothing. */
uint64_t index_insert(struct volume *volume, struct store_key key, uint64_t generation, uint32_t blocks, uint16_t owner, bool verified);
/* volume_get() without its counters. */
enum store_get index_look(struct volume *volume, struct store_key key, struct slice key_text, struct object **ret_object);
/* And no use of the object: the loader looks up again what was counted when it was asked for. */
enum store_get index_peek(struct volume *volume, struct store_key key, struct slice key_text, struct object **ret_object);
bool index_is_verified(struct volume *volume, struct store_key key);
/* A loaded object: makes it resident if its record is still the current one. Returns what is to be handed out (the given
 * one, or another that was faster), or NULL when it is not current any more. Takes the caller's reference. */
struct object *index_admit(struct volume *volume, struct object *object);

/* A record to delete. moved: its blocks stay, they are those of the same record at another place. */
struct doomed { struct store_key key; uint64_t generation; uint32_t blocks; bool moved; };
/* The next victim of the policy, out of the index. False: nothing can be evicted. evict.c */
bool evict_one(struct volume *volume, enum room room, struct doomed *ret_victim);

/* Room for bytes in the RAM tier, by evicting; false: too large. Counted at once. */
bool ram_reserve(struct volume *volume, uint64_t bytes);
void ram_link(struct shard *shard, struct object *object, uint64_t bytes);       /* bytes were reserved; lock held */
void ram_unlink(struct volume *volume, struct shard *shard, struct object *object); /* NULL-safe, lock held */

/* ---- blocks of the data file (blocks.c) ---- */
struct limbo { struct extent *extents; uint32_t count, blocks; uint64_t commit; };
struct blocks {                                 /* the writer's (at start: the opener's), but for the pins */
	uint64_t *bits;                         /* 1: used, limbo included */
	uint32_t total, cursor;
	_Atomic uint32_t used;
	bool runs_exhausted;                    /* no run of RUN_BLOCKS_MIN since the last release */
	struct limbo *limbo;                    /* freed, but not to be used yet */
	size_t limbo_count, limbo_room;
	_Atomic uint32_t limbo_blocks;
	atomic_bool foreign;                    /* another process may read what is not free now: limbo does not end */
	bool frozen;                            /* nor is known what it reads: nothing is given out */
	uint32_t limbo_pinned;                  /* of these: could be used, but a reader still has them */
	uint32_t *shared;                       /* first blocks of bodies that more than one record names, once for each more */
	size_t shared_count, shared_room;
	pthread_mutex_t pin_lock;
	struct body **pins;                     /* bodies with extents, by their first block */
	uint32_t pin_mask;
};
void blocks_init(struct blocks *blocks, uint32_t total);
void blocks_release(struct blocks *blocks);
bool blocks_claim(struct blocks *blocks, const struct extent *extents, uint32_t count);  /* false: taken or outside */
void blocks_clear(struct blocks *blocks);
bool blocks_alloc(struct blocks *blocks, uint32_t need, struct extent **ret_extents, uint32_t *ret_count);
void blocks_unalloc(struct blocks *blocks, const struct extent *extents, uint32_t count); /* never committed */
/* Commit number `commit` deleted a record that named them. Takes extents. */
void blocks_free_later(struct blocks *blocks, struct extent *extents, uint32_t count, uint64_t commit);
/* One more record names the blocks of a body that begins at `start`. */
void blocks_share(struct blocks *blocks, uint32_t start);
/* What was freed two commits before the next one, and is not pinned, becomes free. */
void blocks_mature(struct blocks *blocks, uint64_t commits);
void blocks_pin(struct blocks *blocks, struct body *body);
void blocks_unpin(struct blocks *blocks, struct body *body);
uint32_t blocks_free_now(const struct blocks *blocks);

/* ---- records (record.c): pure ---- */
struct record {
	uint64_t generation;                    /* what it lies under */
	struct store_key key;
	uint64_t body_size, body_checksum, head_checksum;
	bool head_apart;                        /* the head is not inline: in the table of heads, under the generation */
	struct object_meta meta;
	struct slice key_text, head;            /* head.ptr NULL: in the head table. meta.tags: as key_text */
	const unsigned char *extents;           /* encoded: record_extent() */
	uint32_t extent_count;
};
enum { RECORD_FIXED = 128, RECORD_MAX = RECORD_FIXED + EXTENTS_MAX * 8 + STORE_KEY_MAX + STORE_TAGS_MAX + HEAD_INLINE_MAX,
	RECORD_SUM = 8 };                       /* bytes of the checksum behind it */
size_t record_size(const struct record *record);
/* out has record_size() bytes. */
void record_encode(const struct record *record, const struct extent *extents, unsigned char *out);
/* False: not the record of this generation, or damaged, or it names blocks from block_total on. Slices point into bytes. */
bool record_decode(struct slice bytes, uint64_t generation, uint32_t block_total, struct record *ret_record);
/* The key's text of a record that cannot be decoded, when it lies within the bytes; else empty. For telling a person. */
struct slice record_key_text(struct slice bytes);
/* Its extents are within a file of so many blocks. */
bool record_is_inside(const struct record *record, uint32_t block_total);
struct extent record_extent(const struct record *record, uint32_t at);
struct extent *record_extents(const struct record *record);   /* malloced; NULL when there are none */
uint64_t record_sum(const void *bytes, size_t len, struct store_key key, uint64_t generation);

/* ---- LMDB (env.c, txn.c) ---- */
struct env {
	MDB_env *env;
	MDB_dbi idx, head, misc, rules;
	bool read_only;
	MDB_txn *scanner;                       /* the purger's, reset between uses; each thread of the loader has its own */
};
struct rule_row;
/* Opens `path` (and makes it). 0, an errno, or an MDB error; why is not told. */
int env_open(struct env *env, const char *path, uint64_t map_bytes);
void env_close(struct env *env);
/* Copies all good records into a new environment, in a child process, which may die of it, and puts that in its place. Then
 * no page of the old one is used any more. salvage.c */
int env_salvage(const char *path, uint64_t map_bytes, const atomic_bool *stop /* true: ECANCELED soon */);
/* 0: no page of the index will make LMDB stumble (or there is none yet); MDB_CORRUPTED, or an errno. Nobody may be writing to
 * it. A million records in the page cache take 0.09 s. pages.c */
int env_check(const char *path);
bool pages_check(const void *map, size_t size);
/* In a child: from here on dying of what is read is an answer and not a report of a crash; and it does not outlive its parent. */
void child_may_die(void);
int env_make(struct env *env, const char *path, uint64_t map_bytes, unsigned flags);
/* Rewrites into a file of at most map_bytes, dropping records until it fits; blocks from block_total on are dropped too. */
int env_shrink(const char *path, uint64_t map_bytes, uint32_t block_total);
bool env_error_is_damage(int rc);
enum store_err env_error(int rc);

int txn_begin_write(struct env *env, MDB_txn **ret_txn);
int txn_begin_read(struct env *env, MDB_txn **ret_txn);
int txn_commit(MDB_txn **txn);                  /* takes it, on failure too */
void txn_abort(MDB_txn **txn);                  /* NULL is fine */
int txn_reader_renew(struct env *env, MDB_txn **reader);   /* the thread's own; *reader NULL: none yet */
void txn_reader_reset(MDB_txn *reader);
uint64_t txn_number(MDB_txn *txn);              /* of the commit that a reader sees */
void txn_readers_end(struct env *env);
int txn_open_tables(struct env *env);
int txn_get(struct env *env, MDB_txn *txn, uint64_t generation, struct slice *ret_bytes);
/* The head of a decoded record, wherever it is. */
int txn_get_head(struct env *env, MDB_txn *txn, const struct record *record, struct slice *ret_head);
/* The same; false: it is not there, or not what was written. */
bool txn_get_right_head(struct env *env, MDB_txn *txn, const struct record *record, struct slice *ret_head);
/* Sets record->head_apart. KEYEXIST, when in_order says that nothing newer is there, and it is. */
int txn_put(struct env *env, MDB_txn *txn, struct record *record, const struct extent *extents, bool in_order);
int txn_delete(struct env *env, MDB_txn *txn, uint64_t generation, bool head_apart);
int txn_touch(struct env *env, MDB_txn *txn);   /* so that the commit is one */
struct index_size {
	uint64_t pages;                         /* of records, heads and rules */
	uint64_t leaves, records;               /* of the table of records: its leaves are among the pages */
};
int txn_size(struct env *env, MDB_txn *txn, struct index_size *ret_size);
/* What a record of so many bytes takes of its leaf. apart: it has pages of its own, the leaf names them. */
enum { LEAF_BYTES = PAGE_BYTES - 16 };
size_t txn_leaf_bytes(size_t record_bytes, bool *ret_apart);
int txn_count(struct env *env, MDB_txn *txn, uint64_t *ret_records);
/* Each record, the oldest first; stops when visit returns nonzero, and returns that. */
typedef int (*record_visit)(void *arg, uint64_t generation, struct slice bytes);
int txn_each(struct env *env, MDB_txn *txn, record_visit visit, void *arg);
/* At most `count` records from behind *generation on (0: from the first), which is the last one's then; *ret_seen how many. */
int txn_each_some(struct env *env, MDB_txn *txn, uint64_t *generation, size_t count, record_visit visit, void *arg, size_t *ret_seen);
/* Puts the rule, or deletes it when it says nothing; and the clock. */
int txn_put_rule(struct env *env, MDB_txn *txn, const struct rule_row *row, uint64_t clock);
int txn_each_rule(struct env *env, MDB_txn *txn, int (*visit)(void *arg, struct store_key key, struct slice bytes), void *arg);
int txn_get_clock(struct env *env, MDB_txn *txn, uint64_t *ret_clock);
/* Names of owners. */
int txn_put_owner(struct env *env, MDB_txn *txn, struct slice name, uint16_t number);
int txn_each_owner(struct env *env, MDB_txn *txn, int (*visit)(void *arg, struct slice name, uint16_t number), void *arg);
/* The purges and the owners. */
int txn_copy_rules(struct env *from, MDB_txn *reading, struct env *to, MDB_txn *writing);

/* ---- threads (writer.c, batch.c, loader.c) ---- */
enum job_kind { JOB_PUT, JOB_DROP, JOB_RULE, JOB_OWNER, JOB_SYNC };
struct job {
	struct job *next;
	enum job_kind kind;
	enum store_err err;
	bool current, allocated, wrote;         /* batch.c's */
	struct object *object;                  /* PUT: one reference */
	struct store_key key;
	uint64_t generation;
	uint64_t replaces;                      /* PUT: what was under the key, and may be on disk; 0: nothing */
	uint64_t bytes, index_bytes;            /* in queue_bytes; of these: for the index */
	struct rule_row *rule;                  /* RULE */
	struct slice owner_name;                /* OWNER: borrowed until then */
	uint16_t owner;
	enum store_err *ret_err;                /* RULE, OWNER: set before volume_flush() returns; may be NULL */
	void (*synced)(void *arg, enum store_err err);               /* SYNC */
	void *arg;
};
/* clean.c */
struct move { struct store_key key; uint64_t from, to; uint32_t start; bool has_blocks; };
struct cleaner {
	pthread_mutex_t still;                  /* held over a batch that moves records, and over what must see each just once */
	size_t budget;                          /* of this batch, as all that follows; 0: nothing moves, and still is not held */
	uint32_t sparse;                        /* bytes: a leaf with fewer is emptied */
	uint64_t hand;                          /* the last record looked at */
	uint64_t last;                          /* the last generation given */
	unsigned rest;                          /* batches without moves, since the map was full */
	uint64_t *found;                        /* records of sparse leaves */
	size_t found_count, found_room;
	struct move *moves;
	size_t move_count, move_room;
	unsigned char *record;                  /* room for one, and for a head */
};
struct writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct job *first, **last;
	size_t count;
	uint64_t bytes;                         /* reserved ones too */
	uint64_t pushed, finished;              /* jobs ever */
	uint64_t first_us;                      /* when the queue became non-empty */
	unsigned flushing;
	bool started, stop, ended;
	/* the thread's own */
	struct doomed *doomed;                  /* to be deleted with the next commit */
	size_t doomed_count, doomed_room;
	uint64_t doomed_blocks;
	uint64_t commits;                       /* since the volume was opened */
	struct index_size index;                /* as of the last commit */
	uint64_t record_bytes;                  /* txn_leaf_bytes() of all records */
	struct cleaner cleaner;
	uint64_t reader_check_us;
	uint64_t last_commit;                   /* LMDB's number of it */
	bool unsynced;
	/* fault.c's */
	struct store_lost batch_lost[STORE_LOSS_COUNT];
	unsigned disk_errors;                   /* batches in a row of which nothing was stored */
	unsigned retries;                       /* in a row, for the pause before the next */
	uint64_t retry_at_us, aside_us;         /* monotonic; retry_at_us 0: none is due */
	bool index_doubtful;                    /* a commit has failed with an error of the disk */
};
void writer_init(struct volume *volume);
bool writer_start(struct volume *volume);
void writer_finish(struct volume *volume);      /* ends the thread, after everything queued is stored; it may start again */
void writer_stop(struct volume *volume);        /* after everything queued is stored */
/* Room in the queue, or STORE_QUEUE_FULL; then exactly one writer_push_put(). */
enum store_err writer_reserve(struct volume *volume, uint64_t bytes);
void writer_unreserve(struct volume *volume, uint64_t bytes);
void writer_push_put(struct volume *volume, struct object *object, uint64_t replaces, uint64_t bytes);
void writer_push_drop(struct volume *volume, uint64_t generation);
/* Takes the row. */
void writer_push_rule(struct volume *volume, struct rule_row *row, enum store_err *ret_err);
void writer_push_owner(struct volume *volume, struct slice name, uint16_t number, enum store_err *ret_err);
void batch_store(struct volume *volume, struct job *jobs);
/* Writes the bodies of jobs, in the order of the queue, to their extents; sets job->err of those that could not be. gather.c */
struct gather;
struct gather *gather_new(int fd);
void gather_job(struct gather *gather, struct job *job);
void gather_end(struct gather *gather);         /* writes the rest, frees */
void doomed_push(struct writer *writer, struct doomed doomed);
/* A commit of what is to be deleted, or of nothing. 0, an errno, or an MDB error. */
int batch_relief(struct volume *volume);

void cleaner_init(struct cleaner *cleaner);
void cleaner_release(struct cleaner *cleaner);
/* Before a batch of `puts` records: decides whether, and how much, its commit moves. */
/* Objects that must leave so that the index, as dense as it is kept, has room for `puts` more. */
size_t cleaner_surplus(const struct volume *volume, size_t puts);
bool cleaner_begin(struct volume *volume, size_t puts);
/* In the transaction, before it has changed anything: finds what shall be moved. */
int cleaner_find(struct volume *volume, MDB_txn *txn);
/* Behind the puts, of which `newest` is the highest generation; 0: there are none, and nothing moves. *record_bytes grows. */
int cleaner_move(struct volume *volume, MDB_txn *txn, uint64_t newest, uint64_t *record_bytes);
/* After the commit: the index points to the new places, the old ones are doomed. Not committed: as if nothing had been. */
void cleaner_end(struct volume *volume, bool committed);
/* A transaction that moved ran into the end of the map: moves wait a while. */
void cleaner_yield(struct cleaner *cleaner);

#include "fault.h"
#include "loader.h"

/* ---- the scrub (scrub.c) ---- */
struct scrub {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started;
	atomic_bool stop;
	uint64_t due_us;                        /* the thread's: when it may read on */
	_Atomic uint64_t objects, bytes, damaged, passes, end_s;
};
void scrub_init(struct volume *volume);
bool scrub_start(struct volume *volume);        /* true, too, when there is to be none */
void scrub_finish(struct volume *volume);       /* it may be started again */
void scrub_stop(struct volume *volume);

#include "rules.h"

/* ---- volumes ---- */
enum event_kind { EVENT_disk_full, EVENT_disk_error, EVENT_index_full, EVENT_damaged, EVENT_failed, EVENT_again, EVENT_scrub, EVENT_other, EVENT_COUNT };
struct folder {                                 /* folder.c */
	const char *path;                       /* borrowed from the volume */
	int marker_fd, data_fd;                 /* marker_fd carries the lock */
	bool fresh;                             /* made by us just now */
	bool clean, same_boot, damaged;         /* how it was left; same_boot: and the index is not in doubt */
	char boot[40];
	char left[16];                          /* the marker's word for how it was left */
};
/* How the index comes into use: all of it is the start's thread's, until `over`. */
struct start {
	pthread_t thread;
	bool threaded;
	pthread_mutex_t lock;
	pthread_cond_t done;
	bool over;                              /* under the lock */
	atomic_bool stop;
	_Atomic uint64_t records, total;        /* read so far; in the index, 0: not known yet */
	uint64_t begun_us, told_us;
};
struct volume {
	atomic_uint refs;                       /* the owner's and one per body */
	struct store_config config;             /* name and path are copies */
	uint64_t fill_max, queue_max, batch_bytes, batch_us, index_batch_bytes;
	size_t batch_jobs, doomed_max;          /* puts and deletes in one transaction */
	uint64_t body_max;
	uint32_t reserve_blocks;
	uint64_t index_pages_max, map_bytes;
	atomic_bool retired;                    /* another process has the folder, or may take it */
	uint64_t retired_txn;                   /* the index's last transaction then, and its file */
	ino_t retired_inode;
	atomic_bool ready;                      /* index and blocks are complete: look-ups may use them */
	struct folder folder;
	struct env env;
	struct blocks blocks;
	struct shard shards[SHARDS_MAX];
	uint32_t shard_count;
	struct start start;
	const struct policy *policy;
	struct writer writer;
	struct loader loader;
	struct rules rules;
	struct owners owners;
	_Atomic uint64_t void_clock, voids[VOID_SLOTS];
	struct purger purger;
	struct scrub scrub;
	_Atomic uint32_t ram_turn;
	_Atomic uint64_t generation;            /* the last one given */
	_Atomic uint64_t objects, ram_bytes, fill_bytes;
	_Atomic uint64_t hits_disk, puts, stored, evicted, moved, dropped_damaged, dropped_error, not_admitted, commits, commit_us_max;
	_Atomic uint32_t commit_times[COMMIT_TIMES];   /* by quarters of octaves of microseconds */
	_Atomic uint64_t event_us[EVENT_COUNT];
	_Atomic uint64_t lost_objects[STORE_LOSS_COUNT], lost_bytes[STORE_LOSS_COUNT], read_errors, set_aside, retries;
	atomic_bool failed, closed, index_damaged;
	bool unclean;                           /* when the writer has ended: the folder must not say clean */
	bool index_was_damaged;                 /* at the start */
};
struct volume *volume_ref(struct volume *volume);
void volume_unref(struct volume *volume);
void volume_tell(struct volume *volume, int level, const char *text);
/* At most once a minute for each kind. */
void volume_event(struct volume *volume, enum event_kind kind, int level, const char *text);
void volume_commit_took(struct volume *volume, uint64_t us);       /* counts one */
uint64_t index_pages_limit(uint64_t map_pages);         /* how many may live: beyond it objects are evicted */

/* path/name into out; false: too long. */
enum { PATH_ROOM = 4096 };
bool folder_path(const char *path, const char *name, char out[PATH_ROOM]);
enum store_err folder_open(struct folder *folder, const char *path, char why[256]);
enum store_err folder_probe(const char *path, uint64_t bytes, char why[256]);
/* For reading, without the lock; folder_close() in any case. */
enum store_err folder_look(struct folder *folder, const char *path, char why[256]);
enum store_err folder_mark(struct folder *folder, const char *state);     /* "dirty", "clean", "damaged", "doubtful" */
enum store_err folder_allocate(struct folder *folder, const char *name, uint64_t bytes, char why[256]);
int folder_shrink_data(struct folder *folder, uint64_t bytes);
/* Files that were made and renamed are found under their names after a power cut: before anything new is acknowledged, and before
 * blocks are written that an index of an old name still claims. 0 or an errno. */
int folder_sync(struct folder *folder);
/* Renames the index; older ones that were set aside are removed. */
int folder_set_aside(struct folder *folder);
void folder_remove_all(struct folder *folder);
/* The folder is somebody else's, but we read on; the opposite (false: it is taken); does another process do so? */
bool folder_share(struct folder *folder);
bool folder_take_back(struct folder *folder);
bool folder_has_readers(const struct folder *folder);
void folder_close(struct folder *folder);
void folder_why(char why[256], const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- from process to process (handover.c) ---- */
/* Before the scan: is there an older process that reads? */
void handover_begin(struct volume *volume);
/* After the scan: the blocks that no record names, but that it reads. unsure: records were deleted, or all of them are gone. */
void handover_claim(struct volume *volume, bool unsure);
/* Whether that much can be written without what it reads. */
bool handover_has_room(struct volume *volume, uint64_t bytes);
/* The writer's: is it gone? */
void handover_look(struct volume *volume);
/* ---- the start (start.c, scan.c) ---- */
void start_init(struct volume *volume);
/* With the folder locked: what can refuse a volume is done at once, the rest here or in a thread (config.in_background). */
enum store_err start_begin(struct volume *volume, char why[256]);
/* Stops it when it runs, and waits for that. */
void start_stop(struct volume *volume);
/* Now and then, with what has been read: counts, tells, and says ECANCELED when it has to stop. */
int start_progress(struct volume *volume, uint64_t records);
/* Rebuilds RAM index and bitmap; deletes what is damaged, outside, or claims blocks of a newer one. */
int scan_run(struct volume *volume, bool verified, uint64_t *ret_deleted);

#endif
