/* Baselines. */
#include "baseline.h"
#include "json.h"
#include "noise.h"
#include "show.h"

/* So much of the lines is the growth that is worth a word. */
#define GROWTH_MIN 1.5

const char *const standing_names[STANDING_COUNT] = { "new", "worse", "known" };

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static int severity_of(const json_t *row)
{
	int severity = SEVERITY_error;

	while (severity > 0 && strcmp(severity_names[severity], text_of(row, "severity")) != 0) severity--;
	return severity;
}

bool baseline_load(const char *path, struct baseline *ret_baseline, char why[256])
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *row;
	size_t i;
	bool good;

	if (!root) {
		snprintf(why, 256, "baseline %.80s: %.120s", path, error.text);
		return false;
	}
	good = json_is_integer(json_object_get(root, "lines_counted")) && json_integer_value(json_object_get(root, "lines_counted")) >= 0
		&& json_is_array(json_object_get(root, "findings"));
	json_array_foreach(json_object_get(root, "findings"), i, row)
		good &= json_is_string(json_object_get(row, "rule")) && json_is_string(json_object_get(row, "subject"))
			&& json_is_integer(json_object_get(row, "count")) && json_integer_value(json_object_get(row, "count")) >= 0;
	if (!good) {
		snprintf(why, 256, "baseline %.160s: that is not what 'logaudit check --json' wrote", path);
		json_decref(root);
		return false;
	}
	*ret_baseline = (struct baseline){ root, (uint64_t)json_integer_value(json_object_get(root, "lines_counted")), path };
	return true;
}

void baseline_release(struct baseline *baseline)
{
	json_decref(baseline->root);
	*baseline = (struct baseline){ 0 };
}

/* In the baseline, subjects are as they are shown. */
static bool is_row_of(const json_t *row, const struct finding *f)
{
	char subject[SHOW_TEXT_MAX];

	return strcmp(text_of(row, "rule"), f->rule->id) == 0 && strcmp(text_of(row, "subject"), show_text(subject, slice_str(f->subject), 0)) == 0;
}

static const json_t *row_find(const struct baseline *baseline, const struct finding *f)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(baseline->root, "findings"), i, row)
		if (is_row_of(row, f)) return row;
	return NULL;
}

enum standing baseline_standing(const struct baseline *baseline, const struct audit *audit, const struct finding *f)
{
	const json_t *row = row_find(baseline, f);
	struct share before, now = { f->count, audit->lines_counted };

	if (!row) return STANDING_new;
	if ((int)f->severity > severity_of(row)) return STANDING_worse;
	before = (struct share){ (uint64_t)json_integer_value(json_object_get(row, "count")), baseline->lines };
	/* A count is not always one of lines: more of them than lines is no share, and a test of shares says nothing. */
	if (before.part > before.whole || now.part > now.whole) return f->count > 2 * before.part ? STANDING_worse : STANDING_known;
	return share_of(now) > GROWTH_MIN * share_of(before) && noise_z(before, now) > NOISE_Z ? STANDING_worse : STANDING_known;
}

/* Is a finding of the baseline not there any more? */
static bool is_gone(const json_t *row, const struct audit *audit)
{
	for (size_t i = 0; i < audit->findings.count; i++)
		if (is_row_of(row, &audit->findings.rows[i])) return false;
	return true;
}

/* A rule that cannot tell has not said that it is gone. */
static bool is_blind(const json_t *row, const struct audit *audit)
{
	for (int i = 0; i < RULE_COUNT; i++)
		if (strcmp(rules[i].id, text_of(row, "rule")) == 0) return audit->blind[i].blind || audit->blind[i].filtered;
	return true;
}

void baseline_text(const struct baseline *baseline, const struct audit *audit, FILE *out)
{
	char text[SHOW_TEXT_MAX], rule[SHOW_TEXT_MAX], n[SHOW_NUMBER_MAX], m[SHOW_NUMBER_MAX];
	json_t *row;
	size_t i;

	fprintf(out, "\nBaseline  %s: %s lines\n", show_text(text, slice_str(baseline->path), 60), show_count(n, baseline->lines));
	for (i = 0; i < audit->findings.count; i++) {
		const struct finding *f = &audit->findings.rows[i];
		enum standing standing = baseline_standing(baseline, audit, f);
		const json_t *before = row_find(baseline, f);
		fprintf(out, "  %-5s   %s %s: %s (", standing_names[standing], severity_names[f->severity], f->rule->id, show_text(text, slice_str(f->subject), 48));
		if (before) fprintf(out, "%s then, ", show_count(m, (uint64_t)json_integer_value(json_object_get(before, "count"))));
		fprintf(out, "%s now)\n", show_count(n, f->count));
	}
	json_array_foreach(json_object_get(baseline->root, "findings"), i, row)
		if (is_gone(row, audit))
			fprintf(out, "  gone    %s %s: %s%s\n", severity_names[severity_of(row)], show_text(rule, slice_str(text_of(row, "rule")), 30),
				show_text(text, slice_str(text_of(row, "subject")), 48), is_blind(row, audit) ? " (cannot tell)" : "");
}

json_t *baseline_json(const struct baseline *baseline, const struct audit *audit)
{
	json_t *root = must(json_object()), *rows = must(json_array()), *gone = must(json_array()), *row;
	size_t i;

	put_text(root, "file", baseline->path);
	put_number(root, "lines_counted", baseline->lines);
	for (i = 0; i < audit->findings.count; i++) {
		const struct finding *f = &audit->findings.rows[i];
		const json_t *before = row_find(baseline, f);
		row = must(json_object());
		put_text(row, "standing", standing_names[baseline_standing(baseline, audit, f)]);
		put_text(row, "rule", f->rule->id);
		put_text(row, "subject", f->subject);
		put_number(row, "before", before ? (uint64_t)json_integer_value(json_object_get(before, "count")) : 0);
		put_number(row, "now", f->count);
		json_array_append_new(rows, row);
	}
	json_object_set_new(root, "standings", rows);
	json_array_foreach(json_object_get(baseline->root, "findings"), i, row) {
		json_t *one;
		if (!is_gone(row, audit)) continue;
		one = must(json_object());
		put_text(one, "rule", text_of(row, "rule"));
		put_text(one, "subject", text_of(row, "subject"));
		json_object_set_new(one, "cannot_tell", json_boolean(is_blind(row, audit)));
		json_array_append_new(gone, one);
	}
	json_object_set_new(root, "gone", gone);
	return root;
}
