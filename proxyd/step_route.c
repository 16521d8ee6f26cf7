/* From the path to a location: its settings, its volume, its rule. */
#include "request.h"

enum step step_route(struct request *r)
{
	struct slice path = r->head.path;
	char *normal = arena_alloc(&r->arena, path.len + 1);
	long len = normal ? http_normalise_path(path, normal) : -1;

	if (len < 0)
		return request_refuse(r, REFUSAL_target_form);
	r->path = slice_make(normal, (size_t)len);
	/* The server's own `return` comes before its locations, as in nginx. */
	/* OPTIONS * is about the server as a whole: it goes where its root goes. */
	struct slice routed = slice_eq(r->path, SLICE("*")) ? SLICE("/") : r->path;
	struct conf_location *location = r->server->fallback->return_code ? r->server->fallback : conf_find_location(r->server, routed);
	if (!location)
		return request_refuse(r, REFUSAL_no_route);
	r->location = location;
	r->log.route = location->route;
	if (r->carrier)
		r->carrier->set = &location->set;
	if (location->set.https_redirect && !request_is_https(r))
		return request_to_https(r);
	enum refusal refusal = request_check_tls(r);
	if (refusal)
		return request_refuse(r, refusal);
	if (location->return_code) {
		r->log.cache = VERDICT_synth;
		return request_error(r, location->return_code, END_complete);
	}
	if (!location->upstream)
		return request_refuse(r, REFUSAL_no_route);
	return STEP_guard;
}
