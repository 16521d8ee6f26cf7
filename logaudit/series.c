/* Buckets of time. */
#include "../conf/check.h"
#include "rule.h"
#include "series.h"

#define MS UINT64_C(1000)
#define SECOND (1000 * MS)
/* The end of the year 9999. */
#define TIME_MAX (UINT64_C(253402300800) * SECOND)

void series_init(struct series *series)
{
	*series = (struct series){ .width_us = 10 * MS };
	series->buckets = must(calloc(SERIES_MAX, sizeof(*series->buckets)));
}

void series_release(struct series *series)
{
	free(series->buckets);
	series->buckets = NULL;
}

static void bucket_merge(struct series_bucket *into, const struct series_bucket *from)
{
	into->requests += from->requests;
	into->hits += from->hits;
	into->asked += from->asked;
	into->bytes += from->bytes;
	into->hit_bytes += from->hit_bytes;
	into->errors += from->errors;
	times_small_merge(&into->first, &from->first);
}

/* Each width divides the next: buckets are joined, never divided. */
static uint64_t width_next(uint64_t width_us)
{
	static const uint64_t widths[] = { 50 * MS, 100 * MS, 500 * MS, SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, 60 * SECOND, 300 * SECOND,
		600 * SECOND, 1800 * SECOND, 3600 * SECOND, 10800 * SECOND, 21600 * SECOND, 43200 * SECOND, 86400 * SECOND };

	for (size_t i = 0; i < COUNT_OF(widths); i++)
		if (width_us < widths[i]) return widths[i];
	return width_us * 2;
}

static void coarsen(struct series *series)
{
	uint64_t width = width_next(series->width_us), factor = width / series->width_us, base = series->base / factor;
	size_t last = 0;

	for (size_t i = 0; i < series->count; i++) {
		last = (size_t)((series->base + i) / factor - base);
		if (last == i) continue;
		bucket_merge(&series->buckets[last], &series->buckets[i]);
		series->buckets[i] = (struct series_bucket){ 0 };
	}
	if (series->count) series->count = last + 1;
	series->width_us = width;
	series->base = base;
}

/* Room before the first bucket. */
static void grow_down(struct series *series, uint64_t number)
{
	size_t more = (size_t)(series->base - number);

	memmove(series->buckets + more, series->buckets, series->count * sizeof(*series->buckets));
	memset(series->buckets, 0, more * sizeof(*series->buckets));
	series->base = number;
	series->count += more;
}

static struct series_bucket *bucket_at(struct series *series, uint64_t t_us)
{
	uint64_t number;

	for (;; coarsen(series)) {
		number = t_us / series->width_us;
		if (!series->count) series->base = number;
		if (number >= series->base ? number - series->base < SERIES_MAX : series->base - number + series->count <= SERIES_MAX) break;
	}
	if (number < series->base) grow_down(series, number);
	if (number - series->base >= series->count) series->count = (size_t)(number - series->base) + 1;
	return &series->buckets[number - series->base];
}

bool series_restore(struct series *series, uint64_t width_us, uint64_t base, uint64_t count, uint64_t outside)
{
	uint64_t width = series->width_us;

	if (width_us >= TIME_MAX) return false;
	while (width < width_us) width = width_next(width);
	if (width != width_us || count > SERIES_MAX || base > TIME_MAX / width || base + count > TIME_MAX / width + 1) return false;
	series->width_us = width_us;
	series->base = base;
	series->count = (size_t)count;
	series->outside = outside;
	return true;
}

void series_add(struct series *series, const struct logline *l)
{
	struct series_bucket *bucket;

	if (l->t_us == 0 || l->t_us >= TIME_MAX) {
		series->outside++;
		return;
	}
	bucket = bucket_at(series, l->t_us);
	bucket->requests++;
	bucket->asked += l->origin_tries > 0;
	bucket->bytes += l->body_out;
	bucket->errors += l->status >= 500;
	if (line_from_store(l)) {
		bucket->hits++;
		bucket->hit_bytes += l->body_out;
	}
	if (l->first_us >= 0) times_small_add(&bucket->first, (uint64_t)l->first_us);
}

void series_merge(struct series *into, const struct series *from)
{
	into->outside += from->outside;
	while (into->width_us < from->width_us) coarsen(into);
	for (size_t i = 0; i < from->count; i++)
		if (from->buckets[i].requests) bucket_merge(bucket_at(into, series_start(from, i)), &from->buckets[i]);
}
