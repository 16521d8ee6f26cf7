/* cachestore: objects in LMDB-backed volumes on disk, with a RAM tier above. The only header that others include.
 *
 * It knows HTTP only as bytes and times. It is silent: no printing, no exit, no globals; all it has to say comes back as
 * enum store_err, in struct volume_stat, or through store_config.event.
 *
 * A volume is a folder: an LMDB environment (index, heads, metadata; NOTLS | NOMETASYNC | NOMEMINIT) and one preallocated
 * data file of 4 KB blocks that holds the bodies. One writer thread a volume stores in batches; a few I/O threads read what
 * is not in memory. A RAM index, sharded, answers look-ups without LMDB. Nothing here ever waits for a socket.
 *
 * An object is immutable once whole, and reference counted; a reference keeps its bytes (in memory or its blocks on disk)
 * from being reused. An object is readable while it is still being filled: by any number of readers in any thread.
 *
 * Threads: every function may be called from any thread unless it says otherwise. */
#ifndef CACHESTORE_H
#define CACHESTORE_H

#include <sys/uio.h>
#include <sys/types.h>

#include "../conf/policies.h"
#include "../conf/slice.h"

enum { STORE_HEAD_MAX = 64 * 1024, STORE_KEY_MAX = 16 * 1024, STORE_TAGS_MAX = 16 * 1024, STORE_BESIDE_MAX = 4 };

/* STORE_ERROR(name, text) */
#define STORE_ERRORS(X) \
	X(OK,         "no error") \
	X(NO_FOLDER,  "the folder does not exist and cannot be made") \
	X(NO_ACCESS,  "the folder or its files may not be read and written by this user") \
	X(NO_SPACE,   "the disk has no room for the size the volume was given") \
	X(TOO_SMALL,  "a volume needs at least 4m") \
	X(IN_USE,     "another process, or another volume of this one, has the folder open") \
	X(VERSION,    "the folder holds a volume of another format version") \
	X(NOT_VOLUME, "the folder holds files that are not a volume's") \
	X(DAMAGED,    "the index is damaged; it was set aside and the volume starts empty") \
	X(SYSTEM,     "the system refused") \
	X(TOO_LARGE,  "the body is larger than allowed") \
	X(RAM_FULL,   "too many bodies are being filled at once") \
	X(QUEUE_FULL, "the writer's queue is full") \
	X(DISK_FULL,  "no room on the disk or in the volume") \
	X(DISK_ERROR, "the disk returned an error") \
	X(INDEX_FULL, "the index map is full") \
	X(FAILED,     "the volume was set aside after an error") \
	X(NOT_ADMITTED, "asked for the first time, and the volume takes what is asked for again") \
	X(PURGED,     "a purge came while it was being fetched") \
	X(REPLACED,   "what was to be renewed is not there any more") \
	X(BUSY,       "the disk is behind: too many reads wait for it") \
	X(HANDED_OVER, "another process takes the volume over, or gives it up; nothing is stored until that is done") \
	X(STARTING,   "the volume is being read; it is not open yet") \
	X(RULES_FULL, "too many purges are in force for the size of the volume; purge something wider, or all, once")
enum store_err {
#define X(name, text) STORE_##name,
	STORE_ERRORS(X)
#undef X
	STORE_ERR_COUNT };
const char *store_strerror(enum store_err err);

#define STORE_SIZE_UNKNOWN UINT64_MAX

/* 128 bits of XXH3 over the key's text. */
struct store_key { uint64_t hi, lo; };
struct store_key store_key_make(struct slice text);

/* What happened inside that a person should hear about. text is borrowed for the call. Called from any thread of the
 * library; must not call back into it. */
struct store_event {
	enum { STORE_EVENT_notice, STORE_EVENT_warning, STORE_EVENT_error } level;
	const char *text;
};

/* Why objects that object_finish() took were not stored after all: LOSS(name, error, text). */
#define STORE_LOSSES(X) \
	X(disk_full,     DISK_FULL,  "no room on the disk or in the volume") \
	X(disk_error,    DISK_ERROR, "the disk returned an error") \
	X(index_full,    INDEX_FULL, "the index map is full") \
	X(volume_failed, FAILED,     "the volume was set aside") \
	X(upgrade,       HANDED_OVER, "a process that hands the volume over still reads what would have to be written over")
enum store_loss {
#define X(name, error, text) STORE_LOSS_##name,
	STORE_LOSSES(X)
#undef X
	STORE_LOSS_COUNT };
struct store_lost { uint64_t objects, bytes; };      /* see unlogged_flags */

struct store_config {
	const char *name, *path;
	uint64_t size;               /* bytes on disk, never exceeded: data file + index map */
	uint64_t ram;                /* bound of bodies and heads kept in memory after they are whole */
	uint64_t fill_max;           /* bound of bodies being filled or waiting for the writer; 0: 64 MB */
	uint32_t batch_bytes;        /* 0: 8 MB */
	uint32_t batch_us;           /* 0: 50 ms */
	unsigned io_threads;         /* that read; 0: 4 */
	uint64_t retry_us;           /* a volume that was set aside tries again after this; then twice as long, up to 64 times; 0: 10 s */
	/* What is stored is read again and checked, at so many bytes a second (0: never), a pass at most once in so many
	 * microseconds (0: a day). The first one begins after that time, or ten minutes, whichever is less. */
	uint64_t scrub_rate, scrub_interval_us;
	enum eviction eviction;
	enum admission admission;
	uint64_t admission_over;     /* second_hit concerns bodies larger than this, and of unknown size */
	uint64_t purge_keep_us;      /* how long a purge stays in force at least; 0: 60 s */
	/* Objects with one of these flags are the caller's bookkeeping: not counted by purges, and untouched by soft ones.
	 * related(), which may be NULL, writes the keys that such an object leads to, at most `room`, and returns how many. */
	uint32_t bookkeeping_flags;
	size_t (*related)(struct slice head, struct store_key *keys, size_t room);
	/* Writes the keys of what the caller may keep beside an object, which a purge of its key takes with it, at most
	 * STORE_BESIDE_MAX, and returns how many; NULL: nothing. */
	size_t (*beside)(struct store_key key, struct store_key *keys);
	/* What purges of keys and prefixes are held against when it is not the key's text itself: in `room`, or a part of
	 * key_text. NULL: the text. For keys that differ in notation only, and that a person takes for one. */
	struct slice (*purge_text)(struct slice key_text, char room[STORE_KEY_MAX]);
	uint32_t unlogged_flags;     /* objects with one of these are not in struct store_lost: nobody was told that they are stored */
	bool in_background;          /* volume_open() does not wait until the index is read */
	void (*started)(void *event_arg);       /* may be NULL: then it is read, and look-ups find something; in a thread of the start */
	void (*event)(void *arg, const struct store_event *event);   /* may be NULL */
	/* In the writer's thread, for each batch and reason, when objects that it had taken are not stored. May be NULL. */
	void (*lost)(void *arg, enum store_loss why, const struct store_lost *lost);
	void *event_arg;
};

struct volume;
struct object;

/* Opens or makes the volume. STORE_OK, or STORE_DAMAGED (open and empty; tell it loudly): *ret_volume is set. Otherwise
 * it is untouched and `why` (may be NULL) has one sentence with path and reason. A volume with another size grows or
 * shrinks and keeps what fits. The same folder twice is refused by device and inode.
 *
 * in_background: it returns when the folder is locked, its format is known, and there is room; the index is read, or repaired,
 * by a thread of its own. Until that is over the volume is starting: look-ups are misses, object_new() is STORE_STARTING,
 * volume_drop() does nothing, and a purge waits: it is in force before the first look-up finds anything. What is found damaged then
 * is told by an event, and a volume that cannot be used is set aside. Otherwise the same is done by the call. */
enum store_err volume_open(const struct store_config *config, struct volume **ret_volume, char why[256]);
/* Whether volume_open() would most likely succeed: the folder is a volume of our format, or is not there yet, or is empty,
 * and could be written by this user; and there is room for the size. Changes nothing, and does not ask whether somebody
 * has it open. Errors as of volume_open(). */
enum store_err volume_probe(const struct store_config *config, char why[256]);
bool volume_is_starting(const struct volume *volume);
/* Waits until the start is over, for so many microseconds at most. Returns whether it is. */
bool volume_wait(struct volume *volume, uint64_t us);
/* Writes what is queued, marks the volume clean, frees. A start that is not over is given up. Objects still referenced stay readable from memory; the caller
 * drops all references first to be sure of the rest. NULL is fine. */
void volume_close(struct volume **volume);
/* Returns when everything put before the call is committed (or has failed). For tests and shutdown. */
void volume_flush(struct volume *volume);
/* Nobody waits: done(arg, err) is called once, in the writer's thread, when everything put before the call is committed (or
 * has failed) and will survive a power cut. FAILED: the volume was set aside; DISK_ERROR and the like: the disk refused. It
 * is called before volume_close() returns. */
void volume_sync(struct volume *volume, void (*done)(void *arg, enum store_err err), void *arg);

struct volume_stat {
	uint64_t objects, live_bytes, data_bytes;     /* in the index; blocks in use; size of the data file */
	uint64_t limbo_bytes;                          /* freed, and not used again yet: commits or readers are in the way */
	uint64_t ram_bytes, fill_bytes, queue_bytes;
	/* hits_disk: loaded, or found with its body on disk. puts: queued for the writer; of these stored, or dropped_error
	 * (what object_finish() refused is in neither). */
	uint64_t gets, hits_ram, hits_disk, puts, stored, evicted, dropped_damaged, dropped_error;
	uint64_t moved;                                /* records that were written anew so that the index stays dense */
	uint64_t not_admitted;                         /* refused by `admission` */
	uint64_t commits, commit_us_p50, commit_us_p99, commit_us_max;   /* percentiles to a fifth, rounded up */
	uint64_t purges, purged;                       /* calls of volume_purge(); objects that hard ones took out */
	/* By the scrub: looked at so far; of these damaged, in dropped_damaged as well; passes, and when the last one ended (s since 1970). */
	uint64_t scrub_objects, scrub_bytes, scrub_damaged, scrub_passes, scrub_end_s;
	uint64_t purge_rules, purge_rules_max;         /* in force now; the bound */
	uint64_t io_waiting;                           /* loads and reads that wait for an I/O thread */
	uint64_t loads_shared, io_refused, io_late, reads_ahead;   /* asked for while it was on its way; STORE_BUSY; given up; */
	struct store_lost lost[STORE_LOSS_COUNT];      /* of dropped_error */
	uint64_t read_errors;                          /* reads that the disk refused */
	uint64_t set_aside, retries;                   /* times */
	bool failed;                                   /* set aside: nothing is stored */
	bool index_damaged;                            /* found at the start (set aside, or kept as far as it can be read) or since */
	bool starting;
	uint64_t start_records, start_total;           /* records read by the start so far; of how many (0: not known yet) */
};
void volume_stat(struct volume *volume, struct volume_stat *ret_stat);

/* ---- from process to process ----
 *
 * The old process retires the volume, then the new one may open it. The old one goes on serving what it knows of, from memory
 * and disk, until its end: as long as it has the volume open, the new one writes over nothing that the old one may still read
 * (it takes blocks that were free, and stores nothing when there are no more of them). The size must be the same in both. */
/* Stores nothing from here on (STORE_HANDED_OVER, for purges too); when it returns all that was put and purged is on disk and
 * the folder's lock is free. STORE_STARTING: not now, nothing has changed. */
enum store_err volume_retire(struct volume *volume);
/* The other process is gone: as before. False when somebody has the volume, or has written to it: it stays retired. */
bool volume_resume(struct volume *volume);
/* Look-ups find nothing (true), or again what there is. What was found may be read to its end. */
void volume_blind(struct volume *volume, bool blind);
bool volume_is_retired(const struct volume *volume);
/* ---- owners ----
 * Objects belong to owners, which are known by name: object_meta.owner is the number of one. Up to 1023 a volume. */
enum { OWNER_NAME_MAX = 400 };
/* The number of this name, given now if it has none yet; waits for a commit then. 0: there are too many, or the name is empty
 * or too long, or cannot be kept: then there is an event. */
uint16_t volume_owner(struct volume *volume, struct slice name);
/* When room is needed and owners have more than their quota, objects of the one who is over it most leave first. It may have
 * more while there is room. 0 bytes: no quota. Owner 0: nobody has a quota any more. */
void volume_quota(struct volume *volume, uint16_t owner, uint64_t bytes);
struct owner_stat { const char *name; uint64_t live_bytes, quota_bytes; };     /* quota 0: none. name: as long as the volume */
/* False: there is no owner of this number. Numbers begin at 1, without gaps unless the index was damaged. */
bool volume_owner_stat(struct volume *volume, uint16_t owner, struct owner_stat *ret_stat);

/* What proxyd wants kept beside the bytes; opaque to the library except `expires_us` (eviction may prefer the stale). */
struct object_meta {
	int64_t stored_us;           /* microseconds since 1970 by a clock that does not go back: response_time of RFC 9111 section 4.2.3 */
	int64_t age_base_us;         /* corrected_initial_age at stored_us */
	int64_t lifetime_us;         /* freshness lifetime */
	int64_t stale_while_us, stale_error_us;      /* RFC 5861 windows; -1: not given */
	int64_t expires_us;          /* stored_us + lifetime_us - age_base_us */
	uint32_t flags;              /* proxyd's own: see proxyd/stored.h */
	uint16_t status;
	uint16_t owner;              /* volume_owner(), or 0: nobody's */
	/* volume_purge_clock() of when its origin was asked: purges from then on concern it. 0: of object_new(). */
	uint64_t born;
	/* volume_void_clock() of then. 0: of object_new(). Not kept: it is about what is on its way. */
	uint64_t asked;
	struct slice tags;           /* each followed by a line end; at most STORE_TAGS_MAX. Copied by object_new() */
};

/* ---- look-up ---- */
enum store_get {
	STORE_MISS,                  /* nothing under this key, or the volume is starting */
	STORE_HIT,                   /* *ret_object has a reference: head is in memory; the body may be on disk */
	STORE_LOAD,                  /* known, but its head is on disk: call volume_load */
};
/* key_text: the whole key, compared when the record is loaded, so that a collision is a miss. Never blocks on I/O. Marks
 * the object as used for eviction. About 100 ns. */
enum store_get volume_get(struct volume *volume, struct store_key key, struct slice key_text, struct object **ret_object);
/* A load under way. The struct is the caller's: loaded (and patient) set, the rest zeroed; the library's until loaded() was
 * called or volume_load_cancel() said true. */
struct store_load {
	/* In an I/O thread, once: a reference that the callee owns, or NULL: gone or damaged, which is a miss. */
	void (*loaded)(struct store_load *load, struct object *object);
	bool patient;                /* never refused: for the few who can do nothing else */
	struct load_job *job;        /* the library's */
	struct store_load *next;
};
/* Loads the record (checksum verified) in an I/O thread, small bodies with it; whoever else asks for it meanwhile shares it.
 * key_text is copied. STORE_BUSY: refused, loaded() will not be called: too many loads wait, or the disk stands still. */
enum store_err volume_load(struct volume *volume, struct store_key key, struct slice key_text, struct store_load *load);
/* True: loaded() will not be called. False: it was called, or is being called. late: the caller has waited too long; when all
 * I/O threads wait for the disk, loads and reads are refused from then on until one of them comes back. */
bool volume_load_cancel(struct volume *volume, struct store_load *load, bool late);
/* Takes the object out of the index, if it is still this one (NULL object: whatever is there). Durable with the next
 * commit. Returns whether there was one. */
bool volume_drop(struct volume *volume, struct store_key key, const struct object *object);

/* ---- purging ----
 *
 * A purge is a rule with a number, the clock of the volume: it concerns what was born before it. So it takes effect in the
 * moment it is made, in constant time, whatever the number of objects, and for what is being filled, too. It is durable when
 * done() is called. Rules are few: one goes when nothing it concerns is left, or when a wider one covers it. */
enum purge_kind {
	PURGE_KEY,                   /* objects whose key's text, up to its first line end, is `text`: variants go on behind it */
	PURGE_PREFIX,                /* whose key's text begins with `text`; empty: all */
	PURGE_TAG,                   /* that have exactly this tag */
};
struct store_purge {
	enum purge_kind kind;
	bool soft;                   /* kept, but stale: object_is_purged(); else gone */
	struct slice text;           /* without a line end */
};
/* In force when it returns STORE_OK. Then done() is called once, in the thread of the library that counts: how many stored
 * objects it concerns; an error means that it is in force but may be forgotten by a restart. RULES_FULL, TOO_LARGE (or a
 * text with a line end) or FAILED: nothing happened, done() is not called. Nobody else waits. */
enum store_err volume_purge(struct volume *volume, const struct store_purge *purge,
	void (*done)(void *arg, enum store_err err, uint64_t objects), void *arg);
/* For object_meta.born. */
uint64_t volume_purge_clock(const struct volume *volume);
/* Whether a hard purge has lately taken what was under this key; asked once, it is forgotten. */
bool volume_was_purged(struct volume *volume, struct store_key key);
/* A purge concerns this object since it was born: it must not be used as fresh. A few ns unless a purge came since the last
 * call. Objects of a volume that are not published yet are asked for, too: they are never stored then. */
bool object_is_purged(struct object *object);

/* ---- what is on its way ---- */
/* An object whose key's text, up to its first line end, has this key is not stored if its origin was asked before this call:
 * object_finish() says PURGED, and object_is_purged() is true of it. For what is stored already there is volume_drop(), to
 * be called behind it. Constant time; now and then an object of another key is taken for one. */
void volume_void(struct volume *volume, struct store_key key);
/* For object_meta.asked. */
uint64_t volume_void_clock(const struct volume *volume);

/* ---- filling ---- */
/* A new object in state FILLING with one reference. volume NULL: an object of memory only, never stored (then fill_max
 * does not bound it). head and key_text are copied. body_size: STORE_SIZE_UNKNOWN when not known. RAM_FULL, TOO_LARGE
 * (body or head larger than the volume could ever hold), NOT_ADMITTED or FAILED: *ret_object untouched. */
enum store_err object_new(struct volume *volume, struct store_key key, struct slice key_text, const struct object_meta *meta,
	struct slice head, uint64_t body_size, struct object **ret_object);
/* The next bytes of the body, copied; readers are woken. One appending thread at a time. On an error (TOO_LARGE: more than
 * promised or than the volume takes; RAM_FULL: a body of unknown size outgrew fill_max) the object goes to BROKEN and
 * readers are woken; appending to it or finishing it is STORE_FAILED from then on. */
enum store_err object_append(struct object *object, const void *bytes, size_t len);
/* The body is whole: publishes the object in the RAM index (replacing what was under the key) and queues it for the
 * writer. OK: it will be stored unless the disk fails. PURGED: what was stored before stays. Otherwise it stays readable for its readers but is not stored, nor
 * found by look-ups. Readers are woken in any case. A body shorter than promised is BROKEN and STORE_FAILED. */
enum store_err object_finish(struct object *object);
/* Filling failed: state BROKEN, readers are woken; never stored. */
void object_fail(struct object *object);
/* A stored or whole object gets new meta and head (a 304 came): makes a new object that shares the body, publishes it and
 * queues only the record. REPLACED: something newer is there, or nothing. On failure *ret_object is a memory-only object, still good to be served: never NULL. */
enum store_err object_refresh(struct object *object, const struct object_meta *meta, struct slice head, struct object **ret_object);

/* ---- reading ---- */
struct object *object_ref(struct object *object);
void object_unref(struct object **object);      /* NULL is fine */

enum object_state { OBJECT_FILLING, OBJECT_WHOLE, OBJECT_BROKEN };
enum object_state object_state(const struct object *object);
const struct object_meta *object_meta(const struct object *object);
struct slice object_head(const struct object *object);
/* Bytes of the body there are by now: grows while FILLING, final when WHOLE. Acquire order: bytes below it may be read. */
uint64_t object_available(const struct object *object);
uint64_t object_size(const struct object *object);       /* final or promised size, or STORE_SIZE_UNKNOWN */
uint64_t object_checksum(const struct object *object);   /* XXH3 64 of the body; 0 while FILLING */

/* Points iov at the body from `offset`: at most `count` pieces and at most `max` bytes, in memory, without a copy, valid
 * as long as the caller's reference. Returns the number of pieces; 0 when nothing is available there, or -1 when the
 * bytes are on disk only: use object_read. */
int object_peek(const struct object *object, uint64_t offset, uint64_t max, struct iovec *iov, int count);
/* Reads body bytes that are on disk into buf without waiting for the disk (RWF_NOWAIT). Returns bytes (> 0), -EAGAIN
 * when the disk would have to be waited for (use object_read_wait), or -EIO: damaged or unreadable; the object is dropped. */
ssize_t object_read(struct object *object, uint64_t offset, void *buf, size_t len);
/* A read under way, as with struct store_load. */
struct store_read {
	/* In an I/O thread, once: bytes, or -EIO as above. */
	void (*done)(struct store_read *read, ssize_t result);
	struct load_job *job;        /* the library's */
	struct volume *volume;
};
/* The same in an I/O thread. buf must stay until done(). STORE_OK, or STORE_BUSY: done() will not be called. For a body that
 * is in memory done() is called at once. */
enum store_err object_read_wait(struct object *object, uint64_t offset, void *buf, size_t len, struct store_read *read);
/* True: done() will not be called, and buf is free. False: it was called, or will be: the disk is at work. */
bool object_read_cancel(struct store_read *read, bool late);
/* Bytes that will be wanted soon: an I/O thread has the kernel read them, unless there is more urgent work. */
void object_read_ahead(struct object *object, uint64_t offset, size_t len);

/* A reader that has read everything available waits to be woken. wake() is called once for each registration, in the
 * appending thread, when there is more than `seen` bytes or the state is no longer FILLING; it must only post a message.
 * It is called with a lock of the object held: it must not call back into the library.
 * The struct is the caller's, zeroed at first, and is linked in until wake() or object_unwait(). */
struct object_waiter {
	void (*wake)(struct object_waiter *waiter);
	struct object_waiter *prev, *next;           /* the library's */
	bool linked;
};
/* False (and not registered) when there already is more than `seen`, or the state is not FILLING. */
bool object_wait(struct object *object, uint64_t seen, struct object_waiter *waiter);
/* After it returns wake() will not be called any more. Returns false when it was woken already. */
bool object_unwait(struct object *object, struct object_waiter *waiter);

#endif
