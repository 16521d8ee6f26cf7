/* Asking the origin: the exchange's life on the request's side, and what becomes of its answer: stored and read while it
 * is being filled, or passed through. A fetch that others read, or that fills the store, outlives its client. */
#include "request.h"
#include "http_cache.h"
#include "fetch.h"
#include "joint.h"
#include "slices.h"

/* ---- content towards the origin ---- */

void request_pump_content(struct request *r)
{
	if (!r->exchange || !r->has_content || r->content_sent_last)
		return;
	if (r->hold_sent < r->hold_len || (r->content_last && !r->content_sent_last)) {
		struct slice bytes = slice_make(r->hold_buf + r->hold_sent, r->hold_len - r->hold_sent);
		size_t taken = exchange_send(r->exchange, bytes, r->content_last);
		r->hold_sent += taken;
		r->content_sent_last = r->content_last && r->hold_sent == r->hold_len;
	}
	if (r->hold_sent == r->hold_len)
		r->hold_sent = r->hold_len = 0;
	else if (r->hold_sent > r->hold_cap / 2) {
		memmove(r->hold_buf, r->hold_buf + r->hold_sent, r->hold_len - r->hold_sent);
		r->hold_len -= r->hold_sent;
		r->hold_sent = 0;
	}
	if (!r->content_last && r->carrier && request_content_room(r))
		r->carrier->ops->want_content(r->carrier);
}

static void on_want_content(void *arg)
{
	request_run(arg);
}

/* ---- the answer's head ---- */

static void on_informational(void *arg, const struct http_head *head)
{
	struct request *r = arg;
	struct arena arena;                    /* the request's own would have to hold all that may come */
	struct text text;

	if (!r->carrier || r->head_sent)
		return;
	arena_init(&arena);
	text_init(&text, &arena, 512);
	for (size_t i = 0; i < head->header_count; i++)    /* a 1xx has no content whatever it says (RFC 9110 section 8.6) */
		if (!head->headers[i].dropped && head->headers[i].id != FIELD_content_length)
			text_add_field(&text, head->headers[i].name, head->headers[i].value);
	if (!text.overflowed)
		r->carrier->ops->informational(r->carrier, head->status, text_slice(&text));
	arena_release(&arena);
}

static void on_head(void *arg, const struct http_head *head)
{
	struct request *r = arg;

	r->log.origin_status = head->status;
	r->fetch_headed = true;
	fetch_take_head(r, head);
	/* The body, or the end, is most likely in the same read: one write for both. */
	r->cork = true;
	request_run(r);
	r->cork = false;
}

/* ---- the answer's body ---- */

/* The object cannot grow any further. Its other readers see it broken; this request gives its client what is there and
 * then the rest as it comes. */
static void spill(struct request *r, enum store_err err)
{
	r->log.nostore = (uint8_t)fetch_nostore(err);
	r->spilling = true;
	flight_end(&r->flight, 0);
}

static bool on_body(void *arg, struct slice bytes)
{
	struct request *r = arg;

	if (r->joint && r->filling)
		return joint_body(r, bytes);
	if (r->filling && !r->spilling) {
		enum store_err err = STORE_TOO_LARGE;
		/* A slice is as long as it was promised to be, by the settings of when its file was first stored. */
		if (object_meta(r->filling)->flags & STORED_SLICE || object_available(r->filling) + bytes.len <= r->location->set.object_max)
			err = object_append(r->filling, bytes.ptr, bytes.len);
		else
			object_fail(r->filling);
		if (err == STORE_OK)
			return true;
		spill(r, err);
		if (!r->carrier) {
			request_run(r);        /* now it is for nobody */
			return true;
		}
	}
	if (r->discard)
		return true;
	return request_pipe(r, bytes);
}

/* ---- the end ---- */

static void finish_filling(struct request *r, enum end end)
{
	if (!r->filling || r->spilling)
		return;
	if (end != END_complete) {
		object_fail(r->filling);
		r->log.nostore = end == END_origin_invalid ? NOSTORE_bad_answer : NOSTORE_short_body;
		return;
	}
	enum store_err err = object_finish(r->filling);
	if (r->slice_fetch && r->slice_fetch->unstored)
		return;
	if (err == STORE_OK)
		r->log.stored = 1;
	else
		r->log.nostore = (uint8_t)fetch_nostore(err);
	if (object_meta(r->filling)->flags & STORED_SLICE)
		return;
	bool part = object_meta(r->filling)->flags & STORED_PART;
	if (!part)
		r->log.body_hash = object_checksum(r->filling);
	r->log.object_bytes = (int64_t)object_size(r->filling);
	if (err == STORE_OK && !part)
		volume_drop(r->volume, r->part_key, NULL);     /* it is in the whole, or older than it */
	if (err == STORE_OK && r->variant_text.len)
		fetch_update_vary_index(r, r->filling);
}

/* What one exchange adds to the record: the last one's address and times, the sums of all. */
void fetch_take_facts(struct request *r, const struct exchange_facts *facts)
{
	struct exchange_facts before = r->facts;

	r->facts = *facts;
	r->facts.tries += before.tries;
	r->facts.bytes_in += before.bytes_in;
	r->facts.bytes_out += before.bytes_out;
}

void fetch_ended(struct request *r, enum end end)
{
	r->fetch_done = true;
	r->fetch_end = end;
	finish_filling(r, end);
	flight_end(&r->flight, 0);
	request_run(r);
}

static void on_done(void *arg, enum end end, const struct exchange_facts *facts)
{
	struct request *r = arg;

	r->exchange = NULL;
	fetch_take_facts(r, facts);
	if (r->joint && r->filling)
		joint_done(r, end);
	else
		fetch_ended(r, end);
}

static const struct exchange_user user = {
	.informational = on_informational,
	.head = on_head,
	.body = on_body,
	.done = on_done,
	.want_content = on_want_content,
};

/* ---- the step ---- */

static struct exchange_request exchange_of(struct request *r)
{
	return (struct exchange_request){
		.location = r->location, .method = r->head.method, .head = request_origin_head(r),
		.idempotent = http_method_is_safe(r->head.method),
		.content_length = request_origin_length(r),
		.tls_name = r->location->origin_https ? request_expand(r, &r->location->origin_tls.name) : SLICE(""),
	};
}

bool fetch_ask_on(struct request *r)
{
	struct exchange_request exchange = exchange_of(r);

	if (!exchange.head.len)
		return false;
	r->exchange = exchange_start(r->worker, &exchange, &user, r);
	return true;
}

static enum step start(struct request *r)
{
	struct exchange_request exchange = exchange_of(r);

	if (r->location->origin_http_1_0 && exchange.content_length == UINT64_MAX)
		return request_refuse(r, REFUSAL_length_required);
	if (!exchange.head.len)
		return request_refuse(r, REFUSAL_head_too_large);
	if (r->log.cache == VERDICT_none)
		r->log.cache = r->hit_for_miss ? VERDICT_hit_for_miss : VERDICT_miss;
	r->fetch_started = true;
	r->fetch_sent_us = r->worker->steady_us;
	r->fetch_born = r->volume ? volume_purge_clock(r->volume) : 0;
	r->fetch_asked = r->volume ? volume_void_clock(r->volume) : 0;
	request_keep(r);
	r->exchange = exchange_start(r->worker, &exchange, &user, r);
	return STEP_wait;
}

static void abort_exchange(struct request *r)
{
	struct exchange_facts facts;

	if (!r->exchange)
		return;
	exchange_abort(&r->exchange, &facts);
	fetch_take_facts(r, &facts);
}

void fetch_stop(struct request *r, enum end end)
{
	if (!r->exchange && !joint_busy(r))
		return;
	abort_exchange(r);
	joint_stop(r);
	if (r->fetch_done)
		return;
	r->fetch_done = true;
	r->fetch_end = end;
	finish_filling(r, end);
	flight_end(&r->flight, 0);
}

enum step fetch_error(struct request *r, enum end end)
{
	switch (end) {
	case END_connect_timeout: case END_origin_read_timeout: case END_origin_send_timeout:
		return request_error(r, 504, end);
	case END_no_origin:
		return request_error(r, 503, end);
	default:
		return request_error(r, 502, end);
	}
}

/* No answer came. */
static enum step failed(struct request *r)
{
	if (r->stale && fetch_may_serve_stale(r)) {
		fetch_use_stale(r, VERDICT_hit_stale);
		return slice_or_deliver(r);
	}
	return fetch_error(r, r->fetch_end);
}

enum step step_fetch(struct request *r)
{
	if (!r->carrier && !r->fetch_started && !r->background)
		return STEP_finish;
	if (!r->carrier && !r->background)     /* those who waited for it may have left */
		request_fetch_client_gone(r);
	if (!r->fetch_started) {
		enum step step = start(r);
		if (step != STEP_wait)
			return step;
	}
	if (r->fetch_again) {
		/* A 304 or a 206 that does not fit what is stored: ask again, for what the client wants. */
		abort_exchange(r);
		object_unref(&r->stale);
		r->fetch_again = r->fetch_headed = r->fetch_done = r->revalidating = false;
		return start(r);
	}
	if (r->fetch_headed)
		return slice_or_deliver(r);
	if (r->fetch_done && !r->carrier)
		return STEP_finish;
	if (r->fetch_done)
		return failed(r);
	if (r->content_refusal && !r->content_last) {
		fetch_stop(r, END_complete);
		return request_refuse_content(r);
	}
	if (request_content_too_large(r)) {
		fetch_stop(r, END_complete);
		return request_refuse(r, REFUSAL_body_too_large);
	}
	request_pump_content(r);
	return STEP_wait;
}

void request_stop_exchange(struct request *r)
{
	fetch_stop(r, END_client_left);
}

void request_fetch_client_gone(struct request *r)
{
	/* A fetch that others wait for, or that the store will have, goes on to its end. */
	bool awaited = r->flight && (r->fetch_headed || flight_abandon(r->flight, &r->waiter) > 0);
	if (r->exchange && !awaited && !(r->filling && !r->spilling))
		fetch_stop(r, END_client_left);
}
