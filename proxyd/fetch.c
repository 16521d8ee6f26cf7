/* What becomes of the head of an origin's answer. */
#include "fetch.h"
#include "http_cache.h"
#include "tags.h"
#include "key_rules.h"
#include "parts.h"
#include "joint.h"
#include "slices.h"

enum { SPEC_MAX = 2 * VARY_SPEC_MAX };

enum nostore fetch_nostore(enum store_err err)
{
	switch (err) {
	case STORE_OK: return NOSTORE_none;
	case STORE_TOO_LARGE: return NOSTORE_too_large;
	case STORE_NOT_ADMITTED: return NOSTORE_second_hit;
	case STORE_RAM_FULL: return NOSTORE_ram_full;
	case STORE_QUEUE_FULL: return NOSTORE_queue_full;
	case STORE_DISK_FULL: case STORE_NO_SPACE: return NOSTORE_disk_full;
	case STORE_INDEX_FULL: return NOSTORE_index_full;
	case STORE_DISK_ERROR: return NOSTORE_disk_error;
	case STORE_PURGED: return NOSTORE_purged;
	case STORE_REPLACED: return NOSTORE_replaced;
	case STORE_STARTING: return NOSTORE_volume_starting;
	case STORE_HANDED_OVER: return NOSTORE_upgrade;
	default: return NOSTORE_volume_failed;
	}
}

/* ---- stale ---- */

bool fetch_may_serve_stale(const struct request *r)
{
	struct cache_object stored = stored_rules(object_meta(r->stale));
	struct cache_control asked;

	/* What was purged is stale though its lifetime is not over. */
	if (stored.must_revalidate && object_is_purged(r->stale))
		return false;
	/* A stored error is no better than a new one. */
	if (object_meta(r->stale)->status >= 500)
		return false;
	/* A client may ask for less than the answer allows (RFC 5861 section 4). */
	cache_control_parse(&r->head, FIELD_cache_control, &asked);
	if (asked.stale_if_error >= 0 && r->worker->steady_us - object_meta(r->stale)->expires_us > asked.stale_if_error * 1000000)
		return false;
	return cache_may_use_on_error(&stored, (int64_t)r->location->set.stale_on_error, r->worker->steady_us);
}

void fetch_use_stale(struct request *r, enum verdict verdict)
{
	r->log.cache = (uint8_t)verdict;
	object_unref(&r->object);
	r->object = r->stale;
	r->stale = NULL;
	r->source = SOURCE_object;
	r->discard = true;
}

static bool is_server_error(unsigned status)
{
	return status == 500 || status == 502 || status == 503 || status == 504;
}

/* ---- storing ---- */

static struct verdict_store judge(struct request *r, const struct http_head *head)
{
	const struct settings *set = &r->location->set;
	struct storing with = {
		.now_us = r->worker->wall_us, .request_us = r->worker->wall_us - (r->worker->steady_us - r->fetch_sent_us),
		.store_cookies = set->store_cookies, .login_cookie = r->log.req_login, .heuristic_percent = (unsigned)set->heuristic_percent,
		.heuristic_max_us = (int64_t)set->heuristic_max, .negative_us = (int64_t)set->negative_ttl,
		.error_max_us = (int64_t)set->error_lifetime_max, .targeted = r->location->targeted, .object_max = set->object_max,
	};

	/* What is stored answers GET: an answer to HEAD is judged for the stored one that it speaks of, one to POST for what it
	 * says it is. */
	struct http_head asked = r->head, answer = *head;
	if (asked.method == METHOD_HEAD || r->post_as_get) {
		asked.method = METHOD_GET;
		asked.framing = FRAMING_none;
	}
	if (r->fetch_part.total)
		answer.status = 200;           /* a part is judged as the whole would be */
	return cache_may_store(&asked, &answer, &with);
}

enum nostore fetch_forbidden(struct request *r, const struct http_head *head)
{
	enum nostore reason = judge(r, head).reason;

	return reason == NOSTORE_no_freshness || reason == NOSTORE_expired ? NOSTORE_none : reason;
}

/* In the volume; 0: the site has no quota there. */
static uint16_t owner_of(const struct request *r)
{
	return r->location->owner ? r->location->owner->number : 0;
}

static struct object_meta meta_of(const struct verdict_store *v, unsigned status, int64_t now_us, bool variant)
{
	return (struct object_meta){
		.stored_us = now_us, .age_base_us = v->age_us, .lifetime_us = v->lifetime_us,
		.stale_while_us = v->stale_while_us, .stale_error_us = v->stale_error_us,
		.expires_us = now_us + v->lifetime_us - v->age_us, .status = (uint16_t)status,
		.flags = (v->must_revalidate ? STORED_MUST_REVALIDATE : 0) | (v->no_cache ? STORED_NO_CACHE : 0)
			| (v->shareable_auth ? STORED_SHAREABLE_AUTH : 0) | (unsigned)v->lifetime_by << STORED_LIFETIME_SHIFT
			| (v->has_validator ? STORED_VALIDATOR : 0) | (variant ? STORED_VARIANT : 0),
	};
}

static enum nostore reason_not_to_try(const struct request *r, const struct verdict_store *v, const struct http_head *head)
{
	if (r->post_as_get && v->reason == NOSTORE_none && (v->lifetime_by != LIFETIME_answer || v->lifetime_us <= 0))
		return NOSTORE_method;
	if (!r->use_cache && !r->post_as_get)
		return (enum nostore)r->log.nostore;
	if (!r->may_store && !r->post_as_get)
		return r->head.method == METHOD_GET ? NOSTORE_partial : NOSTORE_method;
	if (v->reason)
		return v->reason;
	if (head->framing == FRAMING_length && head->length > r->location->set.object_max)
		return NOSTORE_too_large;
	return NOSTORE_none;
}

/* Who waits for it may have it, unless a purge came while it was asked for. */
void fetch_share(struct request *r, struct object *object, struct store_key key)
{
	if (r->flight && object_is_purged(object))
		flight_repeat(&r->flight);
	else if (object_meta(object)->flags & STORED_PART)
		flight_end(&r->flight, 0);     /* who waits wants the file, or another range of it */
	else if (r->flight)
		flight_publish(r->flight, object, key);
}

/* What selects the answer: the site's selectors, then what Vary names; as vary_spec(). */
static long spec_of(const struct request *r, const struct http_head *head, char out[SPEC_MAX])
{
	struct slice selectors = r->location->key.selectors;
	size_t before = selectors.len ? selectors.len + 1 : 0;
	long len = vary_spec(head, out + before, SPEC_MAX - before);

	if (len < 0 || !before)
		return len;
	memcpy(out, selectors.ptr, selectors.len);
	out[selectors.len] = ',';
	return (long)before + len - (len == 0);
}

/* Would a server error take the place of a good answer that may be served instead of it, or of the list of the URL's
 * variants? What only the disk has may be good. */
static bool is_error_over_good(struct request *r, unsigned status, struct store_key key, struct slice key_text)
{
	struct object *old = NULL;

	if (status < 500)
		return false;
	enum store_get got = volume_get(r->volume, key, key_text, &old);
	if (got != STORE_HIT)
		return got == STORE_LOAD;
	const struct object_meta *meta = object_meta(old);
	struct cache_object stored = stored_rules(meta);
	bool good = (meta->flags & STORED_VARY_INDEX)
		|| (meta->status < 500 && !(stored.must_revalidate && object_is_purged(old))
			&& cache_may_use_on_error(&stored, (int64_t)r->location->set.stale_on_error, r->worker->steady_us));
	object_unref(&old);
	return good;
}

/* r->filling: the whole under the key of its URL or variant, or a part under one beside. A part that is the whole is one. */
static enum store_err new_object(struct request *r, struct object_meta *meta, struct slice kept, uint64_t size)
{
	bool variant = meta->flags & STORED_VARIANT;
	const struct content_range *part = &r->fetch_part;

	if (!part_key_make(r))
		return STORE_TOO_LARGE;
	bool whole = part->from == 0 && part->to + 1 == part->total;
	if (part->total && !whole && r->slicing)
		return slices_begin(r, meta, kept);
	if (part->total && !whole) {
		meta->flags |= STORED_PART;
		meta->status = 206;
		stored_set_part(kept, part->from, part->total);
		return object_new(r->volume, r->part_key, r->part_text, meta, kept, size, &r->filling);
	}
	if (part->total)
		meta->status = 200;
	return object_new(r->volume, variant ? r->variant_key : r->key, variant ? r->variant_text : r->key_text, meta, kept, size, &r->filling);
}

/* Begins to fill an object with the answer. */
static enum nostore begin_filling(struct request *r, const struct http_head *head, const struct verdict_store *v, const struct cache_control *cc)
{
	char spec[SPEC_MAX];
	long spec_len = spec_of(r, head, spec);
	struct store_key asked = r->variant_text.len ? r->variant_key : r->key;

	if (spec_len < 0)
		return spec_len == -1 ? NOSTORE_vary_star : NOSTORE_vary_too_many;
	if (spec_len > 0 && !request_variant_key(r, slice_make(spec, (size_t)spec_len)))
		return NOSTORE_vary_too_many;
	if (spec_len == 0)
		r->variant_text.len = 0;
	if (is_error_over_good(r, head->status, spec_len ? r->variant_key : r->key, spec_len ? r->variant_text : r->key_text))
		return NOSTORE_error_over_good;
	struct slice kept = stored_build(&r->arena, head, cc, true, slice_make(spec, (size_t)spec_len));
	if (!kept.len || kept.len > STORE_HEAD_MAX)
		return NOSTORE_head_too_large;
	/* Fields that no-cache="..." and private="..." name are this client's, and only missing from what others get. */
	if (cc->no_cache_fields || cc->private_fields) {
		struct cache_control all = *cc;
		all.no_cache_fields = all.private_fields = false;
		r->first_head = stored_build(&r->arena, head, &all, true, SLICE(""));
	}
	struct object_meta meta = meta_of(v, head->status, r->worker->steady_us, spec_len > 0);
	meta.owner = owner_of(r);
	meta.born = r->fetch_born;
	meta.asked = r->fetch_asked;
	meta.tags = r->tags;
	if (meta.tags.len > STORE_TAGS_MAX)
		return NOSTORE_too_many_tags;
	uint64_t size = head->framing == FRAMING_length ? head->length : head->framing == FRAMING_none ? 0 : STORE_SIZE_UNKNOWN;
	enum store_err err = new_object(r, &meta, kept, size);
	if (err)
		return fetch_nostore(err);
	if (r->master)
		return NOSTORE_none;
	r->log.variant = spec_len ? r->variant_key.hi : 0;
	object_unref(&r->object);
	r->object = object_ref(r->filling);
	r->source = SOURCE_object;
	fetch_share(r, r->filling, spec_len ? r->variant_key : r->key);
	if (r->hit_for_miss)
		flight_forget(request_flight_key(r, asked));
	return NOSTORE_none;
}

/* What Content-Length says, whether there is a body or not; the parser has checked it. UINT64_MAX: nothing. */
static uint64_t declared_length(const struct http_head *head)
{
	struct slice length = http_header_value(head, FIELD_content_length);
	uint64_t n = 0;

	for (size_t i = 0; i < length.len; i++)
		n = n * 10 + (uint64_t)(length.ptr[i] - '0');
	return length.len ? n : UINT64_MAX;
}

/* The answer is passed through as it comes. */
static void begin_passing(struct request *r, const struct http_head *head, const struct cache_control *cc)
{
	struct slice kept = stored_build(&r->arena, head, cc, false, SLICE(""));

	r->source = SOURCE_pipe;
	r->pipe_status = head->status;
	r->pipe_head = kept;
	r->pipe_length = head->framing == FRAMING_length ? head->length : UINT64_MAX;
	r->pipe_no_body = head->framing == FRAMING_none;
	if (r->head.method == METHOD_HEAD || head->status == 304) {
		r->pipe_length = declared_length(head);
	}
}

/* Whether others should not wait for this URL for a while: the answer itself cannot be shared. */
static bool is_uncacheable(enum nostore why)
{
	switch (why) {
	case NOSTORE_no_store: case NOSTORE_private: case NOSTORE_set_cookie: case NOSTORE_vary_star: case NOSTORE_no_freshness:
	case NOSTORE_expired: case NOSTORE_status: case NOSTORE_too_large:
		return true;
	default:
		return false;
	}
}

/* ---- a 304 ---- */

/* The head of the stored answer with the 304's fields, parsed again as if it had come whole: one way to judge freshness. */
static bool merged_head(struct request *r, struct slice kept, struct http_head *ret_head)
{
	struct stored_view view;
	struct text text;
	enum refusal refusal;
	struct http_limits limits = { 8192, 256 * 1024, HTTP_HEADERS_MAX };

	if (!stored_read(kept, &view))
		return false;
	text_init(&text, &r->arena, view.block.len + 64);
	text_add(&text, SLICE("HTTP/1.1 200 OK\r\n"));
	text_add(&text, view.block);
	text_add(&text, SLICE("\r\n"));
	struct http_header *headers = arena_alloc(&r->arena, HTTP_HEADERS_MAX * sizeof(*headers));
	return headers && !text.overflowed
		&& http_parse_response(text.ptr, text.len, 0, &limits, METHOD_GET, headers, ret_head, &refusal) > 0;
}

/* Is it the stored answer that these fields speak of? An entity tag decides, else Last-Modified; without either it is. */
static bool confirms(const struct stored_view *view, const struct http_head *head)
{
	struct slice etag = http_header_value(head, FIELD_etag), modified = http_header_value(head, FIELD_last_modified);

	if (etag.len && view->etag.len)
		return slice_eq(etag, view->etag);
	return !modified.len || !view->last_modified.len || slice_eq(modified, view->last_modified);
}

bool fetch_merge(struct request *r, const struct object *old, const struct stored_view *view, const struct http_head *head,
	struct slice *ret_kept, struct object_meta *ret_meta)
{
	struct http_head merged = { 0 };

	*ret_kept = stored_update(&r->arena, view, head, r->location->targeted);
	if (!ret_kept->len || ret_kept->len > STORE_HEAD_MAX || !merged_head(r, *ret_kept, &merged))
		return false;
	struct verdict_store v = judge(r, &merged);
	*ret_meta = meta_of(&v, 200, r->worker->steady_us, view->spec.len > 0);
	ret_meta->born = r->fetch_born;
	ret_meta->asked = r->fetch_asked;
	ret_meta->tags = tags_are_in(head) ? r->tags : object_meta(old)->tags;
	return v.reason == NOSTORE_none && r->tags.len <= STORE_TAGS_MAX;
}

/* The stored answer gets the fields of one that speaks of it (a 304, or an answer to HEAD). Returns what may be served now,
 * a reference, or NULL: it cannot be done. *ret_shared: others may have it, too. */
static struct object *renew(struct request *r, const struct stored_view *view, const struct http_head *head, bool *ret_shared)
{
	struct http_head merged = { 0 };
	struct slice kept = stored_update(&r->arena, view, head, r->location->targeted);
	struct object *fresh = NULL;

	if (!kept.len || kept.len > STORE_HEAD_MAX || !merged_head(r, kept, &merged))
		return NULL;
	uint32_t kind = object_meta(r->stale)->flags & (STORED_PART | STORED_SLICED);
	merged.status = kind ? 200 : object_meta(r->stale)->status;
	struct verdict_store v = judge(r, &merged);
	if (!v.reason && r->tags.len > STORE_TAGS_MAX)
		v.reason = NOSTORE_too_many_tags;
	*ret_shared = v.reason == NOSTORE_none;
	if (v.reason) {
		/* It may be served now, but not again. */
		volume_drop(r->volume, stored_key(r, view, r->stale), r->stale);
		r->log.nostore = (uint8_t)v.reason;
		return object_ref(r->stale);
	}
	struct object_meta meta = meta_of(&v, object_meta(r->stale)->status, r->worker->steady_us, view->spec.len > 0);
	meta.owner = owner_of(r);
	meta.flags |= kind;
	meta.born = r->fetch_born;
	meta.asked = r->fetch_asked;
	meta.tags = tags_are_in(head) ? r->tags : object_meta(r->stale)->tags;
	enum store_err err = object_refresh(r->stale, &meta, kept, &fresh);
	r->log.stored = err == STORE_OK;
	r->log.nostore = (uint8_t)fetch_nostore(err);
	return fresh;
}

/* False: the 304 does not fit what is stored. */
static bool take_304(struct request *r, const struct http_head *head)
{
	struct stored_view view;
	bool shared = false;

	if (!stored_read(object_head(r->stale), &view) || !confirms(&view, head))
		return false;
	/* view lies in the old object, which must stay until the new one is made. */
	struct object *fresh = renew(r, &view, head, &shared);
	if (!fresh)
		return false;
	if (shared)
		fetch_share(r, fresh, view.spec.len ? r->variant_key : r->key);
	object_unref(&r->stale);
	r->stale = fresh;
	fetch_use_stale(r, VERDICT_revalidated);
	return true;
}

/* What an answer means for the stale object that it does not serve: one to HEAD confirms and renews it, or shows that it is
 * another (RFC 9111 section 4.3.5); one to GET takes its place, also when it may not be stored itself. */
static void retire_stale(struct request *r, const struct http_head *head)
{
	struct stored_view view;
	bool shared;

	if (!r->stale || head->status >= 500)
		return;
	bool same = r->head.method == METHOD_HEAD && stored_read(object_head(r->stale), &view)
		&& head->status == object_meta(r->stale)->status && confirms(&view, head)
		&& (declared_length(head) == UINT64_MAX || declared_length(head) == (view.fixed.slice ? view.fixed.total : object_size(r->stale)));
	struct object *fresh = same ? renew(r, &view, head, &shared) : NULL;
	if (!fresh && (r->head.method == METHOD_HEAD || r->may_store) && stored_read(object_head(r->stale), &view))
		volume_drop(r->volume, stored_key(r, &view, r->stale), r->stale);
	object_unref(&fresh);
	object_unref(&r->stale);
}

/* ---- the head ---- */

/* The answer to a request for what a stored part lacks. False: it is to be judged like any other. */
static bool complete_part(struct request *r, const struct http_head *head)
{
	if (!r->part)
		return false;
	if (joint_take_head(r, head))
		return true;
	/* Not of the same bytes, or not what was asked for. A failing origin says nothing of what is stored. */
	if (head->status < 500)
		joint_drop_part(r);
	if (r->joint)
		fetch_stop(r, END_origin_invalid);
	else if (head->status == 206 || head->status == 416 || head->status == 412)
		r->fetch_again = true;
	object_unref(&r->part);
	return r->joint || r->fetch_again;
}

/* What came is but a slice, and cannot be stored as one: the client is to get what it asked for. */
static void ask_without_slice(struct request *r, const struct http_head *head)
{
	retire_stale(r, head);
	r->slice_off = true;
	r->fetch_again = true;
	r->fetch_part.total = 0;
}

void fetch_take_head(struct request *r, const struct http_head *head)
{
	struct cache_control cc;
	enum nostore why;

	/* Tags that do not fit are tags all the same: then nothing is stored. */
	if (!tags_of(&r->arena, head, &r->tags))
		r->tags.len = SIZE_MAX;
	if (!r->location->set.cache_tags_visible)
		tags_hide(head);
	if (r->slice_of) {
		slice_take_head(r, head);
		return;
	}
	if (complete_part(r, head))
		return;
	if (r->revalidating && head->status == 304) {
		if (!take_304(r, head))
			r->fetch_again = true;
		return;
	}
	if (r->stale && is_server_error(head->status) && fetch_may_serve_stale(r)) {
		fetch_use_stale(r, VERDICT_hit_stale);
		return;
	}
	request_invalidate(r, head);
	/* Not by rules for the key: a POST goes to the origin whole, with what others must not get an answer by. */
	r->post_as_get = r->head.method == METHOD_POST && r->volume && !key_has_rules(r->location) && !r->log.req_login && head->status >= 200 && head->status < 300
		&& request_names_itself(r, http_header_value(head, FIELD_content_location)) && request_key_make(r);
	if (r->slicing ? !slice_of_answer(r, head) : !part_of_answer(r, head, &r->fetch_part))
		r->fetch_part.total = 0;
	if (r->slicing && (head->status == 416 || (head->status == 206 && !r->fetch_part.total))) {
		ask_without_slice(r, head);
		return;
	}
	retire_stale(r, head);
	object_unref(&r->stale);
	cache_control_effective(head, r->location->targeted, &cc);
	struct verdict_store v = judge(r, head);
	r->log.lifetime = v.lifetime_us / 1000000;
	r->log.lifetime_by = stored_lifetime_by((unsigned)v.lifetime_by << STORED_LIFETIME_SHIFT);
	why = reason_not_to_try(r, &v, head);
	if (!why)
		why = begin_filling(r, head, &v, &cc);
	if (!why) {
		r->log.nostore = NOSTORE_none;
		return;
	}
	if (r->slicing && head->status == 206) {
		ask_without_slice(r, head);
		return;
	}
	r->log.nostore = (uint8_t)why;
	bool remember = is_uncacheable(why) && r->flight;
	/* Those who wait ask for it again: one of them fetches it, for all. */
	if (why == NOSTORE_second_hit && r->flight)
		flight_repeat(&r->flight);
	else
		flight_end(&r->flight, remember ? r->worker->now_us + r->location->set.hit_for_miss_time : 0);
	begin_passing(r, head, &cc);
}

/* ---- the index of variants ---- */

void fetch_update_vary_index(struct request *r, const struct object *object)
{
	struct stored_view view;
	struct object *old = NULL, *index = NULL;
	struct vary_index list = { { "", 0 } };
	struct store_key evicted;
	bool has_evicted, changed;
	struct object_meta meta = { .stored_us = r->worker->steady_us, .owner = object_meta(object)->owner, .expires_us = INT64_MAX, .lifetime_us = INT64_MAX / 2,
		.stale_while_us = -1, .stale_error_us = -1, .flags = STORED_VARY_INDEX };

	if (!stored_read(object_head(object), &view))
		return;
	enum store_get got = volume_get(r->volume, r->key, r->key_text, &old);
	/* On disk again since it was looked up: it most likely has the spec, and must not be replaced by one that has no other. */
	if (got == STORE_LOAD && r->variant_known)
		return;
	if (got == STORE_HIT && (object_meta(old)->flags & STORED_VARY_INDEX))
		list.text = object_head(old);
	struct vary_variant variant = { .spec = view.spec, .key = r->variant_key };
	request_variant_language(r, view.block, &variant.language, &variant.values);
	struct slice text = vary_index_add(&r->arena, list, &variant, r->location->set.variants_max, &evicted, &has_evicted, &changed);
	if (changed && text.len && text.len <= VARY_INDEX_MAX
			&& object_new(r->volume, r->key, r->key_text, &meta, text, 0, &index) == STORE_OK)
		object_finish(index);
	if (changed && has_evicted)
		stored_drop(r->volume, evicted);
	object_unref(&index);
	object_unref(&old);
}
