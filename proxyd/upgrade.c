/* A binary upgrade, as the old process sees it: heir.h has the conversation. */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diag.h"
#include "metrics.h"
#include "admin.h"
#include "notify.h"
#include "worker_internal.h"

enum { CHANNEL_FD = 3, PATIENCE_MS = 60 * 1000, WORKERS_END = 32000, END_LOOKS = 100, END_LOOK_US = 20 * 1000 };

extern char **environ;

/* ---- what is handed over ---- */

/* In each worker's thread: copies of its sockets. One of those that all workers share is enough. */
static void gather_run(struct worker *worker, struct order *order)
{
	struct daemon *daemon = order->daemon;

	for (struct listener *l = worker->priv->listeners; l; l = l->next) {
		struct inherited *one = must(calloc(1, sizeof(*one)));
		bool is_one = l->listen->addr.sa.any.sa_family == AF_UNIX;

		one->kind = 'L';
		one->fd = is_one && worker->number > 0 ? -1 : fcntl(l->io.fd, F_DUPFD_CLOEXEC, 0);
		snprintf(one->text, sizeof(one->text), "%s", l->asked);
		pthread_mutex_lock(&daemon->lock);
		one->next = daemon->gathered;
		daemon->gathered = one;
		pthread_mutex_unlock(&daemon->lock);
	}
}

static bool send_sockets(struct daemon *daemon, int channel)
{
	bool ok = true;

	daemon_order(daemon, NULL, NULL, gather_run);
	while (daemon->gathered) {
		struct inherited *one = daemon->gathered;

		daemon->gathered = one->next;
		if (one->fd >= 0) {
			ok = ok && packet_send(channel, one->kind, slice_str(one->text), one->fd, true);
			close(one->fd);
		}
		free(one);
	}
	return ok;
}

static void send_size(void *arg, const char *path, uint64_t size)
{
	char text[HEIR_NAME_MAX + 32];
	int *channel = arg;

	snprintf(text, sizeof(text), "%" PRIu64 " %s", size, path);
	if (*channel >= 0 && !packet_send(*channel, 'S', slice_str(text), -1, true))
		*channel = -1;
}

/* Over the pair of sockets that nobody else has: never through a file. */
static bool send_tickets(struct daemon *daemon, int channel)
{
	char keys[TICKETS_GIVEN_MAX];
	size_t len = tls_tickets_give(daemon->tls.tickets, keys);
	bool ok = len == 0 || packet_send(channel, 'K', slice_make(keys, len), -1, true);

	explicit_bzero(keys, sizeof(keys));
	return ok;
}

static bool send_all(struct daemon *daemon, int channel)
{
	unsigned next = daemon->first_worker + daemon->worker_count;
	int sizes = channel;
	char text[160];
	bool ok;

	snprintf(text, sizeof(text), "1 %u %u %" PRIu64 " %s", daemon->ordinal + 1, next < WORKERS_END ? next : 0,
		(uint64_t)atomic_load(&daemon->generation), daemon->self);
	ok = packet_send(channel, 'H', slice_str(text), -1, true) && send_sockets(daemon, channel);
	if (ok && daemon->metrics)
		ok = packet_send(channel, 'M', daemon->generations->conf->metrics->text, metrics_fd(daemon->metrics), true);
	if (ok && daemon->admin)
		ok = packet_send(channel, 'A', daemon->generations->conf->admin->text, admin_fd(daemon->admin), true);
	if (ok && daemon->pid_file.fd >= 0)
		ok = packet_send(channel, 'P', slice_str(daemon->pid_file.path), daemon->pid_file.fd, true);
	volumes_sizes(&daemon->volumes, send_size, &sizes);
	return ok && sizes >= 0 && send_tickets(daemon, channel) && packet_send(channel, 'E', slice_make("", 0), -1, true);
}

/* ---- the new program ---- */

/* The environment as ours, but for what was meant for us alone. */
static char **environ_make(void)
{
	static char channel[] = "PROXYD_UPGRADE=3";
	static const char *const drop[] = { "PROXYD_UPGRADE=", "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=" };
	size_t count = 0, kept = 0;
	char **out;

	while (environ[count])
		count++;
	out = must(calloc(count + 2, sizeof(char *)));
	for (size_t i = 0; i < count; i++) {
		bool keep = true;

		for (size_t k = 0; k < COUNT_OF(drop); k++)
			keep = keep && strncmp(environ[i], drop[k], strlen(drop[k])) != 0;
		if (keep)
			out[kept++] = environ[i];
	}
	out[kept] = channel;
	return out;
}

static int program_start(const char *program, char **argv, int channel, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	char **env = environ_make();
	int err;

	posix_spawn_file_actions_init(&actions);
	err = posix_spawn_file_actions_adddup2(&actions, channel, CHANNEL_FD);
	/* Not everything that libraries open is closed by exec. */
	if (!err)
		err = posix_spawn_file_actions_addclosefrom_np(&actions, CHANNEL_FD + 1);
	if (!err)
		err = posix_spawn(ret_pid, program, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	return err;
}

/* ---- the conversation ---- */

struct talk {
	struct daemon *daemon;
	int channel, signals;
	pid_t pid;
	bool retired;
	char why[512];
};

/* The new process has failed: it is gone, or made to. Then everything goes on as it was, as far as it can. */
static void take_back(struct talk *talk)
{
	struct daemon *daemon = talk->daemon;
	int status = 0;
	pid_t ended = 0;

	/* Without a reason of ours it is about to end by itself, and its code says more. */
	for (int i = 0; i < END_LOOKS && !*talk->why && ended == 0; i++)
		if ((ended = waitpid(talk->pid, &status, WNOHANG)) == 0)
			usleep(END_LOOK_US);
	if (ended != talk->pid) {
		kill(talk->pid, SIGKILL);
		while (waitpid(talk->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (!*talk->why && WIFEXITED(status))
		snprintf(talk->why, sizeof(talk->why), "the new program ended with code %d", WEXITSTATUS(status));
	else if (!*talk->why)
		snprintf(talk->why, sizeof(talk->why), "the new program was ended by signal %d", WTERMSIG(status));
	if (talk->retired)
		volumes_take_back(&daemon->volumes);
	pid_file_write(&daemon->pid_file);
}

static void tell_lines(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line)
			diag(DIAG_error, "upgrade: %s", line);
}

/* The next message; 0: there will be none, and why says why not. */
static char next_message(struct talk *talk, char *text)
{
	struct pollfd wait[2] = { { .fd = talk->channel, .events = POLLIN }, { .fd = talk->signals, .events = POLLIN } };
	struct signalfd_siginfo info;
	size_t len;
	int n;

	for (;;) {
		n = poll(wait, 2, PATIENCE_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			snprintf(talk->why, sizeof(talk->why), "the new program was not ready within %d s", PATIENCE_MS / 1000);
			return 0;
		}
		if (wait[0].revents)
			return packet_receive(talk->channel, text, &len, NULL, true);
		if (read(talk->signals, &info, sizeof(info)) != sizeof(info) || info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR1
				|| info.ssi_signo == SIGUSR2)
			continue;                 /* nothing is reloaded in between */
		talk->daemon->ends = (int)info.ssi_signo;
		snprintf(talk->why, sizeof(talk->why), "a signal ends this process");
		return 0;
	}
}

/* Until the new one serves. */
static bool converse(struct talk *talk)
{
	struct daemon *daemon = talk->daemon;
	char *text = must(malloc(HEIR_TEXT_MAX + 1)), kind;
	bool ok = true, over = false;

	while (ok && !over && (kind = next_message(talk, text)) != 0)
		switch (kind) {
		case 'V':
			atomic_store(&daemon->successor, talk->channel);
			talk->retired = true;
			ok = volumes_retire(&daemon->volumes, talk->why) && packet_send(talk->channel, 'T', slice_make("", 0), -1, true);
			break;
		case 'O':
			volumes_blind(&daemon->volumes, true);
			ok = packet_send(talk->channel, 'B', slice_make("", 0), -1, true);
			break;
		case 'F':
			tell_lines(text);
			break;
		case 'R':
			over = true;
			break;
		default:
			break;
		}
	free(text);
	return over;
}

static bool may_upgrade(struct talk *talk)
{
	if (getpid() == 1)
		snprintf(talk->why, sizeof(talk->why), "this is process 1, and when it ends so does everything: restart the container instead");
	else if (volumes_are_starting(&talk->daemon->volumes))
		snprintf(talk->why, sizeof(talk->why), "a volume is still being read; try again when it is ready");
	return !*talk->why;
}

static bool attempt(struct talk *talk, const char *program, char **argv)
{
	int pair[2], err;
	bool ok;

	if (!may_upgrade(talk))
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		snprintf(talk->why, sizeof(talk->why), "%s", strerror(errno));
		return false;
	}
	err = program_start(program, argv, pair[1], &talk->pid);
	close(pair[1]);
	talk->channel = pair[0];
	if (err) {
		snprintf(talk->why, sizeof(talk->why), "'%.300s': %s", program, strerror(err));
		close(pair[0]);
		return false;
	}
	ok = send_all(talk->daemon, talk->channel) && converse(talk);
	if (ok)
		return true;
	atomic_store(&talk->daemon->successor, -1);
	take_back(talk);
	close(pair[0]);
	return false;
}

bool upgrade(struct daemon *daemon, const char *program, char **argv, int signals)
{
	struct talk talk = { .daemon = daemon, .channel = -1, .signals = signals };
	char state[64];
	bool ok;

	diag(DIAG_notice, "upgrade: starting '%s'", program);
	ok = attempt(&talk, program, argv);
	if (ok) {
		snprintf(state, sizeof(state), "MAINPID=%ld", (long)talk.pid);
		notify(state);
		daemon->handed_over = true;
		daemon->heir_pid = talk.pid;
	} else {
		diag(DIAG_error, "upgrade: it has failed: %s; this process goes on", talk.why);
		daemon_upgraded(daemon, 0, talk.why);
	}
	return ok;
}

void upgrade_done(struct daemon *daemon)
{
	diag(DIAG_notice, "upgrade: process %ld serves now; this one, %ld, finishes its requests and ends", daemon->heir_pid, (long)getpid());
	daemon_upgraded(daemon, daemon->heir_pid, "");
}

void upgrade_invalidated(struct daemon *daemon, struct volume *volume, struct slice key)
{
	int channel = daemon ? atomic_load(&daemon->successor) : -1;
	char text[HEIR_TEXT_MAX];
	const char *path;
	int len;

	if (channel < 0 || !volume_is_retired(volume) || !(path = volumes_path(&daemon->volumes, volume)))
		return;
	len = snprintf(text, sizeof(text), "%s\n%.*s", path, SLICE_ARG(key));
	/* A worker does not wait. */
	if (len < 0 || len >= (int)sizeof(text) || !packet_send(channel, 'I', slice_make(text, (size_t)len), -1, false))
		atomic_store(&daemon->invalidations_lost, true);
}

void upgrade_look(struct daemon *daemon)
{
	int channel = atomic_load(&daemon->successor);

	if (channel >= 0 && atomic_exchange(&daemon->invalidations_lost, false) && !packet_send(channel, 'X', slice_make("", 0), -1, false))
		atomic_store(&daemon->invalidations_lost, errno == EAGAIN);
}
