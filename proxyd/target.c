/* From the request's target to the cache's key and the origin's target. */
#include "target.h"
#include "key_rules.h"

static void add_query(struct text *text, const struct target *target)
{
	if (!target->query.ptr)
		return;
	text_add(text, SLICE("?"));
	text_add(text, target->query);
}

bool target_reduce(struct arena *arena, struct target *target)
{
	return key_query(arena, target->location, target->query, &target->query);
}

void target_add_key(struct text *text, const struct target *target)
{
	struct target reduced = *target;

	if (!target_reduce(text->arena, &reduced)) {
		text->overflowed = true;
		return;
	}
	text_add(text, target->https ? SLICE("https://") : SLICE("http://"));
	text_add(text, target->authority);
	text_add(text, target->path);
	add_query(text, &reduced);
}

static bool is_default_port(struct slice port, bool https)
{
	return port.len == 0 || slice_eq(port, https ? SLICE("443") : SLICE("80"));
}

struct slice target_plain_key(struct slice key, char *room)
{
	bool https = slice_starts(key, SLICE("https://")), changed = false;
	size_t from = https ? 8 : 7, end = from, colon, len;

	while (end < key.len && !memchr("/?*\n", key.ptr[end], 4))
		changed |= key.ptr[end] >= 'A' && key.ptr[end] <= 'Z', end++;
	if (end > key.len)
		return key;
	for (colon = end; colon > from && key.ptr[colon - 1] != ':' && key.ptr[colon - 1] != ']'; colon--)
		;
	/* Behind the colon of a port there are digits; else there is none. */
	bool has_port = colon > from && key.ptr[colon - 1] == ':';
	size_t host_end = has_port ? colon - 1 : end, rest = end;
	if (has_port && !is_default_port(slice_make(key.ptr + colon, end - colon), https))
		rest = host_end;
	else
		changed |= has_port;
	if (host_end > from && key.ptr[host_end - 1] == '.') {
		host_end--;
		changed = true;
	}
	if (!changed)
		return key;
	memcpy(room, key.ptr, from);
	for (len = from; len < host_end; len++)
		room[len] = (char)(key.ptr[len] >= 'A' && key.ptr[len] <= 'Z' ? key.ptr[len] | 0x20 : key.ptr[len]);
	memcpy(room + len, key.ptr + rest, key.len - rest);
	return slice_make(room, len + key.len - rest);
}

/* Bytes that a path has as they are (RFC 3986 section 3.3: pchar and '/'); all others are percent-encoded. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~!$&'()*+,;=:@/", c));
}

static void add_encoded(struct text *text, struct slice path)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t from = 0;

	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.ptr[i];
		if (is_plain(c))
			continue;
		char escape[3] = { '%', hex[c >> 4], hex[c & 15] };
		text_add(text, slice_make(path.ptr + from, i - from));
		text_add(text, slice_make(escape, 3));
		from = i + 1;
	}
	text_add(text, slice_make(path.ptr + from, path.len - from));
}

void target_add_origin(struct text *text, const struct conf_location *location, const struct target *target)
{
	bool by_regex = location->match == CONF_MATCH_regex || location->match == CONF_MATCH_regex_nocase;

	if (location->proxy_path.ptr && !by_regex && slice_starts(target->normal, location->pattern)) {
		struct slice rest = target->normal;
		rest.ptr += location->pattern.len;
		rest.len -= location->pattern.len;
		text_add(text, location->proxy_path);
		add_encoded(text, rest);
	} else {
		text_add(text, target->path);
	}
	add_query(text, target);
}
