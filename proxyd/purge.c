/* Purge orders, and the key of a URL. */
#include "purge.h"

#include <stdio.h>

#include "http_head.h"
#include "target.h"
#include "../conf/check.h"

void purge_begin(struct purge_order *order, void (*done)(struct purge_order *order))
{
	order->done = done;
	atomic_init(&order->open, 1);
	atomic_init(&order->objects, 0);
	atomic_init(&order->err, STORE_OK);
}

static void settle(struct purge_order *order, enum store_err err, uint64_t objects)
{
	int none = STORE_OK;

	if (err != STORE_OK)
		atomic_compare_exchange_strong(&order->err, &none, (int)err);
	atomic_fetch_add(&order->objects, objects);
	if (atomic_fetch_sub(&order->open, 1) == 1)
		order->done(order);
}

static void counted(void *arg, enum store_err err, uint64_t objects)
{
	settle(arg, err, objects);
}

void purge_add(struct purge_order *order, struct volume *volume, const struct store_purge *purge)
{
	enum store_err err;

	atomic_fetch_add(&order->open, 1);
	if ((err = volume_purge(volume, purge, counted, order)) != STORE_OK)
		settle(order, err, 0);
}

void purge_end(struct purge_order *order)
{
	settle(order, STORE_OK, 0);
}

bool purge_key_of_url(struct slice url, char out[PURGE_KEY_ROOM], struct slice *ret_text, const char **why)
{
	char request[2 * PURGE_URL_MAX + 64];
	struct http_header headers[4];
	struct http_head head = { 0 };
	enum refusal refusal = REFUSAL_none;
	struct http_limits limits = { sizeof(request), sizeof(request), COUNT_OF(headers) };
	struct arena arena;
	struct text text;
	bool https = slice_starts(url, SLICE("https://"));
	struct slice authority = slice_make(url.ptr + (https ? 8 : 7), 0);

	*why = "a URL begins with http:// or https://";
	if ((!https && !slice_starts(url, SLICE("http://"))) || url.len > PURGE_URL_MAX)
		return false;
	while (authority.ptr + authority.len < url.ptr + url.len && !memchr("/?#", authority.ptr[authority.len], 3))
		authority.len++;
	int len = snprintf(request, sizeof(request), "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", SLICE_ARG(url), SLICE_ARG(authority));
	if (http_parse_request(request, (size_t)len, 0, &limits, headers, &head, &refusal) != len) {
		*why = refusal ? refusal_rows[refusal].doc : "this is no URL";
		return false;
	}
	const struct target target = { .https = https, .authority = head.authority, .path = head.path, .query = head.query };
	arena_init(&arena);
	text_init(&text, &arena, PURGE_KEY_ROOM);
	target_add_key(&text, &target);
	bool fits = !text.overflowed && text.len <= PURGE_KEY_ROOM;
	if (fits) {
		*ret_text = target_plain_key(text_slice(&text), out);
		memmove(out, ret_text->ptr, ret_text->len);
		ret_text->ptr = out;
	} else {
		*why = "the URL is too long";
	}
	arena_release(&arena);
	return fits;
}
