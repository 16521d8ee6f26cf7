/* The head that goes to the origin: the client's fields less the hop-by-hop and forwarding ones, our own, and what the
 * configuration sets. */
#include "compress.h"
#include "request.h"
#include "key_rules.h"
#include "tls_front.h"
#include "joint.h"
#include "slices.h"

#include <stdio.h>

enum { FORWARDING_LOGGED = 3 };            /* X-Forwarded-For, -Proto and -Host: the column fwd_sent */

/* What the cache asks for is the whole, unconditional answer, whatever this client has already; or the client's range, then
 * with the client's conditions unless it has conditions of its own. */
static bool is_left_out(const struct request *r, enum http_field id)
{
	switch (id) {
	case FIELD_if_none_match: case FIELD_if_modified_since: case FIELD_if_match: case FIELD_if_unmodified_since:
		return !r->ranged || r->stale || r->part || r->slicing;
	case FIELD_range: case FIELD_if_range:
		return !r->ranged || r->part || r->slicing;
	default:
		return false;
	}
}

static bool is_set_by_config(const struct request *r, struct slice name)
{
	for (size_t i = 0; i < r->location->set_header_count; i++)
		if (slice_eq_nocase(r->location->set_headers[i].name, name))
			return true;
	return false;
}

/* What the configuration makes of a field that it sets: anything, or its removal. */
static bool config_sends(struct request *r, struct slice name)
{
	for (size_t i = 0; i < r->location->set_header_count; i++)
		if (slice_eq_nocase(r->location->set_headers[i].name, name) && request_expand(r, &r->location->set_headers[i].value).len)
			return true;
	return false;
}

/* What says who the client is, by its certificate, comes from us, or from a proxy that is trusted (RFC 9440 section 2.4). */
static bool is_claimed_cert(const struct request *r, enum http_field id)
{
	if (id != FIELD_client_cert && id != FIELD_client_cert_chain)
		return false;
	return r->server->tls.verify != CONF_VERIFY_off || !conf_is_trusted(r->server, (const struct sockaddr *)&r->peer);
}

/* Fields that are never the client's: they name the connection, the way, or are written by ourselves. */
static bool is_ours(const struct request *r, enum http_field id)
{
	return key_replaces(r->location, id, r->reduced) || (http_field_flags(id) & (HTTP_HOP | HTTP_FWD)) || id == FIELD_host || id == FIELD_content_length || id == FIELD_expect
		|| id == FIELD_via || id == FIELD_cdn_loop || id == FIELD_max_forwards || id == FIELD_x_request_id || is_claimed_cert(r, id);
}

/* To an origin that speaks CGI or WSGI, X_Forwarded_For is the same variable as X-Forwarded-For: what is ours is ours in
 * this notation, too. */
static bool is_forged(const struct request *r, const struct http_header *h)
{
	char dashed[64];

	if (h->id != FIELD_other || h->name.len > sizeof(dashed) || !memchr(h->name.ptr, '_', h->name.len))
		return false;
	for (size_t i = 0; i < h->name.len; i++)
		dashed[i] = (char)(h->name.ptr[i] == '_' ? '-' : h->name.ptr[i]);
	struct slice name = slice_make(dashed, h->name.len);
	return is_ours(r, http_field_find(name)) || is_set_by_config(r, name);
}

static bool is_passed_on(const struct request *r, const struct http_header *h)
{
	enum http_field id = (enum http_field)h->id;

	if (h->dropped || is_ours(r, id) || is_forged(r, h))
		return false;
	if (r->use_cache && r->may_store && is_left_out(r, id))
		return false;
	return !is_set_by_config(r, h->name);
}

static void add_validators(struct text *text, struct request *r)
{
	struct stored_view view;

	if (!r->stale || !stored_read(object_head(r->stale), &view))
		return;
	if (view.etag.len)
		text_add_field(text, SLICE("If-None-Match"), view.etag);
	if (view.last_modified.len)
		text_add_field(text, SLICE("If-Modified-Since"), view.last_modified);
	r->revalidating = view.etag.len || view.last_modified.len;
}

static void add_tls(struct text *text, const struct request *r)
{
	const struct tls_peer *peer = r->tls_peer;

	if (peer && peer->der.len && !peer->error.len && r->server->tls.verify != CONF_VERIFY_off && !is_set_by_config(r, SLICE("client-cert")))
		text_add_field(text, SLICE("Client-Cert"), peer->der);
	/* RFC 8470 section 5.1: of a request that may be a copy the origin has to know it. */
	if (r->log.tls_early && !http_header_get(&r->head, FIELD_early_data))
		text_add_field(text, SLICE("Early-Data"), SLICE("1"));
}

/* What the key has of cookies and of User-Agent. */
static void add_key_fields(struct text *text, struct request *r)
{
	const struct device_class *device = device_class_of(&r->head);
	bool by_device = r->location->set.cache_key_device;

	if (by_device && !is_set_by_config(r, SLICE("x-device-class")))
		text_add_field(text, SLICE("X-Device-Class"), device->name);
	if (by_device && r->reduced && !is_set_by_config(r, SLICE("user-agent")))
		text_add_field(text, SLICE("User-Agent"), device->agent);
	if (r->location->key.cookies.count && r->reduced && !is_set_by_config(r, SLICE("cookie"))) {
		struct slice cookies = key_cookies(&r->arena, r->location, &r->head);
		if (cookies.len)
			text_add_field(text, SLICE("Cookie"), cookies);
	}
}

static void add_forwarding(struct text *text, struct request *r)
{
	struct forwarding_input input = request_forwarding_input(r);
	size_t room = forwarding_room(&input, &r->forwarding);
	char *buf = arena_alloc(&r->arena, room);

	if (!buf || !forwarding_write(&input, buf, room, &r->forwarding)) {
		text->overflowed = true;
		return;
	}
	const struct forwarding *f = &r->forwarding;
	const struct { struct slice name, value; } ours[] = {
		{ SLICE("X-Forwarded-For"), f->x_forwarded_for }, { SLICE("X-Forwarded-Proto"), f->proto },
		{ SLICE("X-Forwarded-Host"), f->host }, { SLICE("X-Real-IP"), f->client }, { SLICE("Forwarded"), f->forwarded },
		{ SLICE("Via"), f->via }, { SLICE("CDN-Loop"), f->cdn_loop },
	};

	r->log.fwd_sent = true;
	for (size_t i = 0; i < COUNT_OF(ours); i++) {
		bool configured = is_set_by_config(r, ours[i].name);
		if (ours[i].value.len && !configured)
			text_add_field(text, ours[i].name, ours[i].value);
		if (i < FORWARDING_LOGGED && !(configured ? config_sends(r, ours[i].name) : ours[i].value.len > 0))
			r->log.fwd_sent = false;
	}
}

/* Fields that frame the message or name the connection are ours, whatever the configuration says; and so is Range, when it is
 * we who ask for one. */
static bool may_be_set(const struct request *r, struct slice name)
{
	enum http_field id = http_field_find(name);

	if ((id == FIELD_range || id == FIELD_if_range) && (r->slicing || r->part))
		return false;
	return !(http_field_flags(id) & HTTP_HOP) && id != FIELD_content_length;
}

static void add_configured(struct text *text, struct request *r)
{
	for (size_t i = 0; i < r->location->set_header_count; i++) {
		const struct conf_header *h = &r->location->set_headers[i];
		struct slice value = request_expand(r, &h->value);
		if (value.len && may_be_set(r, h->name))
			text_add_field(text, h->name, value);
	}
}

/* Chunks do not exist in HTTP/1.0, and an origin that does not know them takes the content for the next request: it gets
 * the length, once all content has come. */
uint64_t request_origin_length(const struct request *r)
{
	if (r->head.framing == FRAMING_chunked)
		return r->location->origin_http_1_0 && r->content_last ? r->hold_len : UINT64_MAX;
	return r->head.framing == FRAMING_length ? r->head.length : 0;
}

static void add_framing(struct text *text, struct request *r)
{
	uint64_t length = request_origin_length(r);

	if (length == UINT64_MAX) {
		text_add(text, SLICE("Transfer-Encoding: chunked\r\n"));
	} else if (r->head.framing != FRAMING_none) {
		text_add(text, SLICE("Content-Length: "));
		text_add_u64(text, length);
		text_add(text, SLICE("\r\n"));
	}
	if (r->location->origin_http_1_0)
		text_add(text, SLICE("Connection: close\r\n"));
}

static void add_max_forwards(struct text *text, struct request *r)
{
	struct slice value = http_header_value(&r->head, FIELD_max_forwards);
	uint64_t hops = 0;

	if (!value.len || (r->head.method != METHOD_OPTIONS && r->head.method != METHOD_TRACE))
		return;
	for (size_t i = 0; i < value.len && hops < 1000; i++)
		hops = hops * 10 + (uint64_t)(value.ptr[i] - '0');
	text_add(text, SLICE("Max-Forwards: "));
	text_add_u64(text, hops - 1);
	text_add(text, SLICE("\r\n"));
}

struct slice request_origin_head(struct request *r)
{
	struct text text;
	char id[17];

	r->slicing = r->slice_of || slice_wanted(r);
	text_init(&text, &r->arena, r->head.header_count * 64 + 1024);
	text_add(&text, r->head.method_text);
	text_add(&text, SLICE(" "));
	struct target target = request_target(r);
	target_add_origin(&text, r->location, &target);
	text_add(&text, r->location->origin_http_1_0 ? SLICE(" HTTP/1.0\r\n") : SLICE(" HTTP/1.1\r\n"));
	if (!is_set_by_config(r, SLICE("host")))
		text_add_field(&text, SLICE("Host"), r->head.authority.len ? r->head.authority : r->location->proxy_host);
	for (size_t i = 0; i < r->head.header_count; i++)
		if (is_passed_on(r, &r->head.headers[i]))
			text_add_field(&text, r->head.headers[i].name, r->head.headers[i].id == FIELD_if_none_match
				? compress_condition(r, r->head.headers[i].value) : r->head.headers[i].value);
	if (r->use_cache && r->may_store)
		add_validators(&text, r);
	if (key_has_rules(r->location))
		add_key_fields(&text, r);
	if (r->part)
		joint_add_fields(r, &text);
	if (r->slicing)
		slice_add_fields(r, &text);
	add_forwarding(&text, r);
	add_tls(&text, r);
	add_max_forwards(&text, r);
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)r->log.rid);
	if (!is_set_by_config(r, SLICE("x-request-id")))
		text_add_field(&text, SLICE("X-Request-Id"), slice_make(id, 16));
	add_configured(&text, r);
	add_framing(&text, r);
	text_add(&text, SLICE("\r\n"));
	return text.overflowed ? (struct slice){ NULL, 0 } : text_slice(&text);
}
