/* A request's life: beginning, the loop over its steps, the events that come to it. The list of steps is in request.h. */
#include "request.h"
#include "joint.h"
#include "slices.h"
#include "compress.h"

#include <stdlib.h>

static const struct {
	enum step (*run)(struct request *);
	unsigned edges;
	const char *name;
} steps[] = {
#define NEXT(step) (1u << STEP_##step)
#define STEP(name, edges) [STEP_##name] = { step_##name, edges, #name },
	REQ_STEPS(STEP)
#undef STEP
#undef NEXT
};

enum { FREE_REQUESTS_MAX = 256 };

/* ---- configurations in use ---- */

struct conf_hold *conf_hold_get(struct worker *worker)
{
	struct client_list *clients = worker->clients;
	struct conf_hold *old = clients->hold;

	if (!old || old->conf != worker->conf) {
		clients->hold = must(calloc(1, sizeof(*clients->hold)));
		clients->hold->conf = conf_ref(worker->conf);
		clients->hold->uses = 1;               /* the worker's own */
		if (old)
			conf_hold_put(worker, old);
	}
	clients->hold->uses++;
	return clients->hold;
}

void conf_hold_put(struct worker *worker, struct conf_hold *hold)
{
	(void)worker;
	if (--hold->uses > 0)
		return;
	conf_unref(&hold->conf);
	free(hold);
}

void clients_init(struct worker *worker)
{
	flights_init();
	worker->clients = must(calloc(1, sizeof(*worker->clients)));
}

void clients_free(struct worker *worker)
{
	struct client_list *clients = worker->clients;

	CHECK(!clients->conns && !clients->requests);
	for (struct request *r = clients->free_requests, *next; r; r = next) {
		next = r->next;
		free(r);
	}
	if (clients->hold)
		conf_hold_put(worker, clients->hold);
	free(clients);
	worker->clients = NULL;
}

/* ---- making and freeing ---- */

struct request *request_new(struct worker *worker)
{
	struct client_list *clients = worker->clients;
	struct request *r = clients->free_requests;

	if (r) {
		clients->free_requests = r->next;
		clients->free_count--;
	} else {
		r = must(malloc(sizeof(*r)));
	}
	memset(r, 0, offsetof(struct request, arena));
	arena_init(&r->arena);
	r->worker = worker;
	logline_init(&r->log);
	return r;
}

static void request_unlink(struct request *r)
{
	struct client_list *clients = r->worker->clients;

	if (!r->kept)
		return;
	if (r->prev)
		r->prev->next = r->next;
	else
		clients->requests = r->next;
	if (r->next)
		r->next->prev = r->prev;
	r->prev = r->next = NULL;
}

static void request_free(struct worker *worker, struct mail *mail)
{
	struct request *r = (struct request *)((char *)mail - offsetof(struct request, free_mail));
	struct client_list *clients = worker->clients;

	arena_release(&r->arena);
	if (clients->free_count >= FREE_REQUESTS_MAX) {
		free(r);
		return;
	}
	r->next = clients->free_requests;
	clients->free_requests = r;
	clients->free_count++;
}

/* Everything the request holds is given back. A message that is under way (wake_mail) keeps the memory until it is
 * through: messages are run in order, so one posted behind it frees. */
static void request_end(struct request *r)
{
	struct carrier *carrier = r->carrier;

	CHECK(!r->exchange && !r->flight && !r->loading && !r->purging);
	timer_clear(r->worker, &r->collapse_timer);
	timer_clear(r->worker, &r->disk_timer);
	flight_leave(&r->waiter);
	if (r->object && r->object_waiter.wake)
		object_unwait(r->object, &r->object_waiter);
	compress_free(r);
	object_unref(&r->object);
	object_unref(&r->decoded);
	object_unref(&r->stale);
	object_unref(&r->part);
	object_unref(&r->filling);
	joint_free(r);
	slices_free(r);
	free(r->hold_buf);
	free(r->pipe_buf);
	request_unlink(r);
	if (r->hold)
		conf_hold_put(r->worker, r->hold);
	r->step = STEP_done;
	r->carrier = NULL;
	r->free_mail.run = request_free;
	if (atomic_load(&r->wake_queued))
		worker_post(r->worker, &r->free_mail);
	else if (r->kept)
		worker_defer(r->worker, &r->free_mail);
	else
		request_free(r->worker, &r->free_mail);
	if (carrier) {
		carrier->request = NULL;
		carrier->ops->done(carrier);
	}
}

/* ---- outliving the carrier's buffer ---- */

static void move_slice(struct slice *s, const char *from, size_t len, char *to)
{
	if (s->ptr >= from && s->ptr <= from + len)
		s->ptr = to + (s->ptr - from);
}

void request_keep(struct request *r)
{
	const char *low = NULL, *high = NULL;
	struct http_head *head = &r->head;
	struct client_list *clients = r->worker->clients;

	if (r->kept)
		return;
	r->kept = true;
	r->next = clients->requests;
	if (clients->requests)
		clients->requests->prev = r;
	clients->requests = r;
	/* The head's slices all lie between the method and the end of the last value. */
	struct slice *slices[] = { &head->method_text, &head->target, &head->authority, &head->host, &head->path, &head->query,
		&r->path, &r->log.method, &r->log.target, &r->log.host, &r->log.referer, &r->log.agent,
		&r->forwarding.host, &r->forwarding.client, &r->log.client };
	/* A head has its own bounds, and a request that cannot be kept could not even be refused. */
	struct http_header *headers = arena_must(&r->arena, (head->header_count + 1) * sizeof(*headers));
	if (head->header_count)
		memcpy(headers, head->headers, head->header_count * sizeof(*headers));
	low = head->method_text.ptr;
	high = low ? low + head->method_text.len : NULL;
	if (head->target.ptr && head->target.ptr + head->target.len > high)
		high = head->target.ptr + head->target.len;
	for (size_t i = 0; i < head->header_count; i++) {
		if (headers[i].name.ptr + headers[i].name.len > high)
			high = headers[i].name.ptr + headers[i].name.len;
		if (headers[i].value.ptr && headers[i].value.ptr + headers[i].value.len > high)
			high = headers[i].value.ptr + headers[i].value.len;
	}
	size_t len = (size_t)(high - low);
	if (!low)
		return;
	char *copy = arena_must(&r->arena, len + 1);
	memcpy(copy, low, len);
	for (size_t i = 0; i < COUNT_OF(slices); i++)
		move_slice(slices[i], low, len, copy);
	for (size_t i = 0; i < head->header_count; i++) {
		move_slice(&headers[i].name, low, len, copy);
		move_slice(&headers[i].value, low, len, copy);
	}
	head->headers = headers;
}

/* ---- the loop ---- */

void request_run(struct request *r)
{
	if (r->running) {
		r->again = true;
		return;
	}
	if (r->step == STEP_done)
		return;
	r->running = true;
	for (;;) {
		r->again = false;
		enum step next = steps[r->step].run(r);
		if (next == STEP_wait) {
			if (!r->again)
				break;
			continue;
		}
		CHECK(steps[r->step].edges & (1u << next));
		if (next == STEP_done) {
			r->running = false;
			request_end(r);
			return;
		}
		r->step = next;
	}
	r->running = false;
	request_keep(r);
	if (r->carrier && r->cork)
		r->carrier->ops->cork(r->carrier);
	else if (r->carrier)
		r->carrier->ops->flush(r->carrier);
}

void request_begin(struct worker *worker, struct carrier *carrier, const struct http_head *head, enum refusal refusal,
	uint64_t first_us, int64_t wall_us)
{
	struct request *r = request_new(worker);

	r->carrier = carrier;
	carrier->request = r;
	r->hold = carrier->hold;
	r->hold->uses++;
	r->head = *head;
	r->start_us = first_us;
	r->log.t_us = (uint64_t)wall_us;
	r->log.refusal = (uint8_t)refusal;
	r->has_content = refusal == REFUSAL_none && (head->framing == FRAMING_chunked || (head->framing == FRAMING_length && head->length > 0));
	r->content_last = !r->has_content;
	r->step = STEP_receive;
	request_run(r);
}

/* ---- events ---- */

size_t request_content_room(const struct request *r)
{
	return r->hold_cap - r->hold_len > 1 ? r->hold_cap - r->hold_len : 0;
}

void request_content(struct request *r, struct slice bytes, bool last)
{
	CHECK(bytes.len <= r->hold_cap - r->hold_len);
	if (bytes.len)
		memcpy(r->hold_buf + r->hold_len, bytes.ptr, bytes.len);
	r->hold_len += bytes.len;
	r->content_got += bytes.len;
	r->content_last = last;
	request_run(r);
}

void request_content_failed(struct request *r, enum refusal refusal, enum end end)
{
	r->content_refusal = refusal;
	r->content_end = end;
	request_run(r);
}

void request_writable(struct request *r)
{
	request_run(r);
}

bool request_is_for_client_alone(const struct request *r)
{
	return r->exchange && !r->flight && !(r->filling && !r->spilling);
}

void request_client_gone(struct request *r, enum end end)
{
	if (r->step == STEP_done)
		return;
	request_take_counts(r);
	if (r->carrier || r->background)       /* else it is known already how it ended for the client */
		r->log.end = (uint8_t)end;
	r->carrier = NULL;
	flight_leave(&r->waiter);
	request_fetch_client_gone(r);
	request_run(r);
}

void request_shutdown(struct request *r)
{
	if (r->step == STEP_done)
		return;
	request_stop_exchange(r);
	request_client_gone(r, END_shutdown);
}
