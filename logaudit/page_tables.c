/* The page's tables. Each has a caption, heads with their scope, and the plain number of a cell where people read a rounded one. */
#include <inttypes.h>

#include "html.h"
#include "page.h"
#include "why.h"

enum { ROWS_BY_NAME_MIN = 24 };

/* ---- shares ---- */

/* What a request cost, in the colours of the bars. */
enum share_of { SHARE_store, SHARE_shared, SHARE_origin, SHARE_own, SHARE_error, SHARE_COUNT };
static const char *const share_classes[SHARE_COUNT] = { "store", "shared", "origin", "own", "error" };
static const char *const share_names[SHARE_COUNT] = { "answered from the store", "shared another request's fetch", "an origin was asked",
	"answered by proxyd itself", "the origin failed" };

static enum share_of share_of(int verdict)
{
	switch ((enum verdict)verdict) {
	case VERDICT_hit: case VERDICT_hit_stale: case VERDICT_revalidated: return SHARE_store;
	case VERDICT_collapsed: return SHARE_shared;
	case VERDICT_miss: case VERDICT_hit_for_miss: case VERDICT_pass: case VERDICT_off: return SHARE_origin;
	case VERDICT_error: return SHARE_error;
	case VERDICT_none: case VERDICT_synth: case VERDICT_refused: case VERDICT_purge: case VERDICT_COUNT: break;
	}
	return SHARE_own;
}

static uint64_t sum(const uint64_t counts[VERDICT_COUNT])
{
	uint64_t total = 0;

	for (int i = 0; i < VERDICT_COUNT; i++) total += counts[i];
	return total;
}

static void shares_bar(const char *class, const uint64_t counts[VERDICT_COUNT], FILE *out)
{
	struct html_share shares[SHARE_COUNT];

	for (int i = 0; i < SHARE_COUNT; i++) shares[i] = (struct html_share){ share_classes[i], 0 };
	for (int i = 0; i < VERDICT_COUNT; i++) shares[share_of(i)].part += counts[i];
	html_bar(out, class, shares, SHARE_COUNT, sum(counts));
}

/* ---- pieces of tables ---- */

static void table_begin(const char *caption, const char *first, FILE *out)
{
	fprintf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s, table\"><table class=\"sortable\"><caption class=\"hidden\">%s</caption>"
		"<thead><tr><th scope=\"col\">%s</th>", caption, caption, first);
}

static void table_head(const char *heading, FILE *out) { fprintf(out, "<th scope=\"col\">%s</th>", heading); }
static void table_head_note(const char *heading, FILE *out) { fprintf(out, "<th scope=\"col\" class=\"note\">%s</th>", heading); }
static void table_body(FILE *out) { fputs("</tr></thead>\n<tbody>\n", out); }
static void table_end(FILE *out) { fputs("</tbody></table></div>\n", out); }

static void row_begin(struct slice name, FILE *out)
{
	fputs("<tr><th scope=\"row\">", out);
	html_text(out, name);
	fputs("</th>", out);
}

static void cell(double value, const char *shown, FILE *out) { fprintf(out, "<td data-v=\"%.17g\">%s</td>", value, shown); }

static void cell_count(uint64_t n, FILE *out)
{
	char shown[SHOW_NUMBER_MAX];

	cell((double)n, show_count(shown, n), out);
}

static void cell_bytes(uint64_t n, FILE *out)
{
	char shown[SHOW_NUMBER_MAX];

	cell((double)n, show_bytes(shown, n), out);
}

static void cell_span(uint64_t us, FILE *out)
{
	char shown[SHOW_NUMBER_MAX];

	cell((double)us, show_span(shown, us), out);
}

static void cell_ratio(uint64_t part, uint64_t whole, FILE *out)
{
	char shown[SHOW_NUMBER_MAX];

	cell(whole ? (double)part / (double)whole : -1, show_ratio(shown, part, whole), out);
}

static void more_write(size_t count, size_t shown, FILE *out)
{
	char n[SHOW_NUMBER_MAX];

	if (shown < count) fprintf(out, "<p class=\"more\">... and %s more (<code>--limit 0</code> shows all)</p>\n", show_count(n, count - shown));
}

static void section(const char *id, const char *title, const char *lead, FILE *out)
{
	fprintf(out, "<section aria-labelledby=\"%s\"><h2 id=\"%s\">%s</h2>\n<p class=\"lead\">%s</p>\n", id, id, title, lead);
}

/* ---- what the cache did ---- */

static void verdicts_write(const struct tally *t, FILE *out)
{
	uint64_t requests = tally_requests(&t->all), bytes = tally_bytes(&t->all);

	section("verdicts", "What the cache did", "Every request has one verdict: what was done, not what was planned.", out);
	fputs("<div class=\"card\"><div class=\"legend\">", out);
	for (int i = 0; i < SHARE_COUNT; i++) fprintf(out, "<span><i class=\"k-%s\"></i>%s</span>", share_classes[i], share_names[i]);
	fputs("</div>\n<div class=\"sum\"><span>Requests</span>", out);
	shares_bar("bar tall", t->all.requests, out);
	fputs("<span>Bytes</span>", out);
	shares_bar("bar tall", t->all.bytes, out);
	fputs("</div>\n", out);
	table_begin("What the cache did", "Verdict", out);
	for (int i = 0; i < 2; i++) {
		table_head(i ? "Bytes" : "Requests", out);
		table_head("Share", out);
	}
	table_head_note("What it means", out);
	table_body(out);
	for (int i = 0; i < VERDICT_COUNT; i++) {
		if (!t->all.requests[i]) continue;
		row_begin(verdict_rows[i].name, out);
		cell_count(t->all.requests[i], out);
		cell_ratio(t->all.requests[i], requests, out);
		cell_bytes(t->all.bytes[i], out);
		cell_ratio(t->all.bytes[i], bytes, out);
		fputs("<td class=\"note\">", out);
		html_prose(out, verdict_rows[i].doc);
		fputs("</td></tr>\n", out);
	}
	table_end(out);
	fputs("</div></section>\n", out);
}

/* ---- what it costs ---- */

static void costs_write(const struct worth *worth, FILE *out)
{
	int order[NOSTORE_COUNT], count = worth_order(worth, order);

	if (!count) return;
	section("costs", "What it costs not to store", "Requests for pages that had been asked for before and were not stored: at most so many more hits.", out);
	fputs("<div class=\"card\">", out);
	table_begin("What it costs not to store", "Reason", out);
	table_head("Requests", out);
	table_head("Of the hit ratio", out);
	table_head("Bytes", out);
	table_head_note("What would help", out);
	table_body(out);
	for (int i = 0; i < count; i++) {
		row_begin(nostore_rows[order[i]].name, out);
		cell_count(worth->repeats[order[i]], out);
		cell_ratio(worth->repeats[order[i]], worth->requests, out);
		cell_bytes(worth->repeat_bytes[order[i]], out);
		fputs("<td class=\"note\">", out);
		html_prose(out, reason_row(REASON_nostore + order[i]).advice);
		fputs("</td></tr>\n", out);
	}
	table_end(out);
	fputs("</div></section>\n", out);
}

/* ---- the most frequent ---- */

static void error_write(const struct heavy *heavy, FILE *out)
{
	char n[SHOW_NUMBER_MAX];

	if (heavy->floor)
		fprintf(out, "<p class=\"more\">There are more than the %zu that are told apart: a count may be too high by its error, at most %s.</p>\n",
			heavy->places, show_count(n, heavy->floor));
}

static void missed_write(const struct worth *worth, size_t rows_max, FILE *out)
{
	size_t *order = heavy_order(&worth->missed), shown = rows_max && rows_max < worth->missed.count ? rows_max : worth->missed.count;
	char text[REASONS_TEXT_MAX];

	if (shown) {
		section("missed", "URLs most often missed", "What the store did not answer, and the reasons on the lines.", out);
		fputs("<div class=\"card\">", out);
		table_begin("URLs most often missed", "URL", out);
		table_head("Missed", out);
		if (worth->missed.floor) table_head("Error", out);
		table_head("From origin", out);
		table_head_note("Why", out);
		table_body(out);
	}
	for (size_t i = 0; i < shown; i++) {
		struct missed missed = *(struct missed *)heavy_value(&worth->missed, order[i]);
		row_begin(heavy_name(&worth->missed, order[i]), out);
		cell_count(worth->missed.entries[order[i]].count, out);
		if (worth->missed.floor) cell_count(worth->missed.entries[order[i]].error, out);
		cell_bytes(missed.origin_bytes, out);
		html_element(out, "td", "note", slice_str(reasons_show(text, &missed.reasons)));
		fputs("</tr>\n", out);
	}
	if (shown) {
		table_end(out);
		more_write(worth->missed.count, shown, out);
		error_write(&worth->missed, out);
		fputs("</div></section>\n", out);
	}
	free(order);
}

static void clients_write(const struct worth *worth, size_t rows_max, FILE *out)
{
	size_t *order = heavy_order(&worth->clients), shown = rows_max && rows_max < worth->clients.count ? rows_max : worth->clients.count;

	fputs("<details class=\"card\"><summary>Clients <span>by requests</span></summary>", out);
	table_begin("Clients", "Client", out);
	table_head("Requests", out);
	if (worth->clients.floor) table_head("Error", out);
	table_head("Hit ratio", out);
	table_head("Bytes", out);
	table_head("5xx", out);
	table_body(out);
	for (size_t i = 0; i < shown; i++) {
		const struct heavy_entry *entry = &worth->clients.entries[order[i]];
		const struct client *client = heavy_value(&worth->clients, order[i]);
		row_begin(heavy_name(&worth->clients, order[i]), out);
		cell_count(entry->count, out);
		if (worth->clients.floor) cell_count(entry->error, out);
		cell_ratio(client->hits, entry->count - entry->error, out);
		cell_bytes(client->bytes, out);
		cell_count(client->errors, out);
		fputs("</tr>\n", out);
	}
	table_end(out);
	more_write(worth->clients.count, shown, out);
	error_write(&worth->clients, out);
	fputs("</details>\n", out);
	free(order);
}

/* ---- times ---- */

static void times_row(struct slice name, const struct times *times, FILE *out)
{
	if (!times->count) return;
	row_begin(name, out);
	cell_count(times->count, out);
	cell_span(times_mean(times), out);
	cell_span(times_percentile(times, 0.5), out);
	cell_span(times_percentile(times, 0.9), out);
	cell_span(times_percentile(times, 0.99), out);
	fputs("</tr>\n", out);
}

static void times_write(const struct worth *worth, size_t rows_max, FILE *out)
{
	size_t *order = worth_origins(worth);

	if (worth->hit.count || worth->miss.count || worth->origins.count) {
		section("first-byte", "How long the first byte took", "To clients from the beginning of the request; to origins from when they were asked.", out);
		fputs("<div class=\"card\">", out);
		table_begin("Time to the first byte", "Answers", out);
		table_head("Count", out);
		table_head("Mean", out);
		table_head("50 % within", out);
		table_head("90 % within", out);
		table_head("99 % within", out);
		table_body(out);
		times_row(SLICE("to clients, hits"), &worth->hit, out);
		times_row(SLICE("to clients, from origins"), &worth->miss, out);
		for (size_t i = 0; i < worth->origins.count && (!rows_max || i < rows_max); i++)
			times_row(map_key(&worth->origins, order[i]), map_value(&worth->origins, order[i]), out);
		table_end(out);
		fputs("</div></section>\n", out);
	}
	free(order);
}

/* ---- reasons ---- */

static void reasons_write(const char *title, const struct enum_row *rows, const uint64_t *counts, int count, int skip, FILE *out)
{
	bool any = false;

	for (int i = 0; i < count; i++) {
		if (i == skip || !counts[i]) continue;
		if (!any) {
			fprintf(out, "<details class=\"card\"><summary>%s</summary>", title);
			table_begin(title, "Reason", out);
			table_head("Requests", out);
			table_head_note("What it means", out);
			table_body(out);
		}
		any = true;
		row_begin(rows[i].name, out);
		cell_count(counts[i], out);
		fputs("<td class=\"note\">", out);
		html_prose(out, rows[i].doc);
		fputs("</td></tr>\n", out);
	}
	if (!any) return;
	table_end(out);
	fputs("</details>\n", out);
}

/* ---- one table for each of tbl/tables.h ---- */

static void measure_cell(const struct tally_row *row, enum measure measure, FILE *out)
{
	struct measure_value value = measure_of(row, measure);

	switch (measure_rows[measure].kind) {
	case MEASURE_is_COUNT: cell_count(value.part, out); break;
	case MEASURE_is_BYTES: cell_bytes(value.part, out); break;
	case MEASURE_is_RATIO: cell_ratio(value.part, value.whole, out); break;
	case MEASURE_is_INSTANT: break;
	}
}

static void table_write(const struct tally *t, enum table_id id, size_t rows_max, bool open, FILE *out)
{
	size_t count, *order = tally_order(t, id, &count), shown;
	const struct map *map = &t->tables[id].map;

	if (rows_max && rows_max < ROWS_BY_NAME_MIN && table_rows[id].order == ROWS_by_name) rows_max = ROWS_BY_NAME_MIN;
	shown = rows_max && rows_max < count ? rows_max : count;
	if (!count) goto out;
	fprintf(out, "<details class=\"card\" id=\"table-%s\"%s><summary>%s <span>%zu</span></summary>", table_rows[id].symbol, open ? " open" : "",
		table_rows[id].title, count);
	html_element(out, "p", "lead", slice_str(table_rows[id].doc));
	table_begin(table_rows[id].title, table_rows[id].name, out);
	for (int m = 0; m < MEASURE_COUNT; m++) {
		if (measure_rows[m].kind != MEASURE_is_INSTANT) table_head(measure_rows[m].heading, out);
		if (m == MEASURE_requests) table_head("of which", out);
	}
	table_body(out);
	for (size_t i = 0; i < shown; i++) {
		const struct tally_row *row = map_value(map, order[i]);
		row_begin(map_key(map, order[i]), out);
		for (int m = 0; m < MEASURE_COUNT; m++) {
			measure_cell(row, (enum measure)m, out);
			if (m != MEASURE_requests) continue;
			fprintf(out, "<td class=\"share\" data-v=\"%.6f\">", (double)tally_hits(row) / (double)tally_requests(row));
			shares_bar("bar", row->requests, out);
			fputs("</td>", out);
		}
		fputs("</tr>\n", out);
	}
	table_end(out);
	more_write(count, shown, out);
	fputs("</details>\n", out);
out:
	free(order);
}

/* ---- codings ---- */

static void codings_write(const struct tally *t, FILE *out)
{
	if (!t->codings.count) return;
	fputs("<details class=\"card\" id=\"table-codings\"><summary>Compression <span>by coding</span></summary>", out);
	table_begin("Compression", "Coding", out);
	table_head("Answers", out);
	table_head("For one request", out);
	table_head("Plain bodies", out);
	table_head("Sent", out);
	table_head("Share", out);
	table_body(out);
	for (size_t i = 0; i < t->codings.count; i++) {
		const struct coding_row *row = map_value(&t->codings, i);
		row_begin(map_key(&t->codings, i), out);
		cell_count(row->answers, out);
		cell_count(row->compressed, out);
		cell_bytes(row->plain_bytes, out);
		cell_bytes(row->bytes, out);
		cell_ratio(row->bytes, row->plain_bytes, out);
		fputs("</tr>\n", out);
	}
	table_end(out);
	fputs("</details>\n", out);
}

void page_tables(const struct audit *audit, size_t rows_max, FILE *out)
{
	const struct tally *t = &audit->tally;

	if (!tally_requests(&t->all)) return;
	verdicts_write(t, out);
	costs_write(&audit->worth, out);
	missed_write(&audit->worth, rows_max, out);
	times_write(&audit->worth, rows_max, out);
	section("tables", "By host, volume and everything else", "The bars have the colours of the verdicts above.", out);
	for (int id = 0; id < TABLE_COUNT; id++) table_write(t, (enum table_id)id, rows_max, id == TABLE_hosts || id == TABLE_volumes, out);
	clients_write(&audit->worth, rows_max, out);
	codings_write(t, out);
	reasons_write("Why bodies were sent plain", uncoded_rows, t->uncoded, UNCODED_COUNT, UNCODED_none, out);
	reasons_write("Why answers were not stored", nostore_rows, t->nostores, NOSTORE_COUNT, NOSTORE_none, out);
	reasons_write("Why requests were refused", refusal_rows, t->refusals, REFUSAL_COUNT, REFUSAL_none, out);
	reasons_write("Why requests were not completed", end_rows, t->ends, END_COUNT, END_complete, out);
	fputs("</section>\n", out);
}
