/* Comma-separated lists in field values (RFC 9110 section 5.6.1), elements with a quality, and tokens. */
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

/* qvalue in thousandths; -1: none. */
static int parse_q(struct slice text)
{
	int q, unit = 100;

	if (text.len < 1 || text.len > 5 || (text.ptr[0] != '0' && text.ptr[0] != '1') || (text.len > 1 && text.ptr[1] != '.'))
		return -1;
	q = (text.ptr[0] - '0') * HTTP_Q_MAX;
	for (size_t i = 2; i < text.len; i++, unit /= 10) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return -1;
		q += (text.ptr[i] - '0') * unit;
	}
	return q <= HTTP_Q_MAX ? q : -1;
}

bool http_weighted(struct slice element, struct slice *ret_name, unsigned *ret_q)
{
	const char *semicolon = element.len ? memchr(element.ptr, ';', element.len) : NULL;
	struct slice name = element, rest;
	int q = HTTP_Q_MAX;

	if (semicolon) {
		name = slice_trim(slice_make(element.ptr, (size_t)(semicolon - element.ptr)));
		rest = slice_trim(slice_make(semicolon + 1, element.len - (size_t)(semicolon + 1 - element.ptr)));
		if (rest.len < 2 || (rest.ptr[0] | 0x20) != 'q' || rest.ptr[1] != '=')
			return false;
		q = parse_q(slice_make(rest.ptr + 2, rest.len - 2));
	}
	if (q < 0 || !http_is_token(name))
		return false;
	*ret_name = name;
	*ret_q = (unsigned)q;
	return true;
}
