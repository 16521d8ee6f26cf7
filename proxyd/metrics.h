/* The metrics page: Prometheus text on an address of its own, served by a thread of its own that never waits for a client. */
#ifndef PROXYD_METRICS_H
#define PROXYD_METRICS_H

#include "daemon.h"

struct metrics;
/* Binds. False with a sentence in why. */
bool metrics_open(struct daemon *daemon, const struct conf *conf, struct metrics **ret_metrics, char why[256]);
/* The daemon's workers and log are there: the page can be asked for. False after telling why. */
bool metrics_start(struct metrics *metrics);
/* As bound. */
int metrics_fd(const struct metrics *metrics);
const char *metrics_address(const struct metrics *metrics);
void metrics_close(struct metrics **metrics);      /* NULL is fine */

#endif
