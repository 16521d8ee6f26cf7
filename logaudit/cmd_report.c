/* logaudit report: all that the audit knows, in the form that is asked for. */
#include <errno.h>
#include <unistd.h>

#include "cmd.h"
#include "page.h"

/* The page is written beside its place and then put there: who opens it sees a whole one. */
struct page_order { const struct audit *audit; const struct report_options *options; };

static void page_write(const void *arg, FILE *out)
{
	const struct page_order *order = arg;

	report_page(order->audit, order->options, out);
}

bool cmd_show_report(const struct audit *audit, const struct options *o, const struct report_options *options)
{
	if (o->json) report_json(audit, true, NULL, stdout);
	else if (o->csv) report_csv(audit, stdout);
	else if (!o->html) report_text(audit, options, stdout);
	return !o->html || cmd_save_page(o->html, page_write, &(struct page_order){ audit, options });
}

int cmd_report(const struct options *o)
{
	struct report_options options;
	struct audit audit;
	int code;

	if (!cmd_report_options(o, &options)) return EXIT_trouble;
	cmd_begin(&audit, o);
	cmd_read(&audit, o);
	code = cmd_show_report(&audit, o, &options) && !audit.trouble_count ? EXIT_ok : EXIT_trouble;
	audit_release(&audit);
	return code;
}
