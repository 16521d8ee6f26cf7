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

	/* in a folder: what the index knows */
	bool in_folder, gone, bad;               /* bad: the files as they are cannot be indexed */
	enum cert_kind kind;
	int64_t not_after_s;
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

/* cert_folder.c: reads the folder again: what is new, gone or changed. False with errno: it cannot be read. */
bool folder_scan(struct certs *certs, struct cert_folder *folder);
void folder_free(struct certs *certs, struct cert_folder *folder);

/* cert_watch.c: begins to watch the folder of a file, or a folder; the lock is not held. */
void watch_file(struct certs *certs, const char *file);
void watch_folder(struct certs *certs, const char *path);
void watches_free(struct certs *certs);

#endif
