/* Curves: beside an LRU that is played whole; what lifetimes do; what a sample of many objects says. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../logaudit/mrc.h"
#include "audit_log.h"

static uint64_t seed;

static uint64_t next_random(void)
{
	seed += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t x = seed;
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Zipf-like: the number of an object of so many. */
static uint64_t popular(uint64_t objects)
{
	double u = (double)(next_random() >> 11) / 0x1p53;

	return (uint64_t)(pow((double)objects, u));
}

static struct logline request(uint64_t key, uint64_t t_s, int64_t bytes, int64_t lifetime)
{
	struct logline line = log_request(VERDICT_miss, "a.example", "/");

	line.key = (key + 1) * UINT64_C(0x9e3779b97f4a7c15);
	line.t_us = T0 + t_s * 1000000;
	line.object_bytes = bytes;
	line.body_out = (uint64_t)bytes;
	line.lifetime = lifetime;
	return line;
}

/* An LRU as plain as can be: the time of each object's last use; the oldest goes. Room as the simulation counts it. */
enum { FEW = 600, SIZE = 60000 };
static uint64_t lru_hits(const uint64_t *keys, size_t count, uint64_t room)
{
	static uint64_t used_at[FEW + 1];
	uint64_t hits = 0, used = 0, each = (SIZE + 4095) / 4096 * 4096 + 4096;

	memset(used_at, 0, sizeof(used_at));
	for (size_t i = 0; i < count; i++) {
		if (used_at[keys[i]]) hits++;
		else used += each;
		used_at[keys[i]] = i + 1;
		while (used > room) {
			uint64_t oldest = 0;
			for (uint64_t k = 1; k <= FEW; k++)
				if (used_at[k] && (!oldest || used_at[k] < used_at[oldest])) oldest = k;
			used_at[oldest] = 0;
			used -= each;
		}
	}
	return hits;
}

static void few_objects_are_played_exactly(void **state)
{
	enum { COUNT = 20000 };
	static uint64_t keys[COUNT];
	struct mrc mrc;

	(void)state;
	seed = 1;
	mrc_init(&mrc);
	for (size_t i = 0; i < COUNT; i++) {
		struct logline line;
		keys[i] = popular(FEW);
		line = request(keys[i], i, SIZE, 1000000);
		mrc_add(&mrc, &line);
	}
	assert_true(mrc_rate(&mrc) == 1);
	assert_int_equal(mrc.requests, COUNT);
	assert_true(mrc.started > 3 && mrc.started < MRC_SIZES);
	for (int i = 0; i < mrc.started + 2; i++) {
		struct mrc_point point = mrc_point(&mrc, i);
		double hits = (double)lru_hits(keys, COUNT, mrc_size(i)) / COUNT;
		if (fabs(point.requests - hits) > 1e-9 || fabs(point.bytes - hits) > 1e-9) fail_msg("%d: %f, not %f", i, point.requests, hits);
	}
	assert_true(mrc_footprint(&mrc) <= mrc_size(mrc.started));
	mrc_release(&mrc);
}

static void lifetimes_end(void **state)
{
	static const struct { uint64_t step; int64_t lifetime; bool revalidated; double ratio; const char *why; } rows[] = {
		{ 10, 1000000, false, 0.99, "all but the first" }, { 10, 5, false, 0, "over before the next one" }, { 10, 10, false, 0, "over just now" },
		{ 10, 15, false, 0.5, "every other one" }, { 10, 5, true, 0.97, "confirmed each time, once it is known that it can be" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct mrc mrc;
		struct mrc_point point;
		mrc_init(&mrc);
		for (uint64_t n = 0; n < 100; n++) {
			struct logline line = request(1, n * rows[i].step, SIZE, rows[i].lifetime);
			if (n && rows[i].revalidated) line.cache = VERDICT_revalidated;
			mrc_add(&mrc, &line);
		}
		point = mrc_point(&mrc, MRC_UNLIMITED);
		if (fabs(point.requests - rows[i].ratio) > 0.021) fail_msg("%s: %f", rows[i].why, point.requests);
		mrc_release(&mrc);
	}
}

static void what_no_size_helps_is_not_played(void **state)
{
	struct logline line;
	struct mrc mrc;

	(void)state;
	mrc_init(&mrc);
	for (int i = 0; i < 100; i++) {
		line = request(1, 1, SIZE, 60);
		if (i % 2) line.cache = VERDICT_pass;
		else if (i % 4) line.nostore = NOSTORE_set_cookie;
		mrc_add(&mrc, &line);
	}
	assert_int_equal(mrc.requests, 100);
	assert_int_equal(mrc.storable, 25);
	assert_true(fabs(mrc_point(&mrc, MRC_UNLIMITED).requests - 0.24) < 1e-9);
	mrc_release(&mrc);
}

/* 200,000 objects: the sample is small, and says what all of them would. */
static void a_sample_says_what_all_would(void **state)
{
	enum { OBJECTS = 200000, COUNT = 600000 };
	static bool seen[OBJECTS + 1];
	uint64_t again = 0, objects = 0;
	struct mrc mrc;
	struct mrc_point point;

	(void)state;
	seed = 3;
	mrc_init(&mrc);
	for (uint64_t i = 0; i < COUNT; i++) {
		uint64_t key = popular(OBJECTS);
		struct logline line = request(key, i / 1000, SIZE, 1000000);
		again += seen[key];
		objects += !seen[key];
		seen[key] = true;
		mrc_add(&mrc, &line);
	}
	assert_true(mrc.count >= MRC_KEYS_MAX / 2 && mrc.count <= MRC_KEYS_MAX && mrc_rate(&mrc) < 1);
	point = mrc_point(&mrc, MRC_UNLIMITED);
	if (fabs(point.requests - (double)again / COUNT) > 0.01) fail_msg("%f, not %f", point.requests, (double)again / COUNT);
	assert_true(fabs((double)mrc_objects(&mrc) / (double)objects - 1) < 0.05);
	/* The curve grows, up to a dent of the sample. */
	for (int i = 1; i < MRC_SIZES; i++)
		if (mrc_is_sure(&mrc, i - 1) && mrc_point(&mrc, i).requests < mrc_point(&mrc, i - 1).requests - 0.001) fail_msg("%d", i);
	assert_true(mrc_knee(&mrc) < MRC_UNLIMITED);
	mrc_release(&mrc);
}

static void hostile_numbers_end(void **state)
{
	static const int64_t numbers[] = { 0, 1, -1, 4095, 4096, INT64_MAX, UINT32_MAX };
	struct mrc mrc;

	(void)state;
	mrc_init(&mrc);
	for (size_t i = 0; i < COUNT_OF(numbers) * COUNT_OF(numbers) * 4; i++) {
		struct logline line = request(i % 5, 0, numbers[i % COUNT_OF(numbers)], numbers[i / COUNT_OF(numbers) % COUNT_OF(numbers)]);
		line.t_us = i % 3 ? UINT64_MAX - i : i;
		mrc_add(&mrc, &line);
	}
	for (int i = 0; i <= MRC_SIZES; i++) assert_true(mrc_point(&mrc, i).requests <= 1);
	mrc_release(&mrc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_objects_are_played_exactly), cmocka_unit_test(lifetimes_end), cmocka_unit_test(what_no_size_helps_is_not_played),
		cmocka_unit_test(a_sample_says_what_all_would), cmocka_unit_test(hostile_numbers_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
