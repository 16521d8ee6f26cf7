/* Parts of a stored body (RFC 9110 section 14): 206 with one range or several, 416. */
#include "deliver.h"
#include "http_cache.h"
#include "http_range.h"
#include "parts.h"

#include <stdio.h>

static struct slice content_range(struct request *r, const struct byte_range *range, uint64_t size)
{
	if (size == UINT64_MAX)
		return arena_printf(&r->arena, "bytes %llu-%llu/*", (unsigned long long)range->from, (unsigned long long)range->to);
	return arena_printf(&r->arena, "bytes %llu-%llu/%llu", (unsigned long long)range->from, (unsigned long long)range->to, (unsigned long long)size);
}

/* The text before range `at`, or behind the last one. The boundary is the request's id: no body can know it. */
static struct slice part_text(struct request *r, size_t at)
{
	struct text text;

	text_init(&text, &r->arena, 128);
	text_add(&text, SLICE("\r\n--"));
	text_add(&text, r->boundary);
	if (at == r->range_count) {
		text_add(&text, SLICE("--\r\n"));
		return text_slice(&text);
	}
	text_add(&text, SLICE("\r\n"));
	if (r->log.resp_type.len)
		text_add_field(&text, SLICE("Content-Type"), r->log.resp_type);
	text_add_field(&text, SLICE("Content-Range"), content_range(r, &r->ranges[at], r->total));
	text_add(&text, SLICE("\r\n"));
	return text_slice(&text);
}

static void begin_range(struct request *r, size_t at)
{
	r->range_at = at;
	r->range_text = part_text(r, at);
	r->range_text_sent = 0;
	if (at < r->range_count) {
		r->sent = r->ranges[at].from;
		r->body_end = r->ranges[at].to + 1;
	}
}

void deliver_next_range(struct request *r)
{
	begin_range(r, r->range_at + 1);
}

/* The stored fields without Content-Type: that of several ranges is multipart/byteranges, and 416 has no body. */
static struct slice block_without_type(struct request *r, struct slice block)
{
	struct text text;
	struct slice name, value;

	text_init(&text, &r->arena, block.len);
	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value);)
		if (http_field_find(name) != FIELD_content_type)
			text_add_field(&text, name, value);
	return text_slice(&text);
}

static void add_field(struct request *r, struct slice name, struct slice value)
{
	struct text text;

	text_init(&text, &r->arena, name.len + value.len + 4);
	text_add_field(&text, name, value);
	r->blocks[1] = text_slice(&text);
}

static void answer_one(struct request *r, struct answer *answer)
{
	r->sent = r->ranges[0].from;
	r->body_end = r->ranges[0].to + 1;
	answer->length = r->body_end - r->sent;
	add_field(r, SLICE("Content-Range"), content_range(r, &r->ranges[0], r->total));
}

static void answer_several(struct request *r, const struct stored_view *view, struct answer *answer)
{
	r->boundary = arena_printf(&r->arena, "%016llx", (unsigned long long)r->log.rid);
	answer->length = 0;
	for (size_t i = 0; i <= r->range_count; i++) {
		answer->length += part_text(r, i).len;
		if (i < r->range_count)
			answer->length += r->ranges[i].to - r->ranges[i].from + 1;
	}
	r->blocks[0] = block_without_type(r, view->block);
	add_field(r, SLICE("Content-Type"), arena_printf(&r->arena, "multipart/byteranges; boundary=%.*s", SLICE_ARG(r->boundary)));
	begin_range(r, 0);
}

static void answer_none(struct request *r, const struct stored_view *view, struct answer *answer)
{
	answer->status = 416;
	answer->length = 0;
	r->body_end = 0;
	r->blocks[0] = block_without_type(r, view->block);
	add_field(r, SLICE("Content-Range"), arena_printf(&r->arena, "bytes */%llu", (unsigned long long)r->total));
}

/* The ranges that a GET asks for, and may have, of an answer with 200. */
static enum range_answer ranges_asked(const struct request *r, const struct stored_view *view, struct byte_range ranges[RANGES_MAX], size_t *ret_count)
{
	const struct object *of = r->master ? r->master : r->object;

	if (r->head.method != METHOD_GET || r->head.times[FIELD_range] != 1 || r->whole_only)
		return RANGE_whole;
	int64_t date = view->date.len ? http_parse_date(view->date, r->worker->wall_us) : object_meta(of)->stored_us;
	if (!if_range_holds(&r->head, view->etag, view->last_modified, date, r->worker->wall_us))
		return RANGE_whole;
	return range_parse(http_header_value(&r->head, FIELD_range), r->total, ranges, ret_count);
}

void deliver_ranges(struct request *r, const struct stored_view *view, struct answer *answer)
{
	struct byte_range ranges[RANGES_MAX];
	size_t count;

	if (answer->status != 200 || answer->body != ANSWER_LENGTH)
		return;
	switch (ranges_asked(r, view, ranges, &count)) {
	case RANGE_whole:
		return;
	case RANGE_unsatisfiable:
		answer_none(r, view, answer);
		return;
	case RANGE_parts:
		break;
	}
	r->ranges = arena_alloc(&r->arena, count * sizeof(*ranges));
	if (!r->ranges)
		return;
	memcpy(r->ranges, ranges, count * sizeof(*ranges));
	r->range_count = count;
	answer->status = 206;
	if (count == 1)
		answer_one(r, answer);
	else
		answer_several(r, view, answer);
}

bool deliver_first_byte(struct request *r, uint64_t *ret_at)
{
	struct byte_range ranges[RANGES_MAX];
	struct stored_view view;
	size_t count;

	*ret_at = 0;
	if (r->head.method == METHOD_HEAD || !stored_read(object_head(r->master), &view) || deliver_not_modified(r, &view, 200))
		return false;
	switch (ranges_asked(r, &view, ranges, &count)) {
	case RANGE_unsatisfiable:
		return false;
	case RANGE_parts:
		*ret_at = ranges[0].from;
		break;
	case RANGE_whole:
		break;
	}
	return true;
}

bool deliver_part(struct request *r, const struct stored_view *view, struct answer *answer)
{
	uint64_t size = object_size(r->object);
	struct byte_range *range = arena_alloc(&r->arena, sizeof(*range));

	if (!range || size == 0)
		return false;
	*range = (struct byte_range){ r->base, r->base + size - 1 };
	/* What has just been fetched for this request alone is what the origin answered: it goes out as it is. */
	if ((r->object != r->filling || r->joint) && !part_range(r, r->total, range)) {
		answer_none(r, view, answer);
		return true;
	}
	if (range->from < r->base || range->to >= r->base + size)
		return false;
	r->ranges = range;
	r->range_count = 1;
	answer->status = 206;
	answer->body = ANSWER_LENGTH;
	answer_one(r, answer);
	return true;
}
