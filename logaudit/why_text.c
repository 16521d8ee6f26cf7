/* What happened to a URL, as text of at most 100 columns. */
#include "report.h"
#include "rule.h"
#include "show.h"
#include "why.h"

enum { WIDTH = 100, RUNS_SHOWN = 24, VALUES_SHOWN = 8, PATH_WIDTH = 50, SEEN_PATH_WIDTH = 20, RUN_PATH_WIDTH = 16 };

/* access.csv:38; of a path that is wider than `width` only the end. */
static char *place_show(char out[SHOW_TEXT_MAX], const struct audit *audit, struct place at, size_t width)
{
	char path[SHOW_TEXT_MAX];
	const char *tail = show_text(path, slice_str(audit_path(audit, at)), 0);
	size_t len = strlen(tail);

	if (len > width) {
		tail += len - (width - 3);
		while ((*tail & 0xc0) == 0x80) tail++;   /* not within a character */
	}
	snprintf(out, SHOW_TEXT_MAX, "%s%s:%" PRIu64, len > width ? "..." : "", tail, at.line);
	return out;
}

static void url_text(const struct why_url *url, FILE *out)
{
	char host[SHOW_TEXT_MAX], target[SHOW_TEXT_MAX];

	show_text(host, url->host_port, 0);
	show_text(target, url->target, 0);
	fprintf(out, "%.*s%s%s%s", SLICE_ARG(url->scheme), url->scheme.len ? "://" : "", host, target);
}

/* ---- nothing ---- */

static void nothing_text(const struct why *why, const struct audit *audit, FILE *out)
{
	char text[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX];

	fprintf(out, "No request for ");
	url_text(&why->url, out);
	fprintf(out, "\nis among the %s lines that were read%s.\n", show_count(n, audit->lines_counted),
		audit->lines_counted ? "" : ": is it the right file?");
	for (size_t i = 0; i < why->near_count; i++)
		fprintf(out, "%s %s\n", i ? "        " : "Nearest:", show_text(text, slice_str(why->near[i].text), WIDTH - 9));
}

/* ---- the requests ---- */

static void verdicts_text(const struct why *why, FILE *out)
{
	char text[VERDICT_COUNT * 48], n[SHOW_NUMBER_MAX], h[SHOW_NUMBER_MAX], r[SHOW_NUMBER_MAX];
	uint64_t hits = why->verdicts[VERDICT_hit] + why->verdicts[VERDICT_hit_stale] + why->verdicts[VERDICT_revalidated];
	size_t len = 0;

	for (int i = 0; i < VERDICT_COUNT; i++)
		if (why->verdicts[i])
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %s", len ? ", " : "", show_count(n, why->verdicts[i]), verdict_rows[i].name.ptr);
	fprintf(out, "          %s = %s of %s from the store\n", show_ratio(r, hits, why->requests.count), show_count(h, hits),
		show_count(n, why->requests.count));
	show_wrapped(out, "          ", 10, WIDTH, text);
}

static void requests_text(const struct why *why, FILE *out)
{
	char n[SHOW_NUMBER_MAX], h[SHOW_NUMBER_MAX], first[SHOW_TIME_MAX], last[SHOW_TIME_MAX];

	fprintf(out, "Requests  %s from %s to %s UTC\n", show_count(n, why->requests.count), show_time(first, why->requests.first_us),
		show_time(last, why->requests.last_us));
	verdicts_text(why, out);
	if (why->methods) fprintf(out, "          %s of them with another method than GET and HEAD\n", show_count(n, why->methods));
	if (why->hosts.count < 2) return;
	fprintf(out, "Hosts     %zu have this target; name one of them to see it alone\n", why->hosts.count);
	for (size_t i = 0; i < why->hosts.count && i < VALUES_SHOWN; i++) {
		const struct why_host *host = map_value(&why->hosts, i);
		char name[SHOW_TEXT_MAX];
		fprintf(out, "          %-40s %s of %s from the store\n", show_text(name, map_key(&why->hosts, i), 40), show_count(h, host->hits),
			show_count(n, host->requests));
	}
	if (why->hosts.count > VALUES_SHOWN) fprintf(out, "          ... and %zu more (--json shows all)\n", why->hosts.count - VALUES_SHOWN);
}

static void run_text(const struct audit *audit, const struct why_run *run, FILE *out)
{
	const struct why_event *e = run->first;
	char time[SHOW_TIME_MAX], n[SHOW_NUMBER_MAX], place[SHOW_TEXT_MAX];
	const char *what = e->rec == REC_req ? verdict_rows[e->cache].name.ptr : record_rows[e->rec].name.ptr;

	fprintf(out, "  %-23s %9s x %-13s %3u %-18s %s\n", show_time(time, e->visit.t_us), show_count(n, run->count), what, e->status,
		e->reason == REASON_answered ? "" : reason_row(e->reason).name, place_show(place, audit, e->at, RUN_PATH_WIDTH));
}

static void timeline_text(const struct why *why, const struct audit *audit, FILE *out)
{
	size_t from = 0, to = why->run_count;
	char n[SHOW_NUMBER_MAX];

	fprintf(out, "\n%-25s %11s %-13s %s\n", "In order of time", "requests", "verdict", "status, why, first line");
	if (why->run_count > RUNS_SHOWN) {
		from = RUNS_SHOWN / 2;
		to = why->run_count - RUNS_SHOWN / 2;
	}
	for (size_t i = 0; i < why->run_count; i++) {
		if (from && i == from) {
			fprintf(out, "  ... %s more changes (--json shows all)\n", show_count(n, to - from));
			i = to;
		}
		run_text(audit, &why->runs[i], out);
	}
	if (why->unordered)
		fprintf(out, "  %s more, read later: counted above, but not shown here, and misses among them have no cause below\n",
			show_count(n, why->unordered));
}

/* ---- reasons ---- */

static void reason_text(const struct why *why, const struct audit *audit, int reason, FILE *out)
{
	const struct seen *seen = &why->reasons[reason];
	struct reason_row row = reason_row(reason);
	char n[SHOW_NUMBER_MAX], all[SHOW_NUMBER_MAX], r[SHOW_NUMBER_MAX], time[SHOW_TIME_MAX], place[SHOW_TEXT_MAX];

	fprintf(out, "\n%s: %s of %s requests (%s)\n", row.name, show_count(n, seen->count), show_count(all, why->requests.count),
		show_ratio(r, seen->count, why->requests.count));
	show_wrapped(out, "  what      ", 12, WIDTH, row.doc);
	if (row.advice[0]) show_wrapped(out, "  advice    ", 12, WIDTH, row.advice);
	fprintf(out, "  since     %s, %s\n", show_time(time, seen->first_us), place_show(place, audit, seen->first, PATH_WIDTH));
	if (seen->count > 1) fprintf(out, "  last      %s, %s\n", show_time(time, seen->last_us), place_show(place, audit, seen->last, PATH_WIDTH));
}

static void reasons_text(const struct why *why, const struct audit *audit, FILE *out)
{
	int order[REASON_COUNT];
	size_t count = why_order(why, order);

	fprintf(out, "\nWhy it was not answered from the store%s\n", count ? "" : ": it always was");
	for (size_t i = 0; i < count; i++) reason_text(why, audit, order[i], out);
}

/* ---- the answer ---- */

static void values_text(const char *first, const struct map *map, const char *unit, FILE *out)
{
	char text[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX];

	for (size_t i = 0; i < map->count && i < VALUES_SHOWN; i++)
		fprintf(out, "%s%s%s (%s requests)\n", i ? "          " : first, show_text(text, map_key(map, i), 64), unit,
			show_count(n, *(uint64_t *)map_value(map, i)));
	if (map->count > VALUES_SHOWN) fprintf(out, "          ... and %zu more (--json shows all)\n", map->count - VALUES_SHOWN);
}

static void seen_text(const char *first, const struct seen *seen, const char *what, const struct audit *audit, FILE *out)
{
	char n[SHOW_NUMBER_MAX], time[SHOW_TIME_MAX], place[SHOW_TEXT_MAX];

	if (seen->count)
		fprintf(out, "%s%s time%s%s, last %s, %s\n", first, show_count(n, seen->count), seen->count == 1 ? "" : "s", what,
			show_time(time, seen->last_us), place_show(place, audit, seen->last, SEEN_PATH_WIDTH));
}

static void answer_text(const struct why *why, const struct audit *audit, FILE *out)
{
	char n[SHOW_NUMBER_MAX], by[SHOW_TEXT_MAX];

	fputc('\n', out);
	values_text("Volume    ", &why->volumes, "", out);
	values_text("Lifetime  ", &why->lifetimes, " s", out);
	values_text("Control   ", &why->controls, "", out);
	values_text("Vary      ", &why->varies, "", out);
	if (why->variants.count)
		fprintf(out, "Variants  %s%s\n", show_count(n, why->variants.count), why->varies.count ? "" : ": the answer has no Vary");
	seen_text("Stored    ", &why->stored, "", audit, out);
	if (why->stored.count) {
		fprintf(out, "          by %s", show_text(by, slice_str(why->stored_by), 60));
		if (why->object_bytes >= 0) fprintf(out, "; %s bytes", show_count(n, (uint64_t)why->object_bytes));
		fputc('\n', out);
	} else if (!why->missing[LOG_FIELD_stored]) {
		fprintf(out, "Stored    never in these lines\n");
	}
	seen_text("Refreshed ", &why->refreshed, " in the background", audit, out);
	seen_text("Purged    ", &why->purged, "", audit, out);
}

/* What the answer would have said. */
static void missing_text(const struct why *why, FILE *out)
{
	bool any = false;

	for (int i = 0; i < LOG_FIELD_COUNT; i++) {
		if (!why->missing[i] || !why_needs((enum log_field)i)) continue;
		fprintf(out, "%s%.*s", any ? ", " : "\nCannot tell all: a header line lacks ", SLICE_ARG(log_field_rows[i].name));
		any = true;
	}
	if (any) fputc('\n', out);
}

void why_text(const struct why *why, const struct audit *audit, FILE *out)
{
	if (!why->requests.count && !why->event_count) {
		nothing_text(why, audit, out);
		missing_text(why, out);
		return;
	}
	fprintf(out, "URL       ");
	url_text(&why->url, out);
	fputc('\n', out);
	lines_text(audit, out);
	if (why->requests.count) requests_text(why, out);
	timeline_text(why, audit, out);
	if (why->requests.count) reasons_text(why, audit, out);
	answer_text(why, audit, out);
	missing_text(why, out);
}
