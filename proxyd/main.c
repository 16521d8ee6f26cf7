/* proxyd: arguments, start, signals, stop. No HTTP. */
#include "command.h"
#include "daemon.h"
#include "admin.h"
#include "diag.h"
#include "metrics.h"
#include "notify.h"
#include "upgrade.h"
#include "volume_command.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROXYD_VERSION "0.1"
enum { GRACE_MS = 30 * 1000, DRAIN_LOOK_MS = 20, TIDY_MS = 1000 };

/* OPTION(long name, has argument, letter or 0, what it is called, doc) */
#define OPTIONS(X) \
	X("config",     required_argument, 'c', "FILE",  "Read the configuration from FILE.") \
	X("test",       no_argument,       't', "",      "Check the configuration and what it needs; start nothing.") \
	X("print",      no_argument,       'T', "",      "The same, and print the effective configuration.") \
	X("signal",     required_argument, 's', "WORD",  "Tell the running daemon: reload, reopen, upgrade (a new program takes over), quit (finish requests first) or stop.") \
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
	char *program, **argv;                   /* as it was started, for an upgrade */
};

static void usage(FILE *out)
{
	fputs("proxyd: a caching reverse proxy whose access log is the truth\n\n"
		"  proxyd -c FILE [-t | -T | -d | -s WORD]\n"
		"  proxyd --listen ADDR --origin URL [--volume DIR:SIZE] [--access-log FILE] [--metrics ADDR] [--workers N]\n"
		"  proxyd -c FILE ctl WORDS        asks the running daemon: status, volumes, origins, certificates, purge, upgrade; alone it says what there is\n"
		"  proxyd volume WORDS             looks into a volume's folder, whoever has it open: check, stat, dump, top; --help says more\n"
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

static struct conf *load(const struct arguments *args, FILE *messages)
{
	return args->config ? conf_load_file(args->config, messages) : conf_load_quick(&args->quick, messages);
}

/* ---- signals ---- */

/* Taken from a descriptor, in the main thread, between two other things: no handler ever runs. Blocked before the first
 * thread is made, which inherits that. -1 when the system refuses. */
static int signals_open(void)
{
	static const int wanted[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGQUIT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < COUNT_OF(wanted); i++)
		sigaddset(&set, wanted[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);                /* a file that may not grow further is an error of write() */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The next signal; or 0 after so many milliseconds (ms < 0: never), or when there is something to be read from other (-1: none). */
static int signal_wait(int fd, int other, int ms)
{
	struct pollfd wait[2] = { { .fd = fd, .events = POLLIN }, { .fd = other, .events = POLLIN } };
	struct signalfd_siginfo info;

	if (poll(wait, 2, ms) <= 0 || !wait[0].revents || read(fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

static void reload(struct daemon *daemon, const struct arguments *args)
{
	char *text = NULL;
	size_t size = 0;
	FILE *messages;
	struct conf *conf;
	bool ok;

	if (!args->config) {
		diag(DIAG_warn, "reload: there is no configuration file in quick mode");
		return;
	}
	notify("RELOADING=1");
	messages = must(open_memstream(&text, &size));
	conf = load(args, messages);
	CHECK(fclose(messages) == 0);
	diag_lines(conf ? DIAG_notice : DIAG_error, text);
	free(text);
	ok = conf && daemon_reload(daemon, conf);
	if (ok)
		diag(DIAG_notice, "reload: configuration %lu is in use", (unsigned long)atomic_load(&daemon->generation));
	else
		diag(DIAG_error, "reload: '%s' is not usable; nothing was changed, configuration %lu stays", args->config,
			(unsigned long)atomic_load(&daemon->generation));
	notify("READY=1");
}

/* The program that was asked for, or the one that was started, which may be another file by now. */
static bool replace(struct daemon *daemon, const struct arguments *args, int signals)
{
	char program[4096];

	pthread_mutex_lock(&daemon->lock);
	snprintf(program, sizeof(program), "%s", daemon->upgrade_to ? daemon->upgrade_to : args->program);
	pthread_mutex_unlock(&daemon->lock);
	return upgrade(daemon, program, args->argv, signals);
}

/* Until a signal ends it: SIGTERM, SIGINT or SIGQUIT; or SIGUSR2, when another process has taken over. */
static int serve(struct daemon *daemon, const struct arguments *args, int signals)
{
	while (!daemon->ends) {
		int number = signal_wait(signals, daemon->heir ? daemon->heir->fd : -1, daemon_has_old(daemon) ? TIDY_MS : -1);

		switch (number) {
		case 0: daemon_tidy(daemon); break;
		case SIGHUP: reload(daemon, args); break;
		case SIGUSR1: daemon_reopen(daemon); break;
		case SIGUSR2:
			if (replace(daemon, args, signals))
				return number;
			break;
		default: return number;
		}
		if (daemon->heir)
			heir_listen(daemon->heir);
	}
	return daemon->ends;
}

/* Requests in progress may finish, but not for ever, and not against a second signal. */
static void drain(struct daemon *daemon, int signals)
{
	int number = 0;

	diag(DIAG_notice, "stopping: requests in progress may take %d s", GRACE_MS / 1000);
	daemon_drain(daemon);
	if (daemon->handed_over) {
		upgrade_done(daemon);
		metrics_close(&daemon->metrics);
		admin_close(&daemon->admin);
	}
	for (int waited = 0; waited < GRACE_MS && !daemon_has_ended(daemon); waited += DRAIN_LOOK_MS) {
		number = signal_wait(signals, -1, DRAIN_LOOK_MS);
		upgrade_look(daemon);
		if (number == SIGTERM || number == SIGINT)
			return;
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

/* The parent waits until the child is ready, and says by its exit code how it went. */
static bool go_to_background(int *ret_ready)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
		fprintf(stderr, "proxyd: cannot go to the background: %s\n", strerror(errno));
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

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(ready, "", 1) != 1)
		diag(DIAG_warn, "whoever started the daemon did not wait until it was ready");
	close(ready);
}

/* Takes conf and heir, which is NULL when no other process hands over. */
static int run(struct conf *conf, const struct arguments *args, struct heir *heir)
{
	struct daemon daemon;
	int ready = -1, signals, ended;
	bool ok;

	if (args->background && !heir && !go_to_background(&ready)) {
		conf_unref(&conf);
		return 1;
	}
	raise_limits();
	umask(umask(077) | 007);                 /* what it writes is nobody else's business */
	signals = signals_open();
	CHECK(signals >= 0);
	daemon_init(&daemon);
	daemon.heir = heir;
	if (ready >= 0 && diag_is_stderr())
		diag(DIAG_warn, "messages are lost in the background: write `error_log FILE;` into the configuration");
	if (!conf->access_log.len)
		diag(DIAG_warn, NO_ACCESS_LOG);
	ok = daemon_start(&daemon, conf);
	if (ok) {
		notify("READY=1");
		diag_started();
		if (ready >= 0)
			background_ready(ready);
		ended = serve(&daemon, args, signals);
		if (ended == SIGQUIT || ended == SIGUSR2)
			drain(&daemon, signals);
		if (!daemon.handed_over)
			notify("STOPPING=1");
		daemon_end(&daemon);
	} else {
		diag(DIAG_error, "not started");
	}
	daemon_release(&daemon);
	close(signals);
	diag_close();
	return ok ? 0 : 1;
}

/* What stands behind ctl is not for us. */
static int options_end(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "ctl") == 0 && strcmp(argv[i - 1], "-c") != 0 && strcmp(argv[i - 1], "--config") != 0)
			return i + 1;
	return argc;
}

/* What was started, by its name: what is found under it at an upgrade is what will be started. */
static char *program_find(const char *name)
{
	char folder[4096] = "", *path = NULL;
	ssize_t n;

	if (name[0] == '/')
		return must(strdup(name));
	if (strchr(name, '/') && getcwd(folder, sizeof(folder))) {
		CHECK(asprintf(&path, "%s/%s", folder, name) > 0);
		return path;
	}
	n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	return must(strndup(folder, n > 0 ? (size_t)n : 0));
}

/* The process that hands over tells its own log what is wrong with the configuration. */
static struct conf *load_told(const struct arguments *args, struct heir *heir)
{
	char *text = NULL;
	size_t size = 0;
	FILE *messages;
	struct conf *conf;

	if (!heir)
		return load(args, stderr);
	messages = must(open_memstream(&text, &size));
	conf = load(args, messages);
	CHECK(fclose(messages) == 0);
	if (!conf)
		heir_say(heir, 'F', text, 0);
	free(text);
	return conf;
}

int main(int argc, char **argv)
{
	struct arguments args = { .argv = argv };
	int own = options_end(argc, argv), code;
	struct heir *heir = NULL;
	struct conf *conf;

	if (argc > 1 && strcmp(argv[1], "volume") == 0)   /* needs no configuration */
		return volume_command(argc - 1, argv + 1);
	code = parse(own, argv, &args);
	if (code >= 0)
		return code;
	if (!args.signal && !args.test && argc == optind && !heir_receive(&heir))
		return 1;
	conf = load_told(&args, heir);
	if (!conf) {
		heir_free(&heir);
		return 1;
	}
	if (args.signal) {
		code = command_signal(conf, args.signal);
	} else if (argc > optind) {
		code = command_word(conf, argc - optind, argv + optind);
	} else if (args.print) {
		conf_print(conf, stdout);
		code = command_check(conf);
	} else if (args.test) {
		code = command_check(conf);
	} else if (!diag_open(conf->error_log, diag_level_find(conf->error_level, DIAG_notice))) {
		fprintf(stderr, "proxyd: error_log '%.*s': %s\n", SLICE_ARG(conf->error_log), strerror(errno));
		code = 1;
	} else {
		args.program = program_find(argv[0]);
		code = run(conf, &args, heir);
		free(args.program);
		return code;
	}
	heir_free(&heir);
	conf_unref(&conf);
	return code;
}
