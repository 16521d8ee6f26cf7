/* Purge orders, and the key of a URL. */
#include "purge.h"

#include "key_rules.h"
#include "url.h"
#include "../conf/check.h"

void purge_begin(struct purge_order *order, void (*done)(struct purge_order *order))
{
	order->done = done;
	atomic_init(&order->open, 1);
	atomic_init(&order->objects, 0);
	atomic_init(&order->err, STORE_OK);
}

static void settle(struct purge_order *order, enum store_err err, uint64_t objects)
{
	int none = STORE_OK;

	if (err != STORE_OK)
		atomic_compare_exchange_strong(&order->err, &none, (int)err);
	atomic_fetch_add(&order->objects, objects);
	if (atomic_fetch_sub(&order->open, 1) == 1)
		order->done(order);
}

static void counted(void *arg, enum store_err err, uint64_t objects)
{
	settle(arg, err, objects);
}

void purge_add(struct purge_order *order, struct volume *volume, const struct store_purge *purge)
{
	enum store_err err;

	atomic_fetch_add(&order->open, 1);
	if ((err = volume_purge(volume, purge, counted, order)) != STORE_OK)
		settle(order, err, 0);
}

void purge_end(struct purge_order *order)
{
	settle(order, STORE_OK, 0);
}

static bool key_by(const struct url *url, const struct conf_location *location, char out[PURGE_KEY_ROOM], struct slice *ret_text, const char **why)
{
	struct target target = url->target;
	struct arena arena;
	struct text text;

	target.location = location;
	arena_init(&arena);
	text_init(&text, &arena, PURGE_KEY_ROOM);
	target_add_key(&text, &target);
	bool fits = !text.overflowed && text.len <= PURGE_KEY_ROOM;
	if (fits) {
		*ret_text = target_plain_key(text_slice(&text), out);
		memmove(out, ret_text->ptr, ret_text->len);
		ret_text->ptr = out;
	} else {
		*why = "the URL is too long";
	}
	arena_release(&arena);
	return fits;
}

bool purge_key_of_url(struct slice text, char out[PURGE_KEY_ROOM], struct slice *ret_text, const char **why)
{
	struct url url;

	return url_read(text, &url, why) && key_by(&url, NULL, out, ret_text, why);
}

/* Adds it unless it is there. False: there are too many. */
static bool add_key(struct purge_keys *keys, const struct url *url, const struct conf_location *location, const char **why)
{
	char *room = keys->rooms[keys->count];
	struct slice text;

	if (!key_by(url, location, room, &text, why))
		return false;
	for (size_t i = 0; i < keys->count; i++)
		if (slice_eq(keys->texts[i], text))
			return true;
	*why = "too many sites have rules of their own for the key of this URL";
	if (keys->count == PURGE_KEYS_MAX)
		return false;
	keys->texts[keys->count++] = text;
	return true;
}

bool purge_keys_of_url(const struct conf *conf, struct slice text, struct purge_keys *ret_keys, const char **why)
{
	struct url url;

	ret_keys->count = 0;
	if (!url_read(text, &url, why) || !add_key(ret_keys, &url, NULL, why))
		return false;
	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct conf_location *location = url_location(&url, &conf->listens[i]);
		if (location && key_has_rules(location) && !add_key(ret_keys, &url, location, why))
			return false;
	}
	return true;
}
