/* A binary upgrade: the running (old) process starts a new program, which takes over from it. They talk over a pair of sockets,
 * one packet a message, the first byte its kind:
 *
 *   old -> new   H  "1 ORDINAL FIRST_WORKER GENERATION SELF": what the new one goes on from
 *                L M A P   a descriptor and what the configuration calls it: listening socket, metrics, admin, pid file
 *                S  "SIZE PATH" of a volume          K  the keys of session tickets          E  that is all
 *   new -> old   V  everything is ready but for the volumes
 *   old -> new   T  they are retired: open them
 *   new -> old   O  they are open
 *   old -> new   B  I look nothing up any more
 *   new -> old   R  I serve: stop accepting
 *   new -> old   F  "TEXT": why I do not start
 *   old -> new   I  "PATH\nKEY": an unsafe request to me has invalidated that URL     X  or any
 *
 * Until T everything is as it was when the new one fails; until R the old one accepts. A process that is gone is seen by the
 * end of the stream: the new one goes on alone, the old one takes back what it can. */
#ifndef PROXYD_HEIR_H
#define PROXYD_HEIR_H

#include "listener.h"

enum { HEIR_TEXT_MAX = 32 * 1024, HEIR_NAME_MAX = 4096 };

struct inherited {
	struct inherited *next;
	char kind;
	int fd;                                  /* -1: none, or taken */
	uint64_t size;                           /* of a volume */
	char text[HEIR_NAME_MAX];
};

/* The new process' side. */
struct heir {
	int fd;                                  /* -1: the old process is gone */
	unsigned ordinal;                        /* of the upgrades since the start, from 1 */
	unsigned first_worker;                   /* the number of the first worker in the log */
	uint64_t generation;                     /* of the old one's configuration */
	char self[68];
	struct inherited *list;
	size_t count;
	char *ticket_keys;                       /* NULL: none */
	size_t ticket_keys_len;
	void (*invalidated)(void *arg, struct slice path, struct slice key);     /* empty: everything */
	void *arg;
};

/* What the old process hands over; *ret_heir NULL: there is none. False after telling why it cannot be had. */
bool heir_receive(struct heir **ret_heir);
/* The next descriptor of that kind and name, which is the caller's then; -1: none. heir NULL is fine. */
int heir_take(struct heir *heir, char kind, struct slice text);
bool heir_has(const struct heir *heir, char kind, struct slice text);
/* The size that a volume has in the old process; 0: it has none there. */
uint64_t heir_size(const struct heir *heir, struct slice path);
/* What tls_tickets_give() gave; empty: nothing. heir_forget_tickets() wipes it. */
struct slice heir_tickets(const struct heir *heir);
void heir_forget_tickets(struct heir *heir);
/* Says something, and waits for an answer; 0: none. Returns false when the old process is not there (any more). What it tells of
 * invalidations meanwhile is passed on. */
bool heir_say(struct heir *heir, char kind, const char *text, char answer);
/* What the old process has to say by now. */
void heir_listen(struct heir *heir);
void heir_free(struct heir **heir);

/* ---- both ---- */

/* fd -1: none goes with it. wait: false: EAGAIN when there is no room now. */
bool packet_send(int channel, char kind, struct slice text, int fd, bool wait);
/* text has room for HEIR_TEXT_MAX bytes and a 0. 0: end of the stream, or an error. fd (may be NULL) is the caller's. */
char packet_receive(int channel, char *text, size_t *ret_len, int *ret_fd, bool wait);

#endif
