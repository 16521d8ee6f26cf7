/* Cache-Tag and Surrogate-Key. */
#include "tags.h"
#include "text_out.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts at `separator`, and at blanks when there is none; blanks around a tag are not its own. */
static void add_split(struct text *text, struct slice value, char separator)
{
	const char *at = value.ptr, *end = at + value.len;

	while (at < end) {
		const char *from = at, *to;

		while (at < end && !(separator ? *at == separator : is_blank(*at)))
			at++;
		to = at++;
		while (from < to && is_blank(*from))
			from++;
		while (from < to && is_blank(to[-1]))
			to--;
		if (from < to) {
			text_add(text, slice_make(from, (size_t)(to - from)));
			text_add(text, SLICE("\n"));
		}
	}
}

bool tags_are_in(const struct http_head *head)
{
	return head->times[FIELD_cache_tag] || head->times[FIELD_surrogate_key];
}

bool tags_of(struct arena *arena, const struct http_head *head, struct slice *ret_tags)
{
	struct text text;

	*ret_tags = (struct slice){ NULL, 0 };
	if (!tags_are_in(head))
		return true;
	text_init(&text, arena, 512);
	for (size_t i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];

		if (h->id == FIELD_cache_tag)
			add_split(&text, h->value, ',');
		else if (h->id == FIELD_surrogate_key)
			add_split(&text, h->value, 0);
	}
	if (text.overflowed)
		return false;
	*ret_tags = text_slice(&text);
	return true;
}

void tags_hide(const struct http_head *head)
{
	for (size_t i = 0; i < head->header_count; i++)
		if (head->headers[i].id == FIELD_cache_tag || head->headers[i].id == FIELD_surrogate_key)
			head->headers[i].dropped = true;
}

bool tags_next(struct slice tags, size_t *pos, struct slice *ret_tag)
{
	const char *end = *pos < tags.len ? memchr(tags.ptr + *pos, '\n', tags.len - *pos) : NULL;

	if (!end)
		return false;
	*ret_tag = slice_make(tags.ptr + *pos, (size_t)(end - tags.ptr) - *pos);
	*pos = (size_t)(end + 1 - tags.ptr);
	return true;
}
