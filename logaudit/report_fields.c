/* The columns of the log and the rules, explained. */
#include "report.h"
#include "show.h"

enum { WIDTH = 100 };

static void rows_text(const char *title, const struct enum_row *rows, int count, FILE *out)
{
	fprintf(out, "\nValues of %s\n", title);
	for (int i = 0; i < count; i++) {
		char first[64];
		snprintf(first, sizeof(first), "  %-22s ", rows[i].log_len ? rows[i].name.ptr : "(empty)");
		show_wrapped(out, first, 25, WIDTH, rows[i].doc);
	}
}

void fields_text(FILE *out)
{
	fprintf(out, "Columns of the access log, schema %d, in order\n", LOG_SCHEMA_VERSION);
	for (int i = 0; i < LOG_FIELD_COUNT; i++) {
		char first[64];
		snprintf(first, sizeof(first), "  %-16s %-8s ", log_field_rows[i].name.ptr, log_field_rows[i].kind);
		show_wrapped(out, first, 28, WIDTH, log_field_rows[i].doc);
	}
	rows_text("rec", record_rows, REC_COUNT, out);
	rows_text("found", found_rows, FOUND_COUNT, out);
	rows_text("cache", verdict_rows, VERDICT_COUNT, out);
	rows_text("tier", tier_rows, TIER_COUNT, out);
	rows_text("nostore", nostore_rows, NOSTORE_COUNT, out);
	rows_text("end", end_rows, END_COUNT, out);
	rows_text("refusal", refusal_rows, REFUSAL_COUNT, out);
	rows_text("uncoded", uncoded_rows, UNCODED_COUNT, out);
}

void rules_text(FILE *out)
{
	for (int i = 0; i < RULE_COUNT; i++) {
		fprintf(out, "%s%s (%s)\n", i ? "\n" : "", rules[i].id, severity_names[rules[i].severity]);
		show_wrapped(out, "  what      ", 12, WIDTH, rules[i].doc);
		show_wrapped(out, "  cause     ", 12, WIDTH, rules[i].cause);
		show_wrapped(out, "  cure      ", 12, WIDTH, rules[i].cure);
		show_wrapped(out, "  columns   ", 12, WIDTH, rules[i].columns);
	}
}
