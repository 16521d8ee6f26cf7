/* Completing a stored part. What is asked for first is what lies before the part, or, when nothing does, behind it; the bytes
 * are put together in their order, by position alone. The part may be on disk: it is copied in pieces, by turns with others,
 * and the origin is paused meanwhile. */
#include "joint.h"
#include "parts.h"
#include "fetch.h"
#include "http_cache.h"

#include <errno.h>
#include <stdlib.h>

enum { PIECE_MAX = 256 * 1024, TURN_MAX = 1024 * 1024 };

struct joint {
	struct mail mail;              /* the disk has been read, or the next turn has come */
	struct store_read disk;
	struct request *request;
	struct byte_range ask;         /* what the origin was asked for */
	bool posted;                   /* mail is, or will be, under way */
	bool paused;                   /* the exchange */
	bool answered;                 /* what was asked for has come */
	bool over;
	ssize_t read;                  /* bytes in buf; negative: failed; 0: none */
	char *buf, *held;              /* held: came from the origin before its turn */
	size_t held_len;
};

static struct byte_range first_ask(const struct join_plan *join)
{
	if (join->want.from < join->part.from)
		return (struct byte_range){ join->want.from, join->part.from - 1 };
	return (struct byte_range){ join->part.to + 1, join->want.to };
}

static struct byte_range ask_of(const struct request *r)
{
	return r->joint ? r->joint->ask : first_ask(&r->join);
}

void joint_add_fields(struct request *r, struct text *text)
{
	struct byte_range ask = ask_of(r);
	struct stored_view view;
	char to[24] = "";

	if (!stored_read(object_head(r->part), &view))
		return;
	if (ask.to + 1 < r->join.total)
		snprintf(to, sizeof(to), "%llu", (unsigned long long)ask.to);
	text_add_field(text, SLICE("Range"), arena_printf(&r->arena, "bytes=%llu-%s", (unsigned long long)ask.from, to));
	struct slice validator = part_validator_of(r, r->part, &view);
	if (validator.len)
		text_add_field(text, SLICE("If-Range"), validator);
}

/* Is the answer exactly what was asked for, of the very representation that the part is of? */
static bool agrees(const struct request *r, const struct stored_view *view, const struct http_head *head)
{
	struct byte_range ask = ask_of(r);
	struct content_range range;
	struct slice ours = part_validator_of(r, r->part, view);

	if (head->status != 206 || head->framing != FRAMING_length || head->times[FIELD_content_range] != 1 || !ours.len)
		return false;
	if (!content_range_parse(http_header_value(head, FIELD_content_range), &range) || range.total != r->join.total)
		return false;
	if (range.from != ask.from || range.to != ask.to || head->length != ask.to - ask.from + 1)
		return false;
	return slice_eq(ours, part_validator_of_answer(r, head));
}

void joint_drop_part(struct request *r)
{
	volume_drop(r->volume, r->part_key, r->part);
	object_unref(&r->part);
}

/* ---- putting it together ---- */

static uint64_t position(const struct request *r)
{
	return r->join.want.from + object_available(r->filling);
}

/* The request ends later: not within pump(), which looks at r->joint once more. */
static void fail(struct request *r, enum end end)
{
	fetch_stop(r, end);
	request_wake(r);
}

static bool append(struct request *r, const void *bytes, size_t len)
{
	if (object_append(r->filling, bytes, len) == STORE_OK)
		return true;
	fail(r, END_internal);
	return false;
}

static void pump(struct request *r);

static void run(struct worker *worker, struct mail *mail)
{
	struct joint *j = (struct joint *)((char *)mail - offsetof(struct joint, mail));

	timer_clear(worker, &j->request->disk_timer);
	j->posted = false;
	if (j->over)
		request_run(j->request);       /* it waited for this to end itself */
	else
		pump(j->request);
}

static void read_done(struct store_read *disk, ssize_t result)
{
	struct joint *j = (struct joint *)((char *)disk - offsetof(struct joint, disk));

	j->read = result;
	worker_post(j->request->worker, &j->mail);
}

/* The disk does not give the part. A read that is at work ends later, and the request with it. */
static void read_timeout(struct worker *worker, struct timer *timer)
{
	struct request *r = (struct request *)((char *)timer - offsetof(struct request, disk_timer));

	(void)worker;
	if (object_read_cancel(&r->joint->disk, true))
		r->joint->posted = false;
	r->disk_late = true;
	fail(r, END_disk_timeout);
}

/* The part's bytes from `offset` on: appends some. >0: how many; 0: the disk is read, wait; <0: they cannot be read. */
static ssize_t copy_some(struct request *r, uint64_t offset)
{
	struct joint *j = r->joint;
	char *scratch = r->worker->clients->disk_buf;
	struct iovec iov = { scratch, 0 };
	int pieces = object_peek(r->part, offset, PIECE_MAX, &iov, 1);

	if (pieces == 0 || j->read < 0)
		return -1;
	if (pieces < 0 && j->read > 0) {
		iov = (struct iovec){ j->buf, (size_t)j->read };
		j->read = 0;
	} else if (pieces < 0) {
		ssize_t n = object_read(r->part, offset, scratch, PIECE_MAX);
		if (n == -EAGAIN) {
			if (!j->buf)
				j->buf = must(malloc(PIECE_MAX));
			j->disk = (struct store_read){ .done = read_done };
			j->posted = true;
			if (object_read_wait(r->part, offset, j->buf, PIECE_MAX, &j->disk) == STORE_OK) {
				timer_set(r->worker, &r->disk_timer, r->location->set.disk_timeout, read_timeout);
				return 0;
			}
			j->posted = false;
			return -1;
		}
		if (n <= 0)
			return -1;
		iov = (struct iovec){ scratch, (size_t)n };
	}
	return append(r, iov.iov_base, iov.iov_len) ? (ssize_t)iov.iov_len : -1;
}

/* Everything that was asked for has come: is there more to ask for, or is it whole? */
static void ask_on(struct request *r)
{
	struct joint *j = r->joint;

	if (position(r) > r->join.want.to) {
		j->over = true;
		fetch_ended(r, END_complete);
		return;
	}
	j->ask = (struct byte_range){ position(r), r->join.want.to };
	j->answered = false;
	if (!fetch_ask_on(r))
		fail(r, END_internal);
}

static void pump(struct request *r)
{
	struct joint *j = r->joint;
	size_t turn = 0;

	while (!j->over) {
		uint64_t at = position(r);
		if (at >= r->join.part.from && at <= r->join.part.to) {
			if (turn >= TURN_MAX) {
				j->posted = true;
				worker_post(r->worker, &j->mail);
				return;
			}
			ssize_t n = copy_some(r, at - r->join.part.from);
			if (n == 0)
				return;
			if (n < 0 && !j->over)
				fail(r, END_internal);
			turn += n > 0 ? (size_t)n : 0;
		} else if (j->held_len) {
			size_t len = j->held_len;
			j->held_len = 0;
			if (!append(r, j->held, len))
				return;
		} else {
			break;
		}
	}
	if (j->over)
		return;
	if (j->paused && r->exchange) {
		j->paused = false;
		exchange_resume(r->exchange);
	}
	if (j->answered)
		ask_on(r);
}

/* ---- the exchange's events ---- */

/* The object that both become: the whole under the URL's key, or a longer part under the part's. */
static bool begin(struct request *r, const struct stored_view *view, const struct http_head *head)
{
	bool whole = r->join.want.from == 0 && r->join.want.to + 1 == r->join.total, variant = view->spec.len > 0;
	struct object_meta meta;
	struct slice kept;

	if (!fetch_merge(r, r->part, view, head, &kept, &meta))
		return false;
	stored_set_part(kept, whole ? 0 : r->join.want.from, whole ? 0 : r->join.total);
	if (!whole) {
		meta.status = 206;
		meta.flags |= STORED_PART;
	}
	struct store_key key = !whole ? r->part_key : variant ? r->variant_key : r->key;
	struct slice text = !whole ? r->part_text : variant ? r->variant_text : r->key_text;
	if (object_new(r->volume, key, text, &meta, kept, r->join.want.to - r->join.want.from + 1, &r->filling))
		return false;
	r->log.variant = variant ? r->variant_key.hi : 0;
	r->log.lifetime = meta.lifetime_us / 1000000;
	r->log.nostore = NOSTORE_none;
	object_unref(&r->object);
	r->object = object_ref(r->filling);
	r->source = SOURCE_object;
	fetch_share(r, r->filling, key);
	return true;
}

bool joint_take_head(struct request *r, const struct http_head *head)
{
	struct stored_view view;

	if (!stored_read(object_head(r->part), &view) || !agrees(r, &view, head))
		return false;
	if (r->joint)
		return true;
	if (!begin(r, &view, head))
		return false;
	r->joint = must(calloc(1, sizeof(*r->joint)));
	r->joint->mail.run = run;
	r->joint->request = r;
	r->joint->ask = first_ask(&r->join);
	request_keep(r);
	pump(r);
	return true;
}

bool joint_body(struct request *r, struct slice bytes)
{
	struct joint *j = r->joint;

	if (!j->posted && !j->held_len)
		return append(r, bytes.ptr, bytes.len);
	j->held = must(realloc(j->held, j->held_len + bytes.len));
	memcpy(j->held + j->held_len, bytes.ptr, bytes.len);
	j->held_len += bytes.len;
	j->paused = true;
	return false;
}

void joint_done(struct request *r, enum end end)
{
	struct joint *j = r->joint;

	if (end != END_complete) {
		fail(r, end);
		return;
	}
	j->answered = true;
	if (!j->posted)
		pump(r);
}

bool joint_busy(const struct request *r)
{
	return r->joint && (r->joint->posted || !r->joint->over);
}

void joint_stop(struct request *r)
{
	if (r->joint)
		r->joint->over = true;
}

void joint_free(struct request *r)
{
	if (!r->joint)
		return;
	free(r->joint->buf);
	free(r->joint->held);
	free(r->joint);
	r->joint = NULL;
}
