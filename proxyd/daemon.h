/* The daemon: what all workers share, and what changes while they run: configurations, volumes, listeners. Everything here
 * is for the main thread, but daemon_volume() (worker.h) and what metrics.c reads. */
#ifndef PROXYD_DAEMON_H
#define PROXYD_DAEMON_H

#include <pthread.h>

#include "access_log.h"
#include "heir.h"
#include "identity.h"
#include "listener.h"
#include "pidfile.h"
#include "tls_front.h"
#include "volumes.h"
#include "worker.h"

/* A configuration that is in use, by the workers or by requests that began with it. */
struct generation {
	struct generation *next;
	struct conf *conf;                       /* one reference: when it is the last, the generation is over */
};

/* An address that the workers listen on. */
struct bound {
	struct bound *next;
	char asked[LISTENER_TEXT_MAX], shown[LISTENER_TEXT_MAX];
	struct sockaddr_un path;                 /* sun_family 0: not a UNIX socket */
};

struct metrics;
struct admin;

struct daemon {
	struct worker **workers;
	unsigned worker_count;
	struct access_log *log;
	struct metrics *metrics;
	struct admin *admin;
	struct volumes volumes;
	struct tls_shared tls;
	struct generation *generations;          /* newest, which is the present one, first */
	struct bound *bounds;
	struct identity identity;
	struct pid_file pid_file;
	int64_t started_us;                      /* since 1970 */
	char node[68];
	char self[68];                         /* the name in Via and CDN-Loop */
	atomic_uint_fast64_t generation;         /* number of the present configuration */

	/* A binary upgrade: upgrade.c in the old process, heir.c in the new one. */
	struct heir *heir;                       /* what another process handed over to this one, or NULL */
	unsigned ordinal, first_worker;          /* upgrades since the start; number in the log of the first worker */
	struct inherited *gathered;
	atomic_int successor;                    /* the channel to the process that takes over; -1: none */
	atomic_bool invalidations_lost;
	bool handed_over;                        /* files with names are not ours any more */
	long heir_pid;                           /* who has it all now */
	int ends;                                /* a signal came meanwhile that ends this process */
	char *upgrade_to;                        /* the program that is asked for; NULL: the one that was started */
	unsigned upgrades;                       /* tried; and how the last one went */
	long upgrade_pid;
	char upgrade_why[512];

	pthread_mutex_t lock;                    /* for the answers of the workers; for the words about upgrades */
	pthread_cond_t changed;
	unsigned answers;
};

void daemon_init(struct daemon *daemon);
/* From an admin connection: asks the main thread for an upgrade (to the program of that path; NULL: to the one that was started)
 * and waits for its end. Returns the new process, or 0 with a sentence in why. */
long daemon_ask_upgrade(struct daemon *daemon, const char *program, char why[512]);
/* The main thread: how it went. */
void daemon_upgraded(struct daemon *daemon, long pid, const char *why);
/* Listeners, user, volumes, logs, workers: everything is tried, every failure told. True: it serves, and has said so.
 * Takes the configuration in any case. After a failure daemon_release() is all that may be called. */
bool daemon_start(struct daemon *daemon, struct conf *conf);
/* Everything new is opened before anything is changed; then the workers change over, and it returns when all have. False:
 * the old configuration stays, and why has been told. Takes the configuration in any case. */
bool daemon_reload(struct daemon *daemon, struct conf *conf);
/* New files under the old names. */
void daemon_reopen(struct daemon *daemon);
/* Now and then while daemon_has_old(): gives up configurations that no request uses any more, and their volumes. */
void daemon_tidy(struct daemon *daemon);
static inline bool daemon_has_old(const struct daemon *daemon) { return daemon->generations && daemon->generations->next; }
/* Graceful: no new connections, requests in progress may finish. daemon_has_ended() then says when all have. */
void daemon_drain(struct daemon *daemon);
bool daemon_has_ended(struct daemon *daemon);
/* Ends what still runs. Then daemon_release(). */
void daemon_end(struct daemon *daemon);
void daemon_release(struct daemon *daemon);

/* ---- between daemon.c and daemon_reload.c ---- */

/* Sockets for what the configuration listens on and the daemon does not: lists[worker]. False after telling all failures:
 * what was bound is closed again. */
bool daemon_bind(struct daemon *daemon, const struct conf *conf, struct listener **lists);
/* Runs run() in each worker's thread, with lists[worker] (or NULL), and returns when all have. */
struct order {
	struct mail mail;
	struct daemon *daemon;
	struct conf *conf;
	struct listener *listeners;
};
void daemon_order(struct daemon *daemon, struct conf *conf, struct listener **lists, void (*run)(struct worker *, struct order *));
void daemon_note(struct daemon *daemon, enum record rec);
void daemon_note_volumes(struct daemon *daemon);
void daemon_name_node(struct daemon *daemon, struct conf *conf);
/* UNIX sockets that are closed for good leave no file. */
void bound_free(const struct daemon *daemon, struct bound *bound);

#endif
