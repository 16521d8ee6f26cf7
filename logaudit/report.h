/* What the audit says: text for people, JSON, CSV (design section 6), or a page. */
#ifndef LOGAUDIT_REPORT_H
#define LOGAUDIT_REPORT_H

#include <stdio.h>

#include "audit.h"
#include "show.h"

/* rows_max: of each table of the text; 0: all. width: 0 stands for PAPER_WIDTH. */
struct report_options { size_t rows_max, width; bool color; };

/* Lines read, counted, rejected; notes. Every text begins with it. At most PAPER_WIDTH columns. */
void lines_text(const struct audit *audit, FILE *out);
void report_text(const struct audit *audit, const struct report_options *options, FILE *out);
void check_text(const struct audit *audit, const struct report_options *options, FILE *out);
void metrics_text(const struct audit *audit, const struct compare *compare, FILE *out);

/* with_totals: report; compare: metrics, else NULL. */
void report_json(const struct audit *audit, bool with_totals, const struct compare *compare, FILE *out);
/* One table of four columns: section, name, measure, value. */
void report_csv(const struct audit *audit, FILE *out);

void fields_text(FILE *out);
void fields_json(FILE *out);
void rules_text(FILE *out);
void rules_json(FILE *out);

/* ---- pieces of the text ---- */

struct paper report_paper(const struct report_options *options, FILE *out);
void findings_text(const struct audit *audit, const struct paper *paper);
/* The tables: what the cache did, by host and all others, reasons, costs, times, URLs, clients. */
void tables_text(const struct audit *audit, size_t rows_max, const struct paper *paper);

#endif
