/* Curves: lines to volumes, and what is shown of each. */
#include "json.h"
#include "report.h"
#include "show.h"
#include "whatif.h"

enum { WIDTH = 100, BAR = 40 };

/* ---- lines ---- */

static bool text_is(const char *text, struct slice slice)
{
	return slice_eq(slice_str(text), slice);
}

static struct whatif_group *group_of(struct whatif *w, const struct logline *l)
{
	struct whatif_group *g = w->groups;

	while (g < w->groups + w->count && !(text_is(g->volume, l->volume) && text_is(g->node, l->node))) g++;
	if (g < w->groups + w->count || w->count == WHATIF_GROUPS_MAX) return g < w->groups + w->count ? g : NULL;
	w->count++;
	g->node = must(strndup(l->node.len ? l->node.ptr : "", l->node.len));
	g->volume = must(strndup(l->volume.ptr, l->volume.len));
	mrc_init(&g->mrc);
	return g;
}

static void take_line(void *arg, const struct logline *l, struct place at)
{
	struct whatif *w = arg;
	struct whatif_group *g;

	(void)at;
	if (l->rec != REC_req && l->rec != REC_volume) return;
	if (!line_has_volume(l)) {
		w->no_volume += l->rec == REC_req;
		return;
	}
	g = group_of(w, l);
	if (!g) w->left_out += l->rec == REC_req;
	else if (l->rec == REC_req) mrc_add(&g->mrc, l);
	else if (l->object_bytes > 0) g->size_now = (uint64_t)l->object_bytes;
}

struct audit_reader whatif_reader(struct whatif *w)
{
	return (struct audit_reader){ take_line, NULL, w };
}

void whatif_init(struct whatif *w)
{
	memset(w, 0, sizeof(*w));
}

void whatif_release(struct whatif *w)
{
	for (size_t i = 0; i < w->count; i++) {
		free(w->groups[i].node);
		free(w->groups[i].volume);
		mrc_release(&w->groups[i].mrc);
	}
	memset(w, 0, sizeof(*w));
}

/* ---- text ---- */

const char *whatif_size(char out[SHOW_NUMBER_MAX], uint64_t bytes)
{
	static const char units[] = "kmgtpe";
	double n = (double)bytes / 1024;
	int unit = 0;

	while (n >= 1000 && units[unit + 1]) {
		n /= 1024;
		unit++;
	}
	snprintf(out, SHOW_NUMBER_MAX, n < 10 && n != (double)(int)n ? "%.1f%c" : "%.0f%c", n, units[unit]);
	return out;
}

bool whatif_is_shown(const struct mrc *mrc, int i)
{
	return mrc_is_sure(mrc, i) && i <= mrc->started;
}

static void bar(double share, FILE *out)
{
	int full = (int)(share * BAR + 0.5);

	fputs("  |", out);
	for (int i = 0; i < BAR; i++) fputc(i < full ? '#' : ' ', out);
	fputs("|", out);
}

static void point_text(const char *name, struct mrc_point point, FILE *out)
{
	fprintf(out, "  %-10s %8.2f %% %8.2f %%", name, 100 * point.requests, 100 * point.bytes);
	bar(point.requests, out);
}

static void group_text(const struct whatif_group *g, FILE *out)
{
	const struct mrc *mrc = &g->mrc;
	struct mrc_point best = mrc_point(mrc, MRC_UNLIMITED);
	int knee = mrc_knee(mrc);
	char name[SHOW_TEXT_MAX], a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], c[SHOW_NUMBER_MAX];

	fprintf(out, "\nVolume %s", show_text(name, slice_str(g->volume), 30));
	fprintf(out, " of node %s%s%s\n", show_text(name, slice_str(g->node), 30), g->size_now ? ", now " : "", g->size_now ? whatif_size(a, g->size_now) : "");
	fprintf(out, "  In the log      %s = %s of %s requests", show_ratio(a, mrc->hits, mrc->requests), show_count(b, mrc->hits), show_count(c, mrc->requests));
	fprintf(out, "; by bytes %s\n", show_ratio(a, mrc->hit_bytes, mrc->bytes));
	fprintf(out, "  Could be stored %s = %s of them; the rest no size helps\n", show_ratio(a, mrc->storable, mrc->requests), show_count(b, mrc->storable));
	fprintf(out, "  Sample          %s of about %s objects; all together %s\n", show_count(a, mrc->count), show_count(b, mrc_objects(mrc)),
		whatif_size(c, mrc_footprint(mrc)));
	if (!mrc->storable) return;
	fprintf(out, "  %-10s %10s %10s\n", "size", "requests", "bytes");
	for (int i = 0; i < MRC_SIZES; i++) {
		if (!whatif_is_shown(mrc, i)) continue;
		point_text(whatif_size(a, mrc_size(i)), mrc_point(mrc, i), out);
		fprintf(out, "%s%s\n", i == knee ? "  enough" : "", g->size_now && mrc_size(i) <= g->size_now && (i + 1 == MRC_SIZES || mrc_size(i + 1) > g->size_now)
			? "  now" : "");
	}
	point_text("unlimited", best, out);
	fputc('\n', out);
	if (knee < MRC_UNLIMITED)
		fprintf(out, "  Recommended     %s: the smallest size within %.0f point of the best any cache could have done, %.2f %%\n", whatif_size(a, mrc_size(knee)),
			100 * MRC_KNEE, 100 * best.requests);
}

void whatif_text(const struct whatif *w, const struct audit *audit, FILE *out)
{
	char n[SHOW_NUMBER_MAX];

	lines_text(audit, out);
	for (size_t i = 0; i < w->count; i++) group_text(&w->groups[i], out);
	if (!w->count) fprintf(out, "\nNo request carried a volume: nothing can be played\n");
	if (w->no_volume) fprintf(out, "\n%s requests had no volume: see logaudit check\n", show_count(n, w->no_volume));
	if (w->left_out)
		fprintf(out, "\n%s requests were of more than %d volumes and are left out: choose with --node and --volume\n", show_count(n, w->left_out),
			WHATIF_GROUPS_MAX);
}

/* ---- JSON ---- */

static json_t *point_json(struct mrc_point point)
{
	return must(json_pack("{s:f, s:f}", "hit_ratio", point.requests, "byte_hit_ratio", point.bytes));
}

static json_t *group_json(const struct whatif_group *g)
{
	const struct mrc *mrc = &g->mrc;
	json_t *root = must(json_object()), *sizes = must(json_array());
	int knee = mrc_knee(mrc);

	put_text(root, "node", g->node);
	put_text(root, "volume", g->volume);
	if (g->size_now) put_number(root, "bytes_now", g->size_now);
	put_number(root, "requests", mrc->requests);
	put_number(root, "hits", mrc->hits);
	put_number(root, "bytes", mrc->bytes);
	put_number(root, "hit_bytes", mrc->hit_bytes);
	put_number(root, "storable", mrc->storable);
	put_number(root, "storable_bytes", mrc->storable_bytes);
	put_number(root, "sampled_objects", mrc->count);
	put_number(root, "objects", mrc_objects(mrc));
	put_number(root, "footprint_bytes", mrc_footprint(mrc));
	json_object_set_new(root, "sample_rate", must(json_real(mrc_rate(mrc))));
	for (int i = 0; i < MRC_SIZES; i++) {
		json_t *point;
		if (!whatif_is_shown(mrc, i)) continue;
		point = point_json(mrc_point(mrc, i));
		put_number(point, "bytes", mrc_size(i));
		json_array_append_new(sizes, point);
	}
	json_object_set_new(root, "sizes", sizes);
	json_object_set_new(root, "unlimited", point_json(mrc_point(mrc, MRC_UNLIMITED)));
	json_object_set_new(root, "recommended_bytes", knee < MRC_UNLIMITED && mrc->storable ? must(json_integer((json_int_t)mrc_size(knee))) : must(json_null()));
	return root;
}

json_t *whatif_json(const struct whatif *w)
{
	json_t *root = must(json_object()), *volumes = must(json_array());

	for (size_t i = 0; i < w->count; i++) json_array_append_new(volumes, group_json(&w->groups[i]));
	json_object_set_new(root, "volumes", volumes);
	put_number(root, "requests_without_volume", w->no_volume);
	put_number(root, "requests_left_out", w->left_out);
	put_text(root, "policy", "lru");
	return root;
}
