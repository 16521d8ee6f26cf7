/* How one line of a file is understood. */
#ifndef LOGAUDIT_EXPLAIN_H
#define LOGAUDIT_EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Shows line `number` (from 1) of a file: each value with the columns that it gives, and the record; or why it is none.
 * format: as --format, or NULL. False, with a sentence on stderr: the file could not be read, or has no such line. */
bool explain_line(const char *path, uint64_t number, const char *format, FILE *out);

#endif
