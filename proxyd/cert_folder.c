/* A folder of certificates: an index from names to slots, made from the first kilobytes of each file. */
#include "certs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#include "diag.h"

enum { INDEX_FILE_MAX = 64 * 1024, TOLD_MAX = 20 };

/* ---- one file ---- */

/* Names, kind and date of what the file has now. The caller holds certs->loading. */
static bool slot_index(struct certs *certs, struct cert_slot *slot, char why[CERT_WHY_MAX])
{
	static _Thread_local char pem[INDEX_FILE_MAX];
	static _Thread_local unsigned char der[INDEX_FILE_MAX];
	int fd = open(slot->file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, pem, sizeof(pem));
	size_t der_len = n > 0 ? cert_first_der(slice_make(pem, (size_t)n), der, sizeof(der)) : 0;
	struct cert_brief brief = { .kind = CERT_other };
	char **names, **old;
	size_t count, old_count;
	bool good = false;

	if (n < 0)
		snprintf(why, CERT_WHY_MAX, "'%.200s': %s", slot->file, strerror(errno));
	else if (der_len == 0 || !cert_brief_read(slice_make((const char *)der, der_len), &brief))
		snprintf(why, CERT_WHY_MAX, "'%.160s' has no certificate in PEM that can be understood", slot->file);
	else
		good = true;
	if (fd >= 0)
		close(fd);
	if (!good)
		return false;
	names = cert_names_take(brief.names, &count);
	if (count == 0) {
		snprintf(why, CERT_WHY_MAX, "the certificate of '%.160s' is for no name: it has no subjectAltName", slot->file);
		return false;
	}
	pthread_mutex_lock(&certs->lock);
	old = slot->names;
	old_count = slot->name_count;
	slot->names = names;
	slot->name_count = count;
	slot->kind = brief.kind;
	slot->not_before_s = brief.not_before_s;
	slot->not_after_s = brief.not_after_s;
	pthread_mutex_unlock(&certs->lock);
	cert_names_free(old, old_count);
	return true;
}

/* Of a folder with a thousand mistakes some are told, and how many there are. */
static void tell_refused(struct certs *certs, struct cert_slot *slot, const char *why, size_t *told)
{
	slot_refused(certs, slot, why);
	if ((*told)++ < TOLD_MAX)
		diag(DIAG_error, "certificate refused: %s; %s", why, slot->cert ? "the old one is served on" : "its names are not served by it");
}

/* Returns whether its files have changed. */
static bool item_look(struct certs *certs, struct cert_slot *slot, bool is_new, size_t *told)
{
	struct cert_sign sign;
	char why[CERT_WHY_MAX];

	if (!slot_sign(slot, &sign))
		return false;
	if (slot->cert) {                        /* in use: whole, or not at all */
		if (slot_load(certs, slot, why) && slot_index(certs, slot, why))
			diag(DIAG_notice, "certificate '%s' is new: serial %s", slot->file, slot->cert->facts->serial);
		else
			tell_refused(certs, slot, why, told);
		return true;
	}
	slot->seen = sign;
	bool bad = !slot_index(certs, slot, why);
	pthread_mutex_lock(&certs->lock);
	slot->bad = bad;
	if (!bad && !is_new)
		slot->error[0] = '\0';
	pthread_mutex_unlock(&certs->lock);
	if (bad)
		tell_refused(certs, slot, why, told);
	return true;
}

/* ---- the map ---- */

static struct name_slot *map_place(struct name_map *map, const char *name, size_t len)
{
	size_t at = XXH3_64bits(name, len) & map->mask;

	while (map->slots[at].name && (map->slots[at].len != len || memcmp(map->slots[at].name, name, len) != 0))
		at = (at + 1) & map->mask;
	return &map->slots[at];
}

static struct name_map map_make(const struct cert_folder *folder)
{
	struct name_map map = { NULL, 0, NULL };
	size_t count = 0, bytes = 1, size = 64, used = 0;

	for (const struct cert_slot *slot = folder->items; slot; slot = slot->folder_next)
		for (size_t i = 0; i < slot->name_count; i++, count++)
			bytes += strlen(slot->names[i]) + 1;
	while (size < 2 * count)
		size *= 2;
	map.slots = must(calloc(size, sizeof(*map.slots)));
	map.mask = size - 1;
	map.pool = must(malloc(bytes));
	for (struct cert_slot *slot = folder->items; slot; slot = slot->folder_next) {
		for (size_t i = 0; i < slot->name_count && !slot->gone && !(slot->bad && !slot->cert); i++) {
			size_t len = strlen(slot->names[i]);
			struct name_slot *place = map_place(&map, slot->names[i], len);
			struct cert_slot **best = &place->slots[slot->kind];

			if (!place->name) {
				place->name = memcpy(map.pool + used, slot->names[i], len + 1);
				place->len = len;
				used += len + 1;
			}
			/* Of two for one name that which lasts longer, as a renewal does. */
			if (!*best || (*best)->not_after_s < slot->not_after_s)
				*best = slot;
		}
	}
	return map;
}

/* ---- the folder ---- */

/* NAME.pem, or NAME.crt beside NAME.key. */
static bool is_certificate(const char *name, char *out_key, size_t size, const char *folder)
{
	size_t len = strlen(name);

	out_key[0] = '\0';
	if (len > 4 && name[0] != '.' && strcmp(name + len - 4, ".pem") == 0)
		return true;
	if (len <= 4 || name[0] == '.' || strcmp(name + len - 4, ".crt") != 0)
		return false;
	return snprintf(out_key, size, "%s/%.*s.key", folder, (int)(len - 4), name) < (int)size;
}

struct known { struct cert_slot **slots; size_t mask; };

static struct cert_slot **known_place(struct known *known, const char *file)
{
	size_t at = XXH3_64bits(file, strlen(file)) & known->mask;

	while (known->slots[at] && strcmp(known->slots[at]->file, file) != 0)
		at = (at + 1) & known->mask;
	return &known->slots[at];
}

static struct known known_make(const struct cert_folder *folder)
{
	struct known known = { NULL, 0 };
	size_t count = 0, size = 64;

	for (struct cert_slot *slot = folder->items; slot; slot = slot->folder_next)
		count++;
	while (size < 2 * count)
		size *= 2;
	known.slots = must(calloc(size, sizeof(struct cert_slot *)));
	known.mask = size - 1;
	for (struct cert_slot *slot = folder->items; slot; slot = slot->folder_next) {
		*known_place(&known, slot->file) = slot;
		slot->gone = true;
	}
	return known;
}

/* Returns whether anything is new, changed or gone. */
static bool items_read(struct certs *certs, struct cert_folder *folder, DIR *dir, struct known *known)
{
	char file[4096 + 256], key[4096 + 256];
	size_t told = 0;
	bool changed = false;

	for (struct dirent *entry; (entry = readdir(dir)); ) {
		if (!is_certificate(entry->d_name, key, sizeof(key), folder->path))
			continue;
		snprintf(file, sizeof(file), "%s/%s", folder->path, entry->d_name);
		struct cert_slot *slot = *known_place(known, file);
		bool is_new = !slot;

		if (is_new) {
			slot = slot_new(certs, file, key[0] ? key : NULL);
			slot->in_folder = true;
			slot->folder = folder;
			slot->folder_next = folder->items;
			folder->items = slot;
		}
		slot->gone = false;
		changed |= item_look(certs, slot, is_new, &told) || is_new;
	}
	for (const struct cert_slot *slot = folder->items; slot; slot = slot->folder_next)
		changed |= slot->gone;
	if (told > TOLD_MAX)
		diag(DIAG_error, "%zu certificates of '%s' were refused, %d of them are named here", told, folder->path, (int)TOLD_MAX);
	return changed;
}

/* The lock is held: what is gone is in no map any more. */
static void items_drop(struct cert_folder *folder)
{
	struct cert_slot **at = &folder->items;

	while (*at) {
		struct cert_slot *slot = *at;

		if (!slot->gone) {
			at = &slot->folder_next;
			continue;
		}
		*at = slot->folder_next;
		slot->folder = NULL;                 /* who fetches something for it may have it still */
		slot_unref(slot);
	}
}

bool folder_scan(struct certs *certs, struct cert_folder *folder)
{
	DIR *dir = opendir(folder->path);
	struct known known;
	struct name_map map, old;

	if (!dir)
		return false;
	known = known_make(folder);
	bool changed = items_read(certs, folder, dir, &known) || !folder->map.slots;
	closedir(dir);
	free(known.slots);
	if (!changed)
		return true;
	map = map_make(folder);
	pthread_mutex_lock(&certs->lock);
	old = folder->map;
	folder->map = map;
	items_drop(folder);
	pthread_mutex_unlock(&certs->lock);
	free(old.slots);
	free(old.pool);
	return true;
}

/* The lock is held. */
void folder_free(struct certs *certs, struct cert_folder *folder)
{
	struct cert_folder **at = &certs->folders;

	while (*at != folder)
		at = &(*at)->next;
	*at = folder->next;
	for (struct cert_slot *slot = folder->items; slot; slot = slot->folder_next)
		slot->gone = true;
	items_drop(folder);
	free(folder->map.slots);
	free(folder->map.pool);
	free(folder->path);
	free(folder);
}

struct cert_folder *certs_folder(struct certs *certs, struct slice path, char why[CERT_WHY_MAX])
{
	char *text = must(strndup(path.ptr, path.len));
	struct cert_folder *folder;

	while (strlen(text) > 1 && text[strlen(text) - 1] == '/')
		text[strlen(text) - 1] = '\0';
	pthread_mutex_lock(&certs->loading);
	for (folder = certs->folders; folder && strcmp(folder->path, text) != 0; )
		folder = folder->next;
	if (!folder) {
		folder = must(calloc(1, sizeof(*folder)));
		folder->path = must(strdup(text));
		pthread_mutex_lock(&certs->lock);
		folder->next = certs->folders;
		certs->folders = folder;
		pthread_mutex_unlock(&certs->lock);
		watch_folder(certs, text);
	}
	bool good = folder_scan(certs, folder);
	if (!good)
		snprintf(why, CERT_WHY_MAX, "'%.200s': %s", text, strerror(errno));
	pthread_mutex_lock(&certs->lock);
	if (good)
		folder->refs++;
	else if (folder->refs == 0)
		folder_free(certs, folder);
	pthread_mutex_unlock(&certs->lock);
	pthread_mutex_unlock(&certs->loading);
	free(text);
	return good ? folder : NULL;
}

void certs_folder_unref(struct certs *certs, struct cert_folder **folder)
{
	if (!*folder)
		return;
	pthread_mutex_lock(&certs->loading);
	pthread_mutex_lock(&certs->lock);
	if (--(*folder)->refs == 0)
		folder_free(certs, *folder);
	pthread_mutex_unlock(&certs->lock);
	pthread_mutex_unlock(&certs->loading);
	*folder = NULL;
}

/* ---- finding ---- */

static const struct name_slot *map_find(struct name_map *map, struct slice name)
{
	char wild[CERT_NAME_MAX + 1];
	const struct name_slot *place;
	const char *dot;

	if (!map->slots || name.len == 0 || name.len > CERT_NAME_MAX)
		return NULL;
	place = map_place(map, name.ptr, name.len);
	dot = memchr(name.ptr, '.', name.len);
	if (place->name || !dot || dot == name.ptr)
		return place->name ? place : NULL;
	size_t rest = name.len - (size_t)(dot - name.ptr);
	wild[0] = '*';
	memcpy(wild + 1, dot, rest);
	place = map_place(map, wild, rest + 1);
	return place->name ? place : NULL;
}

int certs_find(struct certs *certs, struct cert_folder *folder, struct slice name, struct cert *ret[CERT_KIND_COUNT],
	struct cert_wait *(*make)(void *arg), void *arg)
{
	struct cert_wait *wait = NULL;
	int count = 0;

	pthread_mutex_lock(&certs->lock);
	const struct name_slot *place = map_find(&folder->map, name);
	for (int kind = 0; place && kind < CERT_KIND_COUNT; kind++) {
		struct cert_slot *slot = place->slots[kind];

		if (!slot || slot->cert || slot->bad)
			continue;
		wait = wait ? wait : make(arg);
		slot->refs++;
		wait->slots[kind] = slot;
	}
	for (int kind = 0; place && !wait && kind < CERT_KIND_COUNT; kind++)
		if (place->slots[kind] && place->slots[kind]->cert)
			ret[count++] = cert_ref(place->slots[kind]->cert);
	if (wait) {
		wait->next = certs->waiting;
		certs->waiting = wait;
	}
	pthread_mutex_unlock(&certs->lock);
	if (!wait)
		return count;
	certs_wake(certs);
	return -1;
}
