/* Slices: what is asked for, the first answer, and the fetches of further slices. */
#include "slices.h"
#include "parts.h"
#include "fetch.h"
#include "http_cache.h"

#include <stdio.h>

enum { SLICE_TEXT_MORE = 24 };

/* ---- what is asked for ---- */

uint64_t slice_wanted(const struct request *r)
{
	const struct settings *set = &r->location->set;
	struct cache_control cc;

	if (!r->use_cache || !r->may_store || r->slice_off || r->hit_for_miss || !set->slice)
		return 0;
	/* What may not be stored for this client is fetched at once: it would be asked for twice. */
	cache_control_parse(&r->head, FIELD_cache_control, &cc);
	if (cc.no_store || http_header_get(&r->head, FIELD_authorization))
		return 0;
	return set->slice < set->object_max ? set->slice : set->object_max;
}

/* The slice that holds the first byte that the client wants, as far as that can be told before the length is known. */
static uint64_t first_wanted(const struct request *r, uint64_t size)
{
	struct range_asked asked = { ASKED_none, 0, 0 };

	if (r->ranged && r->head.times[FIELD_range] == 1)
		asked = range_ask(http_header_value(&r->head, FIELD_range));
	return asked.kind == ASKED_none || asked.kind == ASKED_last || asked.from > UINT64_MAX / 2 ? 0 : asked.from / size;
}

void slice_add_fields(struct request *r, struct text *text)
{
	uint64_t size = r->slice_of ? r->slice_of->slice_size : slice_wanted(r);

	if (!r->slice_of)
		r->slice_own = first_wanted(r, size);
	r->slice_size = size;
	text_add_field(text, SLICE("Range"), arena_printf(&r->arena, "bytes=%llu-%llu", (unsigned long long)(r->slice_own * size),
		(unsigned long long)(r->slice_own * size + size - 1)));
	if (r->slice_of)
		text_add_field(text, SLICE("If-Range"), r->slice_of->slice_validator);
}

static bool is_slice(const struct request *r, const struct http_head *head, struct content_range *ret_range)
{
	uint64_t from = r->slice_own * r->slice_size;

	if (head->status != 206 || head->framing != FRAMING_length || head->times[FIELD_content_range] != 1)
		return false;
	if (!content_range_parse(http_header_value(head, FIELD_content_range), ret_range) || ret_range->total == UINT64_MAX)
		return false;
	uint64_t end = from + r->slice_size < ret_range->total ? from + r->slice_size : ret_range->total;
	return ret_range->from == from && ret_range->to + 1 == end && head->length == end - from;
}

bool slice_of_answer(struct request *r, const struct http_head *head)
{
	if (is_slice(r, head, &r->fetch_part) && (part_validator_of_answer(r, head).len || r->fetch_part.to - r->fetch_part.from + 1 == r->fetch_part.total))
		return true;
	r->fetch_part.total = 0;
	return false;
}

/* ---- the master and its slices ---- */

bool slices_take_master(struct request *r)
{
	struct stored_view view;

	if (!stored_read(object_head(r->master), &view) || !view.fixed.slice || view.fixed.total == 0 || view.fixed.total == UINT64_MAX)
		return false;
	r->slice_size = view.fixed.slice;
	r->total = view.fixed.total;
	r->slice_validator = arena_copy(&r->arena, part_validator_of(r, r->master, &view));
	struct slice base = r->variant_text.len ? r->variant_text : r->key_text;
	struct slice identity = arena_printf(&r->arena, "%llu %.*s", (unsigned long long)r->total, SLICE_ARG(r->slice_validator));
	/* One buffer for all keys: a file may have more slices than the arena has room for. */
	r->slice_text = arena_alloc(&r->arena, base.len + SLICE_TEXT_MORE * 4);
	if (!r->slice_text || !r->slice_validator.len)
		return false;
	r->slice_text_len = (size_t)snprintf(r->slice_text, base.len + SLICE_TEXT_MORE * 3, "%.*s\nslice %llu %016llx ", SLICE_ARG(base),
		(unsigned long long)r->slice_size, (unsigned long long)store_key_make(identity).hi);
	return true;
}

struct slice slice_key(struct request *r, uint64_t number, struct store_key *ret_key)
{
	struct slice text = { r->slice_text, r->slice_text_len };

	text.len += (size_t)snprintf(r->slice_text + text.len, SLICE_TEXT_MORE, "%llu", (unsigned long long)number);
	*ret_key = store_key_make(text);
	return text;
}

static enum store_err fill_slice(struct request *r, struct request *of, uint64_t number, struct store_key *ret_key)
{
	struct object_meta meta = *object_meta(of->master);
	uint64_t from = number * of->slice_size, left = of->total - from;
	struct slice text = slice_key(of, number, ret_key);

	meta.flags = STORED_SLICE;
	meta.status = 206;
	meta.born = r->fetch_born;
	meta.asked = r->fetch_asked;
	return object_new(of->volume, *ret_key, text, &meta, SLICE(""), left < of->slice_size ? left : of->slice_size, &r->filling);
}

static enum store_err memory_slice(struct request *r, const struct request *of, uint64_t size)
{
	struct object_meta meta = *object_meta(of->master);

	meta.flags = STORED_SLICE;
	meta.tags.len = 0;
	return object_new(NULL, (struct store_key){ 0, 0 }, SLICE("slice"), &meta, SLICE(""), size, &r->filling);
}

/* Others may have the slice while it is filled; who waited for the master finds it stored. */
static void change_flight(struct request *r, struct store_key key)
{
	struct flight *flight = NULL;

	if (!r->flight)
		return;
	if (flight_lead(request_flight_key(r, key), &flight))
		flight_publish(flight, r->filling, key);
	if (object_is_purged(r->master))
		flight_repeat(&r->flight);
	flight_end(&r->flight, 0);
	r->flight = flight;
}

enum store_err slices_begin(struct request *r, struct object_meta *meta, struct slice kept)
{
	bool variant = meta->flags & STORED_VARIANT;
	struct store_key key;
	enum store_err err;

	meta->flags |= STORED_SLICED;
	meta->status = 200;
	stored_set_part(kept, 0, r->fetch_part.total);
	stored_set_slice(kept, (uint32_t)r->slice_size);
	err = object_new(r->volume, variant ? r->variant_key : r->key, variant ? r->variant_text : r->key_text, meta, kept, 0, &r->master);
	if (err)
		return err;
	if (!slices_take_master(r) || (err = fill_slice(r, r, r->slice_own, &key)) != STORE_OK) {
		object_fail(r->master);
		object_unref(&r->master);
		return err ? err : STORE_TOO_LARGE;
	}
	if ((err = object_finish(r->master)) != STORE_OK)
		r->log.nostore = (uint8_t)fetch_nostore(err);
	else if (variant)
		fetch_update_vary_index(r, r->master);
	change_flight(r, key);
	r->log.object_bytes = (int64_t)r->total;
	r->log.variant = variant ? r->variant_key.hi : 0;
	object_unref(&r->object);
	r->source = SOURCE_object;
	return STORE_OK;
}

/* ---- fetches of further slices ---- */

void slice_take_head(struct request *r, const struct http_head *head)
{
	struct request *of = r->slice_of;
	struct slice_fetch *fetch = r->slice_fetch;
	struct content_range range;
	struct store_key key;

	if (head->status >= 500) {
		fetch->end = END_origin_left;
		fetch_stop(r, END_origin_left);
		return;
	}
	if (!is_slice(r, head, &range) || range.total != of->total || !slice_eq(part_validator_of_answer(r, head), of->slice_validator)) {
		/* The file has changed: no slice of the old one is found any more, and nobody gets bytes of both. */
		fetch->end = END_origin_changed;
		volume_drop(of->volume, of->variant_text.len ? of->variant_key : of->key, of->master);
		fetch_stop(r, END_origin_changed);
		return;
	}
	r->fetch_part = range;
	enum nostore why = fetch_forbidden(r, head);
	enum store_err err = why ? STORE_FAILED : fill_slice(r, of, r->slice_own, &key);
	/* No room to store it, or it may not be stored: the client that waits for it gets it from memory alone, one slice at a time. */
	if (err && (why || !fetch->ahead)) {
		of->log.nostore = (uint8_t)(why ? why : fetch_nostore(err));
		fetch->unstored = true;
		err = memory_slice(r, of, range.to - range.from + 1);
	}
	if (err) {
		fetch_stop(r, END_internal);
		return;
	}
	/* What may not be stored is for nobody else either. */
	if (why)
		flight_end(&r->flight, 0);
	r->object = object_ref(r->filling);
	r->source = SOURCE_object;
	fetch->object = object_ref(r->filling);
	if (r->flight)
		flight_publish(r->flight, r->filling, key);
	request_wake(of);
}

bool slice_fetch_start(struct request *r, uint64_t number, struct flight **flight, bool ahead)
{
	struct slice_fetch *fetch = r->slice_fetches;

	for (size_t i = 0; i < COUNT_OF(r->slice_fetches); i++, fetch++) {
		if (fetch->request)
			continue;
		object_unref(&fetch->object);
		*fetch = (struct slice_fetch){ .number = number, .used = true, .ahead = ahead };
		struct request *b = fetch->request = request_background(r);
		b->slice_of = r;
		b->slice_fetch = fetch;
		b->slice_own = number;
		b->log.rid = r->log.rid;       /* the origin's log and the record name the same request */
		b->flight = *flight;
		*flight = NULL;
		r->fetch_started = true;
		r->log.cache = VERDICT_miss;
		request_run(b);
		return true;
	}
	return false;
}

void slice_fetch_done(struct request *r)
{
	struct request *of = r->slice_of;
	struct slice_fetch *fetch = r->slice_fetch;

	if (r->log.origin_status >= 0)
		of->log.origin_status = r->log.origin_status;
	of->log.stored |= r->log.stored;
	if (!r->log.stored && r->log.nostore)
		of->log.nostore = r->log.nostore;
	of->log.fwd_sent = r->log.fwd_sent;
	fetch_take_facts(of, &r->facts);
	/* Stopped by us: not because a client left. */
	if (!fetch->end && r->fetch_end != END_complete)
		fetch->end = r->fetch_end == END_client_left ? END_internal : r->fetch_end;
	fetch->request = NULL;
	request_wake(of);
}

bool slices_busy(const struct request *r)
{
	return r->slice_fetches[0].request || r->slice_fetches[1].request;
}

void slices_free(struct request *r)
{
	object_unref(&r->master);
	object_unref(&r->slice_fetches[0].object);
	object_unref(&r->slice_fetches[1].object);
}
