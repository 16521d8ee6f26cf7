/* proxyd ctl: talks to the running daemon over its admin socket. */
#ifndef PROXYD_CTL_H
#define PROXYD_CTL_H

#include "../conf/conf.h"

/* argv[0] is the first word after ctl. The exit code: 0 done, 1 the daemon says no, 2 wrong use, 3 no daemon answers. */
int ctl(const struct conf *conf, int argc, char **argv);

#endif
