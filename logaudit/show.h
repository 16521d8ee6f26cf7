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
/* 1.21 GiB (IEC 80000-13: powers of 1,024); below 1 KiB "512 B". */
char *show_bytes(char out[SHOW_NUMBER_MAX], uint64_t n);
/* A span of time for people: 850 us, 12.3 ms, 4.56 s, 2 h 05 min, 3 d 04 h. */
char *show_span(char out[SHOW_NUMBER_MAX], uint64_t us);
/* Columns of a text: one for each character, whatever its bytes. */
size_t show_columns(const char *text);
/* Breaks a text at blanks into lines of `width` columns, each after `indent` blanks; the first after `first`. */
void show_wrapped(FILE *out, const char *first, size_t indent, size_t width, const char *text);

/* ---- where a text for people goes ---- */

/* The palette: names for the meaning, so that nothing is told by the colour alone. */
enum paint { PAINT_none, PAINT_title, PAINT_dim, PAINT_good, PAINT_info, PAINT_warning, PAINT_error };
struct paper { FILE *out; size_t width; bool color; };
enum { PAPER_WIDTH = 80, PAPER_WIDTH_MIN = 60, PAPER_WIDTH_MAX = 160 };

/* How wide the lines are: those of the terminal behind fd, else COLUMNS, else PAPER_WIDTH; within the bounds. */
size_t show_width(int fd);
enum color_when { COLOR_auto, COLOR_always, COLOR_never };
/* auto: when fd is a terminal that is not dumb and NO_COLOR is not set (no-color.org). */
bool show_color(int fd, enum color_when when);
/* Begins or, with PAINT_none, ends a colour. */
void show_paint(const struct paper *paper, enum paint paint);
void show_painted(const struct paper *paper, enum paint paint, const char *text);

#endif
