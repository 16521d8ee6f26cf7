/* A client connection that speaks HTTP/1: accepting, reading heads and content, keep-alive and pipelining, time-outs, end.
 *
 * Bytes are read into one buffer of the worker and parsed there; a connection has memory for bytes of its own only while
 * a part of a head, or a pipelined request behind one in progress, waits in it. */
#include "h2.h"

#include <errno.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void conn_ready(struct worker *worker, struct io *io, uint32_t events);
static void conn_timer(struct worker *worker, struct timer *timer);
static void conn_process(struct conn *c, const char *buf, size_t len);

/* ---- life ---- */

static void conn_free(struct worker *worker, struct mail *mail)
{
	struct conn *c = (struct conn *)((char *)mail - offsetof(struct conn, free_mail));

	conf_hold_put(worker, c->carrier.hold);
	h2_free(&c->h2);
	free(c->in);
	free(c->out);
	free(c);
}

void conn_close(struct conn *c)
{
	struct client_list *clients = c->worker->clients;

	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	timer_clear(c->worker, &c->timer);
	transport_release(&c->transport, !c->cut);
	worker_io_close(c->worker, &c->io);
	if (c->prev)
		c->prev->next = c->next;
	else
		clients->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->worker->conn_count--;
	c->free_mail.run = conn_free;
	worker_defer(c->worker, &c->free_mail);
}

void conn_gone(struct conn *c, enum end end)
{
	struct request *request = c->carrier.request;

	if (c->state == CONN_CLOSED)
		return;
	if (c->transport.tls)
		conn_tls_end(c, end);
	c->carrier.request = NULL;
	if (c->h2)
		h2_gone(c, end);
	conn_close(c);
	if (request)
		request_client_gone(request, end);
}

void conn_wait(struct conn *c, enum conn_wait wait, uint64_t delay_us)
{
	c->wait = wait;
	timer_set(c->worker, &c->timer, delay_us, conn_timer);
}

void conn_wait_content(struct conn *c)
{
	if (c->state == CONN_BUSY && c->content && c->wants_content && !c->in_len && c->wait != CONN_WAIT_send)
		conn_wait(c, CONN_WAIT_content, c->carrier.set->client_body_timeout);
}

static void text_of_peer(struct conn *c)
{
	struct carrier *carrier = &c->carrier;

	if (c->peer.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&c->peer;
		inet_ntop(AF_INET, &in->sin_addr, c->peer_text, sizeof(c->peer_text));
		carrier->peer_port = ntohs(in->sin_port);
	} else if (c->peer.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)&c->peer;
		if (IN6_IS_ADDR_V4MAPPED(&in->sin6_addr))
			inet_ntop(AF_INET, &in->sin6_addr.s6_addr[12], c->peer_text, sizeof(c->peer_text));
		else
			inet_ntop(AF_INET6, &in->sin6_addr, c->peer_text, sizeof(c->peer_text));
		carrier->peer_port = ntohs(in->sin6_port);
	} else {
		memcpy(c->peer_text, "unix:", 6);
	}
	carrier->peer_text = slice_str(c->peer_text);
	carrier->peer = (const struct sockaddr *)&c->peer;
}

void clients_accept(struct worker *worker, int fd, const struct conf_listen *listen, const struct sockaddr *peer, socklen_t peer_len)
{
	struct client_list *clients = worker->clients;
	struct conn *c = must(calloc(1, sizeof(*c)));
	int one = 1;

	c->worker = worker;
	c->io = (struct io){ .fd = fd, .ready = conn_ready };
	c->transport.fd = fd;
	c->carrier.transport = &c->transport;
	c->carrier.ops = &conn_ops;
	c->carrier.hold = conf_hold_get(worker);
	c->carrier.listen = listen;
	c->carrier.set = &listen->fallback->set;
	c->carrier.conn_number = ++worker->conn_seq;
	if (peer_len <= sizeof(c->peer))
		memcpy(&c->peer, peer, peer_len);
	text_of_peer(c);
	if (c->peer.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->next = clients->conns;
	if (clients->conns)
		clients->conns->prev = c;
	clients->conns = c;
	worker->conn_count++;
	c->state = CONN_IDLE;
	if (listen->tls && !conn_tls_begin(c)) {
		conn_close(c);
		return;
	}
	worker_io_arm(worker, &c->io, EPOLLIN);
	if (!listen->tls)
		conn_wait(c, CONN_WAIT_idle, c->carrier.set->client_header_timeout);
}

void conn_rebind(struct conn *c)
{
	struct worker *worker = c->worker;
	const struct conf_addr *addr = &c->carrier.listen->addr;

	if (c->carrier.hold->conf == worker->conf)
		return;
	for (size_t i = 0; i < worker->conf->listen_count; i++) {
		const struct conf_listen *l = &worker->conf->listens[i];
		if (!slice_eq(l->addr.text, addr->text))
			continue;
		/* A certificate that the client has shown was looked at with the old configuration's eyes. */
		c->close = c->close || transport_asked_certificate(&c->transport);
		conf_hold_put(worker, c->carrier.hold);
		c->carrier.hold = conf_hold_get(worker);
		c->carrier.listen = l;
		c->carrier.set = &l->fallback->set;
		return;
	}
	c->close = true;
}

/* ---- reading ---- */

static void conn_save(struct conn *c, const char *buf, size_t len)
{
	char *saved = NULL;

	if (len) {
		saved = must(malloc(len));
		memcpy(saved, buf, len);
	}
	free(c->in);
	c->in = saved;
	c->in_len = len;
}

/* What can be said of a head that was refused: the first line's method, target and version, for the log. */
static void head_guess(struct slice bytes, struct http_head *head)
{
	size_t line = 0;

	while (line < bytes.len && (unsigned char)bytes.ptr[line] >= ' ' && line < LOG_STR_MAX)
		line++;
	const char *space = memchr(bytes.ptr, ' ', line);
	if (!space)
		return;
	head->method_text = slice_make(bytes.ptr, (size_t)(space - bytes.ptr));
	const char *target = space + 1;
	size_t rest = line - (size_t)(target - bytes.ptr);
	const char *end = memchr(target, ' ', rest);
	head->target = slice_make(target, end ? (size_t)(end - target) : rest);
	struct slice version = end ? slice_make(end + 1, rest - head->target.len - 1) : SLICE("");
	if (slice_eq(version, SLICE("HTTP/1.0")))
		head->minor = 0;
	else if (slice_eq(version, SLICE("HTTP/1.1")))
		head->minor = 1;
}

static void conn_begin(struct conn *c, const struct http_head *head, enum refusal refusal, size_t bytes)
{
	struct carrier *carrier = &c->carrier;
	uint64_t first = c->first_us;

	c->state = CONN_BUSY;
	c->wait = CONN_WAIT_none;
	c->first_us = 0;
	carrier->request_number++;
	carrier->request_bytes = bytes;
	carrier->head_out = carrier->body_out = carrier->first_flush = carrier->high_water = 0;
	c->http_1_0 = refusal == REFUSAL_none && head->minor == 0;
	c->keep_alive = refusal == REFUSAL_none && head->keep_alive && !c->close && !c->worker->draining
		&& carrier->set->keepalive_timeout > 0 && carrier->request_number < carrier->set->keepalive_requests;
	c->content = refusal == REFUSAL_none && (head->framing == FRAMING_chunked || (head->framing == FRAMING_length && head->length > 0));
	c->wants_content = false;
	c->continue_due = c->content && head->expect_continue;
	if (c->content)
		http_body_init(&c->body, head->framing, head->length);
	request_begin(c->worker, carrier, head, refusal, first, c->first_wall_us);
}

static void conn_refuse(struct conn *c, enum refusal refusal, struct slice bytes)
{
	struct http_head head = { .minor = MINOR_UNKNOWN };

	head_guess(bytes, &head);
	conn_begin(c, &head, refusal, bytes.len);
}

/* How much of the preface of HTTP/2 has come on a plain connection: prior knowledge (RFC 9113 section 3.3). 0: it is none. */
static size_t preface_seen(const struct conn *c, const char *buf, size_t len)
{
	const struct settings *set = c->carrier.set;

	bool may = set->http2 && set->http2_prior_knowledge && !c->carrier.tls && !c->plain_on_tls && c->carrier.request_number == 0;
	return may ? h2_preface(buf, len) : 0;
}

/* Parses one head. Returns the bytes it had, 0: more are needed, or -1: refused, the connection ends. */
static long conn_head(struct conn *c, const char *buf, size_t len)
{
	const struct settings *set;
	struct http_head head = { 0 };
	enum refusal refusal = REFUSAL_none;

	if (!c->first_us) {
		c->first_us = c->worker->now_us;
		c->first_wall_us = c->worker->wall_us;
		conn_rebind(c);
	}
	set = c->carrier.set;
	size_t preface = preface_seen(c, buf, len);
	if (preface == H2_PREFACE_LEN) {
		h2_begin(c, buf, len);
		return -1;
	}
	struct http_limits limits = { set->client_line_max, set->client_header_max, set->client_header_count_max };
	long n = preface ? HEAD_PARTIAL : http_parse_request(buf, len, c->in_seen, &limits, c->worker->clients->headers, &head, &refusal);
	if (n == HEAD_PARTIAL) {
		c->in_seen = len;
		if (c->state != CONN_HEAD) {
			c->state = CONN_HEAD;
			conn_wait(c, CONN_WAIT_head, set->client_header_timeout);
		}
		return 0;
	}
	c->in_seen = 0;
	if (c->plain_on_tls) {
		conn_refuse(c, REFUSAL_plain_on_tls, slice_make(buf, len));
		return -1;
	}
	if (n < 0) {
		conn_refuse(c, refusal, slice_make(buf, len));
		return -1;
	}
	c->in_len = len - (size_t)n;           /* what has come behind it: who waits for 100 (Continue) has sent nothing */
	conn_begin(c, &head, REFUSAL_none, (size_t)n);
	return n;
}

bool content_too_slow(struct content_rate *rate, size_t got, uint64_t now_us, uint64_t least)
{
	rate->bytes += got;
	if (now_us - rate->from_us < MIN_RATE_WINDOW_US)
		return false;
	bool slow = least && rate->bytes < least * (MIN_RATE_WINDOW_US / 1000000);
	*rate = (struct content_rate){ now_us, 0 };
	return slow;
}

/* Feeds content to the request. Returns the bytes used; 0: the request has no room, or is over. */
static size_t conn_content(struct conn *c, const char *buf, size_t len)
{
	struct request *request = c->carrier.request;
	struct slice data;
	size_t room = request_content_room(request);

	/* The framing alone may be fed without room: a chunk line, the last chunk. One byte at a time cannot bring payload
	 * that there is no room for but for that one byte, so a request always keeps one byte of room. */
	if (len > room)
		len = room;
	if (len == 0)
		return 0;
	long n = http_body_feed(&c->body, buf, len, &data);
	if (n < 0) {
		c->keep_alive = false;
		c->content = false;
		request_content_failed(request, c->body.refusal, END_refused);
		return len;
	}
	c->carrier.request_bytes += (uint64_t)n;
	if (content_too_slow(&c->rate, (size_t)n, c->worker->now_us, c->carrier.set->client_min_rate)) {
		c->keep_alive = false;
		request_content_failed(request, REFUSAL_body_timeout, END_client_min_rate);
		return (size_t)n;
	}
	if (c->body.done) {
		c->content = false;
		if (c->wait == CONN_WAIT_content)
			c->wait = CONN_WAIT_none;
	}
	if (data.len || c->body.done)
		request_content(request, data, c->body.done);
	return (size_t)n;
}

static void conn_process(struct conn *c, const char *buf, size_t len)
{
	size_t pos = 0;

	c->processing = true;
	while (c->state != CONN_CLOSED && c->state != CONN_LINGER && pos < len) {
		if (c->state == CONN_BUSY) {
			size_t n = c->content && c->wants_content && c->carrier.request ? conn_content(c, buf + pos, len - pos) : 0;
			if (n == 0)
				break;
			pos += n;
			continue;
		}
		long n = conn_head(c, buf + pos, len - pos);
		if (n <= 0) {
			pos = n < 0 ? len : pos;
			break;
		}
		pos += (size_t)n;
	}
	c->processing = false;
	if (c->state == CONN_CLOSED)
		return;
	conn_save(c, buf + pos, len - pos);
	/* While a request is in progress reading stays armed: a client rarely sends more before the answer, and then
	 * conn_read disarms it. Two system calls less for each request that waits for its origin. */
	if (c->state == CONN_BUSY && c->in_len)
		worker_io_arm(c->worker, &c->io, c->io.events & ~(uint32_t)EPOLLIN);
	else if (c->state != CONN_LINGER)
		worker_io_arm(c->worker, &c->io, c->io.events | EPOLLIN);
	if (c->wait == CONN_WAIT_content)
		c->wait = CONN_WAIT_none;      /* unless it is the client's turn, it is we who do not read */
	if (c->state == CONN_BUSY && c->content && c->in_len && !c->held_us)
		c->held_us = c->worker->now_us;
	conn_wait_content(c);
}

/* Goes on with bytes that waited. */
static void conn_resume(struct conn *c)
{
	char *buf = c->worker->clients->read_buf;
	size_t len = c->in_len;

	if (len)
		memcpy(buf, c->in, len);
	if (c->held_us)                        /* that time was not the client's */
		c->rate.from_us += c->worker->now_us - c->held_us;
	c->held_us = 0;
	conn_process(c, buf, len);
}

static void conn_eof(struct conn *c)
{
	if (c->state == CONN_HEAD) {
		c->eof = true;
		conn_refuse(c, REFUSAL_head_incomplete, slice_make(c->in, c->in_len));
	} else {
		conn_gone(c, END_client_left);
	}
}

static void conn_linger_read(struct conn *c)
{
	ssize_t n = transport_recv(&c->transport, c->worker->clients->read_buf, sizeof(c->worker->clients->read_buf));

	if (n > 0)
		c->lingered += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN) || c->lingered > LINGER_BYTES_MAX)
		conn_close(c);
}

/* Pipelined bytes behind a request in progress wait in the kernel. The client's end of file may mean that it has left, or
 * that it has nothing more to ask. Bytes that are sent to it tell; where there are none for a while (a silent stream, an
 * origin that thinks) a request that keeps the origin busy for this client alone is ended. */
static void conn_peek(struct conn *c)
{
	worker_io_arm(c->worker, &c->io, c->io.events & ~(uint32_t)EPOLLIN);
	if (c->in_len || !c->carrier.request || !transport_at_end(&c->transport))
		return;
	c->eof = true;
	if (c->wait != CONN_WAIT_send)
		conn_wait(c, CONN_WAIT_left, c->carrier.set->half_closed_timeout);
}

void conn_read(struct conn *c)
{
	char *buf = c->worker->clients->read_buf;
	size_t have = c->in_len, size = sizeof(c->worker->clients->read_buf);

	if (c->state == CONN_LINGER) {
		conn_linger_read(c);
		return;
	}
	if (c->state == CONN_H2) {
		h2_read(c);
		return;
	}
	if (c->state == CONN_BUSY && !(c->content && c->wants_content && !c->in_len)) {
		conn_peek(c);
		return;
	}
	if (have)
		memcpy(buf, c->in, have);
	ssize_t n = transport_recv(&c->transport, buf + have, size - have);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		conn_gone(c, END_client_left);
	else if (n == 0)
		conn_eof(c);
	else
		conn_process(c, buf, have + (size_t)n);
}

static void conn_ready(struct worker *worker, struct io *io, uint32_t events)
{
	struct conn *c = (struct conn *)((char *)io - offsetof(struct conn, io));

	(void)worker;
	if (c->state == CONN_HANDSHAKE) {
		conn_tls_ready(c, events);
		return;
	}
	if (c->state == CONN_H2) {
		h2_ready(c, events);
		return;
	}
	/* What came before a reset is still read: a request that was sent makes its line, whatever its client did then. */
	if (events & EPOLLIN)
		conn_read(c);
	if (c->state != CONN_CLOSED && ((events & EPOLLERR) || ((events & EPOLLHUP) && !(events & EPOLLIN)))) {
		conn_gone(c, END_client_left);
		return;
	}
	if (c->state != CONN_CLOSED && (events & EPOLLOUT))
		conn_write_ready(c);
	if (c->state != CONN_CLOSED && (events & EPOLLHUP) && !(c->io.events & EPOLLIN))
		conn_gone(c, END_client_left);
}

/* ---- time-outs and ends ---- */

static void conn_timer(struct worker *worker, struct timer *timer)
{
	struct conn *c = (struct conn *)((char *)timer - offsetof(struct conn, timer));

	(void)worker;
	if (c->state == CONN_H2) {
		h2_timer(c);
		return;
	}
	switch (c->wait) {
	case CONN_WAIT_none:
		break;
	case CONN_WAIT_handshake:
		conn_gone(c, END_tls_timeout);
		break;
	case CONN_WAIT_idle:
		conn_gone(c, END_client_header_timeout);
		break;
	case CONN_WAIT_linger:
		conn_close(c);
		break;
	case CONN_WAIT_head:
		conn_refuse(c, REFUSAL_head_timeout, slice_make(c->in, c->in_len));
		break;
	case CONN_WAIT_content:
		c->keep_alive = false;
		if (c->carrier.request)
			request_content_failed(c->carrier.request, REFUSAL_body_timeout, END_client_body_timeout);
		break;
	case CONN_WAIT_send:
		conn_gone(c, END_send_timeout);
		break;
	case CONN_WAIT_left:
		if (c->carrier.request && request_is_for_client_alone(c->carrier.request))
			conn_gone(c, END_client_left);
		break;
	}
}

void conn_linger(struct conn *c)
{
	/* Closing with unread bytes would send a reset that can destroy the answer on its way. */
	transport_shut(&c->transport);
	c->state = CONN_LINGER;
	conn_wait(c, CONN_WAIT_linger, LINGER_US);
	worker_io_arm(c->worker, &c->io, EPOLLIN);
}

void conn_request_done(struct conn *c)
{
	struct worker *worker = c->worker;

	c->carrier.request = NULL;
	if (c->state == CONN_CLOSED)
		return;
	conn_write_reset(c);
	if (!c->keep_alive || c->content || c->eof || worker->draining) {
		conn_linger(c);
		return;
	}
	c->state = CONN_IDLE;
	c->carrier.set = &c->carrier.listen->fallback->set;
	conn_wait(c, CONN_WAIT_idle, c->carrier.set->keepalive_timeout);
	if (!c->processing) {
		worker_io_arm(worker, &c->io, EPOLLIN);
		if (c->in_len)
			conn_resume(c);
		else if (transport_has_pending(&c->transport))
			conn_read_later(c);
	}
}

static void conn_want_content(struct carrier *carrier)
{
	struct conn *c = conn_of(carrier);

	if (!c->content)
		return;
	if (!c->wants_content) {
		c->wants_content = true;
		c->rate = (struct content_rate){ c->worker->now_us, 0 };
		c->held_us = 0;
	}
	if (c->continue_due) {
		c->continue_due = false;
		if (!c->in_len && !c->head_staged)
			carrier->ops->informational(carrier, 100, SLICE(""));
	}
	if (c->processing || c->state == CONN_CLOSED)
		return;
	if (c->in_len)
		conn_resume(c);
	else
		worker_io_arm(c->worker, &c->io, c->io.events | EPOLLIN);
	if (!c->in_len && transport_has_pending(&c->transport))
		conn_read_later(c);
	conn_wait_content(c);
}

/* conn_write.c has the rest of the operations. */
void conn_ops_want_content(struct carrier *carrier);
void conn_ops_want_content(struct carrier *carrier)
{
	conn_want_content(carrier);
}
