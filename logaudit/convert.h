/* `logaudit convert`: records in other forms, one a line, with the escapes of the log undone. */
#ifndef LOGAUDIT_CONVERT_H
#define LOGAUDIT_CONVERT_H

#include <stdio.h>

#include "../conf/logline.h"

/* CONVERSION(name, doc) */
#define CONVERSIONS(CONVERSION) \
	CONVERSION(combined, "what web servers write: client, time, request line, status, body bytes, Referer, User-Agent; requests only") \
	CONVERSION(json, "one object a line with all columns: numbers, true and false, null for what is not known, names and texts") \
	CONVERSION(csv, "all columns by RFC 4180; a text may have line ends within its quotes")

struct conversion { const char *name; void (*header)(FILE *out); void (*line)(const struct logline *line, FILE *out); };
/* NULL: there is none of this name. */
const struct conversion *conversion_find(const char *name);

#endif
