/* Findings: a growing list, sorted when all is read. */
#include <stdarg.h>
#include <stdio.h>

#include "finding.h"
#include "rule.h"

const char *const severity_names[] = { "info", "warning", "error" };

void finding_text(char **text, const char *format, ...)
{
	va_list args;

	free(*text);
	*text = NULL;
	va_start(args, format);
	CHECK(vasprintf(text, format, args) >= 0);
	va_end(args);
}

struct finding *findings_add(struct findings *findings, const struct rule *rule, struct slice subject, const struct group *group)
{
	struct finding *f;

	if (findings->count == findings->cap) {
		findings->cap = findings->cap ? 2 * findings->cap : 16;
		findings->rows = must(realloc(findings->rows, findings->cap * sizeof(*findings->rows)));
	}
	f = &findings->rows[findings->count++];
	*f = (struct finding){ .rule = rule, .severity = rule->severity, .count = group->count, .evidence = group->evidence,
		.cause = must(strdup(rule->cause)), .cure = must(strdup(rule->cure)) };
	f->subject = must(strndup(subject.len ? subject.ptr : "", subject.len));
	return f;
}

static int by_gravity(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (x->severity != y->severity) return x->severity > y->severity ? -1 : 1;
	if (x->rule != y->rule) return x->rule < y->rule ? -1 : 1;
	return strcmp(x->subject, y->subject);
}

void findings_sort(struct findings *findings)
{
	if (findings->count) qsort(findings->rows, findings->count, sizeof(*findings->rows), by_gravity);
}

void findings_release(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->rows[i].subject);
		free(findings->rows[i].cause);
		free(findings->rows[i].cure);
	}
	free(findings->rows);
	*findings = (struct findings){ 0 };
}
