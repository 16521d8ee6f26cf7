/* Pieces of the JSON that all commands print. */
#ifndef LOGAUDIT_JSON_H
#define LOGAUDIT_JSON_H

#include <jansson.h>

#include "audit.h"

/* A text as it stands in the log; bytes that are no UTF-8 become \xHH. */
json_t *json_shown(struct slice text);
void put_number(json_t *object, const char *name, uint64_t n);
/* null when there is nothing to divide by */
void put_ratio(json_t *object, const char *name, uint64_t part, uint64_t whole);
void put_text(json_t *object, const char *name, const char *value);
/* lines_read and its relatives, rejected, errors, notes. */
void lines_json(const struct audit *audit, json_t *root);
/* totals and the tables; costs, times, savings, missed URLs, clients and the series. */
void tally_json(const struct tally *tally, json_t *root);
void worth_json(const struct worth *worth, json_t *root);
/* The object of report, check and metrics (report.h); the caller adds to it and prints it. */
json_t *report_json_new(const struct audit *audit, bool with_totals, const struct compare *compare);
/* formats: of the files that are logs of other programs. */
void formats_used_json(const struct audit *audit, json_t *root);
/* Prints and frees. */
void json_print(json_t *root, FILE *out);

#endif
