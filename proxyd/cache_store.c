/* May an answer be stored by a shared cache, and how long is it fresh (RFC 9111 sections 3, 3.5 and 4.2). */
#include "http_cache.h"

enum { SECOND_US = 1000000 };

/* Statuses that may be given an estimated lifetime (RFC 9110 section 15.1). 206 is one of them too, but parts are not
 * stored. */
static bool status_is_heuristic(unsigned status)
{
	switch (status) {
	case 200: case 203: case 204: case 300: case 301: case 308: case 404: case 405: case 410: case 414: case 501:
		return true;
	}
	return false;
}

/* Errors that the site may give a lifetime to when they state none: those of section 15.1, and what an origin in trouble
 * answers. */
static bool status_is_negative(unsigned status)
{
	switch (status) {
	case 404: case 405: case 410: case 414: case 500: case 501: case 502: case 503: case 504:
		return true;
	}
	return false;
}

/* Statuses whose every rule about caching we follow (must-understand, RFC 9111 section 5.2.2.3). */
static bool status_is_understood(unsigned status)
{
	switch (status) {
	case 201: case 202: case 205: case 302: case 303: case 307: case 400: case 401: case 402: case 403: case 406:
	case 408: case 409: case 411: case 413: case 415: case 421: case 422: case 425: case 426: case 428: case 429:
	case 431: case 451: case 500: case 502: case 503: case 504: case 505: case 511:
		return true;
	}
	return status_is_heuristic(status);
}

static bool has_content(const struct http_head *request)
{
	return request->framing == FRAMING_chunked || (request->framing == FRAMING_length && request->length > 0);
}

enum nostore cache_may_lookup(const struct http_head *request, bool login_cookie)
{
	if (request->method != METHOD_GET && request->method != METHOD_HEAD)
		return NOSTORE_method;
	if (has_content(request))
		return NOSTORE_request_body;
	return login_cookie ? NOSTORE_login_cookie : NOSTORE_none;
}

/* A field that is one date. -1: absent or no date; a field given twice with other values is none either. */
static int64_t date_value(const struct http_head *head, enum http_field id, int64_t now_us)
{
	struct slice first = http_header_value(head, id);
	size_t from = head->first[id];         /* of the next header: `first` is an index + 1 */

	if (!first.ptr)
		return -1;
	if (head->times[id] > 1)
		for (size_t i = from; i < head->header_count; i++)
			if (head->headers[i].id == id && !slice_eq(head->headers[i].value, first))
				return -1;
	return http_parse_date(first, now_us);
}

/* Date, or the time of arrival when there is no usable one (RFC 9110 section 6.6.1): in whole seconds, as dates are. */
static int64_t date_of(const struct http_head *response, int64_t now_us)
{
	int64_t date = date_value(response, FIELD_date, now_us);

	return date != -1 ? date : now_us - now_us % SECOND_US;
}

/* Section 5.1: the first value counts; what is no number is ignored. */
static int64_t age_value_us(const struct http_head *response)
{
	struct slice text = http_header_value(response, FIELD_age);
	const char *comma = text.len ? memchr(text.ptr, ',', text.len) : NULL;
	int64_t seconds = cache_delta_seconds(slice_trim(comma ? slice_make(text.ptr, (size_t)(comma - text.ptr)) : text));

	return seconds < 0 ? 0 : seconds * SECOND_US;
}

/* Section 4.2.3. A Date ahead of our clock counts as age zero; a request later than its answer is a clock that jumped. */
static int64_t initial_age(const struct http_head *response, const struct storing *with)
{
	int64_t now_s_us = with->now_us - with->now_us % SECOND_US;    /* Date has whole seconds: compare like with like */
	int64_t apparent = now_s_us - date_of(response, with->now_us);
	int64_t delay = with->now_us - with->request_us;
	int64_t corrected = age_value_us(response) + (delay > 0 ? delay : 0);

	return apparent > corrected ? apparent : corrected;
}

struct lifetime { int64_t us; enum lifetime_by by; };

/* Section 4.2.1, in its order. Expires is measured against Date, not against our clock; an invalid one is in the past. */
static struct lifetime lifetime_explicit(const struct http_head *response, const struct cache_control *cc, bool targeted, int64_t now_us)
{
	int64_t expires, us;

	if (cc->s_maxage >= 0 || cc->max_age >= 0)
		return (struct lifetime){ (cc->s_maxage >= 0 ? cc->s_maxage : cc->max_age) * SECOND_US, LIFETIME_answer };
	if (targeted || !http_header_get(response, FIELD_expires))
		return (struct lifetime){ 0, LIFETIME_none };
	expires = date_value(response, FIELD_expires, now_us);
	us = expires == -1 ? 0 : expires - date_of(response, now_us);
	if (us > CACHE_DELTA_MAX * SECOND_US)
		us = CACHE_DELTA_MAX * SECOND_US;
	return (struct lifetime){ us > 0 ? us : 0, LIFETIME_answer };
}

/* Section 4.2.2: a share of the time since Last-Modified; `public` lifts the bound on statuses. Not without Last-Modified. */
static struct lifetime lifetime_estimated(const struct http_head *response, const struct cache_control *cc, const struct storing *with)
{
	struct lifetime life = { 0, LIFETIME_none };
	int64_t modified, us;

	if (!with->heuristic_percent || !(status_is_heuristic(response->status) || cc->public_))
		return life;
	modified = date_value(response, FIELD_last_modified, with->now_us);
	if (modified == -1)
		return life;
	us = (date_of(response, with->now_us) - modified) / 100 * with->heuristic_percent;
	if (us > with->heuristic_max_us)
		us = with->heuristic_max_us;
	return (struct lifetime){ us > 0 ? us : 0, LIFETIME_estimate };
}

/* What the answer says; else what the site says of errors; else an estimate. And never more than the site wants of errors. */
static struct lifetime lifetime_of(const struct http_head *response, const struct cache_control *cc, bool targeted, const struct storing *with)
{
	struct lifetime life = lifetime_explicit(response, cc, targeted, with->now_us);

	if (life.by == LIFETIME_none && with->negative_us && status_is_negative(response->status) && !cc->no_cache)
		life = (struct lifetime){ with->negative_us, LIFETIME_negative_ttl };
	if (life.by == LIFETIME_none)
		life = lifetime_estimated(response, cc, with);
	if (response->status >= 400 && with->error_max_us && life.us > with->error_max_us) {
		life.us = with->error_max_us;
		if (life.by != LIFETIME_negative_ttl)
			life.by = LIFETIME_error_lifetime_max;
	}
	return life;
}

static bool validator_there(const struct http_head *response, int64_t now_us)
{
	return http_header_value(response, FIELD_etag).len > 0 || date_value(response, FIELD_last_modified, now_us) != -1;
}

/* What the request alone forbids. */
static enum nostore request_reason(const struct http_head *request, const struct storing *with)
{
	struct cache_control cc;

	if (request->method != METHOD_GET)
		return NOSTORE_method;
	if (has_content(request))
		return NOSTORE_request_body;
	if (with->login_cookie)
		return NOSTORE_login_cookie;
	cache_control_parse(request, FIELD_cache_control, &cc);
	return cc.no_store ? NOSTORE_req_no_store : NOSTORE_none;
}

/* Answers to the conditions, ranges and expectations of one request are no answers for others. */
static enum nostore status_reason(const struct http_head *response, const struct cache_control *cc)
{
	switch (response->status) {
	case 206: case 416:
		return NOSTORE_partial;
	case 304: case 412: case 417:
		return NOSTORE_status;
	}
	if (response->status < 200 || response->status > 599)
		return NOSTORE_status;
	return cc->must_understand && !status_is_understood(response->status) ? NOSTORE_status : NOSTORE_none;
}

/* Section 3.5. */
static bool shared_use_allowed(const struct cache_control *cc)
{
	return cc->public_ || cc->must_revalidate || cc->s_maxage >= 0;
}

static enum nostore vary_reason(const struct http_head *response)
{
	char spec[VARY_SPEC_MAX];
	long len = http_header_get(response, FIELD_vary) ? vary_spec(response, spec, sizeof spec) : 0;

	return len == -1 ? NOSTORE_vary_star : len < 0 ? NOSTORE_vary_too_many : NOSTORE_none;
}

/* Set-Cookie that the answer itself asks to leave out (private="set-cookie") is not in the way. */
static bool cookie_is_stripped(const struct cache_control *cc)
{
	return (cc->private_fields && cache_names_have(cc->private_names, SLICE("set-cookie")))
		|| (cc->no_cache_fields && cache_names_have(cc->no_cache_names, SLICE("set-cookie")));
}

/* What the answer's fields forbid, lifetime left aside. */
static enum nostore response_reason(const struct http_head *request, const struct http_head *response, const struct cache_control *cc,
	const struct storing *with)
{
	enum nostore reason = status_reason(response, cc);

	if (reason != NOSTORE_none)
		return reason;
	if (cc->no_store && !cc->must_understand)   /* with must-understand, no-store is for caches that do not */
		return NOSTORE_no_store;
	if (cc->private_)
		return NOSTORE_private;
	if (http_header_get(request, FIELD_authorization) && !shared_use_allowed(cc))
		return NOSTORE_authorization;
	if (http_header_get(response, FIELD_set_cookie) && !with->store_cookies && !cookie_is_stripped(cc))
		return NOSTORE_set_cookie;
	if ((reason = vary_reason(response)) != NOSTORE_none)
		return reason;
	return response->framing == FRAMING_length && response->length > with->object_max ? NOSTORE_too_large : NOSTORE_none;
}

/* Is it of any use later: fresh, or able to be validated, or within a window of staleness that it grants itself? */
static enum nostore lifetime_reason(const struct http_head *response, const struct cache_control *cc, const struct lifetime *life,
	const struct verdict_store *verdict)
{
	int64_t use_us = verdict->lifetime_us, window_us;

	if (life->by == LIFETIME_none && !(cc->no_cache && verdict->has_validator))
		return status_is_heuristic(response->status) || cc->public_ || cc->no_cache ? NOSTORE_no_freshness : NOSTORE_status;
	if (verdict->has_validator)
		return NOSTORE_none;
	window_us = verdict->stale_while_us > verdict->stale_error_us ? verdict->stale_while_us : verdict->stale_error_us;
	if (!verdict->must_revalidate && window_us > 0)
		use_us += window_us;
	return verdict->age_us >= use_us ? NOSTORE_expired : NOSTORE_none;
}

/* s-maxage has the meaning of proxy-revalidate (section 5.2.2.10), except in the windows that the same answer grants in so
 * many words: "s-maxage=60, stale-while-revalidate=600" is what frameworks send, and what they mean (RFC 5861). */
static bool has_window(const struct cache_control *cc)
{
	return cc->stale_while_revalidate >= 0 || cc->stale_if_error >= 0;
}

/* Microseconds; -1: the site may choose. Beside s-maxage a window that is not granted is none. */
static int64_t window_of(const struct cache_control *cc, int64_t seconds)
{
	return seconds >= 0 ? seconds * SECOND_US : cc->s_maxage >= 0 ? 0 : -1;
}

struct verdict_store cache_may_store(const struct http_head *request, const struct http_head *response, const struct storing *with)
{
	struct cache_control cc;
	bool targeted = cache_control_effective(response, with->targeted, &cc);
	struct lifetime life = lifetime_of(response, &cc, targeted, with);
	struct verdict_store verdict = {
		.lifetime_us = cc.no_cache ? 0 : life.us,
		.age_us = initial_age(response, with),
		.stale_while_us = window_of(&cc, cc.stale_while_revalidate),
		.stale_error_us = window_of(&cc, cc.stale_if_error),
		.lifetime_by = life.by,
		.must_revalidate = life.by == LIFETIME_negative_ttl || cc.must_revalidate || cc.proxy_revalidate || cc.no_cache || (cc.s_maxage >= 0 && !has_window(&cc)),
		.no_cache = cc.no_cache,
		.has_validator = validator_there(response, with->now_us),
		.shareable_auth = shared_use_allowed(&cc),
	};

	verdict.reason = request_reason(request, with);
	if (verdict.reason == NOSTORE_none)
		verdict.reason = response_reason(request, response, &cc, with);
	if (verdict.reason == NOSTORE_none)
		verdict.reason = lifetime_reason(response, &cc, &life, &verdict);
	return verdict;
}
