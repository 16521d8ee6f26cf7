/* Which answers are compressed for which clients, and why others are not; and what conditions that pass mean at the origin. */
#include "compress.h"

struct coding_set { bool on; uint64_t min_length, level; const struct conf_names *types; };

static struct coding_set set_of(const struct conf_location *location, enum coding coding)
{
	const struct settings *set = &location->set;

	switch (coding) {
#define CODING(name, token, word) \
	case CODING_##name: return (struct coding_set){ set->word, set->word##_min_length, set->word##_comp_level, &location->word##_types };
	CODINGS(CODING)
#undef CODING
	case CODING_identity: case CODING_COUNT: break;
	}
	return (struct coding_set){ .on = false };
}

unsigned compress_level(const struct request *r)
{
	return (unsigned)set_of(r->location, (enum coding)r->coding).level;
}

static unsigned codings_on(const struct conf_location *location)
{
	unsigned on = 0;

	for (int i = CODING_identity + 1; i < CODING_COUNT; i++)
		on |= set_of(location, (enum coding)i).on ? 1u << i : 0;
	return on;
}

/* ---- the request ---- */

bool value_has(struct slice value, struct slice name)
{
	const char *pos = value.ptr, *end = value.len ? pos + value.len : pos;
	struct slice element;

	while (http_value_next(&pos, end, &element))
		if (slice_eq_nocase(element, name) || (element.len > name.len && element.ptr[name.len] == '=' && slice_eq_nocase(slice_make(element.ptr, name.len), name)))
			return true;
	return false;
}

/* A date in If-Range holds for every coding of the answer, so that bytes of one could be joined to those of another. Who has
 * nothing else to ask with, as the answer has no tag, gets the whole (RFC 9110 section 13.1.5: the validator must be strong). */
static bool range_is_ambiguous(const struct request *r, const struct stored_view *view)
{
	struct slice asked = http_header_value(&r->head, FIELD_if_range);

	return asked.len && asked.ptr[0] != '"' && asked.ptr[0] != 'W' && !view->etag.len;
}

/* Without chunks a cut answer would look whole; a range is of the bytes as they are, which whoever has the coded form cannot
 * mistake for his: they have another tag. */
static bool request_may_have(const struct request *r, bool ranged)
{
	struct cache_control asked;

	if (r->head.minor == 0 || !r->head.times[FIELD_accept_encoding] || ranged)
		return false;
	if (r->head.method != METHOD_GET && r->head.method != METHOD_HEAD && r->head.method != METHOD_POST)
		return false;
	if (!r->head.times[FIELD_cache_control])
		return true;
	cache_control_parse(&r->head, FIELD_cache_control, &asked);
	return !asked.no_transform;
}

/* What came for this request alone, with what tells whose it is, may hold a secret beside what the request says (BREACH). What
 * others get from the cache, too, holds none. */
static bool is_personal(const struct request *r)
{
	if (r->log.req_login)
		return true;
	return r->source != SOURCE_object && (r->head.times[FIELD_authorization] || r->head.times[FIELD_cookie] || slice_eq(r->log.tls_client, SLICE("good")));
}

/* ---- the answer ---- */

struct facts { bool encoded, no_transform, private_; };

static struct facts facts_of(struct slice block, bool part)
{
	struct facts facts = { false, false, false };
	struct slice name, value;

	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value);)
		switch (http_field_find(name)) {
		case FIELD_content_encoding:
			facts.encoded = true;
			break;
		case FIELD_content_range:
			facts.encoded |= !part;
			break;
		case FIELD_set_cookie:
			facts.private_ = true;
			break;
		case FIELD_cache_control:
			facts.no_transform |= value_has(value, SLICE("no-transform"));
			facts.private_ |= value_has(value, SLICE("private"));
			break;
		default:
			break;
		}
	return facts;
}

static bool has_body(unsigned status)
{
	return status >= 200 && status != 204 && status != 205 && status != 304 && status != 416;
}

/* Of the whole; 0: there is none, UINT64_MAX: it is not known. */
static uint64_t length_of(const struct request *r, const struct stored_view *view, unsigned status)
{
	if (r->source == SOURCE_object)
		return r->master || status == 206 ? view->fixed.total : object_size(r->object);
	if (status == 206)
		return UINT64_MAX;
	return r->pipe_no_body && r->head.method != METHOD_HEAD ? 0 : r->pipe_length;
}

/* *ret_fits: the codings, on or not, that the answer is fit for. */
static enum uncoded judge_answer(const struct request *r, const struct stored_view *view, unsigned status, unsigned *ret_fits)
{
	uint64_t length = length_of(r, view, status);
	unsigned types = 0, fits = 0;

	*ret_fits = 0;
	if (!has_body(status) || length == 0)
		return UNCODED_none;
	for (int i = CODING_identity + 1; i < CODING_COUNT; i++) {
		struct coding_set set = set_of(r->location, (enum coding)i);
		if (!coding_type_fits(view->content_type, set.types->items, set.types->count))
			continue;
		types |= 1u << i;
		fits |= length >= set.min_length ? 1u << i : 0;
	}
	if (!fits)
		return types ? UNCODED_tiny : UNCODED_type;
	struct facts facts = facts_of(view->block, status == 206);
	if (facts.encoded)
		return UNCODED_encoded;
	if (facts.no_transform)
		return UNCODED_no_transform;
	if (facts.private_ && !r->location->set.compress_private)
		return UNCODED_private;
	*ret_fits = fits;
	return UNCODED_none;
}

/* A 304 from the origin says nothing of the type: that it varies is said rather than not (RFC 9110 section 15.4.5). The tag is
 * of the form that the client named. */
static void decide_304(struct request *r, const struct stored_view *view)
{
	const char *pos, *end;
	struct slice tag;
	char *out = view->etag.len ? arena_alloc(&r->arena, view->etag.len + CODING_TAG_MORE) : NULL;

	if (facts_of(view->block, false).encoded)
		return;
	r->coding_varies = true;
	for (size_t i = 0; out && i < r->head.header_count; i++) {
		const struct http_header *h = &r->head.headers[i];
		if (h->id != FIELD_if_none_match || h->dropped)
			continue;
		for (pos = h->value.ptr, end = pos + h->value.len; http_value_next(&pos, end, &tag);)
			for (int coding = CODING_identity + 1; coding < CODING_COUNT; coding++)
				if (slice_eq(tag, coding_tag(view->etag, (enum coding)coding, out)))
					r->coding = (uint8_t)coding;
	}
}

enum uncoded compress_decide(struct request *r, const struct stored_view *view, unsigned status)
{
	unsigned on = codings_on(r->location), fits;
	bool part = status == 206, ranged = part || (r->head.method == METHOD_GET && r->head.times[FIELD_range]);
	bool ambiguous = ranged && !part && !r->master && on && range_is_ambiguous(r, view);

	if (status == 304) {
		if (on && r->source == SOURCE_pipe)
			decide_304(r, view);
		return UNCODED_none;
	}
	bool may = request_may_have(r, ranged && !ambiguous);
	/* The usual case costs no more than this. */
	if (!on && (!may || coding_choose(&r->head, CODING_BITS_ALL) == CODING_identity))
		return UNCODED_request;
	enum uncoded why = judge_answer(r, view, status, &fits);
	if (!fits)
		return why;
	r->coding_varies = (fits & on) != 0;
	enum coding coding = may && (fits & on) ? coding_choose(&r->head, fits & on) : CODING_identity;
	if (!coding && (!may || coding_choose(&r->head, fits) == CODING_identity))
		return UNCODED_request;
	if (is_personal(r) && !r->location->set.compress_private)
		return UNCODED_private;
	if (!coding)
		return UNCODED_off;
	if (r->master)
		return UNCODED_slices;
	r->coding = (uint8_t)coding;
	r->whole_only = ambiguous;
	return UNCODED_none;
}

/* ---- conditions that pass ---- */

struct slice compress_condition(struct request *r, struct slice value)
{
	const char *pos = value.ptr, *end = value.len ? pos + value.len : pos;
	struct slice tag, plain;
	struct text text;

	if (!codings_on(r->location))
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
