/* OCSP answers fetched over HTTP, by libcurl: several at once, none waited for; bounded in size and time. Names are resolved in
 * threads of libcurl's. In one thread, that of the certificates. */
#ifndef PROXYD_CERT_FETCH_H
#define PROXYD_CERT_FETCH_H

#include <poll.h>

#include "../conf/slice.h"

enum {
	FETCH_US = 15 * 1000 * 1000,             /* from the look-up of the name to the last byte */
	FETCH_LOOK_MS = 500,                     /* how often that is looked at */
	FETCH_WHY_MAX = 200,
};

struct fetches;
struct fetches *fetches_new(void);               /* NULL: libcurl cannot be started */
/* What is under way is given up; its owners are given to `drop`. */
void fetches_free(struct fetches **fetches, void (*drop)(void *owner));
unsigned fetches_open(const struct fetches *fetches);    /* under way; fetches may be NULL */
/* A POST of the body, which is copied, to http://...: no other scheme, no redirect, no proxy. now_us: monotonic. False: no memory. */
bool fetch_begin(struct fetches *fetches, const char *url, const void *body, size_t len, uint64_t now_us, void *owner);
/* As poll(2); returns early when a fetch can go on. fetches may be NULL. */
int fetches_poll(struct fetches *fetches, struct pollfd *polls, unsigned count, int ms);
/* Goes on with all of them. Then those that are over are told, one after another: with an answer, or (NULL) with a reason. */
void fetches_run(struct fetches *fetches, uint64_t now_us, void (*over)(void *arg, void *owner, const struct slice *answer, const char *why), void *arg);

#endif
