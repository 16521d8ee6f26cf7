/* Two sides: what is worse by more than noise, what is not, who is compared with whom, and baselines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../logaudit/diff.h"
#include "audit_log.h"

static struct side side(uint64_t requests, uint64_t hits, uint64_t errors, uint64_t slow)
{
	struct side s = { .requests = requests, .hits = hits, .errors = errors, .asked = requests - hits, .origin_failed = errors };

	for (uint64_t i = 0; i < requests; i++) times_add(&s.miss, i < slow ? 100000 : 1000);
	return s;
}

static void only_what_is_sure_and_enough_is_worse(void **state)
{
	static const struct { uint64_t n, hits, errors, m, hits_now, errors_now; enum diff_verdict hit_ratio, err; const char *why; } rows[] = {
		{ 1000, 800, 5, 1000, 800, 5, DIFF_same, DIFF_same, "the same" },
		{ 1000, 800, 5, 1000, 700, 60, DIFF_worse, DIFF_worse, "clearly worse" },
		{ 1000, 700, 60, 1000, 800, 5, DIFF_better, DIFF_better, "clearly better" },
		{ 1000, 800, 5, 1000, 775, 9, DIFF_same, DIFF_same, "chance makes such differences" },
		{ 10000000, 8000000, 0, 10000000, 7950000, 0, DIFF_same, DIFF_same, "sure, and less than a point" },
		{ 10000000, 8000000, 0, 10000000, 7800000, 0, DIFF_worse, DIFF_same, "two points of many" },
		{ 99, 99, 0, 1000, 0, 500, DIFF_too_few, DIFF_too_few, "too few before" },
		{ 1000, 1000, 0, 0, 0, 0, DIFF_too_few, DIFF_too_few, "nothing now" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct side before = { .requests = rows[i].n, .hits = rows[i].hits, .errors = rows[i].errors };
		struct side now = { .requests = rows[i].m, .hits = rows[i].hits_now, .errors = rows[i].errors_now };
		struct diff_row out[DIFF_COUNT];
		diff_compare(&before, &now, NOISE_Z, out);
		if (out[DIFF_ID_hit_ratio].verdict != rows[i].hit_ratio || out[DIFF_ID_errors].verdict != rows[i].err) fail_msg("%s", rows[i].why);
	}
}

static void slow_is_slower_than_most_were_before(void **state)
{
	struct side before = side(1000, 0, 0, 50), same = side(1000, 0, 0, 60), slow = side(1000, 0, 0, 400);
	struct diff_row out[DIFF_COUNT];

	(void)state;
	diff_compare(&before, &same, NOISE_Z, out);
	assert_int_equal(out[DIFF_ID_slow_misses].verdict, DIFF_same);
	diff_compare(&before, &slow, NOISE_Z, out);
	assert_int_equal(out[DIFF_ID_slow_misses].verdict, DIFF_worse);
	assert_int_equal(out[DIFF_ID_slow_misses].now.part, 400);
	assert_int_equal(out[DIFF_ID_slow_misses].before.part, 50);
	diff_compare(&slow, &before, NOISE_Z, out);
	assert_int_equal(out[DIFF_ID_slow_hits].verdict, DIFF_too_few);
}

static void feed(struct diff *diff, int column, uint64_t config, uint64_t t_us, int count)
{
	struct audit_reader reader = diff_reader(diff);

	(void)column;
	for (int i = 0; i < count; i++) {
		struct logline line = log_request(i % 2 ? VERDICT_hit : VERDICT_miss, "a.example", "/");
		line.config = config;
		line.t_us = t_us + (uint64_t)i;
		line.first_us = 100;
		line.node = config % 2 ? SLICE("n1") : SLICE("n2");
		reader.line(reader.arg, &line, (struct place){ 0, 1 });
	}
}

static void sides_are_the_last_generations_or_the_only_two(void **state)
{
	struct diff_value *before, *now;
	struct diff diff;
	char why[256];

	(void)state;
	diff_init(&diff, LOG_FIELD_config, 0);
	feed(&diff, LOG_FIELD_config, 7, T0, 10);
	assert_false(diff_choose(&diff, &before, &now, why));
	/* Files in any order: the second is older. */
	feed(&diff, LOG_FIELD_config, 6, T0 - 100, 10);
	feed(&diff, LOG_FIELD_config, 5, T0 - 200, 10);
	assert_true(diff_choose(&diff, &before, &now, why));
	assert_string_equal(before->name, "6");
	assert_string_equal(now->name, "7");
	diff_release(&diff);
	diff_init(&diff, LOG_FIELD_t_us, 0);
	for (uint64_t i = 0; i < SIDES_MAX + 3; i++) feed(&diff, LOG_FIELD_t_us, 1, T0 + i, 1);
	assert_false(diff_choose(&diff, &before, &now, why));
	assert_non_null(strstr(why, "--sides"));
	assert_int_equal(diff.left_out, 3);
	diff_release(&diff);
	diff_init(&diff, -1, T0);
	feed(&diff, -1, 1, T0 - 5, 10);
	assert_true(diff_choose(&diff, &before, &now, why));
	assert_int_equal(before->all.requests, 5);
	assert_int_equal(now->all.requests, 5);
	diff_release(&diff);
}

static void a_baseline_is_the_side_that_was_saved(void **state)
{
	static const char *const bad[] = { "{}", "[]", "{\"requests\": \"1\"}" };
	struct diff_value again = { .name = NULL };
	struct diff diff;
	json_t *saved, *twice;

	(void)state;
	diff_init(&diff, -1, 0);
	feed(&diff, -1, 1, T0, 1000);
	saved = side_json(&diff.values[0]);
	assert_true(side_take(saved, &again));
	assert_memory_equal(&again.all, &diff.values[0].all, offsetof(struct side, hit));
	assert_memory_equal(again.all.hit.classes, diff.values[0].all.hit.classes, sizeof(again.all.hit.classes));
	twice = side_json(&again);
	json_object_set_new(twice, "name", json_string("all"));
	assert_true(json_equal(saved, twice));
	json_decref(twice);
	diff_value_release(&again);
	diff_release(&diff);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		json_t *object = json_loads(bad[i], 0, NULL);
		assert_false(side_take(object, &again));
		json_decref(object);
	}
	json_object_set_new(json_array_get(json_object_get(saved, "hosts"), 0), "hit_times", json_loads("[[99999, 1]]", 0, NULL));
	assert_false(side_take(saved, &again));
	json_decref(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_sure_and_enough_is_worse), cmocka_unit_test(slow_is_slower_than_most_were_before),
		cmocka_unit_test(sides_are_the_last_generations_or_the_only_two), cmocka_unit_test(a_baseline_is_the_side_that_was_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
