/* Logs of other programs: a line of theirs becomes a record of ours, as far as it says so.
 *
 * A format is compiled once for each file, from its name, or from the first bytes of the file; it is not changed after that, and any
 * thread may use it. Each thread has a scratch of its own; no line allocates. What a format cannot say is not in `present`, and
 * rules that need it say "cannot tell". */
#ifndef LOGAUDIT_FORMAT_H
#define LOGAUDIT_FORMAT_H

#include <stdio.h>

#include "../conf/logline.h"
#include "split.h"

struct format;
struct format_scratch;

enum { FORMAT_WHY_MAX = 512, FORMAT_HEAD_MAX = 256 * 1024 };

/* Chooses and compiles. head: the file's first bytes, up to FORMAT_HEAD_MAX, the last line possibly cut. wanted: a format's name, or
 * DIALECT:LAYOUT; NULL to go by the head. False: `wanted` is no format, and why says what is wrong with it. True with *ret_format NULL:
 * proxyd's own log, or nothing known. */
bool format_open(struct slice head, const char *wanted, struct format **ret_format, char why[FORMAT_WHY_MAX]);
void format_free(struct format **format);

struct format_scratch *format_scratch_new(void);
void format_scratch_free(struct format_scratch **scratch);

/* One physical line, without its newline, at most LOG_LINE_MAX bytes. Returns REJECT_none with *ret_line, which borrows from text and
 * scratch until the scratch's next use; or why it is no record, with *ret_column naming the value concerned (theirs), or empty.
 * *ret_header: the line is a heading, neither counted nor rejected. */
enum reject format_line(const struct format *format, struct format_scratch *scratch, struct slice text, struct logline *ret_line,
	struct slice *ret_column, bool *ret_header);

/* ---- what is known of a format ---- */

/* "combined", or a dialect's layout as it was given or guessed. */
const char *format_name(const struct format *format);
/* Columns that every line of it has. */
const bool *format_present(const struct format *format);
/* How it was told, and how surely: "detected: combined (200 of 200 first lines)"; NULL when it was named. */
const char *format_detected(const struct format *format);
/* What a reader of the numbers must know; "" for nothing. */
const char *format_caveat(const struct format *format);
/* The questions that it cannot answer, joined by "; ". */
void format_cannot(const struct format *format, char *out, size_t size);

/* ---- commands ---- */

/* The table: what each is told by, its layout, what it can and cannot answer. */
void formats_text(FILE *out);
void formats_json(FILE *out);

/* Called for each value of a line that is explained, in its order: their name for it, its text, the columns it gives ("" for none), and
 * whether it was understood. */
typedef void format_trace_fn(void *arg, struct slice name, struct slice text, const char *columns, bool ok);
void format_scratch_trace(struct format_scratch *scratch, format_trace_fn *fn, void *arg);

#endif
