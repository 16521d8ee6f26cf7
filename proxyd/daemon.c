/* The daemon: volumes, listeners, workers, and the swap of configurations under them. */
#include "daemon.h"
#include "diag.h"
#include "metrics.h"
#include "worker_internal.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

/* ---- volumes ---- */

struct volume *daemon_volume(struct daemon *daemon, const struct conf_volume *volume)
{
	size_t count = atomic_load_explicit(&daemon->volume_count, memory_order_acquire);

	for (size_t i = 0; i < count; i++)
		if (slice_eq(daemon->volumes[i].name, volume->name) && slice_eq(daemon->volumes[i].path, volume->path))
			return atomic_load_explicit(&daemon->volumes[i].volume, memory_order_relaxed);
	return NULL;
}

static void volume_event(void *arg, const struct store_event *event)
{
	const struct daemon_volume *volume = arg;
	static const enum diag_level levels[] = { DIAG_notice, DIAG_warn, DIAG_error };

	diag(levels[event->level], "volume '%.*s': %s", SLICE_ARG(volume->name), event->text);
}

static struct slice owned(struct slice text)
{
	return slice_make(must(strndup(text.ptr, text.len)), text.len);
}

static bool open_volume(struct daemon *daemon, const struct conf_volume *volume)
{
	size_t count = atomic_load(&daemon->volume_count);
	struct daemon_volume *slot = &daemon->volumes[count];
	struct volume *opened = NULL;
	char why[256] = "";

	if (count == VOLUMES_MAX) {
		diag(DIAG_error, "volume '%.*s': more than %d volumes since the start", SLICE_ARG(volume->name), VOLUMES_MAX);
		return false;
	}
	slot->name = owned(volume->name);
	slot->path = owned(volume->path);
	slot->size = volume->size;
	struct store_config config = {
		.name = slot->name.ptr, .path = slot->path.ptr, .size = volume->size, .ram = volume->ram, .fill_max = volume->fill_max,
		.event = volume_event, .event_arg = slot,
	};
	enum store_err err = volume_open(&config, &opened, why);
	if (!opened) {
		diag(DIAG_error, "volume '%s' at '%s' cannot be opened: %s", slot->name.ptr, slot->path.ptr, *why ? why : store_strerror(err));
		return false;
	}
	if (err == STORE_DAMAGED)
		diag(DIAG_error, "volume '%s' at '%s': %s", slot->name.ptr, slot->path.ptr, store_strerror(err));
	atomic_store(&slot->volume, opened);
	atomic_store_explicit(&daemon->volume_count, count + 1, memory_order_release);
	return true;
}

static struct daemon_volume *find_volume(struct daemon *daemon, const struct conf_volume *volume)
{
	for (size_t i = 0; i < atomic_load(&daemon->volume_count); i++)
		if (slice_eq(daemon->volumes[i].name, volume->name) && slice_eq(daemon->volumes[i].path, volume->path))
			return &daemon->volumes[i];
	return NULL;
}

static bool open_volumes(struct daemon *daemon, const struct conf *conf)
{
	bool ok = true;

	for (size_t i = 0; i < conf->volume_count; i++) {
		const struct conf_volume *volume = conf->volumes[i];
		const struct daemon_volume *have = find_volume(daemon, volume);
		if (!have)
			ok &= open_volume(daemon, volume);
		else if (have->size != volume->size)
			diag(DIAG_notice, "volume '%.*s': another size takes effect at the next start", SLICE_ARG(volume->name));
	}
	return ok;
}

/* ---- records of the daemon's own ---- */

static void note(struct daemon *daemon, enum record rec, const struct conf_volume *volume)
{
	struct logline line;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	logline_init(&line);
	line.rec = (uint8_t)rec;
	line.t_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	line.config = daemon->conf->generation;
	if (volume) {
		char bound[24];
		line.volume = volume->name;
		line.object_bytes = (int64_t)volume->size;
		line.target = volume->path;
		line.host = slice_make(bound, (size_t)snprintf(bound, sizeof(bound), "%u", volume->bound));
		access_log_note(daemon->log, &line);
		return;
	}
	access_log_note(daemon->log, &line);
}

static void note_volumes(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->conf->volume_count; i++) {
		struct daemon_volume *slot = find_volume(daemon, daemon->conf->volumes[i]);
		note(daemon, REC_volume, daemon->conf->volumes[i]);
		if (slot)
			atomic_store(&slot->bound, daemon->conf->volumes[i]->bound);
	}
}

/* ---- listeners ---- */

static struct listener *find_listener(struct worker *worker, const struct conf_listen *listen)
{
	for (struct listener *l = worker->priv->listeners; l; l = l->next)
		if (slice_eq(l->listen->addr.text, listen->addr.text))
			return l;
	return NULL;
}

/* Another program on the address would share it silently with SO_REUSEPORT: a socket without it finds out. */
static bool address_is_free(const struct conf_listen *listen, char why[256])
{
	const struct conf_addr *addr = &listen->addr;
	int one = 1, family = addr->sa.any.sa_family;

	if (family == AF_UNIX)
		return true;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0;
	if (ok) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		ok = bind(fd, &addr->sa.any, addr->len) == 0;
	}
	if (!ok)
		snprintf(why, 256, "cannot listen on %.*s: %s", SLICE_ARG(addr->text), strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

/* One address on every worker. The sockets go to fresh[worker]; the first one's real port serves the others. */
static bool open_listen(struct daemon *daemon, const struct conf_listen *listen, struct listener **fresh)
{
	struct conf_listen real = *listen;
	char why[256] = "";
	int shared = -1;

	if (!address_is_free(listen, why)) {
		diag(DIAG_error, "%s", why);
		return false;
	}
	for (unsigned i = 0; i < daemon->worker_count; i++) {
		struct listener *l = listener_open(&real, shared < 0 ? -1 : dup(shared), why);
		if (!l) {
			diag(DIAG_error, "%s", why);
			return false;
		}
		l->listen = listen;
		real.addr = l->bound;
		if (listen->addr.sa.any.sa_family == AF_UNIX) {
			real.addr = listen->addr;
			shared = l->io.fd;
		}
		l->next = fresh[i];
		fresh[i] = l;
	}
	return true;
}

static void free_fresh(struct daemon *daemon, struct listener **fresh)
{
	for (unsigned i = 0; i < daemon->worker_count; i++)
		for (struct listener *l = fresh[i], *next; l; l = next) {
			next = l->next;
			close(l->io.fd);
			free(l);
		}
}

/* What the configuration listens on and the workers do not have yet. */
static bool open_listens(struct daemon *daemon, const struct conf *conf, struct listener **fresh)
{
	bool ok = true;

	for (size_t i = 0; i < conf->listen_count; i++)
		if (!daemon->workers || !find_listener(daemon->workers[0], &conf->listens[i]))
			ok &= open_listen(daemon, &conf->listens[i], fresh);
	return ok;
}

static void tell_listeners(struct daemon *daemon)
{
	for (struct listener *l = daemon->workers[0]->priv->listeners; l; l = l->next)
		diag(DIAG_notice, "ready: listening on %s", l->text);
}

/* ---- start ---- */

static void name_node(struct daemon *daemon, struct conf *conf)
{
	char host[64] = "proxyd";

	gethostname(host, sizeof(host) - 1);
	if (!conf->node.len) {
		snprintf(daemon->node, sizeof(daemon->node), "%s", host);
		conf->node = slice_str(daemon->node);
	} else {
		snprintf(daemon->node, sizeof(daemon->node), "%.*s", SLICE_ARG(conf->node));
	}
}

/* From root to the configured user, for good. */
static bool privileges_drop(const struct conf *conf)
{
	char user[256], group[256];

	if (!conf->user.len || geteuid() != 0)
		return true;
	snprintf(user, sizeof(user), "%.*s", SLICE_ARG(conf->user));
	snprintf(group, sizeof(group), "%.*s", SLICE_ARG(conf->group));
	const struct passwd *pw = getpwnam(user);
	gid_t gid = pw ? pw->pw_gid : 0;
	if (pw && *group) {
		const struct group *gr = getgrnam(group);
		if (!gr) {
			diag(DIAG_error, "user: no group is called '%s'", group);
			return false;
		}
		gid = gr->gr_gid;
	}
	if (!pw || setgroups(1, &gid) < 0 || setgid(gid) < 0 || setuid(pw->pw_uid) < 0) {
		diag(DIAG_error, "user: cannot become '%s': %s", user, pw ? strerror(errno) : "no such user");
		return false;
	}
	return true;
}

bool daemon_open(struct daemon *daemon, struct conf *conf)
{
	struct listener **fresh = must(calloc(conf->workers, sizeof(*fresh)));
	struct timespec now;
	char why[256] = "", path[4096];

	clock_gettime(CLOCK_REALTIME, &now);
	daemon->started_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	pthread_mutex_init(&daemon->lock, NULL);
	pthread_cond_init(&daemon->changed, NULL);
	daemon->conf = conf;
	conf->generation = 1;
	atomic_store(&daemon->generation, 1);
	name_node(daemon, conf);
	daemon->worker_count = conf->workers;
	snprintf(path, sizeof(path), "%.*s", SLICE_ARG(conf->access_log));
	bool ok = open_listens(daemon, conf, fresh);
	/* Files are made by the user that will have to open them again. */
	ok = ok && privileges_drop(conf);
	ok &= open_volumes(daemon, conf);
	if (!access_log_open(path, conf->workers, daemon->node, &daemon->log, why)) {
		diag(DIAG_error, "%s", why);
		ok = false;
	}
	if (ok && conf->metrics && !(daemon->metrics = metrics_open(daemon, conf->metrics, why))) {
		diag(DIAG_error, "%s", why);
		ok = false;
	}
	if (!ok) {
		free_fresh(daemon, fresh);
		free(fresh);
		return false;
	}
	daemon->workers = must(calloc(conf->workers, sizeof(*daemon->workers)));
	for (unsigned i = 0; i < conf->workers; i++) {
		daemon->workers[i] = worker_new(daemon, i, conf, access_log_ring(daemon->log, i));
		daemon->workers[i]->priv->listeners = fresh[i];
	}
	free(fresh);
	return true;
}

bool daemon_start(struct daemon *daemon)
{
	note(daemon, REC_start, NULL);
	note_volumes(daemon);
	access_log_sync(daemon->log);
	for (unsigned i = 0; i < daemon->worker_count; i++) {
		for (struct listener *l = daemon->workers[i]->priv->listeners; l; l = l->next)
			listener_start(daemon->workers[i], l);
		if (!worker_start(daemon->workers[i])) {
			diag(DIAG_error, "cannot start worker %u: %s", i, strerror(errno));
			return false;
		}
	}
	if (daemon->metrics)
		metrics_start(daemon->metrics);
	tell_listeners(daemon);
	return true;
}

/* ---- reload ---- */

struct swap {
	struct mail mail;
	struct conf *conf;                     /* a reference for the worker */
	struct listener *fresh;
	struct daemon *daemon;
};

/* Listeners of the old configuration go on with the new one, or are closed. */
static void swap_listeners(struct worker *worker, struct listener *fresh)
{
	struct listener **at = &worker->priv->listeners;

	while (*at) {
		struct listener *l = *at;
		const struct conf_listen *now = NULL;
		for (size_t i = 0; i < worker->conf->listen_count && !now; i++)
			if (slice_eq(worker->conf->listens[i].addr.text, l->listen->addr.text))
				now = &worker->conf->listens[i];
		if (now) {
			l->listen = now;
			at = &l->next;
		} else {
			*at = l->next;
			listener_free(worker, &l);
		}
	}
	*at = fresh;
	for (; fresh; fresh = fresh->next)
		listener_start(worker, fresh);
}

static void swap_run(struct worker *worker, struct mail *mail)
{
	struct swap *swap = (struct swap *)mail;
	struct conf *old = worker->conf;

	worker->conf = swap->conf;
	origins_reload(worker, old, worker->conf);
	swap_listeners(worker, swap->fresh);
	conf_unref(&old);
	atomic_fetch_add(&swap->daemon->swapped, 1);
	daemon_signal(swap->daemon);
	free(swap);
}

void daemon_signal(struct daemon *daemon)
{
	pthread_mutex_lock(&daemon->lock);
	pthread_cond_broadcast(&daemon->changed);
	pthread_mutex_unlock(&daemon->lock);
}

/* Until all workers have it: the next reload then finds every listener where it belongs. */
static void wait_for_workers(struct daemon *daemon)
{
	pthread_mutex_lock(&daemon->lock);
	while (atomic_load(&daemon->swapped) < daemon->worker_count)
		pthread_cond_wait(&daemon->changed, &daemon->lock);
	pthread_mutex_unlock(&daemon->lock);
}

bool daemon_reload(struct daemon *daemon, struct conf *conf)
{
	struct listener **fresh = must(calloc(daemon->worker_count, sizeof(*fresh)));

	name_node(daemon, conf);
	bool ok = open_volumes(daemon, conf);
	ok &= open_listens(daemon, conf, fresh);
	if (!ok) {
		free_fresh(daemon, fresh);
		free(fresh);
		conf_unref(&conf);
		diag(DIAG_error, "reload: nothing was changed, configuration %llu stays", (unsigned long long)daemon->conf->generation);
		return false;
	}
	if (conf->workers != daemon->worker_count)
		diag(DIAG_notice, "reload: another number of workers takes effect at the next start");
	conf->generation = daemon->conf->generation + 1;
	atomic_store(&daemon->generation, conf->generation);
	struct conf *old = daemon->conf;
	daemon->conf = conf;
	atomic_store(&daemon->swapped, 0);
	for (unsigned i = 0; i < daemon->worker_count; i++) {
		struct swap *swap = must(calloc(1, sizeof(*swap)));
		*swap = (struct swap){ .mail = { .run = swap_run }, .conf = conf_ref(conf), .fresh = fresh[i], .daemon = daemon };
		worker_post(daemon->workers[i], &swap->mail);
	}
	wait_for_workers(daemon);
	/* Said when it is true for every worker. */
	note(daemon, REC_reload, NULL);
	note_volumes(daemon);
	conf_unref(&old);
	free(fresh);
	diag(DIAG_notice, "reload: configuration %llu is in use", (unsigned long long)conf->generation);
	return true;
}

void daemon_reopen(struct daemon *daemon)
{
	if (!diag_reopen())
		diag(DIAG_error, "error_log cannot be reopened: %s", strerror(errno));
	if (access_log_reopen(daemon->log))
		note_volumes(daemon);
	else
		diag(DIAG_error, "access_log cannot be reopened; lines go to the old file");
}

/* ---- stop ---- */

struct stopping { struct mail mail; struct daemon *daemon; bool graceful; };

static void drain_run(struct worker *worker, struct mail *mail)
{
	(void)mail;
	worker->draining = true;
	while (worker->priv->listeners) {
		struct listener *l = worker->priv->listeners;
		worker->priv->listeners = l->next;
		listener_free(worker, &l);
	}
	clients_drain(worker);
}

static void stop_run(struct worker *worker, struct mail *mail)
{
	(void)mail;
	drain_run(worker, mail);
	clients_abort(worker);
	worker_stop(worker);
}

static void tell_workers(struct daemon *daemon, struct stopping *mails, void (*run)(struct worker *, struct mail *))
{
	for (unsigned i = 0; i < daemon->worker_count; i++) {
		mails[i] = (struct stopping){ .mail = { .run = run }, .daemon = daemon };
		worker_post(daemon->workers[i], &mails[i].mail);
	}
}

static size_t busy(const struct daemon *daemon)
{
	size_t count = 0;

	for (unsigned i = 0; i < daemon->worker_count; i++)
		count += atomic_load((_Atomic size_t *)(uintptr_t)&daemon->workers[i]->conn_count);
	return count;
}

void daemon_stop(struct daemon *daemon, bool graceful, uint64_t grace_us)
{
	struct stopping *drains = must(calloc(daemon->worker_count, sizeof(*drains)));
	struct stopping *stops = must(calloc(daemon->worker_count, sizeof(*stops)));
	const struct timespec tick = { 0, 20000000 };

	if (graceful) {
		tell_workers(daemon, drains, drain_run);
		for (uint64_t waited = 0; busy(daemon) > 0 && waited < grace_us; waited += 20000)
			nanosleep(&tick, NULL);
	}
	tell_workers(daemon, stops, stop_run);
	for (unsigned i = 0; i < daemon->worker_count; i++)
		worker_join(daemon->workers[i]);
	access_log_sync(daemon->log);
	note(daemon, REC_stop, NULL);
	metrics_close(&daemon->metrics);
	for (unsigned i = 0; i < daemon->worker_count; i++)
		worker_free(&daemon->workers[i]);
	access_log_close(&daemon->log);
	for (size_t i = 0; i < atomic_load(&daemon->volume_count); i++) {
		struct volume *volume = atomic_load(&daemon->volumes[i].volume);
		volume_close(&volume);
		free((void *)(uintptr_t)daemon->volumes[i].name.ptr);
		free((void *)(uintptr_t)daemon->volumes[i].path.ptr);
	}
	conf_unref(&daemon->conf);
	free(daemon->workers);
	free(drains);
	free(stops);
}

bool daemon_check(const struct conf *conf)
{
	bool ok = true;

	for (size_t i = 0; i < conf->volume_count; i++) {
		const struct conf_volume *v = conf->volumes[i];
		struct daemon_volume slot = { .name = v->name };
		char *path = must(strndup(v->path.ptr, v->path.len)), *name = must(strndup(v->name.ptr, v->name.len)), why[256] = "";
		struct store_config config = { .name = name, .path = path, .size = v->size, .ram = v->ram, .fill_max = v->fill_max,
			.event = volume_event, .event_arg = &slot };
		struct volume *opened = NULL;
		enum store_err err = volume_open(&config, &opened, why);
		if (!opened && err == STORE_IN_USE) {
			diag(DIAG_notice, "volume '%s': %s is in use, most likely by the daemon that runs", name, path);
		} else if (!opened) {
			diag(DIAG_error, "volume '%s' at '%s' cannot be opened: %s", name, path, *why ? why : store_strerror(err));
			ok = false;
		}
		volume_close(&opened);
		free(path);
		free(name);
	}
	return ok;
}
