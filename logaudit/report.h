/* What the audit says: text for people, or JSON (design: one object). */
#ifndef LOGAUDIT_REPORT_H
#define LOGAUDIT_REPORT_H

#include <stdio.h>

#include "audit.h"

struct report_options { size_t rows_max; };      /* of hosts and volumes in the text; 0: all */

/* Lines read, counted, rejected; notes. Every text begins with it. */
void lines_text(const struct audit *audit, FILE *out);
void report_text(const struct audit *audit, const struct report_options *options, FILE *out);
void check_text(const struct audit *audit, FILE *out);
void metrics_text(const struct audit *audit, const struct compare *compare, FILE *out);

/* with_totals: report; compare: metrics, else NULL. */
void report_json(const struct audit *audit, bool with_totals, const struct compare *compare, FILE *out);

void fields_text(FILE *out);
void fields_json(FILE *out);
void rules_text(FILE *out);
void rules_json(FILE *out);

#endif
