/* The enumerations of tbl/ as arrays of rows: names, sentences, and the text that stands on a log line. */
#include "enums.h"

#define IS_NONE(name) (sizeof(#name) == sizeof("none") && #name[0] == 'n' && #name[1] == 'o' && #name[2] == 'n' && #name[3] == 'e')
#define ROW(name, extra, status, doc) { SLICE(#name), extra, status, doc, #name, IS_NONE(name) ? 0 : sizeof(#name) - 1 },

const struct enum_row record_rows[REC_COUNT] = {
#define RECORD(name, doc) ROW(name, "", 0, doc)
#include "tbl/records.h"
#undef RECORD
};
const struct enum_row verdict_rows[VERDICT_COUNT] = {
#define VERDICT(name, doc) ROW(name, "", 0, doc)
#include "tbl/verdicts.h"
#undef VERDICT
};
const struct enum_row tier_rows[TIER_COUNT] = {
#define TIER(name, doc) ROW(name, "", 0, doc)
#include "tbl/tiers.h"
#undef TIER
};
const struct enum_row nostore_rows[NOSTORE_COUNT] = {
#define NOSTORE(name, doc) ROW(name, "", 0, doc)
#include "tbl/nostores.h"
#undef NOSTORE
};
const struct enum_row end_rows[END_COUNT] = {
#define END(name, setting, error, doc) ROW(name, setting, 0, doc)
#include "tbl/ends.h"
#undef END
};
const struct enum_row refusal_rows[REFUSAL_COUNT] = {
#define REFUSAL(name, status, doc) ROW(name, "", status, doc)
#include "tbl/refusals.h"
#undef REFUSAL
};
const struct enum_row found_rows[FOUND_COUNT] = {
#define FOUND(name, doc) ROW(name, "", 0, doc)
#include "tbl/founds.h"
#undef FOUND
};
const struct enum_row uncoded_rows[UNCODED_COUNT] = {
#define UNCODED(name, doc) ROW(name, "", 0, doc)
#include "tbl/uncodeds.h"
#undef UNCODED
};
const struct enum_row eviction_rows[EVICTION_COUNT] = {
#define EVICTION(name, doc) ROW(name, "", 0, doc)
#include "tbl/evictions.h"
#undef EVICTION
};
const struct enum_row admission_rows[ADMISSION_COUNT] = {
#define ADMISSION(name, doc) ROW(name, "", 0, doc)
#include "tbl/admissions.h"
#undef ADMISSION
};

int enum_find(const struct enum_row *rows, int count, struct slice name)
{
	for (int i = 0; i < count; i++)
		if (slice_eq(rows[i].name, name)) return i;
	return -1;
}
