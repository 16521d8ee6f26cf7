/* A saved `check --json`: which findings were there already, which are new or worse, which went away. */
#ifndef LOGAUDIT_BASELINE_H
#define LOGAUDIT_BASELINE_H

#include <jansson.h>

#include "audit.h"

/* worse: graver, or a share of the lines that grew by half and by more than chance. */
enum standing { STANDING_new, STANDING_worse, STANDING_known, STANDING_COUNT };
extern const char *const standing_names[STANDING_COUNT];

struct baseline { json_t *root; uint64_t lines; const char *path; };

/* False, with the reason in why, when the file cannot be read or is none. path is kept. */
bool baseline_load(const char *path, struct baseline *ret_baseline, char why[256]);
void baseline_release(struct baseline *baseline);

/* Findings are the same by rule and subject. */
enum standing baseline_standing(const struct baseline *baseline, const struct audit *audit, const struct finding *finding);

/* What stands beside the findings that are shown: those that were there already, and those that went away. */
void baseline_text(const struct baseline *baseline, const struct audit *audit, FILE *out);
json_t *baseline_json(const struct baseline *baseline, const struct audit *audit);

#endif
