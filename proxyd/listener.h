/* Listening sockets: one for each address and worker (SO_REUSEPORT), so that no accept is shared; UNIX sockets are one for
 * all workers. Opened by the daemon's main thread, used by their worker only. */
#ifndef PROXYD_LISTENER_H
#define PROXYD_LISTENER_H

#include "worker.h"

struct listener {
	struct io io;
	struct timer pause;            /* out of descriptors, or too many connections */
	struct listener *next;
	const struct conf_listen *listen;      /* of the worker's current configuration */
	struct conf_addr bound;        /* as bound: with the real port when 0 was asked for; text is owned */
	char text[128];
};

/* Binds and listens. fd >= 0: the socket of a UNIX address that another worker shares, or one that was inherited. NULL with
 * one sentence in why. */
struct listener *listener_open(const struct conf_listen *listen, int fd, char why[256]);
/* Starts accepting, in the worker's thread or before it runs. */
void listener_start(struct worker *worker, struct listener *listener);
void listener_free(struct worker *worker, struct listener **listener);

#endif
