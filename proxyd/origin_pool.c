/* Connections to origins: made, kept idle for reuse, closed; and the read buffers that busy ones borrow. */
#include "origin_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_CONN(link, member) ((struct origin_conn *)(void *)((char *)(link)-offsetof(struct origin_conn, member)))

static void link_add_first(struct upstream_link *ring, struct upstream_link *link)
{
	link->prev = ring;
	link->next = ring->next;
	ring->next->prev = link;
	ring->next = link;
}

static void link_remove(struct upstream_link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
}

static void idle_remove(struct origin_conn *conn)
{
	link_remove(&conn->by_place);
	link_remove(&conn->by_upstream);
	conn->upstream->idle_count--;
	conn->upstream = NULL;
}

void origin_conn_close(struct worker *worker, struct origin_conn **conn)
{
	struct origin_conn *c = *conn;

	*conn = NULL;
	if (!c)
		return;
	if (c->upstream)
		idle_remove(c);
	timer_clear(worker, &c->timer);
	transport_release(&c->transport, c->good_end);
	tls_identity_unref(&c->identity);
	if (c->io.fd >= 0)
		worker_io_close(worker, &c->io);
	free(c);
}

/* Our own limits are no fault of the origin's: they must not take it out. EAGAIN of an IP socket: no local port is left;
 * of a Unix socket: the listener's queue is full. */
static enum end connect_error(int error, int family)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOBUFS:
	case EADDRNOTAVAIL:
		return END_internal;
	case EAGAIN:
		return family == AF_UNIX ? END_connect_refused : END_internal;
	default:
		return END_connect_refused;
	}
}

enum end origin_conn_open(struct exchange *ex, bool *ret_done)
{
	const struct conf_addr *addr = ex->pick.addr;
	int family = addr->sa.any.sa_family, on = 1, got;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct origin_conn *conn;

	if (fd < 0)
		return END_internal;
	if (family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	got = connect(fd, &addr->sa.any, addr->len);
	if (got < 0 && errno != EINPROGRESS) {
		enum end end = connect_error(errno, family);

		close(fd);
		return end;
	}
	conn = must(calloc(1, sizeof *conn));
	conn->io.fd = conn->transport.fd = fd;
	conn->io.ready = exchange_ready;
	conn->place = ex->pick.place;
	conn->exchange = ex;
	ex->conn = conn;
	*ret_done = got == 0;
	return END_complete;
}

/* Silent, and open as far as this side knows. Tickets and new keys are TLS's own affair, and come when they like. */
static bool conn_is_quiet(struct origin_conn *conn)
{
	struct transport *transport = &conn->transport;
	bool pending = transport_has_pending(transport);
	char byte;

	if (!pending && recv(conn->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return true;
	return transport->tls && transport_recv(transport, &byte, 1) < 0 && errno == EAGAIN && !transport_has_unsent(transport);
}

/* Whatever else happens on an idle connection ends it: the origin closed it, or sent what nobody asked for, which must never be
 * taken for the answer to a later request. */
static void idle_ready(struct worker *worker, struct io *io, uint32_t events)
{
	struct origin_conn *conn = (struct origin_conn *)(void *)((char *)io - offsetof(struct origin_conn, io));

	if ((events & (EPOLLERR | EPOLLHUP)) || !conn_is_quiet(conn))
		origin_conn_close(worker, &conn);
}

static void idle_timeout(struct worker *worker, struct timer *timer)
{
	struct origin_conn *conn = (struct origin_conn *)(void *)((char *)timer - offsetof(struct origin_conn, timer));

	origin_conn_close(worker, &conn);
}

bool origin_conn_reuse(struct exchange *ex)
{
	struct upstream_link *ring = &ex->pick.place->idle, *next;

	/* The loop drops idle connections that stir, but not those that stirred in this very round: bytes that nobody asked for
	 * would be taken for the answer to this request. One look for each reuse is what that costs. */
	for (struct upstream_link *link = ring->next; link != ring; link = next) {
		struct origin_conn *conn = LINK_CONN(link, by_place);

		next = link->next;
		if (!origin_tls_fits(ex, conn))
			continue;
		if (!conn_is_quiet(conn)) {
			origin_conn_close(ex->worker, &conn);
			continue;
		}
		idle_remove(conn);
		conn->exchange = ex;
		conn->io.ready = exchange_ready;
		ex->conn = conn;
		return true;
	}
	return false;
}

void origin_conn_keep(struct exchange *ex)
{
	struct worker *worker = ex->worker;
	struct origin_conn *conn = ex->conn;
	struct upstream *upstream = ex->upstream;
	size_t most = ex->location->upstream->keepalive;
	uint64_t timeout_us = ex->location->set.proxy_keepalive_timeout;

	if (most == 0 || timeout_us == 0 || !upstream->named || !conn->place->named || (transport_has_pending(&conn->transport) && !conn_is_quiet(conn))) {
		origin_conn_close(worker, &ex->conn);
		return;
	}
	while (upstream->idle_count >= most) {
		struct origin_conn *oldest = LINK_CONN(upstream->idle.prev, by_upstream);

		origin_conn_close(worker, &oldest);
	}
	ex->conn = NULL;
	conn->exchange = NULL;
	conn->upstream = upstream;
	link_add_first(&conn->place->idle, &conn->by_place);
	link_add_first(&upstream->idle, &conn->by_upstream);
	upstream->idle_count++;
	conn->io.ready = idle_ready;
	worker_io_arm(worker, &conn->io, EPOLLIN);
	timer_set(worker, &conn->timer, timeout_us, idle_timeout);
}

void read_buffer_take(struct exchange *ex)
{
	struct origin_pool *pool = ex->worker->origins;

	ex->buffer = pool->buffers;
	ex->in_from = ex->in_used = ex->in_seen = 0;
	if (!ex->buffer) {
		ex->buffer = must(malloc(sizeof(struct read_buffer)));
		return;
	}
	pool->buffers = ex->buffer->next;
	pool->buffer_count--;
}

void read_buffer_give(struct exchange *ex)
{
	struct origin_pool *pool = ex->worker->origins;
	struct read_buffer *buffer = ex->buffer;

	ex->buffer = NULL;
	if (!buffer)
		return;
	if (pool->buffer_count >= READ_BUFFERS_KEPT) {
		free(buffer);
		return;
	}
	buffer->next = pool->buffers;
	pool->buffers = buffer;
	pool->buffer_count++;
}

void origins_init(struct worker *worker)
{
	worker->origins = must(calloc(1, sizeof *worker->origins));
	upstreams_init(&worker->origins->upstreams);
}

static void ring_close(struct worker *worker, struct upstream_link *ring, size_t offset)
{
	while (ring->next != ring) {
		struct origin_conn *conn = (struct origin_conn *)(void *)((char *)ring->next - offset);

		origin_conn_close(worker, &conn);
	}
}

static bool identity_is_named(const struct conf *conf, const struct tls_identity *identity)
{
	for (size_t i = 0; i < conf->tls_use_count; i++)
		if (conf->tls_uses[i]->made == identity)
			return true;
	return false;
}

/* Closes what is of a TLS identity that the configuration does not have: its files, or lines, have changed. */
static void identity_sweep(struct worker *worker, struct upstream_place *place, const struct conf *now)
{
	for (struct upstream_link *link = place->idle.next, *next; link != &place->idle; link = next) {
		struct origin_conn *conn = LINK_CONN(link, by_place);

		next = link->next;
		if (conn->identity && !identity_is_named(now, conn->identity))
			origin_conn_close(worker, &conn);
	}
}

/* Closes what leads to places, or was kept for upstreams, that the configuration does not have (any more). */
static void idle_sweep(struct worker *worker)
{
	struct upstreams *all = &worker->origins->upstreams;

	for (size_t b = 0; b < UPSTREAM_BUCKETS; b++) {
		for (struct upstream_place *place = all->places[b]; place; place = place->next)
			if (!place->named)
				ring_close(worker, &place->idle, offsetof(struct origin_conn, by_place));
		for (struct upstream *up = all->upstreams[b]; up; up = up->next)
			if (!up->named)
				ring_close(worker, &up->idle, offsetof(struct origin_conn, by_upstream));
	}
}

void origins_reload(struct worker *worker, const struct conf *old, const struct conf *now)
{
	struct upstreams *all = &worker->origins->upstreams;

	(void)old;
	upstreams_mark(all, now);
	idle_sweep(worker);
	for (size_t b = 0; b < UPSTREAM_BUCKETS; b++)
		for (struct upstream_place *place = all->places[b]; place; place = place->next)
			identity_sweep(worker, place, now);
	upstreams_sweep(all);
}

void origins_free(struct worker *worker)
{
	struct origin_pool *pool = worker->origins;

	if (!pool)
		return;
	while (pool->exchanges) { /* the loop is over: nobody is told */
		struct exchange *ex = pool->exchanges;

		CHECK(ex->depth == 0);
		exchange_strip(ex);
		ex->over = true;
		if (!ex->mailed) /* else its mail, when it is run after all, frees it */
			free(ex);
	}
	upstreams_mark(&pool->upstreams, NULL);
	idle_sweep(worker);
	upstreams_release(&pool->upstreams);
	while (pool->buffers) {
		struct read_buffer *next = pool->buffers->next;

		free(pool->buffers);
		pool->buffers = next;
	}
	origin_sessions_release(&pool->sessions);
	free(pool);
	worker->origins = NULL;
}
