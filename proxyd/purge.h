/* Purging: several purges, of one volume or many, as one order with one answer; and what a person's URL means as a key. */
#ifndef PROXYD_PURGE_H
#define PROXYD_PURGE_H

#include <stdatomic.h>

#include "../cachestore/cachestore.h"
#include "../conf/slice.h"

struct purge_order {
	void (*done)(struct purge_order *order);     /* once, in the thread that makes it complete: must only post a message */
	atomic_uint open;
	atomic_uint_fast64_t objects;
	_Atomic int err;                         /* enum store_err: the first one */
};
/* begin, any number of adds, end: done() may be called before end returns. Each purge is in force when add returns. */
void purge_begin(struct purge_order *order, void (*done)(struct purge_order *order));
void purge_add(struct purge_order *order, struct volume *volume, const struct store_purge *purge);
void purge_end(struct purge_order *order);

enum { PURGE_URL_MAX = 8000, PURGE_KEY_ROOM = PURGE_URL_MAX + 300 };
/* The key's text for a URL, or the beginning of one, as the daemon would make it. False: `why` says why. */
bool purge_key_of_url(struct slice url, char out[PURGE_KEY_ROOM], struct slice *ret_text, const char **why);

#endif
