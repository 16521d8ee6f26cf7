/* Whose turn it is in an upstream, and who is out: rows of (time, what happened) against who is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "../../conf/check.h"
#include "../../proxyd/upstream.h"

enum { SERVERS_MAX = 8,
	SECOND = 1000000 };
/* Monotonic time does not begin at 0: fail_timeout must not seem to lie before it. */
static const uint64_t T0 = 1000ull * SECOND;

struct bench {
	struct upstreams all;
	struct conf_addr addrs[SERVERS_MAX];
	struct conf_origin origins[SERVERS_MAX];
	struct conf_upstream up, *ups[1];
	struct conf conf;
};

/* Servers are called a, b, c... by their addresses' texts. */
static void bench_init(struct bench *b, size_t count)
{
	static const char names[] = "abcdefgh";

	memset(b, 0, sizeof *b);
	upstreams_init(&b->all);
	for (size_t i = 0; i < count; i++) {
		b->addrs[i].text = slice_make(&names[i], 1);
		b->origins[i] = (struct conf_origin){ .addrs = &b->addrs[i], .addr_count = 1, .weight = 1, .max_fails = 1, .fail_timeout_us = 10 * SECOND, .index = (unsigned)i };
	}
	b->up = (struct conf_upstream){ .name = SLICE("group"), .origins = b->origins, .origin_count = count, .keepalive = 64 };
	b->ups[0] = &b->up;
	b->conf.upstreams = b->ups;
	b->conf.upstream_count = 1;
}

static char ask_pick(struct bench *b, const char *tried, uint64_t now_us, struct upstream_pick *ret_pick)
{
	const struct conf_addr *skip[SERVERS_MAX];
	size_t count = 0;

	for (; *tried; tried++)
		skip[count++] = &b->addrs[*tried - 'a'];
	if (!upstream_choose(upstream_get(&b->all, &b->up), skip, count, now_us, ret_pick))
		return '-';
	return ret_pick->addr->text.ptr[0];
}

static char ask(struct bench *b, uint64_t now_us)
{
	struct upstream_pick pick;

	return ask_pick(b, "", now_us, &pick);
}

static void server_fails(struct bench *b, char who, uint64_t now_us)
{
	size_t i = (size_t)(who - 'a');
	struct upstream *up = upstream_get(&b->all, &b->up);

	for (size_t p = 0; p < up->peer_count; p++)
		if (up->peers[p].addr == &b->addrs[i]) {
			struct upstream_pick pick = { up->peers[p].origin, up->peers[p].addr, up->peers[p].place };

			upstream_failed(up, &b->up, &pick, now_us);
			return;
		}
	fail_msg("no server %c", who);
}

static void server_works(struct bench *b, char who)
{
	struct upstream *up = upstream_get(&b->all, &b->up);

	for (size_t p = 0; p < up->peer_count; p++)
		if (up->peers[p].addr == &b->addrs[who - 'a'])
			upstream_worked(up->peers[p].place);
}

static void assert_turns(struct bench *b, const char *expected, uint64_t now_us)
{
	char got[64] = "";

	for (size_t i = 0; expected[i]; i++)
		got[i] = ask(b, now_us);
	assert_string_equal(got, expected);
}

static void test_weights(void **state)
{
	static const struct {
		unsigned weight[4];
		const char *turns, *why;
	} rows[] = {
		{ { 1, 1, 1 }, "abcabcabc", "equal weights: in order of the file" },
		{ { 5, 1, 1 }, "aabacaaaabacaa", "smooth: the light ones are spread among the heavy one's turns" },
		{ { 3, 2 }, "ababaababa", "every five: three and two" },
		{ { 1 }, "aaa", "one server" },
		{ { 1000, 1 }, "aaaa", "large weights" },
	};

	(void)state;
	for (size_t r = 0; r < COUNT_OF(rows); r++) {
		struct bench b;
		size_t count = 0;

		while (count < 4 && rows[r].weight[count])
			count++;
		bench_init(&b, count);
		for (size_t i = 0; i < count; i++)
			b.origins[i].weight = rows[r].weight[i];
		assert_turns(&b, rows[r].turns, T0);
		upstreams_release(&b.all);
	}
}

static void test_share_is_exact(void **state)
{
	struct bench b;
	unsigned got[3] = { 0 };

	(void)state;
	bench_init(&b, 3);
	b.origins[0].weight = 7;
	b.origins[1].weight = 2;
	b.origins[2].weight = 1;
	for (int i = 0; i < 1000; i++)
		got[ask(&b, T0) - 'a']++;
	assert_int_equal(got[0], 700);
	assert_int_equal(got[1], 200);
	assert_int_equal(got[2], 100);
	upstreams_release(&b.all);
}

/* Steps: "?x" ask and expect x ('-' nobody); "!x" x failed; "+x" x worked; "@n" the time is T0 + n seconds. */
static void run_story(struct bench *b, const char *story, const char *why)
{
	uint64_t now = T0;

	for (const char *s = story; *s; s++) {
		char *end;

		switch (*s) {
		case ' ': break;
		case '@':
			now = T0 + (uint64_t)strtoul(s + 1, &end, 10) * SECOND;
			s = end - 1;
			break;
		case '!': server_fails(b, *++s, now); break;
		case '+': server_works(b, *++s); break;
		case '?': {
			char got = ask(b, now);

			if (got != *++s)
				fail_msg("%s: at \"%s\" got %c", why, s, got);
			break;
		}
		default: fail_msg("bad story: %s", s);
		}
	}
}

static void test_failover(void **state)
{
	static const struct {
		size_t count;
		unsigned max_fails;
		const char *backup, *down, *story, *why;
	} rows[] = {
		{ 2, 1, "", "", "?a !a ?b ?b @10 ?b ?b", "out for fail_timeout, its last moment included" },
		{ 2, 1, "", "", "?a !a @11 ?b ?b ?a ?b ?b", "then one trial, when its weight has grown back; others go elsewhere while it is undecided" },
		{ 2, 1, "", "", "?a !a @11 ?b ?b ?a !a @21 ?b ?b", "a trial that fails: out again" },
		{ 2, 1, "", "", "?a !a @11 ?b ?b ?a +a ?b ?a ?b ?a", "a trial that works: in again" },
		{ 2, 1, "", "", "?a !a +a ?b ?b", "a success begun before the failure does not clear it" },
		{ 2, 3, "", "", "?a !a !a ?b ?a", "fewer than max_fails: stays in" },
		{ 2, 3, "", "", "?a !a !a !a ?b ?b", "max_fails: out" },
		{ 2, 3, "", "", "!a @6 !a @12 !a ?b ?b", "each within fail_timeout of the one before: they add up" },
		{ 2, 3, "", "", "!a !a @11 !a @12 ?a ?b", "failures further apart do not add up" },
		{ 2, 0, "", "", "!a !a !a ?a ?b ?a", "max_fails=0: never out" },
		{ 2, 1, "", "", "!a !b ?- @11 ?a ?b", "all failing: nobody, until a trial is due" },
		{ 1, 1, "", "", "?a !a ?a !a ?a", "a single server is never taken out" },
		{ 1, 1, "", "a", "?-", "a single server that is down is down" },
		{ 2, 1, "", "a", "?b ?b !b ?b", "one of two is down: the other is single" },
		{ 2, 1, "b", "", "?a ?a !a ?b ?b @11 ?a +a ?a", "a backup stands in while the others are out" },
		{ 2, 1, "b", "", "!a !b ?-", "the backup fails too" },
		{ 3, 1, "c", "", "!a ?b !b ?c ?c", "the backup comes last" },
		{ 2, 1, "b", "a", "?b !b ?b", "only a backup is left: single" },
		{ 2, 1, "ab", "", "?a ?b", "nothing but backups" },
		{ 3, 1, "", "", "?a ?b ?c !b ?a ?c ?a ?c", "the turns close up around the one that is out" },
	};

	(void)state;
	for (size_t r = 0; r < COUNT_OF(rows); r++) {
		struct bench b;

		bench_init(&b, rows[r].count);
		for (size_t i = 0; i < rows[r].count; i++) {
			b.origins[i].max_fails = rows[r].max_fails;
			b.origins[i].backup = strchr(rows[r].backup, "abcdefgh"[i]) != NULL;
			b.origins[i].down = strchr(rows[r].down, "abcdefgh"[i]) != NULL;
		}
		run_story(&b, rows[r].story, rows[r].why);
		upstreams_release(&b.all);
	}
}

static void test_tried_are_skipped(void **state)
{
	struct bench b;
	struct upstream_pick pick;

	(void)state;
	bench_init(&b, 3);
	b.origins[2].backup = true;
	assert_int_equal(ask_pick(&b, "", T0, &pick), 'a');
	assert_int_equal(ask_pick(&b, "a", T0, &pick), 'b');
	assert_int_equal(ask_pick(&b, "ab", T0, &pick), 'c');
	assert_int_equal(ask_pick(&b, "abc", T0, &pick), '-');
	upstreams_release(&b.all);
}

static void test_addresses_of_one_server(void **state)
{
	struct bench b;
	struct upstream_pick pick;

	(void)state;
	bench_init(&b, 2); /* one `server localhost` with two addresses */
	b.origins[0].addr_count = 2;
	b.up.origin_count = 1;
	assert_turns(&b, "abab", T0);
	server_fails(&b, 'a', T0);
	assert_turns(&b, "bbb", T0);
	server_fails(&b, 'b', T0);
	assert_int_not_equal(ask_pick(&b, "", T0, &pick), '-'); /* but the server as a whole is never taken out */
	assert_int_equal(ask_pick(&b, "a", T0, &pick), 'b');
	assert_int_equal(ask_pick(&b, "ab", T0, &pick), '-');
	upstreams_release(&b.all);
}

static void test_no_addresses(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, 1);
	b.origins[0].addr_count = 0; /* the name did not resolve */
	assert_int_equal(ask(&b, T0), '-');
	upstreams_release(&b.all);
}

static void reload(struct bench *b)
{
	upstreams_mark(&b->all, &b->conf);
	upstreams_sweep(&b->all);
}

static size_t places(const struct bench *b)
{
	size_t count = 0;

	for (size_t i = 0; i < UPSTREAM_BUCKETS; i++)
		for (struct upstream_place *place = b->all.places[i]; place; place = place->next)
			count++;
	return count;
}

static void test_health_survives_reload(void **state)
{
	struct bench b;
	struct conf_addr addrs[2];
	struct conf_origin origins[2];
	struct conf_upstream up;

	(void)state;
	bench_init(&b, 3);
	server_fails(&b, 'b', T0);
	memcpy(addrs, b.addrs, sizeof addrs); /* a new configuration: other structs, same texts, c is gone */
	memcpy(origins, b.origins, sizeof origins);
	origins[0].addrs = &addrs[0];
	origins[1].addrs = &addrs[1];
	up = b.up;
	up.origins = origins;
	up.origin_count = 2;
	b.ups[0] = &up;
	assert_int_equal(places(&b), 3);
	reload(&b);
	assert_int_equal(places(&b), 2);

	for (int i = 0; i < 3; i++) {
		struct upstream_pick pick;

		assert_true(upstream_choose(upstream_get(&b.all, &up), NULL, 0, T0 + SECOND, &pick));
		assert_ptr_equal(pick.addr, &addrs[0]); /* b is still out; the addresses are the new ones */
	}
	upstreams_release(&b.all);
}

static void test_used_state_outlives_reload(void **state)
{
	struct bench b;
	struct upstream *up;
	struct upstream_pick pick;

	(void)state;
	bench_init(&b, 1);
	up = upstream_get(&b.all, &b.up);
	assert_true(upstream_choose(up, NULL, 0, T0, &pick));
	up->users++; /* an exchange under way */
	pick.place->users++;
	b.conf.upstream_count = 0;
	reload(&b);
	assert_int_equal(places(&b), 1);
	upstream_failed(up, &b.up, &pick, T0); /* its end may still be told */
	assert_int_equal(pick.place->fails, 1);
	up->users--;
	pick.place->users--;
	reload(&b);
	assert_int_equal(places(&b), 0);
	upstreams_release(&b.all);
}

/* Requests that began before a reload go on with the old configuration beside new ones with the new. */
static void test_two_configurations_at_once(void **state)
{
	struct bench b;
	struct conf_upstream old;
	struct upstream_pick pick;

	(void)state;
	bench_init(&b, 2);
	old = b.up;
	for (int i = 0; i < 6; i++) {
		struct upstream *up = upstream_get(&b.all, i % 2 ? &old : &b.up);

		assert_ptr_equal(up->conf, i % 2 ? &old : &b.up);
		assert_true(upstream_choose(up, NULL, 0, T0, &pick));
	}
	assert_int_equal(places(&b), 2);
	assert_int_equal(pick.place->users, 1); /* the other configuration's peers were given back */
	upstreams_release(&b.all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_share_is_exact),
		cmocka_unit_test(test_failover),
		cmocka_unit_test(test_tried_are_skipped),
		cmocka_unit_test(test_addresses_of_one_server),
		cmocka_unit_test(test_no_addresses),
		cmocka_unit_test(test_health_survives_reload),
		cmocka_unit_test(test_used_state_outlives_reload),
		cmocka_unit_test(test_two_configurations_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
