/* What proxyd does beside serving: tell a running daemon, explain a URL; the pid file they go by. */
#ifndef PROXYD_COMMAND_H
#define PROXYD_COMMAND_H

#include "../conf/conf.h"

/* Both return an exit code. */
int command_signal(const struct conf *conf, const char *word);
int command_word(const struct conf *conf, int argc, char **argv);
/* False after telling why. */
bool pid_file_write(const char *path);

#endif
