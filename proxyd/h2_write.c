/* Answers over HTTP/2: heads, bodies, and the frames that leave. A body's bytes wait with their stream, a few, until nghttp2,
 * which knows windows and priorities, asks for them. */
#include "h2.h"
#include "../conf/logval.h"

#include <errno.h>

enum { OWN_FIELDS = 2 /* :status, content-length */, BATCHES = 4 /* for one turn of one connection */ };

/* ---- heads ---- */

static size_t lines_count(const struct answer *answer)
{
	size_t count = 0;

	for (size_t i = 0; i < answer->block_count; i++)
		for (size_t at = 0; at < answer->blocks[i].len; at++)
			count += answer->blocks[i].ptr[at] == '\n';
	return count;
}

static nghttp2_nv field(struct slice name, struct slice value)
{
	return (nghttp2_nv){ (uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr, name.len, value.len, NGHTTP2_NV_FLAG_NONE };
}

/* "Name: value\r\n"... as fields with names in lower case, which are written to *names. What belongs to an HTTP/1 connection
 * has no place here. *priority is set to the value of the field of that name, if there is one. */
static size_t lines_read(struct slice block, nghttp2_nv *fields, char **names, struct slice *priority)
{
	const char *end = block.ptr + block.len;
	size_t count = 0;

	for (const char *line = block.ptr, *next; line < end; line = next) {
		const char *stop = memchr(line, '\n', (size_t)(end - line)), *colon;
		next = stop ? stop + 1 : end;
		colon = memchr(line, ':', (size_t)(next - line));
		if (!stop || !colon)
			continue;
		struct slice name = slice_make(*names, (size_t)(colon - line));
		struct slice value = slice_trim(slice_make(colon + 1, (size_t)(stop - colon - 1)));
		for (size_t i = 0; i < name.len; i++)
			(*names)[i] = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] | 0x20 : line[i]);
		if (value.len && value.ptr[value.len - 1] == '\r')
			value = slice_trim(slice_make(value.ptr, value.len - 1));
		enum http_field id = http_field_find(name);
		if (http_field_flags(id) & HTTP_HOP)
			continue;
		if (id == FIELD_priority)
			*priority = value;
		*names += name.len;
		fields[count++] = field(name, value);
	}
	return count;
}

static void head_send(struct h2_stream *s, const struct answer *answer, bool final)
{
	size_t most = lines_count(answer) + OWN_FIELDS, bytes = 0, count = 0;
	char status[3] = { (char)('0' + answer->status / 100 % 10), (char)('0' + answer->status / 10 % 10), (char)('0' + answer->status % 10) };
	char digits[20];
	struct slice priority = SLICE("");

	for (size_t i = 0; i < answer->block_count; i++)
		bytes += answer->blocks[i].len;
	nghttp2_nv *fields = must(malloc(most * sizeof(*fields) + bytes + 1));
	char *names = (char *)(fields + most);
	fields[count++] = field(SLICE(":status"), slice_make(status, 3));
	for (size_t i = 0; i < answer->block_count; i++)
		count += answer->blocks[i].len ? lines_read(answer->blocks[i], fields + count, &names, &priority) : 0;
	if (answer->body == ANSWER_LENGTH || (answer->body == ANSWER_NO_BODY && answer->length != UINT64_MAX))
		fields[count++] = field(SLICE("content-length"), slice_make(digits, (size_t)(logval_put_decimal(digits, answer->length) - digits)));
	nghttp2_data_provider body = { .source.ptr = s, .read_callback = h2_body_read };
	if (!final)
		nghttp2_submit_headers(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NULL, fields, count, NULL);
	else
		nghttp2_submit_response(s->h2->session, s->id, fields, count, s->no_body ? NULL : &body);
	free(fields);
	if (final && priority.len)
		h2_stream_priority_answer(s, priority);
	h2_flush_later(s->h2);
}

static void h2_informational(struct carrier *carrier, unsigned status, struct slice block)
{
	struct h2_stream *s = h2_stream_of(carrier);
	const struct answer answer = { .status = status, .blocks = &block, .block_count = 1, .body = ANSWER_NO_BODY, .length = UINT64_MAX };

	if (!s->headed && !s->closed)
		head_send(s, &answer, false);
}

static void h2_head_out(struct carrier *carrier, const struct answer *answer)
{
	struct h2_stream *s = h2_stream_of(carrier);

	CHECK(!s->headed);
	s->headed = true;
	s->continue_due = false;
	s->no_body = answer->body == ANSWER_NO_BODY || (answer->body == ANSWER_LENGTH && answer->length == 0);
	if (!s->closed)
		head_send(s, answer, true);
}

/* ---- bodies ---- */

ssize_t h2_body_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags, nghttp2_data_source *source, void *user)
{
	struct h2_stream *s = source->ptr;
	size_t n = s->out_len - s->out_pos;

	(void)session, (void)id, (void)user;
	n = n < len ? n : len;
	if (n == 0 && !s->ended) {
		s->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n)
		memcpy(buf, s->out + s->out_pos, n);
	s->out_pos += n;
	s->carrier.body_out += n;
	if (!s->flushed_once)
		s->carrier.first_flush += n;
	if (s->wait == H2_WAIT_send)
		s->wait = H2_WAIT_none;
	if (s->out_pos == s->out_len) {
		s->out_pos = s->out_len = 0;
		if (s->ended)
			*flags |= NGHTTP2_DATA_FLAG_EOF;
	}
	return (ssize_t)n;
}

static void resume(struct h2_stream *s)
{
	if (s->deferred && !s->closed)
		nghttp2_session_resume_data(s->h2->session, s->id);
	s->deferred = false;
	h2_flush_later(s->h2);
}

static size_t h2_body(struct carrier *carrier, const struct iovec *iov, int count)
{
	struct h2_stream *s = h2_stream_of(carrier);
	size_t taken = 0, offered = 0, room = H2_STREAM_OUT_MAX - (s->out_len - s->out_pos);

	if (s->out_pos) {
		memmove(s->out, s->out + s->out_pos, s->out_len - s->out_pos);
		s->out_len -= s->out_pos;
		s->out_pos = 0;
	}
	for (int i = 0; i < count; i++) {
		size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;
		offered += iov[i].iov_len;
		if (n == 0)
			continue;
		if (s->out_len + n > s->out_cap) {
			s->out_cap = s->out_len + n;
			s->out = must(realloc(s->out, s->out_cap));
		}
		memcpy(s->out + s->out_len, iov[i].iov_base, n);
		s->out_len += n;
		room -= n;
		taken += n;
	}
	s->blocked = taken < offered;
	if (s->blocked && s->out_len > carrier->high_water)
		carrier->high_water = s->out_len;
	if (taken)
		resume(s);
	return taken;
}

static bool h2_end(struct carrier *carrier)
{
	struct h2_stream *s = h2_stream_of(carrier);

	if (!s->ended) {
		s->ended = true;
		resume(s);
	}
	return s->end_sent && s->h2->left >= s->end_at;
}

static void h2_flush_op(struct carrier *carrier)
{
	h2_flush_later(h2_stream_of(carrier)->h2);
}

const struct carrier_ops h2_ops = {
	.informational = h2_informational,
	.head = h2_head_out,
	.body = h2_body,
	.end = h2_end,
	.abort = h2_stream_abort,
	.flush = h2_flush_op,
	.cork = h2_flush_op,
	.want_content = h2_stream_want,
	.done = h2_stream_done,
};

/* ---- the socket ---- */

static void flush_due(struct worker *worker, struct mail *mail)
{
	struct h2 *h2 = (struct h2 *)((char *)mail - offsetof(struct h2, flush_mail));

	(void)worker;
	h2->flush_queued = false;
	if (h2->conn->state == CONN_H2)
		h2_flush(h2);
}

void h2_flush_later(struct h2 *h2)
{
	if (h2->flush_queued || h2->conn->state != CONN_H2)
		return;
	h2->flush_queued = true;
	h2->flush_mail.run = flush_due;
	worker_defer(h2->conn->worker, &h2->flush_mail);
}

/* Frames begin with length (3), type, flags, stream (4) (RFC 9113 section 4.1): heads are counted as they leave, compressed. */
static void frame_note(struct h2 *h2, const uint8_t *frame, size_t len)
{
	int32_t id = (int32_t)((uint32_t)(frame[5] & 0x7f) << 24 | (uint32_t)frame[6] << 16 | (uint32_t)frame[7] << 8 | frame[8]);
	bool head = frame[3] == NGHTTP2_HEADERS || frame[3] == NGHTTP2_CONTINUATION;

	if (!head && frame[3] != NGHTTP2_DATA)
		return;
	struct h2_stream *s = h2->sending && h2->sending->id == id ? h2->sending : h2->streams;
	while (s && s->id != id) s = s->next;
	if (!s)
		return;
	if (head)
		s->carrier.head_out += len;
	if (s->end_sent)
		s->end_at = h2->made + len;
}

/* Gathers frames into `buf`. Returns their bytes, or -1. */
static ssize_t gather(struct h2 *h2, char *buf, size_t size)
{
	size_t len = 0;

	h2->sending = NULL;
	while (len < H2_BATCH) {
		const uint8_t *frame;
		ssize_t n = nghttp2_session_mem_send(h2->session, &frame);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		CHECK(n >= 9 && (size_t)n <= size - len);
		frame_note(h2, frame, (size_t)n);
		memcpy(buf + len, frame, (size_t)n);
		len += (size_t)n;
		h2->made += (uint64_t)n;
	}
	return (ssize_t)len;
}

/* Sends bytes; what the socket does not take is kept. False: the client is gone. */
static bool send_bytes(struct h2 *h2, const char *bytes, size_t len)
{
	struct conn *c = h2->conn;
	struct iovec iov = { (char *)(uintptr_t)bytes, len };
	ssize_t sent = len ? transport_sendv(&c->transport, &iov, 1) : 0;

	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	size_t taken = sent < 0 ? 0 : (size_t)sent;
	bool kept = h2->out != NULL;             /* then it is those that are sent */
	if (taken < len && !kept) {
		h2->out = must(malloc(len - taken));
		memcpy(h2->out, bytes + taken, len - taken);
		h2->out_pos = 0;
		h2->out_len = len - taken;
	} else if (kept) {
		h2->out_pos += taken;
	}
	if (h2->out && h2->out_pos == h2->out_len) {
		free(h2->out);
		h2->out = NULL;
		h2->out_pos = h2->out_len = 0;
	}
	if (taken) {
		h2->took_us = c->worker->now_us;
		if (c->wait == CONN_WAIT_send)
			c->wait = CONN_WAIT_none;
	}
	return true;
}

/* What waits first, then what nghttp2 has. False: the client is gone. */
static bool send_due(struct h2 *h2, bool *ret_more)
{
	struct conn *c = h2->conn;
	char *buf = c->worker->clients->head_buf;

	*ret_more = false;
	if (!transport_flush(&c->transport) || (h2->out && !send_bytes(h2, h2->out + h2->out_pos, h2->out_len - h2->out_pos)))
		return false;
	for (int i = 0; i < BATCHES && !h2_has_unsent(h2); i++) {
		ssize_t len = gather(h2, buf, sizeof(c->worker->clients->head_buf));
		if (len < 0 || !send_bytes(h2, buf, (size_t)len))
			return false;
		*ret_more = len >= H2_BATCH;
		if (!*ret_more)
			break;
	}
	if (!h2_has_unsent(h2))
		h2->left = h2->made;
	return true;
}

/* Requests whose bytes have left go on. */
static void wake(struct h2 *h2)
{
	struct h2_stream *next;

	for (struct h2_stream *s = h2->streams; s; s = next) {
		next = s->next;
		size_t waits = s->out_len - s->out_pos;
		s->flushed_once = s->flushed_once || s->carrier.body_out > 0;
		bool room = s->blocked && waits <= H2_STREAM_OUT_MAX / 2, sent = s->end_sent && h2->left >= s->end_at;
		if (s->carrier.request && (room || sent)) {
			s->blocked = false;
			request_writable(s->carrier.request);
		} else if (s->carrier.request && waits && s->wait != H2_WAIT_send) {
			h2_stream_wait(s, H2_WAIT_send, s->carrier.set->send_timeout);
		}
		if (waits == 0 && s->out_len == 0 && s->out && !s->blocked) {
			free(s->out);
			s->out = NULL;
			s->out_cap = 0;
		}
	}
}

/* Everything was said: the connection ends, gently, so that the last words arrive. */
static void finish(struct h2 *h2)
{
	struct conn *c = h2->conn;

	if (c->transport.tls)
		conn_tls_end(c, h2->end != END_complete ? h2->end : END_client_left);
	h2_gone(c, END_client_left);
	h2_streams_bury(h2);
	conn_linger(c);
}

void h2_flush(struct h2 *h2)
{
	struct conn *c = h2->conn;
	bool more;

	if (!send_due(h2, &more)) {
		conn_gone(c, END_client_left);
		return;
	}
	if (h2->end == END_complete)
		wake(h2);
	h2_streams_bury(h2);
	if (h2_has_unsent(h2) || more) {
		worker_io_arm(c->worker, &c->io, c->io.events | EPOLLOUT);
		if (c->wait != CONN_WAIT_send)
			conn_wait(c, CONN_WAIT_send, c->carrier.set->send_timeout);
		return;
	}
	if (!nghttp2_session_want_write(h2->session) && (h2->end != END_complete || !nghttp2_session_want_read(h2->session))) {
		finish(h2);
		return;
	}
	worker_io_arm(c->worker, &c->io, EPOLLIN);
	if (c->wait == CONN_WAIT_send || c->wait == CONN_WAIT_none) {
		c->wait = CONN_WAIT_none;
		if (h2->request_count == 0)
			h2_settle(h2);
	}
}
