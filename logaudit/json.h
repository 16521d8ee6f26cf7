/* Pieces of the JSON that all commands print. */
#ifndef LOGAUDIT_JSON_H
#define LOGAUDIT_JSON_H

#include <jansson.h>

#include "audit.h"

/* A text as it stands in the log; bytes that are no UTF-8 become \xHH. */
json_t *json_shown(struct slice text);
void put_number(json_t *object, const char *name, uint64_t n);
void put_text(json_t *object, const char *name, const char *value);
/* lines_read and its relatives, rejected, errors, notes. */
void lines_json(const struct audit *audit, json_t *root);
/* Prints and frees. */
void json_print(json_t *root, FILE *out);

#endif
