/* proxyd ctl: words of a command line become a line for the admin socket; its answer is printed. */
#include "ctl.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../conf/check.h"

enum { CTL_OK, CTL_REFUSED, CTL_USAGE, CTL_UNREACHABLE };

static int usage(const char *problem)
{
	if (problem)
		fprintf(stderr, "proxyd: ctl: %s\n", problem);
	fputs("proxyd: ctl takes:\n"
		"  status                                the process and its counters\n"
		"  volumes                               each volume: its numbers, the sites bound to it, what is wrong with it\n"
		"  origins                               each server of each upstream: its state, connections, tries, failures\n"
		"  volume flush [NAME]                   what was handed to it (to each) so far is on disk when this returns\n"
		"  upgrade [PROGRAM]                     a new program takes over from the running one, which finishes its requests\n"
		"  certificates                          each certificate: names, serial, expiry, since when, the last error\n"
		"  purge url URL                         one URL, with all its variants\n"
		"  purge prefix URL                      everything whose URL begins so\n"
		"  purge tag TAG                         everything with exactly this tag\n"
		"  purge all\n"
		"        [--hard]                        gone; else stale: validated before use, and kept for when the origin fails\n"
		"        [--volume NAME]                 there only; else in every volume\n", stderr);
	return CTL_USAGE;
}

/* The line for a purge, malloced; NULL after telling what is wrong. */
static char *purge_line(int argc, char **argv)
{
	static const struct option options[] = { { "hard", no_argument, NULL, 'h' }, { "soft", no_argument, NULL, 's' },
		{ "volume", required_argument, NULL, 'v' }, { NULL, 0, NULL, 0 } };
	const char *mode = "soft", *volume = "*", *kind;
	char *line = NULL;
	int letter;

	optind = 0;                              /* begins anew: main() has used it */
	opterr = 0;
	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (letter) {
		case 'h': mode = "hard"; break;
		case 's': mode = "soft"; break;
		case 'v': volume = optarg; break;
		default: usage("purge takes --hard, --soft and --volume NAME"); return NULL;
		}
	kind = optind < argc ? argv[optind] : "";
	bool all = strcmp(kind, "all") == 0;
	if (argc - optind != (all ? 1 : 2)) {
		usage(all ? "purge all takes nothing more" : "purge takes a kind, and one URL or tag");
		return NULL;
	}
	const char *text = all ? "" : argv[optind + 1];
	if (strpbrk(text, "\r\n") || strpbrk(volume, " \r\n") || !*volume || strpbrk(kind, " \r\n")) {
		usage("a name, a URL and a tag have no line end, a name has no blank");
		return NULL;
	}
	CHECK(asprintf(&line, "purge %s %s %s%s%s\n", mode, volume, kind, all ? "" : " ", text) > 0);
	return line;
}

static char *volume_line(int argc, char **argv)
{
	char *line = NULL;

	if (argc < 2 || argc > 3 || strcmp(argv[1], "flush") != 0)
		usage("volume takes flush, and a name or nothing");
	else if (argc == 3 && (!*argv[2] || strpbrk(argv[2], " \r\n")))
		usage("a name has no blank and no line end");
	else
		CHECK(asprintf(&line, "volume flush %s\n", argc == 3 ? argv[2] : "*") > 0);
	return line;
}

/* Asked without anything more. */
static bool is_word(const char *text)
{
	static const char *const words[] = { "status", "volumes", "origins", "certificates" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(words[i], text) == 0)
			return true;
	return false;
}

static char *line_make(int argc, char **argv)
{
	char *line = NULL;

	if (argc < 1) {
		usage(NULL);
	} else if (strcmp(argv[0], "purge") == 0) {
		line = purge_line(argc, argv);
	} else if (strcmp(argv[0], "volume") == 0) {
		line = volume_line(argc, argv);
	} else if (argc == 1 && is_word(argv[0])) {
		CHECK(asprintf(&line, "%s\n", argv[0]) > 0);
	} else if (strcmp(argv[0], "upgrade") == 0 && argc <= 2 && !(argc == 2 && strpbrk(argv[1], "\r\n"))) {
		CHECK(asprintf(&line, "upgrade%s%s\n", argc == 2 ? " " : "", argc == 2 ? argv[1] : "") > 0);
	} else {
		char *problem = NULL;

		CHECK(asprintf(&problem, argc == 1 ? "'%s' is no command" : "'%s' takes nothing more, or is no command", argv[0]) > 0);
		usage(problem);
		free(problem);
	}
	return line;
}

static int unreachable(const struct conf *conf, const char *what)
{
	fprintf(stderr, "proxyd: ctl: %.*s: %s: %s\n", SLICE_ARG(conf->admin->text), what, strerror(errno));
	return CTL_UNREACHABLE;
}

static int answer_print(const char *text)
{
	json_error_t error;
	json_t *answer = json_loads(text, 0, &error);
	const char *problem = json_string_value(json_object_get(answer, "error"));
	int code = json_is_true(json_object_get(answer, "ok")) ? CTL_OK : CTL_REFUSED;

	if (!answer) {
		fputs("proxyd: ctl: the daemon broke off its answer\n", stderr);
		return CTL_UNREACHABLE;
	}
	json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	if (problem)
		fprintf(stderr, "proxyd: ctl: %s\n", problem);
	json_decref(answer);
	return code;
}

int ctl(const struct conf *conf, int argc, char **argv)
{
	char *line = line_make(argc, argv), *answer = NULL, piece[4096];
	size_t len = 0;
	FILE *out;
	ssize_t n;
	int fd, code = CTL_OK;

	if (!line)
		return CTL_USAGE;
	if (!conf->admin) {
		fputs("proxyd: ctl: the configuration names no socket: write `admin unix:/run/proxyd/admin;`\n", stderr);
		free(line);
		return CTL_USAGE;
	}
	out = must(open_memstream(&answer, &len));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, &conf->admin->sa.any, conf->admin->len) != 0) {
		code = unreachable(conf, "no daemon answers");
	} else if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line) || shutdown(fd, SHUT_WR) != 0) {
		code = unreachable(conf, "sending");
	} else {
		while ((n = recv(fd, piece, sizeof(piece), 0)) > 0)
			fwrite(piece, 1, (size_t)n, out);
		if (n < 0)
			code = unreachable(conf, "reading");
	}
	CHECK(fclose(out) == 0);
	if (code == CTL_OK)
		code = answer_print(answer);
	if (fd >= 0)
		close(fd);
	free(answer);
	free(line);
	return code;
}
