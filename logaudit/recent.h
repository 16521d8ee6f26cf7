/* A table of fixed size that forgets: what a rule must remember of pages or clients for a while. A rule that forgets misses a
 * finding at worst; it never makes one up. */
#ifndef LOGAUDIT_RECENT_H
#define LOGAUDIT_RECENT_H

#include "../conf/check.h"
#include "../conf/slice.h"

enum { RECENT_WAYS = 4 };
/* A set: its keys and when each was used, in one line of the cache; its values behind them. */
struct recent_set { uint64_t keys[RECENT_WAYS]; uint32_t used[RECENT_WAYS]; uint64_t spare[2]; };
struct recent { size_t value_size, sets, stride; uint32_t clock; char *first; };

/* entries: a power of two, at least RECENT_WAYS; all memory it will ever use is entries * (value_size + 16) bytes, rounded up by set to 64. */
void recent_init(struct recent *recent, size_t value_size, size_t entries);
/* The value of the key; zeroed when it is new, and then the least recently used of RECENT_WAYS others is forgotten. The pointer
 * holds until the next recent_get. */
void *recent_get(struct recent *recent, uint64_t key);
void *recent_find(const struct recent *recent, uint64_t key);      /* NULL when there is none */
/* Says that the key will be asked for soon. */
void recent_ahead(const struct recent *recent, uint64_t key);
void recent_release(struct recent *recent);

/* Keys of two words, and of a text with a word. */
uint64_t recent_pair(uint64_t a, uint64_t b);
uint64_t recent_text(struct slice text, uint64_t seed);

#endif
