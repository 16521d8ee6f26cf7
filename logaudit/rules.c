/* The table of rules, and what several of them share. */
#include <stdio.h>

#include "rule.h"
#include "map.h"

const struct rule rules[RULE_COUNT] = {
#define RULE(symbol, id, severity, columns, doc, cause, cure) \
	{ id, SEVERITY_##severity, columns, doc, cause, cure, &rule_##symbol },
#include "tbl/rules.h"
#undef RULE
};

const uint32_t rule_concerns[RULE_COUNT] = {
#define CONCERN(rule, traits) [RULE_##rule] = traits,
#include "tbl/concerns.h"
#undef CONCERN
};

rule_ahead_fn *const rule_aheads[RULE_COUNT] = {
#define AHEAD(rule) [RULE_##rule] = rule_##rule##_ahead,
#include "tbl/aheads.h"
#undef AHEAD
};

bool cache_control_has(struct slice value, struct slice directive)
{
	while (value.len) {
		const char *comma = memchr(value.ptr, ',', value.len);
		struct slice item = slice_make(value.ptr, comma ? (size_t)(comma - value.ptr) : value.len);
		size_t used = item.len + (comma != NULL);
		const char *equals = item.len ? memchr(item.ptr, '=', item.len) : NULL;

		if (equals) item.len = (size_t)(equals - item.ptr);
		if (slice_eq_nocase(slice_trim(item), directive)) return true;
		value.ptr += used;
		value.len -= used;
	}
	return false;
}

bool line_may_be_shared(const struct logline *l)
{
	return !l->req_login && (!l->req_auth || l->resp_public || cache_control_has(l->resp_cc, SLICE("must-revalidate")));
}

bool line_origin_failed(const struct logline *l)
{
	switch (l->end) {
	case END_connect_refused:
	case END_connect_timeout:
	case END_origin_read_timeout:
	case END_origin_send_timeout:
	case END_origin_left:
	case END_origin_invalid:
	case END_no_origin:
	case END_origin_tls_certificate:
	case END_origin_tls_alert:
	case END_origin_tls_invalid:
		return true;
	default:
		return l->origin_tries && l->origin_status >= 500;
	}
}

struct slice name_pair(char out[NAME_PAIR_MAX], struct slice a, struct slice b)
{
	int len = snprintf(out, NAME_PAIR_MAX, "%.*s %.*s", SLICE_ARG(a), SLICE_ARG(b));

	CHECK(len >= 0);
	return slice_make(out, len < NAME_PAIR_MAX ? (size_t)len : NAME_PAIR_MAX - 1);
}

void spread_add(struct spread *spread, const struct logline *line, struct place at)
{
	uint64_t minute = (line->t_us + line->total_us) / 60000000 + 1;
	bool known = false;

	group_add(&spread->group, at);
	for (unsigned i = 0; i < spread->count; i++) known |= spread->minutes[i] == minute;
	if (!known && spread->count < SPREAD_MINUTES) spread->minutes[spread->count++] = minute;
}

void rule_report_groups(struct map *subjects, const struct rule *rule, struct findings *out)
{
	for (size_t i = 0; i < subjects->count; i++)
		if (((const struct group *)map_value(subjects, i))->count)
			findings_add(out, rule, map_key(subjects, i), map_value(subjects, i));
	map_release(subjects);
}
