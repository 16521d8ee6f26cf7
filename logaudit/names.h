/* Names that come again and again (nodes, hosts, volumes) as small numbers: whoever keeps a map by name then finds its entry by an
 * index instead of by hashing and comparing. */
#ifndef LOGAUDIT_NAMES_H
#define LOGAUDIT_NAMES_H

#include "map.h"

enum { NAMES_LATELY = 256 };
struct names { struct map map; struct { const char *text; size_t len; struct name name; } lately[NAMES_LATELY]; };

void names_init(struct names *names);
void names_release(struct names *names);
/* The same name always gets the same number, in order of arrival from 1. Names beyond NAMES_MAX get no number. */
struct name names_get(struct names *names, struct slice text);

#endif
