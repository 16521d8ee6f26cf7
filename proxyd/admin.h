/* The admin socket: a UNIX socket for operators. A request is a line, its answer is a line, one JSON object with `ok`.
 *
 *   status                               the process and its counters
 *   volumes                              each volume: what is in it, what it did, purges in force
 *   volume flush VOLUME|*                what was handed to it so far is on disk when the answer comes
 *   upgrade [PROGRAM]                    a new program takes over; answered when it serves, or has failed
 *   purge soft|hard VOLUME|* KIND TEXT   KIND: url, prefix, tag or all (which has no TEXT); TEXT is the rest of the line
 *
 * Who may use it is for the mode of its file to say. One thread, a few connections; a purge and a flush are waited for. */
#ifndef PROXYD_ADMIN_H
#define PROXYD_ADMIN_H

#include "daemon.h"

/* Binds what the configuration says. False with a sentence in why. */
bool admin_open(struct daemon *daemon, const struct conf *conf, struct admin **ret_admin, char why[256]);
bool admin_start(struct admin *admin);
int admin_fd(const struct admin *admin);
const char *admin_address(const struct admin *admin);
/* NULL is fine. */
void admin_close(struct admin **admin);

/* admin_command.c: one line, without its end; the answer is malloced. */
char *admin_answer(struct daemon *daemon, struct slice line);

#endif
