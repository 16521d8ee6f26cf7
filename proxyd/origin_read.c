/* The answer's way from the origin: bytes -> 1xx, final head, payload, the end. Payload goes to the user straight from the
 * read buffer; the buffer stays with the exchange only while it holds a part of a head, or what came after a pause. */
#include "origin_internal.h"

#include <errno.h>
#include <sys/socket.h>

static bool head_is_event_stream(const struct http_head *head)
{
	struct slice type = http_header_value(head, FIELD_content_type);
	const char *parameters = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;

	if (parameters)
		type.len = (size_t)(parameters - type.ptr);
	return slice_eq_nocase(slice_trim(type), SLICE("text/event-stream"));
}

/* The answer cannot be understood: the connection is of no use any more. */
static bool take_invalid(struct exchange *ex)
{
	if (!ex->head_done)
		exchange_blame(ex, END_origin_invalid);
	exchange_end(ex, END_origin_invalid);
	return false;
}

static bool take_informational(struct exchange *ex, const struct http_head *head)
{
	/* Nothing that asks for a change of protocol is ever sent: a 101 would make the rest of the connection opaque. */
	if (head->status == 101 || ++ex->informational_count > INFORMATIONAL_MAX)
		return take_invalid(ex);
	if (head->status != 100 && ex->user.informational)
		ex->user.informational(ex->arg, head);
	return !ex->over;
}

static bool take_final(struct exchange *ex, const struct http_head *head)
{
	ex->head_done = true;
	ex->facts.status = head->status;
	ex->keep = head->keep_alive && head->framing != FRAMING_close;
	ex->event_stream = head_is_event_stream(head);
	http_body_init(&ex->body, head->framing, head->length);
	upstream_worked(ex->pick.place);
	/* An answer that came before all content was sent: of an error it is known that the rest will not be read; a good one
	 * may depend on the rest (an echo), which goes on being sent while the answer lasts (RFC 9112 section 9.3). */
	if (!exchange_is_sent(ex) && head->status >= 300) {
		ex->send_over = true;
		ex->blocked = ex->want = false;
	}
	ex->user.head(ex->arg, head);
	return !ex->over;
}

enum taken { TAKEN_all,
	TAKEN_final,
	TAKEN_stop };

/* Heads in the buffer, the 1xx too, up to the final one. */
static enum taken take_heads(struct exchange *ex)
{
	const struct settings *set = &ex->location->set;
	struct http_limits limits = { set->proxy_header_max, set->proxy_header_max, set->proxy_header_count_max };
	struct http_header headers[HTTP_HEADERS_MAX];
	struct http_head head;

	while (ex->in_from < ex->in_used) {
		char *bytes = ex->buffer->bytes;
		size_t len = ex->in_used - ex->in_from;
		enum refusal refusal;
		long n = http_parse_response(bytes + ex->in_from, len, ex->in_seen, &limits, ex->method, headers, &head, &refusal);

		if (n == HEAD_PARTIAL && len < set->proxy_header_max) {
			memmove(bytes, bytes + ex->in_from, len);
			ex->in_from = 0;
			ex->in_used = ex->in_seen = len;
			return TAKEN_all;
		}
		if (n <= 0) {
			take_invalid(ex);
			return TAKEN_stop;
		}
		ex->in_from += (size_t)n;
		ex->in_seen = 0;
		if (head.status >= 200)
			return take_final(ex, &head) ? TAKEN_final : TAKEN_stop;
		if (!take_informational(ex, &head))
			return TAKEN_stop;
	}
	return TAKEN_all;
}

static bool take_body(struct exchange *ex)
{
	while (!ex->body.done && ex->in_from < ex->in_used) {
		const char *bytes = ex->buffer->bytes + ex->in_from;
		struct slice data = { NULL, 0 };
		long n = http_body_feed(&ex->body, bytes, ex->in_used - ex->in_from, &data);
		bool more = true;

		if (n < 0)
			return take_invalid(ex);
		CHECK(n > 0 || ex->body.done);
		ex->in_from += (size_t)n;
		ex->facts.bytes_in += data.len;
		if (data.len > 0)
			more = ex->user.body(ex->arg, data);
		if (ex->over)
			return false;
		if (!more && !ex->body.done) {
			ex->paused = true;
			return false;
		}
	}
	if (!ex->body.done)
		return true;
	exchange_end(ex, END_complete);
	return false;
}

bool exchange_take(struct exchange *ex)
{
	if (!ex->head_done) {
		enum taken taken = take_heads(ex);

		if (taken != TAKEN_final)
			return taken == TAKEN_all;
	}
	return take_body(ex);
}

/* End of file, or an error that means the same. */
static void read_ended(struct exchange *ex, int error)
{
	ex->reset |= error != 0;
	if (!ex->head_done) {
		exchange_lost(ex);
		return;
	}
	/* Only a good-bye ends such a body, over TLS one of TLS (RFC 8446 section 6.1): a reset may have eaten some of it, and
	 * anybody on the way can send a FIN. */
	if (ex->body.framing == FRAMING_close && !ex->reset && !transport_was_cut(&ex->conn->transport))
		exchange_end(ex, END_complete);
	else
		exchange_end(ex, END_origin_left);
}

/* One read into the buffer. Returns what recv() does, errno included. */
static ssize_t read_once(struct exchange *ex)
{
	ssize_t n;

	if (!ex->buffer)
		read_buffer_take(ex);
	else if (ex->in_from == ex->in_used)
		ex->in_from = ex->in_used = ex->in_seen = 0;
	do
		n = transport_recv(&ex->conn->transport, ex->buffer->bytes + ex->in_used, READ_BUFFER_SIZE - ex->in_used);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n;
	if (!ex->answer_begun) {
		ex->answer_begun = true;
		ex->facts.first_us = (int64_t)(ex->worker->now_us - ex->sent_from_us);
	}
	ex->in_used += (size_t)n;
	return n;
}

/* Reads while there is something to read, within bounds. False when the connection is no longer to be touched. */
static bool read_some(struct exchange *ex)
{
	for (int reads = 0; reads < READS_PER_EVENT; reads++) {
		ssize_t n = read_once(ex);
		int error = n < 0 ? errno : 0;

		if (error == EAGAIN || error == EWOULDBLOCK) {
			if (!ex->send_failed)
				return true;
			error = EPIPE; /* broken in one direction, silent in the other: nothing will come */
		}
		if (n <= 0) {
			read_ended(ex, error);
			return false;
		}
		if (!exchange_take(ex))
			return !ex->over;
		if (ex->in_used < READ_BUFFER_SIZE && !transport_has_pending(&ex->conn->transport))
			return true; /* the socket is empty; the loop will say when it is not */
	}
	if (transport_has_pending(&ex->conn->transport))
		exchange_defer(ex); /* of that the loop says nothing */
	return true;
}

void exchange_read(struct exchange *ex)
{
	bool more = true;

	if (ex->head_done && ex->in_from < ex->in_used)
		more = exchange_take(ex); /* what a pause left over goes first */
	if (ex->over || (more && !read_some(ex)))
		return;
	if (ex->in_from == ex->in_used)
		read_buffer_give(ex);
	exchange_settle(ex);
}
