/* All cores for one file: threads read, parse and count chunks side by side, and the outcome is that of one thread, to the byte. */
#ifndef LOGAUDIT_PIPELINE_H
#define LOGAUDIT_PIPELINE_H

#include "audit.h"
#include "input.h"

enum { PIPELINE_THREADS_MAX = 64 };

/* Reads the input to its end with audit->threads threads, the caller's among them; why as input_next() has it. Returns when all
 * lines are counted. */
void pipeline_run(struct audit *audit, struct input *input, char why[256]);

#endif
