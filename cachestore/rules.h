/* Purges: the rules in force (rules.c), what callers ask of them (purge.c), the thread behind them (purger.c), and what voids
 * what is under way (void.c). A part of internal.h, which includes it. */
#ifndef CACHESTORE_RULES_H
#define CACHESTORE_RULES_H

enum {
	RULES_MAX = 65536, RULE_SLOTS = 65536,
	RULE_LENGTHS_MAX = 1024,             /* of prefixes: a look-up after a purge probes for each */
	RULE_ROW_BYTES = 128,                /* counted for each beside its text */
	GHOSTS = 16384,
};
#define PURGE_KEEP_US ((uint64_t)60 * 1000 * 1000)
#define PURGE_TIDY_US ((uint64_t)600 * 1000 * 1000)
enum purged { PURGED_no, PURGED_soft, PURGED_hard };

struct rule {
	struct rule *next;                   /* of the slot */
	struct store_key hash;               /* of kind and text */
	uint64_t hard, soft;                 /* clock of the newest purge of each sort; 0: none */
	uint64_t made_us;                    /* monotonic, of the newest */
	/* the purger's */
	uint64_t stored_hard, stored_soft;   /* as on disk */
	uint64_t count;                      /* of a pass: objects that it concerns */
	uint8_t kind;                        /* enum purge_kind */
	uint32_t text_len;
	char text[];
};
struct rule_row { struct store_key hash; uint64_t hard, soft, clock; uint8_t kind; uint32_t text_len; char text[]; };
struct rules {
	pthread_rwlock_t lock;               /* the purger alone removes rules: it may keep pointers to them */
	struct rule **slots;                 /* NULL until there is one */
	size_t count, tags, keys, max;
	uint64_t bytes, bytes_max;
	struct { uint32_t len, rules; } *lengths;    /* of prefixes */
	size_t length_count;
	_Atomic uint64_t purges, purged;
	_Atomic uint64_t clock __attribute__((aligned(64)));   /* number of the last purge, from 1; every look-up reads it */
	_Atomic uint64_t floor;              /* of the last rule that went: what is unpublished and older cannot be judged */
	_Atomic(_Atomic uint64_t *) ghosts;  /* keys that hard purges have emptied */
};
struct purge_job {
	struct purge_job *next;
	struct store_purge purge;            /* text: behind the struct */
	struct store_key hash;
	uint64_t clock, objects;
	enum store_err err;
	void (*done)(void *arg, enum store_err err, uint64_t objects);
	void *arg;
	char text[];
};
struct purger {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct purge_job *first, **last;
	bool started;
	atomic_bool stop;
	bool holds, refuses;                 /* the volume starts: jobs wait without a number; it could not be started, or is retired */
	size_t held;
	uint64_t pass_us;                    /* the thread's: when the last pass began */
};
void rules_init(struct rules *rules, uint64_t map_bytes);
void rules_release(struct rules *rules);
struct store_key rule_hash(enum purge_kind kind, struct slice text);
/* A purge, in force from here on: its clock, or 0: no room. */
uint64_t rules_add(struct rules *rules, const struct store_purge *purge, struct store_key hash);
/* At the start. */
bool rules_load(struct rules *rules, const struct rule_row *row);
/* What the rules say of an object; *ret_clock is when. each (may be NULL) is called for every rule that concerns it. */
enum purged rules_judge(struct rules *rules, struct slice key_text, const struct object_meta *meta, bool bookkeeping,
	void (*each)(struct rule *rule), uint64_t *ret_clock);
/* Whether a hard purge that is on disk takes the object. The purger's. */
bool rules_take(struct rules *rules, struct slice key_text, const struct object_meta *meta);
/* The rest is the purger's. The rule, or NULL. */
struct rule *rules_find(struct rules *rules, enum purge_kind kind, struct slice text, struct store_key hash);
/* Those of a slot, at most `room`. */
size_t rules_slot(struct rules *rules, size_t slot, struct rule **ret, size_t room);
void rules_clear_counts(struct rules *rules);
/* A copy for the disk. */
struct rule_row *rules_row(struct rules *rules, const struct rule *rule);
/* That purge of the rule is on disk. */
void rules_stored(struct rules *rules, struct rule *rule, bool soft, uint64_t clock);
/* The rule is out of the table and freed when no purge renewed it since before_us (then NULL), and, if covered, when a wider
 * one that is on disk covers it. Returns the row that deletes it. */
struct rule_row *rules_remove(struct rules *rules, struct rule *rule, uint64_t before_us, bool covered);
/* Bytes of a row on disk. */
enum { RULE_FIXED = 32 };
size_t rule_row_size(const struct rule_row *row);
void rule_row_encode(const struct rule_row *row, unsigned char *out);
struct rule_row *rule_row_decode(struct slice bytes);        /* NULL: damaged */

/* void.c */
enum { VOID_SLOTS = 8192 };
/* Its key was voided after it was asked for. */
bool void_forbids(struct volume *volume, const struct object *object);

/* purge.c */
enum purged purge_judge(struct volume *volume, struct object *object);
/* Holds it against the rules. each: for those that concern it. */
enum purged purge_rules(struct volume *volume, struct slice key_text, const struct object_meta *meta, void (*each)(struct rule *rule),
	uint64_t *ret_clock);
/* A hard purge that is on disk concerns it. The purger's. */
bool purge_is_due(struct volume *volume, struct slice key_text, const struct object_meta *meta);
/* A hard purge concerns it: it was taken out of the index. */
bool purge_takes(struct volume *volume, struct object *object);
/* It must not be published. */
bool purge_forbids(struct volume *volume, struct object *object);
/* `removed` of the index for a hard purge; 0: it was not there any more. */
void purge_drop(struct volume *volume, struct store_key key, uint64_t removed);
bool purge_is_bookkeeping(const struct volume *volume, const struct object_meta *meta);
void purger_init(struct volume *volume);
bool purger_start(struct volume *volume);
/* Ends the thread when all jobs are done; what comes then is refused. purger_start() takes it up again. */
void purger_finish(struct volume *volume);
/* Jobs that are left are done, as failed. */
void purger_stop(struct volume *volume);
void purger_push(struct volume *volume, struct purge_job *job);
/* While the volume starts the job, which has no number yet, waits: STORE_OK. STORE_FAILED: it will never be open.
 * STORE_STARTING: it does not start any more; the caller goes on. */
enum store_err purger_hold(struct volume *volume, struct purge_job *job);
/* The start is over: what was held comes into force, before a look-up finds anything; or is done, as failed. */
void purger_release(struct volume *volume, bool failed);

#endif
