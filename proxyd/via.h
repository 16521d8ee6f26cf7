/* Via (RFC 9110 section 7.6.3) and CDN-Loop (RFC 8586): how far the request has come, whether it was here before, and the
 * values that say that it is here now. Pure. */
#ifndef PROXYD_VIA_H
#define PROXYD_VIA_H

#include "http_head.h"
#include "text_out.h"

/* Proxies that the request's Via names. */
unsigned via_hops(const struct http_head *request);
/* Does Via or CDN-Loop name `self`? Any case. */
bool via_names(const struct http_head *request, struct slice self);
/* All lines of FIELD_via or FIELD_cdn_loop in one, with our own element at the end. */
struct slice via_put(struct text_out *out, const struct http_head *request, enum http_field id, struct slice self);
/* At least the bytes that both values take. */
size_t via_room(const struct http_head *request);

#endif
