/* set-cookie-replayed: the same stored cookie handed to several clients. The client whose request fetched it counts too;
 * a site that stores cookies but serves each back to the client that got it has done no harm. */
#include <inttypes.h>
#include <stdio.h>

#include "map.h"
#include "rule.h"

struct cookie { struct group replays; uint64_t clients; };
struct state {
	struct map cookies;              /* host, a blank, hash of the cookie */
	struct keys clients;             /* cookie, client */
};

static void init(void *state)
{
	map_init(&((struct state *)state)->cookies, sizeof(struct cookie), NAMES_MAX);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	bool replayed = line_from_store(l) || l->cache == VERDICT_collapsed, is_new = false;
	char name[LOG_STR_MAX * 4 + 64];
	int len;
	struct cookie *cookie;

	if (l->rec != REC_req || !l->resp_setcookie || !(replayed || l->stored)) return;
	/* Without the cookie's hash, the page's key is the nearest to one. */
	len = snprintf(name, sizeof(name), "%.*s cookie %016" PRIx64, SLICE_ARG(line_host(l)), l->cookie_hash ? l->cookie_hash : l->key);
	if (len < 0 || (size_t)len >= sizeof(name)) return;
	cookie = map_get(&s->cookies, slice_make(name, (size_t)len));
	if (keys_get(&s->clients, map_hash(slice_make(name, (size_t)len)), line_facts(l)->client, &is_new)
			&& is_new)
		cookie->clients++;
	if (replayed) group_add(&cookie->replays, at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->cookies.count; i++) {
		struct cookie *cookie = map_value(&s->cookies, i);
		if (cookie->replays.count == 0 || cookie->clients < 2) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->cookies, i), &cookie->replays);
		finding_text(&f->cause, "%" PRIu64 " clients got this one cookie: %s", cookie->clients, rule->cause);
	}
	map_release(&s->cookies);
	keys_release(&s->clients);
}

const struct rule_ops rule_set_cookie_replayed = { sizeof(struct state), init, line, finish };
