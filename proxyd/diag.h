/* Messages for people: the error log. Any thread. */
#ifndef PROXYD_DIAG_H
#define PROXYD_DIAG_H

#include <stdbool.h>

#include "../conf/slice.h"

enum diag_level { DIAG_error, DIAG_warn, DIAG_notice, DIAG_info, DIAG_debug };

/* path empty: stderr. False with errno. */
bool diag_open(struct slice path, struct slice level);
bool diag_reopen(void);
/* One line: without a time on stderr, since whoever collects it stamps it. */
__attribute__((format(printf, 2, 3)))
void diag(enum diag_level level, const char *format, ...);

#endif
