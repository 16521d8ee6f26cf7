/* logaudit metrics: the metrics page of a node beside the log. */
#include "cmd.h"
#include "report.h"

static bool load_scrape(const struct options *o, struct scrape *ret_scrape, char why[256])
{
	char *text = NULL;
	size_t len = 0;
	bool ok = o->url ? scrape_load_url(o->url, &text, &len, why) : scrape_load_file(o->scrape, &text, &len, why);

	if (ok && !scrape_parse(slice_make(text, len), ret_scrape)) {
		snprintf(why, 256, "%.150s: no counter of proxyd is in it", o->url ? o->url : o->scrape);
		ok = false;
	}
	free(text);
	return ok;
}

int cmd_metrics(const struct options *o)
{
	struct scrape scrape = { 0 };
	struct compare compare;
	struct audit audit;
	char why[256] = "";
	int code = EXIT_trouble;

	if (!o->scrape == !o->url) return usage("metrics needs one of --scrape FILE and --url URL", NULL);
	if (o->node.count > 1 || o->filter.count > (size_t)o->node.count || o->since || o->until)
		return usage("metrics compares all lines since the start: no filter but one --node", NULL);
	/* The page first: what is logged while the files are read is then not held against it, but against them. */
	if (!load_scrape(o, &scrape, why)) {
		fprintf(stderr, "logaudit: %s\n", why);
		return EXIT_trouble;
	}
	cmd_begin(&audit, o);
	cmd_read(&audit, o);
	const struct blind *blind = &audit.blind[RULE_metrics_disagree];
	if (blind->blind) {
		fprintf(stderr, "logaudit: cannot tell: column %.*s is missing in the header line of %s\n", SLICE_ARG(blind->column),
			audit_path(&audit, blind->header));
		goto out;
	}
	if (!metrics_compare(&audit.metrics, o->node.count ? slice_str(o->node.texts[0]) : SLICE(""), &scrape, &compare, why)) {
		fprintf(stderr, "logaudit: %s\n", why);
		goto out;
	}
	findings_release(&audit.findings);
	compare_report(&compare, &audit.findings);
	if (o->json) report_json(&audit, false, &compare, stdout);
	else metrics_text(&audit, &compare, stdout);
	code = audit.trouble_count ? EXIT_trouble : compare.differences ? EXIT_found : EXIT_ok;
out:
	audit_release(&audit);
	return code;
}
