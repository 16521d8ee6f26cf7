/* The request's way to the origin: head, content, chunk framing. Content is never kept here: what the socket does not
 * take stays with the user; only a few bytes of framing may have to wait. */
#include "origin_internal.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Pieces of one write, in order. */
enum { PIECE_head,
	PIECE_frame,
	PIECE_line,
	PIECE_content,
	PIECE_closing,
	PIECE_COUNT };

struct pieces {
	struct iovec piece[PIECE_COUNT];
	char line[FRAME_MAX];
};

static struct iovec iov_make(const void *bytes, size_t len)
{
	return (struct iovec){ (void *)(uintptr_t)bytes, len };
}

/* What is left of a piece of `len` bytes after *went bytes of the whole went out; takes its share of them. */
static size_t piece_left(size_t *went, size_t len)
{
	size_t share = *went < len ? *went : len;

	*went -= share;
	return len - share;
}

static void send_broke(struct exchange *ex, int error)
{
	/* EPIPE: the origin had said good-bye (FIN) before it refused more. Its answer may be waiting, whole; reading tells. */
	ex->send_failed = ex->send_over = true;
	ex->reset |= error != EPIPE;
	ex->blocked = false;
	exchange_defer(ex);
}

/* Returns the bytes that went out; sets blocked when that was not all. */
static size_t pieces_send(struct exchange *ex, const struct pieces *pieces)
{
	struct transport *transport = &ex->conn->transport;
	struct iovec full[PIECE_COUNT];
	int count = 0;
	size_t all = 0;
	ssize_t n;

	for (size_t i = 0; i < PIECE_COUNT; i++) {
		if (pieces->piece[i].iov_len == 0)
			continue;
		all += pieces->piece[i].iov_len;
		full[count++] = pieces->piece[i];
	}
	if (all == 0)
		return 0;
	do /* most often one piece, the head: the plain call is cheaper */
		n = count == 1 && !transport->tls ? send(transport->fd, full[0].iov_base, all, MSG_NOSIGNAL)
						  : transport_sendv(transport, full, count);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
		send_broke(ex, errno);
		return 0;
	}
	if (n < 0)
		n = 0;
	ex->blocked = (size_t)n < all || transport_has_unsent(transport);
	return (size_t)n;
}

static void frame_keep(struct exchange *ex, const void *bytes, size_t len)
{
	CHECK(len <= FRAME_MAX);
	memcpy(ex->frame, bytes, len);
	ex->frame_from = 0;
	ex->frame_len = (uint8_t)len;
}

/* Frames `bytes` as the rest of an announced chunk, a new chunk, or plainly. Returns how many of them this write covers. */
static size_t pieces_frame(struct exchange *ex, struct pieces *pieces, struct slice bytes, bool last)
{
	bool chunked = ex->content_length == UINT64_MAX;
	size_t len = bytes.len;
	struct slice closing = { "", 0 };

	if (chunked && ex->chunk_left == 0 && len > 0)
		pieces->piece[PIECE_line] = iov_make(pieces->line, http_chunk_begin(len, pieces->line));
	else if (chunked && len > ex->chunk_left)
		len = (size_t)ex->chunk_left;
	if (chunked && len > 0 && (ex->chunk_left == 0 || len == ex->chunk_left))
		closing = SLICE("\r\n");
	if (chunked && last && len == bytes.len)
		closing = len > 0 ? SLICE("\r\n0\r\n\r\n") : SLICE("0\r\n\r\n");
	pieces->piece[PIECE_content] = iov_make(bytes.ptr, len);
	pieces->piece[PIECE_closing] = iov_make(closing.ptr, closing.len);
	return len;
}

/* One write of what waits plus `bytes`. Returns how many of `bytes` were taken. */
static size_t send_once(struct exchange *ex, struct slice bytes, bool last)
{
	struct pieces pieces = { .piece[PIECE_head] = iov_make(ex->head + ex->head_sent, ex->head_len - ex->head_sent) };
	struct iovec *closing = &pieces.piece[PIECE_closing], *line = &pieces.piece[PIECE_line];
	size_t len, left, line_len, closing_len, went;

	pieces.piece[PIECE_frame] = iov_make(ex->frame + ex->frame_from, (size_t)(ex->frame_len - ex->frame_from));
	len = pieces_frame(ex, &pieces, bytes, last);
	line_len = line->iov_len;
	closing_len = closing->iov_len;
	went = pieces_send(ex, &pieces);
	if (ex->send_failed)
		return 0;

	ex->head_sent = ex->head_len - piece_left(&went, ex->head_len - ex->head_sent);
	ex->frame_from = (uint8_t)(ex->frame_len - piece_left(&went, (size_t)(ex->frame_len - ex->frame_from)));
	if (went == 0 && ex->blocked)
		return 0; /* nothing of the new was begun: no chunk was announced */
	left = piece_left(&went, line_len);
	if (left > 0) { /* the line has begun: this chunk's length is settled */
		frame_keep(ex, pieces.line + line_len - left, left);
		ex->chunk_left = len;
		return 0;
	}
	if (line_len > 0)
		ex->chunk_left = len;
	left = piece_left(&went, len);
	if (ex->content_length == UINT64_MAX)
		ex->chunk_left -= len - left;
	ex->facts.bytes_out += len - left;
	if (left > 0)
		return len - left;
	left = piece_left(&went, closing_len);
	if (left > 0)
		frame_keep(ex, (const char *)closing->iov_base + closing_len - left, left);
	if (len == bytes.len && last)
		ex->content_over = true;
	return len;
}

void exchange_write(struct exchange *ex)
{
	if (ex->step != EXCHANGE_open || ex->over)
		return;
	/* A head that has not begun waits for the first content, to go out with it in one write. */
	if (!ex->send_over && !ex->blocked && ex->head_sent > 0 && !exchange_is_flushed(ex))
		send_once(ex, (struct slice){ "", 0 }, false);
	if (!ex->send_over && !ex->blocked && ex->last_waits && !ex->content_over)
		send_once(ex, (struct slice){ "", 0 }, true);
	if (!ex->send_over && !ex->blocked && ex->want) {
		ex->want = false;
		ex->user.want_content(ex->arg);
		if (ex->over || ex->step != EXCHANGE_open)
			return;
	}
	if (!ex->send_over && !ex->blocked && !exchange_is_flushed(ex))
		send_once(ex, (struct slice){ "", 0 }, false);
	exchange_settle(ex);
}

void exchange_flush(struct exchange *ex)
{
	struct transport *transport = &ex->conn->transport;

	if (!transport_flush(transport))
		send_broke(ex, errno);
	ex->blocked = ex->blocked && transport_has_unsent(transport);
	if (transport_has_unsent(transport))
		exchange_settle(ex);
	else
		exchange_write(ex);
}

size_t exchange_send(struct exchange *ex, struct slice bytes, bool last)
{
	bool chunked = ex->content_length == UINT64_MAX;
	size_t taken = 0;

	if (ex->over || ex->content_over || ex->last_waits)
		return 0;
	/* More than promised would become the next request; less than announced, a chunk that never ends. */
	CHECK(chunked || bytes.len <= ex->content_length - ex->facts.bytes_out);
	CHECK(!chunked || !last || bytes.len >= ex->chunk_left);
	if (!chunked) /* the length says it, whatever the user knows */
		last = bytes.len == ex->content_length - ex->facts.bytes_out;
	ex->last_waits = chunked && last && bytes.len == 0;
	if (ex->step != EXCHANGE_open || ex->blocked) {
		ex->want = !ex->last_waits;
		return 0;
	}
	while (!ex->send_over && !ex->blocked && !ex->content_over && (taken < bytes.len || last))
		taken += send_once(ex, slice_make(bytes.ptr + taken, bytes.len - taken), last);
	ex->want = taken < bytes.len;
	exchange_settle(ex);
	return taken;
}
