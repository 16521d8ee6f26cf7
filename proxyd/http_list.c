/* Comma-separated lists in field values (RFC 9110 section 5.6.1), and tokens. */
#include "http_parts.h"

bool http_is_token(struct slice text)
{
	const char *end = text.ptr + text.len;

	return text.len > 0 && http_scan_class(text.ptr, end, HTTP_TOKEN) == end;
}

/* A quoted string that does not end keeps the rest of the value: nothing after it can be trusted to be an element. */
static const char *element_end(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end; p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == ',' && !quoted)
			break;
		else if (*p == '\\' && quoted && p + 1 < end)
			p++;
	}
	return p;
}

bool http_value_next(const char **pos, const char *end, struct slice *ret_element)
{
	while (*pos < end) {
		const char *stop = element_end(*pos, end);
		struct slice element = slice_trim(slice_make(*pos, (size_t)(stop - *pos)));

		*pos = stop < end ? stop + 1 : end;
		if (element.len > 0) {
			*ret_element = element;
			return true;
		}
	}
	return false;
}

bool http_list_next(const struct http_head *head, enum http_field id, struct http_list *it, struct slice *ret_element)
{
	if (it->header == 0)
		it->header = head->first[id] ? head->first[id] - 1u : head->header_count;
	for (;;) {
		if (it->pos && http_value_next(&it->pos, it->end, ret_element))
			return true;
		while (it->header < head->header_count && head->headers[it->header].id != id) it->header++;
		if (it->header >= head->header_count)
			return false;
		it->pos = head->headers[it->header].value.ptr;
		it->end = it->pos + head->headers[it->header].value.len;
		it->header++;
	}
}
