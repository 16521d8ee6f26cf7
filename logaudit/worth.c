/* Costs and times. */
#include <math.h>

#include "recent.h"
#include "rule.h"
#include "show.h"
#include "worth.h"

enum { ORIGINS_MAX = 1024, ORIGINS_SHOWN = 20 };

void worth_init(struct worth *worth)
{
	*worth = (struct worth){ 0 };
	bloom_init(&worth->pages);
	map_init(&worth->origins, sizeof(struct times), ORIGINS_MAX);
}

void worth_release(struct worth *worth)
{
	bloom_release(&worth->pages);
	map_release(&worth->origins);
}

/* ---- times ---- */

static size_t times_class(uint64_t us)
{
	unsigned power;

	if (us < 8) return (size_t)us;
	power = 63 - (unsigned)__builtin_clzll(us);
	return (power - 2) * 8 + (us >> (power - 3) & 7);
}

/* The largest time of a class. */
static uint64_t times_end(size_t class)
{
	return class < 8 ? class : ((8 + class % 8 + 1) << (class / 8 - 1)) - 1;
}

void times_add(struct times *times, uint64_t us)
{
	times->count++;
	times->classes[times_class(us)]++;
}

uint64_t times_percentile(const struct times *times, double share)
{
	uint64_t rank = (uint64_t)ceil(share * (double)times->count), below = 0;

	if (!times->count) return 0;
	for (size_t i = 0; i < TIMES_CLASSES; i++) {
		below += times->classes[i];
		if (times->classes[i] && below >= rank) return times_end(i);
	}
	return times_end(TIMES_CLASSES - 1);
}

/* ---- costs ---- */

static void cost_add(struct worth *worth, const struct logline *l)
{
	uint64_t page = line_facts(l)->url;

	if (!slice_eq(l->method, SLICE("GET")) || l->status < 200 || l->status >= 400) return;
	if (!line_from_store(l) && l->nostore != NOSTORE_none && bloom_has(&worth->pages, page)) {
		worth->repeats[l->nostore]++;
		worth->repeat_bytes[l->nostore] += l->body_out;
	}
	bloom_add(&worth->pages, page);
}

void worth_ahead(const struct worth *worth, const struct logline *l)
{
	bloom_ahead(&worth->pages, line_facts(l)->url);
}

void worth_add(struct worth *worth, const struct logline *l)
{
	if (l->rec != REC_req) return;
	worth->requests++;
	worth->hits += line_from_store(l);
	cost_add(worth, l);
	if (l->first_us >= 0 && line_from_store(l) && !l->origin_tries) times_add(&worth->hit, (uint64_t)l->first_us);
	if (l->first_us >= 0 && l->origin_tries) times_add(&worth->miss, (uint64_t)l->first_us);
	if (l->origin_first_us >= 0 && l->origin.len) times_add(map_get(&worth->origins, l->origin), (uint64_t)l->origin_first_us);
}

uint64_t worth_potential(const struct worth *worth)
{
	uint64_t sum = worth->hits;

	for (int i = 0; i < NOSTORE_COUNT; i++) sum += worth->repeats[i];
	return sum;
}

int worth_order(const struct worth *worth, int order[NOSTORE_COUNT])
{
	int count = 0;

	for (int i = 0; i < NOSTORE_COUNT; i++) {
		int at = count;
		if (!worth->repeats[i]) continue;
		for (; at && worth->repeats[order[at - 1]] < worth->repeats[i]; at--) order[at] = order[at - 1];
		order[at] = i;
		count++;
	}
	return count;
}

/* ---- text ---- */

static void times_text(const char *name, const struct times *times, FILE *out)
{
	char n[SHOW_NUMBER_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX];

	if (times->count)
		fprintf(out, "  %-26s %13s %15s %15s %15s\n", name, show_count(n, times->count), show_count(a, times_percentile(times, 0.5)),
			show_count(b, times_percentile(times, 0.9)), show_count(c, times_percentile(times, 0.99)));
}

void worth_text(const struct worth *worth, FILE *out)
{
	char n[SHOW_NUMBER_MAX], share[SHOW_NUMBER_MAX], bytes[SHOW_NUMBER_MAX], name[SHOW_TEXT_MAX];
	int order[NOSTORE_COUNT], count = worth_order(worth, order);

	if (count)
		fprintf(out, "\nWhat it costs not to store: pages asked for again, at most so many more hits\n  %-24s %15s %11s %22s\n", "reason",
			"requests", "hit ratio", "body bytes");
	for (int i = 0; i < count; i++)
		fprintf(out, "  %-24s %15s %11s %22s\n", nostore_rows[order[i]].name.ptr, show_count(n, worth->repeats[order[i]]),
			show_ratio(share, worth->repeats[order[i]], worth->requests), show_count(bytes, worth->repeat_bytes[order[i]]));
	if (count)
		fprintf(out, "  Potential hit ratio, at most: %s = %s of %s requests\n", show_ratio(share, worth_potential(worth), worth->requests),
			show_count(n, worth_potential(worth)), show_count(bytes, worth->requests));
	if (!worth->hit.count && !worth->miss.count) return;
	fprintf(out, "\n%-28s %13s %15s %15s %15s\n", "First byte, us (+12.5 %)", "answers", "half within", "90 % within", "99 % within");
	times_text("hits", &worth->hit, out);
	times_text("from origins", &worth->miss, out);
	for (size_t i = 0; i < worth->origins.count && i < ORIGINS_SHOWN; i++)
		times_text(show_text(name, map_key(&worth->origins, i), 26), map_value(&worth->origins, i), out);
}
