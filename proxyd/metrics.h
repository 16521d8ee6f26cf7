/* The metrics page: Prometheus text on an address of its own, served by a thread of its own. */
#ifndef PROXYD_METRICS_H
#define PROXYD_METRICS_H

#include "daemon.h"

struct metrics;
/* Binds. NULL with one sentence in why. */
struct metrics *metrics_open(struct daemon *daemon, const struct conf_addr *addr, char why[256]);
void metrics_start(struct metrics *metrics);
void metrics_close(struct metrics **metrics);      /* NULL is fine */

#endif
