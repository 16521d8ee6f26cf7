/* Vary (RFC 9111 section 4.1): which request fields select among the answers of one URL, and the text that selects. */
#include "http_cache.h"
#include "key_rules.h"

enum { ACCEPT_ITEMS_MAX = 32 };

/* By bytes, upper case as lower. */
static int compare_nocase(struct slice a, struct slice b)
{
	int order = strncasecmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Puts the name in its place; false when there is no room. */
static bool name_insert(struct slice *names, size_t *count, struct slice name)
{
	size_t at = 0, i;

	while (at < *count && compare_nocase(names[at], name) < 0)
		at++;
	if (at < *count && slice_eq_nocase(names[at], name))
		return true;
	if (*count == VARY_NAMES_MAX)
		return false;
	for (i = (*count)++; i > at; i--)
		names[i] = names[i - 1];
	names[at] = name;
	return true;
}

long vary_spec(const struct http_head *response, char *out, size_t size)
{
	struct text_out text = text_out_make(out, size);
	struct slice names[VARY_NAMES_MAX], name;
	struct http_list it = { 0 };
	size_t count = 0;
	bool fits = true;

	while (http_list_next(response, FIELD_vary, &it, &name)) {
		if (slice_eq(name, SLICE("*")) || !http_is_token(name))
			return -1;
		fits = fits && name_insert(names, &count, name);   /* a '*' may still come: look at all */
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_put_char(&text, ',');
		text_put_lower(&text, names[i]);
	}
	return fits && !text.overflowed ? (long)text.len : -2;
}

/* The request's headers of one name that the origin sees, one after the other; *at starts at 0. One that it does not see
 * (Connection names it, nobody trusts it) selects nothing: else a client could file an answer under what it only claims. */
static const struct http_header *header_next(const struct http_head *head, enum http_field id, struct slice name, size_t *at)
{
	while (*at < head->header_count) {
		const struct http_header *h = &head->headers[(*at)++];
		if (!h->dropped && h->id == id && (id != FIELD_other || slice_eq_nocase(h->name, name)))
			return h;
	}
	return NULL;
}

struct accept_item { struct slice name; unsigned q; };

/* Best first; those of one quality by name: their order means nothing. What is said twice is kept once. */
static void accept_insert(struct accept_item *items, size_t *count, struct accept_item item)
{
	size_t at = 0, i;
	int order = 1;

	for (; at < *count; at++) {
		order = items[at].q != item.q ? (items[at].q < item.q) - (items[at].q > item.q) : compare_nocase(items[at].name, item.name);
		if (order >= 0)
			break;
	}
	if (at < *count && order == 0)
		return;
	for (i = (*count)++; i > at; i--)
		items[i] = items[i - 1];
	items[at] = item;
}

static void put_q(struct text_out *text, unsigned q)
{
	char digits[5] = { '.', (char)('0' + q / 100), (char)('0' + q / 10 % 10), (char)('0' + q % 10), 0 };
	size_t len = 4;

	while (len > 1 && digits[len - 1] == '0')
		len--;
	text_put(text, SLICE(";q=0"));
	if (len > 1)
		text_put(text, slice_make(digits, len));
}

/* Accept-Encoding and Accept-Language, in lower case, without q=1, in order of q. False when it is not of that form: then
 * nothing was put. */
static bool put_accept(struct text_out *text, const struct http_head *request, enum http_field id)
{
	struct accept_item items[ACCEPT_ITEMS_MAX], item;
	struct http_list it = { 0 };
	struct slice element;
	size_t count = 0;

	while (http_list_next(request, id, &it, &element)) {
		if (count == ACCEPT_ITEMS_MAX || !http_weighted(element, &item.name, &item.q))
			return false;
		accept_insert(items, &count, item);
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			text_put_char(text, ',');
		text_put_lower(text, items[i].name);
		if (items[i].q < HTTP_Q_MAX)
			put_q(text, items[i].q);
	}
	return true;
}

/* All lines of the field as one list, without white space around the commas. Cookie is no list: its lines are joined as
 * HTTP/2 would (RFC 9113 section 8.2.3), and kept as they are. */
static void put_joined(struct text_out *text, const struct http_head *request, enum http_field id, struct slice name)
{
	const struct http_header *h;
	size_t at = 0, begin = text->len;

	while ((h = header_next(request, id, name, &at))) {
		const char *pos = h->value.ptr, *end = h->value.len > 0 ? pos + h->value.len : pos;
		struct slice element;

		if (id == FIELD_cookie) {
			if (text->len > begin)
				text_put(text, SLICE("; "));
			text_put(text, h->value);
			continue;
		}
		while (http_value_next(&pos, end, &element)) {
			if (text->len > begin)
				text_put_char(text, ',');
			text_put(text, element);
		}
	}
}

/* "name\n" for an absent field, "name=value\n" for one that is there: absent matches absent only. Values have no LF. */
static void put_selector(struct text_out *text, const struct http_head *request, struct slice name)
{
	enum http_field id = http_field_find(name);
	bool is_accept = id == FIELD_accept_encoding || id == FIELD_accept_language;
	size_t at = 0, begin;

	if (name.ptr[0] == ':') {          /* no field's name: a rule of the site's */
		key_put_selector(text, request, name);
		return;
	}
	text_put(text, name);
	if (header_next(request, id, name, &at)) {
		text_put_char(text, '=');
		begin = text->len;
		if (!is_accept || !put_accept(text, request, id)) {
			put_joined(text, request, id, name);
			for (size_t i = begin; is_accept && i < text->len; i++)
				text->ptr[i] = text_lower(text->ptr[i]);
		}
	}
	text_put_char(text, '\n');
}

long vary_text(struct slice spec, const struct http_head *request, char *out, size_t size)
{
	struct text_out text = text_out_make(out, size);
	const char *pos = spec.ptr, *end = spec.len > 0 ? pos + spec.len : pos;
	struct slice name;

	while (http_value_next(&pos, end, &name))
		put_selector(&text, request, name);
	return text.overflowed ? -1 : (long)text.len;
}
