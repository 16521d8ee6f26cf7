/* The threads that read (loader.c). A part of internal.h, which includes it. */
#ifndef CACHESTORE_LOADER_H
#define CACHESTORE_LOADER_H

enum {
	LOADER_THREADS_MAX = 64,
	LOADER_WAITING_MAX = 1024,              /* jobs of each queue that wait for a thread; one more is STORE_BUSY */
	LOADER_SLOTS = 256,
};
/* One record for all who ask for it (loads), or one piece of a body (read; ahead: for the page cache only). */
struct load_job {
	struct load_job *next, *prev;           /* in a queue */
	bool running, is_long;                  /* is_long: in the queue of long reads */
	/* a load */
	struct store_load *loads;               /* NULL: a read, or nobody waits any more */
	struct load_job *chain;                 /* of the slot */
	struct store_key key;
	/* a read */
	struct store_read *read;
	struct object *object;                  /* one reference; NULL: a load */
	uint64_t offset;
	void *buf;                              /* NULL: ahead */
	size_t len;
	size_t key_len;
	char key_text[];
};
struct load_queue { struct load_job *first, *last; size_t count; };
struct loader {
	pthread_t threads[LOADER_THREADS_MAX];
	unsigned thread_count, thread_want;
	pthread_mutex_t lock;
	pthread_cond_t work;
	/* under lock */
	struct load_queue shorts, longs;        /* records; pieces of bodies and bodies that are to be verified */
	struct load_job *slots[LOADER_SLOTS];   /* all loads, by key */
	unsigned running, running_long;
	bool turn, stop;
	bool stalled;                           /* every thread waits for the disk, and somebody has waited too long */
	uint64_t shared, refused, late, ahead;
};
void loader_init(struct volume *volume);
bool loader_start(struct volume *volume);
void loader_stop(struct volume *volume);
enum store_err loader_read(struct object *object, uint64_t offset, void *buf, size_t len, struct store_read *read);
bool loader_read_cancel(struct store_read *read, bool late);
/* A record or its body is wrong, or cannot be read: `removed` from the index for that (0: it was not there any more) is
 * deleted, counted, told. */
void loader_damaged(struct volume *volume, uint64_t removed);

#endif
