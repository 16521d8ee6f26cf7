/* logaudit fields, formats, rules, explain, help: the tables, and lines, explained. */
#include "cmd.h"
#include "column.h"
#include "explain.h"
#include "format.h"
#include "report.h"
#include "show.h"

enum { WIDTH = 100 };

int cmd_fields(const struct options *o)
{
	(o->json ? fields_json : fields_text)(stdout);
	return EXIT_ok;
}

int cmd_formats(const struct options *o)
{
	(o->json ? formats_json : formats_text)(stdout);
	return EXIT_ok;
}

int cmd_explain(const struct options *o)
{
	if (!o->explain_line || o->file_count != 1) return usage("explain takes --explain-line N, the number of a line, and one file", NULL);
	return explain_line(o->files[0], o->explain_line, o->format, stdout) ? EXIT_ok : EXIT_trouble;
}

/* One rule, with what its columns mean. */
static int rule_explain(const char *id)
{
	const struct rule *rule = rules;
	char first[64];

	while (rule < rules + RULE_COUNT && strcmp(rule->id, id) != 0) rule++;
	if (rule == rules + RULE_COUNT) return usage("no such rule (logaudit rules lists them):", id);
	printf("%s (%s)\n\n", rule->id, severity_names[rule->severity]);
	show_wrapped(stdout, "What      ", 10, WIDTH, rule->doc);
	show_wrapped(stdout, "Cause     ", 10, WIDTH, rule->cause);
	show_wrapped(stdout, "Cure      ", 10, WIDTH, rule->cure);
	printf("Evidence  up to %d lines of the log, as FILE:LINE\n", EVIDENCE_MAX);
	puts("\nColumns that it needs; without one of them it says that it cannot tell");
	for (const char *at = rule->columns; *at;) {
		size_t len = strcspn(at, " ");
		int column = column_named(slice_make(at, len));
		snprintf(first, sizeof(first), "  %-16.*s ", (int)len, at);
		show_wrapped(stdout, first, 19, WIDTH, log_field_rows[column].doc);
		at += len + (at[len] == ' ');
	}
	return EXIT_ok;
}

int cmd_rules(const struct options *o)
{
	if (o->file_count > 1 || (o->file_count && o->json)) return usage("rules takes one rule, and then no --json", NULL);
	if (o->file_count) return rule_explain(o->files[0]);
	(o->json ? rules_json : rules_text)(stdout);
	return EXIT_ok;
}

int cmd_help(const struct options *o)
{
	const struct command *command = o->file_count ? command_find(o->files[0]) : NULL;

	if (o->file_count && strcmp(o->files[0], "man") == 0) {
		help_man(stdout);
		return EXIT_ok;
	}
	if (o->file_count && !command) return usage("no such command:", o->files[0]);
	help_print(command, stdout);
	return EXIT_ok;
}
