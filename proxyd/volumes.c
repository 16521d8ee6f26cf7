/* The volumes of all configurations that are alive. */
#include "volumes.h"

#include <errno.h>
#include <sys/stat.h>

#include "diag.h"
#include "stored.h"
#include "target.h"

struct volume_slot {
	struct volume_slot *next;
	struct volumes *all;                     /* NULL: only checked */
	char *name, *path;
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

struct volume *volumes_find(struct volumes *volumes, const struct conf_volume *volume)
{
	const struct volume_map *map = atomic_load_explicit(&volumes->map, memory_order_acquire);

	for (size_t i = map ? map->count : 0; i > 0; i--)
		if (map->rows[i - 1].key == volume)
			return map->rows[i - 1].slot->volume;
	return NULL;
}

/* ---- one volume ---- */

static void slot_lost(void *arg, enum store_loss why, const struct store_lost *lost)
{
	const struct volume_slot *slot = arg;

	if (slot->all && slot->all->lost)
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

static struct volume_slot *slot_open(struct volumes *all, const struct conf_volume *volume, enum store_err *ret_err, char why[256])
{
	struct volume_slot *slot = must(calloc(1, sizeof(*slot)));
	struct store_config config = { .size = volume->size, .ram = volume->ram, .fill_max = volume->fill_max,
		.io_threads = volume->io_threads, .retry_us = volume->retry, .event = slot_event, .event_arg = slot, .lost = slot_lost,
		.bookkeeping_flags = STORED_BOOKKEEPING, .unlogged_flags = STORED_VARY_INDEX | STORED_SLICED,
		.related = vary_index_keys, .beside = part_key_beside, .purge_text = plain_key };

	config.name = slot->name = must(strndup(volume->name.ptr, volume->name.len));
	config.path = slot->path = must(strndup(volume->path.ptr, volume->path.len));
	slot->all = all;
	slot->opened = *volume;
	*ret_err = volume_open(&config, &slot->volume, why);
	if (*ret_err != STORE_OK && *ret_err != STORE_DAMAGED)
		slot_free(&slot);
	return slot;
}

static void tell_failure(const struct conf_volume *volume, enum store_err err, const char *why)
{
	diag(DIAG_error, "%s:%u: volume '%.*s' cannot be opened: %s", volume->pos.file, volume->pos.line, SLICE_ARG(volume->name),
		*why ? why : store_strerror(err));
}

static void tell_later(const struct conf_volume *volume, const char *what)
{
	diag(DIAG_notice, "volume '%.*s': the new %s takes effect at the next start", SLICE_ARG(volume->name), what);
}

#define VOLUME_NUMBERS(X) X(size) X(ram) X(fill_max) X(io_threads) X(retry)

/* The same folder is the same volume, whatever it is called. */
static struct volume_slot *slot_find(struct volumes *volumes, const struct conf_volume *volume)
{
	for (struct volume_slot *slot = volumes->slots; slot; slot = slot->next)
		if (slice_eq(slice_str(slot->path), volume->path)) {
#define X(name) if (slot->opened.name != volume->name) tell_later(volume, #name);
			VOLUME_NUMBERS(X)
#undef X
			return slot;
		}
	return NULL;
}

static struct volume_slot *slot_get(struct volumes *volumes, const struct conf_volume *volume)
{
	struct volume_slot *slot = slot_find(volumes, volume);
	enum store_err err;
	char why[256] = "";

	if (slot)
		return slot;
	slot = slot_open(volumes, volume, &err, why);
	if (!slot) {
		tell_failure(volume, err, why);
		return NULL;
	}
	if (err == STORE_DAMAGED)
		diag(DIAG_error, "volume '%s' in '%s': %s", slot->name, slot->path, *why ? why : store_strerror(err));
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

bool volumes_add(struct volumes *volumes, const struct conf *conf)
{
	const struct volume_map *old = atomic_load(&volumes->map);
	size_t count = old ? old->count : 0;
	struct volume_map *map = map_new(count + conf->volume_count);
	bool ok = true;

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
	for (size_t i = old ? old->count : 0; i < count && ok; i++)
		map->rows[i].slot->uses++;
	if (ok)
		map_replace(volumes, map);
	else
		free(map);
	pthread_mutex_unlock(&volumes->lock);
	if (!ok)
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
	free(atomic_exchange(&volumes->map, NULL));
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

void volumes_stat(struct volumes *volumes,
	void (*show)(void *arg, const struct conf_volume *volume, const struct volume_stat *stat), void *arg)
{
	const struct volume_map *map;

	pthread_mutex_lock(&volumes->lock);
	map = atomic_load(&volumes->map);
	for (size_t i = 0; map && i < map->count; i++) {
		struct volume_stat stat;

		if (map->rows[i].conf != volumes->shown)
			continue;
		volume_stat(map->rows[i].slot->volume, &stat);
		show(arg, map->rows[i].key, &stat);
	}
	pthread_mutex_unlock(&volumes->lock);
}

/* ---- -t ---- */

/* Whether another volume of the configuration is the one that has the folder open. */
static bool same_folder(const struct conf_volume *a, const struct conf_volume *b)
{
	char path_a[4096], path_b[4096];
	struct stat sa, sb;

	snprintf(path_a, sizeof(path_a), "%.*s", SLICE_ARG(a->path));
	snprintf(path_b, sizeof(path_b), "%.*s", SLICE_ARG(b->path));
	return stat(path_a, &sa) == 0 && stat(path_b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static bool is_twice(const struct conf *conf, size_t which)
{
	for (size_t i = 0; i < which; i++)
		if (same_folder(conf->volumes[i], conf->volumes[which]))
			return true;
	return false;
}

bool volumes_check(const struct conf *conf)
{
	struct volume_slot **slots = must(calloc(conf->volume_count + 1, sizeof(struct volume_slot *)));
	bool ok = true;

	for (size_t i = 0; i < conf->volume_count; i++) {
		const struct conf_volume *volume = conf->volumes[i];
		char why[256] = "";
		enum store_err err;

		slots[i] = slot_open(NULL, volume, &err, why);
		if (err == STORE_IN_USE && !is_twice(conf, i)) {
			diag(DIAG_notice, "%s:%u: volume '%.*s' is in use, by the running daemon most likely: it was not opened", volume->pos.file,
				volume->pos.line, SLICE_ARG(volume->name));
		} else if (!slots[i]) {
			tell_failure(volume, err, why);
			ok = false;
		}
	}
	for (size_t i = 0; i < conf->volume_count; i++)
		if (slots[i])
			slot_free(&slots[i]);
	free(slots);
	return ok;
}
