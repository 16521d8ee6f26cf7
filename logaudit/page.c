/* The page's top: whether the cache works, the main figures, what to do. */
#include <inttypes.h>

#include "html.h"
#include "judge.h"
#include "page.h"

/* ---- head ---- */

static void head_write(const char *title, FILE *out)
{
	fprintf(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<meta name=\"referrer\" content=\"no-referrer\">\n<title>", page_policy);
	html_str(out, title);
	fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n", page_style_text);
	html_icons(out);
}

static void top_write(FILE *out)
{
	static const struct { const char *id, *name; } themes[] = { { "auto", "Auto" }, { "light", "Light" }, { "dark", "Dark" } };

	fputs("<a class=\"skip\" href=\"#main\">To the report</a>\n<div class=\"page\">\n<header class=\"top\"><div class=\"brand\">logaudit "
		"<span>report of a cache, from its access log</span></div>\n<fieldset class=\"theme\"><legend class=\"hidden\">Colours</legend>", out);
	for (size_t i = 0; i < COUNT_OF(themes); i++)
		fprintf(out, "<label><input type=\"radio\" name=\"theme\" id=\"theme-%s\"%s><span>%s</span></label>", themes[i].id, i ? "" : " checked",
			themes[i].name);
	fputs("</fieldset></header>\n", out);
}

void page_begin(const char *title, FILE *out)
{
	head_write(title, out);
	top_write(out);
}

/* ---- the verdict ---- */

static void lines_write(const struct audit *audit, FILE *out)
{
	char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX];

	fprintf(out, "%s lines read = %s counted", show_count(a, audit->lines_read), show_count(b, audit->lines_counted));
	if (audit->filter) fprintf(out, " + %s left out", show_count(b, audit->lines_left_out));
	fprintf(out, " + %s rejected", show_count(c, audit->lines_rejected));
	if (audit->tally.lost) fprintf(out, "; %s lost by the word of gap records", show_count(a, audit->tally.lost));
	fprintf(out, "; %zu file%s, %zu node%s", audit->file_count, audit->file_count == 1 ? "" : "s", audit->tally.tables[TABLE_nodes].map.count,
		audit->tally.tables[TABLE_nodes].map.count == 1 ? "" : "s");
}

static void verdict_write(const struct audit *audit, FILE *out)
{
	static const char *const words[] = { "Nothing", "Good", "Look", "Bad" };
	struct judgement judgement = judge_audit(audit);
	const struct tally_row *all = &audit->tally.all;
	char icon[16], first[SHOW_TIME_MAX], last[SHOW_TIME_MAX], span[SHOW_NUMBER_MAX];

	snprintf(icon, sizeof(icon), "i-%s", judged_names[judgement.judged]);
	fprintf(out, "<main id=\"main\">\n<div class=\"verdict %s\" id=\"verdict\">", judged_names[judgement.judged]);
	html_icon(out, icon);
	fprintf(out, "<h1><span class=\"hidden\">%s: </span>", words[judgement.judged]);
	html_str(out, judgement.text);
	fputs("</h1>\n<p>", out);
	if (audit->filter) {
		fputs("<strong>Only lines with <code>", out);
		html_str(out, audit->filter->words);
		fputs("</code>.</strong> ", out);
	}
	if (tally_requests(all))
		fprintf(out, "%.19s to %.19s UTC (%s). ", show_time(first, all->first_us), show_time(last, all->last_us),
			show_span(span, all->last_us - all->first_us));
	lines_write(audit, out);
	fputs(judgement.incomplete ? ". <strong>These lines are not the whole log.</strong></p></div>\n" : ".</p></div>\n", out);
}

/* ---- main figures ---- */

static void key_begin(const char *name, const char *big, FILE *out)
{
	fprintf(out, "<div class=\"key\"><dt>%s</dt><dd><div class=\"big\">%s</div><div class=\"of\">", name, big);
}

static void key_ratio(const char *name, const char *class, struct measure_value value, bool bytes, const char *after, FILE *out)
{
	char ratio[SHOW_NUMBER_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX];
	char *(*show)(char *, uint64_t) = bytes ? show_bytes : show_count;

	key_begin(name, show_ratio(ratio, value.part, value.whole), out);
	fprintf(out, "%s of %s %s</div>", show(a, value.part), show(b, value.whole), after);
	html_bar(out, "bar", &(struct html_share){ class, value.part }, 1, value.whole);
	fputs("</dd></div>\n", out);
}

static void key_saved(const struct worth *worth, FILE *out)
{
	char big[SHOW_NUMBER_MAX], n[SHOW_NUMBER_MAX];

	key_begin("Origins were spared", show_count(big, worth->saved.requests), out);
	fprintf(out, "requests, %s of bodies", show_bytes(n, worth->saved.bytes));
	if (worth_saved_us(worth)) fprintf(out, "; clients about %s of waiting", show_span(n, worth_saved_us(worth)));
	if (worth->saved.refreshes)
		fprintf(out, "; %s fetches in the background took back %s", show_count(n, worth->saved.refreshes), show_bytes(big, worth->saved.refresh_bytes));
	fputs("</div></dd></div>\n", out);
}

static void key_times(const struct worth *worth, FILE *out)
{
	char big[SHOW_NUMBER_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX];

	if (!worth->hit.count && !worth->miss.count) return;
	key_begin("First byte of a hit, half within", worth->hit.count ? show_span(big, times_percentile(&worth->hit, 0.5)) : "-", out);
	if (worth->hit.count) fprintf(out, "99 %% within %s", show_span(a, times_percentile(&worth->hit, 0.99)));
	if (worth->miss.count)
		fprintf(out, "%sfrom origins %s, 99 %% within %s", worth->hit.count ? "; " : "", show_span(b, times_percentile(&worth->miss, 0.5)),
			show_span(c, times_percentile(&worth->miss, 0.99)));
	fputs("</div></dd></div>\n", out);
}

static void keys_write(const struct audit *audit, FILE *out)
{
	const struct tally_row *all = &audit->tally.all;
	uint64_t requests = tally_requests(all), potential = worth_potential(&audit->worth);

	fputs("<dl class=\"keys\">\n", out);
	key_ratio("Hit ratio by requests", "store", (struct measure_value){ tally_hits(all), tally_told(all) }, false, "requests", out);
	key_ratio("Hit ratio by bytes", "store", (struct measure_value){ tally_hit_bytes(all), tally_told_bytes(all) }, true, "", out);
	if (potential > tally_hits(all))
		key_ratio("Possible, at most", "shared", (struct measure_value){ potential, requests }, false, "were all stored and kept", out);
	key_saved(&audit->worth, out);
	key_times(&audit->worth, out);
	key_ratio("Errors (status 5xx)", "error", (struct measure_value){ all->errors, requests }, false, "requests", out);
	fputs("</dl>\n", out);
}

/* ---- findings ---- */

static void evidence_write(const struct audit *audit, const struct finding *f, FILE *out)
{
	fputs("<details><summary>What the rule looks for, and the lines that show it</summary><p>", out);
	html_prose(out, f->rule->doc);
	fputs("</p><ul>", out);
	for (unsigned i = 0; i < f->evidence.count; i++) {
		fputs("<li><code>", out);
		html_str(out, audit_path(audit, f->evidence.at[i]));
		fprintf(out, ":%" PRIu64 "</code></li>", f->evidence.at[i].line);
	}
	fputs("</ul></details>", out);
}

static void finding_write(const struct audit *audit, const struct finding *f, FILE *out)
{
	static const char *const icons[] = { "i-info", "i-look", "i-bad" };
	const char *severity = severity_names[f->severity];
	char n[SHOW_NUMBER_MAX];

	fprintf(out, "<article class=\"card finding %s\"><header><span class=\"tag %s\">", severity, severity);
	html_icon(out, icons[f->severity]);
	fprintf(out, "%s</span><h3><bdi>", severity);
	html_str(out, f->subject);
	fprintf(out, "</bdi></h3><span class=\"rule\"><code>%s</code>, %s time%s</span></header>\n<dl><dt>Do</dt><dd class=\"do\">", f->rule->id,
		show_count(n, f->count), f->count == 1 ? "" : "s");
	html_prose(out, f->cure);
	fputs("</dd><dt>Cause</dt><dd>", out);
	html_prose(out, f->cause);
	fputs("</dd></dl>", out);
	evidence_write(audit, f, out);
	fputs("</article>\n", out);
}

static void blind_write(const struct audit *audit, FILE *out)
{
	bool any = false;

	for (int i = 0; i < RULE_COUNT; i++) {
		const struct blind *blind = &audit->blind[i];
		if (!(blind->blind || blind->filtered) || !rules[i].ops->line) continue;
		if (!any) fputs("<details class=\"card\"><summary>What cannot be told from this log</summary><ul>", out);
		any = true;
		fprintf(out, "<li><code>%s</code>: ", rules[i].id);
		if (blind->filtered) {
			fputs("the filter leaves out lines that it needs</li>", out);
			continue;
		}
		fputs("column <code>", out);
		html_text(out, blind->column);
		fputs("</code> is missing</li>", out);
	}
	if (any) fputs("</ul></details>\n", out);
}

static void findings_write(const struct audit *audit, FILE *out)
{
	fprintf(out, "<section aria-labelledby=\"findings\"><h2 id=\"findings\">Findings</h2>\n<p class=\"lead\">%s</p>\n",
		audit->findings.count ? "What the rules found, the gravest first, and what to do about it." : "No rule found anything.");
	for (size_t i = 0; i < audit->findings.count; i++) finding_write(audit, &audit->findings.rows[i], out);
	blind_write(audit, out);
	fputs("</section>\n", out);
}

/* ---- what was not counted ---- */

static void rejects_write(const struct audit *audit, FILE *out)
{
	char n[SHOW_NUMBER_MAX];

	if (!audit->lines_rejected && !audit->trouble_count && !audit->note_count) return;
	fputs("<section aria-labelledby=\"lines\"><h2 id=\"lines\">What was not counted</h2>\n<ul class=\"card\">", out);
	for (size_t i = 0; i < audit->trouble_count; i++) html_element(out, "li", NULL, slice_str(audit->troubles[i]));
	for (size_t i = 0; i < audit->note_count; i++) html_element(out, "li", NULL, slice_str(audit->notes[i]));
	for (int i = 0; i < REJECT_COUNT; i++) {
		const struct rejects *r = &audit->rejects[i];
		if (!r->group.count) continue;
		fprintf(out, "<li>%s <code>%s</code>: ", show_count(n, r->group.count), reject_rows[i].name);
		html_prose(out, reject_rows[i].doc);
		fputs(" First at <code>", out);
		html_str(out, audit_path(audit, r->group.evidence.at[0]));
		fprintf(out, ":%" PRIu64 "</code></li>", r->group.evidence.at[0].line);
	}
	fputs("</ul></section>\n", out);
}

void report_page(const struct audit *audit, const struct report_options *options, FILE *out)
{
	const struct tally_row *all = &audit->tally.all;
	char ratio[SHOW_NUMBER_MAX], time[SHOW_TIME_MAX], title[128] = "Cache report";

	if (tally_requests(all))
		snprintf(title, sizeof(title), "Cache report: %s hits, %.10s", show_ratio(ratio, tally_hits(all), tally_told(all)), show_time(time, all->last_us));
	page_begin(title, out);
	verdict_write(audit, out);
	if (tally_requests(&audit->tally.all)) keys_write(audit, out);
	findings_write(audit, out);
	page_plots(&audit->worth.series, out);
	page_tables(audit, options->rows_max, out);
	rejects_write(audit, out);
	fputs("</main>\n<footer>Made by logaudit from the log alone. Hits are hit, hit_stale and revalidated; collapsed, pass, error and all others count "
		"as requests only. Times are in UTC; those of percentiles are at most 12.5 % too long. This page loads nothing and sends nothing.</footer>\n"
		"</div>\n", out);
	fprintf(out, "<script>%s</script>\n</body>\n</html>\n", page_script_text);
}
