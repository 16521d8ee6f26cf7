/* A stream of HTTP/2: its beginning, the content that comes on it, its time-outs and ends. */
#include "h2.h"

static const nghttp2_extpri default_priority = { NGHTTP2_EXTPRI_DEFAULT_URGENCY, 0 };

static void stream_timer(struct worker *worker, struct timer *timer);

struct h2_stream *h2_stream_new(struct h2 *h2, int32_t id)
{
	struct h2_stream *s = must(calloc(1, sizeof(*s)));

	s->h2 = h2;
	s->id = id;
	s->next = h2->streams;
	if (h2->streams)
		h2->streams->prev = s;
	h2->streams = s;
	h2->request_count++;
	nghttp2_session_set_stream_user_data(h2->session, id, s);
	return s;
}

/* Freed at the end of the round: whoever is on the stack may still look at it. */
void h2_stream_settle(struct h2_stream *s)
{
	struct h2 *h2 = s->h2;

	if (!s->closed || !s->let_go || s->dead)
		return;
	s->dead = true;
	timer_clear(h2->conn->worker, &s->timer);
	if (s->prev)
		s->prev->next = s->next;
	else
		h2->streams = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->next_dead = h2->dead;
	h2->dead = s;
	h2_flush_later(h2);
}

void h2_streams_bury(struct h2 *h2)
{
	struct h2_stream *next;

	for (struct h2_stream *s = h2->dead; s; s = next) {
		next = s->next_dead;
		free(s->in);
		free(s->out);
		free(s);
	}
	h2->dead = NULL;
}

static void let_go(struct h2_stream *s)
{
	if (s->let_go)
		return;
	s->let_go = true;
	s->carrier.request = NULL;
	timer_clear(s->h2->conn->worker, &s->timer);
	s->h2->request_count--;
	h2_settle(s->h2);
}

/* ---- beginning ---- */

/* What is malformed is not answered: RST_STREAM (RFC 9113 section 8.1.1). What is only more than we take is. */
static bool is_malformed(enum refusal refusal)
{
	return refusal != REFUSAL_none && refusal_rows[refusal].status == 400 && refusal != REFUSAL_host_missing;
}

static void priority_set(struct h2_stream *s, nghttp2_extpri priority)
{
	if (!s->closed)
		nghttp2_session_change_extpri_stream_priority(s->h2->session, s->id, &priority, 0);
}

/* A PRIORITY_UPDATE that came before its stream has the word, not the field (RFC 9218 section 7). */
static void priority_begin(struct h2_stream *s, struct slice field)
{
	s->priority = h2_priority(field, default_priority);
	for (size_t i = 0; i < H2_EARLY_PRIORITIES; i++)
		if (s->h2->early[i].id == s->id) {
			s->priority = s->h2->early[i].priority;
			return;
		}
	if (field.len)
		priority_set(s, s->priority);
}

void h2_stream_priority(struct h2 *h2, int32_t id, struct slice value)
{
	struct h2_stream *s = nghttp2_session_get_stream_user_data(h2->session, id);
	nghttp2_extpri priority = h2_priority(value, default_priority);

	if (s) {
		s->priority = priority;
		return;
	}
	size_t i = 0;
	while (i < H2_EARLY_PRIORITIES && h2->early[i].id != id) i++;
	if (i == H2_EARLY_PRIORITIES)
		i = h2->early_next++ % H2_EARLY_PRIORITIES;
	h2->early[i].id = id;
	h2->early[i].priority = priority;
}

void h2_stream_priority_answer(struct h2_stream *s, struct slice value)
{
	priority_set(s, h2_priority(value, s->priority));
}

static void refused_abort(struct carrier *carrier)
{
	carrier->request = NULL;
}

void h2_stream_refused(struct h2 *h2)
{
	static const struct carrier_ops ops = { .abort = refused_abort };
	struct conn *c = h2->conn;
	struct carrier carrier = c->carrier;     /* the request lets go of it in its first step */
	const struct http_head head = { .minor = 1, .http_2 = true };

	carrier.ops = &ops;
	carrier.request_number = ++c->carrier.request_number;
	carrier.request_bytes = h2->head.frame_bytes;
	carrier.unanswerable = true;
	request_begin(c->worker, &carrier, &head, REFUSAL_h2_streams, c->worker->now_us, c->worker->wall_us);
	CHECK(!carrier.request);
}

void h2_stream_begin(struct h2_stream *s, bool end)
{
	struct h2 *h2 = s->h2;
	struct conn *c = h2->conn;
	struct carrier *carrier = &s->carrier;
	struct http_head head = { 0 };
	char *buf;

	conn_rebind(c);
	*carrier = c->carrier;
	carrier->ops = &h2_ops;
	carrier->request_number = ++c->carrier.request_number;
	carrier->request_bytes = h2->head.frame_bytes;
	if (c->close || carrier->request_number >= carrier->set->keepalive_requests)
		h2_go(h2);
	enum refusal refusal = h2_head_take(h2, end, carrier->set, c->worker->clients->headers, &head, &buf);
	carrier->unanswerable = is_malformed(refusal);
	s->length = head.framing == FRAMING_length ? head.length : UINT64_MAX;
	s->content_end = end;
	s->content = refusal == REFUSAL_none && (head.framing == FRAMING_chunked || (head.framing == FRAMING_length && head.length > 0));
	s->continue_due = s->content && head.expect_continue;
	if (refusal == REFUSAL_none)
		priority_begin(s, http_header_value(&head, FIELD_priority));
	request_begin(c->worker, carrier, &head, refusal, h2->head.first_us, h2->head.first_wall_us);
	free(buf);
}

/* ---- content ---- */

static void content_wait(struct h2_stream *s)
{
	if (s->content && s->wants_content && !s->content_end && s->in_len == 0 && s->wait != H2_WAIT_send && !s->let_go)
		h2_stream_wait(s, H2_WAIT_content, s->carrier.set->client_body_timeout);
}

/* Gives the request what it has room for, and the client that much of the window back. */
static void feed(struct h2_stream *s)
{
	if (s->feeding)
		return;
	s->feeding = true;
	while (s->content && s->wants_content && s->carrier.request) {
		size_t room = request_content_room(s->carrier.request), n = s->in_len < room ? s->in_len : room;
		bool last = s->content_end && n == s->in_len;
		if (n == 0 && !last)
			break;
		struct slice bytes = slice_make(s->in + s->in_pos, n);
		s->in_pos += n;
		s->in_len -= n;
		s->content = !last;
		if (s->wait == H2_WAIT_content && last)
			s->wait = H2_WAIT_none;
		request_content(s->carrier.request, bytes, last);
		if (!s->closed)
			nghttp2_session_consume(s->h2->session, s->id, n);
		h2_flush_later(s->h2);
	}
	if (s->in_len == 0) {
		free(s->in);
		s->in = NULL;
		s->in_pos = s->in_cap = 0;
	}
	s->feeding = false;
	content_wait(s);
}

void h2_stream_data(struct h2_stream *s, const char *bytes, size_t len)
{
	struct h2 *h2 = s->h2;

	s->received += len;
	if (s->length != UINT64_MAX && s->received > s->length) {
		nghttp2_session_consume_connection(h2->session, len);
		h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR, END_h2_malformed);
		return;
	}
	if (!s->content || !s->carrier.request) {
		nghttp2_session_consume(h2->session, s->id, len);
		return;
	}
	if (content_too_slow(&s->rate, len, h2->conn->worker->now_us, s->carrier.set->client_min_rate)) {
		nghttp2_session_consume_connection(h2->session, len);
		s->content = false;
		request_content_failed(s->carrier.request, REFUSAL_body_timeout, END_client_min_rate);
		return;
	}
	if (s->in_pos && s->in_pos + s->in_len + len > s->in_cap) {
		memmove(s->in, s->in + s->in_pos, s->in_len);
		s->in_pos = 0;
	}
	if (s->in_len + len > s->in_cap) {
		CHECK(s->in_len + len <= H2_STREAM_WINDOW);      /* nghttp2 has seen to it */
		s->in_cap = s->in_len + len;
		s->in = must(realloc(s->in, s->in_cap));
	}
	memcpy(s->in + s->in_pos + s->in_len, bytes, len);
	s->in_len += len;
	feed(s);
}

void h2_stream_ended(struct h2_stream *s)
{
	if (s->content_end)
		return;
	s->content_end = true;
	if (s->length != UINT64_MAX && s->received != s->length) {
		h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR, END_h2_malformed);
		return;
	}
	feed(s);
}

void h2_stream_want(struct carrier *carrier)
{
	struct h2_stream *s = h2_stream_of(carrier);

	if (!s->content)
		return;
	if (!s->wants_content) {
		s->wants_content = true;
		s->rate = (struct content_rate){ s->h2->conn->worker->now_us, 0 };
	}
	if (s->continue_due) {
		s->continue_due = false;
		if (s->received == 0 && !s->headed)
			carrier->ops->informational(carrier, 100, SLICE(""));
	}
	feed(s);
}

/* ---- ends ---- */

void h2_stream_reset(struct h2_stream *s, uint32_t code, enum end end)
{
	struct request *request = s->carrier.request;

	let_go(s);
	if (!s->closed)
		nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, code);
	if (code == NGHTTP2_PROTOCOL_ERROR)
		h2_spend(s->h2, H2_BUDGET_resets);
	h2_flush_later(s->h2);
	if (request)
		request_client_gone(request, end);
	h2_stream_settle(s);
}

void h2_stream_closed(struct h2_stream *s, uint32_t code)
{
	struct request *request = s->carrier.request;

	s->closed = true;
	if (s->in_len)
		nghttp2_session_consume_connection(s->h2->session, s->in_len);
	s->in_len = 0;
	/* Whole, and on its way: its request waits until the socket has it. */
	if (s->end_sent && code == NGHTTP2_NO_ERROR)
		return;
	let_go(s);
	if (request)
		request_client_gone(request, END_client_left);
	h2_stream_settle(s);
}

void h2_stream_done(struct carrier *carrier)
{
	struct h2_stream *s = h2_stream_of(carrier);

	let_go(s);
	/* Nobody reads the rest of its content (RFC 9113 section 8.1). */
	if (!s->closed && !s->content_end)
		nghttp2_submit_rst_stream(s->h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_NO_ERROR);
	h2_flush_later(s->h2);
	h2_stream_settle(s);
}

void h2_stream_abort(struct carrier *carrier)
{
	struct h2_stream *s = h2_stream_of(carrier);

	s->carrier.request = NULL;
	h2_stream_reset(s, carrier->unanswerable ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_INTERNAL_ERROR, END_complete);
}

/* ---- time-outs ---- */

void h2_stream_wait(struct h2_stream *s, enum h2_wait wait, uint64_t delay_us)
{
	s->wait = wait;
	timer_set(s->h2->conn->worker, &s->timer, delay_us, stream_timer);
}

/* Whether it is the client that holds its answer up, by a window or by not reading; else it is other streams that come first. */
static bool is_held(const struct h2_stream *s)
{
	nghttp2_session *session = s->h2->session;

	if (h2_has_unsent(s->h2))
		return s->h2->conn->worker->now_us - s->h2->took_us >= s->carrier.set->send_timeout;
	return nghttp2_session_get_remote_window_size(session) <= 0 || nghttp2_session_get_stream_remote_window_size(session, s->id) <= 0;
}

static void stream_timer(struct worker *worker, struct timer *timer)
{
	struct h2_stream *s = (struct h2_stream *)((char *)timer - offsetof(struct h2_stream, timer));
	enum h2_wait wait = s->wait;

	(void)worker;
	s->wait = H2_WAIT_none;
	if (!s->carrier.request)
		return;
	if (wait == H2_WAIT_content)
		request_content_failed(s->carrier.request, REFUSAL_body_timeout, END_client_body_timeout);
	else if (wait == H2_WAIT_send && is_held(s))
		h2_stream_reset(s, NGHTTP2_CANCEL, END_send_timeout);
	else if (wait == H2_WAIT_send)
		h2_stream_wait(s, H2_WAIT_send, s->carrier.set->send_timeout);
}
