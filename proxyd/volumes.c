/* The volumes of all configurations that are alive. */
#include "volumes.h"

#include <errno.h>
#include <sys/stat.h>

#include "clock.h"
#include "diag.h"
#include "heir.h"
#include "stored.h"
#include "target.h"

enum { START_PATIENCE_US = 1000 * 1000, PATH_ROOM = 4096 };

/* What a folder is, whatever it is called: device and inode; of one that is not there yet its parent's, and its name. */
struct folder_id {
	dev_t device;
	ino_t inode;
	char name[256];
};

struct volume_slot {
	struct volume_slot *next;
	struct volumes *all;
	char *name, *path;
	struct folder_id id;
	struct conf_volume opened;               /* the numbers of it: with what it was opened */
	struct volume *volume;
	unsigned uses;                           /* rows of the map */
};

struct volume_row {
	const struct conf_volume *key;
	const struct conf *conf;
	struct volume_slot *slot;
};
struct volume_map {
	struct volume_map *next;                 /* in `stale` */
	size_t count;
	struct volume_row rows[];
};

void volumes_init(struct volumes *volumes)
{
	memset(volumes, 0, sizeof(*volumes));
	atomic_init(&volumes->map, NULL);
	pthread_mutex_init(&volumes->lock, NULL);
}

static struct volume *row_find(const struct volume_map *map, size_t count, const struct conf_volume *volume)
{
	for (size_t i = count; i > 0; i--)
		if (map->rows[i - 1].key == volume)
			return map->rows[i - 1].slot->volume;
	return NULL;
}

struct volume *volumes_find(struct volumes *volumes, const struct conf_volume *volume)
{
	const struct volume_map *map = atomic_load_explicit(&volumes->map, memory_order_acquire);

	return map ? row_find(map, map->count, volume) : NULL;
}

/* ---- folders ---- */

static bool folder_identify(struct slice path, struct folder_id *ret_id)
{
	char text[PATH_ROOM], *slash;
	struct stat st;

	memset(ret_id, 0, sizeof(*ret_id));
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(path));
	if (stat(text, &st) != 0) {
		slash = strrchr(text, '/');
		snprintf(ret_id->name, sizeof(ret_id->name), "%.255s", slash ? slash + 1 : text);
		if (slash)
			slash[slash == text] = '\0';
		if (stat(slash ? text : ".", &st) != 0)
			return false;
	}
	ret_id->device = st.st_dev;
	ret_id->inode = st.st_ino;
	return true;
}

static bool folder_is_same(const struct folder_id *a, const struct folder_id *b)
{
	return a->device == b->device && a->inode == b->inode && strcmp(a->name, b->name) == 0;
}

/* No two volumes in one folder, by whatever names. */
static bool volumes_are_distinct(const struct conf *conf)
{
	bool ok = true;

	for (size_t i = 0; i < conf->volume_count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct conf_volume *a = conf->volumes[k], *b = conf->volumes[i];
			struct folder_id id_a, id_b;

			if (!folder_identify(a->path, &id_a) || !folder_identify(b->path, &id_b) || !folder_is_same(&id_a, &id_b))
				continue;
			diag(DIAG_error, "%s:%u:%u: volume '%.*s': its folder '%.*s' is that of volume '%.*s' (line %u of %s), '%.*s', by another name",
				b->pos.file, b->pos.line, b->pos.col, SLICE_ARG(b->name), SLICE_ARG(b->path), SLICE_ARG(a->name), a->pos.line,
				a->pos.file, SLICE_ARG(a->path));
			ok = false;
		}
	return ok;
}

/* ---- owners ---- */

/* The numbers of the owners that a row's configuration has in its volume. One that is still starting does not know them yet:
 * slot_started() asks again. */
static void row_number_owners(const struct volume_row *row)
{
	for (size_t i = 0; i < row->conf->owner_count && !volume_is_starting(row->slot->volume); i++) {
		struct conf_owner *owner = row->conf->owners[i];

		if (owner->volume == row->key && atomic_load(&owner->number) == 0)
			atomic_store(&owner->number, volume_owner(row->slot->volume, owner->name));
	}
}

/* Lock held. Those of the configuration that is shown are in force. */
static void quotas_set(struct volumes *volumes)
{
	const struct volume_map *map = atomic_load(&volumes->map);
	const struct conf *conf = volumes->shown;

	for (size_t i = 0; map && i < map->count; i++)
		volume_quota(map->rows[i].slot->volume, 0, 0);
	for (size_t i = 0; map && conf && i < conf->owner_count; i++)
		if (conf->owners[i]->number > 0)
			volume_quota(row_find(map, map->count, conf->owners[i]->volume), conf->owners[i]->number, conf->owners[i]->quota);
}

/* In the thread of the volume's start, which whoever closes the volume waits for, without the lock. */
static void slot_started(void *arg)
{
	struct volume_slot *slot = arg;
	const struct volume_map *map;

	pthread_mutex_lock(&slot->all->lock);
	map = atomic_load(&slot->all->map);
	for (size_t i = 0; map && i < map->count; i++)
		if (map->rows[i].slot == slot)
			row_number_owners(&map->rows[i]);
	quotas_set(slot->all);
	pthread_mutex_unlock(&slot->all->lock);
}

/* ---- one volume ---- */

static void slot_lost(void *arg, enum store_loss why, const struct store_lost *lost)
{
	const struct volume_slot *slot = arg;

	if (slot->all->lost)
		slot->all->lost(slot->all->lost_arg, slice_str(slot->name), why, lost);
}

static void slot_event(void *arg, const struct store_event *event)
{
	(void)arg;
	diag(event->level == STORE_EVENT_error ? DIAG_error : event->level == STORE_EVENT_warning ? DIAG_warn : DIAG_notice, "%s", event->text);
}

static void slot_free(struct volume_slot **slot)
{
	volume_close(&(*slot)->volume);
	free((*slot)->name);
	free((*slot)->path);
	free(*slot);
	*slot = NULL;
}

static struct slice plain_key(struct slice key_text, char room[STORE_KEY_MAX])
{
	return target_plain_key(key_text, room);
}

/* What cannot change while it is open is said, so that nobody waits for it. */
static void tell_later(const struct conf_volume *volume, const char *what, const char *now)
{
	diag(DIAG_warn, "%s:%u:%u: volume '%.*s': the new %s takes effect at the next start; until then it is %s", volume->pos.file, volume->pos.line,
		volume->pos.col, SLICE_ARG(volume->name), what, now);
}

static void tell_number_later(const struct conf_volume *volume, const char *what, uint64_t now)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", (unsigned long)now);
	tell_later(volume, what, text);
}

static struct volume_slot *slot_open(struct volumes *all, const struct conf_volume *volume, enum store_err *ret_err, char why[256])
{
	struct volume_slot *slot = must(calloc(1, sizeof(*slot)));
	struct store_config config = { .size = volume->size, .ram = volume->ram, .fill_max = volume->fill_max,
		.scrub_rate = volume->scrub, .scrub_interval_us = volume->scrub_interval,
		.eviction = volume->eviction, .admission = volume->admission, .admission_over = volume->admission_over,
		.io_threads = volume->io_threads, .retry_us = volume->retry, .event = slot_event, .event_arg = slot, .lost = slot_lost,
		.in_background = true, .started = slot_started, .bookkeeping_flags = STORED_BOOKKEEPING, .unlogged_flags = STORED_VARY_INDEX | STORED_SLICED | STORED_CODED,
		.related = vary_index_keys, .beside = stored_keys_beside, .purge_text = plain_key };

	uint64_t size = all->heir ? heir_size(all->heir, volume->path) : 0;

	/* The old process reads on with the size that the volume has there. */
	if (size > 0 && size != volume->size) {
		tell_number_later(volume, "size", size);
		config.size = size;
	}
	config.name = slot->name = must(strndup(volume->name.ptr, volume->name.len));
	config.path = slot->path = must(strndup(volume->path.ptr, volume->path.len));
	slot->all = all;
	slot->opened = *volume;
	slot->opened.size = config.size;
	*ret_err = volume_open(&config, &slot->volume, why);
	if (*ret_err != STORE_OK && *ret_err != STORE_DAMAGED)
		slot_free(&slot);
	return slot;
}

static void tell_failure(const struct conf_volume *volume, enum store_err err, const char *why)
{
	diag(DIAG_error, "%s:%u:%u: volume '%.*s' cannot be opened: %s", volume->pos.file, volume->pos.line, volume->pos.col, SLICE_ARG(volume->name),
		*why ? why : store_strerror(err));
}

#define VOLUME_NUMBERS(X) X(size) X(ram) X(fill_max) X(io_threads) X(retry) X(scrub) X(scrub_interval) X(admission_over)

static void tell_what_waits(const struct volume_slot *slot, const struct conf_volume *volume)
{
#define X(name) if (slot->opened.name != volume->name) tell_number_later(volume, #name, slot->opened.name);
	VOLUME_NUMBERS(X)
#undef X
	if (slot->opened.eviction != volume->eviction)
		tell_later(volume, "eviction", eviction_rows[slot->opened.eviction].name.ptr);
	if (slot->opened.admission != volume->admission)
		tell_later(volume, "admission", admission_rows[slot->opened.admission].name.ptr);
}

/* The same folder is the same volume, whatever it is called. */
static struct volume_slot *slot_find(struct volumes *volumes, const struct conf_volume *volume)
{
	struct folder_id id;

	if (!folder_identify(volume->path, &id))
		return NULL;
	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		if (folder_is_same(&slot->id, &id))
			return slot;
	return NULL;
}

static struct volume_slot *slot_get(struct volumes *volumes, const struct conf_volume *volume)
{
	struct volume_slot *slot = slot_find(volumes, volume);
	enum store_err err;
	char why[256] = "";

	if (slot) {
		tell_what_waits(slot, volume);
		return slot;
	}
	slot = slot_open(volumes, volume, &err, why);
	if (!slot) {
		tell_failure(volume, err, why);
		return NULL;
	}
	if (err == STORE_DAMAGED)
		diag(DIAG_error, "volume '%s' in '%s': %s", slot->name, slot->path, *why ? why : store_strerror(err));
	folder_identify(volume->path, &slot->id);
	slot->next = volumes->slots;
	volumes->slots = slot;
	return slot;
}

/* ---- the map ---- */

static struct volume_map *map_new(size_t rows)
{
	return must(calloc(1, sizeof(struct volume_map) + rows * sizeof(struct volume_row)));
}

static void map_replace(struct volumes *volumes, struct volume_map *map)
{
	struct volume_map *old = atomic_exchange(&volumes->map, map);

	if (old) {
		old->next = volumes->stale;
		volumes->stale = old;
	}
}

/* Most volumes are read in less than the time a client waits gladly: with them the first requests are hits. */
static void slots_wait(const struct volumes *volumes)
{
	uint64_t until = clock_now_us() + START_PATIENCE_US, now;

	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		if ((now = clock_now_us()) < until)
			volume_wait(slot->volume, until - now);
}

bool volumes_add(struct volumes *volumes, const struct conf *conf)
{
	const struct volume_map *old = atomic_load(&volumes->map);
	size_t count = old ? old->count : 0;
	struct volume_map *map;
	bool ok = true;

	if (!volumes_are_distinct(conf))
		return false;
	map = map_new(count + conf->volume_count);
	if (count)
		memcpy(map->rows, old->rows, count * sizeof(map->rows[0]));
	pthread_mutex_lock(&volumes->lock);
	for (size_t i = 0; i < conf->volume_count; i++) {
		struct volume_slot *slot = slot_get(volumes, conf->volumes[i]);
		if (slot)
			map->rows[count++] = (struct volume_row){ conf->volumes[i], conf, slot };
		ok = ok && slot;
	}
	map->count = count;
	for (size_t i = old ? old->count : 0; i < count && ok; i++) {
		map->rows[i].slot->uses++;
		row_number_owners(&map->rows[i]);
	}
	if (ok)
		map_replace(volumes, map);
	else
		free(map);
	pthread_mutex_unlock(&volumes->lock);
	if (ok)
		slots_wait(volumes);
	else
		volumes_settle(volumes);         /* closes those that were opened for nothing: no map has them */
	return ok;
}

void volumes_remove(struct volumes *volumes, const struct conf *conf)
{
	const struct volume_map *old = atomic_load(&volumes->map);
	struct volume_map *map = map_new(old->count);

	pthread_mutex_lock(&volumes->lock);
	for (size_t i = 0; i < old->count; i++)
		if (old->rows[i].conf != conf)
			map->rows[map->count++] = old->rows[i];
		else
			old->rows[i].slot->uses--;
	map_replace(volumes, map);
	pthread_mutex_unlock(&volumes->lock);
}

/* Takes those out of the list that no row has. */
static struct volume_slot *slots_take_unused(struct volumes *volumes)
{
	struct volume_slot **at = &volumes->slots, *unused = NULL;

	pthread_mutex_lock(&volumes->lock);
	while (*at) {
		struct volume_slot *slot = *at;

		if (slot->uses) {
			at = &slot->next;
			continue;
		}
		*at = slot->next;
		slot->next = unused;
		unused = slot;
	}
	pthread_mutex_unlock(&volumes->lock);
	return unused;
}

static void stale_free(struct volumes *volumes)
{
	while (volumes->stale) {
		struct volume_map *map = volumes->stale;

		volumes->stale = map->next;
		free(map);
	}
}

void volumes_settle(struct volumes *volumes)
{
	struct volume_slot *unused = slots_take_unused(volumes);

	stale_free(volumes);
	while (unused) {
		struct volume_slot *slot = unused;

		unused = slot->next;
		diag(DIAG_info, "volume '%s' in '%s' is closed: no configuration has it any more", slot->name, slot->path);
		slot_free(&slot);
	}
}

void volumes_release(struct volumes *volumes)
{
	stale_free(volumes);
	pthread_mutex_lock(&volumes->lock);      /* a volume that has just started looks at it */
	free(atomic_exchange(&volumes->map, NULL));
	pthread_mutex_unlock(&volumes->lock);
	while (volumes->slots) {
		struct volume_slot *slot = volumes->slots;

		volumes->slots = slot->next;
		slot_free(&slot);
	}
	pthread_mutex_destroy(&volumes->lock);
}

void volumes_show(struct volumes *volumes, const struct conf *conf)
{
	pthread_mutex_lock(&volumes->lock);
	volumes->shown = conf;
	quotas_set(volumes);
	pthread_mutex_unlock(&volumes->lock);
}

void volumes_each(struct volumes *volumes, void (*each)(void *arg, const struct conf_volume *volume, struct volume *open), void *arg)
{
	const struct volume_map *map;

	pthread_mutex_lock(&volumes->lock);
	map = atomic_load(&volumes->map);
	for (size_t i = 0; map && i < map->count; i++)
		if (map->rows[i].conf == volumes->shown)
			each(arg, map->rows[i].key, map->rows[i].slot->volume);
	pthread_mutex_unlock(&volumes->lock);
}

void volumes_look(struct volumes *volumes, void (*look)(void *arg, const struct conf *conf), void *arg)
{
	pthread_mutex_lock(&volumes->lock);
	if (volumes->shown)
		look(arg, volumes->shown);
	pthread_mutex_unlock(&volumes->lock);
}

struct stat_show { void (*show)(void *arg, const struct conf_volume *volume, const struct volume_stat *stat); void *arg; };

static void stat_one(void *arg, const struct conf_volume *volume, struct volume *open)
{
	const struct stat_show *show = arg;
	struct volume_stat stat;

	volume_stat(open, &stat);
	show->show(show->arg, volume, &stat);
}

void volumes_stat(struct volumes *volumes,
	void (*show)(void *arg, const struct conf_volume *volume, const struct volume_stat *stat), void *arg)
{
	volumes_each(volumes, stat_one, &(struct stat_show){ show, arg });
}

struct owner_show { void (*show)(void *arg, const struct conf_volume *volume, const struct owner_stat *stat); void *arg; };

static void owners_one(void *arg, const struct conf_volume *volume, struct volume *open)
{
	const struct owner_show *show = arg;
	struct owner_stat stat;

	for (uint16_t owner = 1; volume_owner_stat(open, owner, &stat); owner++)
		show->show(show->arg, volume, &stat);
}

void volumes_owners(struct volumes *volumes, void (*show)(void *arg, const struct conf_volume *volume, const struct owner_stat *stat),
	void *arg)
{
	volumes_each(volumes, owners_one, &(struct owner_show){ show, arg });
}

/* ---- from process to process ---- */

bool volumes_are_starting(const struct volumes *volumes)
{
	bool starting = false;

	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		starting |= volume_is_starting(slot->volume);
	return starting;
}

void volumes_sizes(const struct volumes *volumes, void (*each)(void *arg, const char *path, uint64_t size), void *arg)
{
	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		each(arg, slot->path, slot->opened.size);
}

bool volumes_retire(struct volumes *volumes, char why[512])
{
	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next) {
		enum store_err err = volume_retire(slot->volume);

		if (err != STORE_OK) {
			snprintf(why, 512, "volume '%s': %s", slot->name, store_strerror(err));
			return false;
		}
	}
	return true;
}

void volumes_blind(struct volumes *volumes, bool blind)
{
	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		volume_blind(slot->volume, blind);
}

void volumes_take_back(struct volumes *volumes)
{
	volumes_blind(volumes, false);
	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		if (!volume_resume(slot->volume))
			diag(DIAG_error, "volume '%s' in '%s': the new program has written to it, or still has it: this process only reads it, and stores "
				"nothing any more, until the next upgrade or start", slot->name, slot->path);
}

const char *volumes_path(const struct volumes *volumes, const struct volume *volume)
{
	const struct volume_map *map = atomic_load(&volumes->map);

	for (size_t i = 0; map && i < map->count; i++)
		if (map->rows[i].slot->volume == volume)
			return map->rows[i].slot->path;
	return NULL;
}

static void invalidate_done(void *arg, enum store_err err, uint64_t objects)
{
	(void)arg, (void)err, (void)objects;
}

void volumes_invalidate(struct volumes *volumes, struct slice path, struct slice key)
{
	static const struct store_purge all = { .kind = PURGE_PREFIX };
	struct store_purge purge = { .kind = PURGE_KEY, .text = key };
	struct folder_id id;

	if (!path.len)
		purge = all;
	else if (!folder_identify(path, &id))
		return;
	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		if ((!path.len || folder_is_same(&slot->id, &id)) && volume_purge(slot->volume, &purge, invalidate_done, NULL) == STORE_RULES_FULL)
			volume_purge(slot->volume, &all, invalidate_done, NULL);
}

/* ---- -t ---- */

bool volumes_check(const struct conf *conf)
{
	bool ok = volumes_are_distinct(conf);

	for (size_t i = 0; i < conf->volume_count; i++) {
		const struct conf_volume *volume = conf->volumes[i];
		char path[PATH_ROOM], why[256] = "";
		struct store_config config = { .path = path, .size = volume->size };
		enum store_err err;

		snprintf(path, sizeof(path), "%.*s", SLICE_ARG(volume->path));
		if ((err = volume_probe(&config, why)) == STORE_OK)
			continue;
		tell_failure(volume, err, why);
		ok = false;
	}
	return ok;
}
