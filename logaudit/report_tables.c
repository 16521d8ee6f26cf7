/* The figures of the report as text. */
#include "grid.h"
#include "report.h"
#include "why.h"

enum { ROWS_BY_NAME_MIN = 24 };

/* ---- what the cache did, and for whom ---- */

static void verdicts_text(const struct tally *t, const struct paper *paper)
{
	uint64_t requests = tally_requests(&t->all), bytes = tally_bytes(&t->all);
	struct grid grid;

	grid_init(&grid, "What the cache did");
	grid_column(&grid, "requests");
	grid_column(&grid, "share");
	grid_column(&grid, "bytes");
	grid_column(&grid, "share");
	for (int i = 0; i < VERDICT_COUNT; i++) {
		if (!t->all.requests[i]) continue;
		grid_row(&grid, verdict_rows[i].name);
		grid_count(&grid, t->all.requests[i]);
		grid_ratio(&grid, t->all.requests[i], requests);
		grid_bytes(&grid, t->all.bytes[i]);
		grid_ratio(&grid, t->all.bytes[i], bytes);
	}
	grid_print(&grid, paper);
	show_wrapped(paper->out, "  ", 2, paper->width, "Hits are hit, hit_stale and revalidated; collapsed, pass, error and all others count as requests only.");
}

static void measure_add(struct grid *grid, const struct tally_row *row, enum measure measure)
{
	struct measure_value value = measure_of(row, measure);

	switch (measure_rows[measure].kind) {
	case MEASURE_is_COUNT: grid_count(grid, value.part); break;
	case MEASURE_is_BYTES: grid_bytes(grid, value.part); break;
	case MEASURE_is_RATIO: grid_ratio(grid, value.part, value.whole); break;
	case MEASURE_is_INSTANT: break;
	}
}

static bool measure_fits(int measure, const struct paper *paper)
{
	return measure_rows[measure].columns && measure_rows[measure].columns <= paper->width;
}

static void more_text(size_t count, size_t shown, const struct paper *paper)
{
	char n[SHOW_NUMBER_MAX];

	if (shown < count) fprintf(paper->out, "  ... and %s more (--limit 0 shows all)\n", show_count(n, count - shown));
}

static void table_text(const struct tally *t, enum table_id id, size_t rows_max, const struct paper *paper)
{
	size_t count, *order = tally_order(t, id, &count), shown;
	const struct map *map = &t->tables[id].map;
	struct grid grid;

	/* Half of a day would say nothing. */
	if (rows_max && rows_max < ROWS_BY_NAME_MIN && table_rows[id].order == ROWS_by_name) rows_max = ROWS_BY_NAME_MIN;
	shown = rows_max && rows_max < count ? rows_max : count;
	grid_init(&grid, table_rows[id].title);
	for (int m = 0; m < MEASURE_COUNT; m++)
		if (measure_fits(m, paper)) grid_column(&grid, measure_rows[m].heading);
	for (size_t i = 0; i < shown; i++) {
		grid_row(&grid, map_key(map, order[i]));
		for (int m = 0; m < MEASURE_COUNT; m++)
			if (measure_fits(m, paper)) measure_add(&grid, map_value(map, order[i]), (enum measure)m);
	}
	grid_print(&grid, paper);
	more_text(count, shown, paper);
	free(order);
}

/* ---- reasons ---- */

/* Rows of an enumeration with their sentences, all but the row `skip`. */
static void reasons_of(const char *title, const struct enum_row *rows, const uint64_t *counts, int count, int skip, const struct paper *paper)
{
	struct grid grid;

	grid_init(&grid, title);
	grid_column(&grid, "requests");
	for (int i = 0; i < count; i++) {
		if (i == skip || !counts[i]) continue;
		grid_row(&grid, rows[i].name);
		grid_count(&grid, counts[i]);
		grid_note(&grid, rows[i].doc);
	}
	grid_print(&grid, paper);
}

static void costs_text(const struct worth *worth, const struct paper *paper)
{
	int order[NOSTORE_COUNT], count = worth_order(worth, order);
	struct grid grid;

	grid_init(&grid, "What it costs not to store");
	grid_column(&grid, "requests");
	grid_column(&grid, "hit ratio");
	grid_column(&grid, "bytes");
	for (int i = 0; i < count; i++) {
		grid_row(&grid, nostore_rows[order[i]].name);
		grid_count(&grid, worth->repeats[order[i]]);
		grid_ratio(&grid, worth->repeats[order[i]], worth->requests);
		grid_bytes(&grid, worth->repeat_bytes[order[i]]);
		grid_note(&grid, reason_row(REASON_nostore + order[i]).advice);
	}
	grid_print(&grid, paper);
	if (count) show_wrapped(paper->out, "  ", 2, paper->width, "Requests for pages that had been asked for before: at most so many more hits.");
}

/* ---- origins ---- */

static void origin_text(const struct tally *t, const struct paper *paper)
{
	char n[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], s[SHOW_NUMBER_MAX], u[SHOW_NUMBER_MAX], line[256];
	int len = snprintf(line, sizeof(line), "asked %s times, %s of bodies read; %s answers stored", show_count(n, t->all.origin_tries),
		show_bytes(b, t->all.origin_bytes), show_count(s, t->stored));

	if (t->unstored) snprintf(line + len, sizeof(line) - (size_t)len, ", %s of them not after all", show_count(u, t->unstored));
	fputc('\n', paper->out);
	show_wrapped(paper->out, "Origins   ", 10, paper->width, line);
}

static void times_row(struct grid *grid, struct slice name, const struct times *times)
{
	if (!times->count) return;
	grid_row(grid, name);
	grid_count(grid, times->count);
	grid_span(grid, times_percentile(times, 0.5));
	grid_span(grid, times_percentile(times, 0.9));
	grid_span(grid, times_percentile(times, 0.99));
}

static void times_text(const struct worth *worth, size_t rows_max, const struct paper *paper)
{
	size_t *order = worth_origins(worth);
	struct grid grid;

	grid_init(&grid, "First byte within");
	grid_column(&grid, "answers");
	grid_column(&grid, "50 %");
	grid_column(&grid, "90 %");
	grid_column(&grid, "99 %");
	times_row(&grid, SLICE("to clients, hits"), &worth->hit);
	times_row(&grid, SLICE("to clients, from origins"), &worth->miss);
	for (size_t i = 0; i < worth->origins.count && (!rows_max || i < rows_max); i++)
		times_row(&grid, map_key(&worth->origins, order[i]), map_value(&worth->origins, order[i]));
	free(order);
	if (grid.count) {
		grid_print(&grid, paper);
		fprintf(paper->out, "  Times are at most 12.5 %% too long.\n");
	}
}

/* ---- codings ---- */

static void codings_text(const struct tally *t, const struct paper *paper)
{
	struct grid grid;

	grid_init(&grid, "Compression");
	grid_column(&grid, "answers");
	grid_column(&grid, "for one request");
	grid_column(&grid, "plain bodies");
	grid_column(&grid, "sent");
	grid_column(&grid, "share");
	for (size_t i = 0; i < t->codings.count; i++) {
		const struct coding_row *row = map_value(&t->codings, i);
		grid_row(&grid, map_key(&t->codings, i));
		grid_count(&grid, row->answers);
		grid_count(&grid, row->compressed);
		grid_bytes(&grid, row->plain_bytes);
		grid_bytes(&grid, row->bytes);
		grid_ratio(&grid, row->bytes, row->plain_bytes);
	}
	grid_print(&grid, paper);
}

static void uncoded_text(const struct tally *t, const struct paper *paper)
{
	struct grid grid;

	grid_init(&grid, "Why bodies were sent plain");
	grid_column(&grid, "requests");
	grid_column(&grid, "share");
	grid_column(&grid, "bytes");
	grid_column(&grid, "share");
	for (int i = UNCODED_none + 1; i < UNCODED_COUNT; i++) {
		if (!t->uncoded[i]) continue;
		grid_row(&grid, uncoded_rows[i].name);
		grid_count(&grid, t->uncoded[i]);
		grid_ratio(&grid, t->uncoded[i], tally_requests(&t->all));
		grid_bytes(&grid, t->uncoded_bytes[i]);
		grid_ratio(&grid, t->uncoded_bytes[i], tally_bytes(&t->all));
		grid_note(&grid, uncoded_rows[i].doc);
	}
	grid_print(&grid, paper);
}

/* ---- the most frequent ---- */

/* What the counts of a sketch are worth. */
static void error_text(const struct heavy *heavy, const struct paper *paper)
{
	char n[SHOW_NUMBER_MAX], line[160];

	if (!heavy->floor) return;
	snprintf(line, sizeof(line), "There are more than the %zu that are told apart: a count may be too high by its error, at most %s.",
		heavy->places, show_count(n, heavy->floor));
	show_wrapped(paper->out, "  ", 2, paper->width, line);
}

static void missed_text(const struct worth *worth, size_t rows_max, const struct paper *paper)
{
	size_t *order = heavy_order(&worth->missed), shown = rows_max && rows_max < worth->missed.count ? rows_max : worth->missed.count;
	char text[REASONS_TEXT_MAX];
	struct grid grid;

	grid_init(&grid, "URLs most often missed");
	grid_column(&grid, "missed");
	if (worth->missed.floor) grid_column(&grid, "error");
	grid_column(&grid, "from origin");
	for (size_t i = 0; i < shown; i++) {
		struct missed missed = *(struct missed *)heavy_value(&worth->missed, order[i]);
		grid_row(&grid, heavy_name(&worth->missed, order[i]));
		grid_count(&grid, worth->missed.entries[order[i]].count);
		if (worth->missed.floor) grid_count(&grid, worth->missed.entries[order[i]].error);
		grid_bytes(&grid, missed.origin_bytes);
		grid_note(&grid, reasons_show(text, &missed.reasons));
	}
	grid_print(&grid, paper);
	more_text(worth->missed.count, shown, paper);
	error_text(&worth->missed, paper);
	free(order);
}

static void clients_text(const struct worth *worth, size_t rows_max, const struct paper *paper)
{
	size_t *order = heavy_order(&worth->clients), shown = rows_max && rows_max < worth->clients.count ? rows_max : worth->clients.count;
	struct grid grid;

	grid_init(&grid, "Clients");
	grid_column(&grid, "requests");
	if (worth->clients.floor) grid_column(&grid, "error");
	grid_column(&grid, "hit ratio");
	grid_column(&grid, "bytes");
	grid_column(&grid, "5xx");
	for (size_t i = 0; i < shown; i++) {
		const struct heavy_entry *entry = &worth->clients.entries[order[i]];
		const struct client *client = heavy_value(&worth->clients, order[i]);
		grid_row(&grid, heavy_name(&worth->clients, order[i]));
		grid_count(&grid, entry->count);
		if (worth->clients.floor) grid_count(&grid, entry->error);
		grid_ratio(&grid, client->hits, entry->count - entry->error);
		grid_bytes(&grid, client->bytes);
		grid_count(&grid, client->errors);
	}
	grid_print(&grid, paper);
	more_text(worth->clients.count, shown, paper);
	error_text(&worth->clients, paper);
	free(order);
}

void tables_text(const struct audit *audit, size_t rows_max, const struct paper *paper)
{
	const struct tally *t = &audit->tally;

	if (tally_told(&t->all)) verdicts_text(t, paper);
	costs_text(&audit->worth, paper);
	reasons_of("Why answers were not stored", nostore_rows, t->nostores, NOSTORE_COUNT, NOSTORE_none, paper);
	missed_text(&audit->worth, rows_max, paper);
	times_text(&audit->worth, rows_max, paper);
	origin_text(t, paper);
	codings_text(t, paper);
	uncoded_text(t, paper);
	reasons_of("Why requests were refused", refusal_rows, t->refusals, REFUSAL_COUNT, REFUSAL_none, paper);
	reasons_of("Why requests were not completed", end_rows, t->ends, END_COUNT, END_complete, paper);
	for (int id = 0; id < TABLE_COUNT; id++) table_text(t, (enum table_id)id, rows_max, paper);
	clients_text(&audit->worth, rows_max, paper);
}
