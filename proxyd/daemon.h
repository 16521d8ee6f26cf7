/* The daemon: what is shared by all workers, and what changes while they run: configurations, volumes, listeners.
 * Everything here but daemon_volume() is for the main thread. */
#ifndef PROXYD_DAEMON_H
#define PROXYD_DAEMON_H

#include <pthread.h>

#include "worker.h"
#include "access_log.h"
#include "listener.h"
#include "../cachestore/cachestore.h"

enum { VOLUMES_MAX = 64 };

struct daemon_volume {
	struct slice name, path;               /* owned */
	uint64_t size;
	_Atomic(struct volume *) volume;
	atomic_uint bound;                     /* sites bound to it by the current configuration */
};

struct daemon {
	struct conf *conf;                     /* current; one reference */
	struct worker **workers;
	unsigned worker_count;
	struct access_log *log;
	struct daemon_volume volumes[VOLUMES_MAX];
	atomic_size_t volume_count;            /* only grows: slots before it are complete */
	struct metrics *metrics;
	int64_t started_us;                    /* wall clock */
	atomic_uint_fast64_t generation;
	char node[64];
	pthread_mutex_t lock;                  /* for waiting until all workers have swapped */
	pthread_cond_t changed;
	atomic_uint swapped;
};

/* Opens volumes, log and listeners, all problems told; takes the configuration. False: nothing runs. */
bool daemon_open(struct daemon *daemon, struct conf *conf);
/* Starts the workers; after dropping privileges. */
bool daemon_start(struct daemon *daemon);
/* Everything of a new configuration is opened first; then it is swapped. False: the old one stays. Takes conf either way. */
bool daemon_reload(struct daemon *daemon, struct conf *conf);
/* A worker tells the main thread that something it waits for has happened. */
void daemon_signal(struct daemon *daemon);
/* New access and error log files. */
void daemon_reopen(struct daemon *daemon);
/* graceful: requests in progress may take until grace_us. */
void daemon_stop(struct daemon *daemon, bool graceful, uint64_t grace_us);
/* Tries what a start would need, without keeping it (-t). */
bool daemon_check(const struct conf *conf);

#endif
