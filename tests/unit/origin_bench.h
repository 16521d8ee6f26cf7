/* A user of exchanges in a real worker's loop, driven by plans; what happens to each exchange is written down as one line
 * of text: "103 200 [hello] complete tries=1 fresh". Beside a scripted origin (origin_script.h). */
#ifndef TESTS_UNIT_ORIGIN_BENCH_H
#define TESTS_UNIT_ORIGIN_BENCH_H

#include <stdarg.h>
#include <stddef.h>

#include "origin_script.h"
#include "origin_loop.h"
#include "../../proxyd/origin_internal.h"

enum { PLANS_MAX = 8,
	ORIGINS_MAX = 3,
	LINE_MAX_BYTES = 8192 };

enum call { CALL_none,
	CALL_start,
	CALL_informational,
	CALL_head,
	CALL_body,
	CALL_want,
	CALL_connecting };

struct plan {
	const char *head;
	enum http_method method;
	bool idempotent;
	uint64_t content_length; /* as in exchange_request */
	const char *content;
	size_t content_big; /* text, or so many bytes of the pattern */
	size_t piece; /* most bytes of one exchange_send; 0: all */
	bool send_at_start; /* do not wait for want_content */
	bool end_apart; /* the end of content is told by itself, once */
	bool send_late; /* not before a head has come */
	bool pause; /* body() always asks for a pause; resumed by mail */
	enum call abort_in;
	unsigned abort_after; /* so many calls of that kind */
	enum call tell_in; /* gives the origin its word in this call */
	bool trade_words; /* before starting, in one turn of the loop: gives the word and waits for the other's */
	bool wait_no_idle; /* before starting: the idle connections have been dropped */
	const char *expect;
};

struct bench {
	struct loop loop;
	struct script script;
	struct conf_origin origins[ORIGINS_MAX];
	struct conf_addr addrs[ORIGINS_MAX];
	struct conf_upstream up, *ups[1];
	struct conf conf;
	struct conf_location location;
	const struct plan *plans;
	size_t plan_count, now;
	struct mail next_mail, resume_mail;
	struct timer look_again;
	bool resume_queued;
	/* the present exchange */
	struct exchange *exchange;
	size_t content_at, content_len;
	bool end_given;
	unsigned calls[CALL_connecting + 1];
	bool in_start;
	uint64_t body_bytes;
	bool body_is_pattern;
	char body[256];
	char line[LINE_MAX_BYTES];
	size_t line_len;
	char lines[PLANS_MAX][LINE_MAX_BYTES];
	size_t idle_at_end;
};

static inline void bench_say(struct bench *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void bench_say(struct bench *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	b->line_len += (size_t)vsnprintf(b->line + b->line_len, sizeof b->line - b->line_len, format, args);
	va_end(args);
	CHECK(b->line_len < sizeof b->line);
}

static inline const struct plan *bench_plan(const struct bench *b)
{
	return &b->plans[b->now];
}

static inline void bench_over(struct bench *b, const char *end, const struct exchange_facts *facts)
{
	if (b->body_bytes > 0 && b->body_bytes < sizeof b->body && !bench_plan(b)->content_big)
		bench_say(b, "[%.*s] ", (int)b->body_bytes, b->body);
	else if (b->body_bytes > 0)
		bench_say(b, "[%s%llu] ", b->body_is_pattern ? "pattern " : "garbage ", (unsigned long long)b->body_bytes);
	bench_say(b, "%s tries=%u %s", end, facts->tries, facts->reused ? "reused" : "fresh");
	CHECK(facts->bytes_in == b->body_bytes);
	CHECK(facts->bytes_out == b->content_at);
	CHECK(facts->reused ? facts->connect_us == -1 : true);
	CHECK((facts->status >= 0) == (b->calls[CALL_head] > 0));
	CHECK(facts->status < 0 || facts->first_us >= 0);
	memcpy(b->lines[b->now], b->line, sizeof b->line);
	b->exchange = NULL;
	if (++b->now == b->plan_count)
		loop_stop(&b->loop);
	else
		worker_post(b->loop.worker, &b->next_mail);
}

/* Counts a call; does what the plan wants done in it. True when the exchange was aborted. */
static inline bool bench_called(struct bench *b, enum call call)
{
	const struct plan *plan = bench_plan(b);
	struct exchange_facts facts;

	CHECK(!b->in_start || call == CALL_start);
	b->calls[call]++;
	if (plan->tell_in == call)
		sem_post(&b->script.to_origin);
	if (plan->abort_in != call || b->calls[call] <= plan->abort_after)
		return false;
	exchange_abort(&b->exchange, &facts);
	CHECK(b->exchange == NULL);
	bench_over(b, "aborted", &facts);
	return true;
}

/* Gives content until the exchange takes no more. */
static inline void bench_send(struct bench *b)
{
	const struct plan *plan = bench_plan(b);
	static char big[SCRIPT_HUGE];

	if (plan->content_big && !big[0])
		for (size_t i = 0; i < sizeof big; i++)
			big[i] = script_pattern(i);
	while (b->content_at < b->content_len) {
		const char *from = (plan->content ? plan->content : big) + b->content_at;
		size_t most = b->content_len - b->content_at, taken;
		bool last;

		if (plan->piece && plan->piece < most)
			most = plan->piece;
		last = b->content_at + most == b->content_len && !plan->end_apart;
		taken = exchange_send(b->exchange, slice_make(from, most), last);
		b->content_at += taken;
		if (taken < most)
			return;
	}
	if ((plan->end_apart || b->content_len == 0) && !b->end_given)
		CHECK(exchange_send(b->exchange, (struct slice){ "", 0 }, true) == 0);
	b->end_given = true;
}

static inline void on_informational(void *arg, const struct http_head *head)
{
	struct bench *b = arg;

	bench_say(b, "%u ", head->status);
	bench_called(b, CALL_informational);
}

static inline void on_head(void *arg, const struct http_head *head)
{
	struct bench *b = arg;

	bench_say(b, "%u ", head->status);
	if (!bench_called(b, CALL_head) && bench_plan(b)->send_late)
		bench_send(b);
	CHECK(head->header_count == 0 || head->headers[0].name.len < 100); /* still there after an abort */
}

static inline void bench_resume(struct worker *worker, struct mail *mail)
{
	struct bench *b = (struct bench *)(void *)((char *)mail - offsetof(struct bench, resume_mail));

	(void)worker;
	b->resume_queued = false;
	if (b->exchange)
		exchange_resume(b->exchange);
}

static inline bool on_body(void *arg, struct slice bytes)
{
	struct bench *b = arg;
	bool pause = bench_plan(b)->pause;

	for (size_t i = 0; i < bytes.len; i++) {
		if (b->body_bytes + i < sizeof b->body)
			b->body[b->body_bytes + i] = bytes.ptr[i];
		b->body_is_pattern &= bytes.ptr[i] == script_pattern(b->body_bytes + i);
	}
	b->body_bytes += bytes.len;
	CHECK(!b->resume_queued); /* paused: nothing may come */
	if (bench_called(b, CALL_body))
		return true;
	if (pause) {
		b->resume_queued = true;
		worker_post(b->loop.worker, &b->resume_mail);
	}
	return !pause;
}

static inline void on_done(void *arg, enum end end, const struct exchange_facts *facts)
{
	struct bench *b = arg;

	CHECK(!b->in_start);
	bench_over(b, end_rows[end].name.ptr, facts);
}

static inline void on_want_content(void *arg)
{
	struct bench *b = arg;

	if (!bench_called(b, CALL_want) && !bench_plan(b)->send_late)
		bench_send(b);
}

static inline size_t bench_idle(const struct bench *b)
{
	return upstream_get(&b->loop.worker->origins->upstreams, &b->up)->idle_count;
}

/* The loop must go round for idle connections to be seen closing. */
static inline void bench_look_again(struct worker *worker, struct timer *timer)
{
	struct bench *b = (struct bench *)(void *)((char *)timer - offsetof(struct bench, look_again));

	worker_post(worker, &b->next_mail);
}

static inline void bench_next(struct worker *worker, struct mail *mail)
{
	static const struct exchange_user user = { on_informational, on_head, on_body, on_done, on_want_content };
	struct bench *b = (struct bench *)(void *)((char *)mail - offsetof(struct bench, next_mail));
	const struct plan *plan = bench_plan(b);
	struct exchange_request request = { .location = &b->location, .head = slice_str(plan->head), .method = plan->method, .idempotent = plan->idempotent, .content_length = plan->content_length };

	if (plan->wait_no_idle && bench_idle(b) > 0) {
		timer_set(worker, &b->look_again, 1000, bench_look_again);
		return;
	}
	if (plan->trade_words) {
		sem_post(&b->script.to_origin);
		CHECK(script_sem_wait(&b->script.to_user));
	}
	b->line_len = 0;
	b->body_bytes = 0;
	b->body_is_pattern = true;
	b->content_at = 0;
	b->end_given = false;
	b->content_len = plan->content ? strlen(plan->content) : plan->content_big;
	memset(b->calls, 0, sizeof b->calls);
	b->in_start = true;
	b->exchange = exchange_start(worker, &request, &user, b);
	b->in_start = false;
	if (bench_called(b, CALL_start))
		return;
	if (plan->send_at_start)
		bench_send(b);
}

/* Settings as the directive table has them, for what origin*.c looks at. */
static inline void bench_init(struct bench *b)
{
	struct settings *set = &b->location.set;

	memset(b, 0, sizeof *b);
	set->proxy_connect_timeout = set->proxy_send_timeout = set->proxy_read_timeout = 15 * 1000000;
	set->stream_idle_timeout = 15 * 1000000;
	set->proxy_keepalive_timeout = 60 * 1000000;
	set->proxy_header_max = 32768;
	set->proxy_header_count_max = 200;
	set->proxy_tries = 2;
	b->location.upstream = &b->up;
	b->up = (struct conf_upstream){ .name = SLICE("group"), .origins = b->origins, .origin_count = 1, .keepalive = 64 };
	for (size_t i = 0; i < ORIGINS_MAX; i++)
		b->origins[i] = (struct conf_origin){ .addrs = &b->addrs[i], .addr_count = 1, .weight = 1, .max_fails = 1, .fail_timeout_us = 10 * 1000000, .index = (unsigned)i };
	b->ups[0] = &b->up;
	b->conf.refs = 1;
	b->conf.generation = 1;
	b->conf.upstreams = b->ups;
	b->conf.upstream_count = 1;
	b->next_mail.run = bench_next;
	b->resume_mail.run = bench_resume;
}

/* Runs the plans one after another. */
static inline void bench_run(struct bench *b, const struct plan *plans, size_t count)
{
	b->plans = plans;
	b->plan_count = count;
	loop_open(&b->loop, &b->conf);
	worker_post(b->loop.worker, &b->next_mail);
	loop_run(&b->loop);
	b->idle_at_end = bench_idle(b);
	loop_close(&b->loop);
}

#endif
