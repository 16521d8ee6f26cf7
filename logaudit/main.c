/* logaudit: arguments to one command. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "fileset.h"
#include "page.h"
#include "progress.h"
#include "report.h"
#include "pipeline.h"
#include "top.h"
#include "why.h"

enum { EXIT_ok = 0, EXIT_found = 1, EXIT_trouble = 2, ROWS_DEFAULT = 20 };

struct options {
	bool json, csv, missed, why;
	enum color_when color;
	size_t limit;
	unsigned threads;
	const char *scrape, *url, *node, *html;
	char **files;
	int file_count;
};

static const char help_text[] =
	"usage: logaudit COMMAND [OPTIONS] [FILES...]\n"
	"\n"
	"Reads access logs of proxyd: files, gzip files, pipes (-), folders and patterns, in any order.\n"
	"\n"
	"  report FILES...    what happened: hit ratios with their numbers, hosts, volumes, reasons, findings\n"
	"  check FILES...     findings only; exit code 0: none, 1: some, 2: a file could not be read\n"
	"  why URL FILES...   what happened to this URL, and for what reasons it was not answered from the store\n"
	"  top FILES...       the URLs that were asked for most; --missed: that the store did not answer\n"
	"  metrics FILES...   compares the counters of a metrics page with the log; exit code 1 when they differ\n"
	"  fields             the columns of the log and their values, explained\n"
	"  rules              the rules, explained\n"
	"  help               this text\n"
	"\n"
	"  --json             one JSON object instead of text\n"
	"  --threads N        how many threads read and count (as many as there are processors)\n"
	"  --csv              report: one CSV table of section, name, measure and value instead of text\n"
	"  --html FILE        report: write it as one self-contained page instead of text\n"
	"  --color WHEN       report, check: auto (on a terminal), always or never\n"
	"  --limit N          report: most rows of each table; top: most URLs (20; 0: all)\n"
	"  --missed           top: the URLs most often missed\n"
	"  --why              top: with the reasons of the misses\n"
	"  --scrape FILE      metrics: a saved metrics page\n"
	"  --url URL          metrics: http://ADDRESS:PORT/metrics\n"
	"  --node NAME        metrics: the node that was scraped, when the log has several\n"
	"  --version          program and schema version\n";

static int usage(const char *what, const char *detail)
{
	fprintf(stderr, "logaudit: %s%s%s\ntry: logaudit help\n", what, detail ? " " : "", detail ? detail : "");
	return EXIT_trouble;
}

/* ---- commands ---- */

static void read_given(struct audit *audit, const struct options *o)
{
	struct progress progress;

	audit->threads = o->threads;
	progress_begin(&progress, o->files, o->file_count);
	audit->progress = &progress;
	fileset_read(audit, o->files, o->file_count);
	audit->progress = NULL;
	progress_end(&progress);
	audit_finish(audit);
	for (size_t i = 0; i < audit->trouble_count; i++) fprintf(stderr, "logaudit: %s\n", audit->troubles[i]);
}

static void read_files(struct audit *audit, const struct options *o)
{
	audit_init(audit);
	read_given(audit, o);
}

static struct report_options report_options(const struct options *o)
{
	return (struct report_options){ o->limit, show_width(STDOUT_FILENO), show_color(STDOUT_FILENO, o->color) };
}

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

static int cmd_report(const struct options *o)
{
	const struct report_options options = report_options(o);
	struct audit audit;
	int code;

	read_files(&audit, o);
	if (o->json) report_json(&audit, true, NULL, stdout);
	else if (o->csv) report_csv(&audit, stdout);
	else if (!o->html) report_text(&audit, &options, stdout);
	code = audit.trouble_count ? EXIT_trouble : EXIT_ok;
	if (o->html && !page_save(&audit, &options, o->html)) code = EXIT_trouble;
	audit_release(&audit);
	return code;
}

static int cmd_check(const struct options *o)
{
	const struct report_options options = report_options(o);
	struct audit audit;
	int code;

	read_files(&audit, o);
	if (o->json) report_json(&audit, false, NULL, stdout);
	else check_text(&audit, &options, stdout);
	/* What is only worth knowing fails no check. */
	code = audit.trouble_count ? EXIT_trouble : audit_worst(&audit) >= SEVERITY_warning ? EXIT_found : EXIT_ok;
	audit_release(&audit);
	return code;
}

/* The first argument is the URL: with or without scheme and host. */
static int cmd_why(const struct options *o)
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
	audit_init(&audit);
	why_init(&why, url);
	audit.reader = why_reader(&why);
	read_given(&audit, &rest);
	why_finish(&why);
	(o->json ? why_json : why_text)(&why, &audit, stdout);
	code = audit.trouble_count ? EXIT_trouble : why.requests.count ? EXIT_ok : EXIT_found;
	why_release(&why);
	audit_release(&audit);
out:
	free(buf);
	return code;
}

static int cmd_top(const struct options *o)
{
	const struct top_options options = { o->missed, o->why, o->limit };
	struct audit audit;
	struct top top;
	int code;

	audit_init(&audit);
	top_init(&top);
	audit.reader = top_reader(&top);
	read_given(&audit, o);
	(o->json ? top_json : top_text)(&top, &audit, &options, stdout);
	code = audit.trouble_count ? EXIT_trouble : EXIT_ok;
	top_release(&top);
	audit_release(&audit);
	return code;
}

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

static int cmd_metrics(const struct options *o)
{
	struct scrape scrape = { 0 };
	struct compare compare;
	struct audit audit;
	char why[256] = "";
	int code = EXIT_trouble;

	if (!o->scrape == !o->url) return usage("metrics needs one of --scrape FILE and --url URL", NULL);
	/* The page first: what is logged while the files are read is then not held against it, but against them. */
	if (!load_scrape(o, &scrape, why)) {
		fprintf(stderr, "logaudit: %s\n", why);
		return EXIT_trouble;
	}
	read_files(&audit, o);
	const struct blind *blind = &audit.blind[RULE_metrics_disagree];
	if (blind->blind) {
		fprintf(stderr, "logaudit: cannot tell: column %.*s is missing in the header line of %s\n", SLICE_ARG(blind->column),
			audit_path(&audit, blind->header));
		goto out;
	}
	if (!metrics_compare(&audit.metrics, slice_str(o->node), &scrape, &compare, why)) {
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

static int cmd_fields(const struct options *o)
{
	(o->json ? fields_json : fields_text)(stdout);
	return EXIT_ok;
}

static int cmd_rules(const struct options *o)
{
	(o->json ? rules_json : rules_text)(stdout);
	return EXIT_ok;
}

static int cmd_help(const struct options *o)
{
	(void)o;
	fputs(help_text, stdout);
	return EXIT_ok;
}

static const struct { const char *name; int (*run)(const struct options *); bool takes_files; } commands[] = {
	{ "report", cmd_report, true }, { "check", cmd_check, true }, { "why", cmd_why, true }, { "top", cmd_top, true }, { "metrics", cmd_metrics, true },
	{ "fields", cmd_fields, false }, { "rules", cmd_rules, false }, { "help", cmd_help, false },
};

/* ---- arguments ---- */

static int print_version(void)
{
	printf("logaudit, log schema %d\n", LOG_SCHEMA_VERSION);
	return EXIT_ok;
}

static bool parse_limit(const char *text, size_t *ret_limit)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end || end == text || errno || text[0] == '-') return false;
	*ret_limit = (size_t)n;
	return true;
}

static bool parse_threads(const char *text, unsigned *ret_threads)
{
	size_t n;

	if (!parse_limit(text, &n) || n < 1 || n > PIPELINE_THREADS_MAX) return false;
	*ret_threads = (unsigned)n;
	return true;
}

/* The processors that this process may use. */
static unsigned threads_default(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
	return CPU_COUNT(&set) < PIPELINE_THREADS_MAX ? (unsigned)CPU_COUNT(&set) : PIPELINE_THREADS_MAX;
}

static bool parse_color(const char *text, enum color_when *ret_color)
{
	static const char *const names[] = { "auto", "always", "never" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (strcmp(text, names[i]) != 0) continue;
		*ret_color = (enum color_when)i;
		return true;
	}
	return false;
}

static int run(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' }, { "limit", required_argument, NULL, 'l' },
		{ "scrape", required_argument, NULL, 's' }, { "url", required_argument, NULL, 'u' }, { "node", required_argument, NULL, 'n' },
		{ "missed", no_argument, NULL, 'm' }, { "threads", required_argument, NULL, 't' },
		{ "csv", no_argument, NULL, 'c' }, { "html", required_argument, NULL, 'H' }, { "color", required_argument, NULL, 'C' },
		{ "why", no_argument, NULL, 'y' }, { "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct options o = { .limit = ROWS_DEFAULT, .threads = threads_default() };
	size_t i = 0;

	for (int c; (c = getopt_long(argc, argv, "hV", longs, NULL)) != -1;) {
		switch (c) {
		case 'j': o.json = true; break;
		case 'c': o.csv = true; break;
		case 'H': o.html = optarg; break;
		case 'C': if (!parse_color(optarg, &o.color)) return usage("--color is not auto, always or never:", optarg); break;
		case 'l': if (!parse_limit(optarg, &o.limit)) return usage("--limit is not a number:", optarg); break;
		case 't': if (!parse_threads(optarg, &o.threads)) return usage("--threads is not a number from 1 to 64:", optarg); break;
		case 'm': o.missed = true; break;
		case 'y': o.why = true; break;
		case 's': o.scrape = optarg; break;
		case 'u': o.url = optarg; break;
		case 'n': o.node = optarg; break;
		case 'V': return print_version();
		case 'h': return cmd_help(&o);
		default: return usage("that option is not known, or lacks its value", NULL);
		}
	}
	if (optind == argc) return usage("what is to be done? no command was given", NULL);
	while (i < COUNT_OF(commands) && strcmp(commands[i].name, argv[optind]) != 0) i++;
	if (i == COUNT_OF(commands)) return usage("no such command:", argv[optind]);
	o.files = argv + optind + 1;
	o.file_count = argc - optind - 1;
	if (commands[i].takes_files && o.file_count == 0) return usage("give the files of the log, or - for standard input, to", commands[i].name);
	if (!commands[i].takes_files && o.file_count) return usage("this command takes no files:", commands[i].name);
	return commands[i].run(&o);
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);

	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "logaudit: cannot write: %s\n", strerror(errno));
		code = EXIT_trouble;
	}
	return code;
}
