/* Age, freshness and staleness of what is stored, against one request. */
#include "cache_use.h"
#include "http_cache.h"

enum { SECOND_US = 1000000, AHEAD_MAX_US = 2 * SECOND_US };

/* Sums of times from a record are bounded, so that no record, however damaged, makes an old answer young. */
static int64_t add_bounded(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? (b > 0 ? INT64_MAX : INT64_MIN) : sum;
}

/* Our clock does not go back while we live, but another worker may have read it a moment later than this one. What was stored
 * further ahead was stored before a restart, when the date was another one: nobody knows how old it is. */
static int64_t current_age(const struct cache_object *stored, int64_t now_us)
{
	int64_t resident = now_us > stored->stored_us ? add_bounded(now_us, stored->stored_us > 0 ? -stored->stored_us : 0) : 0;

	if (resident == 0 && add_bounded(stored->stored_us, now_us > 0 ? -now_us : 0) > AHEAD_MAX_US)
		return INT64_MAX / SECOND_US * SECOND_US;
	return add_bounded(stored->age_base_us > 0 ? stored->age_base_us : 0, resident);
}

/* Time left until stale; negative when it is. */
static int64_t freshness_left(const struct cache_object *stored, int64_t age_us)
{
	return add_bounded(stored->lifetime_us > 0 ? stored->lifetime_us : 0, -age_us);
}

/* Request directives that narrow (RFC 9111 sections 5.2.1.1, 5.2.1.3, 5.2.1.4; Pragma: section 5.4). They count in whole
 * seconds, as Age does: a begun second is not an old one. */
static bool client_wants_validation(const struct http_head *request, const struct cache_control *cc, int64_t age_us, int64_t left_us)
{
	struct http_list it = { 0 };
	struct slice element;

	if (cc->no_cache || cc->no_cache_fields)
		return true;
	if (cc->max_age >= 0 && age_us / SECOND_US > cc->max_age)
		return true;
	if (cc->min_fresh >= 0 && left_us / SECOND_US + (left_us % SECOND_US > 0) < cc->min_fresh)
		return true;
	if (http_header_get(request, FIELD_cache_control))
		return false;
	while (http_list_next(request, FIELD_pragma, &it, &element))
		if (slice_eq_nocase(element, SLICE("no-cache")))
			return true;
	return false;
}

static enum cache_use_kind use_of(const struct cache_object *stored, int64_t left_us)
{
	if (stored->no_cache)
		return USE_validate;
	if (left_us > 0)                       /* section 4.2: fresh while the lifetime is greater than the age */
		return USE_fresh;
	if (stored->must_revalidate || stored->stale_while_us <= 0)
		return USE_validate;
	return -left_us < stored->stale_while_us ? USE_stale_while_revalidate : USE_validate;
}

struct cache_use cache_may_use(const struct cache_object *stored, const struct http_head *request,
	const struct cache_use_settings *settings, int64_t now_us)
{
	int64_t age_us = current_age(stored, now_us), left_us = freshness_left(stored, age_us);
	struct cache_use used = { .use = use_of(stored, left_us), .age_s = age_us / SECOND_US, .left_us = left_us };
	bool has_cc = http_header_get(request, FIELD_cache_control) != NULL;
	bool obey_client = settings && settings->obey_client;
	struct cache_control cc;

	if (settings && settings->auth_only_shareable && !stored->shareable_auth && http_header_get(request, FIELD_authorization))
		used.use = USE_validate;
	if (!has_cc && !(obey_client && http_header_get(request, FIELD_pragma)))
		return used;                   /* the common request: nothing to parse */
	cache_control_parse(request, FIELD_cache_control, &cc);
	used.only_if_cached = cc.only_if_cached;
	if (obey_client && client_wants_validation(request, &cc, age_us, left_us))
		used.use = USE_validate;
	return used;
}

bool cache_may_use_on_error(const struct cache_object *stored, int64_t site_window_us, int64_t now_us)
{
	int64_t left_us = freshness_left(stored, current_age(stored, now_us));
	int64_t window_us = stored->stale_error_us >= 0 ? stored->stale_error_us : site_window_us;

	if (stored->no_cache)
		return false;
	return left_us > 0 || (!stored->must_revalidate && window_us > 0 && -left_us < window_us);
}
