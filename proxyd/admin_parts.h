/* Longer answers of the admin socket, each in a file of its own. In the admin thread; the caller owns what is returned. */
#ifndef PROXYD_ADMIN_PARTS_H
#define PROXYD_ADMIN_PARTS_H

#include <jansson.h>

#include "daemon.h"

/* Each volume: all numbers of volume_stat(), the sites bound to it, and what is wrong with it. */
json_t *admin_volumes(struct daemon *daemon);
/* Each server of each upstream, as the workers know it. NULL: not all of them answer. */
json_t *admin_origins(struct daemon *daemon);

static inline json_t *text_json(struct slice text)
{
	return json_stringn_nocheck(text.ptr, text.len);
}

#endif
