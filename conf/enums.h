/* The enumerations of tbl/, with their names and sentences: REC_req, VERDICT_hit, NOSTORE_none, ... */
#ifndef CONF_ENUMS_H
#define CONF_ENUMS_H

#include "policies.h"
#include "slice.h"

enum record  {
#define RECORD(name, doc) REC_##name,
#include "tbl/records.h"
#undef RECORD
	REC_COUNT };
enum verdict {
#define VERDICT(name, doc) VERDICT_##name,
#include "tbl/verdicts.h"
#undef VERDICT
	VERDICT_COUNT };
enum tier {
#define TIER(name, doc) TIER_##name,
#include "tbl/tiers.h"
#undef TIER
	TIER_COUNT };
enum nostore {
#define NOSTORE(name, doc) NOSTORE_##name,
#include "tbl/nostores.h"
#undef NOSTORE
	NOSTORE_COUNT };
enum end {
#define END(name, setting, error, doc) END_##name,
#include "tbl/ends.h"
#undef END
	END_COUNT };
enum refusal {
#define REFUSAL(name, status, doc) REFUSAL_##name,
#include "tbl/refusals.h"
#undef REFUSAL
	REFUSAL_COUNT };
enum found {
#define FOUND(name, doc) FOUND_##name,
#include "tbl/founds.h"
#undef FOUND
	FOUND_COUNT };
enum uncoded {
#define UNCODED(name, doc) UNCODED_##name,
#include "tbl/uncodeds.h"
#undef UNCODED
	UNCODED_COUNT };

/* A row of an enumeration as text. For END rows `extra` is the setting, else "". `status`: REFUSAL rows only. */
struct enum_row {
	struct slice name;
	const char *extra;
	int status;
	const char *doc;
	/* The name as it stands on a log line (empty for `none`), padded so that a fixed 32 byte copy writes it. */
	char log_text[31];
	uint8_t log_len;
};

extern const struct enum_row record_rows[REC_COUNT];
extern const struct enum_row verdict_rows[VERDICT_COUNT];
extern const struct enum_row tier_rows[TIER_COUNT];
extern const struct enum_row nostore_rows[NOSTORE_COUNT];
extern const struct enum_row end_rows[END_COUNT];
extern const struct enum_row refusal_rows[REFUSAL_COUNT];
extern const struct enum_row found_rows[FOUND_COUNT];
extern const struct enum_row uncoded_rows[UNCODED_COUNT];
extern const struct enum_row eviction_rows[EVICTION_COUNT];
extern const struct enum_row admission_rows[ADMISSION_COUNT];

/* Index of the row called `name`, or -1. */
int enum_find(const struct enum_row *rows, int count, struct slice name);

#endif
