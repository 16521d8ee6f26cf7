/* Sending the answer: the head, then the body from where it is: an object (in memory, on disk, or still being filled), the
 * exchange, or a text of our own. Bytes go out as they come; a slow client slows only its own reading. */
#include "deliver.h"
#include "joint.h"
#include "slices.h"
#include "compress.h"

#include <stdlib.h>

enum { PIECES = 16, PEEK_MAX = 1024 * 1024 };

/* ---- bodies ---- */

enum progress { SENT_ALL, SENT_WAIT, SENT_BROKEN };

static void note_tier(struct request *r)
{
	/* Of slices from several places: the farthest. */
	if (r->master && r->log.tier < r->slice_tier)
		r->log.tier = r->slice_tier;
	if (r->log.tier == TIER_none)
		r->log.tier = r->log.cache == VERDICT_hit || r->log.cache == VERDICT_hit_stale || r->log.cache == VERDICT_revalidated
			? r->from_disk ? TIER_disk : TIER_ram : r->source == SOURCE_text ? TIER_none : TIER_origin;
}

/* Body bytes there are by now, and where it ends, as positions in the whole. */
static uint64_t available(const struct request *r)
{
	return r->base + object_available(r->object);
}

static bool at_end(const struct request *r)
{
	return r->sent >= r->body_end || (!r->master && object_state(r->object) == OBJECT_WHOLE && r->sent >= r->base + object_size(r->object));
}

static enum progress object_is_empty(struct request *r)
{
	if (r->sent >= r->body_end)
		return SENT_ALL;
	switch (object_state(r->object)) {
	case OBJECT_WHOLE:
		return at_end(r) ? SENT_ALL : SENT_WAIT;
	case OBJECT_BROKEN:
		if (r->spilling && !r->master && r->sent >= available(r)) {
			r->source = SOURCE_pipe;
			return SENT_WAIT;
		}
		return r->sent < available(r) ? SENT_WAIT : SENT_BROKEN;
	case OBJECT_FILLING:
		break;
	}
	/* Another event may have come while it waits already. */
	if (r->object_waiter.wake)
		object_unwait(r->object, &r->object_waiter);
	r->object_waiter.wake = request_object_wake;
	request_keep(r);
	if (!object_wait(r->object, r->sent - r->base, &r->object_waiter))
		r->again = true;
	return SENT_WAIT;
}

static enum progress send_object(struct request *r)
{
	struct iovec iov[PIECES];

	for (;;) {
		if (r->master) {
			enum slice_seek seek = slice_seek(r);
			if (seek != SLICE_ready)
				return seek == SLICE_wait ? SENT_WAIT : SENT_BROKEN;
			slice_ahead(r);
		}
		uint64_t most = r->body_end - r->sent < PEEK_MAX ? r->body_end - r->sent : PEEK_MAX;
		int n = object_peek(r->object, r->sent - r->base, most, iov, PIECES);
		if (n == 0) {
			enum progress progress = object_is_empty(r);
			if (progress == SENT_WAIT && r->zip)
				compress_push(r, ENCODE_flush);
			if (!r->carrier)
				return SENT_WAIT;
			if (r->source != SOURCE_object || (progress == SENT_WAIT && object_state(r->object) != OBJECT_FILLING && r->sent < available(r)))
				r->again = true;
			return progress;
		}
		bool on_disk = n < 0;
		if (on_disk) {
			enum disk disk = request_disk_read(r, iov);
			if (r->log.tier < TIER_disk)
				r->log.tier = TIER_disk;
			/* A slice is sought again: at the origin then. */
			if (disk == DISK_UNREADABLE && r->master) {
				object_unref(&r->object);
				continue;
			}
			if (disk != DISK_READY)
				return disk == DISK_WAIT ? SENT_WAIT : SENT_BROKEN;
			n = 1;
			if (iov[0].iov_len > r->body_end - r->sent)
				iov[0].iov_len = (size_t)(r->body_end - r->sent);
		}
		note_tier(r);
		size_t taken = compress_body(r, iov, n), offered = 0;
		if (!r->carrier)
			return SENT_WAIT;
		for (int i = 0; i < n; i++)
			offered += iov[i].iov_len;
		r->sent += taken;
		if (taken < offered && on_disk)
			request_disk_pause(r);
		if (taken < offered)
			return SENT_WAIT;
		if (at_end(r))
			return SENT_ALL;
	}
}

/* Several ranges: each behind a text that says what it is, and a closing line (RFC 9110 section 14.6). */
static enum progress send_ranges(struct request *r)
{
	for (;;) {
		while (r->range_text_sent < r->range_text.len) {
			struct iovec iov = { (char *)(uintptr_t)r->range_text.ptr + r->range_text_sent, r->range_text.len - r->range_text_sent };
			size_t taken = r->carrier->ops->body(r->carrier, &iov, 1);
			if (!r->carrier || taken == 0)
				return SENT_WAIT;
			r->range_text_sent += taken;
		}
		if (r->range_at == r->range_count)
			return SENT_ALL;
		enum progress progress = send_object(r);
		if (progress != SENT_ALL || !r->carrier)
			return progress;
		deliver_next_range(r);
	}
}

static enum progress send_text(struct request *r)
{
	while (r->sent < r->text.len) {
		struct iovec iov = { (char *)(uintptr_t)r->text.ptr + r->sent, r->text.len - r->sent };
		size_t taken = r->carrier->ops->body(r->carrier, &iov, 1);
		if (!r->carrier || taken == 0)
			return SENT_WAIT;
		r->sent += taken;
	}
	return SENT_ALL;
}

/* Whether what one more read of the origin may bring still fits. */
static bool pipe_has_room(const struct request *r)
{
	return r->pipe_len - r->pipe_pos + EXCHANGE_BODY_MAX <= r->location->set.stream_buffer;
}

static enum progress send_pipe(struct request *r)
{
	size_t taken = 1;

	while (taken && r->pipe_pos < r->pipe_len) {
		struct iovec iov = { r->pipe_buf + r->pipe_pos, r->pipe_len - r->pipe_pos };
		taken = compress_body(r, &iov, 1);
		if (!r->carrier)
			return SENT_WAIT;
		r->pipe_pos += taken;
		r->sent += taken;
	}
	if (r->body_paused && r->exchange && pipe_has_room(r)) {
		r->body_paused = false;
		exchange_resume(r->exchange);
	}
	if (r->pipe_pos < r->pipe_len)
		return SENT_WAIT;
	r->pipe_pos = r->pipe_len = 0;
	if (!r->fetch_done) {
		if (r->zip)
			compress_push(r, ENCODE_flush);
		return SENT_WAIT;
	}
	return r->fetch_end == END_complete ? SENT_ALL : SENT_BROKEN;
}

bool request_pipe(struct request *r, struct slice bytes)
{
	size_t taken = 0;

	if (!r->carrier || r->no_body)
		return r->carrier != NULL;
	note_tier(r);
	compress_turn(r);
	/* What came before must leave first: the stored part of an answer that spilled over, or bytes in the pipe. */
	if (r->step == STEP_deliver && r->head_sent && r->source == SOURCE_pipe && r->pipe_len == 0) {
		struct iovec iov = { (char *)(uintptr_t)bytes.ptr, bytes.len };
		taken = compress_body(r, &iov, 1);
		r->sent += taken;
		if (r->carrier && r->zip && taken == bytes.len)
			compress_push(r, ENCODE_flush);
		if (!r->carrier)
			return false;
	}
	if (taken == bytes.len)
		return true;
	size_t left = bytes.len - taken;
	if (r->pipe_pos) {
		memmove(r->pipe_buf, r->pipe_buf + r->pipe_pos, r->pipe_len - r->pipe_pos);
		r->pipe_len -= r->pipe_pos;
		r->pipe_pos = 0;
	}
	if (r->pipe_cap - r->pipe_len < left) {
		r->pipe_cap = r->pipe_len + left;
		r->pipe_buf = must(realloc(r->pipe_buf, r->pipe_cap));
	}
	memcpy(r->pipe_buf + r->pipe_len, bytes.ptr + taken, left);
	r->pipe_len += left;
	if (r->pipe_len > r->carrier->high_water)
		r->carrier->high_water = r->pipe_len;
	/* A slow client slows its origin, once this much waits for it. */
	r->body_paused = !pipe_has_room(r);
	return !r->body_paused;
}

/* ---- the step ---- */

/* The answer cannot be completed: it stays visibly broken (no last chunk, fewer bytes than promised, a reset). */
static enum step broken(struct request *r)
{
	struct carrier *carrier = r->carrier;

	if (r->slice_end)
		r->log.end = (uint8_t)r->slice_end;
	else if (r->fetch_done && r->fetch_end != END_complete)
		r->log.end = (uint8_t)r->fetch_end;
	else
		r->log.end = r->disk_late ? END_disk_timeout : r->log.tier == TIER_disk ? END_internal : END_origin_left;
	request_take_counts(r);
	r->carrier = NULL;
	carrier->ops->abort(carrier);
	return STEP_wait;
}

/* The client's content cannot be read to its end, or is too large, after the origin has begun to answer. A good answer may
 * depend on the rest (an echo): it ends with it. One of 300 and more does not. */
static bool content_ended(const struct request *r)
{
	return r->exchange && r->log.origin_status < 300 && !r->content_last && (r->content_refusal || request_content_too_large(r));
}

static void end_with_content(struct request *r)
{
	enum refusal refusal = r->content_refusal ? r->content_refusal : REFUSAL_body_too_large;

	request_stop_exchange(r);
	broken(r);
	r->log.refusal = (uint8_t)refusal;
	r->log.end = r->content_refusal ? (uint8_t)r->content_end : END_refused;
}

static bool is_fetching(const struct request *r)
{
	return r->exchange || joint_busy(r) || slices_busy(r);
}

/* Without a client: nothing is sent, but a fetch that fills the store is seen through, since its record must say how it
 * ended. */
static enum step without_client(struct request *r)
{
	if (r->loading)
		request_load_cancel(r);
	if (r->loading)
		return STEP_wait;
	request_disk_end(r);
	if (r->exchange && !(r->filling && !r->spilling))
		request_stop_exchange(r);
	return is_fetching(r) ? STEP_wait : STEP_finish;
}

static void let_carrier_go(struct request *r)
{
	struct carrier *carrier = r->carrier;

	request_take_counts(r);
	r->carrier = NULL;
	carrier->request = NULL;
	carrier->ops->done(carrier);
}

/* Nothing was sent yet, and the stored body cannot be read, or not in time: then it is a miss. Unless the origin was asked
 * already: what it said leads to this body. */
static enum step without_body(struct request *r)
{
	compress_drop(r);
	object_unref(&r->object);
	object_unref(&r->master);
	r->slice_text = NULL;
	request_disk_end(r);
	r->log.tier = TIER_none;
	r->log.disk_late = r->disk_late;
	r->sent = 0;
	r->ranges = NULL;
	r->range_count = r->range_at = 0;
	r->range_text.len = r->range_text_sent = 0;
	r->blocks[0].len = r->blocks[1].len = 0;
	if (r->fetch_started) {
		if (r->exchange)
			request_stop_exchange(r);
		return request_error(r, r->disk_late ? 504 : 500, r->disk_late ? END_disk_timeout : END_internal);
	}
	r->log.cache = VERDICT_none;
	r->log.object_bytes = r->log.age = r->log.lifetime = -1;
	r->log.lifetime_by.len = 0;
	r->source = SOURCE_none;
	r->base = r->total = 0;
	r->was_stale = r->was_collapsed = false;
	return STEP_lookup;
}

enum step step_deliver(struct request *r)
{
	enum progress progress = SENT_ALL;

	if (!r->carrier)
		return without_client(r);
	if (!r->head_sent) {
		if (r->loading || !compress_prepare(r))
			return STEP_wait;
		switch (deliver_head(r)) {
		case HEAD_SENT: break;
		case HEAD_WAIT: return STEP_wait;
		case HEAD_UNREADABLE: return without_body(r);
		case HEAD_TOO_LARGE:
			compress_drop(r);
			if (r->exchange)
				request_stop_exchange(r);
			r->plain = true;       /* what is sent instead must fit, or this would go on for ever */
			return r->own ? STEP_answer : request_error(r, 500, END_internal);
		}
	}
	if (content_ended(r)) {
		end_with_content(r);
		return without_client(r);
	}
	request_pump_content(r);
	compress_turn(r);
	if (!r->body_done) {
		switch (r->source) {
		case SOURCE_object: progress = r->range_count > 1 ? send_ranges(r) : send_object(r); break;
		case SOURCE_pipe: progress = send_pipe(r); break;
		case SOURCE_text: case SOURCE_none: progress = send_text(r); break;
		}
		if (!r->carrier)
			return without_client(r);
		if (progress == SENT_BROKEN || r->compress_failed) {
			broken(r);
			return without_client(r);
		}
		if (progress == SENT_WAIT)
			return STEP_wait;
		r->body_done = true;
	}
	if (r->zip && !compress_push(r, ENCODE_end)) {
		if (r->carrier && r->compress_failed)
			broken(r);
		return r->carrier ? STEP_wait : without_client(r);
	}
	bool sent = r->carrier->ops->end(r->carrier);
	if (!r->carrier)
		return without_client(r);
	if (!sent)
		return STEP_wait;
	if (!is_fetching(r))
		return STEP_finish;
	/* The client has its answer (a 304, a stale one); the fetch still has bytes to store, or its end to tell. */
	if (r->source != SOURCE_pipe)
		let_carrier_go(r);
	return STEP_wait;
}
