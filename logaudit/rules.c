/* The table of rules, and what several of them share. */
#include "rule.h"
#include "map.h"

const struct rule rules[RULE_COUNT] = {
#define RULE(symbol, id, severity, columns, doc, cause, cure) \
	{ id, SEVERITY_##severity, columns, doc, cause, cure, &rule_##symbol },
#include "tbl/rules.h"
#undef RULE
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

void rule_report_groups(struct map *subjects, const struct rule *rule, struct findings *out)
{
	for (size_t i = 0; i < subjects->count; i++)
		if (((const struct group *)map_value(subjects, i))->count)
			findings_add(out, rule, map_key(subjects, i), map_value(subjects, i));
	map_release(subjects);
}
