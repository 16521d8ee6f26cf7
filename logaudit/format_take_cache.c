/* Values of other programs' logs as columns of ours: what the cache did, and the origin. */
#include "format_internal.h"

static const struct word_row word_rows[] = {
#define WORD_IS(family, word, verdict, tier, doc) { WORDS_##family, { "" word, sizeof(word) - 1 }, VERDICT_##verdict, TIER_##tier, doc },
#include "tbl/format_verdicts.h"
#undef WORD_IS
};

const struct word_row *word_find(struct format_scratch *scratch, enum word_family family, struct slice word)
{
	if (scratch->word && scratch->word->family == family && slice_eq_nocase(scratch->word->word, word)) return scratch->word;
	for (size_t i = 0; i < COUNT_OF(word_rows); i++)
		if (word_rows[i].family == family && slice_eq_nocase(word_rows[i].word, word)) return scratch->word = &word_rows[i];
	return NULL;
}

/* A word that a newer release has: the request counts, without a verdict. */
static bool word_set(struct work *work, enum word_family family, struct slice text)
{
	const struct word_row *row = word_find(work->scratch, family, text);

	work->line->cache = row ? row->verdict : VERDICT_none;
	if (row && row->tier != TIER_none) work->line->tier = row->tier;
	return true;
}

bool take_nginx_cache(struct work *work, struct slice text) { return word_set(work, WORDS_nginx, text); }
bool take_cloudfront_result(struct work *work, struct slice text) { return word_set(work, WORDS_cloudfront, text); }
bool take_varnish_handling(struct work *work, struct slice text) { return word_set(work, WORDS_varnish, text); }
bool take_varnish_hitmiss(struct work *work, struct slice text) { return word_set(work, WORDS_varnish, text); }

bool take_trafficserver_code(struct work *work, struct slice text)
{
	if (slice_eq(text, SLICE("ERR_CLIENT_ABORT"))) work->line->end = END_client_left;
	return word_set(work, WORDS_trafficserver, text);
}

static bool ends_with(struct slice *text, struct slice end)
{
	if (text->len <= end.len || memcmp(text->ptr + text->len - end.len, end.ptr, end.len) != 0) return false;
	text->len -= end.len;
	return true;
}

bool take_squid_code(struct work *work, struct slice text)
{
	if (ends_with(&text, SLICE("_ABORTED"))) work->line->end = END_client_left;
	else if (!ends_with(&text, SLICE("_TIMEDOUT"))) ends_with(&text, SLICE("_IGNORED"));
	/* Collapsed, of whatever kind. */
	if (slice_starts(text, SLICE("TCP_CF_"))) text = SLICE("TCP_CF_HIT");
	return word_set(work, WORDS_squid, text);
}

/* The first word of the last cache on the way: "MISS, HIT", "Hit from cloudfront", "TCP_HIT". */
static struct slice last_member(struct slice text)
{
	const char *comma = text.len ? memrchr(text.ptr, ',', text.len) : NULL;

	if (comma) text = slice_make(comma + 1, (size_t)(text.ptr + text.len - comma - 1));
	return slice_trim(text);
}

bool take_x_cache(struct work *work, struct slice text)
{
	const char *blank;

	text = last_member(text);
	blank = text.len ? memchr(text.ptr, ' ', text.len) : NULL;
	if (blank) text.len = (size_t)(blank - text.ptr);
	if (slice_starts(text, SLICE("TCP_"))) text = slice_make(text.ptr + 4, text.len - 4);
	return word_set(work, WORDS_x_cache, text);
}

/* Does the list of parameters behind the cache's name have this one, up to its `=`? *ret_value is what stands behind it. */
static bool parameter_find(struct slice text, struct slice name, struct slice *ret_value)
{
	while (text.len) {
		const char *end = memchr(text.ptr, ';', text.len), *equals;
		struct slice item = slice_trim(slice_make(text.ptr, end ? (size_t)(end - text.ptr) : text.len));
		equals = item.len ? memchr(item.ptr, '=', item.len) : NULL;
		if (slice_eq(equals ? slice_make(item.ptr, (size_t)(equals - item.ptr)) : item, name)) {
			*ret_value = equals ? slice_make(equals + 1, (size_t)(item.ptr + item.len - equals - 1)) : slice_make("", 0);
			return true;
		}
		text = end ? slice_make(end + 1, (size_t)(text.ptr + text.len - end - 1)) : slice_make("", 0);
	}
	return false;
}

/* RFC 9211. */
bool take_cache_status(struct work *work, struct slice text)
{
	struct slice value, fwd;
	enum verdict verdict = VERDICT_miss;

	if (text_none(text)) return work->line->cache = VERDICT_off, true;
	text = last_member(text);
	if (parameter_find(text, SLICE("hit"), &value)) {
		verdict = parameter_find(text, SLICE("ttl"), &value) && value.len && value.ptr[0] == '-' ? VERDICT_hit_stale : VERDICT_hit;
	} else if (parameter_find(text, SLICE("fwd"), &fwd)) {
		if (slice_eq(fwd, SLICE("bypass")) || slice_eq(fwd, SLICE("method")) || slice_eq(fwd, SLICE("request"))) verdict = VERDICT_pass;
		if (parameter_find(text, SLICE("fwd-status"), &value) && slice_eq(value, SLICE("304"))) verdict = VERDICT_revalidated;
		if (parameter_find(text, SLICE("collapsed"), &value)) verdict = VERDICT_collapsed;
	} else {
		verdict = VERDICT_none;
	}
	work->line->cache = (uint8_t)verdict;
	return true;
}

/* ---- origins of nginx: "A, B : C", one for each that was asked ---- */

/* The next element; false at the end. */
static bool list_next(struct slice *list, struct slice *ret_item)
{
	size_t at = 0;

	if (!list->len) return false;
	/* A port has no blank behind its colon. */
	while (at < list->len && list->ptr[at] != ',' && !(list->ptr[at] == ':' && at && list->ptr[at - 1] == ' ')) at++;
	*ret_item = slice_trim(slice_make(list->ptr, at));
	*list = at < list->len ? slice_make(list->ptr + at + 1, list->len - at - 1) : slice_make("", 0);
	return true;
}

bool take_origin(struct work *work, struct slice text)
{
	struct slice item;

	while (list_next(&text, &item)) {
		if (text_none(item)) continue;
		work->line->origin = text_word(work, item);
		work->line->origin_tries++;
	}
	if (work->line->origin_tries && work->line->tier == TIER_none) work->line->tier = TIER_origin;
	return true;
}

bool take_origin_status(struct work *work, struct slice text)
{
	struct slice item;
	uint64_t status;

	while (list_next(&text, &item)) {
		if (text_none(item)) continue;
		if (!parse_number(item, &status) || status > 999) return false;
		work->line->origin_status = (int64_t)status;
	}
	return true;
}

static bool last_seconds(struct slice text, int64_t *ret_us)
{
	struct slice item;

	while (list_next(&text, &item))
		if (!text_none(item) && !parse_seconds(item, ret_us)) return false;
	return true;
}

bool take_origin_connect(struct work *work, struct slice text) { return last_seconds(text, &work->line->connect_us); }
bool take_origin_header(struct work *work, struct slice text) { return last_seconds(text, &work->header_us); }

bool take_origin_length(struct work *work, struct slice text)
{
	struct slice item;
	uint64_t bytes;

	while (list_next(&text, &item)) {
		if (text_none(item)) continue;
		if (!parse_number(item, &bytes) || work->line->origin_in > UINT64_MAX - bytes) return false;
		work->line->origin_in += bytes;
	}
	return true;
}

/* ---- origins of Squid and Traffic Server ---- */

bool take_hierarchy(struct work *work, struct slice text)
{
	work->line->origin_tries = !text_none(text) && !slice_eq(text, SLICE("NONE")) && !slice_eq(text, SLICE("HIER_NONE"));
	return true;
}

bool take_hierarchy_host(struct work *work, struct slice text)
{
	if (work->line->origin_tries) work->line->origin = text_word(work, text);
	return true;
}

/* ---- HAProxy ---- */

static const struct { char state[3]; uint8_t end; } haproxy_ends[] = {
#define HAPROXY_END(state, end, doc) { state, END_##end },
#include "tbl/format_ends.h"
#undef HAPROXY_END
};

bool take_haproxy_backend(struct work *work, struct slice text) { return work->backend = text, true; }

bool take_haproxy_server(struct work *work, struct slice text)
{
	struct logline *line = work->line;

	if (slice_eq(text, SLICE("<CACHE>"))) {
		line->cache = VERDICT_hit;
		line->tier = TIER_ram;
	} else if (slice_eq(text, SLICE("<STATS>"))) {
		line->cache = VERDICT_synth;
	} else if (!slice_eq(text, SLICE("<NOSRV>")) && !text_none(text)) {
		/* A server's name is unique within its backend: BACKEND/SERVER, when the line has both together. */
		bool joined = work->backend.len && work->backend.ptr + work->backend.len + 1 == text.ptr;
		line->origin = text_word(work, joined ? slice_make(work->backend.ptr, work->backend.len + 1 + text.len) : text);
		line->tier = TIER_origin;
		line->origin_tries++;
	}
	return true;
}

/* Times that were not reached are -1. */
static bool take_timer(struct slice text, int64_t *ret_ms)
{
	uint64_t value;

	if (slice_eq(text, SLICE("-1")) || text_none(text)) return true;
	if (!parse_number(text, &value) || value > INT64_MAX / 4000) return false;
	*ret_ms = (int64_t)value;
	return true;
}

bool take_haproxy_request_ms(struct work *work, struct slice text) { return take_timer(text, &work->request_ms); }
bool take_haproxy_queue_ms(struct work *work, struct slice text) { return take_timer(text, &work->queue_ms); }

bool take_haproxy_connect_ms(struct work *work, struct slice text)
{
	bool ok = take_timer(text, &work->connect_ms);

	if (work->connect_ms >= 0) work->line->connect_us = work->connect_ms * 1000;
	return ok;
}

bool take_haproxy_answer_ms(struct work *work, struct slice text)
{
	bool ok = take_timer(text, &work->answer_ms);

	if (work->answer_ms >= 0) work->line->origin_first_us = work->answer_ms * 1000;
	return ok;
}

bool take_haproxy_state(struct work *work, struct slice text)
{
	if (text.len < 2) return false;
	for (size_t i = 0; i < COUNT_OF(haproxy_ends); i++) {
		const char *state = haproxy_ends[i].state;
		if (state[0] != text.ptr[0] || (state[1] != text.ptr[1] && state[1] != '?')) continue;
		work->line->end = haproxy_ends[i].end;
		work->state = text.ptr[0];
		return true;
	}
	return false;
}

/* Retries; + before it: the last one went to another server. */
bool take_haproxy_conns(struct work *work, struct slice text)
{
	uint64_t retries;

	if (text.len && text.ptr[0] == '+') text = slice_make(text.ptr + 1, text.len - 1);
	if (!parse_number(text, &retries) || retries > 1000000) return false;
	if (work->line->origin_tries) work->line->origin_tries += retries;
	return true;
}
