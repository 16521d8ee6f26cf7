/* logaudit report: all that the audit knows, in the form that is asked for. */
#include <errno.h>
#include <unistd.h>

#include "cmd.h"
#include "page.h"

/* The page is written beside its place and then put there: who opens it sees a whole one. */
static bool page_save(const struct audit *audit, const struct report_options *options, const char *path)
{
	char *temporary = NULL;
	FILE *out;
	bool ok;

	if (strcmp(path, "-") == 0) {
		report_page(audit, options, stdout);
		return true;
	}
	CHECK(asprintf(&temporary, "%s.new", path) >= 0);
	out = fopen(temporary, "we");
	if (out) report_page(audit, options, out);
	ok = out && fflush(out) == 0 && !ferror(out);
	if (out && fclose(out) != 0) ok = false;
	ok = ok && rename(temporary, path) == 0;
	if (!ok) {
		fprintf(stderr, "logaudit: %s: cannot be written: %s\n", path, strerror(errno));
		if (out) unlink(temporary);
	}
	free(temporary);
	return ok;
}

bool cmd_show_report(const struct audit *audit, const struct options *o, const struct report_options *options)
{
	if (o->json) report_json(audit, true, NULL, stdout);
	else if (o->csv) report_csv(audit, stdout);
	else if (!o->html) report_text(audit, options, stdout);
	return !o->html || page_save(audit, options, o->html);
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
