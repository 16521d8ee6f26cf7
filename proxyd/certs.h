/* The certificates that are served, over all configurations: each is a slot, which has its files and, once loaded, what they
 * had when they were last good. A thread watches the files (inotify, and a look now and then), loads what a handshake waits
 * for, and swaps one certificate without touching any other. Folders have one slot for each certificate in them, found by name
 * and loaded when first needed.
 *
 * Threads: slots and folders are asked for by the main thread, read by all. */
#ifndef PROXYD_CERTS_H
#define PROXYD_CERTS_H

#include "cert.h"
#include "worker.h"

enum {
	CERTS_POLL_MS = 10 * 1000,               /* how often files are looked at, whatever inotify said */
	CERTS_SETTLE_MS = 100,                   /* so long nothing must have changed in a folder before its files are read */
	CERTS_EXPIRY_MS = 3600 * 1000,           /* how often dates are looked at */
	CERTS_WARN_DAYS = 21, CERTS_ALARM_DAYS = 7,
	CERT_STAPLES_MAX = 8,
};

struct certs;
struct cert_slot;
struct cert_folder;

struct certs *certs_new(void);
/* The thread of it; before that nothing is watched and nothing in a folder is loaded. False with errno. */
bool certs_start(struct certs *certs);
/* Once the user has been changed to: says which files could be read before and cannot any more. */
void certs_check_access(struct certs *certs);
/* Ends the thread: what waits for it is answered. Then certs_free(), when no configuration is left. */
void certs_stop(struct certs *certs);
void certs_free(struct certs **certs);

/* The slot of these files, loaded; key empty: in the same file. One that exists already is looked at again: when its files
 * have changed for the worse the old certificate stays and the error log says so. NULL with a sentence in why: it cannot be
 * used and there is no old one. One reference. */
struct cert_slot *certs_slot(struct certs *certs, struct slice file, struct slice key, char why[CERT_WHY_MAX]);
/* An OCSP answer that may be its: looked at with the next load. */
void cert_slot_staple(struct certs *certs, struct cert_slot *slot, struct slice file);
void certs_slot_unref(struct certs *certs, struct cert_slot **slot);
/* What it has now, one reference; NULL: not loaded. */
struct cert *certs_slot_cert(struct certs *certs, struct cert_slot *slot);

struct cert_folder *certs_folder(struct certs *certs, struct slice path, char why[CERT_WHY_MAX]);
void certs_folder_unref(struct certs *certs, struct cert_folder **folder);
/* The certificates of a name (lower case), of each kind at most one: exactly its own, else that of *.the-rest. Returns how
 * many are loaded, with a reference each in certs[]; -1: some have to be loaded first, and wait, which is the worker's, is
 * told when that is done. */
struct cert_wait {
	struct mail mail;                        /* run: in the worker's thread */
	struct worker *worker;
	struct cert_wait *next;
	struct cert_slot *slots[CERT_KIND_COUNT];
};
int certs_find(struct certs *certs, struct cert_folder *folder, struct slice name, struct cert *ret[CERT_KIND_COUNT],
	struct cert_wait *(*make)(void *arg), void *arg);

/* Who is told when a slot has another certificate: in the thread of certs, or in the main thread within certs_slot(). */
struct certs_listener {
	struct certs_listener *next;
	void (*changed)(struct certs_listener *listener, struct cert_slot *slot);
};
void certs_listen(struct certs *certs, struct certs_listener *listener);
void certs_unlisten(struct certs *certs, struct certs_listener *listener);

/* What a server wants of the OCSP answers of its certificates: they are fetched, when one of the newest configuration's servers
 * says so. Registered for a slot, or for all of a folder; everything in it lives as long. */
struct cert_wish {
	struct cert_wish *next;
	const void *by;                          /* the configuration's front: wishes of the newest one count */
	bool fetch, anyone;                      /* anyone: ssl_stapling_verify off */
	struct slice responder, folder;          /* empty: as the certificate says; not kept in files */
	const STACK_OF(X509) *trusted;           /* issuers that chains may lack; NULL: none */
};
void certs_slot_wish(struct certs *certs, struct cert_slot *slot, struct cert_wish *wish);
void certs_folder_wish(struct certs *certs, struct cert_folder *folder, struct cert_wish *wish);
void certs_slot_unwish(struct certs *certs, struct cert_slot *slot, struct cert_wish *wish);
void certs_folder_unwish(struct certs *certs, struct cert_folder *folder, struct cert_wish *wish);

/* For metrics and `ctl certificates`: calls show() for each slot, in no order. */
struct cert_view {
	const char *file, *error;                /* error: of the last look; empty: none */
	int64_t error_s;
	const struct cert *cert;                 /* NULL: not loaded */
	char *const *names;
	size_t name_count;
	bool in_folder;
	int64_t not_after_s;                     /* 0: not known */
	struct cert_staple_view {
		bool valid, wanted, revoked;         /* sent by handshakes now; to be had; the responder's word */
		int64_t from_s, until_s;             /* of the one it has, valid or not; until INT64_MAX: open. 0: it has none */
		const char *source, *error;          /* file or URL; what the last fetch failed for: empty: nothing */
		int64_t fetched_s, next_s, error_s;  /* 0: not known, none */
	} staple;
};
void certs_each(struct certs *certs, void (*show)(void *arg, const struct cert_view *view), void *arg);
/* How often a certificate was refused since the start. */
uint64_t certs_refused(const struct certs *certs);
/* Fetches of OCSP answers that are over, and those that brought none that can be used. */
void certs_fetches(const struct certs *certs, uint64_t *ret_all, uint64_t *ret_failed);

#endif
