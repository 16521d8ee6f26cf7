/* How far the reading has come, on a terminal: one line that is written over itself and taken away at the end. */
#ifndef LOGAUDIT_PROGRESS_H
#define LOGAUDIT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_TEXT_MAX = 200 };

struct progress {
	FILE *out;                       /* NULL: it is shown nowhere */
	size_t width;
	uint64_t total, done, asked;     /* bytes; total 0: not known (a pipe, a compressed file). asked: `done` when the clock was last read */
	uint64_t begun_us, shown_us;
	bool shown;
};

/* Shown on standard error when that is a terminal; files: names, as the command line has them. */
void progress_begin(struct progress *progress, char *const *files, int file_count);
/* So many more bytes of lines have been read. Cheap: it looks at the clock once in a MiB. NULL is fine. */
void progress_add(struct progress *progress, uint64_t bytes);
void progress_end(struct progress *progress);

/* Pure: the line for what was done in elapsed_us, at most `width` columns. Returns out. */
char *progress_text(char out[PROGRESS_TEXT_MAX], const struct progress *progress, uint64_t elapsed_us);

#endif
