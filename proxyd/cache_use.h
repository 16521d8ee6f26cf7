/* May a stored answer be used for a request now: as it is, after validation, or stale (RFC 9111 section 4, RFC 5861).
 * Pure: the time is an argument (microseconds since 1970, UTC). */
#ifndef PROXYD_CACHE_USE_H
#define PROXYD_CACHE_USE_H

#include "http_head.h"

struct cache_object {                          /* what is kept of verdict_store beside the object */
	int64_t stored_us, age_base_us, lifetime_us;
	int64_t stale_while_us, stale_error_us; /* -1: not given */
	bool must_revalidate;                  /* never stale */
	bool no_cache;                         /* always validated before use */
	bool shareable_auth;                   /* allowed to answer requests with Authorization */
};

struct cache_use_settings {
	bool obey_client;                      /* no-cache, max-age, min-fresh of requests, and Pragma: else they do nothing, so
	                                        * that a client cannot defeat the cache. max-stale never does anything: it
	                                        * would widen what a shared cache may serve. */
	bool auth_only_shareable;              /* stricter than section 3.5, which lets an answer to an anonymous request
	                                        * serve one with Authorization: validate unless shareable_auth */
};

enum cache_use_kind { USE_fresh, USE_validate, USE_stale_while_revalidate };

struct cache_use {
	enum cache_use_kind use;
	int64_t age_s;                         /* current_age (section 4.2.3), never negative: the value of Age */
	int64_t left_us;                       /* until it is stale; negative: stale since */
	bool only_if_cached;                   /* the request wants 504 rather than the origin (section 5.2.1.7) */
};
/* now_us: worker->steady_us. What was stored ahead of it is of unknown age: it is validated. settings NULL: all off. */
struct cache_use cache_may_use(const struct cache_object *stored, const struct http_head *request,
	const struct cache_use_settings *settings, int64_t now_us);

/* May it be served although it is stale, since the origin fails? The window is the answer's own stale-if-error, else the
 * site's. True for what is still fresh. Never for must_revalidate and no_cache (section 4.2.4). */
bool cache_may_use_on_error(const struct cache_object *stored, int64_t site_window_us, int64_t now_us);

#endif
