/* logaudit why: one URL. The first argument is the URL, with or without scheme and host. */
#include "cmd.h"
#include "why.h"

int cmd_why(const struct options *o)
{
	struct options rest = *o;
	struct why_url url;
	struct audit audit;
	struct why why;
	char *buf;
	int code = EXIT_trouble;

	if (o->file_count < 2) return usage("why needs a URL and the files of the log", NULL);
	rest.files++;
	rest.file_count--;
	buf = must(malloc(2 * strlen(o->files[0]) + 1));
	if (!why_url_parse(slice_str(o->files[0]), buf, &url)) {
		usage("that is no URL (http://HOST/TARGET, HOST/TARGET or /TARGET):", o->files[0]);
		goto out;
	}
	cmd_begin(&audit, o);
	why_init(&why, url);
	audit.reader = why_reader(&why);
	cmd_read(&audit, &rest);
	why_finish(&why);
	(o->json ? why_json : why_text)(&why, &audit, stdout);
	code = audit.trouble_count ? EXIT_trouble : why.requests.count ? EXIT_ok : EXIT_found;
	why_release(&why);
	audit_release(&audit);
out:
	free(buf);
	return code;
}
