/* Choice of an upstream's server and the memory of failures. See upstream.h. */
#include "upstream.h"

#include <xxhash.h>

#include "../conf/check.h"

static size_t bucket_of(struct slice text)
{
	return XXH3_64bits(text.ptr, text.len) % UPSTREAM_BUCKETS;
}

static struct slice slice_copy(struct slice text)
{
	char *copy = must(malloc(text.len + 1));

	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return slice_make(copy, text.len);
}

static void link_init(struct upstream_link *link)
{
	link->prev = link->next = link;
}

static bool link_alone(const struct upstream_link *link)
{
	return link->next == link;
}

void upstreams_init(struct upstreams *all)
{
	memset(all, 0, sizeof *all);
}

static struct upstream_place *place_find(const struct upstreams *all, struct slice text)
{
	struct upstream_place *place = all->places[bucket_of(text)];

	while (place && !slice_eq(place->text, text))
		place = place->next;
	return place;
}

const struct upstream_place *upstream_place_find(const struct upstreams *all, struct slice text)
{
	return place_find(all, text);
}

static struct upstream_place *place_get(struct upstreams *all, struct slice text)
{
	struct upstream_place *place = place_find(all, text), **bucket = &all->places[bucket_of(text)];

	if (place)
		return place;
	place = must(calloc(1, sizeof *place));
	place->text = slice_copy(text);
	place->named = true;
	link_init(&place->idle);
	place->next = *bucket;
	*bucket = place;
	return place;
}

static struct upstream *upstream_find(struct upstreams *all, struct slice name)
{
	struct upstream *upstream = all->upstreams[bucket_of(name)];

	while (upstream && !slice_eq(upstream->name, name))
		upstream = upstream->next;
	return upstream;
}

static void peers_drop(struct upstream *upstream)
{
	for (size_t i = 0; i < upstream->peer_count; i++)
		upstream->peers[i].place->users--;
	free(upstream->peers);
	upstream->peers = NULL;
	upstream->peer_count = 0;
	upstream->conf = NULL;
}

static void peers_make(struct upstreams *all, struct upstream *upstream, const struct conf_upstream *conf)
{
	size_t count = 0, usable = 0;

	peers_drop(upstream);
	for (size_t i = 0; i < conf->origin_count; i++) {
		count += conf->origins[i].addr_count;
		usable += !conf->origins[i].down;
	}
	upstream->peers = must(calloc(count ? count : 1, sizeof *upstream->peers));
	for (size_t i = 0; i < conf->origin_count; i++) {
		const struct conf_origin *origin = &conf->origins[i];

		for (size_t a = 0; a < origin->addr_count; a++) {
			struct upstream_peer *peer = &upstream->peers[upstream->peer_count++];

			peer->origin = origin;
			peer->addr = &origin->addrs[a];
			peer->place = place_get(all, peer->addr->text);
			peer->place->users++;
			peer->effective = origin->weight;
		}
	}
	upstream->single = usable == 1;
	upstream->conf = conf;
}

struct upstream *upstream_get(struct upstreams *all, const struct conf_upstream *conf)
{
	struct upstream *upstream;
	size_t index = conf->index;

	/* The address of a conf_upstream tells it from all others alive, and marks of dead ones are wiped at each reload. */
	if (index < all->index_count && all->by_index[index] && all->by_index[index]->conf == conf)
		return all->by_index[index];

	upstream = upstream_find(all, conf->name);
	if (!upstream) {
		struct upstream **bucket = &all->upstreams[bucket_of(conf->name)];

		upstream = must(calloc(1, sizeof *upstream));
		upstream->name = slice_copy(conf->name);
		upstream->named = true;
		link_init(&upstream->idle);
		upstream->next = *bucket;
		*bucket = upstream;
	}
	if (upstream->conf != conf)
		peers_make(all, upstream, conf);
	if (index >= all->index_count) {
		all->by_index = must(realloc(all->by_index, (index + 1) * sizeof(*all->by_index)));
		memset(all->by_index + all->index_count, 0, (index + 1 - all->index_count) * sizeof(*all->by_index));
		all->index_count = index + 1;
	}
	all->by_index[index] = upstream;
	return upstream;
}

/* Failed too often, too lately? Once fail_timeout is over, one request at a time may try it again: see checked_us in
 * peer_turn(). */
bool upstream_is_out(const struct conf_origin *origin, const struct upstream_place *place, uint64_t now_us)
{
	return origin->max_fails > 0 && place->fails >= origin->max_fails
		&& now_us - place->checked_us <= origin->fail_timeout_us;
}

static bool peer_was_tried(const struct upstream_peer *peer, const struct conf_addr *const *tried, size_t tried_count)
{
	for (size_t i = 0; i < tried_count; i++)
		if (tried[i] == peer->addr)
			return true;
	return false;
}

struct choice {
	const struct conf_addr *const *tried;
	size_t tried_count;
	uint64_t now_us;
	bool backup; /* among the backups, else among the others */
	bool failing_too;
};

/* Smooth weighted round robin: each candidate gains its weight, the richest is taken and pays what all have gained. Turns
 * of a heavy server are so spread evenly among the others'. A server that failed comes back step by step: `effective`
 * grows by one each turn up to its weight. */
static struct upstream_peer *peer_turn(struct upstream *upstream, const struct choice *choice)
{
	struct upstream_peer *best = NULL;
	int64_t total = 0;

	for (size_t i = 0; i < upstream->peer_count; i++) {
		struct upstream_peer *peer = &upstream->peers[i];

		if (peer->origin->down || peer->origin->backup != choice->backup)
			continue;
		if (peer_was_tried(peer, choice->tried, choice->tried_count))
			continue;
		if (!choice->failing_too && upstream_is_out(peer->origin, peer->place, choice->now_us))
			continue;
		peer->current += peer->effective;
		total += peer->effective;
		if (peer->effective < (int64_t)peer->origin->weight)
			peer->effective++;
		if (!best || peer->current > best->current)
			best = peer;
	}
	if (!best)
		return NULL;
	best->current -= total;
	if (choice->now_us - best->place->checked_us > best->origin->fail_timeout_us)
		best->place->checked_us = choice->now_us;
	return best;
}

bool upstream_choose(struct upstream *upstream, const struct conf_addr *const *tried, size_t tried_count, uint64_t now_us,
	struct upstream_pick *ret_pick)
{
	struct choice choice = { tried, tried_count, now_us, false, false };
	struct upstream_peer *peer = peer_turn(upstream, &choice);

	if (!peer) {
		choice.backup = true;
		peer = peer_turn(upstream, &choice);
	}
	/* A single server has nobody to stand in for it: asking it is better than not asking. All its addresses count as one. */
	choice.failing_too = true;
	if (!peer && upstream->single)
		peer = peer_turn(upstream, &choice);
	choice.backup = false;
	if (!peer && upstream->single)
		peer = peer_turn(upstream, &choice);
	if (!peer)
		return false;
	*ret_pick = (struct upstream_pick){ peer->origin, peer->addr, peer->place };
	return true;
}

void upstream_failed(struct upstream *upstream, const struct conf_upstream *conf, const struct upstream_pick *pick, uint64_t now_us)
{
	const struct conf_origin *origin = pick->origin;
	struct upstream_place *place = pick->place;

	/* Failures further apart than fail_timeout do not add up. */
	if (place->fails > 0 && now_us - place->failed_us > origin->fail_timeout_us && place->fails < origin->max_fails)
		place->fails = 0;
	if (place->fails < UINT32_MAX)
		place->fails++;
	place->failed_us = place->checked_us = now_us;
	if (upstream->conf != conf || origin->max_fails == 0)
		return;
	for (size_t i = 0; i < upstream->peer_count; i++) {
		struct upstream_peer *peer = &upstream->peers[i];

		if (peer->addr != pick->addr)
			continue;
		peer->effective -= origin->weight / origin->max_fails;
		if (peer->effective < 0)
			peer->effective = 0;
	}
}

void upstreams_mark(struct upstreams *all, const struct conf *now)
{
	for (size_t b = 0; b < UPSTREAM_BUCKETS; b++) {
		for (struct upstream *up = all->upstreams[b]; up; up = up->next) {
			peers_drop(up);
			up->named = false;
		}
		for (struct upstream_place *place = all->places[b]; place; place = place->next)
			place->named = false;
	}
	for (size_t i = 0; now && i < now->upstream_count; i++) {
		const struct conf_upstream *conf = now->upstreams[i];
		struct upstream *up = upstream_find(all, conf->name);

		if (up)
			up->named = true;
		for (size_t o = 0; o < conf->origin_count; o++)
			for (size_t a = 0; a < conf->origins[o].addr_count; a++) {
				struct upstream_place *place = place_find(all, conf->origins[o].addrs[a].text);

				if (place)
					place->named = true;
			}
	}
}

static void upstreams_sweep_bucket(struct upstreams *all, size_t bucket)
{
	for (struct upstream **at = &all->upstreams[bucket], *up; (up = *at);) {
		if (up->named || up->users > 0 || !link_alone(&up->idle)) {
			at = &up->next;
			continue;
		}
		*at = up->next;
		peers_drop(up);
		free((char *)up->name.ptr);
		free(up);
	}
}

static void places_sweep_bucket(struct upstreams *all, size_t bucket)
{
	for (struct upstream_place **at = &all->places[bucket], *place; (place = *at);) {
		if (place->named || place->users > 0 || !link_alone(&place->idle)) {
			at = &place->next;
			continue;
		}
		*at = place->next;
		free((char *)place->text.ptr);
		free(place);
	}
}

void upstreams_sweep(struct upstreams *all)
{
	if (all->index_count > 0)
		memset(all->by_index, 0, all->index_count * sizeof(*all->by_index));
	for (size_t b = 0; b < UPSTREAM_BUCKETS; b++)
		upstreams_sweep_bucket(all, b);
	for (size_t b = 0; b < UPSTREAM_BUCKETS; b++) /* after all peers that hold places */
		places_sweep_bucket(all, b);
}

void upstreams_release(struct upstreams *all)
{
	upstreams_mark(all, NULL);
	upstreams_sweep(all);
	free(all->by_index);
	all->by_index = NULL;
	all->index_count = 0;
}
