/* The life of an exchange with an origin: choose a server, reuse or connect, events and timers, once more when that is
 * safe, the end. See origin.h for what the user is promised, origin_internal.h for who does what. */
#include "origin_internal.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

static struct origin_conn *conn_of_io(struct io *io)
{
	return (struct origin_conn *)(void *)((char *)io - offsetof(struct origin_conn, io));
}

static struct origin_conn *conn_of_timer(struct timer *timer)
{
	return (struct origin_conn *)(void *)((char *)timer - offsetof(struct origin_conn, timer));
}

/* ---- memory ---- */

static void exchange_unpick(struct exchange *ex)
{
	if (ex->pick.place)
		ex->pick.place->users--;
	ex->pick.place = NULL;
}

void exchange_strip(struct exchange *ex)
{
	struct origin_pool *pool = ex->worker->origins;

	origin_conn_close(ex->worker, &ex->conn);
	read_buffer_give(ex);
	exchange_unpick(ex);
	ex->upstream->users--;
	ex->upstream = NULL;
	if (ex->prev)
		ex->prev->next = ex->next;
	else
		pool->exchanges = ex->next;
	if (ex->next)
		ex->next->prev = ex->prev;
}

void exchange_leave(struct exchange *ex)
{
	CHECK(ex->depth > 0);
	if (--ex->depth > 0 || !ex->over || ex->mailed)
		return;
	if (ex->upstream)
		exchange_strip(ex);
	free(ex);
}

/* ---- attempts ---- */

/* Forgets the attempt under way: connection, what was sent, what came. No content was taken, no head has come. */
static void attempt_wipe(struct exchange *ex)
{
	CHECK(ex->facts.bytes_out == 0 && !ex->head_done);
	origin_conn_close(ex->worker, &ex->conn);
	read_buffer_give(ex);
	ex->step = EXCHANGE_idle;
	ex->head_sent = 0;
	ex->chunk_left = 0;
	ex->frame_from = ex->frame_len = 0;
	ex->blocked = ex->send_over = ex->send_failed = ex->reset = false;
	ex->content_over = ex->content_length == 0;
	ex->want = ex->content_length != 0 && !ex->last_waits; /* an end that was given is still known */
	ex->in_from = ex->in_used = ex->in_seen = 0;
	ex->answer_begun = false;
	ex->informational_count = 0;
	ex->facts.connect_us = ex->facts.first_us = ex->facts.tls_us = -1;
	ex->facts.reused = ex->facts.tls_resumed = false;
	ex->facts.tls = ex->facts.tls_name = SLICE("");
	ex->facts.verify = ORIGIN_VERIFY_none;
	ex->facts.tls_alert = -1;
	ex->facts.tls_error[0] = '\0';
}

void exchange_blame(struct exchange *ex, enum end why)
{
	struct upstream_place *place = ex->pick.place;

	place->failures++;
	place->error = why;
	place->error_us = ex->worker->wall_us;
	upstream_failed(ex->upstream, ex->location->upstream, &ex->pick, ex->worker->now_us);
}

void exchange_opened(struct exchange *ex)
{
	ex->step = EXCHANGE_open;
	ex->sent_from_us = ex->worker->now_us;
	if (ex->starting && ex->want) {
		exchange_settle(ex);
		exchange_defer(ex); /* want_content must wait until exchange_start() has returned */
		return;
	}
	exchange_write(ex);
}

static void attempt_connected(struct exchange *ex)
{
	ex->facts.connect_us = (int64_t)(ex->worker->now_us - ex->connect_from_us);
	if (ex->location->tls_use)
		origin_tls_begin(ex);
	else
		exchange_opened(ex);
}

static void attempt_count(struct exchange *ex)
{
	ex->facts.tries++;
	ex->facts.address = ex->pick.addr->text;
	ex->pick.place->asked++;
}

/* A fresh connection to the picked server: END_complete when it is under way. */
static enum end attempt_connect(struct exchange *ex)
{
	bool done = false;
	enum end end;

	attempt_count(ex);
	ex->connect_from_us = ex->worker->now_us;
	end = origin_conn_open(ex, &done);
	if (end != END_complete)
		return end;
	if (done) {
		attempt_connected(ex);
		return END_complete;
	}
	ex->step = EXCHANGE_connecting;
	worker_io_arm(ex->worker, &ex->conn->io, EPOLLOUT);
	timer_set(ex->worker, &ex->conn->timer, ex->location->set.proxy_connect_timeout, exchange_timeout);
	return END_complete;
}

/* The next server that may be asked; `end` is what it comes to when there is none. */
static void attempt_next(struct exchange *ex, enum end end)
{
	size_t most = ex->location->set.proxy_tries;

	if (most > TRIES_MAX)
		most = TRIES_MAX;
	for (;;) {
		struct upstream_pick pick;
		enum end failed;

		if (ex->tried_count >= most
			|| !upstream_choose(ex->upstream, ex->tried, ex->tried_count, ex->worker->now_us, &pick))
			break;
		attempt_wipe(ex);
		exchange_unpick(ex);
		ex->pick = pick;
		ex->pick.place->users++;
		ex->tried[ex->tried_count++] = pick.addr;
		if (!ex->stale_once && origin_conn_reuse(ex)) {
			attempt_count(ex);
			ex->facts.reused = true;
			origin_tls_reused(ex);
			exchange_opened(ex);
			return;
		}
		failed = attempt_connect(ex);
		if (failed == END_complete)
			return;
		end = failed;
		if (end == END_internal)
			break; /* our own limit: another server would not help */
		exchange_blame(ex, end);
	}
	exchange_end(ex, end);
}

void exchange_failed(struct exchange *ex, enum end end, bool blamed)
{
	if (blamed)
		exchange_blame(ex, end);
	attempt_next(ex, end);
}

void exchange_lost(struct exchange *ex)
{
	/* Nothing came back, so a request that may be sent twice can be; one of which nothing has left may be sent anyhow. */
	bool again = !ex->answer_begun && ex->facts.bytes_out == 0 && (ex->idempotent || ex->head_sent == 0);
	bool reused = ex->facts.reused;
	enum end end = origin_tls_why_lost(ex);

	if (!again) {
		if (!reused)
			exchange_blame(ex, end);
		exchange_end(ex, end);
		return;
	}
	if (!reused) {
		exchange_failed(ex, end, true);
		return;
	}
	/* An idle connection that the origin closed just as it was taken is nobody's fault. */
	attempt_wipe(ex);
	ex->stale_once = true;
	end = attempt_connect(ex);
	if (end == END_internal)
		exchange_end(ex, end);
	else if (end != END_complete)
		exchange_failed(ex, end, true);
}

/* ---- the end ---- */

static bool conn_is_reusable(const struct exchange *ex)
{
	/* Bytes beyond the end of the answer, or a request that was not sent whole: the two sides disagree on where they are. */
	return ex->conn && ex->keep && ex->body.done && exchange_is_sent(ex) && !ex->send_failed && ex->in_from == ex->in_used
		&& !transport_has_unsent(&ex->conn->transport);
}

void exchange_end(struct exchange *ex, enum end end)
{
	if (ex->starting) {
		ex->end_waits = true;
		ex->end = end;
		exchange_defer(ex);
		return;
	}
	if (ex->conn)
		ex->conn->good_end = end == END_complete && exchange_is_sent(ex);
	if (end == END_complete && conn_is_reusable(ex))
		origin_conn_keep(ex);
	else
		origin_conn_close(ex->worker, &ex->conn);
	ex->over = true; /* before the call: what the user still sends is for nobody */
	ex->user.done(ex->arg, end, &ex->facts);
}

void exchange_abort(struct exchange **exchange, struct exchange_facts *ret_facts)
{
	struct exchange *ex = *exchange;

	*exchange = NULL;
	if (!ex)
		return;
	CHECK(!ex->over);
	if (ret_facts)
		*ret_facts = ex->facts;
	origin_conn_close(ex->worker, &ex->conn);
	exchange_enter(ex); /* bytes lent to a call back that is under way stay until it returns */
	ex->over = true;
	exchange_leave(ex);
}

void exchange_facts(const struct exchange *ex, struct exchange_facts *ret_facts)
{
	*ret_facts = ex->facts;
}

/* ---- events ---- */

void exchange_settle(struct exchange *ex)
{
	const struct settings *set = &ex->location->set;
	struct timer *timer;
	bool sending;

	if (ex->over || ex->step != EXCHANGE_open)
		return;
	sending = ex->blocked || (transport_has_unsent(&ex->conn->transport) && !ex->send_failed);
	if (!ex->parked)
		worker_io_arm(ex->worker, &ex->conn->io, (ex->paused ? 0 : EPOLLIN) | (sending ? EPOLLOUT : 0));
	timer = &ex->conn->timer;
	if (ex->blocked)
		timer_set(ex->worker, timer, set->proxy_send_timeout, exchange_timeout);
	else if (ex->paused || (!ex->head_done && !ex->send_over && !exchange_is_sent(ex)))
		timer_clear(ex->worker, timer); /* the user's turn: it has timers of its own */
	else
		timer_set(ex->worker, timer, ex->event_stream ? set->stream_idle_timeout : set->proxy_read_timeout, exchange_timeout);
}

void exchange_timeout(struct worker *worker, struct timer *timer)
{
	struct exchange *ex = conn_of_timer(timer)->exchange;

	(void)worker;
	exchange_enter(ex);
	if (ex->step == EXCHANGE_connecting || ex->step == EXCHANGE_handshake) {
		exchange_failed(ex, END_connect_timeout, true);
	} else {
		enum end end = ex->blocked ? END_origin_send_timeout : END_origin_read_timeout;

		if (!ex->head_done)
			exchange_blame(ex, end);
		exchange_end(ex, end);
	}
	exchange_leave(ex);
}

static void exchange_connected(struct exchange *ex, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof error;

	if ((events & (EPOLLERR | EPOLLHUP))
		&& (getsockopt(ex->conn->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)) {
		exchange_failed(ex, END_connect_refused, true);
		return;
	}
	attempt_connected(ex);
}

void exchange_ready(struct worker *worker, struct io *io, uint32_t events)
{
	struct origin_conn *conn = conn_of_io(io);
	struct exchange *ex = conn->exchange;

	exchange_enter(ex);
	if (ex->step == EXCHANGE_connecting) {
		exchange_connected(ex, events);
		goto out;
	}
	if (ex->step == EXCHANGE_handshake) {
		origin_tls_go(ex);
		goto out;
	}
	if (events & EPOLLOUT) {
		exchange_flush(ex);
		if (ex->over || ex->conn != conn)
			goto out;
	}
	if (ex->paused) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			/* The loop would repeat it for ever. What came before the hang-up can still be read later. */
			worker_io_forget(worker, io);
			ex->parked = true;
		}
	} else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
		exchange_read(ex);
	}
out:
	exchange_leave(ex);
}

/* What could not be done on the stack of its cause. */
static void exchange_kick(struct worker *worker, struct mail *mail)
{
	struct exchange *ex = (struct exchange *)(void *)((char *)mail - offsetof(struct exchange, mail));

	(void)worker;
	exchange_enter(ex);
	ex->mailed = false;
	if (!ex->over && ex->end_waits)
		exchange_end(ex, ex->end);
	if (!ex->over && ex->step == EXCHANGE_open && !ex->paused
			&& (ex->send_failed || ex->in_from < ex->in_used || transport_has_pending(&ex->conn->transport)))
		exchange_read(ex);
	exchange_write(ex);
	exchange_leave(ex);
}

void exchange_defer(struct exchange *ex)
{
	if (ex->mailed)
		return;
	ex->mailed = true;
	ex->mail.run = exchange_kick;
	worker_defer(ex->worker, &ex->mail);
}

void exchange_resume(struct exchange *ex)
{
	if (ex->over || !ex->paused)
		return;
	ex->paused = ex->parked = false;
	if (ex->in_from < ex->in_used || transport_has_pending(&ex->conn->transport))
		exchange_defer(ex); /* the user is not called from within its own call */
	exchange_settle(ex);
}

struct exchange *exchange_start(struct worker *worker, const struct exchange_request *request, const struct exchange_user *user, void *arg)
{
	struct origin_pool *pool = worker->origins;
	struct exchange *ex = must(malloc(sizeof *ex + request->head.len));

	CHECK(request->content_length == 0 || user->want_content);
	memset(ex, 0, sizeof *ex);
	ex->worker = worker;
	ex->user = *user;
	ex->arg = arg;
	ex->location = request->location;
	ex->method = request->method;
	ex->idempotent = request->idempotent;
	ex->content_length = request->content_length;
	ex->tls_name = request->tls_name;
	ex->facts.status = ex->facts.connect_us = ex->facts.first_us = ex->facts.tls_us = ex->facts.tls_alert = -1;
	ex->head_len = request->head.len;
	memcpy(ex->head, request->head.ptr, request->head.len);
	ex->next = pool->exchanges;
	if (ex->next)
		ex->next->prev = ex;
	pool->exchanges = ex;
	ex->upstream = upstream_get(&pool->upstreams, request->location->upstream);
	ex->upstream->users++;

	ex->starting = true;
	attempt_next(ex, END_no_origin);
	ex->starting = false;
	return ex;
}
