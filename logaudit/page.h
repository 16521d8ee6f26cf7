/* The report as one self-contained page: it needs no network and no scripts, and lets itself be read on a phone. */
#ifndef LOGAUDIT_PAGE_H
#define LOGAUDIT_PAGE_H

#include "report.h"

/* Writes the whole page. Of the options only rows_max counts. */
void report_page(const struct audit *audit, const struct report_options *options, FILE *out);

/* ---- pieces ---- */

/* Up to where <main> begins. The title is escaped. */
void page_begin(const char *title, FILE *out);

/* The style and the scripts, and the sources by which the Content-Security-Policy allows them. */
extern const char *const page_style_text, *const page_script_text, *const page_policy;

/* Plots over time, their figures as a table, and as JSON for the scripts. */
void page_plots(const struct series *series, FILE *out);
/* What the cache did, costs, URLs, times, and all tables. */
void page_tables(const struct audit *audit, size_t rows_max, FILE *out);

#endif
