/* Listening sockets: one for each address and worker (SO_REUSEPORT), so that the kernel spreads the connections and no
 * worker wakes for another's; a UNIX socket is one, watched by all.
 *
 * Made by the main thread, given to a worker before it runs or by a message, used and closed by that worker only. */
#ifndef PROXYD_LISTENER_H
#define PROXYD_LISTENER_H

#include "worker.h"

enum { LISTENER_TEXT_MAX = 160 };

struct listener {
	struct io io;
	struct listener *next;
	const struct conf_listen *listen;        /* of the worker's present configuration */
	bool is_shared;                          /* of several workers each has a descriptor of it */
	char asked[LISTENER_TEXT_MAX];           /* conf_addr.text: 127.0.0.1:0 */
};

/* ---- the main thread ---- */

/* Whether somebody else listens there: with SO_REUSEPORT the bind would succeed and share his connections. */
bool listener_probe(const struct conf_addr *addr, char why[256]);
/* A socket that listens. addr: with the port that is bound when it asked for port 0. -1 with a sentence in why. */
int listener_socket(struct conf_addr *addr, int backlog, bool reuse_port, char why[256]);
/* Takes the descriptor. */
struct listener *listener_new(const struct conf_listen *listen, int fd);
void listener_list_free(struct listener **list);
/* 127.0.0.1:8080, [::1]:80, unix:/path: as bound. */
void listener_text(const struct conf_addr *addr, char out[LISTENER_TEXT_MAX]);

/* ---- a worker ---- */

/* Reload, while the old configuration is still the worker's: what waits on addresses that `now` has no more is accepted,
 * then their sockets are closed. */
void listeners_leave(struct worker *worker, const struct conf *now);
/* The present configuration's listeners: the ones there are, and those of the list, which is emptied. */
void listeners_adopt(struct worker *worker, struct listener **list);
/* Graceful stop: accepts what waits, closes. */
void listeners_drain(struct worker *worker);
/* Once a round: accepts again when there is room for connections. */
void listeners_round(struct worker *worker);
void listeners_free(struct worker *worker);

#endif
