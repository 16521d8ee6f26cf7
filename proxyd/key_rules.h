/* The rules of a location for its cache key: cache_key_ignore, _keep, _sort, _cookies and _device. Pure.
 *
 * Nothing outside the key may change what is stored, so the origin gets what the key has and no more: the same query, only
 * the cookies of the key, the class of the device instead of User-Agent. The query is in the URL's own key; cookies and device
 * select among its variants, as Vary does, so that whatever voids the URL voids them all. */
#ifndef PROXYD_KEY_RULES_H
#define PROXYD_KEY_RULES_H

#include "arena.h"
#include "http_head.h"
#include "text_out.h"
#include "../conf/conf.h"

/* Is anything of the request left out of the key, or put into it? */
bool key_has_rules(const struct conf_location *location);
/* The query as the rules leave it; ptr NULL: none. Doing it twice changes nothing. location NULL: no rules. False: no memory. */
bool key_query(struct arena *arena, const struct conf_location *location, struct slice query, struct slice *ret_query);
/* "lang=de; theme=dark": the cookies of the key that the request has, by name, each once. Empty: none, or no memory. */
struct slice key_cookies(struct arena *arena, const struct conf_location *location, const struct http_head *request);
/* A selector, ":cookie=NAME" or ":device", with the request's value: "…=value\n", or "…\n" when there is none. */
void key_put_selector(struct text_out *out, const struct http_head *request, struct slice selector);
/* Does a stored spec (selectors, then names of Vary) begin with this location's selectors, and has it no others? */
bool key_spec_fits(const struct conf_location *location, struct slice spec);
/* Is it a field that the origin gets from us, if at all? reduced: the cache is used. */
bool key_replaces(const struct conf_location *location, enum http_field id, bool reduced);

/* What a User-Agent is: the first row of a table of words that it has; desktop when it has none. */
struct device_class {
	struct slice name;             /* X-Device-Class */
	struct slice agent;            /* the User-Agent that says the same, for origins that look there */
};
const struct device_class *device_class_of(const struct http_head *request);

#endif
