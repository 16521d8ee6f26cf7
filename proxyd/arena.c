/* The memory of one request. */
#include "arena.h"
#include "../conf/logval.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void arena_init(struct arena *arena)
{
	arena->pos = arena->first;
	arena->end = arena->first + sizeof(arena->first);
	arena->blocks = NULL;
	arena->total = sizeof(arena->first);
	arena->overflowed = false;
}

void arena_release(struct arena *arena)
{
	struct arena_block *next;

	for (struct arena_block *b = arena->blocks; b; b = next) {
		next = b->next;
		free(b);
	}
	arena_init(arena);
}

static void *block_add(struct arena *arena, struct arena_block *b, size_t block, size_t size)
{
	b->next = arena->blocks;
	arena->blocks = b;
	arena->total += block;
	arena->pos = (char *)b + 16;
	arena->end = (char *)b + block;
	char *ptr = arena->pos;
	arena->pos += size;
	return ptr;
}

static size_t block_size(size_t size)
{
	return size + 32 > 8192 ? size + 32 : 8192;
}

static void *arena_grow(struct arena *arena, size_t size)
{
	size_t block = block_size(size);
	struct arena_block *b = NULL;

	if (!arena->overflowed && size <= ARENA_MAX && arena->total + block <= ARENA_MAX)
		b = malloc(block);
	if (!b) {
		arena->overflowed = true;
		return NULL;
	}
	return block_add(arena, b, block, size);
}

void *arena_must(struct arena *arena, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if ((size_t)(arena->end - arena->pos) < size)
		return block_add(arena, must(malloc(block_size(size))), block_size(size), size);
	char *ptr = arena->pos;
	arena->pos += size;
	return ptr;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > ARENA_MAX) {
		arena->overflowed = true;
		return NULL;
	}
	size = (size + 15) & ~(size_t)15;
	if ((size_t)(arena->end - arena->pos) < size)
		return arena_grow(arena, size);
	char *ptr = arena->pos;
	arena->pos += size;
	return ptr;
}

struct slice arena_copy(struct arena *arena, struct slice text)
{
	if (text.len == 0)
		return (struct slice){ text.ptr ? "" : NULL, 0 };
	char *ptr = arena_alloc(arena, text.len);
	if (!ptr)
		return (struct slice){ NULL, 0 };
	memcpy(ptr, text.ptr, text.len);
	return slice_make(ptr, text.len);
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char small[512];

	va_start(args, format);
	int len = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	if (len < (int)sizeof(small))
		return arena_copy(arena, slice_make(small, (size_t)len));
	char *ptr = arena_alloc(arena, (size_t)len + 1);
	if (!ptr)
		return (struct slice){ NULL, 0 };
	va_start(args, format);
	vsnprintf(ptr, (size_t)len + 1, format, args);
	va_end(args);
	return slice_make(ptr, (size_t)len);
}

void text_init(struct text *text, struct arena *arena, size_t expected)
{
	*text = (struct text){ .arena = arena, .cap = expected, .ptr = arena_alloc(arena, expected) };
	if (!text->ptr) {
		text->cap = 0;
		text->overflowed = true;
	}
}

/* Room for `len` more bytes, or NULL. The old copy stays in the arena: texts are made with the size they are expected to
 * have, so this is rare. */
static char *text_room(struct text *text, size_t len)
{
	if (text->overflowed)
		return NULL;
	if (text->cap - text->len < len) {
		size_t cap = (text->cap + len) * 2;
		char *ptr = arena_alloc(text->arena, cap);
		if (!ptr) {
			text->overflowed = true;
			return NULL;
		}
		memcpy(ptr, text->ptr, text->len);
		text->ptr = ptr;
		text->cap = cap;
	}
	char *at = text->ptr + text->len;
	text->len += len;
	return at;
}

void text_add(struct text *text, struct slice piece)
{
	if (piece.len == 0)
		return;
	char *at = text_room(text, piece.len);
	if (at)
		memcpy(at, piece.ptr, piece.len);
}

void text_add_u64(struct text *text, uint64_t number)
{
	char digits[20];

	text_add(text, slice_make(digits, (size_t)(logval_put_decimal(digits, number) - digits)));
}

void text_add_field(struct text *text, struct slice name, struct slice value)
{
	char *at = text_room(text, name.len + value.len + 4);
	if (!at)
		return;
	memcpy(at, name.ptr, name.len);
	at += name.len;
	*at++ = ':';
	*at++ = ' ';
	if (value.len)
		memcpy(at, value.ptr, value.len);
	at += value.len;
	*at++ = '\r';
	*at = '\n';
}
