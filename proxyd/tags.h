/* The tags of an answer: Cache-Tag (a list with commas) and Surrogate-Key (with blanks). They are for the cache, exact and case
 * sensitive, and not for clients. Pure. */
#ifndef PROXYD_TAGS_H
#define PROXYD_TAGS_H

#include "arena.h"
#include "http_head.h"

/* Each tag once for every time it is written, followed by a line end. False: the arena is full. */
bool tags_of(struct arena *arena, const struct http_head *head, struct slice *ret_tags);
bool tags_are_in(const struct http_head *head);
/* Marks the fields as not to be kept and not to be sent. */
void tags_hide(const struct http_head *head);
/* Walks tags as above; *pos starts at 0. */
bool tags_next(struct slice tags, size_t *pos, struct slice *ret_tag);

#endif
