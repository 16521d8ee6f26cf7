/* Reading and adding to Via and CDN-Loop. */
#include "via.h"
#include "forwarding.h"

/* The next header of a field, from *at on; *at starts at 0. */
static const struct http_header *line_next(const struct http_head *head, enum http_field id, size_t *at)
{
	if (!head->first[id])
		return NULL;
	if (*at < head->first[id] - 1u)
		*at = head->first[id] - 1u;
	while (*at < head->header_count) {
		const struct http_header *h = &head->headers[(*at)++];
		if (h->id == id && h->value.len > 0)
			return h;
	}
	return NULL;
}

/* Ours, as it is written: a token, bounded. */
static struct slice self_token(struct slice self, char buf[FORWARDING_SELF_MAX])
{
	size_t len = self.len < FORWARDING_SELF_MAX ? self.len : FORWARDING_SELF_MAX;

	for (size_t i = 0; i < len; i++)
		buf[i] = http_is_token(slice_make(self.ptr + i, 1)) ? self.ptr[i] : '-';
	return len > 0 ? slice_make(buf, len) : SLICE("proxyd");
}

/* Elements of one Via value. Commas in a comment do not part them; a comment that does not end keeps the rest. */
static unsigned count_elements(struct slice value)
{
	unsigned count = 0, depth = 0;
	bool in_element = false;

	for (size_t i = 0; i < value.len; i++) {
		char c = value.ptr[i];
		if (c == '\\' && depth > 0) {
			i++;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && depth > 0) {
			depth--;
		} else if (c == ',' && depth == 0) {
			in_element = false;
		} else if (c != ' ' && c != '\t' && depth == 0 && !in_element) {
			in_element = true;
			count++;
		}
	}
	return count;
}

unsigned via_hops(const struct http_head *request)
{
	const struct http_header *h;
	unsigned hops = 0;

	for (size_t at = 0; (h = line_next(request, FIELD_via, &at));)
		hops += count_elements(h->value);
	return hops;
}

/* The first word of the text; *text is what follows. */
static struct slice take_word(struct slice *text, const char *stops)
{
	struct slice word = slice_trim(*text);
	size_t len = 0;

	while (len < word.len && !(word.ptr[len] && strchr(stops, word.ptr[len])))
		len++;
	*text = slice_make(word.ptr + len, word.len - len);
	return slice_make(word.ptr, len);
}

/* Cut at every comma, in comments and quotes too: no unbalanced quote or bracket may hide our name from us. */
static bool line_names(struct slice value, enum http_field id, struct slice self)
{
	while (value.len > 0) {
		const char *comma = memchr(value.ptr, ',', value.len);
		size_t len = comma ? (size_t)(comma - value.ptr) : value.len;
		struct slice element = slice_make(value.ptr, len);

		if (id == FIELD_via)
			take_word(&element, " \t");            /* received-protocol */
		if (slice_eq_nocase(take_word(&element, " \t;("), self))
			return true;
		len += comma != NULL;
		value = slice_make(value.ptr + len, value.len - len);
	}
	return false;
}

bool via_names(const struct http_head *request, struct slice self)
{
	static const enum http_field ids[] = { FIELD_via, FIELD_cdn_loop };
	char buf[FORWARDING_SELF_MAX];
	const struct http_header *h;

	if (!request->first[FIELD_via] && !request->first[FIELD_cdn_loop])
		return false;
	self = self_token(self, buf);
	for (size_t i = 0; i < COUNT_OF(ids); i++)
		for (size_t at = 0; (h = line_next(request, ids[i], &at));)
			if (line_names(h->value, ids[i], self))
				return true;
	return false;
}

struct slice via_put(struct text_out *out, const struct http_head *request, enum http_field id, struct slice self)
{
	const struct http_header *h;
	char buf[FORWARDING_SELF_MAX];
	size_t begin = out->len;

	for (size_t at = 0; (h = line_next(request, id, &at));) {
		text_put(out, h->value);
		text_put(out, SLICE(", "));
	}
	if (id == FIELD_via)
		text_put(out, request->http_2 ? SLICE("2.0 ") : request->minor == 0 ? SLICE("1.0 ") : SLICE("1.1 "));
	text_put(out, self_token(self, buf));
	return text_since(out, begin);
}

size_t via_room(const struct http_head *request)
{
	size_t room = 2 * FORWARDING_SELF_MAX + sizeof "1.1 ", at;
	const struct http_header *h;

	for (at = 0; (h = line_next(request, FIELD_via, &at));)
		room += h->value.len + 2;
	for (at = 0; (h = line_next(request, FIELD_cdn_loop, &at));)
		room += h->value.len + 2;
	return room;
}
