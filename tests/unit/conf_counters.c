/* Counters: what a record adds, what it does not, and sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../conf/counters.h"

static uint64_t count(const struct counters *c, const char *name)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		if (slice_eq(counter_rows[i].name, slice_str(name))) return counters_get(c, (enum counter)i);
	fail_msg("no counter %s", name);
	return 0;
}

static struct logline hit(void)
{
	struct logline line;

	logline_init(&line);
	line.status = 200;
	line.cache = VERDICT_hit;
	line.tier = TIER_ram;
	line.body_out = 1000;
	line.head_out = 200;
	line.req_bytes = 90;
	return line;
}

static void a_hit_counts_as_one(void **state)
{
	struct counters c = { 0 };
	struct logline line = hit();

	(void)state;
	counters_add(&c, &line);
	counters_add(&c, &line);
	assert_int_equal(count(&c, "requests"), 2);
	assert_int_equal(count(&c, "hits"), 2);
	assert_int_equal(count(&c, "misses"), 0);
	assert_int_equal(count(&c, "tier_ram"), 2);
	assert_int_equal(count(&c, "status_2xx"), 2);
	assert_int_equal(count(&c, "body_bytes_out"), 2000);
	assert_int_equal(count(&c, "hit_bytes_out"), 2000);
	assert_int_equal(count(&c, "head_bytes_out"), 400);
	assert_int_equal(count(&c, "request_bytes"), 180);
	assert_int_equal(count(&c, "ended_early"), 0);
}

static void a_miss_is_no_hit_and_its_bytes_are_none(void **state)
{
	struct counters c = { 0 };
	struct logline line = hit();

	(void)state;
	line.cache = VERDICT_miss;
	line.tier = TIER_origin;
	line.stored = 1;
	line.origin_tries = 2;
	line.origin_in = 1000;
	line.end = END_client_left;
	counters_add(&c, &line);
	assert_int_equal(count(&c, "hits"), 0);
	assert_int_equal(count(&c, "misses"), 1);
	assert_int_equal(count(&c, "hit_bytes_out"), 0);
	assert_int_equal(count(&c, "stored"), 1);
	assert_int_equal(count(&c, "origin_tries"), 2);
	assert_int_equal(count(&c, "origin_bytes_in"), 1000);
	assert_int_equal(count(&c, "ended_early"), 1);
}

/* Each request has one verdict and one class of status: the parts add up to the whole. */
static void the_parts_add_up(void **state)
{
	static const char *const verdicts[] = { "hits", "hits_stale", "revalidated", "misses", "collapsed", "hits_for_miss", "passes", "uncached",
		"synthesised", "refused", "errors", "purges" };
	static const char *const statuses[] = { "status_1xx", "status_2xx", "status_3xx", "status_4xx", "status_5xx", "status_none" };
	struct counters c = { 0 };
	struct logline line = hit();
	uint64_t sum = 0, classes = 0, unnamed = 0;

	(void)state;
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		line.cache = (uint8_t)v;
		line.status = v * 50;
		if (line.status > 0 && line.status < 100) line.status = 0;
		unnamed += v == VERDICT_none;
		counters_add(&c, &line);
	}
	for (size_t i = 0; i < COUNT_OF(verdicts); i++) sum += count(&c, verdicts[i]);
	for (size_t i = 0; i < COUNT_OF(statuses); i++) classes += count(&c, statuses[i]);
	assert_int_equal(sum + unnamed, count(&c, "requests"));
	assert_int_equal(classes, count(&c, "requests"));
}

static void other_records_change_nothing(void **state)
{
	struct counters c = { 0 }, zero = { 0 };
	struct logline line = hit();

	(void)state;
	for (unsigned rec = REC_req + 1; rec < REC_COUNT; rec++) {
		line.rec = (uint8_t)rec;
		if (rec != REC_refresh && rec != REC_tls && rec != REC_http2)
			counters_add(&c, &line);
	}
	assert_memory_equal(&c, &zero, sizeof(c));
}

static void an_ended_http2_connection_counts_as_that_alone(void **state)
{
	struct counters c = { 0 }, only = { 0 };
	struct logline line;

	(void)state;
	logline_init(&line);
	line.rec = REC_http2;
	line.proto = SLICE("HTTP/2.0");
	line.scheme = SLICE("https");
	line.end = END_h2_reset_flood;
	counters_add(&c, &line);
	only.h2_ended = 1;
	assert_memory_equal(&c, &only, sizeof(c));
	line.rec = REC_req;
	counters_add(&c, &line);
	assert_int_equal(count(&c, "h2_requests"), 1);
	assert_int_equal(count(&c, "h2_ended"), 1);
}

static void a_connection_without_a_request_is_no_request(void **state)
{
	struct counters c = { 0 };
	struct logline line;

	(void)state;
	logline_init(&line);
	line.rec = REC_tls;
	line.end = END_tls_no_cipher;
	counters_add(&c, &line);
	assert_int_equal(count(&c, "tls_handshakes_failed"), 1);
	line.tls = SLICE("TLSv1.3");
	line.tls_us = 700;
	line.end = END_client_left;
	counters_add(&c, &line);
	line.tls_resumed = 1;
	counters_add(&c, &line);
	assert_int_equal(count(&c, "tls_handshakes_failed"), 1);
	assert_int_equal(count(&c, "tls_handshakes_full"), 1);
	assert_int_equal(count(&c, "tls_handshakes_resumed"), 1);
	assert_int_equal(count(&c, "requests") + count(&c, "tls_requests") + count(&c, "status_none") + count(&c, "ended_early"), 0);
}

static void a_fetch_in_the_background_is_no_request(void **state)
{
	struct counters c = { 0 };
	struct logline line;

	(void)state;
	logline_init(&line);
	line.rec = REC_refresh;
	line.stored = 1;
	line.origin_tries = 1;
	line.origin_in = 100;
	line.end = END_shutdown;
	counters_add(&c, &line);
	assert_int_equal(count(&c, "requests") + count(&c, "status_none") + count(&c, "ended_early"), 0);
	assert_int_equal(count(&c, "refreshes"), 1);
	assert_int_equal(count(&c, "origin_tries"), 1);
	assert_int_equal(count(&c, "origin_bytes_in"), 100);
	assert_int_equal(count(&c, "stored"), 1);
}

static void sums_are_those_of_each_counter(void **state)
{
	struct counters one = { 0 }, two = { 0 }, sum = { 0 };
	struct logline line = hit();

	(void)state;
	counters_add(&one, &line);
	line.cache = VERDICT_pass;
	counters_add(&two, &line);
	counters_merge(&sum, &one);
	counters_merge(&sum, &two);
	for (int i = 0; i < COUNTER_COUNT; i++) {
		enum counter which = (enum counter)i;
		assert_int_equal(counters_get(&sum, which), counters_get(&one, which) + counters_get(&two, which));
		assert_true(counter_rows[i].doc[0] != 0);
	}
	assert_int_equal(count(&sum, "requests"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hit_counts_as_one),
		cmocka_unit_test(a_miss_is_no_hit_and_its_bytes_are_none),
		cmocka_unit_test(the_parts_add_up),
		cmocka_unit_test(other_records_change_nothing),
		cmocka_unit_test(an_ended_http2_connection_counts_as_that_alone),
		cmocka_unit_test(a_connection_without_a_request_is_no_request),
		cmocka_unit_test(a_fetch_in_the_background_is_no_request),
		cmocka_unit_test(sums_are_those_of_each_counter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
