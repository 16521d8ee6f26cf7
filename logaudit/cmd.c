/* What several commands do. */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "cmd.h"
#include "fileset.h"
#include "pipeline.h"
#include "progress.h"

/* That this process may use. */
static unsigned processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
	return CPU_COUNT(&set) < PIPELINE_THREADS_MAX ? (unsigned)CPU_COUNT(&set) : PIPELINE_THREADS_MAX;
}

void cmd_begin(struct audit *audit, const struct options *o)
{
	audit_init(audit);
	audit_filter(audit, &o->filter);
	audit->format = o->format;
	audit->threads = o->threads ? (unsigned)o->threads : processors();
}

void cmd_read(struct audit *audit, const struct options *o)
{
	struct progress progress;

	progress_begin(&progress, o->files, o->file_count);
	audit->progress = &progress;
	fileset_read(audit, o->files, o->file_count);
	audit->progress = NULL;
	progress_end(&progress);
	audit_finish(audit);
	for (size_t i = 0; i < audit->trouble_count; i++) fprintf(stderr, "logaudit: %s\n", audit->troubles[i]);
}

static bool parse_color(const char *text, enum color_when *ret_color)
{
	static const char *const names[] = { [COLOR_auto] = "auto", [COLOR_always] = "always", [COLOR_never] = "never" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (strcmp(text, names[i]) != 0) continue;
		*ret_color = (enum color_when)i;
		return true;
	}
	return false;
}

bool cmd_report_options(const struct options *o, struct report_options *ret_options)
{
	enum color_when color = COLOR_auto;

	if (o->color && !parse_color(o->color, &color)) {
		usage("--color takes auto, always or never, not", o->color);
		return false;
	}
	*ret_options = (struct report_options){ o->limit, show_width(STDOUT_FILENO), show_color(STDOUT_FILENO, color) };
	return true;
}

bool cmd_save_page(const char *path, void (*write)(const void *arg, FILE *out), const void *arg)
{
	char *temporary = NULL;
	FILE *out;
	bool ok;

	if (strcmp(path, "-") == 0) {
		write(arg, stdout);
		return true;
	}
	CHECK(asprintf(&temporary, "%s.new", path) >= 0);
	out = fopen(temporary, "we");
	if (out) write(arg, out);
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
