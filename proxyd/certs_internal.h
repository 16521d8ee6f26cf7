/* What certs.c, cert_folder.c and cert_watch.c share. Everything that several threads read is under certs->lock, which is
 * held for a few instructions and never over a file. Only the main thread, before certs_start() and within its calls, and the
 * thread of certs load: certs->loading keeps them apart. */
#ifndef PROXYD_CERTS_INTERNAL_H
#define PROXYD_CERTS_INTERNAL_H

#include <pthread.h>
#include <sys/stat.h>

#include "certs.h"

struct cert_sign { int64_t mtime_ns[2 + CERT_STAPLES_MAX]; uint64_t size[2 + CERT_STAPLES_MAX], inode[2 + CERT_STAPLES_MAX]; };

enum cert_warned { WARNED_no, WARNED_soon, WARNED_alarm, WARNED_expired };

/* The OCSP answer of a slot's certificate: cert_stapling.c. Written with the lock held too. */
struct cert_stapling {
	bool wanted;                             /* answers are fetched */
	bool fetching;
	bool fetched;                            /* what it has now came from a responder, not from a file of the user's */
	bool revoked;
	bool gap_told;                           /* that there is none that is valid */
	unsigned failures;                       /* in a row */
	uint64_t due_us;                         /* when to fetch next, monotonic; 0: not at all */
	int64_t fetched_s, error_s;
	char source[CERT_PATH_MAX], error[CERT_WHY_MAX];
};

struct cert_slot {
	struct cert_slot *next, **at;            /* all slots */
	unsigned refs;
	char *file, *key;                        /* key NULL: in the same file */
	char *staples[CERT_STAPLES_MAX];         /* the first is FILE.ocsp */
	size_t staple_count;
	struct cert *cert;
	struct cert_sign seen;                   /* of the files, when they were last looked at */
	char error[CERT_WHY_MAX];
	int64_t error_s;
	enum cert_warned warned;
	struct cert_wish *wishes;                /* newest first; of one in a folder: the folder's */
	struct cert_stapling stapling;

	/* in a folder: what the index knows */
	bool in_folder, gone, bad;               /* bad: the files as they are cannot be indexed */
	enum cert_kind kind;
	int64_t not_before_s, not_after_s;
	struct cert_folder *folder;              /* NULL: none, or it is not in it any more */
	char **names;
	size_t name_count;
	struct cert_slot *folder_next;
};

struct name_slot { const char *name; size_t len; struct cert_slot *slots[CERT_KIND_COUNT]; };
struct name_map { struct name_slot *slots; size_t mask; char *pool; /* the names */ };

struct cert_folder {
	struct cert_folder *next;
	unsigned refs;
	char *path;
	struct cert_slot *items;
	struct name_map map;
	int64_t mtime_ns;
	int watch;                               /* inotify's; -1: none */
	struct cert_wish *wishes;
};

/* A folder that inotify watches for the sake of slots. */
struct cert_watch { struct cert_watch *next; char *path; int watch; };

struct certs {
	pthread_mutex_t lock, loading;
	struct cert_slot *slots;
	struct cert_folder *folders;
	struct certs_listener *listeners;
	struct cert_wait *waiting;               /* for the thread */
	atomic_uint_fast64_t refused;

	pthread_t thread;
	bool running, stop;
	int wake_fd, inotify_fd;                 /* -1: none */
	struct cert_watch *watches;

	/* cert_ask.c */
	struct fetches *fetches;                 /* the thread's; NULL: nothing was fetched yet */
	unsigned tokens;                         /* fetches that may be begun at once; another one comes with time */
	uint64_t token_us;
	uint64_t stapling_us;                    /* the lock: when something is due, at the earliest */
	atomic_uint_fast64_t fetches_over, fetches_failed;
};

/* certs.c */
struct cert_slot *slot_new(struct certs *certs, const char *file, const char *key);
void slot_unref(struct cert_slot *slot);
bool slot_sign(const struct cert_slot *slot, struct cert_sign *ret);
/* Loads what the files have now. False with a sentence: it cannot be used; the slot has the error, the old one stays. */
bool slot_load(struct certs *certs, struct cert_slot *slot, char why[CERT_WHY_MAX]);
/* The same when the files have changed since they were last looked at. */
void slot_look(struct certs *certs, struct cert_slot *slot);
void slot_refused(struct certs *certs, struct cert_slot *slot, const char *why);
int64_t certs_now_s(void);
void certs_wake(struct certs *certs);

/* cert_folder.c: reads the folder again: what is new, gone or changed. False with errno: it cannot be read. */
bool folder_scan(struct certs *certs, struct cert_folder *folder);
void folder_free(struct certs *certs, struct cert_folder *folder);

/* cert_stapling.c: the slot has another certificate than `old` (NULL: it had none). certs->loading is held. */
void stapling_loaded(struct certs *certs, struct cert_slot *slot, const struct cert *old);
/* The lock is held. Whether it is to be said that the certificate wants an answer (RFC 7633), has none, and none is fetched. */
bool stapling_lacks(struct cert_slot *slot, int64_t now_s);
void stapling_view(const struct cert_slot *slot, int64_t now_s, struct cert_staple_view *ret);

/* cert_ask.c, the thread: waits as poll(2) does, but not longer than until something is due; goes on with fetches; ends them. */
struct pollfd;
void stapling_wait(struct certs *certs, struct pollfd *polls, unsigned count, int ms);
void stapling_run(struct certs *certs);
void stapling_end(struct certs *certs);

/* cert_watch.c: begins to watch the folder of a file, or a folder; the lock is not held. */
void watch_file(struct certs *certs, const char *file);
void watch_folder(struct certs *certs, const char *path);
void watches_free(struct certs *certs);

#endif
