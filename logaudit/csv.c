/* The report as CSV (RFC 4180): section,name,measure,value, one number or text a line, so that the columns stay the same whatever
 * is added. A ratio is left out: part and whole are there. */
#include <inttypes.h>

#include "judge.h"
#include "report.h"
#include "why.h"

/* Quoted always: names come from the log. Lines end as the RFC has it. */
static void put_quoted(FILE *out, struct slice text)
{
	char shown[SHOW_TEXT_MAX];

	fputc('"', out);
	for (const char *c = show_text(shown, text, 0); *c; c++) {
		if (*c == '"') fputc('"', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

static void put(FILE *out, const char *section, struct slice name, const char *measure, uint64_t value)
{
	fprintf(out, "%s,", section);
	put_quoted(out, name);
	fprintf(out, ",%s,%" PRIu64 "\r\n", measure, value);
}

static void put_words(FILE *out, const char *section, struct slice name, const char *measure, struct slice value)
{
	fprintf(out, "%s,", section);
	put_quoted(out, name);
	fprintf(out, ",%s,", measure);
	put_quoted(out, value);
	fputs("\r\n", out);
}

/* ---- counts ---- */

static void put_row(FILE *out, const char *section, struct slice name, const struct tally_row *row)
{
	char measure[64];

	for (int i = 0; i < MEASURE_COUNT; i++)
		if (measure_rows[i].kind != MEASURE_is_RATIO) put(out, section, name, measure_rows[i].name, measure_of(row, (enum measure)i).part);
	for (int i = 0; i < VERDICT_COUNT; i++) {
		if (!row->requests[i]) continue;
		snprintf(measure, sizeof(measure), "requests.%s", verdict_rows[i].name.ptr);
		put(out, section, name, measure, row->requests[i]);
		snprintf(measure, sizeof(measure), "bytes.%s", verdict_rows[i].name.ptr);
		put(out, section, name, measure, row->bytes[i]);
	}
}

static void put_counts(FILE *out, const char *section, const struct enum_row *rows, const uint64_t *counts, int count)
{
	for (int i = 0; i < count; i++)
		if (counts[i]) put(out, section, rows[i].name, "requests", counts[i]);
}

static void put_codings(const struct tally *t, FILE *out)
{
	for (size_t i = 0; i < t->codings.count; i++) {
		const struct coding_row *row = map_value(&t->codings, i);
		struct slice name = map_key(&t->codings, i);
		put(out, "coding", name, "answers", row->answers);
		put(out, "coding", name, "compressed", row->compressed);
		put(out, "coding", name, "plain_bytes", row->plain_bytes);
		put(out, "coding", name, "bytes", row->bytes);
	}
	for (int i = 0; i < UNCODED_COUNT; i++) {
		if (!t->uncoded[i]) continue;
		put(out, "uncoded", uncoded_rows[i].name, "requests", t->uncoded[i]);
		put(out, "uncoded", uncoded_rows[i].name, "bytes", t->uncoded_bytes[i]);
	}
}

static void put_tally(const struct tally *t, FILE *out)
{
	struct slice none = { NULL, 0 };

	put_row(out, "total", none, &t->all);
	put(out, "total", none, "stored", t->stored);
	put(out, "total", none, "unstored", t->unstored);
	put(out, "total", none, "unstored_bytes", t->unstored_bytes);
	put(out, "total", none, "lost", t->lost);
	for (int id = 0; id < TABLE_COUNT; id++) {
		size_t count, *order = tally_order(t, (enum table_id)id, &count);
		for (size_t i = 0; i < count; i++)
			put_row(out, table_rows[id].name, map_key(&t->tables[id].map, order[i]), map_value(&t->tables[id].map, order[i]));
		free(order);
	}
	put_counts(out, "nostore", nostore_rows, t->nostores, NOSTORE_COUNT);
	put_counts(out, "end", end_rows, t->ends, END_COUNT);
	put_counts(out, "refusal", refusal_rows, t->refusals, REFUSAL_COUNT);
	put_codings(t, out);
}

/* ---- worth ---- */

static void put_times(FILE *out, const char *section, struct slice name, const struct times *times)
{
	if (!times->count) return;
	put(out, section, name, "count", times->count);
	put(out, section, name, "mean_us", times_mean(times));
	put(out, section, name, "p50_us", times_percentile(times, 0.5));
	put(out, section, name, "p90_us", times_percentile(times, 0.9));
	put(out, section, name, "p99_us", times_percentile(times, 0.99));
}

static void put_frequent(const struct worth *worth, FILE *out)
{
	size_t *missed = heavy_order(&worth->missed), *clients = heavy_order(&worth->clients);

	for (size_t i = 0; i < worth->missed.count; i++) {
		struct missed row = *(struct missed *)heavy_value(&worth->missed, missed[i]);
		struct slice name = heavy_name(&worth->missed, missed[i]);
		char text[REASONS_TEXT_MAX];
		put(out, "missed", name, "missed", worth->missed.entries[missed[i]].count);
		put(out, "missed", name, "error", worth->missed.entries[missed[i]].error);
		put(out, "missed", name, "origin_bytes_in", row.origin_bytes);
		put_words(out, "missed", name, "reasons", slice_str(reasons_show(text, &row.reasons)));
	}
	for (size_t i = 0; i < worth->clients.count; i++) {
		const struct client *row = heavy_value(&worth->clients, clients[i]);
		struct slice name = heavy_name(&worth->clients, clients[i]);
		put(out, "client", name, "requests", worth->clients.entries[clients[i]].count);
		put(out, "client", name, "error", worth->clients.entries[clients[i]].error);
		put(out, "client", name, "hits", row->hits);
		put(out, "client", name, "bytes", row->bytes);
		put(out, "client", name, "errors", row->errors);
	}
	free(missed);
	free(clients);
}

static void put_series(const struct series *series, FILE *out)
{
	char name[SHOW_NUMBER_MAX];

	for (size_t i = 0; i < series->count; i++) {
		const struct series_bucket *b = &series->buckets[i];
		struct slice at = slice_make(name, (size_t)snprintf(name, sizeof(name), "%" PRIu64, series_start(series, i)));
		put(out, "series", at, "width_us", series->width_us);
		put(out, "series", at, "requests", b->requests);
		put(out, "series", at, "hits", b->hits);
		put(out, "series", at, "asked", b->asked);
		put(out, "series", at, "bytes", b->bytes);
		put(out, "series", at, "hit_bytes", b->hit_bytes);
		put(out, "series", at, "errors", b->errors);
		put(out, "series", at, "p50_us", times_small_percentile(&b->first, 0.5));
		put(out, "series", at, "p99_us", times_small_percentile(&b->first, 0.99));
	}
}

static void put_worth(const struct worth *worth, FILE *out)
{
	size_t *origins = worth_origins(worth);
	int order[NOSTORE_COUNT], count = worth_order(worth, order);
	struct slice none = { NULL, 0 };

	for (int i = 0; i < count; i++) {
		put(out, "cost", nostore_rows[order[i]].name, "requests", worth->repeats[order[i]]);
		put(out, "cost", nostore_rows[order[i]].name, "bytes", worth->repeat_bytes[order[i]]);
	}
	put(out, "total", none, "potential_hits", worth_potential(worth));
	put(out, "saved", none, "requests", worth->saved.requests);
	put(out, "saved", none, "bytes", worth->saved.bytes);
	put(out, "saved", none, "refreshes", worth->saved.refreshes);
	put(out, "saved", none, "refresh_bytes", worth->saved.refresh_bytes);
	put(out, "saved", none, "wait_us", worth_saved_us(worth));
	put_times(out, "first_byte", SLICE("hit"), &worth->hit);
	put_times(out, "first_byte", SLICE("miss"), &worth->miss);
	for (size_t i = 0; i < worth->origins.count; i++)
		put_times(out, "origin_first_byte", map_key(&worth->origins, origins[i]), map_value(&worth->origins, origins[i]));
	put_frequent(worth, out);
	put_series(&worth->series, out);
	free(origins);
}

/* ---- all ---- */

static void put_findings(const struct audit *audit, FILE *out)
{
	struct judgement judgement = judge_audit(audit);
	struct slice none = { NULL, 0 };

	put_words(out, "verdict", none, "verdict", slice_str(judged_names[judgement.judged]));
	put_words(out, "verdict", none, "text", slice_str(judgement.text));
	for (size_t i = 0; i < audit->findings.count; i++) {
		const struct finding *f = &audit->findings.rows[i];
		char name[SHOW_TEXT_MAX];
		struct slice of = slice_make(name, (size_t)snprintf(name, sizeof(name), "%s: %s", f->rule->id, f->subject));
		if (of.len >= sizeof(name)) of.len = sizeof(name) - 1;
		put_words(out, "finding", of, "severity", slice_str(severity_names[f->severity]));
		put(out, "finding", of, "count", f->count);
		put_words(out, "finding", of, "cause", slice_str(f->cause));
		put_words(out, "finding", of, "cure", slice_str(f->cure));
		if (!f->evidence.count) continue;
		put_words(out, "finding", of, "file", slice_str(audit_path(audit, f->evidence.at[0])));
		put(out, "finding", of, "line", f->evidence.at[0].line);
	}
}

void report_csv(const struct audit *audit, FILE *out)
{
	struct slice none = { NULL, 0 };

	fputs("section,name,measure,value\r\n", out);
	put(out, "lines", none, "read", audit->lines_read);
	put(out, "lines", none, "counted", audit->lines_counted);
	put(out, "lines", none, "left_out", audit->lines_left_out);
	put(out, "lines", none, "rejected", audit->lines_rejected);
	if (audit->filter) put_words(out, "lines", none, "filter", slice_str(audit->filter->words));
	put(out, "lines", none, "header", audit->lines_header);
	for (int i = 0; i < REJECT_COUNT; i++)
		if (audit->rejects[i].group.count) put(out, "rejected", slice_str(reject_rows[i].name), "lines", audit->rejects[i].group.count);
	put_findings(audit, out);
	put_tally(&audit->tally, out);
	put_worth(&audit->worth, out);
}
