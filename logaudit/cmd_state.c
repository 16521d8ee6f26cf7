/* logaudit state and merge: partial results. */
#include "cmd.h"
#include "report.h"
#include "state.h"

static int save(const struct audit *audit, const char *path)
{
	char why[256] = "";

	if (state_save(audit, path, why)) return EXIT_ok;
	fprintf(stderr, "logaudit: %s\n", why);
	return EXIT_trouble;
}

int cmd_state(const struct options *o)
{
	struct audit audit;
	int code;

	if (!o->output) return usage("state needs --output FILE", NULL);
	cmd_begin(&audit, o);
	cmd_read(&audit, o);
	code = save(&audit, o->output);
	if (audit.trouble_count) code = EXIT_trouble;
	audit_release(&audit);
	return code;
}

/* States that cannot be read are left out, and said. */
static bool merge_files(struct audit *audit, const struct options *o)
{
	bool all = true;

	for (int i = 0; i < o->file_count; i++) {
		struct audit one;
		char why[256] = "";
		if (!state_load(o->files[i], &one, why)) {
			fprintf(stderr, "logaudit: %s\n", why);
			all = false;
			continue;
		}
		audit_merge(audit, &one);
		audit_release(&one);
	}
	audit_settle_order(audit);
	return all;
}

int cmd_merge(const struct options *o)
{
	struct report_options options;
	struct audit audit;
	int code = EXIT_ok;

	if (!filter_is_open(&o->filter)) return usage("states are of lines that were chosen when they were made: merge takes no filter", NULL);
	if (!cmd_report_options(o, &options)) return EXIT_trouble;
	audit_init_tables(&audit);
	if (!merge_files(&audit, o)) code = EXIT_trouble;
	if (o->output) {
		if (save(&audit, o->output) != EXIT_ok) code = EXIT_trouble;
	} else if (!o->findings) {
		if (!cmd_show_report(&audit, o, &options)) code = EXIT_trouble;
	} else if (o->json) {
		report_json(&audit, false, NULL, stdout);
	} else {
		check_text(&audit, &options, stdout);
	}
	if (audit.trouble_count) code = EXIT_trouble;
	if (o->findings && code == EXIT_ok && audit_worst(&audit) >= SEVERITY_warning) code = EXIT_found;
	audit_release(&audit);
	return code;
}
