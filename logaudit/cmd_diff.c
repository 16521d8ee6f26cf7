/* logaudit diff: before and after, node and node, generation and generation, baseline and now. */
#include <time.h>

#include "cmd.h"
#include "column.h"
#include "diff.h"
#include "json.h"
#include "moment.h"
#include "report.h"

struct sides { struct diff_value baseline, *before, *now; };

static bool load_baseline(const char *path, struct diff_value *ret_value)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	bool ok = root && side_take(json_object_get(root, "side"), ret_value);

	if (!ok) fprintf(stderr, "logaudit: baseline %s: %s\n", path, root ? "that is not what 'logaudit diff --json' wrote" : error.text);
	json_decref(root);
	return ok;
}

/* "A,B" */
static bool named_sides(const struct diff *diff, const char *text, struct sides *sides, char why[256])
{
	const char *comma = strchr(text, ',');
	char *first = must(strndup(text, comma ? (size_t)(comma - text) : 0));

	sides->before = diff_find(diff, first);
	sides->now = comma ? diff_find(diff, comma + 1) : NULL;
	free(first);
	if (sides->before && sides->now) return true;
	snprintf(why, 256, "--sides %.100s: the lines have no such two values", text);
	return false;
}

static bool choose(const struct diff *diff, const struct options *o, struct sides *sides, char why[256])
{
	if (o->sides) return named_sides(diff, o->sides, sides, why);
	if (diff->column >= 0 || diff->at_us) return diff_choose(diff, &sides->before, &sides->now, why);
	if (!diff->count) {
		snprintf(why, 256, "no request is in the lines");
		return false;
	}
	sides->before = o->baseline ? &sides->baseline : &diff->values[0];
	sides->now = o->baseline ? &diff->values[0] : NULL;
	return true;
}

static unsigned show(const struct sides *sides, const struct audit *audit, bool json)
{
	unsigned worse;
	json_t *root;

	if (!json) {
		lines_text(audit, stdout);
		return diff_text(sides->before, sides->now, stdout);
	}
	root = must(json_object());
	lines_json(audit, root);
	worse = diff_json(sides->before, sides->now, root);
	json_print(root, stdout);
	return worse;
}

int cmd_diff(const struct options *o)
{
	struct sides sides = { .before = NULL };
	struct audit audit;
	struct diff diff;
	uint64_t at_us = 0;
	int column = o->by ? column_named(slice_str(o->by)) : -1, code = EXIT_trouble;
	char why[256] = "";

	if (o->by && column < 0) return usage("--by takes a column of the log (logaudit fields), not", o->by);
	if (o->at && !moment_parse(slice_str(o->at), (uint64_t)time(NULL) * 1000000, &at_us)) return usage("--at takes a moment, not", o->at);
	if (!!o->by + !!o->at + !!o->baseline > 1 || (o->sides && !o->by)) return usage("diff takes one of --by COLUMN, --at TIME and --baseline FILE", NULL);
	if (o->baseline && !load_baseline(o->baseline, &sides.baseline)) return EXIT_trouble;
	cmd_begin(&audit, o);
	diff_init(&diff, column, at_us);
	audit.reader = diff_reader(&diff);
	cmd_read(&audit, o);
	if (choose(&diff, o, &sides, why)) {
		unsigned worse = show(&sides, &audit, o->json);
		code = audit.trouble_count ? EXIT_trouble : worse ? EXIT_found : EXIT_ok;
	} else {
		fprintf(stderr, "logaudit: %s\n", why);
	}
	diff_release(&diff);
	diff_value_release(&sides.baseline);
	audit_release(&audit);
	return code;
}
