/* Writing HTML: every text of the log goes through html_text. */
#ifndef LOGAUDIT_HTML_H
#define LOGAUDIT_HTML_H

#include <stdio.h>

#include "../conf/slice.h"

/* As show_text has it, and & < > " ' as references: safe in text and in quoted attributes. */
void html_text(FILE *out, struct slice text);
static inline void html_str(FILE *out, const char *text) { html_text(out, slice_str(text)); }
/* The same, and what stands between two backticks as code. */
void html_prose(FILE *out, const char *text);
/* <tag class="class">text</tag>; class NULL: none. */
void html_element(FILE *out, const char *tag, const char *class, struct slice text);
/* A picture of shares of `whole` from left to right; each class with its number. Words beside it say the same: it is hidden from
 * those who listen. */
struct html_share { const char *class; uint64_t part; };
void html_bar(FILE *out, const char *class, const struct html_share *shares, size_t count, uint64_t whole);
/* A mark for a severity or a judgement: i-good, i-look (warning), i-bad (error), i-info. */
void html_icon(FILE *out, const char *id);
void html_icons(FILE *out);

#endif
