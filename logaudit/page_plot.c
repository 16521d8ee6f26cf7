/* Plots over time. We draw them ourselves, so that they need no scripts; with scripts they can be zoomed. The picture is stretched to
 * the page's width, so the words of its axes stand beside it and not in it. */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "html.h"
#include "page.h"

enum { STEPS = 4, WIDE = 1000, HIGH = 200, CURVES_MAX = 2, LABEL_MAX = 48, TIMES_SHOWN = 5 };

enum unit { UNIT_rate, UNIT_share, UNIT_bytes, UNIT_time };

/* value: of a bucket of so many seconds; NAN: there is none. */
struct curve { const char *label, *key, *draw; double (*value)(const struct series_bucket *b, double seconds); };
struct plot { const char *name, *title; enum unit unit; bool full; struct curve curves[CURVES_MAX]; };

static double share(uint64_t part, uint64_t whole) { return whole ? (double)part / (double)whole : NAN; }
static double of_requests(const struct series_bucket *b, double seconds) { return (double)b->requests / seconds; }
static double of_hits(const struct series_bucket *b, double seconds) { return (double)b->hits / seconds; }
static double of_bytes(const struct series_bucket *b, double seconds) { return (double)b->bytes / seconds; }
static double of_hit_bytes(const struct series_bucket *b, double seconds) { return (double)b->hit_bytes / seconds; }
static double of_ratio(const struct series_bucket *b, double seconds) { (void)seconds; return share(b->hits, b->requests); }
static double of_byte_ratio(const struct series_bucket *b, double seconds) { (void)seconds; return share(b->hit_bytes, b->bytes); }
static double of_errors(const struct series_bucket *b, double seconds) { (void)seconds; return share(b->errors, b->requests); }

static double of_percentile(const struct series_bucket *b, double of)
{
	uint64_t us = times_small_percentile(&b->first, of);

	return us || b->first.classes[0] ? (double)us : NAN;
}

static double of_half(const struct series_bucket *b, double seconds) { (void)seconds; return of_percentile(b, 0.5); }
static double of_most(const struct series_bucket *b, double seconds) { (void)seconds; return of_percentile(b, 0.99); }

static const struct plot plots[] = {
	{ "requests", "Requests per second", UNIT_rate, false,
		{ { "all", "k-origin", "a-origin", of_requests }, { "answered from the store", "k-store", "a-store", of_hits } } },
	{ "ratio", "Hit ratio", UNIT_share, true,
		{ { "by requests", "line k-store", "l-store", of_ratio }, { "by bytes", "line dash k-own", "l-own", of_byte_ratio } } },
	{ "bytes", "Body bytes per second", UNIT_bytes, false,
		{ { "all", "k-origin", "a-origin", of_bytes }, { "from the store", "k-store", "a-store", of_hit_bytes } } },
	{ "first", "Time to the first byte", UNIT_time, false,
		{ { "half within", "line k-store", "l-store", of_half }, { "99 % within", "line dash k-own", "l-own", of_most } } },
	{ "errors", "Errors (5xx), share of requests", UNIT_share, false, { { "errors", "k-error", "a-error", of_errors } } },
};

/* ---- axes ---- */

/* From lo to hi in equal steps; where `log`, each is ten times the one before. */
struct axis { double lo, hi; int steps; bool log; };

/* The step of an axis of STEPS steps that reaches max: 1, 2 or 5 times a power of ten, or a power of two of bytes. */
static double axis_step(double max, enum unit unit)
{
	static const unsigned tens[] = { 1, 2, 5, 10, 20, 50, 100, 200, 500 }, twos[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512 };
	bool bytes = unit == UNIT_bytes;
	double base = bytes ? 1 : 1e-6;

	for (; base < 1e30; base *= bytes ? 1024 : 1000)
		for (size_t i = 0; i < (bytes ? COUNT_OF(twos) : COUNT_OF(tens)); i++) {
			double step = base * (bytes ? twos : tens)[i];
			if (step * STEPS >= max) return step;
		}
	return base;
}

/* Times of a cache and of an origin differ by powers of ten. */
static struct axis axis_of(const struct plot *plot, double min, double max)
{
	struct axis axis = { 0, 1, STEPS, false };

	if (plot->unit == UNIT_time) {
		axis = (struct axis){ 1, 10, 1, true };
		while (axis.lo * 10 <= min) axis.lo *= 10;
		for (axis.hi = axis.lo * 10; axis.hi < max; axis.hi *= 10) axis.steps++;
	} else if (!plot->full) {
		axis.hi = STEPS * axis_step(max > 0 ? max : plot->unit == UNIT_share ? 0.01 : 1, plot->unit);
		if (plot->unit == UNIT_share) axis.hi = fmin(1, axis.hi);
	}
	return axis;
}

/* How far up, 0 to 1. */
static double axis_at(const struct axis *axis, double value)
{
	double at = axis->log ? value > axis->lo ? log(value / axis->lo) / log(axis->hi / axis->lo) : 0 : (value - axis->lo) / (axis->hi - axis->lo);

	return fmin(1, fmax(0, at));
}

/* value, as an axis that ends at `end` says it. */
static const char *axis_label(char out[LABEL_MAX], double value, double end, enum unit unit)
{
	static const char *const sizes[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t size = 0;

	switch (unit) {
	case UNIT_share: snprintf(out, LABEL_MAX, "%.4g %%", 100 * value); break;
	case UNIT_rate: snprintf(out, LABEL_MAX, "%.5g%s", end >= 100000 ? value / 1000 : value, end >= 100000 ? " k" : ""); break;
	case UNIT_time:
		snprintf(out, LABEL_MAX, "%.4g %s", value >= 1e6 ? value / 1e6 : value >= 1000 ? value / 1000 : value, value >= 1e6 ? "s" : value >= 1000 ? "ms" : "us");
		break;
	case UNIT_bytes:
		for (; end >= 2 * 1024 && size + 1 < COUNT_OF(sizes); size++, end /= 1024) value /= 1024;
		snprintf(out, LABEL_MAX, "%.4g %s", value, sizes[size]);
		break;
	}
	return out;
}

static void y_write(const struct plot *plot, const struct axis *axis, FILE *out)
{
	char label[LABEL_MAX];

	fputs("<div class=\"y\" aria-hidden=\"true\">", out);
	for (int i = 0; i <= axis->steps; i++) {
		double value = axis->log ? axis->lo * pow(10, i) : axis->lo + (axis->hi - axis->lo) * i / axis->steps;
		fprintf(out, "<span>%s</span>", axis_label(label, value, axis->hi, plot->unit));
	}
	fputs("</div>", out);
}

/* A time as short as the span allows. */
static const char *time_label(char out[LABEL_MAX], uint64_t t_us, uint64_t span_us)
{
	time_t seconds = (time_t)(t_us / 1000000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm)) return "?";
	size_t len = strftime(out, LABEL_MAX, span_us < UINT64_C(3600) * 1000000 ? "%H:%M:%S" : span_us < UINT64_C(3) * 86400 * 1000000 ? "%d %b %H:%M"
		: span_us < UINT64_C(500) * 86400 * 1000000 ? "%d %b" : "%b %Y", &tm);
	if (span_us < 10 * 1000000) snprintf(out + len, LABEL_MAX - len, ".%02u", (unsigned)(t_us / 10000 % 100));
	return out;
}

static void x_write(const struct series *series, FILE *out)
{
	uint64_t begin = series_start(series, 0), span = series->count * series->width_us;
	char label[LABEL_MAX];

	fputs("<div class=\"x\" aria-hidden=\"true\">", out);
	for (uint64_t i = 0; i < TIMES_SHOWN; i++)
		fprintf(out, "<span>%s</span>", time_label(label, begin + span / (TIMES_SHOWN - 1) * i, span));
	fputs("</div>", out);
}

/* ---- curves ---- */

/* Steps: each bucket is as wide as its time. Areas go down to the axis and back; lines break where there is no value. */
static void curve_write(const struct series *series, const struct curve *curve, const struct axis *axis, FILE *out)
{
	double seconds = (double)series->width_us / 1e6, width = (double)WIDE / (double)series->count;
	bool area = curve->draw[0] == 'a', down = false;

	fprintf(out, "<path class=\"%s\" d=\"", curve->draw);
	for (size_t i = 0; i < series->count; i++) {
		double value = curve->value(&series->buckets[i], seconds), x = width * (double)i;
		double y = HIGH - HIGH * axis_at(axis, isnan(value) ? 0 : value);
		bool none = isnan(value) && !area;
		if (none) {
			down = false;
			continue;
		}
		if (!down && area) fprintf(out, "M%.1f %dV%.1f", x, HIGH, y);
		else if (!down) fprintf(out, "M%.1f %.1f", x, y);
		else fprintf(out, "V%.1f", y);
		fprintf(out, "H%.1f", x + width);
		down = true;
	}
	fprintf(out, "%s\"/>", area && down ? "V200Z" : "");
}

static void extremes(const struct series *series, const struct plot *plot, double *ret_min, double *ret_max)
{
	double seconds = (double)series->width_us / 1e6;

	*ret_min = INFINITY;
	*ret_max = 0;
	for (int c = 0; c < CURVES_MAX && plot->curves[c].value; c++)
		for (size_t i = 0; i < series->count; i++) {
			double value = plot->curves[c].value(&series->buckets[i], seconds);
			if (value > *ret_max) *ret_max = value;
			if (value < *ret_min) *ret_min = value;
		}
	/* No value at all, or zero. */
	if (!(*ret_min >= 1 && *ret_min < INFINITY)) *ret_min = 1;
}

static void plot_write(const struct series *series, const struct plot *plot, FILE *out)
{
	char label[LABEL_MAX];
	struct axis axis;
	double min, max;

	extremes(series, plot, &min, &max);
	axis = axis_of(plot, min, max);
	fprintf(out, "<figure class=\"card\" data-plot=\"%s\"><figcaption><b>%s</b><span class=\"legend\">", plot->name, plot->title);
	for (int c = 0; c < CURVES_MAX && plot->curves[c].value; c++)
		fprintf(out, "<span><i class=\"%s\"></i>%s</span>", plot->curves[c].key, plot->curves[c].label);
	if (max <= 0) fputs("<span>(none)</span>", out);
	fputs("</span></figcaption>\n<div class=\"plot\">", out);
	y_write(plot, &axis, out);
	fprintf(out, "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s over time; highest %s. The figures are in the "
		"table below.\">", WIDE, HIGH, plot->title, axis_label(label, max, max, plot->unit));
	for (int i = 0; i <= axis.steps; i++)
		fprintf(out, "<line class=\"grid\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", WIDE, HIGH * i / axis.steps, HIGH * i / axis.steps);
	for (int c = 0; c < CURVES_MAX && plot->curves[c].value; c++) curve_write(series, &plot->curves[c], &axis, out);
	fputs("</svg>", out);
	x_write(series, out);
	fputs("</div></figure>\n", out);
}

/* ---- the figures themselves ---- */

static void table_write(const struct series *series, FILE *out)
{
	char n[SHOW_NUMBER_MAX], time[SHOW_TIME_MAX];
	int digits = series->width_us % 1000000 ? 23 : 19;   /* of the time: with or without what is less than a second */

	fputs("<details class=\"card\"><summary>The figures of these plots, as a table</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"Figures over time\"><table><caption class=\"hidden\">Figures over time, UTC</caption><thead><tr><th scope=\"col\">From (UTC)</th>"
		"<th scope=\"col\">Requests</th><th scope=\"col\">Hits</th><th scope=\"col\">Hit ratio</th><th scope=\"col\">Bytes</th><th scope=\"col\">Hit bytes</th>"
		"<th scope=\"col\">5xx</th><th scope=\"col\">Half within</th><th scope=\"col\">99 % within</th></tr></thead><tbody>\n", out);
	for (size_t i = 0; i < series->count; i++) {
		const struct series_bucket *b = &series->buckets[i];
		if (!b->requests) continue;
		fprintf(out, "<tr><th scope=\"row\">%.*s</th><td>%s</td>", digits, show_time(time, series_start(series, i)), show_count(n, b->requests));
		fprintf(out, "<td>%s</td>", show_count(n, b->hits));
		fprintf(out, "<td>%s</td>", show_ratio(n, b->hits, b->requests));
		fprintf(out, "<td>%s</td>", show_bytes(n, b->bytes));
		fprintf(out, "<td>%s</td>", show_bytes(n, b->hit_bytes));
		fprintf(out, "<td>%s</td>", show_count(n, b->errors));
		fprintf(out, "<td>%s</td>", show_span(n, times_small_percentile(&b->first, 0.5)));
		fprintf(out, "<td>%s</td></tr>\n", show_span(n, times_small_percentile(&b->first, 0.99)));
	}
	fputs("</tbody></table></div></details>\n", out);
}

/* Numbers only: nothing of the log's texts is in it. null: no value. */
static void data_write(const struct series *series, FILE *out)
{
	double seconds = (double)series->width_us / 1e6;

	fprintf(out, "<script type=\"application/json\" id=\"series\">{\"width\":%.2f,\"t\":[", seconds);
	for (size_t i = 0; i < series->count; i++) fprintf(out, "%s%.2f", i ? "," : "", (double)series_start(series, i) / 1e6);
	fputs("],\"plots\":{", out);
	for (size_t p = 0; p < COUNT_OF(plots); p++) {
		fprintf(out, "%s\"%s\":{\"unit\":%d,\"full\":%s,\"curves\":[", p ? "," : "", plots[p].name, (int)plots[p].unit, plots[p].full ? "true" : "false");
		for (int c = 0; c < CURVES_MAX && plots[p].curves[c].value; c++) {
			fprintf(out, "%s[", c ? "," : "");
			for (size_t i = 0; i < series->count; i++) {
				double value = plots[p].curves[c].value(&series->buckets[i], seconds);
				fprintf(out, isnan(value) ? "%snull" : "%s%.6g", i ? "," : "", value);
			}
			fputc(']', out);
		}
		fputs("]}", out);
	}
	fputs("}}</script>\n", out);
}

void page_plots(const struct series *series, FILE *out)
{
	char width[SHOW_NUMBER_MAX];

	if (!series->count) return;
	fprintf(out, "<section aria-labelledby=\"time\"><h2 id=\"time\">Over time</h2>\n<p class=\"lead\">UTC; each step is %s.</p>\n<div class=\"plots\">\n",
		show_span(width, series->width_us));
	for (size_t i = 0; i < COUNT_OF(plots); i++) plot_write(series, &plots[i], out);
	fputs("</div>\n", out);
	table_write(series, out);
	data_write(series, out);
	fputs("</section>\n", out);
}
