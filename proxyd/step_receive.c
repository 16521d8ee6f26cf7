/* The first step: what the head says of the client, its address and the way it came; loops; Max-Forwards. */
#include "request.h"

static bool is_trusted(void *arg, const struct sockaddr *peer)
{
	return conf_is_trusted(arg, peer);
}

static void log_client(struct request *r)
{
	struct logline *log = &r->log;
	struct carrier *carrier = r->carrier;

	log->rec = REC_req;
	log->conn = carrier->conn_number;
	log->conn_req = carrier->request_number;
	log->rid = worker_random(r->worker);
	log->config = r->hold->conf->generation;
	memcpy(&r->peer, carrier->peer, carrier->peer->sa_family == AF_INET6 ? sizeof(r->peer) : sizeof(struct sockaddr_in));
	log->peer = arena_copy(&r->arena, carrier->peer_text);
	log->client = log->peer;
	if (r->head.minor != MINOR_UNKNOWN)
		log->proto = r->head.http_2 ? SLICE("HTTP/2.0") : r->head.minor ? SLICE("HTTP/1.1") : SLICE("HTTP/1.0");
	log->scheme = carrier->tls ? SLICE("https") : SLICE("http");
	if (carrier->tls)
		request_log_tls(r);
	log->method = r->head.method_text;
	log->target = r->head.target;
	log->volume = SLICE("none");
}

static void log_head(struct request *r)
{
	struct logline *log = &r->log;

	log->req_auth = http_header_get(&r->head, FIELD_authorization) != NULL;
	log->req_cookie = http_header_get(&r->head, FIELD_cookie) != NULL;
	log->referer = http_header_value(&r->head, FIELD_referer);
	log->agent = http_header_value(&r->head, FIELD_user_agent);
}

/* The host in lower case: for routes, key and log. */
static struct slice lower_host(struct request *r)
{
	struct slice host = r->head.host;
	size_t i = 0;

	while (i < host.len && !(host.ptr[i] >= 'A' && host.ptr[i] <= 'Z'))
		i++;
	if (i == host.len && !(host.len && host.ptr[host.len - 1] == '.'))
		return host;
	char *lower = arena_alloc(&r->arena, host.len);
	for (i = 0; lower && i < host.len; i++)
		lower[i] = (char)(host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? host.ptr[i] | 0x20 : host.ptr[i]);
	/* A final dot names the same host. */
	return slice_make(lower, !lower ? 0 : host.len && lower[host.len - 1] == '.' ? host.len - 1 : host.len);
}

/* TRACE and OPTIONS with Max-Forwards: 0 end here (RFC 9110 section 7.6.2). */
static bool ends_here(const struct request *r)
{
	struct slice value = http_header_value(&r->head, FIELD_max_forwards);

	if (r->head.method != METHOD_OPTIONS && r->head.method != METHOD_TRACE)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (value.ptr[i] != '0')
			return false;
	return value.len > 0;
}

struct forwarding_input request_forwarding_input(struct request *r)
{
	return (struct forwarding_input){
		.head = &r->head, .peer_text = r->log.peer, .peer = (const struct sockaddr *)&r->peer, .https = r->log.scheme.len == 5,
		.host = r->head.authority, .self = daemon_self(r->worker->daemon), .trusted = is_trusted, .trusted_arg = r->server,
	};
}

/* What a client that nobody trusts says of its way here is as if it had not been said: it goes to no origin, and selects
 * no variant. */
static void drop_claims(struct request *r)
{
	if (!r->forwarding.dropped || r->forwarding.found != FOUND_peer)
		return;
	for (size_t i = 0; i < r->head.header_count; i++)
		if (http_field_flags((enum http_field)r->head.headers[i].id) & HTTP_FWD)
			r->head.headers[i].dropped = true;
}

/* The refusal of what a carrier has no answer to (RFC 9113 section 8.1.1). */
static enum step unanswered(struct request *r)
{
	struct carrier *carrier = r->carrier;

	request_refuse(r, (enum refusal)r->log.refusal);
	request_take_counts(r);
	r->carrier = NULL;
	carrier->ops->abort(carrier);
	return STEP_answer;
}

enum step step_receive(struct request *r)
{
	log_client(r);
	r->server = r->carrier->listen->fallback;
	r->location = r->server->fallback;
	if (r->log.refusal && r->carrier->unanswerable)
		return unanswered(r);
	if (r->log.refusal)
		return request_refuse(r, (enum refusal)r->log.refusal);
	log_head(r);
	r->log.host = lower_host(r);
	r->server = conf_find_server(r->carrier->listen, r->log.host);
	r->location = r->server->fallback;
	r->carrier->set = &r->server->set;

	struct forwarding_input input = request_forwarding_input(r);
	forwarding_find(&input, r->client_text, &r->forwarding);
	drop_claims(r);
	r->log.client = r->forwarding.client;
	r->log.found = (uint8_t)r->forwarding.found;
	r->log.fwd_dropped = r->forwarding.dropped;
	r->log.hops = r->forwarding.hops;
	if (r->forwarding.loop)
		return request_refuse(r, REFUSAL_proxy_loop);
	if (r->head.method == METHOD_TRACE)
		return request_refuse(r, REFUSAL_method_not_allowed);
	if (ends_here(r)) {
		r->log.cache = VERDICT_synth;
		return request_error(r, 200, END_complete);
	}
	return STEP_route;
}
