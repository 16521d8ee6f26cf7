/* Files, pipes and gzip: any of them to chunks of whole physical lines, in bounded memory. */
#ifndef LOGAUDIT_INPUT_H
#define LOGAUDIT_INPUT_H

#include "chunk.h"

struct input;

/* Opens a file ("-": standard input), gzip (also several members in one file) or not. NULL, with the reason in why, when it cannot
 * be read; a directory cannot. */
struct input *input_open(const char *path, char why[256]);
/* The first bytes, up to FORMAT_HEAD_MAX, the last line possibly cut; ask before the first input_next(). They hold until that. What ended
 * the reading is said by input_next(). */
struct slice input_head(struct input *input);
/* Reads the next lines into the chunk's room and sets its text; of a line that is too long, its first LOG_LINE_MAX bytes. False at
 * the end; then why is empty, or says why there is no more: reading failed, or a gzip file is cut short or damaged. */
bool input_next(struct input *input, struct chunk *chunk, char why[256]);
/* NULL is fine; leaves NULL. */
void input_close(struct input **input);

#endif
