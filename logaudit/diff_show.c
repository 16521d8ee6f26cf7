/* What diff shows, and baselines of one side. */
#include "diff.h"
#include "json.h"
#include "show.h"

static const struct { const char *name, *doc; } names[DIFF_COUNT] = {
#define DIFF(name, WORSE, points, part, whole, doc) { #name, doc },
#include "tbl/diffs.h"
#undef DIFF
};
static const char *const verdict_names[DIFF_VERDICTS] = { "same", "worse", "better", "too few" };

static const struct { const char *name; size_t offset; } count_rows[] = {
#define X(name) { #name, offsetof(struct side, name) },
	SIDE_COUNTS(X)
#undef X
};

static uint64_t *count_at(const struct side *side, size_t i)
{
	return (uint64_t *)(void *)((char *)(uintptr_t)side + count_rows[i].offset);
}

/* ---- hosts of both sides ---- */

typedef void host_fn(struct slice host, const struct side *before, const struct side *now, void *arg);

static void hosts_each(const struct diff_value *before, const struct diff_value *now, host_fn *fn, void *arg)
{
	for (size_t i = 0; i < now->hosts.count; i++) {
		const struct side *then = map_find(&before->hosts, map_key(&now->hosts, i));
		if (then) fn(map_key(&now->hosts, i), then, map_value(&now->hosts, i), arg);
	}
}

/* ---- text ---- */

struct shown { FILE *out; unsigned worse; };

static void row_text(const char *name, const struct diff_row *row, FILE *out)
{
	char a[SHOW_NUMBER_MAX], b[SHOW_NUMBER_MAX], n[SHOW_NUMBER_MAX], m[SHOW_NUMBER_MAX], then[3 * SHOW_NUMBER_MAX], now[3 * SHOW_NUMBER_MAX];

	snprintf(then, sizeof(then), "%s of %s", show_ratio(a, row->before.part, row->before.whole), show_count(n, row->before.whole));
	snprintf(now, sizeof(now), "%s of %s", show_ratio(b, row->now.part, row->now.whole), show_count(m, row->now.whole));
	fprintf(out, "  %-14s %24s %24s %+8.2f %8.1f  %s\n", name, then, now, 100 * (share_of(row->now) - share_of(row->before)), row->z,
		verdict_names[row->verdict]);
}

static unsigned rows_text(const struct side *before, const struct side *now, double z_least, bool only_worse, FILE *out)
{
	struct diff_row rows[DIFF_COUNT];
	unsigned worse = 0;

	diff_compare(before, now, z_least, rows);
	for (int i = 0; i < DIFF_COUNT; i++) {
		worse += rows[i].verdict == DIFF_worse;
		if (!only_worse || rows[i].verdict == DIFF_worse) row_text(names[i].name, &rows[i], out);
	}
	return worse;
}

static void host_text(struct slice host, const struct side *before, const struct side *now, void *arg)
{
	struct diff_row rows[DIFF_COUNT];
	struct shown *shown = arg;
	char name[SHOW_TEXT_MAX];
	bool any = false;

	diff_compare(before, now, NOISE_Z_HOSTS, rows);
	for (int i = 0; i < DIFF_COUNT; i++) any |= rows[i].verdict == DIFF_worse;
	if (!any) return;
	fprintf(shown->out, "\nHost %s\n", show_text(name, host, 60));
	shown->worse += rows_text(before, now, NOISE_Z_HOSTS, true, shown->out);
}

static void times_text(const char *name, const struct times *before, const struct times *now, FILE *out)
{
	static const double shares[] = { 0.5, 0.9, 0.99 };

	for (size_t i = 0; i < COUNT_OF(shares); i++)
		fprintf(out, "  %-8s p%-4.0f %21llu us %21llu us\n", name, 100 * shares[i], (unsigned long long)times_percentile(before, shares[i]),
			(unsigned long long)times_percentile(now, shares[i]));
}

unsigned diff_text(const struct diff_value *before, const struct diff_value *now, FILE *out)
{
	struct shown shown = { .out = out };
	char a[SHOW_TEXT_MAX], b[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX];

	if (!now) {
		fprintf(out, "\nOne side: %s requests; save it with --json, and compare with --baseline\n", show_count(n, before->all.requests));
		return 0;
	}
	fprintf(out, "\n%-16s %24s %24s %8s %8s\n", "Share", show_text(a, slice_str(before->name), 24), show_text(b, slice_str(now->name), 24), "points", "z");
	shown.worse = rows_text(&before->all, &now->all, NOISE_Z, false, out);
	fputc('\n', out);
	times_text("hits", &before->all.hit, &now->all.hit, out);
	times_text("misses", &before->all.miss, &now->all.miss, out);
	hosts_each(before, now, host_text, &shown);
	fprintf(out, "\n%u share%s worse by more than noise (two-proportion z-test: z > %.2f, a host's > %.1f; and by at least 1 point, times 5)\n", shown.worse,
		shown.worse == 1 ? "" : "s", NOISE_Z, NOISE_Z_HOSTS);
	return shown.worse;
}

/* ---- JSON ---- */

static json_t *rows_json(const struct side *before, const struct side *now, double z_least, unsigned *worse)
{
	struct diff_row rows[DIFF_COUNT];
	json_t *list = must(json_array());

	diff_compare(before, now, z_least, rows);
	for (int i = 0; i < DIFF_COUNT; i++) {
		json_t *row = must(json_object());
		put_text(row, "name", names[i].name);
		put_text(row, "doc", names[i].doc);
		put_number(row, "before_part", rows[i].before.part);
		put_number(row, "before_whole", rows[i].before.whole);
		put_number(row, "now_part", rows[i].now.part);
		put_number(row, "now_whole", rows[i].now.whole);
		json_object_set_new(row, "z", must(json_real(rows[i].z)));
		put_text(row, "verdict", verdict_names[rows[i].verdict]);
		json_array_append_new(list, row);
		*worse += rows[i].verdict == DIFF_worse;
	}
	return list;
}

struct listed { json_t *hosts; unsigned worse; };

static void host_json(struct slice host, const struct side *before, const struct side *now, void *arg)
{
	struct listed *listed = arg;
	json_t *row = must(json_object());

	json_object_set_new(row, "host", json_shown(host));
	json_object_set_new(row, "shares", rows_json(before, now, NOISE_Z_HOSTS, &listed->worse));
	json_array_append_new(listed->hosts, row);
}

unsigned diff_json(const struct diff_value *before, const struct diff_value *now, json_t *root)
{
	struct listed listed = { .hosts = NULL };

	json_object_set_new(root, "side", side_json(now ? now : before));
	if (!now) return 0;
	listed.hosts = must(json_array());
	put_text(root, "before", before->name);
	put_text(root, "now", now->name);
	json_object_set_new(root, "shares", rows_json(&before->all, &now->all, NOISE_Z, &listed.worse));
	hosts_each(before, now, host_json, &listed);
	json_object_set_new(root, "hosts", listed.hosts);
	put_number(root, "worse", listed.worse);
	return listed.worse;
}

/* ---- baselines ---- */

static json_t *classes_json(const struct times *times)
{
	json_t *list = must(json_array());

	for (size_t i = 0; i < TIMES_CLASSES; i++)
		if (times->classes[i]) json_array_append_new(list, must(json_pack("[I, I]", (json_int_t)i, (json_int_t)times->classes[i])));
	return list;
}

static json_t *counts_json(const struct side *side)
{
	json_t *root = must(json_object());

	for (size_t i = 0; i < COUNT_OF(count_rows); i++) put_number(root, count_rows[i].name, *count_at(side, i));
	json_object_set_new(root, "hit_times", classes_json(&side->hit));
	json_object_set_new(root, "miss_times", classes_json(&side->miss));
	return root;
}

json_t *side_json(const struct diff_value *value)
{
	json_t *root = counts_json(&value->all), *hosts = must(json_array());

	put_text(root, "name", value->name);
	for (size_t i = 0; i < value->hosts.count; i++) {
		json_t *row = counts_json(map_value(&value->hosts, i));
		json_object_set_new(row, "host", json_shown(map_key(&value->hosts, i)));
		json_array_append_new(hosts, row);
	}
	json_object_set_new(root, "hosts", hosts);
	return root;
}

static bool classes_take(const json_t *list, struct times *times)
{
	json_t *pair;
	size_t i;

	if (!json_is_array(list)) return false;
	json_array_foreach(list, i, pair) {
		json_int_t class = json_integer_value(json_array_get(pair, 0)), count = json_integer_value(json_array_get(pair, 1));
		if (!json_is_integer(json_array_get(pair, 1)) || class < 0 || class >= TIMES_CLASSES || count < 0 || count > INT64_MAX / TIMES_CLASSES) return false;
		times->classes[class] = (uint64_t)count;
	}
	for (size_t class = 0; class < TIMES_CLASSES; class++) times->count += times->classes[class];
	return true;
}

static bool counts_take(const json_t *object, struct side *side)
{
	for (size_t i = 0; i < COUNT_OF(count_rows); i++) {
		const json_t *count = json_object_get(object, count_rows[i].name);
		if (!json_is_integer(count) || json_integer_value(count) < 0) return false;
		*count_at(side, i) = (uint64_t)json_integer_value(count);
	}
	return classes_take(json_object_get(object, "hit_times"), &side->hit) && classes_take(json_object_get(object, "miss_times"), &side->miss);
}

bool side_take(const json_t *object, struct diff_value *ret_value)
{
	struct diff_value value = { .name = must(strdup("baseline")) };
	json_t *row;
	size_t i;
	bool ok = counts_take(object, &value.all) && json_is_array(json_object_get(object, "hosts"));

	map_init(&value.hosts, sizeof(struct side), SIDE_HOSTS_MAX);
	json_array_foreach(json_object_get(object, "hosts"), i, row) {
		const char *host = json_string_value(json_object_get(row, "host"));
		struct side side = { 0 };
		ok = ok && host && counts_take(row, &side);
		if (ok) *(struct side *)map_get(&value.hosts, slice_str(host)) = side;
	}
	if (ok) *ret_value = value;
	else diff_value_release(&value);
	return ok;
}
