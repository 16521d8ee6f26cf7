/* Compressed answers on the request's side: which answers, which clients, the head's fields, and bytes coded on their way. */
#include "compress.h"
#include "deliver.h"

#include <stdlib.h>

enum {
	TURN_BYTES = 64 * 1024,        /* coded at most in one turn of a request */
	OUT_BYTES = 16 * 1024,
	STREAMS_MAX = 256,             /* of one worker at once: further answers are sent as they are */
};

struct compression {
	struct encoder *encoder;
	size_t turn;                   /* coded in this one */
	size_t pos, len;               /* of out: not taken by the carrier yet */
	bool dirty;                    /* bytes were taken since the last flush */
	bool ended, failed;
	char out[OUT_BYTES];
};

/* ---- which answers ---- */

static unsigned offered(const struct settings *set)
{
	return (set->gzip || set->compress ? 1u << CODING_gzip : 0) | (set->brotli || set->compress ? 1u << CODING_br : 0)
		| (set->zstd || set->compress ? 1u << CODING_zstd : 0);
}

struct facts { bool encoded, no_transform, private_; };

static bool list_has(struct slice value, struct slice name)
{
	const char *pos = value.ptr, *end = value.len ? pos + value.len : pos;
	struct slice element;

	while (http_value_next(&pos, end, &element))
		if (slice_eq_nocase(element, name) || (element.len > name.len && element.ptr[name.len] == '=' && slice_eq_nocase(slice_make(element.ptr, name.len), name)))
			return true;
	return false;
}

static struct facts facts_of(struct slice block)
{
	struct facts facts = { false, false, false };
	struct slice name, value;

	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value);)
		switch (http_field_find(name)) {
		case FIELD_content_encoding: case FIELD_content_range:
			facts.encoded = true;
			break;
		case FIELD_set_cookie:
			facts.private_ = true;
			break;
		case FIELD_cache_control:
			facts.no_transform |= list_has(value, SLICE("no-transform"));
			facts.private_ |= list_has(value, SLICE("private"));
			break;
		default:
			break;
		}
	return facts;
}

/* What came for this request alone, with what tells whose it is, may hold a secret beside what the request says (BREACH). What
 * others get from the cache, too, holds none. */
static bool is_personal(const struct request *r)
{
	bool shared = r->source == SOURCE_object;

	return r->log.req_login || (!shared && (r->head.times[FIELD_authorization] || r->head.times[FIELD_cookie]));
}

static bool has_coded_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 205 && status != 206 && status != 304 && status != 416;
}

/* r->coding_varies: other clients may get another coding of it. r->coding: what this one gets. */
static void decide(struct request *r, const struct stored_view *view, unsigned status, uint64_t length)
{
	const struct settings *set = &r->location->set;
	struct cache_control asked;

	if (!has_coded_body(status) || !coding_type_fits(view->content_type, r->location->types.items, r->location->types.count))
		return;
	if (length < set->gzip_min_length || length == 0)
		return;
	struct facts facts = facts_of(view->block);
	if (facts.encoded || facts.no_transform || (facts.private_ && !set->compress_private))
		return;
	r->coding_varies = true;
	if (is_personal(r) && !set->compress_private)
		return;
	/* Without chunks a cut answer would look whole; a range is of the bytes as they are, which whoever has the coded form cannot
	 * mistake for his: they have another tag. */
	if (r->head.minor == 0 || (r->head.method != METHOD_GET && r->head.method != METHOD_HEAD && r->head.method != METHOD_POST)
			|| (r->head.method == METHOD_GET && r->head.times[FIELD_range]))
		return;
	cache_control_parse(&r->head, FIELD_cache_control, &asked);
	if (!asked.no_transform)
		r->coding = (uint8_t)coding_choose(&r->head, offered(set));
}

/* ---- the coded form that is stored ---- */

static bool body_is_stored(const struct request *r)
{
	return r->source == SOURCE_object && r->volume && object_state(r->object) == OBJECT_WHOLE && object_checksum(r->object);
}

/* Of r->object, or of r->decoded. */
static bool coded_key(struct request *r, struct store_key *ret_key, struct slice *ret_text)
{
	const struct object *of = r->decoded ? r->decoded : r->object;
	struct stored_view view;

	if (!stored_read(object_head(of), &view))
		return false;
	bool variant = view.spec.len > 0;
	struct slice token = coding_token((enum coding)r->coding);
	*ret_key = coded_key_beside(variant ? r->variant_key : r->key, (enum coding)r->coding);
	*ret_text = arena_printf(&r->arena, "%.*s\ncoded %.*s", SLICE_ARG(variant ? r->variant_text : r->key_text), SLICE_ARG(token));
	return ret_text->len > 0;
}

/* False: wait. */
static bool find_coded(struct request *r)
{
	struct object *plain = r->object;
	struct store_key key;
	struct slice text;
	bool from_disk = r->from_disk, gain = false;

	if (!coded_key(r, &key, &text))
		return true;
	r->object = NULL;
	enum store_get got = request_get(r, key, text);
	struct object *coded = r->object;
	r->object = plain;
	if (got == STORE_LOAD)
		return false;
	if (got != STORE_HIT) {
		r->from_disk = from_disk;
		return true;
	}
	if (!coded_fits(coded, plain, &gain)) {
		object_unref(&coded);
		r->from_disk = from_disk;
	} else if (!gain) {
		object_unref(&coded);
		r->coding = CODING_identity;
		r->from_disk = from_disk;
	} else {
		r->decoded = plain;
		r->object = coded;
	}
	return true;
}

/* ---- bytes on their way ---- */

static unsigned level_of(const struct request *r)
{
	const struct settings *set = &r->location->set;

	switch ((enum coding)r->coding) {
	case CODING_gzip: return (unsigned)set->gzip_comp_level;
	case CODING_br: return (unsigned)set->brotli_comp_level;
	case CODING_zstd: return (unsigned)set->zstd_comp_level;
	case CODING_identity: case CODING_COUNT: break;
	}
	return 0;
}

static void begin_stream(struct request *r)
{
	struct encoder *encoder = NULL;

	if (r->worker->clients->compressions < STREAMS_MAX)
		encoder = encoder_new((enum coding)r->coding, level_of(r), ENCODER_on_its_way);
	if (!encoder) {
		r->coding = CODING_identity;
		return;
	}
	/* Field by field: the buffer need not be cleared. */
	struct compression *zip = must(malloc(sizeof(*zip)));
	zip->encoder = encoder;
	zip->turn = zip->pos = zip->len = 0;
	zip->dirty = zip->ended = zip->failed = false;
	r->zip = zip;
	r->worker->clients->compressions++;
}

void compress_free(struct request *r)
{
	struct compression *zip = r->zip;

	r->zip = NULL;
	if (!zip)
		return;
	encoder_free(&zip->encoder);
	free(zip);
	r->worker->clients->compressions--;
}

void compress_drop(struct request *r)
{
	compress_free(r);
	object_unref(&r->decoded);
	r->coding = CODING_identity;
	r->coding_varies = r->coding_done = false;
}

/* The origin confirmed what the client has: the form whose tag the client named. */
static void confirmed(struct request *r, struct slice etag)
{
	const char *pos, *end;
	struct slice tag;
	char *out = etag.len ? arena_alloc(&r->arena, etag.len + CODING_TAG_MORE) : NULL;

	if (!out)
		return;
	for (size_t i = 0; i < r->head.header_count; i++) {
		const struct http_header *h = &r->head.headers[i];
		if (h->id != FIELD_if_none_match || h->dropped)
			continue;
		for (pos = h->value.ptr, end = pos + h->value.len; http_value_next(&pos, end, &tag);)
			for (int coding = CODING_identity + 1; coding < CODING_COUNT; coding++)
				if (slice_eq(tag, coding_tag(etag, (enum coding)coding, out))) {
					r->coding = (uint8_t)coding;
					r->coding_varies = true;
				}
	}
}

struct slice compress_condition(struct request *r, struct slice value)
{
	const char *pos = value.ptr, *end = value.len ? pos + value.len : pos;
	struct slice tag, plain;
	struct text text;

	if (!offered(&r->location->set))
		return value;
	text_init(&text, &r->arena, 2 * value.len + 8);
	text_add(&text, value);
	while (http_value_next(&pos, end, &tag)) {
		char *out = arena_alloc(&r->arena, tag.len + 1);
		if (!out || !coding_tag_plain(tag, out, &plain))
			continue;
		text_add(&text, SLICE(", "));
		text_add(&text, plain);
	}
	return text.overflowed ? value : text_slice(&text);
}

bool compress_prepare(struct request *r)
{
	struct stored_view view;
	bool object = r->source == SOURCE_object;

	if (r->coding_done || r->master || !offered(&r->location->set) || (!object && r->source != SOURCE_pipe))
		return true;
	if (object && (object_meta(r->object)->flags & STORED_PART))
		return true;
	if (!stored_read(object ? object_head(r->object) : r->pipe_head, &view))
		return true;
	unsigned status = object ? object_meta(r->object)->status : r->pipe_status;
	r->coding = CODING_identity;
	r->coding_varies = false;
	if (!object && status == 304) {
		confirmed(r, view.etag);
		r->coding_done = true;
		return true;
	}
	decide(r, &view, status, object ? object_size(r->object) : r->pipe_no_body && r->head.method != METHOD_HEAD ? 0 : r->pipe_length);
	if (r->coding) {
		struct slice tag = compress_etag(r, view.etag);
		struct stored_view coded = view;
		coded.etag = tag;
		bool sends = !deliver_not_modified(r, &coded, status);
		if (sends && r->object != r->filling && body_is_stored(r) && !find_coded(r))
			return false;
		if (r->coding && sends && !r->decoded && r->head.method != METHOD_HEAD)
			begin_stream(r);
	}
	r->coding_done = true;
	return true;
}

/* A carrier that takes nothing tells when it does again. True: all of it was taken. */
static bool drain(struct request *r)
{
	struct compression *zip = r->zip;

	while (zip->pos < zip->len) {
		struct iovec iov = { zip->out + zip->pos, zip->len - zip->pos };
		size_t taken = r->carrier->ops->body(r->carrier, &iov, 1);
		if (!r->carrier || taken == 0)
			return false;
		zip->pos += taken;
	}
	zip->pos = zip->len = 0;
	return true;
}

/* One call of the encoder, and what it wrote to the carrier. False: wait, or the encoder failed. */
static bool run(struct request *r, enum encode how, struct slice *in, bool *ret_done)
{
	struct compression *zip = r->zip;

	*ret_done = false;
	if (zip->failed || !drain(r))
		return false;
	zip->failed = !encoder_run(zip->encoder, how, in, zip->out, sizeof(zip->out), &zip->len, ret_done);
	if (zip->failed) {
		/* The answer stays visibly broken: it has no end. */
		r->compress_failed = true;
		return false;
	}
	return drain(r);
}

void compress_turn(struct request *r)
{
	if (r->zip)
		r->zip->turn = 0;
}

size_t compress_body(struct request *r, const struct iovec *iov, int count)
{
	size_t taken = 0;

	if (!r->zip)
		return r->carrier->ops->body(r->carrier, iov, count);
	for (int i = 0; i < count; i++) {
		struct slice in = slice_make(iov[i].iov_base, iov[i].iov_len);
		while (in.len) {
			size_t room = TURN_BYTES - r->zip->turn;
			struct slice piece = slice_make(in.ptr, in.len < room ? in.len : room);
			size_t before = piece.len;
			bool done;

			if (!room) {
				request_wake(r);
				return taken;
			}
			bool ready = run(r, ENCODE_more, &piece, &done);
			size_t used = before - piece.len;
			r->zip->turn += used;
			r->zip->dirty |= used > 0;
			r->coded_bytes += used;
			taken += used;
			in = slice_make(in.ptr + used, in.len - used);
			if (!r->carrier || !ready)
				return taken;
		}
	}
	return taken;
}

bool compress_push(struct request *r, enum encode how)
{
	struct slice none = { "", 0 };
	bool done = false;

	if (r->zip->ended || (how == ENCODE_flush && !r->zip->dirty))
		return drain(r);
	while (!done && run(r, how, &none, &done))
		;
	r->zip->dirty &= !done;
	r->zip->ended |= done && how == ENCODE_end;
	return done && r->carrier && r->zip->pos == r->zip->len;
}

/* ---- the head ---- */

struct slice compress_etag(struct request *r, struct slice etag)
{
	char *out;

	if (!r->coding || !etag.len)
		return etag;
	out = arena_alloc(&r->arena, etag.len + CODING_TAG_MORE);
	return out ? coding_tag(etag, (enum coding)r->coding, out) : (struct slice){ NULL, 0 };
}

/* Fields that are true of the bytes before the coding only. */
static bool is_of_plain(struct slice name)
{
	static const struct slice names[] = { { "content-md5", 11 }, { "digest", 6 }, { "content-digest", 14 }, { "repr-digest", 11 }, { "accept-ranges", 13 } };

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_eq_nocase(name, names[i]))
			return true;
	return false;
}

struct slice compress_block(struct request *r, struct slice block, struct slice etag, unsigned status)
{
	struct text text;
	struct slice name, value;
	bool varies = false;

	if (!r->coding_varies)
		return block;
	text_init(&text, &r->arena, block.len + 96);
	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value);) {
		enum http_field id = http_field_find(name);
		if (id == FIELD_vary)
			varies |= list_has(value, SLICE("accept-encoding")) || list_has(value, SLICE("*"));
		if (r->coding && id == FIELD_etag) {
			if (etag.len)
				text_add_field(&text, name, etag);
		} else if (!r->coding || !is_of_plain(name)) {
			text_add_field(&text, name, value);
		}
	}
	if (r->coding && status != 304)
		text_add_field(&text, SLICE("Content-Encoding"), coding_token((enum coding)r->coding));
	if (!varies)
		text_add_field(&text, SLICE("Vary"), SLICE("Accept-Encoding"));
	return text_slice(&text);
}

/* ---- the end ---- */

static void order_coded(struct request *r)
{
	struct compress_order order = { .daemon = r->worker->daemon, .conf = r->hold->conf, .volume = r->volume, .object = r->object,
		.coding = (enum coding)r->coding, .level = level_of(r), .volume_name = r->log.volume, .log_key = r->key.hi, .log_variant = r->log.variant };

	if (coded_key(r, &order.key, &order.key_text))
		compress_order(&order);
}

void compress_finish(struct request *r)
{
	/* Of a 304 nothing was sent, and what is missing is made for whoever gets a body. */
	if (r->coding && r->head_sent && r->log.status != 304) {
		r->log.coding = coding_token((enum coding)r->coding);
		r->log.compressed = r->zip != NULL;
		r->log.plain_bytes = r->zip ? (int64_t)r->coded_bytes : r->decoded && !r->no_body ? (int64_t)object_size(r->decoded) : 0;
		if (!r->decoded && body_is_stored(r) && (r->object != r->filling || r->log.stored))
			order_coded(r);
	}
}
