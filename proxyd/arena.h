/* The memory of one request: allocated forwards, freed at once. Overflow sticks: after it every slice is empty and
 * `overflowed` is set, so that one check at the end is enough. One thread. */
#ifndef PROXYD_ARENA_H
#define PROXYD_ARENA_H

#include "../conf/slice.h"

enum { ARENA_FIRST = 3072, ARENA_MAX = 1024 * 1024 };

struct arena_block { struct arena_block *next; };
struct arena {
	char *pos, *end;
	struct arena_block *blocks;    /* beyond the first, which is inline */
	size_t total;
	bool overflowed;
	_Alignas(16) char first[ARENA_FIRST];
};

void arena_init(struct arena *arena);
/* Frees what grew beyond the first block; the arena is as after arena_init. */
void arena_release(struct arena *arena);
/* Aligned to 16 bytes. NULL when the arena would pass ARENA_MAX. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same beyond the bound: for what is bounded elsewhere and cannot be done without. Never NULL. */
void *arena_must(struct arena *arena, size_t size);
struct slice arena_copy(struct arena *arena, struct slice text);
__attribute__((format(printf, 2, 3)))
struct slice arena_printf(struct arena *arena, const char *format, ...);

/* A growing text in an arena: room is asked for once, pieces are appended, overflow sticks. */
struct text { char *ptr; size_t len, cap; struct arena *arena; bool overflowed; };
void text_init(struct text *text, struct arena *arena, size_t expected);
void text_add(struct text *text, struct slice piece);
void text_add_u64(struct text *text, uint64_t number);
/* "Name: value\r\n" */
void text_add_field(struct text *text, struct slice name, struct slice value);
static inline struct slice text_slice(const struct text *text) { return slice_make(text->ptr, text->len); }

#endif
