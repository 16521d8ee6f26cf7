/* Savings, costs, and who and what is behind them. */
#include "recent.h"
#include "rule.h"
#include "why.h"
#include "worth.h"

enum { ORIGINS_MAX = 1024 };

void worth_init(struct worth *worth)
{
	*worth = (struct worth){ 0 };
	bloom_init(&worth->pages);
	map_init(&worth->origins, sizeof(struct times), ORIGINS_MAX);
	heavy_init(&worth->missed, sizeof(struct missed), MISSED_TEXT_MAX, MISSED_PLACES);
	heavy_init(&worth->clients, sizeof(struct client), CLIENT_TEXT_MAX, CLIENT_PLACES);
	series_init(&worth->series);
}

void worth_release(struct worth *worth)
{
	bloom_release(&worth->pages);
	map_release(&worth->origins);
	heavy_release(&worth->missed);
	heavy_release(&worth->clients);
	series_release(&worth->series);
}

/* ---- lines ---- */

static void cost_add(struct worth *worth, const struct logline *l, uint64_t page)
{
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

void worth_ahead_frequent(const struct worth *worth, const struct logline *l)
{
	heavy_ahead(&worth->clients, line_facts(l)->client);
}

static void saved_add(struct worth *worth, const struct logline *l)
{
	if (!line_from_store(l) && l->cache != VERDICT_collapsed) return;
	worth->saved.requests += l->origin_tries == 0;
	if (l->body_out > l->origin_in) worth->saved.bytes += l->body_out - l->origin_in;
}

static void missed_add(struct worth *worth, const struct logline *l, uint64_t page)
{
	int reason = reason_of(l);
	struct missed *missed;
	bool is_new;

	if (!reason_is_missed(reason) || !l->target.len) return;
	missed = heavy_add(&worth->missed, recent_text(l->scheme, page), &is_new);
	if (is_new) {
		heavy_text(&worth->missed, missed, l->scheme);
		if (l->scheme.len) heavy_text(&worth->missed, missed, SLICE("://"));
		heavy_text(&worth->missed, missed, l->host);
		heavy_text(&worth->missed, missed, l->target);
	}
	missed->origin_bytes += l->origin_in;
	reasons_add(&missed->reasons, reason, 1);
}

static void client_add(struct worth *worth, const struct logline *l)
{
	bool is_new;
	struct client *client = heavy_add(&worth->clients, line_facts(l)->client, &is_new);

	if (is_new) heavy_text(&worth->clients, client, l->client);
	client->hits += line_from_store(l);
	client->bytes += l->body_out;
	client->errors += l->status >= 500;
}

void worth_add(struct worth *worth, const struct logline *l)
{
	if (l->rec == REC_refresh) {
		worth->saved.refreshes += l->origin_tries;
		worth->saved.refresh_bytes += l->origin_in;
	}
	if (l->rec != REC_req) return;
	worth->requests++;
	worth->hits += line_from_store(l);
	cost_add(worth, l, line_facts(l)->url);
	saved_add(worth, l);
	if (l->first_us >= 0 && line_from_store(l) && !l->origin_tries) times_add(&worth->hit, (uint64_t)l->first_us);
	if (l->first_us >= 0 && l->origin_tries) times_add(&worth->miss, (uint64_t)l->first_us);
	if (l->origin_first_us >= 0 && l->origin.len) times_add(map_get(&worth->origins, l->origin), (uint64_t)l->origin_first_us);
}

void worth_add_frequent(struct worth *worth, const struct logline *l)
{
	if (l->rec != REC_req) return;
	missed_add(worth, l, line_facts(l)->url);
	client_add(worth, l);
}

void worth_add_series(struct worth *worth, const struct logline *l)
{
	if (l->rec == REC_req) series_add(&worth->series, l);
}

/* ---- merging ---- */

static void missed_join(void *into, const void *from)
{
	struct missed *a = into;
	const struct missed *b = from;

	a->origin_bytes += b->origin_bytes;
	reasons_merge(&a->reasons, &b->reasons);
}

static void client_join(void *into, const void *from)
{
	struct client *a = into;
	const struct client *b = from;

	a->hits += b->hits;
	a->bytes += b->bytes;
	a->errors += b->errors;
}

void worth_merge(struct worth *into, const struct worth *from)
{
	bloom_merge(&into->pages, &from->pages);
	for (int i = 0; i < NOSTORE_COUNT; i++) {
		into->repeats[i] += from->repeats[i];
		into->repeat_bytes[i] += from->repeat_bytes[i];
	}
	into->requests += from->requests;
	into->hits += from->hits;
	into->saved.requests += from->saved.requests;
	into->saved.bytes += from->saved.bytes;
	into->saved.refreshes += from->saved.refreshes;
	into->saved.refresh_bytes += from->saved.refresh_bytes;
	times_merge(&into->hit, &from->hit);
	times_merge(&into->miss, &from->miss);
	for (size_t i = 0; i < from->origins.count; i++)
		times_merge(map_get(&into->origins, map_key(&from->origins, i)), map_value(&from->origins, i));
	heavy_merge(&into->missed, &from->missed, missed_join);
	heavy_merge(&into->clients, &from->clients, client_join);
	series_merge(&into->series, &from->series);
}

/* ---- sums ---- */

uint64_t worth_potential(const struct worth *worth)
{
	uint64_t sum = worth->hits;

	for (int i = 0; i < NOSTORE_COUNT; i++) sum += worth->repeats[i];
	return sum;
}

uint64_t worth_saved_us(const struct worth *worth)
{
	uint64_t hit = times_mean(&worth->hit), miss = times_mean(&worth->miss);

	return miss > hit ? (miss - hit) * worth->hit.count : 0;
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

static int by_answers(const void *a, const void *b, void *arg)
{
	const struct map *map = arg;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	const struct times *x = map_value(map, i), *y = map_value(map, j);

	if (x->count != y->count) return x->count > y->count ? -1 : 1;
	return strcmp(map_key(map, i).ptr, map_key(map, j).ptr);
}

size_t *worth_origins(const struct worth *worth)
{
	size_t *order = must(malloc((worth->origins.count + 1) * sizeof(*order)));

	for (size_t i = 0; i < worth->origins.count; i++) order[i] = i;
	qsort_r(order, worth->origins.count, sizeof(*order), by_answers, (void *)(uintptr_t)&worth->origins);
	return order;
}
