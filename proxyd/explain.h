/* `proxyd explain URL`: which server, location, volume, key and origin a URL comes to, for each address listened on. */
#ifndef PROXYD_EXPLAIN_H
#define PROXYD_EXPLAIN_H

#include "../conf/conf.h"

/* Prints; returns an exit code. */
int explain(const struct conf *conf, const char *url);

#endif
