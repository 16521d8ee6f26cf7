/* What is stored for the request, and is it fresh; if not: who fetches it.
 *
 * A URL's key names either the answer itself or, when it varies, the index of its Vary specs; a variant's key is made of
 * the URL's key, the spec and the request's values for it. Where the whole is not stored, a part of it may be, under a key
 * beside (parts.h). Look-ups never wait for the disk: a head that is not in memory
 * is loaded by the I/O thread and the step runs again. */
#include "request.h"
#include "http_cache.h"
#include "key_rules.h"
#include "parts.h"
#include "slices.h"

enum { VARY_TEXT_MAX = 4096 };

/* ---- messages from other threads ---- */

static void wake_run(struct worker *worker, struct mail *mail)
{
	struct request *r = (struct request *)((char *)mail - offsetof(struct request, wake_mail));

	(void)worker;
	atomic_store(&r->wake_queued, false);
	request_run(r);
}

void request_wake(struct request *r)
{
	if (atomic_exchange(&r->wake_queued, true))
		return;
	r->wake_mail.run = wake_run;
	worker_post(r->worker, &r->wake_mail);
}

/* Of a request that waits; or of one that leads and has lost its client, when nobody waits any more. */
void request_flight_wake(struct flight_waiter *waiter)
{
	request_wake((struct request *)((char *)waiter - offsetof(struct request, waiter)));
}

void request_object_wake(struct object_waiter *waiter)
{
	request_wake((struct request *)((char *)waiter - offsetof(struct request, object_waiter)));
}

void request_collapse_timeout(struct worker *worker, struct timer *timer)
{
	struct request *r = (struct request *)((char *)timer - offsetof(struct request, collapse_timer));

	(void)worker;
	flight_leave(&r->waiter);
	r->solo = r->own_asked = true;
	request_run(r);
}

/* ---- loading ---- */

struct load {
	struct store_load load;              /* first */
	struct mail mail;
	struct request *request;
	struct store_key key;
	struct object *object;
};

static void load_run(struct worker *worker, struct mail *mail)
{
	struct load *load = (struct load *)((char *)mail - offsetof(struct load, mail));
	struct request *r = load->request;

	timer_clear(worker, &r->disk_timer);
	r->loading = false;
	request_run(r);
}

static void load_done(struct store_load *store_load, struct object *object)
{
	struct load *load = (struct load *)store_load;

	load->object = object;
	worker_post(load->request->worker, &load->mail);
}

void request_load_free(struct request *r)
{
	if (r->load)
		object_unref(&r->load->object);
	free(r->load);
	r->load = NULL;
}

static void load_cancel(struct request *r, bool late)
{
	if (!volume_load_cancel(r->volume, &r->load->load, late))
		return;
	timer_clear(r->worker, &r->disk_timer);
	r->loading = false;
	request_load_free(r);
}

void request_load_cancel(struct request *r)
{
	load_cancel(r, false);
}

static void load_timeout(struct worker *worker, struct timer *timer)
{
	struct request *r = (struct request *)((char *)timer - offsetof(struct request, disk_timer));

	(void)worker;
	load_cancel(r, true);
	if (r->loading)
		return;
	r->disk_late = true;
	request_run(r);
}

/* LOAD: the step must wait. MISS: the disk is behind, and the origin is asked instead. */
static enum store_get load_start(struct request *r, struct store_key key, struct slice key_text)
{
	struct load *load;

	request_load_free(r);
	if (!r->disk_late) {
		load = must(calloc(1, sizeof(*load)));
		*load = (struct load){ .load = { .loaded = load_done }, .mail = { .run = load_run }, .request = r, .key = key };
		r->load = load;
		r->loading = true;
		request_keep(r);
		timer_set(r->worker, &r->disk_timer, r->location->set.disk_timeout, load_timeout);
		if (volume_load(r->volume, key, key_text, &load->load) == STORE_OK)
			return STORE_LOAD;
		timer_clear(r->worker, &r->disk_timer);
		r->loading = false;
		request_load_free(r);
		r->disk_late = true;
	}
	r->log.disk_late = 1;
	/* It may be a list of variants: the answer to come must not take its place. */
	if (key.hi == r->key.hi && key.lo == r->key.lo)
		r->variant_known = true;
	return STORE_MISS;
}

enum store_get request_get(struct request *r, struct store_key key, struct slice key_text)
{
	struct load *load = r->load;

	object_unref(&r->object);
	if (load && load->key.hi == key.hi && load->key.lo == key.lo) {
		r->object = load->object;
		load->object = NULL;
		request_load_free(r);
		r->loaded_key = key;
		r->from_disk = true;
		return r->object ? STORE_HIT : STORE_MISS;
	}
	enum store_get got = volume_get(r->volume, key, key_text, &r->object);
	if (got == STORE_HIT && r->disk_late && object_peek(r->object, 0, 1, &(struct iovec){ NULL, 0 }, 1) < 0) {
		object_unref(&r->object);
		got = STORE_LOAD;
	}
	r->from_disk = key.hi == r->loaded_key.hi && key.lo == r->loaded_key.lo;
	return got == STORE_LOAD ? load_start(r, key, key_text) : got;
}

/* ---- keys ---- */

struct target request_target(const struct request *r)
{
	return (struct target){
		.https = r->log.scheme.len == 5, .host = r->log.host, .port = r->head.port, .authority = r->head.authority,
		.path = r->head.path, .normal = r->path, .query = r->head.query, .location = r->location,
	};
}

bool request_key_make(struct request *r)
{
	struct target target = request_target(r);
	struct text text;

	text_init(&text, &r->arena, target.host.len + target.path.len + target.query.len + 24);
	target_add_key(&text, &target);
	if (text.overflowed)
		return false;
	r->key_text = text_slice(&text);
	r->key = store_key_make(r->key_text);
	r->log.key = r->key.hi;
	return true;
}

bool request_variant_key(struct request *r, struct slice spec)
{
	char values[VARY_TEXT_MAX];
	struct text text;
	long len = vary_text(spec, &r->head, values, sizeof(values));

	if (len < 0)
		return false;
	text_init(&text, &r->arena, r->key_text.len + spec.len + (size_t)len + 4);
	text_add(&text, r->key_text);
	text_add(&text, SLICE("\n"));
	text_add(&text, spec);
	text_add(&text, SLICE("\n"));
	text_add(&text, slice_make(values, (size_t)len));
	if (text.overflowed)
		return false;
	r->variant_text = text_slice(&text);
	r->variant_key = store_key_make(r->variant_text);
	return true;
}

/* ---- what is stored ---- */

/* The language that a request likes best, from the values of its Accept-Language as vary_text() puts them (in order of
 * quality, without q=1). Empty when it is not exactly one. */
static struct slice best_language(struct slice values)
{
	const char *end = values.ptr + values.len;
	const char *comma = memchr(values.ptr, ',', values.len), *q = memchr(values.ptr, ';', values.len);

	if (!comma)
		comma = end;
	if (q && q < comma)
		return (struct slice){ NULL, 0 };
	const char *next = comma < end ? memchr(comma + 1, ',', (size_t)(end - comma - 1)) : NULL;
	if (comma < end && (!q || (next && next < q)))
		return (struct slice){ NULL, 0 };
	return slice_make(values.ptr, (size_t)(comma - values.ptr));
}

/* What the spec accept-language has as its values in r->variant_text. False: it is another spec. */
static bool language_values(const struct request *r, struct slice *ret_values)
{
	const struct slice mark = SLICE("\naccept-language\naccept-language=");
	struct slice text = r->variant_text;
	size_t head = r->key_text.len + mark.len;

	if (text.len <= head || !slice_starts(slice_make(text.ptr + r->key_text.len, mark.len), mark))
		return false;
	*ret_values = slice_make(text.ptr + head, text.len - head - 1);
	return true;
}

/* Who likes one language best may have any stored answer in it: the origin has it, and would not choose another (RFC 9111
 * section 4.1). */
static enum store_get find_best_language(struct request *r, struct vary_index list)
{
	struct slice values, language, other;
	enum store_get got = STORE_MISS;

	if (!language_values(r, &values) || (language = best_language(values)).len == 0)
		return STORE_MISS;
	for (size_t pos = 0; got == STORE_MISS && vary_index_next_language(list, &pos, language, &other);) {
		struct slice text = arena_printf(&r->arena, "%.*s\naccept-language\naccept-language=%.*s\n", SLICE_ARG(r->key_text), SLICE_ARG(other));
		struct store_key key = store_key_make(text);
		got = text.len ? request_get(r, key, text) : STORE_MISS;
		if (got == STORE_HIT) {
			r->variant_text = text;
			r->variant_key = key;
		}
	}
	return got;
}

/* For the index: the language of an answer that was selected by Accept-Language alone. */
void request_variant_language(const struct request *r, struct slice block, struct slice *ret_language, struct slice *ret_values)
{
	struct slice name, value;

	*ret_language = (struct slice){ NULL, 0 };
	if (!language_values(r, ret_values))
		return;
	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value);)
		if (slice_eq_nocase(name, SLICE("content-language")) && !memchr(value.ptr, ' ', value.len) && !memchr(value.ptr, ',', value.len))
			*ret_language = value;
}

/* Among the variants that the index lists, the one this request selects. Without one the first spec's key stays in
 * r->variant_*: what will most likely be fetched. */
static enum store_get find_variant(struct request *r)
{
	struct object *index = r->object;
	struct vary_index list = { object_head(index) };
	struct slice spec, first_text = { NULL, 0 };
	struct store_key first_key = { 0, 0 };
	enum store_get got = STORE_MISS;

	r->object = NULL;
	r->variant_known = true;
	for (size_t pos = 0; got == STORE_MISS && vary_index_next_spec(list, &pos, &spec);) {
		if (!key_spec_fits(r->location, spec) || !request_variant_key(r, spec))
			continue;
		if (!first_text.len) {
			first_text = r->variant_text;
			first_key = r->variant_key;
		}
		got = request_get(r, r->variant_key, r->variant_text);
		if (got == STORE_MISS)
			got = find_best_language(r, list);
	}
	if (got == STORE_MISS) {
		r->variant_text = first_text;
		r->variant_key = first_key;
	}
	object_unref(&index);
	return got;
}

static enum store_get find(struct request *r)
{
	enum store_get got = request_get(r, r->key, r->key_text);

	struct slice selectors = r->location->key.selectors;

	if (got == STORE_HIT && (object_meta(r->object)->flags & STORED_VARY_INDEX)) {
		got = find_variant(r);
	} else if (got == STORE_HIT && selectors.len) {
		/* Stored before the location had them: whose it is is not known. */
		object_unref(&r->object);
		got = STORE_MISS;
	}
	if (got == STORE_MISS && selectors.len && !r->variant_text.len && !request_variant_key(r, selectors))
		r->variant_text.len = 0;
	return got;
}

/* ---- deciding ---- */

static enum step deliver_stored(struct request *r, enum verdict verdict)
{
	r->log.cache = (uint8_t)verdict;
	r->source = SOURCE_object;
	flight_end(&r->flight, 0);
	timer_clear(r->worker, &r->collapse_timer);
	return slice_or_deliver(r);
}

/* The client wants nothing from the origin (RFC 9111 section 5.2.1.7). A fetch that is under way for others does not count
 * either: it is the origin's answer. */
bool request_only_if_cached(const struct request *r)
{
	struct cache_control cc;

	cache_control_parse(&r->head, FIELD_cache_control, &cc);
	return cc.only_if_cached;
}

/* Who fetches: this request, or another one that it waits for. */
static enum step join(struct request *r)
{
	struct store_key key = r->variant_text.len ? r->variant_key : r->key, variant;
	bool woken = r->was_collapsed && !r->waiter.again;

	r->was_collapsed = woken;
	r->waiter.again = false;
	if (request_only_if_cached(r))
		return request_error(r, 504, END_only_if_cached);
	if (r->flight || r->solo || !r->may_store || (r->ranged && !slice_wanted(r)) || !r->location->set.collapse)
		return STEP_fetch;
	r->waiter.wake = request_flight_wake;
	switch (flight_join(request_flight_key(r, key), r->worker->now_us, woken ? NULL : &r->waiter, &r->flight, &r->object, &variant)) {
	case FLIGHT_LEAD:
		/* What was missing a moment ago may have been stored by a flight that has just ended. */
		return STEP_lookup;
	case FLIGHT_WAIT:
		r->was_collapsed = true;
		request_keep(r);
		timer_set(r->worker, &r->collapse_timer, r->location->set.collapse_timeout, request_collapse_timeout);
		return STEP_wait;
	case FLIGHT_HIT_FOR_MISS:
		r->hit_for_miss = !woken;
		r->solo = true;
		/* The flight may have ended with its object stored since this step looked: look once more. */
		return woken ? STEP_lookup : STEP_fetch;
	case FLIGHT_AGAIN:
		r->was_collapsed = false;
		return STEP_lookup;
	case FLIGHT_OBJECT:
		break;
	}
	if (object_is_purged(r->object)) {
		/* The origin was asked before the purge: that is not for who comes after it. */
		flight_replace(request_flight_key(r, key), r->object, &r->flight);
		object_unref(&r->object);
		r->log.purged = 1;
		r->was_collapsed = false;
		return STEP_lookup;
	}
	struct stored_view view;
	CHECK(stored_read(object_head(r->object), &view));
	if (!view.spec.len || (request_variant_key(r, view.spec) && r->variant_key.hi == variant.hi && r->variant_key.lo == variant.lo)) {
		r->was_collapsed = true;
		return deliver_stored(r, VERDICT_collapsed);
	}
	/* Another variant is on its way: this one has a flight of its own, by the key that it will have. */
	r->solo = r->own_asked;
	r->own_asked = true;
	r->own_spec = arena_copy(&r->arena, view.spec);
	object_unref(&r->object);
	r->was_collapsed = false;
	return STEP_lookup;
}

static const struct cache_use_settings settings = { .obey_client = false };

/* The whole is not stored: a part may be. */
static enum store_get find_part(struct request *r)
{
	if (!r->may_store || slice_wanted(r) || !part_key_make(r))
		return STORE_MISS;
	return request_get(r, r->part_key, r->part_text);
}

static enum step decide_part(struct request *r)
{
	struct cache_object stored = stored_rules(object_meta(r->object));
	struct cache_use used = cache_may_use(&stored, &r->head, &settings, r->worker->steady_us);
	struct stored_view view;

	if (!(object_meta(r->object)->flags & STORED_PART) || !stored_read(object_head(r->object), &view)
			|| !stored_part_fits(&view, object_size(r->object))) {
		volume_drop(r->volume, r->part_key, r->object);
		object_unref(&r->object);
		return join(r);
	}
	bool purged = object_is_purged(r->object);
	r->log.purged |= purged;
	object_unref(&r->stale);
	switch (part_covers(r, r->object, &view)) {
	case PART_all:
		if (used.use == USE_fresh && !purged)
			return deliver_stored(r, VERDICT_hit);
		r->was_stale = true;
		r->stale = r->object;
		break;
	case PART_some:
		r->part = r->object;
		break;
	case PART_none:
		object_unref(&r->object);
		break;
	}
	r->object = NULL;
	return join(r);
}

static enum step decide(struct request *r)
{
	struct cache_object stored = stored_rules(object_meta(r->object));
	struct cache_use used = cache_may_use(&stored, &r->head, &settings, r->worker->steady_us);
	struct stored_view view;

	if (!stored_read(object_head(r->object), &view)) {
		volume_drop(r->volume, r->variant_text.len ? r->variant_key : r->key, r->object);
		object_unref(&r->object);
		return join(r);
	}
	/* Kept by a soft purge: to be validated, or for when the origin fails. */
	if (object_is_purged(r->object)) {
		r->log.purged = 1;
		used.use = USE_validate;
	}
	if (used.use == USE_fresh)
		return deliver_stored(r, r->was_collapsed ? VERDICT_collapsed : VERDICT_hit);
	if (used.use == USE_stale_while_revalidate && !r->flight) {
		r->was_stale = true;
		request_refresh(r);
		return deliver_stored(r, VERDICT_hit_stale);
	}
	object_unref(&r->stale);
	r->was_stale = true;
	r->stale = r->object;
	r->object = NULL;
	return join(r);
}

enum step step_lookup(struct request *r)
{
	if (r->loading && !r->carrier)
		load_cancel(r, false);
	if (r->loading || r->waiter.flight)
		return STEP_wait;
	if (!r->carrier) {
		flight_end(&r->flight, 0);
		return STEP_answer;
	}
	if (!r->key_text.len && !request_key_make(r))
		return request_refuse(r, REFUSAL_head_too_large);
	r->variant_text.len = 0;
	object_unref(&r->part);
	switch (find(r)) {
	case STORE_LOAD: return STEP_wait;
	case STORE_HIT: return decide(r);
	case STORE_MISS: break;
	}
	if (volume_was_purged(r->volume, r->key) || (r->variant_text.len && volume_was_purged(r->volume, r->variant_key)))
		r->log.purged = 1;
	/* Not listed before it is whole, but known from a fetch that runs. */
	if (r->own_spec.len && !request_variant_key(r, r->own_spec))
		r->solo = true;
	/* Woken by the fetch of another variant, which is over already: now it is known whose fetch to wait for, once. */
	if (r->solo && r->was_collapsed && !r->own_asked && r->variant_text.len && r->variant_key.hi != r->waiter.key.key.hi) {
		r->own_asked = true;
		r->solo = r->was_collapsed = false;
	}
	switch (find_part(r)) {
	case STORE_LOAD: return STEP_wait;
	case STORE_HIT: return decide_part(r);
	case STORE_MISS: break;
	}
	if (r->part_text.len && volume_was_purged(r->volume, r->part_key))
		r->log.purged = 1;
	return join(r);
}
