/* Dictionaries of Structured Fields (RFC 8941 section 3.2), read strictly: one error and the whole field is nothing.
 * Pure: no I/O, no malloc. */
#ifndef PROXYD_SF_DICTIONARY_H
#define PROXYD_SF_DICTIONARY_H

#include "../conf/slice.h"

enum sf_type { SF_BOOLEAN, SF_INTEGER, SF_DECIMAL, SF_STRING, SF_TOKEN, SF_BYTES, SF_LIST };

struct sf_member {
	struct slice key;
	enum sf_type type;
	int64_t integer;               /* SF_INTEGER; SF_BOOLEAN: 0 or 1 */
	struct slice text;             /* SF_STRING without the quotes, escapes left; SF_TOKEN; else empty */
};

/* The next member of one field line. Start with *pos at the line's first byte. 1: *ret_member is one, 0: the end, -1: not
 * a dictionary. Parameters are checked and dropped. A key that comes again replaces the earlier one: the caller's part. */
int sf_dictionary_next(const char **pos, const char *end, struct sf_member *ret_member);

#endif
