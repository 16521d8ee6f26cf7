/* The volumes that configurations name: opened once for a folder, shared by all configurations that have it, closed when
 * the last of these is gone. Changed by the main thread only; daemon_volume() reads in any worker. */
#ifndef PROXYD_VOLUMES_H
#define PROXYD_VOLUMES_H

#include <pthread.h>

#include "worker.h"
#include "../cachestore/cachestore.h"

struct heir;
struct volume_slot;
struct volume_map;

struct volumes {
	_Atomic(struct volume_map *) map;        /* what workers look into: replaced whole */
	struct volume_map *stale;                /* replaced ones that a worker may still look into */
	struct volume_slot *slots;
	const struct conf *shown;                /* by volumes_stat() */
	const struct heir *heir;                 /* of another process that had them; or NULL */
	pthread_mutex_t lock;                    /* map and slots against volumes_stat() */
	/* Set before the first is opened, may be NULL: objects that lines of the log said stored are not. Any thread. */
	void (*lost)(void *arg, struct slice volume, enum store_loss why, const struct store_lost *lost);
	void *lost_arg;
};

void volumes_init(struct volumes *volumes);
/* Opens what the configuration names and is not open yet. Tells every failure; then false, and nothing has changed. */
bool volumes_add(struct volumes *volumes, const struct conf *conf);
/* The configuration is gone, or was never taken into use. */
void volumes_remove(struct volumes *volumes, const struct conf *conf);
/* To be called when each worker has gone through a message that was posted after the last add or remove: what no
 * configuration names is closed. */
void volumes_settle(struct volumes *volumes);
/* Closes everything: the workers have ended. */
void volumes_release(struct volumes *volumes);
struct volume *volumes_find(struct volumes *volumes, const struct conf_volume *volume);
/* Could each be opened? Changes nothing (-t). */
bool volumes_check(const struct conf *conf);

/* ---- a binary upgrade: the main thread's, but for volumes_path() ---- */

bool volumes_are_starting(const struct volumes *volumes);
void volumes_sizes(const struct volumes *volumes, void (*each)(void *arg, const char *path, uint64_t size), void *arg);
/* Each is free for another process to open, and is only read from here on. False with a sentence in why: some may be. */
bool volumes_retire(struct volumes *volumes, char why[512]);
void volumes_blind(struct volumes *volumes, bool blind);
/* The other process is gone: as before; tells of those that it has written to. */
void volumes_take_back(struct volumes *volumes);
/* The folder, as the configuration has it; NULL: no configuration has the volume. Any thread. */
const char *volumes_path(const struct volumes *volumes, const struct volume *volume);
/* In the volume of that folder the URL with that key is void, with its variants; both empty: everything in every volume. */
void volumes_invalidate(struct volumes *volumes, struct slice path, struct slice key);

/* From now on volumes_stat() shows this configuration's. */
void volumes_show(struct volumes *volumes, const struct conf *conf);
/* Any thread: calls each() for each of the same; it must not wait. */
void volumes_each(struct volumes *volumes, void (*each)(void *arg, const struct conf_volume *volume, struct volume *open), void *arg);
/* Any thread: calls look() with that configuration, once; it must not wait. */
void volumes_look(struct volumes *volumes, void (*look)(void *arg, const struct conf *conf), void *arg);
/* Any thread: calls show() for each of them. */
void volumes_stat(struct volumes *volumes,
	void (*show)(void *arg, const struct conf_volume *volume, const struct volume_stat *stat), void *arg);
/* The same for each owner of each volume. Levels that have lost their quota are owners still, while their objects are there. */
void volumes_owners(struct volumes *volumes, void (*show)(void *arg, const struct conf_volume *volume, const struct owner_stat *stat),
	void *arg);

#endif
