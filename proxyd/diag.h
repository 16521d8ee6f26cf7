/* What the daemon has to say to people: the error log, a line each. In a file: time, level, text; on stderr, where the
 * service manager adds the time: proxyd, level, text. Any thread; a line is one write, so that lines are never mixed. */
#ifndef PROXYD_DIAG_H
#define PROXYD_DIAG_H

#include <stdatomic.h>

#include "../conf/slice.h"

enum { DIAG_TEXT_MAX = 1800 };

#define DIAG_LEVELS(X) X(error) X(warn) X(notice) X(info) X(debug)
enum diag_level {
#define X(name) DIAG_##name,
	DIAG_LEVELS(X)
#undef X
	DIAG_LEVEL_COUNT };

/* The level that is called so; `fallback` when none is. */
enum diag_level diag_level_find(struct slice name, enum diag_level fallback);
/* path empty or "stderr": stderr. Lines above the level are dropped. False with errno: nothing has changed. */
bool diag_open(struct slice path, enum diag_level level);
/* Opens the file by its name again (rotation); on failure it goes on with the old one and says so there. */
void diag_reopen(void);
void diag_close(void);
/* Whether lines go to stderr. */
bool diag_is_stderr(void);
/* "proxyd: ready: ...": to stderr in any case, for whoever has started it. */
__attribute__((format(printf, 1, 2)))
void diag_ready(const char *format, ...);
/* Until then every line goes to stderr as well. */
void diag_started(void);

__attribute__((format(printf, 2, 3)))
void diag(enum diag_level level, const char *format, ...);

/* For what may happen a thousand times a second: true once in 10 s; *ret_count: how many times since. */
struct diag_limit { atomic_uint_fast64_t last_us, count; };
bool diag_limited(struct diag_limit *limit, uint64_t now_us, uint64_t *ret_count);

/* Messages of a configuration, several lines: to stderr as they are, into a file each line by itself. Changes the text. */
void diag_lines(enum diag_level level, char *text);

#endif
