/* The rules of a shared cache (RFC 9111): may we store it, for how long is it fresh, may it be used for this request, is
 * it the same as the client's copy. Pure: no I/O, no malloc; the time is an argument (microseconds since 1970, UTC). */
#ifndef PROXYD_HTTP_CACHE_H
#define PROXYD_HTTP_CACHE_H

#include "http_head.h"

/* HTTP dates (RFC 9110 section 5.6.7): IMF-fixdate, RFC 850 and asctime forms, nothing else. -1 when it is none; dates
 * before 1970 are negative whole seconds, never -1. now_us is for the two-digit year of RFC 850. */
int64_t http_parse_date(struct slice text, int64_t now_us);
enum { HTTP_DATE_LEN = 29 };
void http_format_date(int64_t time_us, char out[HTTP_DATE_LEN]);

/* Cache-Control as read over all header lines. Delta-seconds are clamped to 2^31 (section 1.2.2); -1: not there. A number
 * that is malformed, or a directive given twice with other values, counts as 0 (stale: the careful side). */
struct cache_control {
	int64_t max_age, s_maxage, stale_while_revalidate, stale_if_error, min_fresh;
	int64_t max_stale;                     /* -1: not there; INT64_MAX: without a number */
	bool no_store, no_cache, private_, public_, must_revalidate, proxy_revalidate, must_understand, immutable,
		only_if_cached, no_transform;
	bool no_cache_fields, private_fields;  /* given with field names: the fields named are in *_names */
	struct slice no_cache_names, private_names;
};
void cache_control_parse(const struct http_head *head, enum http_field id, struct cache_control *ret_cc);
/* What counts for us in a response (RFC 9213): the site's own targeted field (empty: it has none), else CDN-Cache-Control,
 * each when it is there and parses, else Cache-Control. True: one of the former; Expires does not count then. Names that are no names, or name a field we rely on (Set-Cookie excepted), are
 * given as no_cache / private_ instead of *_fields. */
bool cache_control_effective(const struct http_head *response, struct slice targeted, struct cache_control *ret_cc);
/* Is the field called `name` one of no_cache_names / private_names? It is not kept then. */
bool cache_names_have(struct slice names, struct slice name);
/* Delta-seconds (section 1.2.2), clamped; -1: not digits only. */
#define CACHE_DELTA_MAX (INT64_C(1) << 31)
int64_t cache_delta_seconds(struct slice text);

struct storing {                           /* what the caller knows besides the two heads */
	int64_t now_us;                        /* when the head of the answer was received: response_time */
	int64_t request_us;                    /* when the request was sent to the origin */
	bool store_cookies;
	bool login_cookie;                     /* the request carried a login cookie */
	unsigned heuristic_percent;
	int64_t heuristic_max_us;
	int64_t negative_us;                   /* for errors that state no lifetime; 0: none */
	struct slice targeted;                 /* the site's own targeted field; empty: none */
	int64_t error_max_us;                  /* bound of the lifetime of any error; 0: none */
	uint64_t object_max;
};
/* LIFETIME(name): where a lifetime is from, as the log says it. */
#define LIFETIMES(LIFETIME) LIFETIME(none) LIFETIME(answer) LIFETIME(estimate) LIFETIME(negative_ttl) LIFETIME(error_lifetime_max)
enum lifetime_by {
#define LIFETIME(name) LIFETIME_##name,
	LIFETIMES(LIFETIME)
#undef LIFETIME
};
struct verdict_store {
	enum nostore reason;                   /* NOSTORE_none: store it */
	int64_t lifetime_us;                   /* freshness lifetime; 0 when it may only be used after validation */
	int64_t age_us;                        /* corrected_initial_age (section 4.2.3) */
	int64_t stale_while_us, stale_error_us; /* -1: not given */
	enum lifetime_by lifetime_by;
	bool must_revalidate;                  /* must-revalidate, proxy-revalidate, s-maxage, no-cache, negative_us: never served stale */
	bool no_cache;                         /* always validate before use */
	bool has_validator;
	bool shareable_auth;                   /* may be reused for a request with Authorization */
};
/* RFC 9111 section 3, 3.5, 4.2; RFC 9213 for CDN-Cache-Control (it replaces Cache-Control when it parses). */
struct verdict_store cache_may_store(const struct http_head *request, const struct http_head *response, const struct storing *with);

/* May the request be answered from the cache at all (before anything is known of the answer)? NOSTORE_none: yes.
 * Otherwise method, authorization is NOT a reason here (only what is stored decides), login_cookie, request_body, partial is
 * not a reason either. */
enum nostore cache_may_lookup(const struct http_head *request, bool login_cookie);

/* Vary (RFC 9111 section 4.1). The names of a Vary over all its lines: lower case, sorted, each once, joined by ',':
 * the "spec". Returns its length, 0 when there is no Vary, -1: "*" is among them, or something that is no field name,
 * -2: more than VARY_NAMES_MAX names or out too small. An out of VARY_SPEC_MAX bytes is what cache_may_store goes by. */
enum { VARY_NAMES_MAX = 16, VARY_SPEC_MAX = 1024 };
long vary_spec(const struct http_head *response, char *out, size_t size);
/* The text that selects a variant: for each name of the spec the request's values, normalised (lines joined, white space
 * around commas removed; Accept-Encoding and Accept-Language in lower case, without q=1 and in order of q). Appended to
 * the key's text. Returns the length, or -1 when out is too small. */
long vary_text(struct slice spec, const struct http_head *request, char *out, size_t size);

/* Conditional requests (RFC 9110 section 13), against a stored object's validators (empty slices: none). */
enum precondition { PRECONDITION_none, PRECONDITION_send, PRECONDITION_not_modified, PRECONDITION_failed };
/* If-None-Match (weak comparison; lists; *) before If-Modified-Since (GET and HEAD only). last_modified: when the object
 * has none the caller may give its Date (RFC 9111 section 4.3.2). none: no condition that counts; send: there is one, and
 * the whole answer is due. PRECONDITION_failed only for If-Match / If-Unmodified-Since that the stored answer does not
 * meet, which the caller sends to the origin. */
enum precondition cache_precondition(const struct http_head *request, struct slice etag, struct slice last_modified, int64_t now_us);

/* Does the request carry one of the cookies? (RFC 6265 section 4.2.1, names are case-sensitive). */
bool cookie_has(const struct http_head *request, const struct slice *names, size_t count);

#endif
