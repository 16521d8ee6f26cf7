/* What proxyd does beside serving. */
#include "command.h"
#include "tls_front.h"
#include "tls_origins.h"
#include "ctl.h"
#include "explain.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "../cachestore/cachestore.h"
#include "../conf/check.h"
#include "http_head.h"
#include "identity.h"
#include "pidfile.h"
#include "volumes.h"

static const struct { const char *word; int number; } words[] = {
	{ "reload", SIGHUP }, { "reopen", SIGUSR1 }, { "quit", SIGQUIT }, { "upgrade", SIGUSR2 }, { "stop", SIGTERM },
};

int command_signal(const struct conf *conf, const char *word)
{
	char why[256] = "";
	int number = 0;
	pid_t pid;

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(words[i].word, word) == 0)
			number = words[i].number;
	if (!number) {
		fprintf(stderr, "proxyd: -s takes reload, reopen, upgrade, quit or stop, not '%s'\n", word);
		return 2;
	}
	if (!conf->pid_file.len) {
		fputs("proxyd: -s finds the daemon by its pid file: write `pid FILE;` into the configuration\n", stderr);
		return 1;
	}
	pid = pid_file_read(conf->pid_file, why);
	if (pid && kill(pid, number) != 0)
		snprintf(why, sizeof(why), "process %ld: %s", (long)pid, strerror(errno));
	if (*why)
		fprintf(stderr, "proxyd: -s %s: %s\n", word, why);
	return *why ? 1 : 0;
}

/* A file that is written need not be there yet; its folder must. */
static bool check_folder(const char *what, struct slice file)
{
	const char *slash = file.len ? memrchr(file.ptr, '/', file.len) : NULL;
	char folder[4096] = "/";
	struct stat st;

	if (!slash)
		return true;                     /* none, the folder that is the current one, -, stderr */
	if (slash > file.ptr)
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - file.ptr), file.ptr);
	errno = ENOTDIR;
	if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode))
		return true;
	fprintf(stderr, "proxyd: error: %s '%.*s': folder '%s': %s\n", what, SLICE_ARG(file), folder, strerror(errno));
	return false;
}

static bool check_user(const struct conf *conf)
{
	struct identity identity;
	char why[256] = "";

	if (identity_find(conf, &identity, why))
		return true;
	fprintf(stderr, "proxyd: error: %s\n", why);
	return false;
}

int command_check(struct conf *conf)
{
	bool ok = volumes_check(conf);

	ok &= tls_front_check(conf);
	ok &= tls_origins_make(conf);
	ok &= check_user(conf);
	ok &= check_folder("access log", conf->access_log);
	ok &= check_folder("error_log", conf->error_log);
	ok &= check_folder("pid", conf->pid_file);
	if (!conf->access_log.len)
		fputs("proxyd: warn: " NO_ACCESS_LOG "\n", stderr);
	fprintf(stderr, "proxyd: the configuration is %s\n", ok ? "good" : "not usable");
	return ok ? 0 : 1;
}

int command_word(const struct conf *conf, int argc, char **argv)
{
	if (strcmp(argv[0], "explain") == 0 && argc == 2)
		return explain(conf, argv[1]);
	if (strcmp(argv[0], "ctl") == 0)
		return ctl(conf, argc - 1, argv + 1);
	fprintf(stderr, "proxyd: '%s' is no command; there are: explain URL, ctl WORDS, and without -c: volume WORDS\n", argv[0]);
	return 2;
}
