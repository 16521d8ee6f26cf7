/* logaudit convert. */
#include "cmd.h"
#include "convert.h"

static void take_line(void *arg, const struct logline *line, struct place at)
{
	(void)at;
	((const struct conversion *)arg)->line(line, stdout);
}

int cmd_convert(const struct options *o)
{
	const struct conversion *conversion = conversion_find(o->to ? o->to : "");
	struct audit audit;
	int code;

	if (!conversion) return usage("convert needs --to combined, json or csv", NULL);
	cmd_begin(&audit, o);
	audit.reader = (struct audit_reader){ take_line, NULL, (void *)(uintptr_t)conversion };
	conversion->header(stdout);
	cmd_read(&audit, o);
	if (audit.lines_rejected) fprintf(stderr, "logaudit: %llu lines were rejected: logaudit report says why\n", (unsigned long long)audit.lines_rejected);
	code = audit.trouble_count ? EXIT_trouble : EXIT_ok;
	audit_release(&audit);
	return code;
}
