/* What a location's rules leave of a request for the cache's key and for the origin. */
#include "key_rules.h"
#include "http_class.h"

#include <stdlib.h>

/* ---- query ---- */

struct parameter { struct slice text, name; };

/* The next byte of a name as the origin reads it; -1 at its end. */
static int decoded_next(struct slice *text)
{
	if (text->len == 0)
		return -1;
	unsigned char c = (unsigned char)text->ptr[0];
	size_t used = 1;
	if (c == '%' && text->len >= 3 && http_is(text->ptr[1], HTTP_HEX) && http_is(text->ptr[2], HTTP_HEX)) {
		c = (unsigned char)(http_hex_value(text->ptr[1]) << 4 | http_hex_value(text->ptr[2]));
		used = 3;
	} else if (c == '+') {
		c = ' ';
	}
	text->ptr += used;
	text->len -= used;
	return c;
}

static int compare_decoded(struct slice a, struct slice b)
{
	int left, right;

	do {
		left = decoded_next(&a);
		right = decoded_next(&b);
	} while (left == right && left >= 0);
	return left - right;
}

/* "utm%5Fsource" is utm_source to the origin, so it is here. */
static bool matches(struct slice name, struct slice pattern)
{
	bool open = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*';

	for (size_t i = 0; i < pattern.len - open; i++)
		if (decoded_next(&name) != (unsigned char)pattern.ptr[i])
			return false;
	return open || name.len == 0;
}

static bool names_match(const struct conf_names *list, struct slice name)
{
	for (size_t i = 0; i < list->count; i++)
		if (matches(name, list->items[i]))
			return true;
	return false;
}

static bool is_kept(const struct conf_location *location, struct slice name)
{
	return location->key.keep.count ? names_match(&location->key.keep, name) : !names_match(&location->key.ignore, name);
}

/* Where they stand decides between those of one name: their order may mean something. */
static int compare_parameters(const void *a, const void *b)
{
	const struct parameter *left = a, *right = b;
	int order = compare_decoded(left->name, right->name);

	return order ? order : (left->text.ptr > right->text.ptr) - (left->text.ptr < right->text.ptr);
}

static bool has_query_rules(const struct conf_location *location)
{
	return location->key.keep.count || location->key.ignore.count || location->set.cache_key_sort;
}

bool key_query(struct arena *arena, const struct conf_location *location, struct slice query, struct slice *ret_query)
{
	const char *at = query.ptr, *end = query.len ? at + query.len : at;
	size_t count = 0, most = 1;
	struct text text;

	*ret_query = query;
	if (!query.ptr || !location || !has_query_rules(location))
		return true;
	for (size_t i = 0; i < query.len; i++)
		most += query.ptr[i] == '&';
	struct parameter *kept = arena_alloc(arena, most * sizeof(*kept));
	if (!kept)
		return false;
	for (const char *next; at < end; at = next + 1) {
		next = memchr(at, '&', (size_t)(end - at));
		next = next ? next : end;
		struct slice one = slice_make(at, (size_t)(next - at));
		const char *equals = memchr(one.ptr, '=', one.len);
		struct slice name = equals ? slice_make(one.ptr, (size_t)(equals - one.ptr)) : one;
		if (one.len && is_kept(location, name))
			kept[count++] = (struct parameter){ one, name };
	}
	if (location->set.cache_key_sort && count > 1)
		qsort(kept, count, sizeof(*kept), compare_parameters);
	text_init(&text, arena, query.len + 1);
	for (size_t i = 0; i < count; i++) {
		text_add(&text, i ? SLICE("&") : SLICE(""));
		text_add(&text, kept[i].text);
	}
	*ret_query = count ? text_slice(&text) : (struct slice){ NULL, 0 };
	return !text.overflowed;
}

/* ---- cookies ---- */

/* The first cookie of that name; false when there is none. Fields that the origin does not get are read, too: it is we who
 * send what they say. */
static bool cookie_find(const struct http_head *request, struct slice name, struct slice *ret_value)
{
	for (size_t i = 0; i < request->header_count; i++) {
		struct slice rest = request->headers[i].value;
		while (request->headers[i].id == FIELD_cookie && rest.len > 0) {
			const char *semicolon = memchr(rest.ptr, ';', rest.len);
			size_t len = semicolon ? (size_t)(semicolon - rest.ptr) : rest.len;
			struct slice pair = slice_trim(slice_make(rest.ptr, len));
			if (pair.len > name.len && pair.ptr[name.len] == '=' && slice_starts(pair, name)) {
				*ret_value = slice_make(pair.ptr + name.len + 1, pair.len - name.len - 1);
				return true;
			}
			len += semicolon != NULL;
			rest = slice_make(rest.ptr + len, rest.len - len);
		}
	}
	return false;
}

static const struct slice cookie_mark = { ":cookie=", sizeof(":cookie=") - 1 };

struct slice key_cookies(struct arena *arena, const struct conf_location *location, const struct http_head *request)
{
	const char *pos = location->key.selectors.ptr, *end = pos ? pos + location->key.selectors.len : pos;
	struct slice selector, value;
	struct text text;

	text_init(&text, arena, 128);
	while (http_value_next(&pos, end, &selector)) {
		if (!slice_starts(selector, cookie_mark))
			continue;
		struct slice name = slice_make(selector.ptr + cookie_mark.len, selector.len - cookie_mark.len);
		if (!cookie_find(request, name, &value))
			continue;
		text_add(&text, text.len ? SLICE("; ") : SLICE(""));
		text_add(&text, name);
		text_add(&text, SLICE("="));
		text_add(&text, value);
	}
	return text.overflowed ? (struct slice){ NULL, 0 } : text_slice(&text);
}

/* ---- devices ---- */

enum device { DEVICE_phone, DEVICE_tablet, DEVICE_desktop, DEVICE_bot };

static const struct device_class classes[] = {
	[DEVICE_phone] = { { "phone", 5 }, { "Mozilla/5.0 (proxyd; Mobile)", 28 } },
	[DEVICE_tablet] = { { "tablet", 6 }, { "Mozilla/5.0 (proxyd; Tablet)", 28 } },
	[DEVICE_desktop] = { { "desktop", 7 }, { "Mozilla/5.0 (proxyd)", 20 } },
	[DEVICE_bot] = { { "bot", 3 }, { "Mozilla/5.0 (compatible; proxyd; bot)", 37 } },
};

/* In lower case; the first row that is in the User-Agent decides. */
static const struct { const char *word; enum device device; } words[] = {
	{ "cubot", DEVICE_phone },              /* a maker of phones */
	{ "bot", DEVICE_bot },                  /* also those that call themselves phones, to see what phones get */
	{ "crawl", DEVICE_bot }, { "spider", DEVICE_bot }, { "slurp", DEVICE_bot }, { "facebookexternalhit", DEVICE_bot },
	{ "mediapartners", DEVICE_bot }, { "bingpreview", DEVICE_bot }, { "curl/", DEVICE_bot }, { "wget/", DEVICE_bot },
	{ "python-", DEVICE_bot }, { "go-http-client", DEVICE_bot },
	{ "windows nt", DEVICE_desktop },       /* before "tablet": Tablet PC */
	{ "ipad", DEVICE_tablet }, { "tablet", DEVICE_tablet }, { "kindle", DEVICE_tablet }, { "silk/", DEVICE_tablet },
	{ "playbook", DEVICE_tablet },
	{ "mobile", DEVICE_phone }, { "iphone", DEVICE_phone }, { "ipod", DEVICE_phone }, { "windows phone", DEVICE_phone },
	{ "blackberry", DEVICE_phone }, { "bb10", DEVICE_phone }, { "opera mini", DEVICE_phone }, { "opera mobi", DEVICE_phone },
	{ "android", DEVICE_tablet },           /* without "mobile", by its makers' convention */
};

static bool has_word(struct slice text, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i + len <= text.len; i++)
		if (text_lower(text.ptr[i]) == word[0] && strncasecmp(text.ptr + i, word, len) == 0)
			return true;
	return false;
}

const struct device_class *device_class_of(const struct http_head *request)
{
	struct slice agent = http_header_value(request, FIELD_user_agent);

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (has_word(agent, words[i].word))
			return &classes[words[i].device];
	return &classes[DEVICE_desktop];
}

/* ---- all together ---- */

bool key_has_rules(const struct conf_location *location)
{
	return has_query_rules(location) || location->key.selectors.len > 0;
}

void key_put_selector(struct text_out *out, const struct http_head *request, struct slice selector)
{
	struct slice value;
	bool there = true;

	if (slice_starts(selector, cookie_mark))
		there = cookie_find(request, slice_make(selector.ptr + cookie_mark.len, selector.len - cookie_mark.len), &value);
	else
		value = device_class_of(request)->name;
	text_put(out, selector);
	if (there) {
		text_put_char(out, '=');
		text_put(out, value);
	}
	text_put_char(out, '\n');
}

bool key_spec_fits(const struct conf_location *location, struct slice spec)
{
	struct slice own = location->key.selectors;

	if (!slice_starts(spec, own))
		return false;
	if (spec.len == own.len)
		return true;
	if (own.len == 0)
		return spec.ptr[0] != ':';
	return spec.ptr[own.len] == ',' && !(spec.len > own.len + 1 && spec.ptr[own.len + 1] == ':');
}

bool key_replaces(const struct conf_location *location, enum http_field id, bool reduced)
{
	switch (id) {
	case FIELD_x_device_class: return location->set.cache_key_device;
	case FIELD_user_agent: return reduced && location->set.cache_key_device;
	case FIELD_cookie: return reduced && location->key.cookies.count > 0;
	default: return false;
	}
}
