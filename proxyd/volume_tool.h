/* What the files of `proxyd volume` share: what was asked for, the walk over all objects, and how a person or a script is shown
 * texts and numbers. */
#ifndef PROXYD_VOLUME_TOOL_H
#define PROXYD_VOLUME_TOOL_H

#include <jansson.h>
#include <stdio.h>

#include "../cachestore/inspect.h"
#include "../conf/check.h"

enum { TOOL_WHOLE, TOOL_DAMAGE, TOOL_CANNOT };   /* exit codes */

/* What TOOL_OPTIONS of volume_command.c set. */
struct volume_tool {
	const char *dir;
	bool json, expired, body, no_bodies;
	struct slice url_prefix, tag, key;           /* ptr NULL: not given */
	const char *by;
	uint64_t rate;                       /* bytes a second; 0: no bound */
	uint64_t generation;                 /* 0: not given */
	uint64_t count;
	/* the child's */
	struct inspect *inspect;
	int64_t now_us;                      /* since 1970 */
	uint64_t damaged;                    /* objects met that were */
};

/* The commands: each returns an exit code. */
int volume_check(struct volume_tool *tool);
int volume_figures(struct volume_tool *tool);
int volume_dump(struct volume_tool *tool);
int volume_top(struct volume_tool *tool);
/* `top --by` names: one a line, with what it is. */
void volume_top_names(FILE *out);

/* The same for the columns of dump. */
void volume_dump_columns(FILE *out);

/* Calls visit() for each object, the damaged ones too, the oldest first; standard output is flushed between slices. False:
 * the index cannot be read to its end, which was told. */
bool tool_walk(struct volume_tool *tool, void (*visit)(void *arg, const struct inspect_object *object), void *arg);
/* Counts and tells of a damaged object, on standard error. Returns whether it is one. */
bool tool_damaged(struct volume_tool *tool, const struct inspect_object *object);
__attribute__((format(printf, 1, 2))) void tool_tell(const char *format, ...);

/* A text as the log shows it: control bytes as \xHH, and all from 128 on in what is not UTF-8 (a damaged key can be anything, and
 * this may be a terminal); backslash doubled; `quoted`: and in quotes where CSV wants them. */
void tool_put_text(FILE *out, struct slice text, bool quoted);
/* The text, or, when it is not UTF-8, what tool_put_text() makes of it. */
json_t *tool_json_text(struct slice text);
/* 1234567 -> 1,234,567 */
const char *tool_thousands(char out[32], uint64_t number);
/* Microseconds -> 1.5 s, 3.2 h; two units of a time are enough for a person. */
const char *tool_time(char out[32], int64_t us);

/* What the rules that are in force say of it. */
enum inspect_purged tool_purged(struct volume_tool *tool, const struct inspect_object *object);

#endif
