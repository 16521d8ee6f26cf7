/* logaudit check: findings, and an exit code for scripts; with a baseline, only what is new or worse counts. */
#include "baseline.h"
#include "cmd.h"
#include "json.h"
#include "report.h"

/* What is only worth knowing fails no check, unless it is asked for. */
static bool parse_severity(const char *name, enum severity *ret_severity)
{
	*ret_severity = SEVERITY_warning;
	if (!name) return true;
	for (int i = SEVERITY_info; i <= SEVERITY_error; i++) {
		if (strcmp(severity_names[i], name) != 0) continue;
		*ret_severity = (enum severity)i;
		return true;
	}
	return false;
}

static bool fails(const struct audit *audit, const struct baseline *baseline, enum severity least)
{
	for (size_t i = 0; i < audit->findings.count; i++) {
		const struct finding *f = &audit->findings.rows[i];
		if (f->severity >= least && (!baseline->root || baseline_standing(baseline, audit, f) != STANDING_known)) return true;
	}
	return false;
}

/* Takes the findings that were there already out of what is shown at length. The caller puts the rows back. */
static struct findings findings_news(const struct audit *audit, const struct baseline *baseline)
{
	struct findings news = { .rows = must(malloc((audit->findings.count + 1) * sizeof(struct finding))) };

	for (size_t i = 0; i < audit->findings.count; i++)
		if (baseline_standing(baseline, audit, &audit->findings.rows[i]) != STANDING_known) news.rows[news.count++] = audit->findings.rows[i];
	return news;
}

static void show_text_of(struct audit *audit, const struct baseline *baseline, const struct report_options *options)
{
	struct findings all = audit->findings, news;

	if (!baseline->root) {
		check_text(audit, options, stdout);
		return;
	}
	news = findings_news(audit, baseline);
	audit->findings = news;
	check_text(audit, options, stdout);
	audit->findings = all;
	free(news.rows);
	baseline_text(baseline, audit, stdout);
}

int cmd_check(const struct options *o)
{
	struct baseline baseline = { 0 };
	struct report_options options;
	enum severity least;
	struct audit audit;
	char why[256] = "";
	int code;

	if (!parse_severity(o->fail_on, &least)) return usage("--fail-on takes info, warning or error, not", o->fail_on);
	if (!cmd_report_options(o, &options)) return EXIT_trouble;
	if (o->baseline && !baseline_load(o->baseline, &baseline, why)) {
		fprintf(stderr, "logaudit: %s\n", why);
		return EXIT_trouble;
	}
	cmd_begin(&audit, o);
	cmd_read(&audit, o);
	if (o->json) {
		json_t *root = report_json_new(&audit, false, NULL);
		if (baseline.root) json_object_set_new(root, "baseline", baseline_json(&baseline, &audit));
		json_print(root, stdout);
	} else {
		show_text_of(&audit, &baseline, &options);
	}
	code = audit.trouble_count ? EXIT_trouble : fails(&audit, &baseline, least) ? EXIT_found : EXIT_ok;
	audit_release(&audit);
	baseline_release(&baseline);
	return code;
}
