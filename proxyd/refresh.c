/* Renewing a stored object while it is being served (stale-while-revalidate, RFC 5861 section 3): a request of nobody's, made
 * from the client's, that runs the ordinary steps from fetch on and makes a record of its own kind. */
#include "request.h"

/* Everything that the client's request has in memory of its own. */
static void copy_texts(struct request *to, const struct request *from)
{
	const struct { struct slice *to; struct slice from; } texts[] = {
		{ &to->path, from->path }, { &to->head.query, from->head.query }, { &to->key_text, from->key_text }, { &to->variant_text, from->variant_text },
		{ &to->log.host, from->log.host }, { &to->log.peer, from->log.peer }, { &to->forwarding.client, from->forwarding.client },
		{ &to->forwarding.host, from->forwarding.host }, { &to->log.method, SLICE("GET") },
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		*texts[i].to = arena_copy(&to->arena, texts[i].from);
}

static void make_record(struct request *to, const struct request *from)
{
	struct logline *log = &to->log;

	log->rec = REC_refresh;
	log->t_us = (uint64_t)to->worker->wall_us;
	log->rid = worker_random(to->worker);
	log->config = from->log.config;
	log->proto = from->log.proto;
	log->scheme = from->log.scheme;
	log->volume = from->log.volume;
	log->route = from->log.route;
	log->key = from->log.key;
	log->variant = from->log.variant;
	log->hops = from->log.hops;
	log->target = from->head.target;
}

struct request *request_background(struct request *r)
{
	struct request *b = request_new(r->worker);

	b->background = true;
	b->hold = r->hold;
	b->hold->uses++;
	b->server = r->server;
	b->location = r->location;
	b->head = r->head;
	b->peer = r->peer;
	b->forwarding = r->forwarding;
	b->start_us = r->worker->now_us;
	make_record(b, r);
	copy_texts(b, r);
	request_keep(b);
	b->head.method = METHOD_GET;
	b->head.method_text = b->log.method;
	b->content_last = true;
	b->volume = r->volume;
	b->use_cache = b->may_store = true;
	b->reduced = r->reduced;
	b->key = r->key;
	b->variant_key = r->variant_key;
	b->step = STEP_fetch;
	return b;
}

void request_refresh(struct request *r)
{
	struct store_key key = r->variant_text.len ? r->variant_key : r->key;
	struct flight *flight = NULL;

	if (!flight_lead(request_flight_key(r, key), &flight))
		return;
	struct request *b = request_background(r);
	b->stale = object_ref(r->object);
	b->flight = flight;
	request_run(b);
}
