/* Large tables that are asked at random: in large pages where the system has them, so that a question costs one wait for the memory
 * and not two. */
#ifndef LOGAUDIT_LARGE_H
#define LOGAUDIT_LARGE_H

#include <stddef.h>

/* Zeroed, aligned to a line of the cache, never NULL; pages that are not used cost nothing. */
void *large_alloc(size_t bytes);
/* NULL is fine; the same number of bytes. */
void large_free(void *memory, size_t bytes);

#endif
