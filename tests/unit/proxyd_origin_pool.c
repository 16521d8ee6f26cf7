/* Idle origin connections: several at once, the bound of an upstream, whose turn it is, and what a reload keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "origin_bench.h"

enum { TOGETHER = 4 };

#define ANSWER(five) "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" five

struct crowd {
	struct bench b; /* for configuration, loop and script; its plans are not used */
	struct mail mail;
	unsigned rounds, left;
	unsigned reused;
	void (*after)(struct crowd *c);
};

static void crowd_head(void *arg, const struct http_head *head)
{
	(void)arg;
	CHECK(head->status == 200);
}

static bool crowd_body(void *arg, struct slice bytes)
{
	(void)arg;
	(void)bytes;
	return true;
}

static void crowd_done(void *arg, enum end end, const struct exchange_facts *facts)
{
	struct crowd *c = arg;

	CHECK(end == END_complete);
	c->reused += facts->reused;
	if (--c->left == 0)
		worker_post(c->b.loop.worker, &c->mail);
}

/* Each round asks TOGETHER things at once; then `after` looks, then the loop ends. */
static void crowd_turn(struct worker *worker, struct mail *mail)
{
	static const struct exchange_user user = { .head = crowd_head, .body = crowd_body, .done = crowd_done };
	struct crowd *c = (struct crowd *)(void *)((char *)mail - offsetof(struct crowd, mail));
	struct exchange_request request = { .location = &c->b.location, .head = SLICE("GET / HTTP/1.1\r\nHost: o\r\n\r\n"), .method = METHOD_GET, .idempotent = true };

	if (c->rounds == 0) {
		c->after(c);
		loop_stop(&c->b.loop);
		return;
	}
	c->rounds--;
	c->left = TOGETHER;
	for (unsigned i = 0; i < TOGETHER; i++)
		exchange_start(worker, &request, &user, c);
}

#define CONNECTED      ACCEPT, HEAD("GET ")
#define ANSWERED(conn) ON(conn), SEND(ANSWER("hello"))
#define AGAIN(conn)    ON(conn), HEAD("GET "), SEND(ANSWER("again"))
#define GONE(conn)     ON(conn), CLOSED
#define ALL_ANSWERED   CONNECTED, CONNECTED, CONNECTED, CONNECTED, ANSWERED(0), ANSWERED(1), ANSWERED(2), ANSWERED(3)

static void crowd_run(struct crowd *c, const struct script_step *steps, size_t keepalive, unsigned rounds,
	void (*after)(struct crowd *))
{
	const char *failure;

	bench_init(&c->b);
	script_start(&c->b.script, steps, false);
	c->b.addrs[0] = c->b.script.addr;
	c->b.up.keepalive = keepalive;
	c->rounds = rounds;
	c->reused = 0;
	c->after = after;
	if (!c->mail.run)
		c->mail.run = crowd_turn;
	loop_open(&c->b.loop, &c->b.conf);
	worker_post(c->b.loop.worker, &c->mail);
	loop_run(&c->b.loop);
	loop_close(&c->b.loop);
	failure = script_join(&c->b.script);
	if (*failure)
		fail_msg("the origin: %s", failure);
}

static void two_are_left(struct crowd *c)
{
	CHECK(script_sem_wait(&c->b.script.to_user));
	CHECK(bench_idle(&c->b) == 2);
}

static void test_bound(void **state)
{
	/* The oldest go. */
	static const struct script_step steps[] = { ALL_ANSWERED, GONE(0), GONE(1), TELL, NO_MORE, OVER };
	static struct crowd c;

	(void)state;
	crowd_run(&c, steps, 2, 1, two_are_left);
}

static void all_are_left(struct crowd *c)
{
	CHECK(bench_idle(&c->b) == TOGETHER);
	CHECK(c->reused == TOGETHER);
}

static void test_all_are_reused(void **state)
{
	static const struct script_step steps[] = { ALL_ANSWERED, AGAIN(0), AGAIN(1), AGAIN(2), AGAIN(3), NO_MORE, OVER };
	static struct crowd c;

	(void)state;
	crowd_run(&c, steps, 64, 2, all_are_left);
}

/* The newest is taken first: the others get older, and time out. */
static void test_newest_first(void **state)
{
	struct bench *b = must(calloc(1, sizeof *b));
	struct upstream_place place = { .idle = { &place.idle, &place.idle } };
	struct upstream up = { .idle = { &up.idle, &up.idle }, .named = true };
	struct exchange *ex = must(calloc(1, sizeof *ex));
	struct origin_conn *conns[3];
	int ends[3][2];

	(void)state;
	bench_init(b);
	loop_open(&b->loop, &b->conf);
	place.named = true;
	ex->worker = b->loop.worker;
	ex->location = &b->location;
	ex->upstream = &up;
	ex->pick.place = &place;
	ex->idempotent = true;
	ex->body.framing = FRAMING_length;
	for (size_t i = 0; i < 3; i++) {
		conns[i] = must(calloc(1, sizeof *conns[i]));
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends[i]), 0);
		conns[i]->io.fd = ends[i][0];
		conns[i]->place = &place;
		ex->conn = conns[i];
		origin_conn_keep(ex);
	}
	assert_int_equal(up.idle_count, 3);
	for (size_t i = 3; i-- > 0;) {
		assert_true(origin_conn_reuse(ex));
		assert_ptr_equal(ex->conn, conns[i]);
		origin_conn_close(ex->worker, &ex->conn);
	}
	assert_false(origin_conn_reuse(ex));
	assert_int_equal(up.idle_count, 0);
	for (size_t i = 0; i < 3; i++)
		close(ends[i][1]);
	loop_close(&b->loop);
	free(ex);
	free(b);
}

/* ---- reload ---- */

static void reload_same(struct crowd *c)
{
	struct conf_upstream up = c->b.up, *ups[] = { &up }; /* another configuration with the same upstream */
	struct conf now = { .upstreams = ups, .upstream_count = 1 };
	struct worker *worker = c->b.loop.worker;

	origins_reload(worker, &c->b.conf, &now);
	CHECK(upstream_get(&worker->origins->upstreams, &up)->idle_count == TOGETHER);
	origins_reload(worker, &now, &c->b.conf);
}

static void reload_without(struct crowd *c)
{
	struct conf now = { .upstream_count = 0 };

	origins_reload(c->b.loop.worker, &c->b.conf, &now);
	CHECK(bench_idle(&c->b) == 0);
	origins_reload(c->b.loop.worker, &now, &c->b.conf);
}

static void reload_other_address(struct crowd *c)
{
	struct conf_addr addr = { .text = SLICE("elsewhere") };
	struct conf_origin origin = c->b.origins[0];
	struct conf_upstream up = c->b.up, *ups[] = { &up };
	struct conf now = { .upstreams = ups, .upstream_count = 1 };

	origin.addrs = &addr;
	up.origins = &origin;
	origins_reload(c->b.loop.worker, &c->b.conf, &now);
	CHECK(bench_idle(&c->b) == 0);
	origins_reload(c->b.loop.worker, &now, &c->b.conf);
}

static void test_reload(void **state)
{
	static const struct script_step kept[] = { ALL_ANSWERED, NO_MORE, OVER };
	static const struct script_step closed[] = { ALL_ANSWERED, GONE(0), GONE(1), GONE(2), GONE(3), OVER };
	static struct crowd c;

	(void)state;
	crowd_run(&c, kept, 64, 1, reload_same);
	crowd_run(&c, closed, 64, 1, reload_without);
	crowd_run(&c, closed, 64, 1, reload_other_address);
}

/* An exchange under way goes on through a reload that drops its upstream; its connection is not kept then. */
static void crowd_reload_in_turn(struct worker *worker, struct mail *mail)
{
	struct conf now = { .upstream_count = 0 };
	struct crowd *c = (struct crowd *)(void *)((char *)mail - offsetof(struct crowd, mail));

	crowd_turn(worker, mail);
	c->mail.run = crowd_turn;
	origins_reload(worker, &c->b.conf, &now);
}

static void none_are_left(struct crowd *c)
{
	CHECK(bench_idle(&c->b) == 0);
}

static void test_reload_under_way(void **state)
{
	static const struct script_step steps[] = { ALL_ANSWERED, GONE(0), GONE(1), GONE(2), GONE(3), OVER };
	static struct crowd c = { .mail.run = crowd_reload_in_turn };

	(void)state;
	crowd_run(&c, steps, 64, 1, none_are_left);
}

/* The worker ends with exchanges under way: nothing is left behind, nobody is called. */
static void crowd_start_and_stop(struct worker *worker, struct mail *mail)
{
	struct crowd *c = (struct crowd *)(void *)((char *)mail - offsetof(struct crowd, mail));

	crowd_turn(worker, mail);
	loop_stop(&c->b.loop);
}

static void test_worker_ends(void **state)
{
	static const struct script_step steps[] = { OVER };
	static struct crowd c = { .mail.run = crowd_start_and_stop };

	(void)state;
	crowd_run(&c, steps, 64, 1, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_all_are_reused),
		cmocka_unit_test(test_newest_first),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_reload_under_way),
		cmocka_unit_test(test_worker_ends),
	};

	alarm(120); /* a test that hangs fails */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
