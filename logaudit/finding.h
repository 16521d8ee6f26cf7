/* What the audit has found: findings, and the lines that prove them. */
#ifndef LOGAUDIT_FINDING_H
#define LOGAUDIT_FINDING_H

#include "../conf/check.h"
#include "../conf/slice.h"

struct rule;

enum severity { SEVERITY_info, SEVERITY_warning, SEVERITY_error };
extern const char *const severity_names[];

/* A line: the index of its file among those read, and its number there, from 1. */
struct place { uint32_t file; uint64_t line; };

enum { EVIDENCE_MAX = 10 };
struct evidence { struct place at[EVIDENCE_MAX]; unsigned count; };

static inline void evidence_add(struct evidence *evidence, struct place at)
{
	if (evidence->count < EVIDENCE_MAX) evidence->at[evidence->count++] = at;
}

/* A count with its first lines: what most rules keep for each subject. */
struct group { uint64_t count; struct evidence evidence; };

static inline void group_add(struct group *group, struct place at)
{
	group->count++;
	evidence_add(&group->evidence, at);
}

struct finding {
	const struct rule *rule;
	enum severity severity;
	char *subject;                   /* as on the line: escapes are left as they are */
	uint64_t count;
	struct evidence evidence;
	char *cause, *cure;
};

struct findings { struct finding *rows; size_t count, cap; };

/* Adds one with the rule's own severity, cause and cure. The pointer holds until the next is added. */
struct finding *findings_add(struct findings *findings, const struct rule *rule, struct slice subject, const struct group *group);
/* Replaces the cause or the cure. */
void finding_text(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The gravest first; then by rule and subject, so that the order of the files does not matter. */
void findings_sort(struct findings *findings);
void findings_release(struct findings *findings);

#endif
