/* The rarer operations of a transport: the handshake, the ends. */
#include "tls.h"

bool transport_flush(struct transport *t)
{
	return !t->tls || tls_flush(t->tls);
}

enum transport_step transport_handshake(struct transport *t)
{
	return t->tls ? tls_handshake(t->tls) : TRANSPORT_READY;
}

void transport_shut(struct transport *t)
{
	if (t->tls)
		tls_say_end(t->tls);
	/* With bytes in our hands yet the socket's half stays open: it is closed after them, with the connection. */
	if (!transport_has_unsent(t))
		shutdown(t->fd, SHUT_WR);
}

void transport_release(struct transport *t, bool clean)
{
	if (!t->tls)
		return;
	if (clean)
		tls_say_end(t->tls);
	tls_free(&t->tls);
}

bool transport_asked_certificate(const struct transport *t)
{
	return t->tls && SSL_get_verify_mode(t->tls->ssl) != SSL_VERIFY_NONE;
}

struct transport_facts transport_facts(const struct transport *t)
{
	return t->tls ? tls_facts(t->tls) : (struct transport_facts){ .valid_from_s = -1, .valid_until_s = -1 };
}
