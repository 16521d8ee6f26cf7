/* Cache-Status as a list member of Structured Fields: an item with parameters (RFC 8941 section 4.1). */
#include "cache_status.h"
#include "text_out.h"

static const struct slice fwd_words[FWD_COUNT] = {
#define X(name, word, doc) [FWD_##name] = { word, sizeof(word) - 1 },
	CACHE_FWDS(X)
#undef X
};

static bool is_alpha(char c)
{
	return text_lower(c) >= 'a' && text_lower(c) <= 'z';
}

/* A token of Structured Fields: narrower at its start and wider in the rest than HTTP's. */
static bool is_sf_token(struct slice text)
{
	if (text.len == 0 || !(is_alpha(text.ptr[0]) || text.ptr[0] == '*'))
		return false;
	for (size_t i = 1; i < text.len; i++)
		if (!is_alpha(text.ptr[i]) && !(text.ptr[i] && strchr("0123456789!#$%&'*+-.^_`|~:/", text.ptr[i])))
			return false;
	return true;
}

/* As a token where it is one, else as a string; a string has printable ASCII only. */
static void put_item(struct text_out *out, struct slice text)
{
	size_t begin = out->len;

	if (is_sf_token(text)) {
		text_put(out, text);
		return;
	}
	text_put_quoted(out, text);
	for (size_t i = begin; i < out->len; i++)
		if (out->ptr[i] < ' ' || out->ptr[i] > '~')
			out->ptr[i] = '?';
}

static void put_number(struct text_out *out, struct slice parameter, int64_t number)
{
	text_put(out, parameter);
	text_put_number(out, number);
}

size_t cache_status_write(const struct cache_status *status, char *out, size_t size)
{
	struct text_out text = text_out_make(out, size);

	put_item(&text, status->name.len > 0 ? status->name : SLICE("proxyd"));
	if (status->hit) {
		text_put(&text, SLICE("; hit"));
	} else if (status->fwd != FWD_none) {
		text_put(&text, SLICE("; fwd="));
		text_put(&text, fwd_words[status->fwd]);
		if (status->fwd_status > 0)
			put_number(&text, SLICE("; fwd-status="), status->fwd_status);
		if (status->stored)
			text_put(&text, SLICE("; stored"));
		if (status->collapsed)
			text_put(&text, SLICE("; collapsed"));
	}
	if (status->has_ttl)
		put_number(&text, SLICE("; ttl="), status->ttl_s);
	if (status->detail.len > 0) {
		text_put(&text, SLICE("; detail="));
		put_item(&text, status->detail);
	}
	return text.overflowed ? 0 : text.len;
}
