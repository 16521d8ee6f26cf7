/* The daemon's start and stop, its records in the log. */
#include "daemon.h"

#include <sys/random.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "admin.h"
#include "clock.h"
#include "compress.h"
#include "diag.h"
#include "metrics.h"
#include "tls_origins.h"
#include "worker_internal.h"

struct volume *daemon_volume(struct daemon *daemon, const struct conf_volume *volume)
{
	return daemon ? volumes_find(&daemon->volumes, volume) : NULL;
}

/* ---- records ---- */

static void line_init(struct daemon *daemon, struct logline *line, enum record rec)
{
	logline_init(line);
	line->rec = (uint8_t)rec;
	line->t_us = (uint64_t)clock_wall_us();
	line->config = daemon->generations->conf->generation;
}

void daemon_note(struct daemon *daemon, enum record rec)
{
	struct logline line;

	line_init(daemon, &line, rec);
	if (rec == REC_upgrade)
		line.conn = daemon->first_worker;
	access_log_note(daemon->log, &line);
}

/* In the thread of a volume's writer. */
static void note_lost(void *arg, struct slice volume, enum store_loss why, const struct store_lost *lost)
{
	static const enum nostore reasons[] = {
#define X(name, error, text) NOSTORE_##name,
		STORE_LOSSES(X)
#undef X
	};
	struct daemon *daemon = arg;
	struct logline line;

	if (!daemon->log)
		return;
	logline_init(&line);
	line.rec = REC_unstored;
	line.t_us = (uint64_t)clock_wall_us();
	line.config = atomic_load(&daemon->generation);
	line.volume = volume;
	line.nostore = (uint8_t)reasons[why];
	line.unstored = lost->objects;
	line.object_bytes = (int64_t)lost->bytes;
	access_log_note(daemon->log, &line);
}

void daemon_note_volumes(struct daemon *daemon)
{
	const struct conf *conf = daemon->generations->conf;

	for (size_t i = 0; i < conf->volume_count; i++) {
		const struct conf_volume *volume = conf->volumes[i];
		struct logline line;
		char bound[24];

		line_init(daemon, &line, REC_volume);
		line.volume = volume->name;
		line.object_bytes = (int64_t)volume->size;
		line.target = volume->path;
		line.host = slice_make(bound, (size_t)snprintf(bound, sizeof(bound), "%u", volume->bound));
		access_log_note(daemon->log, &line);
	}
}

/* The host's name, as far as it can stand in the log, when the configuration has none. */
void daemon_name_node(struct daemon *daemon, struct conf *conf)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	char host[65] = "";

	if (conf->node.len == 0 && gethostname(host, sizeof(host) - 1) == 0)
		for (char *at = host; *(at += strspn(at, good)); )
			*at = '-';
	if (daemon->node[0] == '\0' && conf->node.len)
		snprintf(daemon->node, sizeof(daemon->node), "%.*s", SLICE_ARG(conf->node));
	else if (daemon->node[0] == '\0')
		snprintf(daemon->node, sizeof(daemon->node), "%s", *host ? host : "proxyd");
	/* Two nodes that a request may lawfully pass must not take each other for themselves: a name that nobody chose (two
	 * daemons on one host have the same) gets a random end. */
	if (daemon->self[0] == '\0' && conf->node.len)
		snprintf(daemon->self, sizeof(daemon->self), "%s", daemon->node);
	else if (daemon->self[0] == '\0') {
		uint32_t random = 0;
		CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
		snprintf(daemon->self, sizeof(daemon->self), "%.48s-%08x", daemon->node, random);
	}
	if (conf->node.len == 0)
		conf->node = slice_str(daemon->node);
}

struct slice daemon_self(const struct daemon *daemon)
{
	return slice_str(daemon->self);
}

/* ---- upgrades ---- */

long daemon_ask_upgrade(struct daemon *daemon, const char *program, char why[512])
{
	unsigned mine;
	long pid;

	pthread_mutex_lock(&daemon->lock);
	mine = daemon->upgrades;
	free(daemon->upgrade_to);
	daemon->upgrade_to = program ? must(strdup(program)) : NULL;
	kill(getpid(), SIGUSR2);
	while (daemon->upgrades == mine)
		pthread_cond_wait(&daemon->changed, &daemon->lock);
	pid = daemon->upgrade_pid;
	snprintf(why, 512, "%s", daemon->upgrade_why);
	pthread_mutex_unlock(&daemon->lock);
	return pid;
}

void daemon_upgraded(struct daemon *daemon, long pid, const char *why)
{
	pthread_mutex_lock(&daemon->lock);
	daemon->upgrade_pid = pid;
	snprintf(daemon->upgrade_why, sizeof(daemon->upgrade_why), "%s", why);
	daemon->upgrades++;
	free(daemon->upgrade_to);
	daemon->upgrade_to = NULL;
	pthread_cond_broadcast(&daemon->changed);
	pthread_mutex_unlock(&daemon->lock);
}

static void invalidated(void *arg, struct slice path, struct slice key)
{
	struct daemon *daemon = arg;

	volumes_invalidate(&daemon->volumes, path, key);
}

/* What is taken over from the old process, as far as it is not a descriptor that somebody asks for. */
static void inherit(struct daemon *daemon)
{
	struct heir *heir = daemon->heir;

	if (!heir)
		return;
	heir->invalidated = invalidated;
	heir->arg = daemon;
	daemon->ordinal = heir->ordinal;
	daemon->first_worker = heir->first_worker;
	daemon->volumes.heir = heir;
	if (heir_tickets(heir).len && !tls_tickets_inherit(daemon->tls.tickets, heir_tickets(heir)))
		diag(DIAG_notice, "upgrade: the keys of session tickets are not understood: clients make new sessions");
	heir_forget_tickets(heir);
	snprintf(daemon->self, sizeof(daemon->self), "%s", heir->self);
}

/* ---- start ---- */

void daemon_init(struct daemon *daemon)
{
	*daemon = (struct daemon){ .pid_file.fd = -1, .started_us = clock_wall_us() };
	atomic_init(&daemon->successor, -1);
	pthread_mutex_init(&daemon->lock, NULL);
	pthread_cond_init(&daemon->changed, NULL);
	volumes_init(&daemon->volumes);
	tls_shared_open(&daemon->tls);
	daemon->volumes.lost = note_lost;
	daemon->volumes.lost_arg = daemon;
}

static void end_run(struct worker *worker, struct mail *mail)
{
	(void)mail;
	worker_end(worker);
}

/* Workers, whether they run or not, and volumes. The volumes' threads post to the workers: they end first, then what was
 * posted is run by worker_free(). */
static void end_all(struct daemon *daemon)
{
	struct mail *mails = must(calloc(daemon->worker_count + 1, sizeof(struct mail)));

	for (unsigned i = 0; i < daemon->worker_count; i++) {
		mails[i].run = end_run;
		worker_post(daemon->workers[i], &mails[i]);
	}
	for (unsigned i = 0; i < daemon->worker_count; i++)
		worker_join(daemon->workers[i]);
	compress_stop();
	metrics_close(&daemon->metrics);
	admin_close(&daemon->admin);
	volumes_release(&daemon->volumes);
	tls_shared_stop(&daemon->tls);
	for (unsigned i = 0; i < daemon->worker_count; i++)
		worker_free(&daemon->workers[i]);
	daemon->worker_count = 0;
	free(mails);
}

static bool told(bool ok, const char *why)
{
	if (!ok)
		diag(DIAG_error, "%s", why);
	return ok;
}

static bool become_user(struct daemon *daemon, const struct conf *conf)
{
	char why[256] = "";

	if (!told(identity_find(conf, &daemon->identity, why), why))
		return false;
	for (size_t i = 0; i < conf->volume_count; i++)
		identity_prepare_folder(&daemon->identity, conf->volumes[i]->path);
	if (conf->stapling_folder.len)
		identity_prepare_folder(&daemon->identity, conf->stapling_folder);
	identity_prepare_file(&daemon->identity, conf->access_log);
	identity_give_file(&daemon->identity, conf->error_log);
	return told(identity_take(&daemon->identity, why), why);
}

static bool open_log(struct daemon *daemon, const struct conf *conf)
{
	char path[4096], why[256] = "";

	snprintf(path, sizeof(path), "%.*s", SLICE_ARG(conf->access_log));
	if (!told(access_log_open(path, conf->workers, daemon->node, &daemon->log, why), why))
		return false;
	access_log_number(daemon->log, daemon->first_worker, daemon->ordinal);
	return true;
}

static bool open_metrics(struct daemon *daemon, const struct conf *conf)
{
	char why[256] = "";

	return !conf->metrics || told(metrics_open(daemon, conf, &daemon->metrics, why), why);
}

static bool open_admin(struct daemon *daemon, const struct conf *conf)
{
	char why[256] = "";

	return !conf->admin || told(admin_open(daemon, conf, &daemon->admin, why), why);
}

/* What would be shared silently with whoever has the address already. */
static bool probe_addresses(const struct conf *conf, const struct heir *heir)
{
	char why[256] = "";
	bool ok = true;

	for (size_t i = 0; i < conf->listen_count; i++)
		ok &= heir_has(heir, 'L', conf->listens[i].addr.text) || told(listener_probe(&conf->listens[i].addr, why), why);
	return ok;
}

static bool make_workers(struct daemon *daemon, struct conf *conf, struct listener **lists)
{
	daemon->workers = must(calloc(conf->workers, sizeof(struct worker *)));
	for (unsigned i = 0; i < conf->workers; i++) {
		struct worker *worker = worker_new(daemon, i, conf, access_log_ring(daemon->log, i));
		if (!worker) {
			diag(DIAG_error, "worker %u: %s", i, strerror(errno));
			return false;
		}
		daemon->workers[daemon->worker_count++] = worker;
		listeners_adopt(worker, &lists[i]);
	}
	return true;
}

static bool run_workers(struct daemon *daemon)
{
	if (!told(certs_start(daemon->tls.certs), "cannot start the thread of the certificates"))
		return false;
	for (unsigned i = 0; i < daemon->worker_count; i++)
		if (!worker_start(daemon->workers[i])) {
			diag(DIAG_error, "cannot start worker %u: %s", i, strerror(errno));
			return false;
		}
	return (!daemon->metrics || metrics_start(daemon->metrics)) && (!daemon->admin || admin_start(daemon->admin));
}

static void tell_ready(struct daemon *daemon, const struct conf *conf)
{
	/* In the order of the configuration. */
	for (size_t i = 0; i < conf->listen_count; i++)
		for (const struct bound *bound = daemon->bounds; bound; bound = bound->next)
			if (slice_eq(slice_str(bound->asked), conf->listens[i].addr.text))
				diag_ready("ready: listening on %s", bound->shown);
	if (daemon->metrics)
		diag_ready("ready: metrics on %s", metrics_address(daemon->metrics));
	if (daemon->admin)
		diag_ready("ready: admin on %s", admin_address(daemon->admin));
}

/* The old process retires the volumes; then they are opened here; then it looks nothing up any more. When it is gone
 * they are free as well. */
static bool take_over(struct daemon *daemon, const struct conf *conf)
{
	heir_say(daemon->heir, 'V', "", 'T');
	if (!volumes_add(&daemon->volumes, conf))
		return false;
	heir_say(daemon->heir, 'O', "", 'B');
	return true;
}

bool daemon_start(struct daemon *daemon, struct conf *conf)
{
	struct listener **lists = must(calloc(conf->workers, sizeof(struct listener *)));
	char why[256] = "";
	bool ok;

	inherit(daemon);
	conf->generation = daemon->heir ? daemon->heir->generation + 1 : 1;
	atomic_store(&daemon->generation, conf->generation);
	daemon_name_node(daemon, conf);
	daemon->generations = must(calloc(1, sizeof(struct generation)));
	daemon->generations->conf = conf;
	ok = probe_addresses(conf, daemon->heir) && daemon_bind(daemon, conf, lists);
	ok &= open_metrics(daemon, conf);
	ok &= open_admin(daemon, conf);
	ok &= told(pid_file_take(conf->pid_file, heir_take(daemon->heir, 'P', conf->pid_file), &daemon->pid_file, why), why);
	ok &= tls_front_make(&daemon->tls, conf);    /* keys are often for root alone to read */
	ok &= tls_origins_make(conf);
	/* When something has failed the rest is tried all the same: one run tells everything. */
	if (become_user(daemon, conf)) {
		certs_check_access(daemon->tls.certs);
		ok &= daemon->heir ? volumes_check(conf) : volumes_add(&daemon->volumes, conf);
		ok &= open_log(daemon, conf);
	} else {
		ok = false;
	}
	ok = ok && make_workers(daemon, conf, lists);
	ok = ok && (!daemon->heir || take_over(daemon, conf));
	if (ok) {
		volumes_show(&daemon->volumes, conf);
		daemon_note(daemon, daemon->heir ? REC_upgrade : REC_start);
		daemon_note_volumes(daemon);
		access_log_sync(daemon->log);    /* before the first request's line */
		ok = run_workers(daemon);
	}
	if (ok) {
		pid_file_write(&daemon->pid_file);
		tell_ready(daemon, conf);
		if (daemon->heir)
			heir_say(daemon->heir, 'R', "", 0);
	} else {
		daemon->handed_over = daemon->heir != NULL;   /* what has a name stays the old process' */
		end_all(daemon);
	}
	for (unsigned i = 0; i < conf->workers; i++)
		listener_list_free(&lists[i]);
	free(lists);
	return ok;
}

/* ---- stop ---- */

static void drain_run(struct worker *worker, struct order *order)
{
	(void)order;
	worker_drain(worker);
}

void daemon_drain(struct daemon *daemon)
{
	daemon_order(daemon, NULL, NULL, drain_run);
}

bool daemon_has_ended(struct daemon *daemon)
{
	for (unsigned i = 0; i < daemon->worker_count; i++)
		if (!worker_has_ended(daemon->workers[i]))
			return false;
	return true;
}

void daemon_end(struct daemon *daemon)
{
	end_all(daemon);
	access_log_sync(daemon->log);            /* behind the last request's line */
	daemon_note(daemon, daemon->handed_over ? REC_retired : REC_stop);
}

void daemon_release(struct daemon *daemon)
{
	access_log_close(&daemon->log);
	heir_free(&daemon->heir);
	if (atomic_load(&daemon->successor) >= 0)
		close(atomic_load(&daemon->successor));
	free(daemon->upgrade_to);
	while (daemon->bounds) {
		struct bound *bound = daemon->bounds;

		daemon->bounds = bound->next;
		bound_free(daemon, bound);
	}
	while (daemon->generations) {
		struct generation *generation = daemon->generations;

		daemon->generations = generation->next;
		conf_unref(&generation->conf);
		free(generation);
	}
	tls_shared_close(&daemon->tls);
	pid_file_give(&daemon->pid_file);
	free(daemon->workers);
}
