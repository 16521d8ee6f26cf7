/* What was given to be read: files, folders and patterns to files in the order of their time. */
#ifndef LOGAUDIT_FILESET_H
#define LOGAUDIT_FILESET_H

#include "audit.h"

/* Reads all that was given with audit_read(), the oldest first, by the time of each file's first record, whatever the order in
 * which they were given: so a rotated set is one log. Standard input (-) comes last. A folder stands for the files in it that are
 * access logs; what does not exist and has * ? or [ in its name is a pattern. Troubles and notes are collected in the audit. */
void fileset_read(struct audit *audit, char *const *given, int count);

#endif
