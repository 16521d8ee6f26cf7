/* Proxy-Status (RFC 9209): which hop made the error, and what kind it was. Pure. */
#ifndef PROXYD_PROXY_STATUS_H
#define PROXYD_PROXY_STATUS_H

#include "../conf/enums.h"

/* The error type of an end, or an empty slice. A refused request: that of its refusal. */
struct slice proxy_status_error(enum end end, enum refusal refusal);

#endif
