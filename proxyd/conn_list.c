/* All client connections of a worker: what a reload, a graceful stop and the end do to them. */
#include "h2.h"

void clients_reload(struct worker *worker)
{
	struct conn *next;

	/* The worker's own hold moves on even when nobody is connected: an old configuration keeps its volumes open. */
	conf_hold_put(worker, conf_hold_get(worker));
	for (struct conn *c = worker->clients->conns; c; c = next) {
		next = c->next;
		if (c->state == CONN_H2)
			h2_reload(c);
		if (c->state != CONN_IDLE)
			continue;
		conn_rebind(c);
		if (c->close)
			conn_close(c);
	}
}

void clients_drain(struct worker *worker)
{
	struct conn *next;

	for (struct conn *c = worker->clients->conns; c; c = next) {
		next = c->next;
		if (c->state == CONN_H2)
			h2_drain(c);
		if (c->state != CONN_IDLE)
			continue;
		/* Who has just connected is about to ask, and nobody told him not to: it would look like a refusal. */
		if (c->carrier.request_number == 0)
			conn_wait(c, CONN_WAIT_idle, FIRST_REQUEST_US);
		else
			conn_close(c);
	}
}

void clients_abort(struct worker *worker)
{
	while (worker->clients->conns)
		conn_gone(worker->clients->conns, END_shutdown);
	for (struct request *r = worker->clients->requests, *next; r; r = next) {
		next = r->next;
		request_shutdown(r);
	}
}
