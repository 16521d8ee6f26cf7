/* Moments that people write. */
#ifndef LOGAUDIT_MOMENT_H
#define LOGAUDIT_MOMENT_H

#include "../conf/slice.h"

/* Microseconds since 1970, UTC, of
 *   2026-11-24                        midnight
 *   2026-11-24T10:00[:03[.25]][ZONE]  RFC 3339, and with a blank for the T; ZONE is Z, +01:00 or none, which is UTC
 *   -2h, -1h30m, -7d                  so long before now_us
 *   now
 * False: it is none of these. Pure. */
bool moment_parse(struct slice text, uint64_t now_us, uint64_t *ret_us);

#endif
