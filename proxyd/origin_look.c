/* What this worker knows of the servers of its configuration's upstreams. */
#include "origin_internal.h"

static void place_count(const struct worker *worker, const struct upstream_place *place, struct origin_seen *seen)
{
	for (const struct upstream_link *link = place->idle.next; link != &place->idle; link = link->next)
		seen->idle++;
	for (const struct exchange *ex = worker->origins->exchanges; ex; ex = ex->next)
		seen->busy += ex->conn && ex->conn->place == place;
	seen->asked = place->asked;
	seen->failures = place->failures;
	seen->fails = place->fails;
	seen->error = place->error;
	seen->error_us = place->error_us;
}

static void upstream_look(struct worker *worker, const struct conf_upstream *conf, void (*each)(void *arg, const struct origin_seen *seen), void *arg)
{
	size_t usable = 0;

	for (size_t i = 0; i < conf->origin_count; i++)
		usable += !conf->origins[i].down;
	for (size_t i = 0; i < conf->origin_count; i++)
		for (size_t a = 0; a < conf->origins[i].addr_count; a++) {
			const struct conf_origin *origin = &conf->origins[i];
			const struct upstream_place *place = upstream_place_find(&worker->origins->upstreams, origin->addrs[a].text);
			struct origin_seen seen = { .upstream = conf, .origin = origin, .addr = &origin->addrs[a] };

			if (place)
				place_count(worker, place, &seen);
			/* A single server has nobody to stand in for it: it is never taken out. */
			if (place && usable > 1 && upstream_is_out(origin, place, worker->now_us))
				seen.out_us = worker->wall_us + (int64_t)(place->checked_us + origin->fail_timeout_us - worker->now_us);
			each(arg, &seen);
		}
}

void origins_look(struct worker *worker, void (*each)(void *arg, const struct origin_seen *seen), void *arg)
{
	for (size_t i = 0; i < worker->conf->upstream_count; i++)
		upstream_look(worker, worker->conf->upstreams[i], each, arg);
}
