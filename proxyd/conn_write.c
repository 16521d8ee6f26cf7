/* A client connection that speaks HTTP/1: sending. Heads are staged in the worker's memory and leave together with the
 * first body bytes in one system call; what the kernel does not take is copied to the connection. */
#include "conn.h"
#include "../conf/logval.h"

#include <errno.h>
#include <sys/socket.h>

enum { IOV_MAX_PIECES = 24 };

static void stage(struct conn *c, struct slice text)
{
	struct client_list *clients = c->worker->clients;

	if (text.len == 0)
		return;
	CHECK(c->staged + text.len <= sizeof(clients->head_buf));
	if (text.len == 0)
		return;
	memcpy(clients->head_buf + c->staged, text.ptr, text.len);
	c->staged += text.len;
}

static void stage_number(struct conn *c, uint64_t number)
{
	char digits[20];

	stage(c, slice_make(digits, (size_t)(logval_put_decimal(digits, number) - digits)));
}

/* What is staged and was not sent is kept with the connection until the socket is writable. */
static void keep_unsent(struct conn *c, size_t staged_sent)
{
	size_t left = c->staged - staged_sent;

	if (left) {
		c->out = must(realloc(c->out, c->out_len + left));
		memcpy(c->out + c->out_len, c->worker->clients->head_buf + staged_sent, left);
		c->out_len += left;
	}
	c->staged = 0;
}

static void arm_write(struct conn *c)
{
	c->blocked = true;
	worker_io_arm(c->worker, &c->io, c->io.events | EPOLLOUT);
	conn_wait(c, CONN_WAIT_send, c->carrier.set->send_timeout);
}

static void out_taken(struct conn *c, size_t n)
{
	c->out_pos += n;
	if (c->out_pos == c->out_len) {
		free(c->out);
		c->out = NULL;
		c->out_pos = c->out_len = 0;
	}
}

/* Sends unsent bytes, staged bytes and body bytes, in this order. Returns how many body bytes left; -1: the client is
 * gone (the request was told). Whatever is staged has left or is kept afterwards. */
static ssize_t send_all(struct conn *c, const struct iovec *body, int count)
{
	struct iovec iov[IOV_MAX_PIECES];
	size_t out = c->out_len - c->out_pos, staged = c->staged, total = out + staged;
	int n = 0;

	if (out)
		iov[n++] = (struct iovec){ c->out + c->out_pos, out };
	if (staged)
		iov[n++] = (struct iovec){ c->worker->clients->head_buf, staged };
	for (int i = 0; i < count && n < IOV_MAX_PIECES; i++) {
		iov[n++] = body[i];
		total += body[i].iov_len;
	}
	if (total == 0)
		return 0;
	ssize_t sent = transport_sendv(&c->transport, iov, n);
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		c->staged = 0;
		conn_gone(c, END_client_left);
		return -1;
	}
	size_t left = sent < 0 ? 0 : (size_t)sent;
	bool all = left == total && !transport_has_unsent(&c->transport);
	size_t of_out = left < out ? left : out;
	left -= of_out;
	if (of_out)
		out_taken(c, of_out);
	size_t of_staged = left < staged ? left : staged;
	keep_unsent(c, of_staged);
	left -= of_staged;
	if (!all)
		arm_write(c);
	else
		c->blocked = false;
	if (sent > 0 && c->eof && all)
		conn_wait(c, CONN_WAIT_left, c->carrier.set->half_closed_timeout);
	return (ssize_t)left;
}

/* ---- heads ---- */

/* We write our own validated status line (three digits, a registered phrase), whatever the origin's said. */
static void stage_status(struct conn *c, unsigned status)
{
	char code[4] = { (char)('0' + status / 100 % 10), (char)('0' + status / 10 % 10), (char)('0' + status % 10), ' ' };

	stage(c, SLICE("HTTP/1.1 "));
	stage(c, slice_make(code, sizeof(code)));
	stage(c, http_reason(status));
	stage(c, SLICE("\r\n"));
}

static void conn_informational(struct carrier *carrier, unsigned status, struct slice block)
{
	struct conn *c = conn_of(carrier);

	if (c->http_1_0 || c->head_staged || c->state != CONN_BUSY)
		return;
	size_t before = c->staged;
	stage_status(c, status);
	stage(c, block);
	stage(c, SLICE("\r\n"));
	carrier->head_out += c->staged - before;
	send_all(c, NULL, 0);
}

static void conn_head_out(struct carrier *carrier, const struct answer *answer)
{
	struct conn *c = conn_of(carrier);
	size_t before = c->staged;

	CHECK(!c->head_staged);
	c->head_staged = true;
	c->continue_due = false;
	/* Content that was not read to its end would be taken for the next request. */
	if (answer->close || c->content || c->worker->draining)
		c->keep_alive = false;
	stage_status(c, answer->status);
	for (size_t i = 0; i < answer->block_count; i++)
		stage(c, answer->blocks[i]);
	if (answer->body == ANSWER_LENGTH || (answer->body == ANSWER_NO_BODY && answer->length != UINT64_MAX)) {
		stage(c, SLICE("Content-Length: "));
		stage_number(c, answer->length);
		stage(c, SLICE("\r\n"));
	} else if (answer->body == ANSWER_UNKNOWN && !c->http_1_0) {
		c->chunked = true;
		stage(c, SLICE("Transfer-Encoding: chunked\r\n"));
	} else if (answer->body == ANSWER_UNKNOWN) {
		c->keep_alive = false;
	}
	if (!c->keep_alive)
		stage(c, SLICE("Connection: close\r\n"));
	else if (c->http_1_0)
		stage(c, SLICE("Connection: keep-alive\r\n"));
	stage(c, SLICE("\r\n"));
	carrier->head_out += c->staged - before;
}

/* ---- bodies ---- */

static size_t iov_total(const struct iovec *iov, int count)
{
	size_t total = 0;

	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	return total;
}

static void count_body(struct conn *c, size_t n)
{
	if (n && !c->carrier.body_out)
		c->carrier.first_flush = n;
	c->carrier.body_out += n;
}

/* A chunk is begun for all that is offered; what the kernel does not take of it stays promised and comes first next time,
 * cut to what the chunk has left. */
static size_t body_chunked(struct conn *c, const struct iovec *iov, int count, size_t offered)
{
	struct iovec pieces[IOV_MAX_PIECES];
	char line[24];
	int n = 0;
	size_t left;

	if (c->chunk_left == 0) {
		if (c->chunk_tail)
			stage(c, SLICE("\r\n"));
		stage(c, slice_make(line, http_chunk_begin(offered, line)));
		c->chunk_left = offered;
		c->chunk_tail = true;
	}
	left = c->chunk_left < offered ? (size_t)c->chunk_left : offered;
	size_t promised = left;
	for (int i = 0; i < count && left && n < IOV_MAX_PIECES - 3; i++) {
		size_t take = iov[i].iov_len < left ? iov[i].iov_len : left;
		pieces[n++] = (struct iovec){ iov[i].iov_base, take };
		left -= take;
	}
	bool whole = left == 0 && promised == c->chunk_left;
	if (whole)
		pieces[n++] = (struct iovec){ (char *)(uintptr_t)"\r\n", 2 };
	ssize_t sent = send_all(c, pieces, n);
	if (sent < 0)
		return 0;
	size_t payload = (size_t)sent < promised ? (size_t)sent : promised;
	c->chunk_left -= payload;
	if (whole && payload == promised) {
		/* Part of the CRLF may be left. */
		size_t of_tail = (size_t)sent - payload;
		c->chunk_tail = false;
		if (of_tail < 2) {
			stage(c, slice_make(&"\r\n"[of_tail], 2 - of_tail));
			keep_unsent(c, 0);
		}
	}
	return payload;
}

static size_t conn_body(struct carrier *carrier, const struct iovec *iov, int count)
{
	struct conn *c = conn_of(carrier);
	size_t offered = iov_total(iov, count), taken;

	if (offered == 0 || (c->blocked && c->out_len))
		return 0;
	if (c->chunked) {
		taken = body_chunked(c, iov, count, offered);
	} else {
		ssize_t sent = send_all(c, iov, count);
		taken = sent < 0 ? 0 : (size_t)sent;
	}
	count_body(c, taken);
	if (c->blocked && offered - taken > carrier->high_water)
		carrier->high_water = offered - taken;
	return taken;
}

static bool conn_end(struct carrier *carrier)
{
	struct conn *c = conn_of(carrier);

	if (!c->ended && c->chunked) {
		if (c->chunk_tail)
			stage(c, SLICE("\r\n"));
		c->chunk_tail = false;
		stage(c, SLICE("0\r\n\r\n"));
	}
	c->ended = true;
	if (c->staged || (c->out_len && !c->blocked))
		send_all(c, NULL, 0);
	return c->state == CONN_CLOSED || (c->out_len == 0 && !transport_has_unsent(&c->transport));
}

static void conn_flush(struct carrier *carrier)
{
	struct conn *c = conn_of(carrier);

	if (c->state == CONN_BUSY && c->staged && !(c->blocked && c->out_len))
		send_all(c, NULL, 0);
	else if (c->staged)
		keep_unsent(c, 0);
}

static void cork_over(struct worker *worker, struct mail *mail)
{
	struct conn *c = (struct conn *)((char *)mail - offsetof(struct conn, flush_mail));

	(void)worker;
	c->flush_queued = false;
	if (c->state != CONN_CLOSED && c->out_len && !c->blocked)
		send_all(c, NULL, 0);
}

static void conn_cork(struct carrier *carrier)
{
	struct conn *c = conn_of(carrier);

	if (!c->staged)
		return;
	keep_unsent(c, 0);
	if (c->flush_queued)
		return;
	c->flush_queued = true;
	c->flush_mail.run = cork_over;
	worker_defer(c->worker, &c->flush_mail);
}

/* Cut: no last chunk, no more bytes of the length that was promised; a body that ends with the connection is reset, so
 * that the client can tell (RFC 9112 section 8). */
static void conn_abort(struct carrier *carrier)
{
	struct conn *c = conn_of(carrier);
	struct linger reset = { 1, 0 };

	if (c->head_staged && !c->chunked)
		setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	c->staged = 0;
	c->cut = true;
	carrier->request = NULL;
	conn_gone(c, END_complete);
}

static void conn_done(struct carrier *carrier)
{
	conn_request_done(conn_of(carrier));
}

void conn_write_ready(struct conn *c)
{
	struct request *request = c->carrier.request;

	if (!transport_flush(&c->transport)) {
		conn_gone(c, END_client_left);
		return;
	}
	if (c->out_len && !transport_has_unsent(&c->transport) && send_all(c, NULL, 0) < 0)
		return;
	if (c->out_len || transport_has_unsent(&c->transport))
		return;
	c->blocked = false;
	c->wait = c->wait == CONN_WAIT_send ? CONN_WAIT_none : c->wait;
	conn_wait_content(c);
	worker_io_arm(c->worker, &c->io, c->io.events & ~(uint32_t)EPOLLOUT);
	if (request)
		request_writable(request);
}

void conn_write_reset(struct conn *c)
{
	c->head_staged = c->chunked = c->ended = c->blocked = c->chunk_tail = false;
	c->chunk_left = 0;
	if (c->io.events & EPOLLOUT)
		worker_io_arm(c->worker, &c->io, c->io.events & ~(uint32_t)EPOLLOUT);
}

void conn_ops_want_content(struct carrier *carrier);
const struct carrier_ops conn_ops = {
	.informational = conn_informational,
	.head = conn_head_out,
	.body = conn_body,
	.end = conn_end,
	.abort = conn_abort,
	.flush = conn_flush,
	.cork = conn_cork,
	.want_content = conn_ops_want_content,
	.done = conn_done,
};
