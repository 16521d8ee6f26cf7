/* A URL that a person writes, as the target that the daemon makes of a request for it. */
#ifndef PROXYD_URL_H
#define PROXYD_URL_H

#include "http_head.h"
#include "target.h"

enum { URL_MAX = 8000 };

struct url {
	struct target target;          /* points into the rest; location: NULL */
	char request[2 * URL_MAX + 64], host[256], normal[URL_MAX + 1];
	struct http_header headers[4];
};

/* http:// or https://. False: `why` says why, in a sentence. */
bool url_read(struct slice text, struct url *ret_url, const char **why);
/* The location that requests for it come to by this listener; NULL: none. */
const struct conf_location *url_location(const struct url *url, const struct conf_listen *listen);

#endif
