/* redirect-loop: a client that is sent in a circle. A chain is followed by the URL that each redirect points to; ten links in a row,
 * each asked for at once, are no way that a site means. When the circle closes only by leaving the scheme out (http answers "go to
 * https", and https arrives here as http, since TLS ends elsewhere), one client may be a load test of the plain port: then
 * several clients must have gone round. Bounded by a table that forgets. */
#include <inttypes.h>

#include "map.h"
#include "recent.h"
#include "rule.h"

/* Browsers stop after 20 redirects. PAUSE_US: longer waits are a new visit, or a health check that comes again. */
enum { CHAINS_MAX = 1 << 14, LINKS_MIN = 10, CLIENTS_MIN = 3 };
#define PAUSE_US UINT64_C(2000000)

struct chain { uint32_t links; bool by_scheme; uint64_t end_us; };
struct loop { struct group group; uint64_t clients, last_client; bool by_scheme; };
struct state { struct recent chains; struct map loops; bool any; };      /* any: something is in chains */

static void init(void *state)
{
	struct state *s = state;

	recent_init(&s->chains, sizeof(struct chain), CHAINS_MAX);
	map_init(&s->loops, sizeof(struct loop), SUBJECTS_MAX);
}

static bool strip(struct slice *text, struct slice prefix)
{
	if (text->len < prefix.len || !slice_eq_nocase(slice_make(text->ptr, prefix.len), prefix)) return false;
	text->ptr += prefix.len;
	text->len -= prefix.len;
	return true;
}

/* Host and target that a Location points to, and its scheme; relative forms other than /... are left out. */
static bool location_parse(const struct logline *l, struct slice *ret_host, struct slice *ret_target, struct slice *ret_scheme)
{
	struct slice rest = l->location;
	size_t len = 0;

	*ret_scheme = strip(&rest, SLICE("https://")) ? SLICE("https") : strip(&rest, SLICE("http://")) ? SLICE("http") : l->scheme;
	if (rest.ptr == l->location.ptr) {
		if (!rest.len || rest.ptr[0] != '/' || (rest.len > 1 && rest.ptr[1] == '/')) return false;
		*ret_host = line_host(l);
		*ret_target = rest;
		return true;
	}
	while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?') len++;
	*ret_host = slice_make(rest.ptr, len);
	*ret_target = len < rest.len ? slice_make(rest.ptr + len, rest.len - len) : SLICE("/");
	return true;
}

static uint64_t place_of(const struct logline *l, uint64_t url)
{
	return recent_pair(line_facts(l)->client, url);
}

static void line(void *state, const struct logline *l, struct place at)
{
	struct state *s = state;
	bool redirects = l->status == 301 || l->status == 302 || l->status == 303 || l->status == 307 || l->status == 308;
	struct slice host, target, scheme;
	struct chain now = { 0 }, *before;
	char name[NAME_PAIR_MAX];

	if (l->rec != REC_req || (!redirects && !s->any)) return;
	if (!redirects || !location_parse(l, &host, &target, &scheme)) {
		before = recent_find(&s->chains, place_of(l, line_facts(l)->url));
		if (before) before->links = 0;
		return;
	}
	before = recent_find(&s->chains, place_of(l, line_facts(l)->url));
	if (before && before->links && l->t_us <= before->end_us + PAUSE_US && l->t_us + PAUSE_US >= before->end_us) now = *before;
	now.links++;
	now.by_scheme |= !slice_eq(scheme, l->scheme);
	now.end_us = l->t_us + l->total_us;
	*(struct chain *)recent_get(&s->chains, place_of(l, url_hash(map_hash(host), map_hash(target)))) = now;
	s->any = true;
	if (now.links < LINKS_MIN) return;
	struct loop *loop = map_get(&s->loops, name_pair(name, line_host(l), l->target));
	uint64_t client = line_facts(l)->client;
	loop->clients += client != loop->last_client;
	loop->last_client = client;
	loop->by_scheme |= now.by_scheme;
	group_add(&loop->group, at);
}

static void finish(void *state, const struct rule *rule, struct findings *out)
{
	struct state *s = state;

	for (size_t i = 0; i < s->loops.count; i++) {
		const struct loop *loop = map_value(&s->loops, i);
		if (loop->by_scheme && loop->clients < CLIENTS_MIN) continue;
		struct finding *f = findings_add(out, rule, map_key(&s->loops, i), &loop->group);
		if (!loop->by_scheme) continue;
		finding_text(&f->cause, "the answer sends clients to another scheme, and they arrive here by the first one again: TLS ends before "
			"this proxy, or the origin is not told the scheme");
		finding_text(&f->cure, "let what ends TLS send X-Forwarded-Proto and name it in `trusted_proxy`; or redirect only where TLS ends");
	}
	map_release(&s->loops);
	recent_release(&s->chains);
}

const struct rule_ops rule_redirect_loop = { sizeof(struct state), init, line, finish };
