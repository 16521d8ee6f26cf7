/* What follow shows. */
#include <inttypes.h>
#include <time.h>

#include "follow.h"
#include "show.h"

enum { WIDTH = 80, COLUMN_AT = 17, COLUMN_WIDTH = 31, ROWS_MAX = 12 };

static uint64_t now_us(const struct follow *f)
{
	return f->second * 1000000;
}

static const char *ratio(char out[3 * SHOW_NUMBER_MAX], uint64_t part, uint64_t whole)
{
	char r[SHOW_NUMBER_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX];

	snprintf(out, 3 * SHOW_NUMBER_MAX, "%s = %s of %s", show_ratio(r, part, whole), show_count(a, part), show_count(b, whole));
	return out;
}

static void row(const char *name, const char *minute, const char *total, FILE *out)
{
	fprintf(out, "%-*s%-*s %s\n", COLUMN_AT, name, COLUMN_WIDTH, minute, total);
}

static void ratio_row(const char *name, uint64_t part, uint64_t whole, uint64_t part_all, uint64_t whole_all, FILE *out)
{
	char minute[3 * SHOW_NUMBER_MAX], total[3 * SHOW_NUMBER_MAX];

	row(name, ratio(minute, part, whole), ratio(total, part_all, whole_all), out);
}

static void rates(const struct follow *f, FILE *out)
{
	struct follow_counts all = follow_total(f), last;
	char minute[3 * SHOW_NUMBER_MAX], total[SHOW_TIME_MAX + 16], n[SHOW_NUMBER_MAX], m[SHOW_NUMBER_MAX];
	uint64_t seconds;

	last = follow_minute(f, &seconds);
	snprintf(minute, sizeof(minute), "last %" PRIu64 " s", seconds);
	snprintf(total, sizeof(total), "since %.19s", show_time(total + 8, f->since_s * 1000000));
	row("", minute, total, out);
	snprintf(minute, sizeof(minute), "%s (%.1f/s)", show_count(n, last.requests), seconds ? (double)last.requests / (double)seconds : 0);
	row("Requests", minute, show_count(m, all.requests), out);
	ratio_row("Hit ratio", last.hits, last.requests, all.hits, all.requests, out);
	ratio_row("Byte hit ratio", last.hit_bytes, last.bytes, all.hit_bytes, all.bytes, out);
	ratio_row("Status 5xx", last.errors, last.requests, all.errors, all.requests, out);
	snprintf(minute, sizeof(minute), "%s, %s rejected", show_count(n, last.lines_counted), show_count(m, last.lines_rejected));
	snprintf(total, sizeof(total), "%s, %s rejected", show_count(n, all.lines_counted), show_count(m, all.lines_rejected));
	row("Lines counted", minute, total, out);
}

static void findings(const struct follow *f, FILE *out)
{
	size_t shown = 0, by[3] = { 0 };
	char n[SHOW_NUMBER_MAX];

	for (size_t i = 0; i < f->finding_count; i++) by[f->findings[i].severity]++;
	fprintf(out, "\nFindings  %zu: %zu error, %zu warning, %zu info\n", f->finding_count, by[SEVERITY_error], by[SEVERITY_warning], by[SEVERITY_info]);
	for (int severity = SEVERITY_error; severity >= SEVERITY_info; severity--)
		for (size_t i = 0; i < f->finding_count; i++) {
			if ((int)f->findings[i].severity != severity || shown == ROWS_MAX) continue;
			shown++;
			fprintf(out, "  %-7s %s (%s)\n", severity_names[severity], f->findings[i].name, show_count(n, f->findings[i].count));
		}
	if (f->finding_count > shown) fprintf(out, "  ... and %zu more: logaudit check shows all\n", f->finding_count - shown);
}

void follow_screen(struct follow *f, FILE *out)
{
	char path[SHOW_TEXT_MAX], now[SHOW_TIME_MAX];

	/* To the corner, and clear: one write, so that nothing flickers. */
	fputs("\033[H\033[2J", out);
	fprintf(out, "logaudit follow  %s", show_text(path, slice_str(f->tail.path), WIDTH - COLUMN_AT - 26));
	fprintf(out, "   %.19s UTC\n", show_time(now, now_us(f)));
	if (f->audit.filter) fprintf(out, "only lines with  %s\n", show_text(path, slice_str(f->audit.filter->words), WIDTH - COLUMN_AT));
	fputc('\n', out);
	rates(f, out);
	findings(f, out);
	if (f->note_count) fputc('\n', out);
	for (unsigned i = 0; i < f->note_count; i++) fprintf(out, "%s\n", show_text(path, slice_str(f->notes[i]), WIDTH));
	fputs("\nCtrl-C ends it.\n", out);
	fflush(out);
}

void follow_lines(struct follow *f, FILE *out)
{
	char now[SHOW_TIME_MAX], r[3 * SHOW_NUMBER_MAX], all_r[3 * SHOW_NUMBER_MAX], n[SHOW_NUMBER_MAX], text[SHOW_TEXT_MAX];
	struct follow_counts all = follow_total(f), last;
	uint64_t seconds;

	show_time(now, now_us(f));
	for (unsigned i = f->note_count - f->notes_fresh; i < f->note_count; i++)
		fprintf(out, "%.19s note: %s\n", now, show_text(text, slice_str(f->notes[i]), 0));
	f->notes_fresh = 0;
	last = follow_minute(f, &seconds);
	fprintf(out, "%.19s requests %.1f/s; hit ratio %s in %" PRIu64 " s, %s since the start; %s status 5xx; %" PRIu64 " lines rejected\n", now,
		seconds ? (double)last.requests / (double)seconds : 0, ratio(r, last.hits, last.requests), seconds, ratio(all_r, all.hits, all.requests),
		show_count(n, all.errors), all.lines_rejected);
	for (size_t i = 0; i < f->finding_count; i++) {
		if (!f->findings[i].fresh) continue;
		f->findings[i].fresh = false;
		fprintf(out, "%.19s %s %s (%s): %s\n", now, severity_names[f->findings[i].severity], f->findings[i].name, show_count(n, f->findings[i].count),
			f->findings[i].text);
	}
	fflush(out);
}
