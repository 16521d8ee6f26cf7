/* The report as text: whether the cache works, what is wrong and what to do, and then the figures. Beside each ratio stand its two
 * numbers. */
#include <inttypes.h>

#include "judge.h"
#include "report.h"

static const enum paint severity_paints[] = { PAINT_info, PAINT_warning, PAINT_error };

struct paper report_paper(const struct report_options *options, FILE *out)
{
	return (struct paper){ out, options->width ? options->width : PAPER_WIDTH, options->color };
}

/* ---- lines ---- */

static void evidence_text(const struct audit *audit, const struct evidence *evidence, const char *first, size_t width, FILE *out)
{
	char path[SHOW_TEXT_MAX];
	size_t column = (size_t)fprintf(out, "%s", first);

	for (unsigned i = 0; i < evidence->count; i++) {
		struct place at = evidence->at[i];
		bool same = i && evidence->at[i - 1].file == at.file;
		const char *name = show_text(path, slice_str(audit_path(audit, at)), width - strlen(first) - 22);
		if (column > width - 22 || (i && !same)) column = (size_t)fprintf(out, "\n%*s", (int)strlen(first), "") - 1;
		column += same && column > strlen(first) ? (size_t)fprintf(out, ",%" PRIu64, at.line)
			: (size_t)fprintf(out, "%s:%" PRIu64, name, at.line);
	}
	fputc('\n', out);
}

static void rejects_text(const struct audit *audit, const struct paper *paper)
{
	char n[SHOW_NUMBER_MAX], text[SHOW_TEXT_MAX], line[512];

	for (int i = 0; i < REJECT_COUNT; i++) {
		const struct rejects *r = &audit->rejects[i];
		if (!r->group.count) continue;
		snprintf(line, sizeof(line), "%s %s%s%s%s: %s", show_count(n, r->group.count), reject_rows[i].name, r->example ? " (first in " : "",
			r->example ? show_text(text, slice_str(r->example), 30) : "", r->example ? ")" : "", reject_rows[i].doc);
		show_wrapped(paper->out, "          ", 12, paper->width, line);
		evidence_text(audit, &r->group.evidence, "            at ", paper->width, paper->out);
	}
}

static void filter_show(const struct audit *audit, const struct paper *paper)
{
	char text[SHOW_TEXT_MAX], line[SHOW_TEXT_MAX + 32];

	if (!audit->filter) return;
	snprintf(line, sizeof(line), "only lines with %s", show_text(text, slice_str(audit->filter->words), 0));
	show_wrapped(paper->out, "Filter    ", 10, paper->width, line);
}

static void lines_show(const struct audit *audit, const struct paper *paper)
{
	char read[SHOW_NUMBER_MAX], counted[SHOW_NUMBER_MAX], rejected[SHOW_NUMBER_MAX], left_out[2 * SHOW_NUMBER_MAX],
		text[SHOW_TEXT_MAX], line[320];

	snprintf(left_out, sizeof(left_out), "%s left out + ", show_count(read, audit->lines_left_out));

	snprintf(line, sizeof(line), "%s read = %s counted + %s%s rejected, beside %" PRIu64 " header line%s; %zu file%s",
		show_count(read, audit->lines_read), show_count(counted, audit->lines_counted), audit->filter ? left_out : "",
		show_count(rejected, audit->lines_rejected),
		audit->lines_header, audit->lines_header == 1 ? "" : "s", audit->file_count, audit->file_count == 1 ? "" : "s");
	show_wrapped(paper->out, "Lines     ", 10, paper->width, line);
	rejects_text(audit, paper);
	for (size_t i = 0; i < audit->note_count; i++)
		show_wrapped(paper->out, "Note      ", 10, paper->width, show_text(text, slice_str(audit->notes[i]), 0));
	formats_used_text(audit, paper->out);
}

void lines_text(const struct audit *audit, FILE *out)
{
	const struct paper paper = { out, PAPER_WIDTH, false };

	filter_show(audit, &paper);
	lines_show(audit, &paper);
}

/* ---- the first screen ---- */

static void judgement_text(const struct judgement *judgement, const struct paper *paper)
{
	static const enum paint paints[] = { PAINT_title, PAINT_good, PAINT_warning, PAINT_error };

	show_paint(paper, paints[judgement->judged]);
	show_wrapped(paper->out, "", 0, paper->width, judgement->text);
	show_paint(paper, PAINT_none);
	if (judgement->incomplete) fprintf(paper->out, "These lines are not the whole log: see below what is missing.\n");
	fputc('\n', paper->out);
}

static void requests_text(const char *name, uint64_t part, uint64_t whole, const char *after, const struct paper *paper)
{
	char ratio[SHOW_NUMBER_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], value[160];

	snprintf(value, sizeof(value), "%9s = %s of %s %s", show_ratio(ratio, part, whole), show_count(a, part), show_count(b, whole), after);
	show_wrapped(paper->out, name, 24, paper->width, value);
}

static void saved_text(const struct worth *worth, const struct paper *paper)
{
	char requests[SHOW_NUMBER_MAX], bytes[SHOW_NUMBER_MAX], wait[SHOW_NUMBER_MAX], value[256];
	int len = snprintf(value, sizeof(value), "%s requests, %s", show_count(requests, worth->saved.requests), show_bytes(bytes, worth->saved.bytes));

	if (worth_saved_us(worth))
		len += snprintf(value + len, sizeof(value) - (size_t)len, "; clients about %s of waiting", show_span(wait, worth_saved_us(worth)));
	if (worth->saved.refreshes)
		snprintf(value + len, sizeof(value) - (size_t)len, "; %s fetches in the background, %s, took back",
			show_count(requests, worth->saved.refreshes), show_bytes(bytes, worth->saved.refresh_bytes));
	show_wrapped(paper->out, "Origins were spared     ", 24, paper->width, value);
}

static void first_byte_text(const struct worth *worth, const struct paper *paper)
{
	char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX], d[SHOW_NUMBER_MAX], value[256];
	int len = 0;

	if (worth->hit.count)
		len = snprintf(value, sizeof(value), "hits %s (99 %%: %s)", show_span(a, times_percentile(&worth->hit, 0.5)),
			show_span(b, times_percentile(&worth->hit, 0.99)));
	if (worth->miss.count)
		len += snprintf(value + len, sizeof(value) - (size_t)len, "%sorigins %s (99 %%: %s)", len ? "; " : "",
			show_span(c, times_percentile(&worth->miss, 0.5)), show_span(d, times_percentile(&worth->miss, 0.99)));
	if (len) show_wrapped(paper->out, "First byte (median)     ", 24, paper->width, value);
}

static void span_text(const struct tally_row *row, const struct paper *paper)
{
	char first[SHOW_TIME_MAX], last[SHOW_TIME_MAX], span[SHOW_NUMBER_MAX], value[160];

	if (!tally_requests(row)) snprintf(value, sizeof(value), "no requests");
	else snprintf(value, sizeof(value), "%s to %s UTC (%s)", show_time(first, row->first_us), show_time(last, row->last_us),
		show_span(span, row->last_us - row->first_us));
	show_wrapped(paper->out, "Time      ", 10, paper->width, value);
}

static void nodes_text(const struct map *nodes, const struct paper *paper)
{
	char name[SHOW_TEXT_MAX], value[256];
	int len = snprintf(value, sizeof(value), "%zu:", nodes->count);

	for (size_t i = 0; i < nodes->count && i < 5; i++)
		len += snprintf(value + len, sizeof(value) - (size_t)len, " %s", show_text(name, map_key(nodes, i), 24));
	if (nodes->count > 5) snprintf(value + len, sizeof(value) - (size_t)len, " ...");
	show_wrapped(paper->out, "Nodes     ", 10, paper->width, value);
}

static void figures_text(const struct audit *audit, const struct paper *paper)
{
	const struct tally_row *all = &audit->tally.all;
	char ratio[SHOW_NUMBER_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], value[160];

	requests_text("Hit ratio by requests   ", tally_hits(all), tally_told(all), "requests", paper);
	snprintf(value, sizeof(value), "%9s = %s of %s of bodies", show_ratio(ratio, tally_hit_bytes(all), tally_told_bytes(all)),
		show_bytes(a, tally_hit_bytes(all)), show_bytes(b, tally_told_bytes(all)));
	show_wrapped(paper->out, "Hit ratio by bytes      ", 24, paper->width, value);
	if (all->untold) requests_text("Not told                ", all->untold, tally_requests(all), "requests: their logs do not say what the cache did, no ratio counts them", paper);
	if (worth_potential(&audit->worth) > tally_hits(all))
		requests_text("Possible, at most       ", worth_potential(&audit->worth), audit->worth.requests, "were all stored and kept", paper);
	requests_text("Errors (status 5xx)     ", all->errors, tally_requests(all), "requests", paper);
	saved_text(&audit->worth, paper);
	first_byte_text(&audit->worth, paper);
	fputc('\n', paper->out);
}

static void head_text(const struct audit *audit, const struct paper *paper)
{
	const struct tally *t = &audit->tally;
	char n[SHOW_NUMBER_MAX], value[160];

	span_text(&t->all, paper);
	if (t->tables[TABLE_nodes].map.count) nodes_text(&t->tables[TABLE_nodes].map, paper);
	lines_show(audit, paper);
	if (!t->lost) return;
	snprintf(value, sizeof(value), "%s lines by the word of gap records: all numbers are of an incomplete log", show_count(n, t->lost));
	show_wrapped(paper->out, "Lost      ", 10, paper->width, value);
}

/* ---- findings ---- */

static void finding_show(const struct audit *audit, const struct finding *f, const struct paper *paper)
{
	char text[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX];

	fputc('\n', paper->out);
	show_painted(paper, severity_paints[f->severity], severity_names[f->severity]);
	fprintf(paper->out, " %s: ", f->rule->id);
	show_painted(paper, PAINT_title, show_text(text, slice_str(f->subject), paper->width - strlen(severity_names[f->severity]) - strlen(f->rule->id) - 20));
	fprintf(paper->out, " (%s)\n", show_count(n, f->count));
	show_wrapped(paper->out, "  do        ", 12, paper->width, f->cure);
	show_wrapped(paper->out, "  cause     ", 12, paper->width, show_text(text, slice_str(f->cause), 0));
	show_paint(paper, PAINT_dim);
	show_wrapped(paper->out, "  what      ", 12, paper->width, f->rule->doc);
	if (f->evidence.count) evidence_text(audit, &f->evidence, "  lines     ", paper->width, paper->out);
	show_paint(paper, PAINT_none);
}

static void findings_count_text(const struct audit *audit, const struct judgement *j, const struct paper *paper)
{
	show_painted(paper, PAINT_title, "Findings");
	if (audit->findings.count == 0) fprintf(paper->out, "  none%s\n", audit->lines_counted ? "" : ": no line was counted");
	else fprintf(paper->out, "  %zu: %zu error, %zu warning, %zu info\n", audit->findings.count, j->by_severity[SEVERITY_error],
		j->by_severity[SEVERITY_warning], j->by_severity[SEVERITY_info]);
}

/* Rules that could not work, and why; those that lack the same column of the same file in one line. */
static void blind_text(const struct audit *audit, const struct paper *paper)
{
	char path[SHOW_TEXT_MAX], text[SHOW_TEXT_MAX + 256];

	for (int i = 0; i < RULE_COUNT; i++) {
		const struct blind *blind = &audit->blind[i];
		if (!(blind->blind || blind->filtered) || !rules[i].ops->line) continue;
		if (blind->filtered) snprintf(text, sizeof(text), "%s: cannot tell: the filter leaves out lines that it needs", rules[i].id);
		else snprintf(text, sizeof(text), "%s: cannot tell: column %.*s is missing (%s %s:%" PRIu64 ")", rules[i].id, SLICE_ARG(blind->column),
			audit->files[blind->header.file].format ? "format of" : "header line", show_text(path, slice_str(audit_path(audit, blind->header)), 40), blind->header.line);
		fputc('\n', paper->out);
		show_wrapped(paper->out, "", 2, paper->width, text);
	}
}

void findings_text(const struct audit *audit, const struct paper *paper)
{
	for (size_t i = 0; i < audit->findings.count; i++) finding_show(audit, &audit->findings.rows[i], paper);
	blind_text(audit, paper);
}

void check_text(const struct audit *audit, const struct report_options *options, FILE *out)
{
	struct paper paper = report_paper(options, out);
	struct judgement judgement = judge_audit(audit);

	filter_show(audit, &paper);
	findings_count_text(audit, &judgement, &paper);
	findings_text(audit, &paper);
	if (audit->findings.count) fputc('\n', out);
	lines_show(audit, &paper);
}

void report_text(const struct audit *audit, const struct report_options *options, FILE *out)
{
	struct paper paper = report_paper(options, out);
	struct judgement judgement = judge_audit(audit);

	filter_show(audit, &paper);
	judgement_text(&judgement, &paper);
	if (tally_requests(&audit->tally.all)) figures_text(audit, &paper);
	findings_count_text(audit, &judgement, &paper);
	findings_text(audit, &paper);
	fputc('\n', out);
	head_text(audit, &paper);
	tables_text(audit, options->rows_max, &paper);
}

void metrics_text(const struct audit *audit, const struct compare *compare, FILE *out)
{
	char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], d[SHOW_NUMBER_MAX + 1], name[SHOW_TEXT_MAX];
	struct paper paper = { out, PAPER_WIDTH, false };

	lines_text(audit, out);
	fprintf(out, "Node      %s; %s\n\n", show_text(name, compare->node, 40),
		compare->started ? "lines since its last start" : "all its lines: no start record is among them");
	fprintf(out, "%-28s %16s %16s %16s\n", "Counter", "metrics page", "log", "difference");
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const struct compare_row *row = &compare->rows[i];
		bool more = row->scrape >= row->log;
		d[0] = more ? '+' : '-';
		show_count(d + 1, more ? row->scrape - row->log : row->log - row->scrape);
		fprintf(out, "  %-26s %16s %16s %16s\n", counter_rows[i].name.ptr, row->present ? show_count(a, row->scrape) : "missing",
			show_count(b, row->log), !row->present ? "?" : row->differs ? d : "0");
	}
	fprintf(out, "\n%u counter%s differ%s; gap records account for %" PRIu64 " lost lines\n", compare->differences,
		compare->differences == 1 ? "" : "s", compare->differences == 1 ? "s" : "", compare->lost);
	findings_text(audit, &paper);
}
