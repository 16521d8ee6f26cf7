/* Files, pipes and gzip: any of them to physical lines of bounded length. */
#ifndef LOGAUDIT_INPUT_H
#define LOGAUDIT_INPUT_H

#include "../conf/slice.h"

enum input_trouble { INPUT_none, INPUT_too_long, INPUT_no_newline };

/* Takes one physical line without its newline, number from 1. With INPUT_too_long, text is its first bytes. False: read no
 * further. The text holds during the call. */
typedef bool input_line_fn(void *arg, struct slice text, uint64_t number, enum input_trouble trouble);

/* Reads a file ("-": standard input), gzip or not, to its end. False, with the reason in why, when it cannot be opened, when
 * reading fails, or when a gzip file is cut short or damaged; the lines before that have been given. */
bool input_read(const char *path, input_line_fn *fn, void *arg, char why[256]);

#endif
