/* A binary upgrade, in the old process. */
#ifndef PROXYD_UPGRADE_H
#define PROXYD_UPGRADE_H

#include "daemon.h"

/* Starts the program with these arguments, and returns when it serves (true: what is left is to finish what was begun, and to
 * end), or has failed: then everything is as before, and why was told. signals: the descriptor; daemon->ends is what came. */
bool upgrade(struct daemon *daemon, const char *program, char **argv, int signals);
/* This process accepts nothing more: says so, to whoever has asked for the upgrade too. */
void upgrade_done(struct daemon *daemon);
/* Any worker: an unsafe request has invalidated the URL with that key. The new process hears of it, if there is one. */
void upgrade_invalidated(struct daemon *daemon, struct volume *volume, struct slice key);
/* Now and then while requests are finished. */
void upgrade_look(struct daemon *daemon);

#endif
