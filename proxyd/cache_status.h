/* The value of Cache-Status (RFC 9211): what this cache did, for people. Pure. */
#ifndef PROXYD_CACHE_STATUS_H
#define PROXYD_CACHE_STATUS_H

#include "../conf/slice.h"

/* Why the request went to the origin (section 2.2): X(name, "word", doc) */
#define CACHE_FWDS(X) \
	X(none,      "",          "It did not.") \
	X(bypass,    "bypass",    "The site does not cache this.") \
	X(method,    "method",    "The method is none that is answered from the store.") \
	X(uri_miss,  "uri-miss",  "Nothing is stored for the URL.") \
	X(vary_miss, "vary-miss", "Something is stored for the URL, but not for these request fields.") \
	X(miss,      "miss",      "Nothing usable is stored.") \
	X(request,   "request",   "The request's own directives kept it from the store.") \
	X(stale,     "stale",     "What is stored was stale, or had to be validated.") \
	X(partial,   "partial",   "Only a part is stored.")
enum cache_fwd {
#define X(name, word, doc) FWD_##name,
	CACHE_FWDS(X)
#undef X
	FWD_COUNT };

struct cache_status {
	struct slice name;             /* of the cache; empty: proxyd */
	bool hit;                      /* answered without the origin; fwd, stored and collapsed are left out then */
	enum cache_fwd fwd;
	unsigned fwd_status;           /* the origin's status; 0: none, or the same as the answer's */
	bool stored, collapsed;
	bool has_ttl;
	int64_t ttl_s;                 /* freshness left, in seconds; negative: stale since */
	struct slice detail;           /* empty: none; a reason in a word, or free text */
};
enum { CACHE_STATUS_MAX = 256 };       /* enough for a name and a detail of 32 bytes each */
/* One list member, without a line end: append it to what came from upstream. Returns the length; 0: out is too small. */
size_t cache_status_write(const struct cache_status *status, char *out, size_t size);

#endif
