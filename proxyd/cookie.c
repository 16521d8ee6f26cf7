/* Cookie of requests (RFC 6265 section 4.2): only the names are of interest here. */
#include "http_cache.h"

static bool is_named(struct slice pair, const struct slice *names, size_t count)
{
	const char *equals = memchr(pair.ptr, '=', pair.len);
	struct slice name = slice_trim(equals ? slice_make(pair.ptr, (size_t)(equals - pair.ptr)) : pair);

	for (size_t i = 0; i < count; i++)
		if (slice_eq(name, names[i]))
			return true;
	return false;
}

/* A quoted value does not protect a ';' (section 4.1.1 has none in values): every name that any reader of the line could
 * see is seen here, which is the careful side for a cookie that makes a request private. */
static bool value_has(struct slice value, const struct slice *names, size_t count)
{
	while (value.len > 0) {
		const char *semicolon = memchr(value.ptr, ';', value.len);
		size_t len = semicolon ? (size_t)(semicolon - value.ptr) : value.len;

		if (is_named(slice_make(value.ptr, len), names, count))
			return true;
		len += semicolon != NULL;
		value = slice_make(value.ptr + len, value.len - len);
	}
	return false;
}

bool cookie_has(const struct http_head *request, const struct slice *names, size_t count)
{
	size_t first = request->first[FIELD_cookie];

	if (count == 0 || first == 0)
		return false;
	for (size_t i = first - 1; i < request->header_count; i++)
		if (request->headers[i].id == FIELD_cookie && value_has(request->headers[i].value, names, count))
			return true;
	return false;
}
