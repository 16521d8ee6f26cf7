/* proxyd: arguments, start, signals, stop. No HTTP. */
#include "command.h"
#include "daemon.h"
#include "diag.h"
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROXYD_VERSION "0.1"
enum { GRACE_US = 30 * 1000 * 1000 };

/* OPTION(long name, has argument, letter or 0, what it is called, doc) */
#define OPTIONS(X) \
	X("config",     required_argument, 'c', "FILE",  "Read the configuration from FILE.") \
	X("test",       no_argument,       't', "",      "Check the configuration and what it needs; start nothing.") \
	X("print",      no_argument,       'T', "",      "The same, and print the effective configuration.") \
	X("signal",     required_argument, 's', "WORD",  "Tell the running daemon: reload, reopen, quit (finish requests first) or stop.") \
	X("daemonize",  no_argument,       'd', "",      "Go to the background once everything is ready.") \
	X("listen",     required_argument, 'l', "ADDR",  "Without a file: listen on ADDR, such as 127.0.0.1:8080.") \
	X("origin",     required_argument, 'o', "URL",   "Without a file: the origin, such as http://127.0.0.1:3000.") \
	X("volume",     required_argument, 'V', "DIR:SIZE", "Without a file: cache in DIR, at most SIZE, such as /var/cache/proxyd:1g.") \
	X("access-log", required_argument, 'a', "FILE",  "Without a file: the access log; - is the standard output.") \
	X("metrics",    required_argument, 'm', "ADDR",  "Without a file: the metrics page.") \
	X("workers",    required_argument, 'w', "N",     "Without a file: number of workers; otherwise one a core.") \
	X("help",       no_argument,       'h', "",      "This text.") \
	X("help-conf",  no_argument,       'H', "",      "Every directive of the configuration.") \
	X("version",    no_argument,       'v', "",      "The version.")

static const struct option long_options[] = {
#define X(name, argument, letter, what, doc) { name, argument, NULL, letter },
	OPTIONS(X)
#undef X
	{ NULL, 0, NULL, 0 }
};

struct arguments {
	const char *config, *signal;
	struct conf_quick quick;
	bool test, print, background, quick_used;
};

static void usage(FILE *out)
{
	fputs("proxyd: a caching reverse proxy whose access log is the truth\n\n"
		"  proxyd -c FILE [-t | -T | -d | -s WORD]\n"
		"  proxyd --listen ADDR --origin URL [--volume DIR:SIZE] [--access-log FILE] [--metrics ADDR] [--workers N]\n"
		"  proxyd -c FILE explain URL      which server, location, key, volume and origin a URL comes to\n\n", out);
#define X(name, argument, letter, what, doc) fprintf(out, "  -%c, --%-10s %-9s %s\n", letter, name, what, doc);
	OPTIONS(X)
#undef X
}

/* Returns -1 to go on, or an exit code. */
static int parse(int argc, char **argv, struct arguments *args)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "c:tTs:dl:o:V:a:m:w:hHv", long_options, NULL)) != -1) {
		args->quick_used |= strchr("loVamw", letter) != NULL;
		switch (letter) {
		case 'c': args->config = optarg; break;
		case 't': args->test = true; break;
		case 'T': args->test = args->print = true; break;
		case 's': args->signal = optarg; break;
		case 'd': args->background = true; break;
		case 'l': args->quick.listen = slice_str(optarg); break;
		case 'o': args->quick.origin = slice_str(optarg); break;
		case 'V': args->quick.volume = slice_str(optarg); break;
		case 'a': args->quick.access_log = slice_str(optarg); break;
		case 'm': args->quick.metrics = slice_str(optarg); break;
		case 'w': {
			char *end;
			unsigned long n = strtoul(optarg, &end, 10);
			if (*end || n < 1 || n > 256) {
				fprintf(stderr, "proxyd: --workers: '%s' is not a number from 1 to 256\n", optarg);
				return 2;
			}
			args->quick.workers = (unsigned)n;
			break;
		}
		case 'h': usage(stdout); return 0;
		case 'H': conf_print_help(stdout); return 0;
		case 'v': puts("proxyd " PROXYD_VERSION); return 0;
		default: fputs("proxyd: try proxyd --help\n", stderr); return 2;
		}
	}
	if (args->config && args->quick_used) {
		fputs("proxyd: -c FILE and the options of quick mode exclude each other: write it into the file\n", stderr);
		return 2;
	}
	if (!args->config && !args->quick_used) {
		usage(stderr);
		return 2;
	}
	return -1;
}

static struct conf *load(const struct arguments *args)
{
	return args->config ? conf_load_file(args->config, stderr) : conf_load_quick(&args->quick, stderr);
}

/* ---- signals ---- */

static volatile sig_atomic_t signal_seen[64];
static int signal_pipe[2];

static void on_signal(int number)
{
	int saved = errno;

	signal_seen[number] = 1;
	ssize_t n = write(signal_pipe[1], "", 1);
	(void)n;
	errno = saved;
}

static void signals_catch(void)
{
	const int wanted[] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT, SIGQUIT };
	struct sigaction action = { .sa_handler = on_signal };

	CHECK(pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) == 0);
	fcntl(signal_pipe[0], F_SETFL, 0);
	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		sigaction(wanted[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static bool take_signal(int number)
{
	bool seen = signal_seen[number];

	signal_seen[number] = 0;
	return seen;
}

static void reload(struct daemon *daemon, const struct arguments *args)
{
	if (!args->config) {
		diag(DIAG_warn, "reload: there is no configuration file in quick mode");
		return;
	}
	notify("RELOADING=1");
	struct conf *conf = load(args);
	if (!conf)
		diag(DIAG_error, "reload: '%s' has errors; nothing was changed, configuration %llu stays", args->config, (unsigned long long)daemon->conf->generation);
	else
		daemon_reload(daemon, conf);
	notify("READY=1");
}

/* Until a signal ends it. Returns whether requests may finish first. */
static bool serve(struct daemon *daemon, const struct arguments *args)
{
	char byte;

	for (;;) {
		ssize_t n = read(signal_pipe[0], &byte, 1);
		(void)n;
		if (take_signal(SIGTERM) || take_signal(SIGINT))
			return false;
		if (take_signal(SIGQUIT))
			return true;
		if (take_signal(SIGUSR1))
			daemon_reopen(daemon);
		if (take_signal(SIGHUP))
			reload(daemon, args);
	}
}

/* ---- start ---- */

static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The parent waits until the child is ready, and says how it went by its exit code. */
static bool go_to_background(int *ret_ready)
{
	int ends[2];
	char byte = 1;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid < 0) {
		diag(DIAG_error, "cannot go to the background: %s", strerror(errno));
		return false;
	}
	if (pid > 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
	}
	close(ends[0]);
	setsid();
	*ret_ready = ends[1];
	return true;
}

static void background_ready(int ready)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (write(ready, "", 1) == 1 && null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
	}
	if (null > 2)
		close(null);
	close(ready);
}

static int run(struct conf *conf, const struct arguments *args)
{
	struct daemon *daemon = must(calloc(1, sizeof(*daemon)));
	char *pid_file = conf->pid_file.len ? must(strndup(conf->pid_file.ptr, conf->pid_file.len)) : NULL;
	int ready = -1;
	bool graceful;

	if (args->background && !go_to_background(&ready))
		return 1;
	raise_limits();
	signals_catch();
	if (!daemon_open(daemon, conf) || (pid_file && !pid_file_write(pid_file)) || !daemon_start(daemon)) {
		diag(DIAG_error, "not started");
		return 1;
	}
	if (ready >= 0)
		background_ready(ready);
	notify("READY=1");
	graceful = serve(daemon, args);
	notify("STOPPING=1");
	daemon_stop(daemon, graceful, GRACE_US);
	if (pid_file)
		unlink(pid_file);
	free(pid_file);
	free(daemon);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments args = { 0 };
	int code = parse(argc, argv, &args);

	if (code >= 0)
		return code;
	struct conf *conf = load(&args);
	if (!conf)
		return 1;
	if (args.signal) {
		code = command_signal(conf, args.signal);
	} else if (argc > optind) {
		code = command_word(conf, argc - optind, argv + optind);
	} else if (!diag_open(conf->error_log, conf->error_level)) {
		fprintf(stderr, "proxyd: error_log: cannot open '%.*s': %s\n", SLICE_ARG(conf->error_log), strerror(errno));
		code = 1;
	} else if (args.test) {
		code = daemon_check(conf) ? 0 : 1;
		if (args.print)
			conf_print(conf, stdout);
		else
			fprintf(stderr, "proxyd: the configuration is %s\n", code ? "not usable" : "good");
	} else {
		return run(conf, &args);
	}
	conf_unref(&conf);
	return code;
}
