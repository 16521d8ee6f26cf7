/* CHECK is for what cannot be unless we erred: our bug stops the program, in every build.
 * Peers, disks and files are weather: they are handled, counted and logged, never CHECKed. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(cond) do { \
	if (__builtin_expect(!(cond), 0)) { \
		fprintf(stderr, "%s:%d: %s: broken promise: %s\n", __FILE__, __LINE__, __func__, #cond); \
		abort(); \
	} } while (0)

/* malloc and friends that never return NULL: out of memory stops the program. */
static inline void *must(void *ptr)
{
	if (__builtin_expect(!ptr, 0)) { fputs("out of memory\n", stderr); abort(); }
	return ptr;
}

#endif
