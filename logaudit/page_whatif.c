/* The page of `logaudit whatif`: hit ratios by size, as curves and as a table. No script is needed. */
#include "html.h"
#include "page.h"
#include "show.h"
#include "whatif.h"

enum { WIDE = 1000, HIGH = 200, GRID = 5 };

/* The sizes that are worth a point: first and last of them. */
struct range { int first, last; };

static struct range range_of(const struct mrc *mrc)
{
	struct range range = { MRC_SIZES, -1 };

	for (int i = 0; i < MRC_SIZES; i++) {
		if (!whatif_is_shown(mrc, i)) continue;
		if (i < range.first) range.first = i;
		range.last = i;
	}
	return range;
}

/* Sizes go up by equal factors: equal steps make a logarithmic axis. */
static double x_of(struct range range, int i)
{
	return range.last > range.first ? (double)WIDE * (i - range.first) / (range.last - range.first) : 0;
}

static void curve_write(const struct mrc *mrc, struct range range, bool bytes, FILE *out)
{
	fprintf(out, "<path class=\"%s\" d=\"", bytes ? "l-own" : "l-store");
	for (int i = range.first; i <= range.last; i++) {
		struct mrc_point point = mrc_point(mrc, i);
		fprintf(out, "%c%.1f %.1f", i == range.first ? 'M' : 'L', x_of(range, i), HIGH - HIGH * (bytes ? point.bytes : point.requests));
	}
	fputs("\"/>", out);
}

static void plot_write(const struct mrc *mrc, struct range range, FILE *out)
{
	char size[SHOW_NUMBER_MAX];
	int knee = mrc_knee(mrc);

	fputs("<figure class=\"card\"><figcaption><b>Hit ratio by size</b><span class=\"legend\"><span><i class=\"line k-store\"></i>by requests</span>"
		"<span><i class=\"line dash k-own\"></i>by bytes</span><span>upright line: enough</span></span></figcaption>\n<div class=\"plot\"><div class=\"y\" aria-hidden=\"true\">", out);
	for (int i = 0; i <= GRID; i++) fprintf(out, "<span>%d %%</span>", 100 * i / GRID);
	fprintf(out, "</div><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Hit ratio by requests and by bytes over the size of "
		"the volume. The figures are in the table below.\">", WIDE, HIGH);
	for (int i = 0; i <= GRID; i++)
		fprintf(out, "<line class=\"grid\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", WIDE, HIGH * i / GRID, HIGH * i / GRID);
	if (knee >= range.first && knee <= range.last)
		fprintf(out, "<line class=\"l-store\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%d\"/>", x_of(range, knee), x_of(range, knee), HIGH);
	curve_write(mrc, range, false, out);
	curve_write(mrc, range, true, out);
	fputs("</svg><div class=\"x\" aria-hidden=\"true\">", out);
	for (int i = 0; i < GRID; i++)
		fprintf(out, "<span>%s</span>", whatif_size(size, mrc_size(range.first + (range.last - range.first) * i / (GRID - 1))));
	fputs("</div></div></figure>\n", out);
}

static void row_write(const char *size, struct mrc_point point, const char *remark, FILE *out)
{
	fprintf(out, "<tr><th scope=\"row\">%s</th><td>%.2f %%</td><td>%.2f %%</td><td>%s</td></tr>\n", size, 100 * point.requests, 100 * point.bytes, remark);
}

static void table_write(const struct whatif_group *g, struct range range, FILE *out)
{
	char size[SHOW_NUMBER_MAX];

	fputs("<details class=\"card\"><summary>The figures of this plot, as a table</summary>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"Hit ratios by size\"><table><caption class=\"hidden\">Hit ratios by size</caption><thead><tr>"
		"<th scope=\"col\">Size</th><th scope=\"col\">By requests</th><th scope=\"col\">By bytes</th><th scope=\"col\"></th></tr></thead><tbody>\n", out);
	for (int i = range.first; i <= range.last; i++)
		row_write(whatif_size(size, mrc_size(i)), mrc_point(&g->mrc, i), i == mrc_knee(&g->mrc) ? "enough" : "", out);
	row_write("unlimited", mrc_point(&g->mrc, MRC_UNLIMITED), "the best that any cache could have had", out);
	fputs("</tbody></table></div></details>\n", out);
}

static void words_write(const struct whatif_group *g, FILE *out)
{
	const struct mrc *mrc = &g->mrc;
	int knee = mrc_knee(mrc);
	char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX];

	fputs("<p>", out);
	if (knee < MRC_UNLIMITED)
		fprintf(out, "<strong>%s is enough</strong>: the smallest size within %.0f point of the best that any cache could have had, %.2f %% of the requests. ",
			whatif_size(a, mrc_size(knee)), 100 * MRC_KNEE, 100 * mrc_point(mrc, MRC_UNLIMITED).requests);
	fprintf(out, "In the log %s = %s of %s requests were hits", show_ratio(a, mrc->hits, mrc->requests), show_count(b, mrc->hits), show_count(c, mrc->requests));
	if (g->size_now) fprintf(out, ", with a volume of %s", whatif_size(a, g->size_now));
	fprintf(out, "; %s could have been: the rest no size helps. ", show_ratio(a, mrc->storable, mrc->requests));
	fprintf(out, "Played with %s of about %s objects, all together %s.</p>\n", show_count(a, mrc->count), show_count(b, mrc_objects(mrc)),
		whatif_size(c, mrc_footprint(mrc)));
}

static void group_write(const struct whatif_group *g, FILE *out)
{
	struct range range = range_of(&g->mrc);

	fputs("<section>\n<h2>Volume ", out);
	html_str(out, g->volume);
	fputs(" of node ", out);
	html_str(out, g->node);
	fputs("</h2>\n", out);
	words_write(g, out);
	if (range.last >= 0) {
		plot_write(&g->mrc, range, out);
		table_write(g, range, out);
	}
	fputs("</section>\n", out);
}

void whatif_page(const struct whatif *whatif, FILE *out)
{
	char n[SHOW_NUMBER_MAX];

	page_begin("What other sizes would do", out);
	fputs("<main id=\"main\">\n<h1>What other sizes would do</h1>\n", out);
	for (size_t i = 0; i < whatif->count; i++) group_write(&whatif->groups[i], out);
	if (!whatif->count) fputs("<p>No request carried a volume: nothing can be played.</p>\n", out);
	if (whatif->no_volume) fprintf(out, "<p>%s requests had no volume: see logaudit check.</p>\n", show_count(n, whatif->no_volume));
	if (whatif->left_out)
		fprintf(out, "<p>%s requests were of more than %d volumes and are left out: choose with --node and --volume.</p>\n", show_count(n, whatif->left_out),
			WHATIF_GROUPS_MAX);
	fputs("</main>\n<footer>Made by logaudit from the log alone, by playing small caches (LRU, with lifetimes) with a sample of the objects. This page loads "
		"nothing and sends nothing.</footer>\n</div>\n</body>\n</html>\n", out);
}
