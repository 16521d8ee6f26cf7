/* Which server of an upstream is asked, and how its servers have fared: smooth weighted round robin with passive
 * failover, as nginx does it. Time is an argument; no I/O.
 *
 * State is a worker's own. What was learned about an address (fails, idle connections) is kept by the address' text and
 * outlives the configuration it was learned under; the order of turns is kept by the upstream's name and begins anew at
 * a reload. Everything here belongs to `struct upstreams`; whoever keeps a pointer beyond the call counts as a user. */
#ifndef PROXYD_UPSTREAM_H
#define PROXYD_UPSTREAM_H

#include "../conf/conf.h"
#include "../conf/logline.h"

enum { UPSTREAM_BUCKETS = 256 };

/* A ring of idle connections; origin_pool.c's own. */
struct upstream_link {
	struct upstream_link *prev, *next;
};

/* An address that is connected to. */
struct upstream_place {
	struct upstream_place *next; /* of its bucket */
	struct slice text; /* own copy of conf_addr.text */
	unsigned users; /* peers and exchanges that point here */
	bool named; /* the present configuration has it */
	/* health */
	unsigned fails; /* in a row, each within fail_timeout of the one before */
	uint64_t failed_us, checked_us; /* last failure; last failure or begin of the last trial after one */
	struct upstream_link idle; /* newest first */
	/* for those who ask how it fares */
	uint64_t asked, failures; /* ever */
	enum end error; /* of the last failure */
	int64_t error_us; /* since 1970; 0: none */
};

/* One address of one `server` row, in one upstream. */
struct upstream_peer {
	const struct conf_origin *origin;
	const struct conf_addr *addr;
	struct upstream_place *place;
	int64_t current, effective; /* weights, see upstream_choose() */
};

struct upstream {
	struct upstream *next; /* of its bucket */
	struct slice name; /* own copy */
	const struct conf_upstream *conf; /* what peers were made from; only compared unless it is the asker's own */
	struct upstream_peer *peers;
	size_t peer_count;
	bool single; /* one server that is not `down`: it is never taken out */
	unsigned users;
	bool named;
	struct upstream_link idle; /* newest first, over all its places */
	size_t idle_count;
};

struct upstreams {
	struct upstream_place *places[UPSTREAM_BUCKETS];
	struct upstream *upstreams[UPSTREAM_BUCKETS];
	struct upstream **by_index; /* last state found for each conf_upstream.index */
	size_t index_count;
};

struct upstream_pick {
	const struct conf_origin *origin;
	const struct conf_addr *addr;
	struct upstream_place *place;
};

void upstreams_init(struct upstreams *all);
/* No users and no idle connections are left. */
void upstreams_release(struct upstreams *all);

/* The state for a configured upstream; made when it is new. Valid until the next upstreams_sweep(), unless used. */
struct upstream *upstream_get(struct upstreams *all, const struct conf_upstream *conf);

/* The next server: servers that are not down, not among `tried`, and not taken out by failures; the backups when there
 * is none of these. False when there is nobody. */
bool upstream_choose(struct upstream *upstream, const struct conf_addr *const *tried, size_t tried_count, uint64_t now_us,
	struct upstream_pick *ret_pick);
/* What is known of an address; NULL: nothing yet. */
const struct upstream_place *upstream_place_find(const struct upstreams *all, struct slice text);
/* It failed too often, too lately: it is not asked, unless nobody else is there. */
bool upstream_is_out(const struct conf_origin *origin, const struct upstream_place *place, uint64_t now_us);
/* How the one that was picked fared. `conf` is the upstream the pick was made for. */
void upstream_failed(struct upstream *upstream, const struct conf_upstream *conf, const struct upstream_pick *pick, uint64_t now_us);
static inline void upstream_worked(struct upstream_place *place)
{
	/* A success that was under way when another request failed says nothing: only one begun after fail_timeout does. */
	if (place->fails > 0 && place->failed_us < place->checked_us)
		place->fails = 0;
}

/* Reload, in two steps around the closing of idle connections: mark says what `now` names, sweep frees what neither
 * is named, nor used, nor has idle connections. Peers are forgotten: they point into a configuration that may go. */
void upstreams_mark(struct upstreams *all, const struct conf *now);
void upstreams_sweep(struct upstreams *all);

#endif
