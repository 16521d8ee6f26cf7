/* From the request's target to two texts: the key that the cache knows it by, and the target that the origin is asked for.
 * One place, so that `proxyd explain` and the daemon cannot differ. Pure. */
#ifndef PROXYD_TARGET_H
#define PROXYD_TARGET_H

#include "arena.h"
#include "../conf/conf.h"

struct target {
	bool https;
	struct slice host;             /* lower case, without the port */
	uint16_t port;                 /* 0: none given */
	struct slice authority;        /* host[:port] as received, and as the origin sees it */
	struct slice path;             /* as received */
	struct slice normal;           /* http_normalise_path() of it */
	struct slice query;            /* ptr NULL: no '?' */
	const struct conf_location *location;   /* its rules for the key */
};

/* scheme://host[:port]/path[?query], all as received: what the origin may tell apart the cache must tell apart. It may build
 * links of "site.test:80" or "SITE.test.", which are none for those who ask "site.test". The query is what the location's
 * rules leave of it (key_rules.h), and that is what the origin gets of it, too. */
void target_add_key(struct text *text, const struct target *target);
/* What the origin is asked for when the cache is used. False: no memory. */
bool target_reduce(struct arena *arena, struct target *target);

/* The key of the same URL in its plainest notation: host in lower case and without a final dot, no default port. Purges go by
 * it: who purges "site.test" means "SITE.test:80" too. In room (of at least key.len bytes), or the key itself. */
struct slice target_plain_key(struct slice key, char *room);

/* The target in origin form. Without a path in proxy_pass it goes out as received. With one, that path replaces the part
 * that the location matched; the rest is the normalised path, encoded again, since only that is known to lie in the
 * location ("/x/../api/" does not begin with "/api/"). */
void target_add_origin(struct text *text, const struct conf_location *location, const struct target *target);

#endif
