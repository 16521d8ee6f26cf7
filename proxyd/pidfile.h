/* The file with the daemon's process id. It is locked as long as the daemon lives, so that a number that was left behind
 * is never taken for a daemon. */
#ifndef PROXYD_PIDFILE_H
#define PROXYD_PIDFILE_H

#include <sys/types.h>

#include "../conf/slice.h"

struct pid_file { char *path; int fd; };         /* fd -1: none */

/* path empty: nothing to do. False with a sentence in why: not writable, or another daemon has it. inherited: the descriptor
 * of the process that hands the file over, which says who it is until pid_file_write(); -1: none. */
bool pid_file_take(struct slice path, int inherited, struct pid_file *ret_file, char why[256]);
/* Says that it is ours. */
bool pid_file_write(const struct pid_file *file);
/* Removes it, unless it says that it is another process'. */
void pid_file_give(struct pid_file *file);
/* The process that has it; 0 with a sentence in why. */
pid_t pid_file_read(struct slice path, char why[256]);

#endif
