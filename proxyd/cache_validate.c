/* Conditional requests answered from the store (RFC 9110 section 13, RFC 9111 section 4.3.2). */
#include "http_cache.h"

/* An entity-tag as it stands: the opaque part with its quotes. A tag that breaks the grammar (unquoted, lower-case w/) is
 * compared by its bytes: it matches only what is written just so. */
struct etag { struct slice opaque; bool weak; };

static struct etag etag_read(struct slice text)
{
	if (text.len >= 3 && text.ptr[0] == 'W' && text.ptr[1] == '/' && text.ptr[2] == '"')
		return (struct etag){ slice_make(text.ptr + 2, text.len - 2), true };
	return (struct etag){ text, false };
}

/* The next tag of a list. Not http_value_next: in a tag a backslash is a byte like others (RFC 9110 section 8.8.3). */
static bool etag_next(const char **pos, const char *end, struct slice *ret_tag)
{
	const char *begin = *pos, *at, *quote;

	while (begin < end && (*begin == ',' || *begin == ' ' || *begin == '\t'))
		begin++;
	if (begin >= end)
		return false;
	at = begin + (end - begin >= 3 && begin[0] == 'W' && begin[1] == '/' ? 2 : 0);
	if (*at == '"' && (quote = memchr(at + 1, '"', (size_t)(end - at - 1))))
		at = quote + 1;
	while (at < end && *at != ',')
		at++;
	*pos = at;
	*ret_tag = slice_trim(slice_make(begin, (size_t)(at - begin)));
	return true;
}

/* Is one of the field's tags that of the stored answer? Weak comparison leaves the W/ out of it; a strong one fails when
 * either is weak (section 8.8.3.2). "*" is any. */
static bool etags_match(const struct http_head *request, enum http_field id, struct slice stored, bool weak)
{
	struct etag have = etag_read(stored), each;

	for (size_t i = request->first[id] - 1u; i < request->header_count; i++) {
		const struct http_header *h = &request->headers[i];
		const char *pos = h->value.ptr, *end = h->value.len > 0 ? pos + h->value.len : pos;
		struct slice tag;

		if (h->id != id)
			continue;
		while (etag_next(&pos, end, &tag)) {
			each = etag_read(tag);
			if (slice_eq(tag, SLICE("*")))
				return true;
			if (stored.len > 0 && slice_eq(each.opaque, have.opaque) && (weak || (!each.weak && !have.weak)))
				return true;
		}
	}
	return false;
}

/* The date of a condition; -1 when the field does not count: more than one, or no date (sections 13.1.3 and 13.1.4). */
static int64_t condition_date(const struct http_head *request, enum http_field id, int64_t now_us)
{
	return request->times[id] == 1 ? http_parse_date(http_header_value(request, id), now_us) : -1;
}

/* The order is that of section 13.2.2. */
enum precondition cache_precondition(const struct http_head *request, struct slice etag, struct slice last_modified, int64_t now_us)
{
	int64_t modified = last_modified.len > 0 ? http_parse_date(last_modified, now_us) : -1, since;

	if (http_header_get(request, FIELD_if_match)) {
		if (!etags_match(request, FIELD_if_match, etag, false))
			return PRECONDITION_failed;
	} else if ((since = condition_date(request, FIELD_if_unmodified_since, now_us)) != -1) {
		if (modified == -1 || modified > since)
			return PRECONDITION_failed;
	}
	if (request->method != METHOD_GET && request->method != METHOD_HEAD)
		return PRECONDITION_none;
	if (http_header_get(request, FIELD_if_none_match))
		return etags_match(request, FIELD_if_none_match, etag, true) ? PRECONDITION_not_modified : PRECONDITION_send;
	since = condition_date(request, FIELD_if_modified_since, now_us);
	if (since == -1)
		return PRECONDITION_none;
	return modified != -1 && modified <= since ? PRECONDITION_not_modified : PRECONDITION_send;
}
