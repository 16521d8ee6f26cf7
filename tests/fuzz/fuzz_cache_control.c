/* All rules of the cache and of forwarding on one pair of heads: what must hold whatever they say. */
#include <netinet/in.h>

#include "../../conf/check.h"
#include "../../proxyd/cache_status.h"
#include "../../proxyd/cache_use.h"
#include "../../proxyd/forwarding.h"
#include "../../proxyd/http_cache.h"

#define NOW (INT64_C(1767225600) * 1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_header request_headers[200], response_headers[200];

static bool trusts_even(void *arg, const struct sockaddr *address)
{
	(void)arg;
	return address->sa_family == AF_INET && (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) & 1) == 0;
}

static void use_stored(const struct http_head *request, const struct http_head *response, const struct verdict_store *verdict)
{
	struct cache_object object = { NOW, verdict->age_us, verdict->lifetime_us, verdict->stale_while_us, verdict->stale_error_us,
		verdict->must_revalidate, verdict->no_cache, verdict->shareable_auth };
	struct cache_use_settings settings = { true, true };

	for (int64_t later_us = -1000000; later_us < INT64_C(1) << 50; later_us = later_us < 0 ? 1 : later_us * 1000) {
		struct cache_use lax = cache_may_use(&object, request, NULL, NOW + later_us);
		struct cache_use strict = cache_may_use(&object, request, &settings, NOW + later_us);

		CHECK(lax.age_s >= 0 && (lax.use != USE_fresh || lax.left_us > 0));
		CHECK(strict.use == lax.use || strict.use == USE_validate);      /* a request only ever narrows */
		CHECK(!verdict->no_cache || lax.use == USE_validate);
		CHECK(!verdict->must_revalidate || lax.use != USE_stale_while_revalidate);
		CHECK(!verdict->must_revalidate || lax.left_us > 0 || !cache_may_use_on_error(&object, INT64_MAX, NOW + later_us));
	}
	cache_precondition(request, http_header_value(response, FIELD_etag), http_header_value(response, FIELD_last_modified), NOW);
}

static void store(const struct http_head *request, const struct http_head *response)
{
	struct storing with = { .now_us = NOW, .request_us = NOW - 1000, .heuristic_percent = 10,
		.heuristic_max_us = INT64_C(86400) * 1000000, .object_max = 1 << 20 };
	struct verdict_store verdict = cache_may_store(request, response, &with);
	struct cache_control cc;
	char spec[VARY_SPEC_MAX], text[70000];
	long len = vary_spec(response, spec, sizeof spec);

	cache_control_effective(response, SLICE("My-Cache-Control"), &cc);
	CHECK(verdict.age_us >= 0 && verdict.lifetime_us >= 0 && verdict.lifetime_us <= CACHE_DELTA_MAX * 1000000);
	if (verdict.reason == NOSTORE_none) {
		CHECK(len >= 0 && request->method == METHOD_GET && response->status >= 200 && response->status != 206);
		CHECK(!cc.private_ && (!cc.no_store || cc.must_understand));
		CHECK(!http_header_get(request, FIELD_authorization) || verdict.shareable_auth);
		CHECK(verdict.has_validator || verdict.lifetime_us > 0 || verdict.stale_while_us > 0 || verdict.stale_error_us > 0);
		use_stored(request, response, &verdict);
	}
	if (len >= 0)
		vary_text(slice_make(spec, (size_t)len), request, text, sizeof text);
}

static void forward(const struct http_head *request)
{
	static char buf[200000];
	struct sockaddr_in peer = { .sin_family = AF_INET };
	struct forwarding_input input = { .head = request, .peer_text = SLICE("0.0.0.0"), .peer = (struct sockaddr *)&peer,
		.host = request->authority, .self = SLICE("node"), .trusted = trusts_even };
	char client[FORWARDING_CLIENT_MAX];
	struct forwarding f;
	size_t room;

	forwarding_find(&input, client, &f);
	room = forwarding_room(&input, &f);
	CHECK(room <= sizeof buf && f.client.len > 0);
	CHECK(forwarding_write(&input, buf + sizeof buf - room, room, &f));
}

/* The input is a request head and, behind it, a response head. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct http_limits limits = { 8192, 65536, COUNT_OF(request_headers) };
	const char *text = (const char *)data;
	struct http_head request, response;
	enum refusal refusal;
	long used = http_parse_request(text, size, 0, &limits, request_headers, &request, &refusal);
	char status_text[CACHE_STATUS_MAX];

	if (used <= 0)
		return 0;
	forward(&request);
	cache_may_lookup(&request, false);
	cookie_has(&request, (const struct slice[]){ SLICE("sid") }, 1);
	if (http_parse_response(text + used, size - (size_t)used, 0, &limits, request.method, response_headers, &response, &refusal) <= 0)
		return 0;
	store(&request, &response);
	cache_status_write(&(struct cache_status){ .fwd = FWD_miss, .has_ttl = true, .ttl_s = -1, .detail = response.reason },
		status_text, sizeof status_text);
	return 0;
}
