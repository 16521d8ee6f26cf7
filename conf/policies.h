/* The enumerations of how a volume chooses: EVICTION_lrfu, ADMISSION_all, ...; their rows are with the others, in enums.h. */
#ifndef CONF_POLICIES_H
#define CONF_POLICIES_H

enum eviction {
#define EVICTION(name, doc) EVICTION_##name,
#include "tbl/evictions.h"
#undef EVICTION
	EVICTION_COUNT };
enum admission {
#define ADMISSION(name, doc) ADMISSION_##name,
#include "tbl/admissions.h"
#undef ADMISSION
	ADMISSION_COUNT };

#endif
