/* Range requests. */
#include "http_range.h"
#include "http_cache.h"

/* Digits; a number that does not fit is beyond any body. */
static uint64_t take_number(const char **pos, const char *end, bool *ret_any)
{
	uint64_t number = 0;
	const char *from = *pos;

	for (; *pos < end && **pos >= '0' && **pos <= '9'; (*pos)++)
		number = number > (UINT64_MAX - 9) / 10 ? UINT64_MAX : number * 10 + (uint64_t)(**pos - '0');
	*ret_any = *pos > from;
	return number;
}

/* One range-spec. False: malformed. *ret_within: some of it lies in the body. */
static bool take_spec(struct slice spec, uint64_t size, struct byte_range *ret_range, bool *ret_within)
{
	const char *pos = spec.ptr, *end = spec.ptr + spec.len;
	bool has_from, has_to;
	uint64_t from = take_number(&pos, end, &has_from);

	if (pos == end || *pos++ != '-')
		return false;
	uint64_t to = take_number(&pos, end, &has_to);
	if (pos != end || (!has_from && !has_to) || (has_from && has_to && to < from))
		return false;
	if (!has_from) {
		*ret_within = to > 0 && size > 0;
		*ret_range = (struct byte_range){ to < size ? size - to : 0, size - 1 };
	} else {
		*ret_within = from < size;
		*ret_range = (struct byte_range){ from, !has_to || to >= size ? size - 1 : to };
	}
	return true;
}

/* Many small or overlapping ranges cost more than the whole, and are how servers are made to work for nothing. */
static bool is_worth_it(const struct byte_range *ranges, size_t count, uint64_t size)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++) {
		total += ranges[i].to - ranges[i].from + 1;
		for (size_t j = 0; j < i; j++)
			if (ranges[i].from <= ranges[j].to && ranges[j].from <= ranges[i].to)
				return false;
	}
	return count == 1 || total < size;
}

struct range_asked range_ask(struct slice value)
{
	struct slice unit = SLICE("bytes="), spec;
	struct range_asked asked = { ASKED_none, 0, 0 };
	size_t specs = 0;

	if (value.len < unit.len || !slice_eq_nocase(slice_make(value.ptr, unit.len), unit))
		return asked;
	const char *pos = value.ptr + unit.len, *end = value.ptr + value.len;
	while (http_value_next(&pos, end, &spec)) {
		const char *at = spec.ptr, *stop = spec.ptr + spec.len;
		bool has_from, has_to;
		struct range_asked one = { ASKED_from_to, take_number(&at, stop, &has_from), 0 };

		if (at == stop || *at++ != '-')
			return (struct range_asked){ ASKED_none, 0, 0 };
		one.to = take_number(&at, stop, &has_to);
		if (at != stop || (!has_from && !has_to) || (has_from && has_to && one.to < one.from))
			return (struct range_asked){ ASKED_none, 0, 0 };
		one.kind = !has_from ? ASKED_last : has_to ? ASKED_from_to : ASKED_from;
		if (specs++ == 0)
			asked = one;
	}
	if (specs > 1)
		asked = (struct range_asked){ ASKED_several, asked.kind == ASKED_last ? 0 : asked.from, 0 };
	return asked;
}

bool content_range_parse(struct slice value, struct content_range *ret_range)
{
	const struct slice unit = SLICE("bytes ");
	const char *pos = value.ptr + unit.len, *end = value.ptr + value.len;
	bool any;

	if (value.len <= unit.len || !slice_eq_nocase(slice_make(value.ptr, unit.len), unit))
		return false;
	ret_range->from = take_number(&pos, end, &any);
	if (!any || pos == end || *pos++ != '-')
		return false;
	ret_range->to = take_number(&pos, end, &any);
	if (!any || pos == end || *pos++ != '/' || ret_range->to < ret_range->from || ret_range->to >= UINT64_MAX - 1)
		return false;
	if (end - pos == 1 && *pos == '*') {
		ret_range->total = UINT64_MAX;
		return true;
	}
	ret_range->total = take_number(&pos, end, &any);
	return any && pos == end && ret_range->total > ret_range->to && ret_range->total != UINT64_MAX;
}

enum range_answer range_parse(struct slice value, uint64_t size, struct byte_range ranges[RANGES_MAX], size_t *ret_count)
{
	struct slice unit = SLICE("bytes="), spec;
	const char *pos, *end;
	size_t count = 0, specs = 0;

	*ret_count = 0;
	if (value.len < unit.len || !slice_eq_nocase(slice_make(value.ptr, unit.len), unit))
		return RANGE_whole;
	pos = value.ptr + unit.len;
	end = value.ptr + value.len;
	while (http_value_next(&pos, end, &spec)) {
		struct byte_range range;
		bool within;
		if (!take_spec(spec, size, &range, &within))
			return RANGE_whole;
		specs++;
		if (!within)
			continue;
		if (count == RANGES_MAX)
			return RANGE_whole;
		ranges[count++] = range;
	}
	if (specs == 0)
		return RANGE_whole;
	if (count == 0)
		return RANGE_unsatisfiable;
	if (!is_worth_it(ranges, count, size))
		return RANGE_whole;
	*ret_count = count;
	return RANGE_parts;
}

bool if_range_holds(const struct http_head *request, struct slice etag, struct slice last_modified, int64_t date_us, int64_t now_us)
{
	const struct http_header *h = http_header_get(request, FIELD_if_range);

	if (!h)
		return true;
	if (request->times[FIELD_if_range] > 1)
		return false;
	if (h->value.len && h->value.ptr[0] == '"')
		return slice_eq(h->value, etag);
	int64_t asked = http_parse_date(h->value, now_us), modified = http_parse_date(last_modified, now_us);
	return asked != -1 && asked == modified && date_us != -1 && date_us - modified >= 1000000;
}
