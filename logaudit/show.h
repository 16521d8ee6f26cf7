/* Words and numbers for people: nothing from a log reaches a terminal or a JSON text as it came. */
#ifndef LOGAUDIT_SHOW_H
#define LOGAUDIT_SHOW_H

#include <stdio.h>

#include "../conf/slice.h"

enum { SHOW_TEXT_MAX = 4 * 4200, SHOW_NUMBER_MAX = 32, SHOW_TIME_MAX = 40 };

/* Printable UTF-8 of a text: control bytes and what is not UTF-8 become \xHH; more than `width` characters are cut and end in
 * "...". Returns out, NUL-terminated. width 0: as long as it is. */
char *show_text(char out[SHOW_TEXT_MAX], struct slice text, size_t width);
/* 1,234,567 */
char *show_count(char out[SHOW_NUMBER_MAX], uint64_t n);
/* "83.12 %", or "-" when there is nothing to divide by. Never rounded up to 100 nor down to 0. */
char *show_ratio(char out[SHOW_NUMBER_MAX], uint64_t part, uint64_t whole);
/* 2026-11-24 10:00:03.123 (UTC) */
char *show_time(char out[SHOW_TIME_MAX], uint64_t t_us);
/* Breaks a text at blanks into lines of `width` columns, each after `indent` blanks; the first after `first`. */
void show_wrapped(FILE *out, const char *first, size_t indent, size_t width, const char *text);

#endif
