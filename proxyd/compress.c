/* Compressed answers on the request's side: the stored form looked for, bytes coded on their way, the head's fields. */
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
		r->log.uncoded = UNCODED_no_gain;
		r->from_disk = from_disk;
	} else {
		r->decoded = plain;
		r->object = coded;
	}
	return true;
}

/* ---- bytes on their way ---- */

static void begin_stream(struct request *r)
{
	uint64_t size = r->source == SOURCE_object ? object_size(r->object) : r->pipe_length;      /* UINT64_MAX: not known */
	struct encoder *encoder = NULL;

	if (r->worker->clients->compressions < STREAMS_MAX)
		encoder = encoder_new((enum coding)r->coding, compress_level(r), ENCODER_on_its_way, size);
	if (!encoder) {
		r->coding = CODING_identity;
		r->log.uncoded = UNCODED_busy;
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
	r->coding_varies = r->coding_done = r->whole_only = false;
	r->log.uncoded = UNCODED_none;
}

/* What decide() chose is looked for or begun. False: wait. */
static bool prepare_coded(struct request *r, const struct stored_view *view, unsigned status)
{
	struct stored_view coded = *view;

	coded.etag = compress_etag(r, view->etag);
	if (deliver_not_modified(r, &coded, status))
		return true;
	if (r->object != r->filling && body_is_stored(r) && !find_coded(r))
		return false;
	if (r->coding && !r->decoded && r->head.method != METHOD_HEAD)
		begin_stream(r);
	return true;
}

bool compress_prepare(struct request *r)
{
	const struct object *of = r->master ? r->master : r->object;
	bool object = r->source == SOURCE_object;
	struct stored_view view;

	if (r->coding_done || (!object && r->source != SOURCE_pipe) || !stored_read(object ? object_head(of) : r->pipe_head, &view))
		return true;
	unsigned status = object ? object_meta(of)->status : r->pipe_status;
	r->coding = CODING_identity;
	r->coding_varies = r->whole_only = false;
	r->log.uncoded = (uint8_t)compress_decide(r, &view, status);
	if (r->coding && !prepare_coded(r, &view, status))
		return false;
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
			varies |= value_has(value, SLICE("accept-encoding")) || value_has(value, SLICE("*"));
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
		.coding = (enum coding)r->coding, .level = compress_level(r), .volume_name = r->log.volume, .log_key = r->key.hi, .log_variant = r->log.variant };

	if (coded_key(r, &order.key, &order.key_text))
		compress_order(&order);
}

void compress_finish(struct request *r)
{
	if (!r->head_sent || r->no_body)
		r->log.uncoded = UNCODED_none;
	/* Of a 304 nothing was sent, and what is missing is made for whoever gets a body. */
	if (r->coding && r->head_sent && r->log.status != 304) {
		r->log.coding = coding_token((enum coding)r->coding);
		r->log.compressed = r->zip != NULL;
		r->log.plain_bytes = r->zip ? (int64_t)r->coded_bytes : r->decoded && !r->no_body ? (int64_t)object_size(r->decoded) : 0;
		if (!r->decoded && body_is_stored(r) && (r->object != r->filling || r->log.stored))
			order_coded(r);
	}
}
