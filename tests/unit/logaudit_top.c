/* logaudit top: URLs in order, their reasons, and what does not fit is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../logaudit/top.h"
#include "../../logaudit/why.h"
#include "audit_log.h"

static void feed(struct top *top, const struct logline *line)
{
	struct audit_reader reader = top_reader(top);

	reader.line(reader.arg, line, (struct place){ 0, 1 });
}

static struct logline request_at(enum verdict cache, const char *target, unsigned second, int stored)
{
	struct logline line = log_request(cache, "a.example", target);

	line.node = SLICE("n1");
	line.t_us = T0 + second * UINT64_C(1000000);
	line.lifetime = 10;
	line.age = 0;
	line.stored = (uint8_t)stored;
	return line;
}

static const struct top_row *row_of(const struct top *top, const char *url)
{
	const struct top_row *row = map_find(&top->urls, slice_str(url));

	assert_non_null(row);
	return row;
}

static void urls_are_in_order_and_misses_have_reasons(void **state)
{
	static const struct { enum verdict cache; const char *target; unsigned second; int stored; enum nostore nostore; } lines[] = {
		{ VERDICT_miss, "/a", 0, 1, 0 }, { VERDICT_hit, "/a", 1, 0, 0 }, { VERDICT_hit, "/a", 2, 0, 0 }, { VERDICT_miss, "/a", 20, 1, 0 },
		{ VERDICT_miss, "/b", 0, 0, NOSTORE_private }, { VERDICT_hit_for_miss, "/b", 1, 0, NOSTORE_private },
		{ VERDICT_hit_for_miss, "/b", 2, 0, NOSTORE_set_cookie }, { VERDICT_collapsed, "/c", 0, 0, 0 }, { VERDICT_refused, "/d", 0, 0, 0 },
	};
	struct top top;
	size_t count, *order;

	(void)state;
	top_init(&top);
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		struct logline line = request_at(lines[i].cache, lines[i].target, lines[i].second, lines[i].stored);
		line.nostore = (uint8_t)lines[i].nostore;
		feed(&top, &line);
	}
	order = top_order(&top, true, &count);
	assert_int_equal(count, 2);      /* what was collapsed or refused is not missed */
	assert_true(slice_eq(map_key(&top.urls, order[0]), SLICE("http://a.example/b")));
	free(order);
	order = top_order(&top, false, &count);
	assert_int_equal(count, 4);
	assert_true(slice_eq(map_key(&top.urls, order[0]), SLICE("http://a.example/a")));
	free(order);
	assert_int_equal(row_of(&top, "http://a.example/a")->reasons.rows[0].reason, REASON_miss + MISS_first);
	assert_int_equal(row_of(&top, "http://a.example/a")->reasons.rows[1].reason, REASON_miss + MISS_expired);
	assert_int_equal(row_of(&top, "http://a.example/b")->reasons.rows[0].reason, NOSTORE_private);
	assert_int_equal(row_of(&top, "http://a.example/b")->reasons.rows[0].count, 2);
	assert_int_equal(top.all.requests, 9);
	assert_int_equal(top.all.missed, 5);
	top_release(&top);
}

static void more_reasons_than_have_a_name_are_counted(void **state)
{
	struct top top;

	(void)state;
	top_init(&top);
	for (int i = 1; i <= REASONS_MAX + 3; i++) {
		struct logline line = request_at(VERDICT_miss, "/a", 0, 0);
		line.nostore = (uint8_t)i;
		feed(&top, &line);
	}
	assert_int_equal(row_of(&top, "http://a.example/a")->reasons.unnamed, 3);
	top_release(&top);
}

/* The sum of the rows is the sum of the requests, whatever fits. */
static void urls_that_do_not_fit_share_a_row(void **state)
{
	const struct top_options options = { true, true, 3 };
	struct audit audit;
	struct top top;
	uint64_t requests = 0;
	char target[32], *text = NULL;
	size_t len = 0, count, *order;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	audit_init(&audit);
	top_init(&top);
	for (int i = 0; i < NAMES_MAX + 1000; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		struct logline line = request_at(VERDICT_miss, target, 0, 1);
		feed(&top, &line);
	}
	for (size_t i = 0; i < top.urls.count; i++) requests += ((struct top_row *)map_value(&top.urls, i))->requests;
	assert_int_equal(requests, NAMES_MAX + 1000);
	assert_int_equal(top.all.requests, requests);
	order = top_order(&top, true, &count);
	assert_true(slice_eq(map_key(&top.urls, order[count - 1]), SLICE("(others)")));
	free(order);
	top_text(&top, &audit, &options, out);
	fclose(out);
	assert_non_null(strstr(text, "     1,001      1,001    0.00 %             100,100  (others: URLs that did not fit)\n"));
	assert_non_null(strstr(text, "... and 65532 more URLs"));
	for (const char *c = text, *line = text; *c; c++) {
		if (*c != '\n') continue;
		assert_true(c - line <= 100);
		line = c + 1;
	}
	free(text);
	top_release(&top);
	audit_release(&audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_in_order_and_misses_have_reasons),
		cmocka_unit_test(more_reasons_than_have_a_name_are_counted),
		cmocka_unit_test(urls_that_do_not_fit_share_a_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
