/* A volume seen from outside of the process that has it open, or with nobody having it open: for `proxyd volume`.
 *
 * Strictly read-only: the folder's lock is not taken, no file is made, no byte of one is changed. While a daemon has the
 * index open a reader registers in LMDB's table of readers, as LMDB wants it, so that no page is taken away while it looks;
 * it looks in slices of a millisecond or so, since pages that a reader may see make the writer's map grow. Where that table
 * may not be written to, or nobody has the index open, a slice is read without, and read again when two commits went by
 * meanwhile: only then can a page have changed under it.
 *
 * Between two slices the volume changes: what is reported of an object was true when its slice was read.
 *
 * A damaged index may kill whoever reads it (SIGBUS, SIGSEGV, an assertion of LMDB's): all but inspect_look() belongs into
 * inspect_guard(). One thread. Nothing is printed. */
#ifndef CACHESTORE_INSPECT_H
#define CACHESTORE_INSPECT_H

#include "cachestore.h"

struct inspect;
struct extent;

/* What can be said without opening the index. */
struct inspect_folder {
	unsigned format;
	char state[16];              /* as it was left, or is: clean, dirty (in use, or its daemon was killed), doubtful (a commit
	                              * failed: the next start copies the index), damaged, new */
	pid_t open_by;               /* a process that has the index open; 0: nobody has */
	bool may_register;           /* inspect_open() would stand among its readers */
	uint64_t data_bytes, index_bytes;            /* sizes of the files */
};
/* OK; NO_FOLDER, NO_ACCESS, NOT_VOLUME, VERSION, SYSTEM with a sentence in why. Cannot die. Never in a process that has the volume
 * or its index open, by volume_open() or by inspect_open(): it closes LMDB's lock file, and with that the kernel takes away all
 * locks on it that the process has. */
enum store_err inspect_look(const char *path, struct inspect_folder *ret_folder, char why[256]);

/* Runs run(arg) in a child process and waits. STORE_OK: *ret_code is what it returned (0 to 255). DAMAGED: it died as readers
 * of a damaged index do. SYSTEM: something else ended it, or there is no process to be had. What it has written to stdio
 * streams is flushed when it returns, and lost when it dies: flush between two slices. */
enum store_err inspect_guard(int (*run)(void *arg), void *arg, int *ret_code);

/* As inspect_look(), and DAMAGED: LMDB refuses the index, or there is none. */
enum store_err inspect_open(const char *path, struct inspect **ret_inspect, char why[256]);
void inspect_close(struct inspect **inspect);   /* NULL is fine */
/* Of the last error that one of the functions below returned. */
const char *inspect_why(const struct inspect *inspect);
/* As it was when it was opened. */
const struct inspect_folder *inspect_found(const struct inspect *inspect);
/* Whether it stands in LMDB's table of readers. */
bool inspect_is_registered(const struct inspect *inspect);

/* ---- objects ---- */
struct inspect_object {
	uint64_t generation;         /* the number that its record lies under: grows with the time of storing */
	const char *damage;          /* NULL: record and head are right. Else what is wrong, and nothing else here is to be relied on */
	struct store_key key;
	struct slice key_text, head;                 /* of a damaged one: as far as it can be read */
	struct object_meta meta;
	uint64_t body_size, body_checksum;
	uint64_t index_bytes;        /* of record and head in the index, without LMDB's share */
	const struct extent *extents;
	uint32_t extent_count;
};
/* The next objects, by generation, the oldest first: visit() is called for each of a slice, outside of the transaction; what
 * the object points to is valid during the call. *ret_more: call again. DAMAGED: the
 * index cannot be read any further. BUSY: it changes faster than it can be read without standing among its readers. */
enum store_err inspect_next(struct inspect *inspect, void (*visit)(void *arg, const struct inspect_object *object), void *arg,
	bool *ret_more);
void inspect_rewind(struct inspect *inspect);
/* Whether there is a record of this generation now. */
enum store_err inspect_has(struct inspect *inspect, uint64_t generation, bool *ret_has);

/* Reads the body's bytes in order and gives each piece to piece() (which may be NULL, and may take its time), then compares the checksum.
 * What was not in memory before does not stay there for it. */
enum inspect_body {
	INSPECT_WHOLE,
	INSPECT_GONE,                /* wrong, but the record has gone meanwhile: its blocks were another's by then */
	INSPECT_WRONG,               /* the checksum is wrong, and the record is there */
	INSPECT_UNREADABLE,          /* the disk refused, or the file ends before, and the record is there */
	INSPECT_UNKNOWN,             /* one of these: the index could not be asked; inspect_why() */
};
enum inspect_body inspect_body(struct inspect *inspect, const struct inspect_object *object,
	void (*piece)(void *arg, const void *bytes, size_t len), void *arg);

/* ---- purges in force ---- */
struct inspect_rule {
	const char *damage;          /* NULL: right */
	enum purge_kind kind;
	struct slice text;
	uint64_t hard, soft;         /* clock of the newest purge of each sort; 0: none */
};
/* All of them, as they were when the volume was opened. */
enum store_err inspect_rules(struct inspect *inspect, void (*visit)(void *arg, const struct inspect_rule *rule), void *arg);
/* What they say of an object. text: what purges go by (store_config.purge_text). */
enum inspect_purged { INSPECT_PURGED_no, INSPECT_PURGED_soft, INSPECT_PURGED_hard };
enum inspect_purged inspect_judge(struct inspect *inspect, struct slice text, const struct object_meta *meta, bool bookkeeping);

/* ---- the index ---- */
struct inspect_index {
	uint64_t records;
	uint64_t map, used, free, untouched;         /* pages of 4 KB: of the map; of trees; on the free list; never used */
	uint64_t limit;              /* of `used`: beyond it the daemon evicts */
	uint64_t lost;               /* neither used nor free nor untouched */
	uint64_t wrong;              /* on the free list twice, or of no such number, or more than there are */
	uint64_t commit;             /* number of the last one */
};
/* One transaction for all of it. */
enum store_err inspect_index(struct inspect *inspect, struct inspect_index *ret_index);
/* The reader, other than this one, that holds the oldest pages, and how many commits ago it began. pid 0: there is none, or
 * this one does not stand in the table. */
enum store_err inspect_oldest_reader(struct inspect *inspect, pid_t *ret_pid, uint64_t *ret_behind);

/* ---- blocks ---- */
struct inspect_blocks;
/* For a data file of so many bytes. */
struct inspect_blocks *inspect_blocks_new(uint64_t data_bytes);
void inspect_blocks_free(struct inspect_blocks **blocks);
/* The object's blocks are its own from now on. Returns the generation of an object of another key that had one of them
 * before, and took it first (*ret_block: which): if that one is still there (inspect_has), one of them is wrong. 0: none. */
uint64_t inspect_blocks_claim(struct inspect_blocks *blocks, const struct inspect_object *object, uint32_t *ret_block);

enum { INSPECT_POWERS = 32 };
struct inspect_runs {
	uint64_t total, used;        /* blocks */
	uint64_t runs, largest;      /* of free blocks */
	uint64_t by_power[INSPECT_POWERS];           /* runs of 2^i to 2^(i+1) - 1 blocks */
};
void inspect_blocks_runs(const struct inspect_blocks *blocks, struct inspect_runs *ret_runs);
/* Pure: the same of a row of numbers of owners, 0: free. */
void inspect_runs_count(const uint32_t *owners, uint32_t total, struct inspect_runs *ret_runs);

#endif
