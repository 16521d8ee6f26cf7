/* TLS as a request sees it: what its record says of the connection, what a site wants of it, and the way to https. */
#include "request.h"
#include "tls_front.h"

#include <openssl/x509v3.h>

void request_log_tls(struct request *r)
{
	const struct carrier *carrier = r->carrier;
	struct transport_facts facts = transport_facts(carrier->transport);
	struct logline *log = &r->log;
	struct tls_peer peer;

	log->tls = facts.protocol;
	log->tls_cipher = facts.cipher;
	log->sni = facts.name.len ? arena_copy(&r->arena, facts.name) : SLICE("");
	log->tls_resumed = facts.resumed;
	log->tls_early = facts.early;
	if (carrier->request_number == 1) {
		log->tls_us = (int64_t)facts.handshake_us;
		log->tls_key = facts.key;
		log->tls_serial = facts.serial.len ? arena_copy(&r->arena, facts.serial) : SLICE("");
		log->tls_from = facts.valid_from_s;
		log->tls_until = facts.valid_until_s;
	}
	if (!transport_asked_certificate(carrier->transport) || !tls_peer_read(carrier->transport->tls, &r->arena, &peer))
		return;
	log->tls_client = peer.verify;
	log->tls_error = peer.error;
	r->tls_peer = arena_must(&r->arena, sizeof(peer));
	*r->tls_peer = peer;
}

/* The certificate was asked for, and looked at, by the server of the name in the handshake: another one's rules may differ. */
static bool is_misdirected(const struct request *r)
{
	const struct conf_listen *listen = r->carrier->listen;
	const struct conf_server *shown = r->log.sni.len ? conf_find_server(listen, r->log.sni) : listen->fallback;

	return shown != r->server;
}

/* A client of HTTP/2 may take one connection for every name that its certificate is for (RFC 9113 section 9.1.1); for others
 * it has to make its own (RFC 9110 section 7.4). A client that has named nobody in its handshake, as it does when it knows
 * an address only, has no way to ask for the default server's certificate by name: any name of that server is answered. */
static bool is_coalesced_wrongly(const struct request *r)
{
	struct slice name = r->log.host;
	char host[TLS_NAME_MAX + 1];
	X509 *shown;

	if (!r->head.http_2 || !r->carrier->tls || slice_eq(r->log.sni, name) || (!r->log.sni.len && !is_misdirected(r)))
		return false;
	if (name.len > 2 && name.ptr[0] == '[')
		name = slice_make(name.ptr + 1, name.len - 2);
	if (name.len > TLS_NAME_MAX)
		return true;
	snprintf(host, sizeof(host), "%.*s", SLICE_ARG(name));
	shown = SSL_get_certificate(r->carrier->transport->tls->ssl);
	return shown && X509_check_host(shown, host, 0, 0, NULL) != 1 && X509_check_ip_asc(shown, host, 0) != 1;
}

enum refusal request_check_tls(struct request *r)
{
	bool unsafe = r->head.method != METHOD_GET && r->head.method != METHOD_HEAD && r->head.method != METHOD_OPTIONS;

	if (r->log.tls_early && unsafe)
		return REFUSAL_too_early;
	if (is_coalesced_wrongly(r))
		return REFUSAL_misdirected;
	if (r->server->tls.verify == CONF_VERIFY_off)
		return REFUSAL_none;
	if (!r->carrier->tls)
		return REFUSAL_client_certificate;
	if (is_misdirected(r))
		return REFUSAL_misdirected;
	if (!r->tls_peer || r->tls_peer->error.len)
		return REFUSAL_client_certificate;
	bool none = slice_eq(r->tls_peer->verify, SLICE("none"));
	return none && r->server->tls.verify == CONF_VERIFY_on ? REFUSAL_client_certificate : REFUSAL_none;
}

bool request_is_https(const struct request *r)
{
	/* forwarding.proto is what a trusted proxy says of the client's connection to it, if there is one. */
	return slice_eq(r->log.scheme, SLICE("https")) || slice_eq(r->forwarding.proto, SLICE("https"));
}

enum step request_to_https(struct request *r)
{
	static const struct conf_piece pieces[] = { { CONF_VAR_host, { NULL, 0 } }, { CONF_VAR_request_uri, { NULL, 0 } } };
	const struct conf_template host = { &pieces[0], 1 }, uri = { &pieces[1], 1 };
	bool plain = r->head.method == METHOD_GET || r->head.method == METHOD_HEAD;
	uint16_t port = r->server->https_port;
	char port_text[8] = "";

	if (!r->head.host.len && slice_eq(r->server->first_name, SLICE("_")))
		return request_refuse(r, REFUSAL_host_missing);
	if (port != 443)
		snprintf(port_text, sizeof(port_text), ":%u", port);
	struct slice name = request_expand(r, &host), rest = request_expand(r, &uri);
	/* Of a method with content the content comes again, which 301 does not promise (RFC 9110 section 15.4.2). */
	return request_redirect(r, plain ? 301 : 308, arena_printf(&r->arena, "https://%.*s%s%.*s", SLICE_ARG(name), port_text,
		SLICE_ARG(slice_starts(rest, SLICE("/")) ? rest : SLICE("/"))));
}
