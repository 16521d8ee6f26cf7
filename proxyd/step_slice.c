/* Seeking the slices of a file that is stored in slices: the one with the next byte to send is stored, being fetched for
 * somebody, or is fetched for this request; the one behind it is fetched while it is sent. */
#include "slices.h"
#include "deliver.h"
#include "fetch.h"

enum { RESTARTS_MAX = 1 };

static void let_object_go(struct request *r)
{
	if (r->object && r->object_waiter.wake)
		object_unwait(r->object, &r->object_waiter);
	object_unref(&r->object);
}

/* r->object is the slice: where it lies, and where it came from. */
static enum slice_seek found(struct request *r, uint64_t number, enum tier tier)
{
	r->slice_number = number;
	r->base = number * r->slice_size;
	r->slice_tier = tier;
	r->slice_waited = false;
	timer_clear(r->worker, &r->collapse_timer);
	return SLICE_ready;
}

static struct slice_fetch *fetch_of(struct request *r, uint64_t number)
{
	for (size_t i = 0; i < COUNT_OF(r->slice_fetches); i++)
		if (r->slice_fetches[i].used && r->slice_fetches[i].number == number)
			return &r->slice_fetches[i];
	return NULL;
}

static enum store_get look(struct request *r, uint64_t number)
{
	struct object *object = NULL;
	struct store_key key;
	struct slice text = slice_key(r, number, &key);
	enum store_get got = volume_get(r->volume, key, text, &object);

	object_unref(&object);
	return got;
}

/* Not stored: somebody fetches it, or this request does. */
static enum slice_seek join(struct request *r, uint64_t number, struct store_key key)
{
	struct flight *flight = NULL;
	struct store_key variant;

	if (!r->head_sent && request_only_if_cached(r)) {
		r->slice_end = END_only_if_cached;
		return SLICE_failed;
	}
	if (r->location->set.collapse && !r->solo) {
		r->waiter.wake = request_flight_wake;
		bool woken = r->slice_waited && !r->waiter.again;
		r->waiter.again = false;
		switch (flight_join(request_flight_key(r, key), r->worker->now_us, woken ? NULL : &r->waiter, &flight, &r->object, &variant)) {
		case FLIGHT_OBJECT:
			/* The origin was asked before a purge: that is not for who comes after it. */
			if (object_is_purged(r->object)) {
				flight_replace(request_flight_key(r, key), r->object, &flight);
				object_unref(&r->object);
				break;
			}
			if (r->log.cache != VERDICT_miss)
				r->log.cache = VERDICT_collapsed;
			return found(r, number, TIER_origin);
		case FLIGHT_WAIT:
			r->slice_waited = true;
			request_keep(r);
			timer_set(r->worker, &r->collapse_timer, r->location->set.collapse_timeout, request_collapse_timeout);
			return SLICE_wait;
		case FLIGHT_AGAIN:
			r->slice_waited = false;
			r->again = true;
			return SLICE_wait;
		case FLIGHT_LEAD: case FLIGHT_HIT_FOR_MISS:
			break;
		}
		/* What was missing a moment ago may have been stored by a flight that has just ended. */
		if (look(r, number) == STORE_HIT) {
			flight_end(&flight, 0);
			r->again = true;
			return SLICE_wait;
		}
	}
	r->solo = false;
	slice_fetch_start(r, number, &flight, false);     /* no room for one more: the end of one that runs comes back here */
	flight_end(&flight, 0);
	return SLICE_wait;
}

enum slice_seek slice_seek(struct request *r)
{
	uint64_t number = r->sent / r->slice_size;
	struct store_key key;

	if (r->object && r->slice_number == number)
		return SLICE_ready;
	if (r->loading || r->waiter.flight)
		return SLICE_wait;
	struct slice_fetch *fetch = fetch_of(r, number);
	if (fetch && fetch->object) {
		let_object_go(r);
		r->object = object_ref(fetch->object);
		return found(r, number, TIER_origin);
	}
	if (fetch && fetch->request)
		return SLICE_wait;
	if (fetch && (!fetch->ahead || fetch->end == END_origin_changed)) {
		r->slice_end = fetch->end;
		return SLICE_failed;
	}
	if (fetch)
		fetch->used = false;           /* ahead of time, and in vain: now it counts */
	let_object_go(r);
	if (r->filling && object_meta(r->filling)->flags & STORED_SLICE && r->slice_own == number) {
		r->object = object_ref(r->filling);
		return found(r, number, TIER_origin);
	}
	struct slice text = slice_key(r, number, &key);
	switch (request_get(r, key, text)) {
	case STORE_HIT:
		if (r->slice_waited && r->log.cache != VERDICT_miss)
			r->log.cache = VERDICT_collapsed;
		return found(r, number, r->from_disk ? TIER_disk : TIER_ram);
	case STORE_LOAD: return SLICE_wait;
	case STORE_MISS: break;
	}
	return join(r, number, key);
}

void slice_ahead(struct request *r)
{
	uint64_t next = r->slice_number + 1;
	struct flight *flight = NULL;
	struct store_key key;

	if (next * r->slice_size >= r->body_end || r->slice_ahead >= next || fetch_of(r, next))
		return;
	if (object_state(r->object) == OBJECT_FILLING && object_available(r->object) < object_size(r->object) / 2)
		return;
	if (r->slice_fetches[0].request && r->slice_fetches[1].request)
		return;
	r->slice_ahead = next;
	slice_key(r, next, &key);
	if (look(r, next) != STORE_MISS || (r->location->set.collapse && !flight_lead(request_flight_key(r, key), &flight)))
		return;
	if (look(r, next) == STORE_MISS)            /* still: a flight may just have ended */
		slice_fetch_start(r, next, &flight, true);
	flight_end(&flight, 0);
}

enum step slice_or_deliver(struct request *r)
{
	if (r->object && object_meta(r->object)->flags & STORED_SLICED) {
		object_unref(&r->master);
		r->master = r->object;
		r->object = NULL;
		r->solo = false;               /* that was about who fetches the master */
	}
	return r->master ? STEP_slice : STEP_deliver;
}

/* The file has changed before anything was sent: from the beginning, with what it is now. */
static enum step begin_anew(struct request *r)
{
	r->slice_off = r->slice_restarts++ >= RESTARTS_MAX;
	slices_free(r);
	memset(r->slice_fetches, 0, sizeof(r->slice_fetches));
	let_object_go(r);
	object_unref(&r->filling);
	r->fetch_started = r->fetch_done = r->fetch_headed = r->revalidating = r->discard = r->was_stale = false;
	r->solo = r->was_collapsed = r->slice_waited = false;
	r->slice_end = END_complete;
	r->first_head.len = 0;
	r->slice_ahead = 0;
	r->slice_text = NULL;
	r->base = r->total = r->sent = 0;
	r->fetch_part.total = 0;
	r->log.cache = VERDICT_none;
	return STEP_lookup;
}

enum step step_slice(struct request *r)
{
	if (!r->carrier)
		return STEP_deliver;
	if (!r->slice_text && !slices_take_master(r)) {
		/* Not of our making, or damaged. */
		volume_drop(r->volume, r->variant_text.len ? r->variant_key : r->key, r->master);
		return request_error(r, 500, END_internal);
	}
	if (!deliver_first_byte(r, &r->sent))
		return STEP_deliver;
	switch (slice_seek(r)) {
	case SLICE_ready: return STEP_deliver;
	case SLICE_wait: return STEP_wait;
	case SLICE_failed: break;
	}
	if (slices_busy(r) || r->exchange)
		return STEP_wait;
	if (r->slice_end == END_only_if_cached)
		return request_error(r, 504, END_only_if_cached);
	return r->slice_end == END_origin_changed ? begin_anew(r) : fetch_error(r, r->slice_end ? r->slice_end : END_internal);
}
