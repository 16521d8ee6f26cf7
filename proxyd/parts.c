/* Stored parts: their keys, and what they can answer. */
#include "parts.h"
#include "http_cache.h"

bool part_key_make(struct request *r)
{
	r->part_text = arena_printf(&r->arena, "%.*s\npart", SLICE_ARG(r->variant_text.len ? r->variant_text : r->key_text));
	r->part_key = part_key_beside(r->variant_text.len ? r->variant_key : r->key);
	return r->part_text.len > 0;
}

struct store_key stored_key(const struct request *r, const struct stored_view *view, const struct object *object)
{
	if (object_meta(object)->flags & STORED_PART)
		return r->part_key;
	return view->spec.len ? r->variant_key : r->key;
}

static struct slice part_validator(struct slice etag, struct slice last_modified, int64_t date_us, int64_t now_us)
{
	int64_t modified = last_modified.len ? http_parse_date(last_modified, now_us) : -1;

	if (etag.len)
		return etag.ptr[0] == '"' ? etag : (struct slice){ NULL, 0 };
	return modified != -1 && date_us != -1 && date_us - modified >= 1000000 ? last_modified : (struct slice){ NULL, 0 };
}

static int64_t date_of(const struct request *r, const struct object *object, const struct stored_view *view)
{
	return view->date.len ? http_parse_date(view->date, r->worker->wall_us) : object_meta(object)->stored_us;
}

struct slice part_validator_of(const struct request *r, const struct object *object, const struct stored_view *view)
{
	return part_validator(view->etag, view->last_modified, date_of(r, object, view), r->worker->wall_us);
}

struct slice part_validator_of_answer(const struct request *r, const struct http_head *head)
{
	struct slice date = http_header_value(head, FIELD_date);
	int64_t now_us = r->worker->wall_us;

	return part_validator(http_header_value(head, FIELD_etag), http_header_value(head, FIELD_last_modified),
		date.len ? http_parse_date(date, now_us) : now_us, now_us);
}

/* One range, as asked for, of a whole of this length (UINT64_MAX: not known). False: it cannot be said which bytes these are.
 * *ret_none: none of the whole. */
static bool resolve(const struct request *r, uint64_t total, struct byte_range *ret_range, bool *ret_none)
{
	struct range_asked asked = range_ask(http_header_value(&r->head, FIELD_range));

	*ret_none = false;
	if (r->head.times[FIELD_range] != 1)
		return false;
	if (asked.kind == ASKED_from_to && total == UINT64_MAX) {
		*ret_range = (struct byte_range){ asked.from, asked.to };
		return true;
	}
	if (total == UINT64_MAX || asked.kind == ASKED_none || asked.kind == ASKED_several)
		return false;
	if (asked.kind == ASKED_last) {
		*ret_none = asked.to == 0;
		*ret_range = (struct byte_range){ asked.to < total ? total - asked.to : 0, total - 1 };
		return true;
	}
	*ret_none = asked.from >= total;
	*ret_range = (struct byte_range){ asked.from, asked.kind == ASKED_from || asked.to >= total ? total - 1 : asked.to };
	return true;
}

bool part_range(const struct request *r, uint64_t total, struct byte_range *ret_range)
{
	bool none;

	return resolve(r, total, ret_range, &none) && !none;
}

/* All of the whole: what lies before the part, behind it, or both, is missing. */
static enum part_covers covers_whole(struct request *r, const struct object *part, const struct stored_view *view)
{
	uint64_t total = view->fixed.total;

	if (total == UINT64_MAX || total > r->location->set.object_max)
		return PART_none;
	r->join = (struct join_plan){ .part = { view->fixed.from, view->fixed.from + object_size(part) - 1 }, .want = { 0, total - 1 }, .total = total };
	return PART_some;
}

/* A range that the part has one end of: both together are one longer part, or the whole. */
static enum part_covers covers_range(struct request *r, struct byte_range have, struct byte_range asked, const struct stored_view *view)
{
	struct byte_range want = { asked.from < have.from ? asked.from : have.from, asked.to > have.to ? asked.to : have.to };

	if (asked.from >= have.from && asked.to <= have.to)
		return PART_all;
	bool one_end = (asked.from >= have.from && asked.from <= have.to) != (asked.to >= have.from && asked.to <= have.to);
	if (!one_end || view->fixed.total == UINT64_MAX || want.to - want.from >= r->location->set.object_max)
		return PART_none;
	r->join = (struct join_plan){ .part = have, .want = want, .total = view->fixed.total };
	return PART_some;
}

enum part_covers part_covers(struct request *r, const struct object *part, const struct stored_view *view)
{
	struct byte_range have = { view->fixed.from, view->fixed.from + object_size(part) - 1 }, asked;
	bool none;

	if (!r->ranged)
		return covers_whole(r, part, view);
	if (!if_range_holds(&r->head, view->etag, view->last_modified, date_of(r, part, view), r->worker->wall_us))
		return PART_none;
	if (!resolve(r, view->fixed.total, &asked, &none))
		return PART_none;
	if (none)
		return PART_all;
	enum part_covers covers = covers_range(r, have, asked, view);
	/* The client wants nothing but its range: without a validator what it gets cannot be joined. */
	return covers == PART_some && !part_validator_of(r, part, view).len ? PART_none : covers;
}

bool part_of_answer(const struct request *r, const struct http_head *head, struct content_range *ret_range)
{
	enum range_kind asked = range_ask(http_header_value(&r->head, FIELD_range)).kind;

	if (!r->ranged || r->head.times[FIELD_range] != 1 || asked == ASKED_none || asked == ASKED_several)
		return false;
	return head->status == 206 && head->framing == FRAMING_length && head->times[FIELD_content_range] == 1
		&& content_range_parse(http_header_value(head, FIELD_content_range), ret_range)
		&& ret_range->to - ret_range->from + 1 == head->length;
}
