/* The head of the answer: what is stored or came from the origin, and the lines of our own. */
#include "deliver.h"
#include "cache_status.h"
#include "http_cache.h"
#include "compress.h"

static enum cache_fwd fwd_of(const struct request *r)
{
	switch ((enum verdict)r->log.cache) {
	case VERDICT_pass: return r->log.nostore == NOSTORE_method ? FWD_method : FWD_bypass;
	case VERDICT_off: case VERDICT_hit_for_miss: return FWD_bypass;
	case VERDICT_revalidated: return FWD_stale;
	case VERDICT_hit_stale: return r->fetch_started ? FWD_stale : FWD_none;
	default: return r->joint || (r->master && !r->filling) ? FWD_partial : r->was_stale ? FWD_stale : r->variant_known ? FWD_vary_miss : FWD_uri_miss;
	}
}

static struct cache_status cache_status_of(const struct request *r)
{
	bool hit = r->log.cache == VERDICT_hit || (r->log.cache == VERDICT_hit_stale && !r->fetch_started);
	unsigned origin = r->log.origin_status > 0 ? (unsigned)r->log.origin_status : 0;

	return (struct cache_status){
		.hit = hit, .fwd = hit ? FWD_none : fwd_of(r), .fwd_status = origin == r->log.status ? 0 : origin,
		.stored = (r->filling && r->filling == r->object && !r->spilling) || r->log.stored || (r->master && r->log.cache == VERDICT_miss && !r->log.nostore),
		.collapsed = r->log.cache == VERDICT_collapsed,
		.has_ttl = r->source == SOURCE_object, .ttl_s = r->log.lifetime - (r->log.age > 0 ? r->log.age : 0),
		.detail = r->log.purged ? SLICE("purged") : r->log.disk_late ? SLICE("disk_late") : r->log.nostore ? nostore_rows[r->log.nostore].name : (struct slice){ NULL, 0 },
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
	if (location->set.cache_status && r->log.cache != VERDICT_refused && r->log.cache != VERDICT_synth && r->log.cache != VERDICT_purge) {
		struct cache_status status = cache_status_of(r);
		char value[CACHE_STATUS_MAX];
		size_t len = cache_status_write(&status, value, sizeof(value));
		if (len)
			text_add_field(text, SLICE("Cache-Status"), slice_make(value, len));
	}
	if (location->hsts.value.len && request_is_https(r))
		text_add_field(text, SLICE("Strict-Transport-Security"), location->hsts.value);
	for (size_t i = 0; i < location->add_header_count; i++) {
		struct slice value = request_expand(r, &location->add_headers[i].value);
		if (value.len)
			text_add_field(text, location->add_headers[i].name, value);
	}
}

/* Clients take the first one only (RFC 6797 section 8.1): the site's own word replaces the origin's. */
static struct slice without_hsts(struct request *r, struct slice block)
{
	static const struct slice own = { "strict-transport-security", 25 };
	struct slice name, value;
	struct text text;
	bool any = false;

	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value); )
		any = any || slice_eq_nocase(name, own);
	if (!any)
		return block;
	text_init(&text, &r->arena, block.len);
	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value); )
		if (!slice_eq_nocase(name, own))
			text_add_field(&text, name, value);
	return text_slice(&text);
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

bool deliver_not_modified(struct request *r, const struct stored_view *view, unsigned status)
{
	if (!r->use_cache || (status != 200 && status != 206) || (r->head.method != METHOD_GET && r->head.method != METHOD_HEAD))
		return false;
	if (!r->head.times[FIELD_if_none_match] && !r->head.times[FIELD_if_modified_since])
		return false;
	/* Without Last-Modified the Date of the answer bounds when it was made (RFC 9111 section 4.3.2). */
	struct slice modified = view->last_modified.len ? view->last_modified : view->date;
	return cache_precondition(&r->head, view->etag, modified, r->worker->wall_us) == PRECONDITION_not_modified;
}

/* The head as it stands for the identity: what the coding changes. */
static void coded_head(struct request *r, const struct stored_view *view, struct answer *answer)
{
	r->blocks[0] = compress_block(r, r->blocks[0], view->etag, answer->status);
	if (!r->coding || answer->status == 304)
		return;
	answer->body = r->decoded ? ANSWER_LENGTH : ANSWER_UNKNOWN;
	answer->length = r->decoded ? object_size(r->object) : UINT64_MAX;
}

static bool head_of_object(struct request *r, struct answer *answer)
{
	const struct object *of = r->master ? r->master : r->decoded ? r->decoded : r->object;
	const struct object_meta *meta = object_meta(of);
	struct stored_view view;

	if (!stored_read(object_head(of), &view))
		return false;
	int64_t age = (meta->age_base_us + r->worker->steady_us - meta->stored_us) / 1000000;
	r->log.age = age > 0 ? age : 0;
	r->log.lifetime = meta->lifetime_us / 1000000;
	r->log.lifetime_by = stored_lifetime_by(meta->flags);
	r->total = meta->flags & (STORED_PART | STORED_SLICED) ? view.fixed.total : object_size(of);
	if (meta->flags & STORED_PART)
		r->base = view.fixed.from;
	answer->length = meta->flags & STORED_SLICED ? r->total : object_size(of);
	if (answer->length != STORE_SIZE_UNKNOWN)
		r->log.object_bytes = (int64_t)answer->length;
	if (view.spec.len && r->variant_text.len)
		r->log.variant = r->variant_key.hi;
	if (r->first_head.len && (r->object == r->filling || (r->master && r->filling)) && !stored_read(r->first_head, &view))
		return false;
	log_view(r, &view);
	r->date_us = view.date.len ? 0 : meta->stored_us;
	r->blocks[0] = view.block;
	view.etag = compress_etag(r, view.etag);
	answer->status = meta->status;
	answer->body = answer->length == STORE_SIZE_UNKNOWN ? ANSWER_UNKNOWN : ANSWER_LENGTH;
	if (deliver_not_modified(r, &view, meta->status)) {
		answer->status = 304;
		answer->length = UINT64_MAX;
		answer->body = ANSWER_NO_BODY;
		r->blocks[0] = stored_block_304(&r->arena, view.block);
	} else if (meta->flags & STORED_PART) {
		if (!deliver_part(r, &view, answer))
			return false;
	} else {
		deliver_ranges(r, &view, answer);
	}
	coded_head(r, &view, answer);
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
	view.etag = compress_etag(r, view.etag);
	coded_head(r, &view, answer);
	return true;
}

/* A head promises its body: of one that is on disk the first bytes are had before, so that a disk that cannot give them, or
 * not in time, still is a miss and not a broken answer. */
static enum disk disk_try(struct request *r)
{
	struct iovec iov;

	return object_peek(r->object, r->sent - r->base, 1, &iov, 1) < 0 ? request_disk_read(r, &iov) : DISK_READY;
}

enum head deliver_head(struct request *r)
{
	struct answer answer = { .blocks = r->blocks, .block_count = 3 };
	struct text own;
	enum disk disk;
	bool good = true;

	r->body_end = UINT64_MAX;
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
		return HEAD_TOO_LARGE;
	if (r->head.method == METHOD_HEAD || answer.status == 204 || answer.status == 304)
		answer.body = ANSWER_NO_BODY;
	if (answer.status == 204 || (answer.status == 304 && r->source == SOURCE_text))
		answer.length = UINT64_MAX;
	r->log.status = answer.status;
	if (r->plain) {
		answer.block_count = 0;
	} else {
		text_init(&own, &r->arena, 512);
		if (r->location->hsts.value.len && request_is_https(r) && r->source != SOURCE_text)
			r->blocks[0] = without_hsts(r, r->blocks[0]);
		add_own_lines(r, &own);
		r->blocks[2] = text_slice(&own);
		if (own.overflowed || r->blocks[0].len + r->blocks[1].len + own.len > ANSWER_HEAD_MAX) {
			r->log.status = 0;
			return HEAD_TOO_LARGE;
		}
	}
	if (r->master && r->body_end == UINT64_MAX)
		r->body_end = r->total;
	r->no_body = answer.body == ANSWER_NO_BODY;
	r->body_done = r->no_body || (answer.body == ANSWER_LENGTH && answer.length == 0);
	if (!r->body_done && r->source == SOURCE_object && (disk = disk_try(r)) != DISK_READY) {
		r->log.status = 0;
		return disk == DISK_WAIT ? HEAD_WAIT : HEAD_UNREADABLE;
	}
	r->head_sent = true;
	r->log.first_us = (int64_t)(r->worker->now_us - r->start_us);
	r->carrier->ops->head(r->carrier, &answer);
	return HEAD_SENT;
}
