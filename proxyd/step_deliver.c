/* Sending the answer: the head, then the body from where it is: an object (in memory, on disk, or still being filled), the
 * exchange, or a text of our own. Bytes go out as they come; a slow client slows only its own reading. */
#include "request.h"
#include "cache_status.h"
#include "http_cache.h"

#include <errno.h>
#include <stdlib.h>

enum { PIECES = 16, PEEK_MAX = 1024 * 1024 };

/* ---- the head ---- */

static enum cache_fwd fwd_of(const struct request *r)
{
	switch ((enum verdict)r->log.cache) {
	case VERDICT_pass: return r->log.nostore == NOSTORE_method ? FWD_method : FWD_bypass;
	case VERDICT_off: case VERDICT_hit_for_miss: return FWD_bypass;
	case VERDICT_revalidated: return FWD_stale;
	case VERDICT_hit_stale: return r->fetch_started ? FWD_stale : FWD_none;
	default: return r->was_stale ? FWD_stale : r->variant_known ? FWD_vary_miss : FWD_uri_miss;
	}
}

static struct cache_status cache_status_of(const struct request *r)
{
	bool hit = r->log.cache == VERDICT_hit || (r->log.cache == VERDICT_hit_stale && !r->fetch_started);
	unsigned origin = r->log.origin_status > 0 ? (unsigned)r->log.origin_status : 0;

	return (struct cache_status){
		.hit = hit, .fwd = hit ? FWD_none : fwd_of(r), .fwd_status = origin == r->log.status ? 0 : origin,
		.stored = (r->filling && r->filling == r->object && !r->spilling) || r->log.stored,
		.collapsed = r->log.cache == VERDICT_collapsed,
		.has_ttl = r->source == SOURCE_object, .ttl_s = r->log.lifetime - (r->log.age > 0 ? r->log.age : 0),
		.detail = r->log.nostore ? nostore_rows[r->log.nostore].name : (struct slice){ NULL, 0 },
	};
}

static void add_own_lines(struct request *r, struct text *text)
{
	const struct conf_location *location = r->location;

	/* An answer without Date gets that of its arrival (RFC 9110 section 6.6.1). */
	if (r->date_us) {
		char date[HTTP_DATE_LEN];
		http_format_date(r->date_us, date);
		text_add_field(text, SLICE("Date"), slice_make(date, sizeof(date)));
	}

	if (r->log.age >= 0 && r->source == SOURCE_object && (r->log.age > 0 || r->filling != r->object)) {
		text_add(text, SLICE("Age: "));
		text_add_u64(text, (uint64_t)r->log.age);
		text_add(text, SLICE("\r\n"));
	}
	if (r->source != SOURCE_text) {
		text_add(text, SLICE("Via: 1.1 "));
		text_add(text, daemon_self(r->worker->daemon));
		text_add(text, SLICE("\r\n"));
	}
	if (location->set.cache_status && r->log.cache != VERDICT_refused && r->log.cache != VERDICT_synth) {
		struct cache_status status = cache_status_of(r);
		char value[CACHE_STATUS_MAX];
		size_t len = cache_status_write(&status, value, sizeof(value));
		if (len)
			text_add_field(text, SLICE("Cache-Status"), slice_make(value, len));
	}
	for (size_t i = 0; i < location->add_header_count; i++) {
		struct slice value = request_expand(r, &location->add_headers[i].value);
		if (value.len)
			text_add_field(text, location->add_headers[i].name, value);
	}
}

static void log_view(struct request *r, const struct stored_view *view)
{
	struct logline *log = &r->log;

	log->resp_setcookie = view->fixed.has_set_cookie;
	log->resp_public = view->fixed.is_public;
	log->cookie_hash = view->fixed.cookie_hash;
	log->resp_type = view->content_type;
	log->resp_cc = view->cache_control;
	log->resp_vary = view->vary;
	log->location = view->location;
}

/* The client's own copy may do (RFC 9110 section 13.2.2): asked of what the cache holds, or has just fetched for itself. */
static bool client_has_it(struct request *r, const struct stored_view *view, unsigned status)
{
	if (!r->use_cache || status != 200 || (r->head.method != METHOD_GET && r->head.method != METHOD_HEAD))
		return false;
	if (!r->head.times[FIELD_if_none_match] && !r->head.times[FIELD_if_modified_since])
		return false;
	return cache_precondition(&r->head, view->etag, view->last_modified, r->worker->wall_us) == PRECONDITION_not_modified;
}

static bool head_of_object(struct request *r, struct answer *answer)
{
	const struct object_meta *meta = object_meta(r->object);
	struct stored_view view;

	if (!stored_read(object_head(r->object), &view))
		return false;
	int64_t age = (meta->age_base_us + r->worker->wall_us - meta->stored_us) / 1000000;
	r->log.age = age > 0 ? age : 0;
	r->log.lifetime = meta->lifetime_us / 1000000;
	if (object_size(r->object) != STORE_SIZE_UNKNOWN)
		r->log.object_bytes = (int64_t)object_size(r->object);
	if (view.spec.len && r->variant_text.len)
		r->log.variant = r->variant_key.hi;
	log_view(r, &view);
	r->date_us = view.date.len ? 0 : meta->stored_us;
	r->blocks[0] = view.block;
	answer->status = meta->status;
	answer->length = object_size(r->object);
	answer->body = answer->length == STORE_SIZE_UNKNOWN ? ANSWER_UNKNOWN : ANSWER_LENGTH;
	if (client_has_it(r, &view, meta->status)) {
		answer->status = 304;
		answer->length = UINT64_MAX;
		answer->body = ANSWER_NO_BODY;
		r->blocks[0] = stored_block_304(&r->arena, view.block);
	}
	return true;
}

static bool head_of_pipe(struct request *r, struct answer *answer)
{
	struct stored_view view;

	if (!stored_read(r->pipe_head, &view))
		return false;
	log_view(r, &view);
	r->date_us = view.date.len ? 0 : r->worker->wall_us;
	r->blocks[0] = view.block;
	answer->status = r->pipe_status;
	answer->length = r->pipe_length;
	answer->body = answer->length == UINT64_MAX ? ANSWER_UNKNOWN : ANSWER_LENGTH;
	if (r->pipe_no_body && r->pipe_status != 304 && r->pipe_status != 204 && r->head.method != METHOD_HEAD) {
		answer->body = ANSWER_LENGTH;
		answer->length = 0;
	}
	return true;
}

static bool send_head(struct request *r)
{
	struct answer answer = { .blocks = r->blocks, .block_count = 2 };
	struct text own;
	bool good = true;

	switch (r->source) {
	case SOURCE_object: good = head_of_object(r, &answer); break;
	case SOURCE_pipe: good = head_of_pipe(r, &answer); break;
	case SOURCE_text: case SOURCE_none:
		answer.status = r->own_status;
		answer.body = ANSWER_LENGTH;
		answer.length = r->text.len;
		break;
	}
	if (!good)
		return false;
	if (r->head.method == METHOD_HEAD || answer.status == 204 || answer.status == 304)
		answer.body = ANSWER_NO_BODY;
	if (answer.status == 204)
		answer.length = UINT64_MAX;
	r->log.status = answer.status;
	text_init(&own, &r->arena, 512);
	add_own_lines(r, &own);
	if (own.overflowed) {
		r->log.status = 0;
		return false;
	}
	r->blocks[1] = text_slice(&own);
	r->head_sent = true;
	r->body_done = answer.body == ANSWER_NO_BODY;
	r->no_body = r->body_done;
	r->log.first_us = (int64_t)(r->worker->now_us - r->start_us);
	r->carrier->ops->head(r->carrier, &answer);
	return true;
}

/* ---- bodies that are on disk ---- */

struct disk_read {
	struct mail mail;
	struct request *request;
	ssize_t result;                /* bytes; negative: failed */
	uint64_t offset;
	bool busy;
	char buf[256 * 1024];
};

static void disk_run(struct worker *worker, struct mail *mail)
{
	struct disk_read *read = (struct disk_read *)((char *)mail - offsetof(struct disk_read, mail));

	(void)worker;
	read->busy = false;
	request_run(read->request);
}

static void disk_done(void *arg, ssize_t result)
{
	struct disk_read *read = arg;

	read->result = result;
	worker_post(read->request->worker, &read->mail);
}

/* Bytes at r->sent that are on disk only: 1 with *ret_iov set, 0: wait, -1: unreadable. */
static int read_disk(struct request *r, struct iovec *ret_iov)
{
	struct disk_read *read = r->disk_read;
	char *buf = r->worker->clients->disk_buf;
	ssize_t n;

	r->log.tier = TIER_disk;
	if (read && read->busy)
		return 0;
	if (read && read->result < 0)
		return -1;
	if (read && read->result > 0 && r->sent >= read->offset && r->sent < read->offset + (uint64_t)read->result) {
		uint64_t skip = r->sent - read->offset;
		*ret_iov = (struct iovec){ read->buf + skip, (size_t)read->result - skip };
		return 1;
	}
	n = object_read(r->object, r->sent, buf, sizeof(r->worker->clients->disk_buf));
	if (n > 0) {
		*ret_iov = (struct iovec){ buf, (size_t)n };
		return 1;
	}
	if (n != -EAGAIN)
		return -1;
	if (!read)
		read = r->disk_read = must(malloc(sizeof(*read)));
	*read = (struct disk_read){ .mail = { .run = disk_run }, .request = r, .offset = r->sent, .busy = true };
	request_keep(r);
	object_read_wait(r->object, r->sent, read->buf, sizeof(read->buf), disk_done, read);
	return 0;
}

/* ---- bodies ---- */

enum progress { SENT_ALL, SENT_WAIT, SENT_BROKEN };

static void note_tier(struct request *r)
{
	if (r->log.tier == TIER_none)
		r->log.tier = r->log.cache == VERDICT_hit || r->log.cache == VERDICT_hit_stale || r->log.cache == VERDICT_revalidated
			? r->from_disk ? TIER_disk : TIER_ram : r->source == SOURCE_text ? TIER_none : TIER_origin;
}

static enum progress object_is_empty(struct request *r)
{
	switch (object_state(r->object)) {
	case OBJECT_WHOLE:
		return r->sent >= object_size(r->object) ? SENT_ALL : SENT_WAIT;
	case OBJECT_BROKEN:
		if (r->spilling && r->sent >= object_available(r->object)) {
			r->source = SOURCE_pipe;
			return SENT_WAIT;
		}
		return r->sent < object_available(r->object) ? SENT_WAIT : SENT_BROKEN;
	case OBJECT_FILLING:
		break;
	}
	r->object_waiter.wake = request_object_wake;
	request_keep(r);
	if (!object_wait(r->object, r->sent, &r->object_waiter))
		r->again = true;
	return SENT_WAIT;
}

static enum progress send_object(struct request *r)
{
	struct iovec iov[PIECES];

	for (;;) {
		int n = object_peek(r->object, r->sent, PEEK_MAX, iov, PIECES);
		if (n == 0) {
			enum progress progress = object_is_empty(r);
			if (r->source != SOURCE_object || (progress == SENT_WAIT && object_state(r->object) != OBJECT_FILLING && r->sent < object_available(r->object)))
				r->again = true;
			return progress;
		}
		if (n < 0) {
			n = read_disk(r, iov);
			if (n < 0)
				return SENT_BROKEN;
			if (n == 0)
				return SENT_WAIT;
		}
		note_tier(r);
		size_t taken = r->carrier->ops->body(r->carrier, iov, n), offered = 0;
		if (!r->carrier)
			return SENT_WAIT;
		for (int i = 0; i < n; i++)
			offered += iov[i].iov_len;
		r->sent += taken;
		if (taken < offered)
			return SENT_WAIT;
		if (object_state(r->object) == OBJECT_WHOLE && r->sent >= object_size(r->object))
			return SENT_ALL;
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

static enum progress send_pipe(struct request *r)
{
	while (r->pipe_pos < r->pipe_len) {
		struct iovec iov = { r->pipe_buf + r->pipe_pos, r->pipe_len - r->pipe_pos };
		size_t taken = r->carrier->ops->body(r->carrier, &iov, 1);
		if (!r->carrier || taken == 0)
			return SENT_WAIT;
		r->pipe_pos += taken;
		r->sent += taken;
	}
	r->pipe_pos = r->pipe_len = 0;
	if (r->body_paused && r->exchange) {
		r->body_paused = false;
		exchange_resume(r->exchange);
	}
	if (!r->fetch_done)
		return SENT_WAIT;
	return r->fetch_end == END_complete ? SENT_ALL : SENT_BROKEN;
}

bool request_pipe(struct request *r, struct slice bytes)
{
	size_t taken = 0;

	if (!r->carrier || r->no_body)
		return r->carrier != NULL;
	note_tier(r);
	/* What came before must leave first: the stored part of an answer that spilled over, or bytes in the pipe. */
	if (r->step == STEP_deliver && r->head_sent && r->source == SOURCE_pipe && r->pipe_len == 0) {
		struct iovec iov = { (char *)(uintptr_t)bytes.ptr, bytes.len };
		taken = r->carrier->ops->body(r->carrier, &iov, 1);
		r->sent += taken;
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
	r->body_paused = r->pipe_len >= r->location->set.stream_buffer;
	return !r->body_paused;
}

/* ---- the step ---- */

/* The answer cannot be completed: it stays visibly broken (no last chunk, fewer bytes than promised, a reset). */
static enum step broken(struct request *r)
{
	struct carrier *carrier = r->carrier;

	if (r->fetch_done && r->fetch_end != END_complete)
		r->log.end = (uint8_t)r->fetch_end;
	else
		r->log.end = r->log.tier == TIER_disk ? END_internal : END_origin_left;
	request_take_counts(r);
	r->carrier = NULL;
	carrier->ops->abort(carrier);
	return STEP_wait;
}

/* Without a client: nothing is sent, but a fetch that fills the store is seen through, since its record must say how it
 * ended. */
static enum step without_client(struct request *r)
{
	if (r->disk_read && r->disk_read->busy)
		return STEP_wait;
	if (r->exchange && !(r->filling && !r->spilling))
		request_stop_exchange(r);
	return r->exchange ? STEP_wait : STEP_finish;
}

static void let_carrier_go(struct request *r)
{
	struct carrier *carrier = r->carrier;

	request_take_counts(r);
	r->carrier = NULL;
	carrier->request = NULL;
	carrier->ops->done(carrier);
}

enum step step_deliver(struct request *r)
{
	enum progress progress = SENT_ALL;

	if (!r->carrier)
		return without_client(r);
	if (!r->head_sent && !send_head(r)) {
		if (r->exchange)
			request_stop_exchange(r);
		return request_error(r, 500, END_internal);
	}
	request_pump_content(r);
	if (!r->body_done) {
		switch (r->source) {
		case SOURCE_object: progress = send_object(r); break;
		case SOURCE_pipe: progress = send_pipe(r); break;
		case SOURCE_text: case SOURCE_none: progress = send_text(r); break;
		}
		if (!r->carrier)
			return without_client(r);
		if (progress == SENT_BROKEN) {
			broken(r);
			return without_client(r);
		}
		if (progress == SENT_WAIT)
			return STEP_wait;
		r->body_done = true;
	}
	bool sent = r->carrier->ops->end(r->carrier);
	if (!r->carrier)
		return without_client(r);
	if (!sent)
		return STEP_wait;
	if (!r->exchange)
		return r->disk_read && r->disk_read->busy ? STEP_wait : STEP_finish;
	/* The client has its answer (a 304, a stale one); the fetch still has bytes to store, or its end to tell. */
	if (r->source != SOURCE_pipe)
		let_carrier_go(r);
	return STEP_wait;
}
