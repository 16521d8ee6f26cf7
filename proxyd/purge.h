/* Purging: several purges, of one volume or many, as one order with one answer; and what a person's URL means as a key. */
#ifndef PROXYD_PURGE_H
#define PROXYD_PURGE_H

#include <stdatomic.h>

#include "url.h"
#include "../cachestore/cachestore.h"

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

enum { PURGE_KEY_ROOM = URL_MAX + 300, PURGE_KEYS_MAX = 8 };
/* The key's text for a URL, or the beginning of one, as it is. False: `why` says why. */
bool purge_key_of_url(struct slice url, char out[PURGE_KEY_ROOM], struct slice *ret_text, const char **why);
/* The texts of the keys that requests for the URL may have, each once: as it is, and by the rules of each location that they
 * come to. One room more than keys, to look at the next one. */
struct purge_keys {
	size_t count;
	struct slice texts[PURGE_KEYS_MAX];
	char rooms[PURGE_KEYS_MAX + 1][PURGE_KEY_ROOM];
};
bool purge_keys_of_url(const struct conf *conf, struct slice url, struct purge_keys *ret_keys, const char **why);

#endif
