/* What happened to one URL: the lines that are about it, brought in order of time, and why each of its misses was one. */
#include "rule.h"
#include "why.h"

/* ---- reasons ---- */

#define ADVICE(name, advice) + 1
_Static_assert(0
#include "tbl/advices.h"
	== NOSTORE_COUNT, "tbl/advices.h has not one row for each of conf/tbl/nostores.h");
#undef ADVICE

static const char *const advices[NOSTORE_COUNT] = {
#define ADVICE(name, advice) [NOSTORE_##name] = advice,
#include "tbl/advices.h"
#undef ADVICE
};

static const struct { const char *name, *doc, *advice; } misses[MISS_COUNT] = {
#define MISS(name, doc, advice) { #name, doc, advice },
#include "tbl/misses.h"
#undef MISS
};

struct reason_row reason_row(int reason)
{
	if (reason >= REASON_verdict)
		return (struct reason_row){ "verdict", verdict_rows[reason - REASON_verdict].name.ptr, verdict_rows[reason - REASON_verdict].doc, "" };
	if (reason >= REASON_end)
		return (struct reason_row){ "end", end_rows[reason - REASON_end].name.ptr, end_rows[reason - REASON_end].doc,
			"The origin or the way to it failed: look at the columns `origin` and `origin_status`, and at the origin's own log." };
	if (reason >= REASON_refusal)
		return (struct reason_row){ "refusal", refusal_rows[reason - REASON_refusal].name.ptr, refusal_rows[reason - REASON_refusal].doc,
			"The client has to send a request that is valid and allowed." };
	if (reason >= REASON_miss)
		return (struct reason_row){ "miss", misses[reason - REASON_miss].name, misses[reason - REASON_miss].doc, misses[reason - REASON_miss].advice };
	return (struct reason_row){ "nostore", nostore_rows[reason].name.ptr, nostore_rows[reason].doc, advices[reason] };
}

int reason_of(const struct logline *line)
{
	if (line_from_store(line) || line->cache == VERDICT_collapsed || line->cache == VERDICT_synth || line->cache == VERDICT_purge)
		return REASON_answered;
	if (line->cache == VERDICT_refused) return REASON_refusal + line->refusal;
	if (line->cache == VERDICT_error) return REASON_end + line->end;
	if (line->nostore) return REASON_nostore + line->nostore;
	if (line->cache != VERDICT_miss) return REASON_verdict + line->cache;
	if (line->disk_late) return REASON_miss + MISS_disk_late;
	return line->purged ? REASON_miss + MISS_purged : REASON_miss;
}

bool reason_is_missed(int reason)
{
	return reason < REASON_COUNT && !(reason >= REASON_refusal && reason < REASON_end) && reason != REASON_verdict + VERDICT_none;
}

static int by_count(const void *a, const void *b, void *arg)
{
	const struct why *why = arg;
	const int *x = a, *y = b;
	uint64_t m = why->reasons[*x].count, n = why->reasons[*y].count;

	return m != n ? m > n ? -1 : 1 : *x < *y ? -1 : *x > *y;
}

size_t why_order(const struct why *why, int order[REASON_COUNT])
{
	size_t count = 0;

	for (int i = 0; i < REASON_COUNT; i++)
		if (why->reasons[i].count) order[count++] = i;
	qsort_r(order, count, sizeof(*order), by_count, (void *)(uintptr_t)why);
	return count;
}

bool why_needs(enum log_field field)
{
	static const enum log_field needed[] = { LOG_FIELD_target, LOG_FIELD_scheme, LOG_FIELD_method, LOG_FIELD_status, LOG_FIELD_nostore,
		LOG_FIELD_stored, LOG_FIELD_key, LOG_FIELD_variant, LOG_FIELD_lifetime, LOG_FIELD_resp_vary, LOG_FIELD_resp_cc, LOG_FIELD_purged };

	for (size_t i = 0; i < COUNT_OF(needed); i++)
		if (needed[i] == field) return true;
	return false;
}

/* ---- counting ---- */

static void seen_add(struct seen *seen, uint64_t t_us, struct place at)
{
	if (!seen->count || t_us < seen->first_us) {
		seen->first_us = t_us;
		seen->first = at;
	}
	if (!seen->count || t_us >= seen->last_us) {
		seen->last_us = t_us;
		seen->last = at;
	}
	seen->count++;
}

static void count_value(struct map *map, struct slice value)
{
	++*(uint64_t *)map_get(map, value);
}

static void event_add(struct why *why, const struct logline *line, struct place at)
{
	if (why->event_count == WHY_EVENTS_MAX) {
		why->unordered++;
		return;
	}
	if (why->event_count == why->event_cap) {
		why->event_cap = why->event_cap ? 2 * why->event_cap : 64;
		why->events = must(realloc(why->events, why->event_cap * sizeof(*why->events)));
	}
	uint32_t host = line->rec == REC_purge ? 0 : map_number(&why->hosts, line_host(line));
	why->events[why->event_count++] = (struct why_event){ .visit = visit_of(line, map_number(&why->nodes, line->node), host), .at = at, .status = (uint16_t)line->status, .rec = line->rec, .cache = line->cache,
		.reason = (int16_t)reason_of(line) };
}

static void request_add(struct why *why, const struct logline *line, struct place at)
{
	struct why_host *host = map_get(&why->hosts, line_host(line));
	int reason = reason_of(line);

	host->requests++;
	host->hits += line_from_store(line);
	seen_add(&why->requests, line->t_us, at);
	why->verdicts[line->cache]++;
	why->methods += line->method.len && !slice_eq(line->method, SLICE("GET")) && !slice_eq(line->method, SLICE("HEAD"));
	count_value(&why->volumes, line->volume.len ? line->volume : SLICE("none"));
	/* Misses of what could be stored are told apart when all lines are in order. */
	if (reason < REASON_COUNT && reason != REASON_miss) seen_add(&why->reasons[reason], line->t_us, at);
}

/* What the answer said, whoever asked for it. */
static void answer_add(struct why *why, const struct logline *line, struct place at)
{
	char lifetime[24];
	bool new;

	if (line->stored) {
		seen_add(&why->stored, line->t_us, at);
		if (why->stored.last_us == line->t_us) {
			struct slice by = line->rec == REC_refresh ? SLICE("a fetch in the background") : line->client;
			why->object_bytes = line->object_bytes;
			snprintf(why->stored_by, sizeof(why->stored_by), "%.*s", SLICE_ARG(by));
		}
	}
	if (line->key && (line_from_store(line) || line->stored || line->variant)) keys_get(&why->variants, line->key, line->variant, &new);
	if (line->resp_vary.len) count_value(&why->varies, line->resp_vary);
	if (line->resp_cc.len) count_value(&why->controls, line->resp_cc);
	if (line->lifetime < 0) return;
	snprintf(lifetime, sizeof(lifetime), "%" PRId64, line->lifetime);
	count_value(&why->lifetimes, slice_str(lifetime));
}

/* ---- what is near, while nothing was found ---- */

static void near_add(struct why *why, const struct logline *line)
{
	unsigned distance = why_url_distance(&why->url, line);
	char text[WHY_NEAR_TEXT_MAX];
	size_t i, at;

	if (why->near_count == WHY_NEAR_MAX && distance > why->near[WHY_NEAR_MAX - 1].distance) return;
	snprintf(text, sizeof(text), "%.*s%s%.*s%.*s", SLICE_ARG(line->scheme), line->scheme.len ? "://" : "", SLICE_ARG(line->host),
		SLICE_ARG(line->target));
	for (i = 0; i < why->near_count; i++) {
		if (strcmp(why->near[i].text, text) != 0) continue;
		why->near[i].count++;
		return;
	}
	for (at = 0; at < why->near_count && why->near[at].distance <= distance; at++);
	if (at == WHY_NEAR_MAX) return;
	if (why->near_count < WHY_NEAR_MAX) why->near_count++;
	memmove(&why->near[at + 1], &why->near[at], (why->near_count - 1 - at) * sizeof(why->near[0]));
	why->near[at] = (struct why_near){ .distance = distance, .count = 1 };
	memcpy(why->near[at].text, text, sizeof(text));
}

/* ---- lines ---- */

static void take_line(void *arg, const struct logline *line, struct place at)
{
	struct why *why = arg;

	if (why_url_is_purged(&why->url, line)) {
		seen_add(&why->purged, line->t_us, at);
		event_add(why, line, at);
		return;
	}
	if (line->rec != REC_req && line->rec != REC_refresh) return;
	if (!why_url_is(&why->url, line)) {
		if (!why->requests.count && line->rec == REC_req && line->target.len) near_add(why, line);
		return;
	}
	if (line->rec == REC_req) request_add(why, line, at);
	else seen_add(&why->refreshed, line->t_us, at);
	answer_add(why, line, at);
	event_add(why, line, at);
}

static void take_columns(void *arg, const struct columns *columns, struct place at)
{
	struct why *why = arg;

	(void)at;
	for (int i = 0; i < LOG_FIELD_COUNT; i++) why->missing[i] |= !columns->present[i];
}

struct audit_reader why_reader(struct why *why)
{
	return (struct audit_reader){ take_line, take_columns, why };
}

/* ---- in order of time ---- */

static int by_time(const void *a, const void *b)
{
	const struct why_event *x = a, *y = b;

	if (x->visit.t_us != y->visit.t_us) return x->visit.t_us < y->visit.t_us ? -1 : 1;
	if (x->at.file != y->at.file) return x->at.file < y->at.file ? -1 : 1;
	return x->at.line < y->at.line ? -1 : x->at.line > y->at.line;
}

static void tell_misses_apart(struct why *why)
{
	struct miss_memory memory = { 0 };

	for (size_t i = 0; i < why->event_count; i++) {
		struct why_event *e = &why->events[i];
		bool request = e->rec == REC_req;
		if (request && e->reason == REASON_miss) {
			e->reason = (int16_t)(REASON_miss + miss_tell(&memory, &e->visit));
			seen_add(&why->reasons[e->reason], e->visit.t_us, e->at);
		}
		miss_learn(&memory, &e->visit);
	}
	miss_memory_release(&memory);
}

/* 200, 206 and 304 are the same answer in the form that each client asked for. */
static unsigned status_class(unsigned status)
{
	return status == 304 ? 2 : status / 100;
}

static bool same_outcome(const struct why_event *a, const struct why_event *b)
{
	return a->rec == b->rec && a->cache == b->cache && a->reason == b->reason && status_class(a->status) == status_class(b->status);
}

static void find_runs(struct why *why)
{
	size_t cap = 0;

	for (size_t i = 0; i < why->event_count; i++) {
		const struct why_event *e = &why->events[i];
		struct why_run *run = why->run_count ? &why->runs[why->run_count - 1] : NULL;
		if (!run || !same_outcome(run->first, e)) {
			if (why->run_count == cap) {
				cap = cap ? 2 * cap : 64;
				why->runs = must(realloc(why->runs, cap * sizeof(*why->runs)));
			}
			run = &why->runs[why->run_count++];
			*run = (struct why_run){ .first = e };
		}
		run->count++;
		run->last_us = e->visit.t_us;
	}
}

/* ---- life ---- */

void why_init(struct why *why, struct why_url url)
{
	*why = (struct why){ .url = url, .object_bytes = -1 };
	map_init(&why->hosts, sizeof(struct why_host), NAMES_MAX);
	map_init(&why->nodes, sizeof(uint64_t), NAMES_MAX);
	map_init(&why->varies, sizeof(uint64_t), WHY_VALUES_MAX);
	map_init(&why->lifetimes, sizeof(uint64_t), WHY_VALUES_MAX);
	map_init(&why->controls, sizeof(uint64_t), WHY_VALUES_MAX);
	map_init(&why->volumes, sizeof(uint64_t), WHY_VALUES_MAX);
}

void why_finish(struct why *why)
{
	if (why->event_count) qsort(why->events, why->event_count, sizeof(*why->events), by_time);
	tell_misses_apart(why);
	find_runs(why);
}

void why_release(struct why *why)
{
	free(why->events);
	free(why->runs);
	keys_release(&why->variants);
	map_release(&why->hosts);
	map_release(&why->nodes);
	map_release(&why->varies);
	map_release(&why->lifetimes);
	map_release(&why->controls);
	map_release(&why->volumes);
	*why = (struct why){ 0 };
}
