/* A client connection that speaks HTTP/2: its life, its limits, GOAWAY, time-outs, its record. */
#include "h2.h"

#include <errno.h>

#include "access_log.h"

static const struct { unsigned most; enum end end; } budgets[] = {
#define H2_BUDGET(name, most, end, doc) [H2_BUDGET_##name] = { most, END_##end },
#include "tbl/h2_budgets.h"
#undef H2_BUDGET
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

size_t h2_preface(const char *buf, size_t len)
{
	size_t n = len < H2_PREFACE_LEN ? len : H2_PREFACE_LEN;

	return memcmp(buf, preface, n) == 0 ? n : 0;
}

/* ---- ends ---- */

void h2_give_up(struct h2 *h2, uint32_t code, enum end end)
{
	if (h2->end != END_complete)
		return;
	h2->end = end;
	nghttp2_session_terminate_session(h2->session, code);
	h2_flush_later(h2);
}

bool h2_spend(struct h2 *h2, enum h2_budget budget)
{
	uint64_t now = h2->conn->worker->now_us;

	if (now - h2->budget.from_us >= H2_BUDGET_US) {
		memset(h2->budget.count, 0, sizeof(h2->budget.count));
		h2->budget.from_us = now;
	}
	if (++h2->budget.count[budget] <= budgets[budget].most)
		return true;
	h2_give_up(h2, NGHTTP2_ENHANCE_YOUR_CALM, budgets[budget].end);
	return false;
}

/* A connection that we ended for what its client did makes a record of its own: it may have no request to tell it. */
static void h2_log_end(struct h2 *h2)
{
	struct conn *c = h2->conn;
	struct logline line;

	if (h2->end == END_complete)
		return;
	logline_init(&line);
	line.rec = REC_http2;
	line.t_us = (uint64_t)c->worker->wall_us;
	line.conn = c->carrier.conn_number;
	line.conn_req = c->carrier.request_number;
	line.config = c->carrier.hold->conf->generation;
	line.peer = line.client = c->carrier.peer_text;
	line.proto = SLICE("HTTP/2.0");
	line.scheme = c->carrier.tls ? SLICE("https") : SLICE("http");
	line.end = (uint8_t)h2->end;
	line.h2_error = slice_str(h2->why_text);
	access_log_write(c->worker, &line);
	h2->end = END_complete;
}

void h2_gone(struct conn *c, enum end end)
{
	struct h2 *h2 = c->h2;
	struct h2_stream *next;

	if (h2->end != END_complete)
		end = h2->end;
	h2_log_end(h2);
	timer_clear(c->worker, &h2->head_timer);
	timer_clear(c->worker, &h2->go_timer);
	for (struct h2_stream *s = h2->streams; s; s = next) {
		struct request *request = s->carrier.request;
		next = s->next;
		s->closed = true;
		s->let_go = true;
		s->carrier.request = NULL;
		if (request)
			request_client_gone(request, end);
		h2_stream_settle(s);
	}
}

void h2_free(struct h2 **h2)
{
	if (!*h2)
		return;
	nghttp2_session_del((*h2)->session);
	h2_streams_bury(*h2);
	h2_head_close(*h2);
	free((*h2)->out);
	free(*h2);
	*h2 = NULL;
}

static void h2_gone_said(struct h2 *h2)
{
	if (!h2->going || h2->gone)
		return;
	h2->gone = true;
	timer_clear(h2->conn->worker, &h2->go_timer);
	nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR, NULL, 0);
	h2_flush_later(h2);
}

static void go_due(struct worker *worker, struct timer *timer)
{
	(void)worker;
	h2_gone_said((struct h2 *)((char *)timer - offsetof(struct h2, go_timer)));
}

void h2_go(struct h2 *h2)
{
	if (h2->going)
		return;
	h2->going = true;
	/* What is on its way is still taken; the client's answer to the PING behind it says that nothing is any more. A client
	 * that does not answer is not waited for. */
	nghttp2_submit_shutdown_notice(h2->session);
	timer_set(h2->conn->worker, &h2->go_timer, FIRST_REQUEST_US, go_due);
	h2_flush_later(h2);
}

void h2_reload(struct conn *c)
{
	conn_rebind(c);
	if (c->close)
		h2_go(c->h2);
}

void h2_drain(struct conn *c)
{
	h2_go(c->h2);
}

void h2_settle(struct h2 *h2)
{
	struct conn *c = h2->conn;
	const struct settings *set = c->carrier.set;

	if (h2->request_count > 0 || c->state != CONN_H2)
		return;
	conn_wait(c, CONN_WAIT_idle, c->carrier.request_number ? set->keepalive_timeout : set->client_header_timeout);
	h2_flush_later(h2);                      /* it may be over */
}

static void head_late(struct worker *worker, struct timer *timer)
{
	(void)worker;
	h2_give_up((struct h2 *)((char *)timer - offsetof(struct h2, head_timer)), NGHTTP2_NO_ERROR, END_client_header_timeout);
}

void h2_timer(struct conn *c)
{
	struct h2 *h2 = c->h2;

	switch (c->wait) {
	case CONN_WAIT_idle:
		if (h2->request_count > 0 || h2->head.open)
			break;
		if (!h2->begun && !c->carrier.tls) {
			h2_give_up(h2, NGHTTP2_NO_ERROR, END_client_header_timeout);
			break;
		}
		if (h2->gone || !h2->begun) {        /* over TLS its record tells */
			conn_gone(c, h2->begun ? END_client_left : END_client_header_timeout);
			break;
		}
		/* Good-bye, and time for it to arrive. */
		h2->going = true;
		h2_gone_said(h2);
		conn_wait(c, CONN_WAIT_idle, FIRST_REQUEST_US);
		break;
	case CONN_WAIT_send:
		conn_gone(c, END_send_timeout);
		break;
	default:
		break;
	}
}

/* ---- frames ---- */

static struct h2_stream *stream_find(struct h2 *h2, int32_t id)
{
	return id > 0 ? nghttp2_session_get_stream_user_data(h2->session, id) : NULL;
}

/* A rule that nghttp2 does not look at. */
static void broke_rule(struct h2 *h2, const char *text)
{
	snprintf(h2->why_text, sizeof(h2->why_text), "%s", text);
	h2_give_up(h2, NGHTTP2_PROTOCOL_ERROR, END_h2_invalid);
}

static bool frame_spend(struct h2 *h2, const nghttp2_frame_hd *hd)
{
	switch (hd->type) {
	case NGHTTP2_RST_STREAM:
		return h2_spend(h2, H2_BUDGET_resets);
	case NGHTTP2_SETTINGS:
		return (hd->flags & NGHTTP2_FLAG_ACK) || h2_spend(h2, H2_BUDGET_settings);
	case NGHTTP2_PING:
		return h2_spend(h2, hd->flags & NGHTTP2_FLAG_ACK ? H2_BUDGET_others : H2_BUDGET_pings);
	case NGHTTP2_PRIORITY: case NGHTTP2_PRIORITY_UPDATE:
		if (hd->type == NGHTTP2_PRIORITY && hd->stream_id == 0) {
			broke_rule(h2, "PRIORITY: stream_id == 0");        /* RFC 9113 section 6.3 */
			return false;
		}
		return h2_spend(h2, H2_BUDGET_priorities);
	case NGHTTP2_WINDOW_UPDATE:
		return h2_spend(h2, H2_BUDGET_updates);
	case NGHTTP2_DATA: case NGHTTP2_HEADERS: case NGHTTP2_CONTINUATION:
		return true;
	default:
		return h2_spend(h2, H2_BUDGET_others);
	}
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
	struct h2 *h2 = user;
	struct h2_stream *s = stream_find(h2, hd->stream_id);
	uint64_t bytes = 9 + hd->length;

	(void)session;
	if (hd->type == NGHTTP2_HEADERS)
		h2->head.frame_bytes = bytes;
	if (hd->type == NGHTTP2_CONTINUATION)
		h2->head.frame_bytes += bytes;
	if (s && (hd->type == NGHTTP2_DATA || hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION))
		s->carrier.request_bytes += bytes;
	return frame_spend(h2, hd) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h2 = user;

	(void)session;
	h2_head_open(h2, frame->hd.stream_id, frame->headers.cat != NGHTTP2_HCAT_REQUEST);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
	const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
	struct h2 *h2 = user;

	(void)session, (void)frame, (void)flags;
	h2_head_add(h2, slice_make((const char *)name, name_len), slice_make((const char *)value, value_len));
	return h2->end == END_complete ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void headers_whole(struct h2 *h2, const nghttp2_frame *frame)
{
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct h2_stream *s;

	timer_clear(h2->conn->worker, &h2->head_timer);
	if (!h2->head.trailers) {
		s = h2_stream_new(h2, frame->hd.stream_id);
		h2_stream_begin(s, end);
	} else if ((s = stream_find(h2, frame->hd.stream_id))) {
		if (h2->head.refusal || !end)
			h2_stream_reset(s, NGHTTP2_PROTOCOL_ERROR, END_h2_malformed);
		else
			h2_stream_ended(s);
	}
	h2_head_close(h2);
	if (h2->request_count == 0)
		h2_settle(h2);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h2 = user;
	struct h2_stream *s;
	bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	(void)session;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		headers_whole(h2, frame);
		break;
	case NGHTTP2_DATA:
		if ((s = stream_find(h2, frame->hd.stream_id)) && end)
			h2_stream_ended(s);
		if (!end && frame->hd.length == frame->data.padlen)
			h2_spend(h2, H2_BUDGET_empty);
		break;
	case NGHTTP2_SETTINGS:
		h2->begun = true;
		break;
	case NGHTTP2_PING:
		if (frame->hd.flags & NGHTTP2_FLAG_ACK)
			h2_gone_said(h2);
		break;
	case NGHTTP2_PRIORITY_UPDATE: {
		const nghttp2_ext_priority_update *update = frame->ext.payload;
		if (update->stream_id == 0)
			broke_rule(h2, "PRIORITY_UPDATE: prioritized stream == 0");    /* RFC 9218 section 7.1 */
		h2_stream_priority(h2, update->stream_id, slice_make((const char *)update->field_value, update->field_value_len));
		break;
	}
	}
	return h2->end == END_complete ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user)
{
	(void)session;
	if (error == NGHTTP2_ERR_REFUSED_STREAM && frame->hd.type == NGHTTP2_HEADERS)
		h2_stream_refused(user);
	return h2_spend(user, H2_BUDGET_resets) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user)
{
	struct h2_stream *s = stream_find(user, id);

	(void)flags;
	if (s)
		h2_stream_data(s, (const char *)bytes, len);
	else
		nghttp2_session_consume_connection(session, len);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct h2_stream *s = stream_find(user, id);

	(void)session;
	if (s)
		h2_stream_closed(s, code);
	return 0;
}

static int on_error(nghttp2_session *session, int code, const char *text, size_t len, void *user)
{
	struct h2 *h2 = user;

	(void)session, (void)code;
	snprintf(h2->why_text, sizeof(h2->why_text), "%.*s", (int)(len < 120 ? len : 120), text);
	return 0;
}

/* A GOAWAY with an error is nghttp2's verdict about what has come. It minds the number of settings in a frame itself. */
static void note_verdict(struct h2 *h2, uint32_t code)
{
	h2->end = code == NGHTTP2_COMPRESSION_ERROR ? END_h2_compression : code == NGHTTP2_FLOW_CONTROL_ERROR ? END_h2_flow_control
		: code == NGHTTP2_ENHANCE_YOUR_CALM ? END_h2_settings_flood : END_h2_invalid;
	if (!h2->why_text[0])
		snprintf(h2->why_text, sizeof(h2->why_text), "%s", nghttp2_http2_strerror(code));
}

/* The end of a stream is noted before it is closed. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	struct h2 *h2 = user;
	bool head = frame->hd.type == NGHTTP2_HEADERS, body = frame->hd.type == NGHTTP2_DATA;

	if (frame->hd.type == NGHTTP2_GOAWAY && h2->going && !h2->gone)
		nghttp2_submit_ping(session, NGHTTP2_FLAG_NONE, NULL);   /* behind the notice: PING overtakes what waits */
	if (head || body)
		h2->sending = stream_find(h2, frame->hd.stream_id);
	if (h2->sending && (head || body) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		h2->sending->end_sent = true;
		h2->sending->end_at = UINT64_MAX;        /* until it is counted: frame_note() */
	}
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && h2->end == END_complete)
		note_verdict(h2, frame->goaway.error_code);
	return 0;
}

/* Nothing is known of a frame whose type is unknown, but that it was one (on_begin_frame). */
static int on_unknown(nghttp2_session *session, void **payload, const nghttp2_frame_hd *hd, void *user)
{
	(void)session, (void)hd, (void)user;
	*payload = NULL;
	return NGHTTP2_ERR_CANCEL;
}

/* ---- beginning ---- */

static nghttp2_session *session_make(struct h2 *h2)
{
	nghttp2_session_callbacks *calls = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;

	CHECK(nghttp2_session_callbacks_new(&calls) == 0 && nghttp2_option_new(&option) == 0);
	nghttp2_session_callbacks_set_on_begin_frame_callback(calls, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame_recv);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(calls, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(calls, on_frame_send);
	nghttp2_session_callbacks_set_error_callback2(calls, on_error);
	nghttp2_session_callbacks_set_unpack_extension_callback(calls, on_unknown);
	nghttp2_option_set_no_http_messaging(option, 1);         /* heads are judged by h2_head.c, with a reason for the log */
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_max_send_header_block_length(option, 2 * ANSWER_HEAD_MAX);
	nghttp2_option_set_max_continuations(option, H2_CONTINUATIONS_MAX);
	for (int type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		if (type == NGHTTP2_PRIORITY_UPDATE)
			nghttp2_option_set_builtin_recv_extension_type(option, (uint8_t)type);
		else
			nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
	CHECK(nghttp2_session_server_new2(&session, calls, h2, option) == 0);
	nghttp2_session_callbacks_del(calls);
	nghttp2_option_del(option);
	return session;
}

static void settings_say(struct h2 *h2)
{
	const struct settings *set = h2->conn->carrier.set;
	const nghttp2_settings_entry entries[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)set->http2_max_concurrent_streams },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)set->client_header_max },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};

	CHECK(nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, entries, COUNT_OF(entries)) == 0);
	/* As wide as all streams together: one whose request does not read holds up no other. */
	nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, (int32_t)(set->http2_max_concurrent_streams * H2_STREAM_WINDOW));
}

static void h2_feed(struct h2 *h2, const char *buf, size_t len)
{
	ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)buf, len);
	if (n < 0) {
		bool many = n == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS, flood = many || n == NGHTTP2_ERR_FLOODED;
		if (!h2->why_text[0] && h2->end == END_complete)
			snprintf(h2->why_text, sizeof(h2->why_text), "%s", nghttp2_strerror((int)n));
		h2_give_up(h2, flood ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR,
			many ? END_h2_continuation_flood : flood ? END_h2_ping_flood : END_h2_invalid);
	}
	if (h2->head.open && !h2->head_timer.due_us)
		timer_set(h2->conn->worker, &h2->head_timer, h2->conn->carrier.set->client_header_timeout, head_late);
	h2_flush_later(h2);
}

void h2_begin(struct conn *c, const char *buf, size_t len)
{
	struct h2 *h2 = must(calloc(1, sizeof(*h2)));

	h2->conn = c;
	c->h2 = h2;
	h2->session = session_make(h2);
	c->state = CONN_H2;
	conn_wait(c, CONN_WAIT_idle, c->carrier.set->client_header_timeout);
	settings_say(h2);
	worker_io_arm(c->worker, &c->io, EPOLLIN);
	if (len)
		h2_feed(h2, buf, len);
	h2_flush_later(h2);
	if (transport_has_pending(&c->transport))
		conn_read_later(c);
}

/* ---- events ---- */

void h2_read(struct conn *c)
{
	char *buf = c->worker->clients->read_buf;
	struct h2 *h2 = c->h2;

	if (h2->end != END_complete)
		return;                          /* it is being told; nothing is listened to */
	/* Who provokes frames and does not read them is not read either. */
	if (nghttp2_session_get_outbound_queue_size(h2->session) > H2_QUEUE_MAX && h2_has_unsent(h2)) {
		worker_io_arm(c->worker, &c->io, c->io.events & ~(uint32_t)EPOLLIN);
		return;
	}
	ssize_t n = transport_recv(&c->transport, buf, sizeof(c->worker->clients->read_buf));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_gone(c, END_client_left);
		return;
	}
	h2_feed(h2, buf, (size_t)n);
	if (c->state == CONN_H2 && transport_has_pending(&c->transport))
		conn_read_later(c);
}

void h2_ready(struct conn *c, uint32_t events)
{
	if (events & EPOLLIN)
		h2_read(c);
	if (c->state == CONN_H2 && ((events & EPOLLERR) || ((events & EPOLLHUP) && !(events & EPOLLIN)))) {
		conn_gone(c, END_client_left);
		return;
	}
	if (c->state == CONN_H2 && (events & EPOLLOUT))
		h2_flush(c->h2);
}
