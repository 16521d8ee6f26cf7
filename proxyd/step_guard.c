/* What a request may do: content limits, what has to come before an origin is asked, whether the cache may be used. */
#include "request.h"
#include "key_rules.h"

/* Content is held until all of it, or client_body_hold bytes, have come: slow uploads do not hold origin connections. */
static bool content_ready(struct request *r)
{
	const struct settings *set = &r->location->set;

	if (r->content_last)
		return true;
	if (!r->hold_buf) {
		size_t want = set->client_body_hold > 16 * 1024 ? (size_t)set->client_body_hold : 16 * 1024;
		if (r->head.framing == FRAMING_length && r->head.length < want)
			want = (size_t)r->head.length;
		r->hold_cap = want + 2;
		r->hold_buf = must(malloc(r->hold_cap));
	}
	return r->hold_len >= set->client_body_hold || request_content_room(r) == 0;
}

bool request_content_too_large(const struct request *r)
{
	uint64_t max = r->location->set.client_max_body_size;

	return max && ((r->head.framing == FRAMING_length && r->head.length > max) || r->content_got > max);
}

static void choose_volume(struct request *r)
{
	struct conf_location *location = r->location;

	if (location->cache_off) {
		r->log.nostore = NOSTORE_cache_off;
	} else if (!location->volume) {
		r->log.nostore = NOSTORE_no_volume;
	} else {
		r->log.volume = location->volume->name;
		r->volume = daemon_volume(r->worker->daemon, location->volume);
		if (!r->volume)
			r->log.nostore = NOSTORE_volume_failed;
	}
}

/* What the key has not the origin does not get, and no variant is selected by it. */
static bool reduce(struct request *r)
{
	struct target target = request_target(r);

	if (!key_has_rules(r->location))
		return true;
	r->reduced = true;
	for (size_t i = 0; i < r->head.header_count; i++) {
		struct http_header *h = &r->head.headers[i];
		if (key_replaces(r->location, h->id ? (enum http_field)h->id : http_field_find_cgi(h->name), true))
			h->dropped = true;
	}
	if (!target_reduce(&r->arena, &target))
		return false;
	r->head.query = target.query;
	return true;
}

/* Where the site takes Accept-Encoding away from what the origin gets (to compress here what is fetched once), answers cannot
 * differ by it, whatever Vary says. */
static void hide_codings(struct request *r)
{
	bool hidden = false;

	for (size_t i = 0; i < r->location->set_header_count; i++)
		hidden |= r->location->set_headers[i].value.count == 0 && slice_eq_nocase(r->location->set_headers[i].name, SLICE("accept-encoding"));
	for (size_t i = 0; hidden && i < r->head.header_count; i++)
		if (r->head.headers[i].id == FIELD_accept_encoding)
			r->head.headers[i].dropped = true;
}

/* gRPC's answers end in trailers, which do not pass here. */
static bool is_grpc(const struct request *r)
{
	struct slice type = http_header_value(&r->head, FIELD_content_type);
	const struct slice grpc = SLICE("application/grpc");

	return type.len >= grpc.len && slice_eq_nocase(slice_make(type.ptr, grpc.len), grpc)
		&& (type.len == grpc.len || strchr("+; \t", type.ptr[grpc.len]));
}

enum step step_guard(struct request *r)
{
	if (!r->carrier)
		return STEP_answer;
	if (r->content_refusal)
		return request_refuse_content(r);
	if (is_grpc(r))
		return request_refuse(r, REFUSAL_grpc);
	if (request_content_too_large(r))
		return request_refuse(r, REFUSAL_body_too_large);
	if (!content_ready(r)) {
		r->carrier->ops->want_content(r->carrier);
		return STEP_wait;
	}
	r->log.req_login = cookie_has(&r->head, r->location->login_cookies, r->location->login_cookie_count);
	choose_volume(r);
	if (r->head.method == METHOD_PURGE)
		return STEP_purge;
	if (!r->volume) {
		r->log.cache = VERDICT_off;
		return STEP_fetch;
	}
	enum nostore why = cache_may_lookup(&r->head, r->log.req_login);
	if (why) {
		r->log.nostore = (uint8_t)why;
		r->log.cache = VERDICT_pass;
		return STEP_fetch;
	}
	r->use_cache = true;
	hide_codings(r);
	if (!reduce(r))
		return request_refuse(r, REFUSAL_head_too_large);
	/* A HEAD is answered from what is stored but stores nothing itself. */
	r->may_store = r->head.method == METHOD_GET;
	r->ranged = r->may_store && http_header_get(&r->head, FIELD_range);
	return STEP_lookup;
}
