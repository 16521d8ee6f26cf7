/* Templates of the configuration ("$scheme://$host$request_uri") with a request's values put in. */
#include "request.h"
#include "tls_front.h"

/* Path and query as received, of an absolute-form target too: "https://$host$request_uri" is the usual redirect. Where the
 * cache is used the query is what its key has. */
static struct slice request_uri(struct request *r)
{
	if (!r->head.absolute_form && !r->reduced)
		return r->head.target;
	return arena_printf(&r->arena, "%.*s%s%.*s", SLICE_ARG(r->head.path), r->head.query.ptr ? "?" : "", SLICE_ARG(r->head.query));
}

/* NONE, SUCCESS or FAILED:reason, as nginx has it; empty when no certificate was asked for. */
static struct slice client_verify(struct request *r)
{
	const struct tls_peer *peer = r->tls_peer;

	if (!peer || slice_eq(peer->verify, SLICE("none")))
		return peer ? SLICE("NONE") : SLICE("");
	return peer->error.len ? arena_printf(&r->arena, "FAILED:%.*s", SLICE_ARG(peer->error)) : SLICE("SUCCESS");
}

static struct slice variable_value(struct request *r, const struct conf_piece *piece)
{
	switch (piece->var) {
	case CONF_VAR_literal: return piece->text;
	case CONF_VAR_request_field: {
		for (size_t i = 0; i < r->head.header_count; i++)
			if (!r->head.headers[i].dropped && slice_eq_nocase(r->head.headers[i].name, piece->text))
				return r->head.headers[i].value;
		return SLICE("");
	}
	case CONF_VAR_host: return r->head.host.len ? r->log.host : r->server->first_name;
	case CONF_VAR_http_host: return http_header_value(&r->head, FIELD_host);
	case CONF_VAR_remote_addr: return r->forwarding.client;
	case CONF_VAR_remote_port: return arena_printf(&r->arena, "%u", r->carrier ? r->carrier->peer_port : 0u);
	case CONF_VAR_scheme: return r->log.scheme;
	case CONF_VAR_request_uri: return request_uri(r);
	case CONF_VAR_uri: return r->head.path;
	case CONF_VAR_args: return r->head.query;
	case CONF_VAR_is_args: return r->head.query.len ? SLICE("?") : SLICE("");
	case CONF_VAR_request_method: return r->head.method_text;
	case CONF_VAR_server_name: return r->server->first_name;
	case CONF_VAR_server_addr: case CONF_VAR_server_port: {
		struct slice text = r->carrier ? r->carrier->listen->addr.text : SLICE("");
		const char *colon = memrchr(text.ptr, ':', text.len);
		if (!colon)
			return text;
		size_t at = (size_t)(colon - text.ptr);
		return piece->var == CONF_VAR_server_addr ? slice_make(text.ptr, at) : slice_make(colon + 1, text.len - at - 1);
	}
	case CONF_VAR_server_protocol: return r->log.proto;
	case CONF_VAR_proxy_add_x_forwarded_for: return r->forwarding.x_forwarded_for;
	case CONF_VAR_proxy_host: return r->location ? r->location->proxy_host : SLICE("");
	case CONF_VAR_request_id: return arena_printf(&r->arena, "%016llx", (unsigned long long)r->log.rid);
	case CONF_VAR_connection_upgrade: return SLICE("");
	case CONF_VAR_ssl_protocol: return r->log.tls;
	case CONF_VAR_ssl_cipher: return r->log.tls_cipher;
	case CONF_VAR_ssl_server_name: return r->log.sni;
	case CONF_VAR_ssl_session_reused: return !r->log.tls.len ? SLICE("") : r->log.tls_resumed ? SLICE("r") : SLICE(".");
	case CONF_VAR_ssl_early_data: return r->log.tls_early ? SLICE("1") : SLICE("");
	case CONF_VAR_ssl_client_verify: return client_verify(r);
	case CONF_VAR_ssl_client_s_dn: return r->tls_peer ? r->tls_peer->subject : SLICE("");
	case CONF_VAR_ssl_client_i_dn: return r->tls_peer ? r->tls_peer->issuer : SLICE("");
	case CONF_VAR_ssl_client_serial: return r->tls_peer ? r->tls_peer->serial : SLICE("");
	case CONF_VAR_ssl_client_fingerprint: return r->tls_peer ? r->tls_peer->fingerprint : SLICE("");
	case CONF_VAR_COUNT: break;
	}
	return SLICE("");
}

/* A value with a line end in it would become a field of its own. Parsed fields and targets have none; literals of the
 * configuration might. */
static struct slice one_line(struct arena *arena, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
			continue;
		char *copy = (char *)(uintptr_t)arena_copy(arena, value).ptr;
		for (; copy && i < value.len; i++)
			if (copy[i] == '\r' || copy[i] == '\n')
				copy[i] = ' ';
		return slice_make(copy, copy ? value.len : 0);
	}
	return value;
}

struct slice request_expand_text(struct request *r, const struct conf_template *template)
{
	struct text text;

	if (template->count == 1)
		return variable_value(r, &template->pieces[0]);
	text_init(&text, &r->arena, 128);
	for (size_t i = 0; i < template->count; i++)
		text_add(&text, variable_value(r, &template->pieces[i]));
	return text_slice(&text);
}

struct slice request_expand(struct request *r, const struct conf_template *template)
{
	return one_line(&r->arena, request_expand_text(r, template));
}
