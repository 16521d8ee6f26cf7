/* What proxyd does beside serving: tell a running daemon, check a configuration, explain a URL. All return an exit code. */
#ifndef PROXYD_COMMAND_H
#define PROXYD_COMMAND_H

#include "../conf/conf.h"

/* A warning, at check and at start: the tutorial's lines name no log and have to work. */
#define NO_ACCESS_LOG "there is no access_log: no request leaves a line, and nothing can be audited"

int command_signal(const struct conf *conf, const char *word);
int command_check(struct conf *conf);
int command_word(const struct conf *conf, int argc, char **argv);

#endif
