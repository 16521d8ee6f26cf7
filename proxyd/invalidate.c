/* Invalidation (RFC 9111 section 4.4): an unsafe method that worked has changed what its URL stands for, and what Location and
 * Content-Location of the answer name, when they are of the same origin: nobody may empty another site's cache. */
#include "request.h"
#include "upgrade.h"

#include <stdlib.h>

enum { VARIANTS_MAX = 1000 };              /* as of the setting */

struct dropping { struct store_load load; struct volume *volume; struct store_key key; };

/* With the index of a URL's variants go those that it lists: the next index would lead to them again. */
static void drop_object(struct volume *volume, struct store_key key, struct object *object)
{
	struct store_key keys[VARIANTS_MAX];
	size_t count = 0;

	if (object && (object_meta(object)->flags & STORED_VARY_INDEX))
		count = vary_index_keys(object_head(object), keys, VARIANTS_MAX);
	stored_drop(volume, key);
	for (size_t i = 0; i < count; i++)
		stored_drop(volume, keys[i]);
	object_unref(&object);
}

static void loaded(struct store_load *load, struct object *object)
{
	struct dropping *dropping = (struct dropping *)load;

	drop_object(dropping->volume, dropping->key, object);
	free(dropping);
}

static void purged(void *arg, enum store_err err, uint64_t objects)
{
	(void)arg, (void)err, (void)objects;
}

/* As a purge, which holds for what the volume finds in itself; when too many are waiting for that, as one of everything. */
static void drop_later(struct request *r, const struct target *target)
{
	static const struct store_purge all = { .kind = PURGE_PREFIX };
	struct store_purge purge = { .kind = PURGE_KEY };
	struct text text;

	text_init(&text, &r->arena, target->host.len + target->path.len + target->query.len + 24);
	target_add_key(&text, target);
	purge.text = text_slice(&text);
	if (!text.overflowed && volume_purge(r->volume, &purge, purged, NULL) == STORE_RULES_FULL)
		volume_purge(r->volume, &all, purged, NULL);
}

static void drop(struct request *r, const struct target *target)
{
	struct object *object = NULL;
	struct text text;

	/* What it has to forget is not known before it is read. */
	if (volume_is_starting(r->volume)) {
		drop_later(r, target);
		return;
	}
	text_init(&text, &r->arena, target->host.len + target->path.len + target->query.len + 24);
	target_add_key(&text, target);
	if (text.overflowed)
		return;
	struct store_key key = store_key_make(text_slice(&text));
	/* What the origin was asked for before this request has changed it is not stored when it comes, either. */
	volume_void(r->volume, key);
	enum store_get got = volume_get(r->volume, key, text_slice(&text), &object);
	upgrade_invalidated(r->worker->daemon, r->volume, text_slice(&text));
	if (got == STORE_LOAD) {
		struct dropping *dropping = must(malloc(sizeof(*dropping)));
		*dropping = (struct dropping){ .load = { .loaded = loaded, .patient = true }, .volume = r->volume, .key = key };
		if (volume_load(r->volume, key, text_slice(&text), &dropping->load) != STORE_OK)
			loaded(&dropping->load, NULL);
	} else {
		drop_object(r->volume, key, object);
	}
}

static bool same_host(struct slice authority, const struct target *own)
{
	struct slice host;
	uint16_t port, standard = own->https ? 443 : 80;

	if (!http_parse_authority(authority, &host, &port))
		return false;
	return slice_eq_nocase(host, own->host) && (port ? port : standard) == (own->port ? own->port : standard);
}

/* A colon before the first slash: a URI of another scheme. */
static bool has_scheme(struct slice reference)
{
	size_t i = 0;

	while (i < reference.len && !memchr("/?#:", reference.ptr[i], 4))
		i++;
	return i < reference.len && reference.ptr[i] == ':';
}

/* Path and query of a URI reference that is of the request's origin (RFC 3986 section 4.2). */
static bool resolve(struct request *r, struct slice reference, struct target *target)
{
	const struct slice scheme = target->https ? SLICE("https://") : SLICE("http://");
	const char *end;

	if (reference.len > scheme.len && slice_eq_nocase(slice_make(reference.ptr, scheme.len), scheme)) {
		reference = slice_make(reference.ptr + scheme.len, reference.len - scheme.len);
	} else if (slice_starts(reference, SLICE("//"))) {
		reference = slice_make(reference.ptr + 2, reference.len - 2);
	} else {
		goto path;
	}
	size_t authority = 0;
	while (authority < reference.len && !memchr("/?#", reference.ptr[authority], 3))
		authority++;
	if (!same_host(slice_make(reference.ptr, authority), target))
		return false;
	reference = slice_make(reference.ptr + authority, reference.len - authority);
	if (reference.len == 0)
		reference = SLICE("/");
path:
	if ((end = memchr(reference.ptr, '#', reference.len)))
		reference.len = (size_t)(end - reference.ptr);
	if (reference.len == 0 || has_scheme(reference))
		return false;
	if (reference.ptr[0] != '/') {
		/* Relative to the request's own folder. */
		const char *slash = memrchr(target->path.ptr, '/', target->path.len);
		if (!slash)
			return false;
		reference = arena_printf(&r->arena, "%.*s%.*s", (int)(slash + 1 - target->path.ptr), target->path.ptr, SLICE_ARG(reference));
	}
	end = memchr(reference.ptr, '?', reference.len);
	target->path = slice_make(reference.ptr, end ? (size_t)(end - reference.ptr) : reference.len);
	target->query = end ? slice_make(end + 1, reference.len - target->path.len - 1) : (struct slice){ NULL, 0 };
	return true;
}

static void drop_named(struct request *r, struct slice reference)
{
	struct target target = request_target(r);

	if (reference.len && resolve(r, reference, &target))
		drop(r, &target);
}

void request_invalidate(struct request *r, const struct http_head *response)
{
	struct target target = request_target(r);

	if (!r->volume || http_method_is_safe(r->head.method) || response->status < 200 || response->status >= 400)
		return;
	drop(r, &target);
	drop_named(r, http_header_value(response, FIELD_location));
	drop_named(r, http_header_value(response, FIELD_content_location));
	r->fetch_asked = volume_void_clock(r->volume);       /* its own answer is of the time after it */
}

bool request_names_itself(struct request *r, struct slice reference)
{
	struct target own = request_target(r), named = own;

	return reference.len && resolve(r, reference, &named) && slice_eq(named.path, own.path) && slice_eq(named.query, own.query);
}
