/* Content codings: the choice for a client, entity tags, types. */
#include "coding.h"

enum { ELEMENTS_MAX = 64 };

static const struct slice tokens[CODING_COUNT] = {
	[CODING_identity] = { "", 0 },
#define CODING(name, token, word) [CODING_##name] = { token, sizeof(token) - 1 },
	CODINGS(CODING)
#undef CODING
};

struct slice coding_token(enum coding coding)
{
	return tokens[coding];
}

struct wishes { int q[CODING_COUNT]; int any; };      /* thousandths; -1: not said */

/* What is said twice counts by its lower quality: nobody gets a coding that one place refuses. */
static void wish(int *slot, int q)
{
	if (*slot < 0 || q < *slot)
		*slot = q;
}

static void take_element(struct wishes *wishes, struct slice element)
{
	struct slice name;
	unsigned weight;

	if (!http_weighted(element, &name, &weight))
		return;
	int q = (int)weight;
	if (slice_eq(name, SLICE("*")))
		wish(&wishes->any, q);
	else if (slice_eq_nocase(name, SLICE("identity")))
		wish(&wishes->q[CODING_identity], q);
	else if (slice_eq_nocase(name, SLICE("x-gzip")))
		wish(&wishes->q[CODING_gzip], q);
	for (int i = CODING_identity + 1; i < CODING_COUNT; i++)
		if (slice_eq_nocase(name, tokens[i]))
			wish(&wishes->q[i], q);
}

enum coding coding_choose(const struct http_head *request, unsigned offered)
{
	struct wishes wishes = { .any = -1 };
	struct http_list it = { 0 };
	struct slice element;
	enum coding best = CODING_identity;
	int best_q = 0;

	for (int i = 0; i < CODING_COUNT; i++)
		wishes.q[i] = -1;
	for (size_t i = 0; i < ELEMENTS_MAX && http_list_next(request, FIELD_accept_encoding, &it, &element); i++)
		take_element(&wishes, element);
	for (int i = CODING_identity + 1; i < CODING_COUNT; i++) {
		int q = wishes.q[i] >= 0 ? wishes.q[i] : wishes.any;
		if ((offered & 1u << i) && q > best_q) {
			best = (enum coding)i;
			best_q = q;
		}
	}
	return best_q < wishes.q[CODING_identity] ? CODING_identity : best;
}

/* ---- entity tags ---- */

/* The tag with its quotes, without W/. Empty: it is none. */
static struct slice opaque_of(struct slice etag)
{
	if (etag.len >= 2 && etag.ptr[0] == 'W' && etag.ptr[1] == '/')
		etag = slice_make(etag.ptr + 2, etag.len - 2);
	return etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"' ? etag : (struct slice){ NULL, 0 };
}

struct slice coding_tag(struct slice etag, enum coding coding, char *out)
{
	struct slice opaque = opaque_of(etag), token = tokens[coding];
	char *at = out;

	if (!opaque.len)
		return (struct slice){ NULL, 0 };
	memcpy(at, "W/", 2);
	memcpy(at + 2, opaque.ptr, opaque.len - 1);
	at += 2 + opaque.len - 1;
	*at++ = '-';
	memcpy(at, token.ptr, token.len);
	at += token.len;
	*at++ = '"';
	return slice_make(out, (size_t)(at - out));
}

bool coding_tag_plain(struct slice etag, char *out, struct slice *ret_tag)
{
	struct slice opaque = opaque_of(etag);

	if (opaque.len == etag.len)        /* ours are weak */
		return false;
	for (int i = CODING_identity + 1; i < CODING_COUNT; i++) {
		size_t more = tokens[i].len + 2;           /* -token" */
		if (opaque.len <= more || opaque.ptr[opaque.len - more] != '-' || memcmp(opaque.ptr + opaque.len - more + 1, tokens[i].ptr, tokens[i].len) != 0)
			continue;
		memcpy(out, etag.ptr, etag.len - more);
		out[etag.len - more] = '"';
		*ret_tag = slice_make(out, etag.len - more + 1);
		return true;
	}
	return false;
}

/* ---- types ---- */

static const struct slice usual[] = {
#define TYPE(text) { text, sizeof(text) - 1 }
	TYPE("text/*"), TYPE("application/json"), TYPE("application/javascript"), TYPE("application/xml"), TYPE("application/ld+json"),
	TYPE("application/manifest+json"), TYPE("application/rss+xml"), TYPE("application/atom+xml"), TYPE("application/xhtml+xml"),
	TYPE("application/geo+json"), TYPE("application/problem+json"), TYPE("application/graphql-response+json"), TYPE("application/x-ndjson"),
	TYPE("application/x-javascript"), TYPE("application/wasm"), TYPE("application/vnd.ms-fontobject"), TYPE("application/yaml"),
	TYPE("image/svg+xml"), TYPE("image/bmp"), TYPE("image/x-icon"), TYPE("image/vnd.microsoft.icon"), TYPE("font/ttf"), TYPE("font/otf"),
#undef TYPE
};

static bool type_is(struct slice type, struct slice row)
{
	if (slice_eq(row, SLICE("*")))
		return true;
	if (row.len >= 2 && row.ptr[row.len - 1] == '*')
		return type.len >= row.len && slice_eq_nocase(slice_make(type.ptr, row.len - 1), slice_make(row.ptr, row.len - 1));
	return slice_eq_nocase(type, row);
}

bool coding_type_fits(struct slice type, const struct slice *list, size_t count)
{
	const char *semicolon = type.len ? memchr(type.ptr, ';', type.len) : NULL;

	if (semicolon)
		type = slice_trim(slice_make(type.ptr, (size_t)(semicolon - type.ptr)));
	if (!type.len)
		return false;
	if (slice_eq_nocase(type, SLICE("text/html")))
		return true;
	for (size_t i = 0; i < (count ? count : COUNT_OF(usual)); i++)
		if (type_is(type, count ? list[i] : usual[i]))
			return true;
	return false;
}
