/* A client connection's TLS handshake: its turns, its time, its end; the record of those that bring no request; bytes
 * that wait in the transport. */
#include "h2.h"
#include "tls_front.h"

#include <errno.h>

#include "access_log.h"

/* ---- the record ---- */

void conn_tls_end(struct conn *c, enum end end)
{
	struct transport_facts facts = transport_facts(&c->transport);
	const struct tls *tls = c->transport.tls;
	const char *text = "";
	struct logline line;

	if (c->carrier.request_number > 0)
		return;
	if (!tls->ready && end == END_tls_invalid)
		end = tls_failure(tls, &text);
	logline_init(&line);
	line.rec = REC_tls;
	line.t_us = (uint64_t)(c->worker->wall_us - (int64_t)(c->worker->now_us - tls->first_us));
	line.conn = c->carrier.conn_number;
	line.config = c->carrier.hold->conf->generation;
	line.peer = line.client = c->carrier.peer_text;
	line.scheme = SLICE("https");
	line.tls = facts.protocol;
	line.tls_cipher = facts.cipher;
	line.sni = facts.name;
	line.tls_resumed = facts.resumed;
	line.tls_us = tls->ready ? (int64_t)facts.handshake_us : -1;
	line.tls_key = facts.key;
	line.tls_serial = facts.serial;
	line.tls_from = facts.valid_from_s;
	line.tls_until = facts.valid_until_s;
	line.total_us = c->worker->now_us - tls->first_us;
	line.end = (uint8_t)end;
	line.tls_error = slice_str(text);
	access_log_write(c->worker, &line);
}

/* ---- turns ---- */

/* Who speaks HTTP to a TLS port is told so, in HTTP. */
static bool is_plain(struct conn *c)
{
	char byte;

	return recv(c->io.fd, &byte, 1, MSG_PEEK) == 1 && byte >= 'A' && byte <= 'Z';
}

static void become_plain(struct conn *c)
{
	transport_release(&c->transport, false);
	c->plain_on_tls = true;
	c->state = CONN_IDLE;
	conn_wait(c, CONN_WAIT_idle, c->carrier.set->client_header_timeout);
	conn_read(c);
}

static void handshake_over(struct conn *c)
{
	tls_leave(c->transport.tls);
	c->carrier.tls = true;
	if (slice_eq(transport_facts(&c->transport).alpn, SLICE("h2"))) {
		h2_begin(c, NULL, 0);
		return;
	}
	c->state = CONN_IDLE;
	conn_wait(c, CONN_WAIT_idle, c->carrier.set->client_header_timeout);
	worker_io_arm(c->worker, &c->io, EPOLLIN | (transport_has_unsent(&c->transport) ? EPOLLOUT : 0));
	if (transport_has_pending(&c->transport))
		conn_read(c);
}

/* It is this connection's turn. */
static void resume(void *owner)
{
	struct conn *c = owner;
	struct tls *tls = c->transport.tls;

	if (!tls->begun && is_plain(c)) {
		become_plain(c);
		return;
	}
	switch (transport_handshake(&c->transport)) {
	case TRANSPORT_READY:
		handshake_over(c);
		break;
	case TRANSPORT_WAITS:
		worker_io_arm(c->worker, &c->io, EPOLLIN | (transport_has_unsent(&c->transport) ? EPOLLOUT : 0));
		break;
	case TRANSPORT_HELD:
		worker_io_arm(c->worker, &c->io, 0);
		break;
	case TRANSPORT_FAILED:
		conn_gone(c, END_tls_invalid);
		break;
	}
}

bool conn_tls_begin(struct conn *c)
{
	struct worker *worker = c->worker;
	struct tls *surplus;

	c->transport.tls = tls_accept(worker, c->io.fd, c->carrier.hold->conf, c->carrier.listen, resume, c);
	if (!c->transport.tls)
		return false;
	c->state = CONN_HANDSHAKE;
	conn_wait(c, CONN_WAIT_handshake, c->carrier.set->ssl_handshake_timeout);
	if ((surplus = tls_surplus(worker, worker->conf->handshakes_max)))
		conn_gone(surplus->owner, END_tls_handshakes_max);
	return true;
}

void conn_tls_ready(struct conn *c, uint32_t events)
{
	if (events & EPOLLOUT) {
		if (!transport_flush(&c->transport)) {
			conn_gone(c, END_client_left);
			return;
		}
		if (!transport_has_unsent(&c->transport))
			worker_io_arm(c->worker, &c->io, c->io.events & ~(uint32_t)EPOLLOUT);
	}
	if (events & EPOLLIN)
		tls_queue(c->transport.tls);
	else if (events & (EPOLLERR | EPOLLHUP))
		conn_gone(c, END_client_left);
}

/* ---- bytes that make no event ---- */

/* Bytes that are in the transport make no event: they are read in this round, but not on the stack of the answer before. */
static void read_later(struct worker *worker, struct mail *mail)
{
	struct conn *c = (struct conn *)((char *)mail - offsetof(struct conn, read_mail));

	(void)worker;
	c->read_queued = false;
	if (c->state != CONN_CLOSED && c->state != CONN_HANDSHAKE && transport_has_pending(&c->transport))
		conn_read(c);
}

void conn_read_later(struct conn *c)
{
	if (c->read_queued)
		return;
	c->read_queued = true;
	c->read_mail.run = read_later;
	worker_defer(c->worker, &c->read_mail);
}
