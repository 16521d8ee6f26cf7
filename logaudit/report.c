/* The report as text: 100 columns at most; beside each ratio stand its two numbers and the span of time. */
#include <inttypes.h>

#include "report.h"
#include "show.h"

enum { WIDTH = 100, NAME_WIDTH = 28 };

/* ---- lines and time ---- */

static void evidence_text(const struct audit *audit, const struct evidence *evidence, const char *first, FILE *out)
{
	char path[SHOW_TEXT_MAX];
	size_t column = (size_t)fprintf(out, "%s", first);

	for (unsigned i = 0; i < evidence->count; i++) {
		struct place at = evidence->at[i];
		bool same = i && evidence->at[i - 1].file == at.file;
		const char *name = show_text(path, slice_str(audit_path(audit, at)), 60);
		if (column > WIDTH - 24 || (i && !same)) column = (size_t)fprintf(out, "\n%*s", (int)strlen(first), "") - 1;
		column += same && column > strlen(first) ? (size_t)fprintf(out, ",%" PRIu64, at.line)
			: (size_t)fprintf(out, "%s:%" PRIu64, name, at.line);
	}
	fputc('\n', out);
}

void lines_text(const struct audit *audit, FILE *out)
{
	char read[SHOW_NUMBER_MAX], counted[SHOW_NUMBER_MAX], rejected[SHOW_NUMBER_MAX], text[SHOW_TEXT_MAX];

	fprintf(out, "Lines     %s read = %s counted + %s rejected, beside %" PRIu64 " header line%s; %zu file%s\n",
		show_count(read, audit->lines_read), show_count(counted, audit->lines_counted), show_count(rejected, audit->lines_rejected),
		audit->lines_header, audit->lines_header == 1 ? "" : "s", audit->file_count, audit->file_count == 1 ? "" : "s");
	for (int i = 0; i < REJECT_COUNT; i++) {
		const struct rejects *r = &audit->rejects[i];
		char first[96];
		if (!r->group.count) continue;
		snprintf(first, sizeof(first), "          %s ", show_count(read, r->group.count));
		fprintf(out, "%s%s%s%s%s: %s\n", first, reject_rows[i].name, r->example ? " (first in " : "",
			r->example ? show_text(text, slice_str(r->example), 30) : "", r->example ? ")" : "", reject_rows[i].doc);
		evidence_text(audit, &r->group.evidence, "            at ", out);
	}
	for (size_t i = 0; i < audit->note_count; i++) fprintf(out, "Note      %s\n", show_text(text, slice_str(audit->notes[i]), 0));
}

static void span_text(char *out, size_t size, const struct tally_row *row)
{
	char first[SHOW_TIME_MAX], last[SHOW_TIME_MAX];
	double seconds = (double)(row->last_us - row->first_us) / 1e6;

	if (!tally_requests(row)) snprintf(out, size, "no requests");
	else snprintf(out, size, "%s to %s UTC (%.1f s)", show_time(first, row->first_us), show_time(last, row->last_us), seconds);
}

static void head_text(const struct audit *audit, FILE *out)
{
	const struct tally *t = &audit->tally;
	char span[160], n[SHOW_NUMBER_MAX], m[SHOW_NUMBER_MAX], name[SHOW_TEXT_MAX];
	size_t nodes = t->nodes.count;

	lines_text(audit, out);
	span_text(span, sizeof(span), &t->all);
	fprintf(out, "Time      %s\n", span);
	fprintf(out, "Nodes     %zu:", nodes);
	for (size_t i = 0; i < nodes && i < 5; i++) fprintf(out, " %s", show_text(name, map_key(&t->nodes, i), 14));
	fprintf(out, "%s\n", nodes > 5 ? " ..." : "");
	fprintf(out, "Requests  %s; %s body bytes sent\n", show_count(n, tally_requests(&t->all)), show_count(m, tally_bytes(&t->all)));
	if (t->lost)
		fprintf(out, "Lost      %s lines by the word of gap records: the numbers below are of an incomplete log\n", show_count(n, t->lost));
}

static void ratio_text(const char *name, const char *unit, uint64_t part, uint64_t whole, FILE *out)
{
	char ratio[SHOW_NUMBER_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX];

	fprintf(out, "%s %9s = %s of %s %s\n", name, show_ratio(ratio, part, whole), show_count(a, part), show_count(b, whole), unit);
}

/* ---- tables ---- */

static void table_head(const char *title, FILE *out)
{
	fprintf(out, "\n%-26s %15s %9s %22s %9s\n", title, "requests", "share", "body bytes", "share");
}

static void table_row(const char *name, uint64_t requests, uint64_t all, uint64_t bytes, uint64_t all_bytes, FILE *out)
{
	char n[SHOW_NUMBER_MAX], share[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], byte_share[SHOW_NUMBER_MAX];

	fprintf(out, "  %-24s %15s %9s %22s %9s\n", name, show_count(n, requests), show_ratio(share, requests, all), show_count(b, bytes),
		show_ratio(byte_share, bytes, all_bytes));
}

static void verdicts_text(const struct tally *t, FILE *out)
{
	uint64_t requests = tally_requests(&t->all), bytes = tally_bytes(&t->all);

	table_head("What the cache did", out);
	for (int i = 0; i < VERDICT_COUNT; i++)
		if (t->all.requests[i])
			table_row(verdict_rows[i].name.ptr, t->all.requests[i], requests, t->all.bytes[i], bytes, out);
	table_head("Where the bodies came from", out);
	for (int i = 0; i < TIER_COUNT; i++)
		if (t->tiers[i]) table_row(tier_rows[i].name.ptr, t->tiers[i], requests, t->tier_bytes[i], bytes, out);
}

/* Rows of an enumeration with their sentences, all but the row `skip`. */
static void reasons_text(const char *title, const struct enum_row *rows, const uint64_t *counts, int count, int skip, FILE *out)
{
	bool any = false;

	for (int i = 0; i < count; i++) {
		char n[SHOW_NUMBER_MAX], first[64];
		if (i == skip || !counts[i]) continue;
		if (!any) fprintf(out, "\n%s\n", title);
		any = true;
		snprintf(first, sizeof(first), "  %15s  %-22s ", show_count(n, counts[i]), rows[i].name.ptr);
		show_wrapped(out, first, 42, WIDTH, rows[i].doc);
	}
}

static void names_text(const char *title, const struct map *map, size_t rows_max, FILE *out)
{
	size_t *order = tally_order(map), shown = rows_max && rows_max < map->count ? rows_max : map->count;

	fprintf(out, "\n%-*s %13s %13s %9s %22s %10s\n", NAME_WIDTH, title, "requests", "hits", "ratio", "body bytes", "byte ratio");
	for (size_t i = 0; i < shown; i++) {
		const struct tally_row *row = map_value(map, order[i]);
		char name[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX], h[SHOW_NUMBER_MAX], r[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], br[SHOW_NUMBER_MAX];
		fprintf(out, "  %-*s %13s %13s %9s %22s %10s\n", NAME_WIDTH - 2, show_text(name, map_key(map, order[i]), NAME_WIDTH - 2),
			show_count(n, tally_requests(row)), show_count(h, tally_hits(row)), show_ratio(r, tally_hits(row), tally_requests(row)),
			show_count(b, tally_bytes(row)), show_ratio(br, tally_hit_bytes(row), tally_bytes(row)));
	}
	if (shown < map->count) fprintf(out, "  ... and %zu more (--limit 0 shows all)\n", map->count - shown);
	free(order);
}

static void codings_text(const struct tally *t, FILE *out)
{
	uint64_t requests = tally_requests(&t->all), bytes = tally_bytes(&t->all);
	char name[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX], p[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], s[SHOW_NUMBER_MAX];
	bool any = false;

	if (t->codings.count)
		fprintf(out, "\n%-14s %13s %21s %22s %15s %9s\n", "Compression", "answers", "compressed for one", "plain body bytes", "bytes sent", "share");
	for (size_t i = 0; i < t->codings.count; i++) {
		const struct coding_row *row = map_value(&t->codings, i);
		fprintf(out, "  %-12s %13s %21s %22s %15s %9s\n", show_text(name, map_key(&t->codings, i), 12), show_count(n, row->answers),
			show_count(c, row->compressed), show_count(p, row->plain_bytes), show_count(b, row->bytes), show_ratio(s, row->bytes, row->plain_bytes));
	}
	for (int i = UNCODED_none + 1; i < UNCODED_COUNT; i++) {
		if (!t->uncoded[i]) continue;
		if (!any) table_head("Why bodies were sent plain", out);
		any = true;
		table_row(uncoded_rows[i].name.ptr, t->uncoded[i], requests, t->uncoded_bytes[i], bytes, out);
	}
}

static void status_text(const struct tally *t, FILE *out)
{
	static const char *const names[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };
	char n[SHOW_NUMBER_MAX];

	fprintf(out, "\nStatus   ");
	for (size_t i = 0; i < COUNT_OF(t->status); i++)
		if (t->status[i]) fprintf(out, " %s %s ", names[i], show_count(n, t->status[i]));
	fprintf(out, "\nOrigins   asked %s times", show_count(n, t->origin_tries));
	fprintf(out, ", %s body bytes read", show_count(n, t->origin_bytes));
	fprintf(out, "; %s answers stored", show_count(n, t->stored));
	if (t->unstored) fprintf(out, ", %s of them not after all", show_count(n, t->unstored));
	fputc('\n', out);
}

/* ---- findings ---- */

static void finding_show(const struct audit *audit, const struct finding *f, FILE *out)
{
	char subject[SHOW_TEXT_MAX], cause[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX];

	fprintf(out, "\n%s %s: %s (%s)\n", severity_names[f->severity], f->rule->id, show_text(subject, slice_str(f->subject), 48),
		show_count(n, f->count));
	show_wrapped(out, "  what      ", 12, WIDTH, f->rule->doc);
	show_wrapped(out, "  cause     ", 12, WIDTH, show_text(cause, slice_str(f->cause), 0));
	show_wrapped(out, "  cure      ", 12, WIDTH, f->cure);
	if (f->evidence.count) evidence_text(audit, &f->evidence, "  lines     ", out);
}

static void findings_text(const struct audit *audit, FILE *out)
{
	char path[SHOW_TEXT_MAX];

	for (size_t i = 0; i < audit->findings.count; i++) finding_show(audit, &audit->findings.rows[i], out);
	for (int i = 0; i < RULE_COUNT; i++) {
		const struct blind *blind = &audit->blind[i];
		if (blind->blind && rules[i].ops->line)
			fprintf(out, "\n%s: cannot tell: column %.*s is missing (header line %s:%" PRIu64 ")\n", rules[i].id, SLICE_ARG(blind->column),
				show_text(path, slice_str(audit_path(audit, blind->header)), 40), blind->header.line);
	}
}

static void verdict_text(const struct audit *audit, FILE *out)
{
	size_t by[3] = { 0 };

	for (size_t i = 0; i < audit->findings.count; i++) by[audit->findings.rows[i].severity]++;
	if (audit->findings.count == 0) fprintf(out, "\nFindings  none%s\n", audit->lines_counted ? "" : ": no line was counted");
	else fprintf(out, "\nFindings  %zu: %zu error, %zu warning, %zu info\n", audit->findings.count, by[SEVERITY_error], by[SEVERITY_warning],
		by[SEVERITY_info]);
}

void check_text(const struct audit *audit, FILE *out)
{
	lines_text(audit, out);
	verdict_text(audit, out);
	findings_text(audit, out);
}

void report_text(const struct audit *audit, const struct report_options *options, FILE *out)
{
	const struct tally *t = &audit->tally;

	head_text(audit, out);
	fputc('\n', out);
	ratio_text("Hit ratio by requests", "requests", tally_hits(&t->all), tally_requests(&t->all), out);
	ratio_text("Hit ratio by bytes   ", "body bytes", tally_hit_bytes(&t->all), tally_bytes(&t->all), out);
	fprintf(out, "  Hits are hit, hit_stale and revalidated; collapsed, pass, error and all others are requests only.\n");
	verdicts_text(t, out);
	names_text("Volumes", &t->volumes, options->rows_max, out);
	names_text("Hosts", &t->hosts, options->rows_max, out);
	status_text(t, out);
	codings_text(t, out);
	reasons_text("Why answers were not stored", nostore_rows, t->nostores, NOSTORE_COUNT, NOSTORE_none, out);
	worth_text(&audit->worth, out);
	reasons_text("Why requests were refused", refusal_rows, t->refusals, REFUSAL_COUNT, REFUSAL_none, out);
	reasons_text("Why requests were not completed", end_rows, t->ends, END_COUNT, END_complete, out);
	verdict_text(audit, out);
	findings_text(audit, out);
}

void metrics_text(const struct audit *audit, const struct compare *compare, FILE *out)
{
	char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], d[SHOW_NUMBER_MAX], name[SHOW_TEXT_MAX];

	lines_text(audit, out);
	fprintf(out, "Node      %s; %s\n\n", show_text(name, compare->node, 60),
		compare->started ? "lines since its last start" : "all its lines: no start record is among them");
	fprintf(out, "%-26s %20s %20s %20s\n", "Counter", "metrics page", "log", "difference");
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const struct compare_row *row = &compare->rows[i];
		bool more = row->scrape >= row->log;
		show_count(d, more ? row->scrape - row->log : row->log - row->scrape);
		fprintf(out, "  %-24s %20s %20s %*s%s\n", counter_rows[i].name.ptr, row->present ? show_count(a, row->scrape) : "missing",
			show_count(b, row->log), row->differs && row->present ? (int)(20 - strlen(d)) : 20, row->present ? row->differs ? more ? "+" : "-" : "0" : "?",
			row->present && row->differs ? d : "");
	}
	fprintf(out, "\n%u counter%s differ%s; gap records account for %" PRIu64 " lost lines\n", compare->differences,
		compare->differences == 1 ? "" : "s", compare->differences == 1 ? "s" : "", compare->lost);
	findings_text(audit, out);
}

/* ---- the tables, explained ---- */

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
