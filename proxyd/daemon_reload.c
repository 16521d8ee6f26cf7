/* What changes while the daemon runs: addresses, configurations, files. */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "diag.h"
#include "tls_origins.h"
#include "worker_internal.h"

/* ---- addresses ---- */

void bound_free(const struct daemon *daemon, struct bound *bound)
{
	if (!daemon->handed_over && bound->path.sun_family == AF_UNIX && bound->path.sun_path[0])
		unlink(bound->path.sun_path);
	free(bound);
}

static struct bound *bound_find(struct daemon *daemon, struct slice asked)
{
	for (struct bound *bound = daemon->bounds; bound; bound = bound->next)
		if (slice_eq(slice_str(bound->asked), asked))
			return bound;
	return NULL;
}

static void bound_add(struct daemon *daemon, const struct conf_listen *listen, const struct conf_addr *real)
{
	struct bound *bound = must(calloc(1, sizeof(*bound)));

	snprintf(bound->asked, sizeof(bound->asked), "%.*s", SLICE_ARG(listen->addr.text));
	listener_text(real, bound->shown);
	if (real->sa.any.sa_family == AF_UNIX)
		bound->path = real->sa.un;
	bound->next = daemon->bounds;
	daemon->bounds = bound;
}

/* Forgets the addresses that the configuration does not have. */
static void bounds_keep(struct daemon *daemon, const struct conf *conf)
{
	struct bound **at = &daemon->bounds;

	while (*at) {
		struct bound *bound = *at;
		bool wanted = false;

		for (size_t i = 0; i < conf->listen_count; i++)
			wanted |= slice_eq(slice_str(bound->asked), conf->listens[i].addr.text);
		if (wanted) {
			at = &bound->next;
			continue;
		}
		*at = bound->next;
		bound_free(daemon, bound);
	}
}

/* Sockets that the old process had for the address, or the service manager. Every one of them is watched by somebody: the kernel
 * has connections waiting at each. A worker that gets none shares another one's. False: there are none. */
static bool bind_inherited(struct daemon *daemon, const struct conf *conf, const struct conf_listen *listen, struct listener **lists)
{
	struct conf_addr real = listen->addr;
	bool is_unix = real.sa.any.sa_family == AF_UNIX;
	unsigned count = 0;
	int *fds, fd;

	if (!heir_has(daemon->heir, 'L', listen->addr.text))
		return false;
	fds = must(calloc(daemon->heir->count + conf->workers, sizeof(*fds)));
	while ((fd = heir_take(daemon->heir, 'L', listen->addr.text)) >= 0)
		fds[count++] = fd;
	if (!is_unix)
		CHECK(getsockname(fds[0], &real.sa.any, &real.len) == 0);
	for (unsigned i = 0, sockets = count; i < (count > conf->workers ? count : conf->workers); i++) {
		struct listener *listener;

		fd = i < sockets ? fds[i] : fcntl(fds[i % sockets], F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			break;
		listener = listener_new(listen, fd);
		listener->is_shared |= sockets < conf->workers;
		listener->next = lists[i % conf->workers];
		lists[i % conf->workers] = listener;
	}
	free(fds);
	bound_add(daemon, listen, &real);
	return true;
}

/* One address for all workers. Port 0 becomes a port with the first socket; a UNIX socket is one that all watch. */
static bool bind_one(struct daemon *daemon, const struct conf *conf, const struct conf_listen *listen, struct listener **lists)
{
	struct conf_addr real = listen->addr;
	char why[256] = "";
	bool is_unix = real.sa.any.sa_family == AF_UNIX, ok = !is_unix || listener_probe(&real, why);
	int fd = -1;

	for (unsigned i = 0; i < conf->workers && ok; i++) {
		bool share = i > 0 && is_unix;

		fd = share ? fcntl(lists[0]->io.fd, F_DUPFD_CLOEXEC, 0) : listener_socket(&real, listen->backlog, true, why);
		if (fd < 0)
			break;
		struct listener *listener = listener_new(listen, fd);
		listener->next = lists[i];
		lists[i] = listener;
	}
	if (fd < 0)
		diag(DIAG_error, "%s:%u: %s", listen->pos.file, listen->pos.line, *why ? why : strerror(errno));
	else
		bound_add(daemon, listen, &real);
	return fd >= 0;
}

bool daemon_bind(struct daemon *daemon, const struct conf *conf, struct listener **lists)
{
	struct bound *before = daemon->bounds;
	bool ok = true;

	for (size_t i = 0; i < conf->listen_count; i++)
		if (!bound_find(daemon, conf->listens[i].addr.text) && !bind_inherited(daemon, conf, &conf->listens[i], lists))
			ok &= bind_one(daemon, conf, &conf->listens[i], lists);
	if (ok)
		return true;
	while (daemon->bounds != before) {
		struct bound *bound = daemon->bounds;

		daemon->bounds = bound->next;
		bound_free(daemon, bound);
	}
	for (unsigned i = 0; i < conf->workers; i++)
		listener_list_free(&lists[i]);
	return false;
}

/* ---- telling the workers ---- */

struct order_run {
	struct order order;
	void (*run)(struct worker *worker, struct order *order);
};

static void order_run(struct worker *worker, struct mail *mail)
{
	struct order_run *order = (struct order_run *)(void *)mail;
	struct daemon *daemon = order->order.daemon;

	if (order->run)
		order->run(worker, &order->order);
	pthread_mutex_lock(&daemon->lock);       /* held for two instructions, by who waits for nothing under it */
	daemon->answers++;
	pthread_cond_broadcast(&daemon->changed);
	pthread_mutex_unlock(&daemon->lock);
}

void daemon_order(struct daemon *daemon, struct conf *conf, struct listener **lists, void (*run)(struct worker *, struct order *))
{
	struct order_run *orders = must(calloc(daemon->worker_count + 1, sizeof(*orders)));

	daemon->answers = 0;
	for (unsigned i = 0; i < daemon->worker_count; i++) {
		orders[i] = (struct order_run){ { { .run = order_run }, daemon, conf, lists ? lists[i] : NULL }, run };
		if (lists)
			lists[i] = NULL;
		worker_post(daemon->workers[i], &orders[i].order.mail);
	}
	pthread_mutex_lock(&daemon->lock);
	while (daemon->answers < daemon->worker_count)
		pthread_cond_wait(&daemon->changed, &daemon->lock);
	pthread_mutex_unlock(&daemon->lock);
	free(orders);
}

/* ---- configurations ---- */

static void change_over(struct worker *worker, struct order *order)
{
	struct conf *old = worker->conf;

	listeners_leave(worker, order->conf);
	worker->conf = conf_ref(order->conf);
	listeners_adopt(worker, &order->listeners);
	origins_reload(worker, old, worker->conf);
	clients_reload(worker);
	conf_unref(&old);
}

static void tell_later(const char *what)
{
	diag(DIAG_notice, "reload: the new %s takes effect at the next start", what);
}

static bool same_metrics(const struct conf *a, const struct conf *b)
{
	return !a->metrics == !b->metrics && (!a->metrics || slice_eq(a->metrics->text, b->metrics->text));
}

static bool same_admin(const struct conf *a, const struct conf *b)
{
	if (!a->admin || !b->admin)
		return a->admin == b->admin;
	return slice_eq(a->admin->text, b->admin->text) && a->admin_mode == b->admin_mode;
}

static void tell_what_waits(struct daemon *daemon, const struct conf *old, const struct conf *now, unsigned workers)
{
	if (workers != daemon->worker_count)
		tell_later("number of workers");
	if (!slice_eq(slice_str(daemon->node), now->node))
		tell_later("node");
	if (!slice_eq(old->access_log, now->access_log))
		tell_later("access_log");
	if (!same_metrics(old, now))
		tell_later("metrics address");
	if (!same_admin(old, now))
		tell_later("admin socket");
	if (!slice_eq(old->user, now->user) || !slice_eq(old->group, now->group))
		tell_later("user");
	if (!slice_eq(old->pid_file, now->pid_file))
		tell_later("pid");
}

bool daemon_reload(struct daemon *daemon, struct conf *conf)
{
	const struct conf *old = daemon->generations->conf;
	struct listener **lists = must(calloc(daemon->worker_count, sizeof(struct listener *)));
	unsigned workers = conf->workers;
	bool bound, ok;

	conf->workers = daemon->worker_count;
	daemon_name_node(daemon, conf);
	bound = daemon_bind(daemon, conf, lists);
	ok = tls_front_make(&daemon->tls, conf);
	ok &= tls_origins_make(conf);
	bool volumes_added = volumes_add(&daemon->volumes, conf);
	if (volumes_added && !(bound && ok))
		volumes_remove(&daemon->volumes, conf);
	ok = bound && ok && volumes_added;
	if (ok && !diag_open(conf->error_log, diag_level_find(conf->error_level, DIAG_notice)))
		diag(DIAG_error, "reload: error_log '%.*s': %s; the old one is used further", SLICE_ARG(conf->error_log), strerror(errno));
	if (!ok) {
		bounds_keep(daemon, old);
		for (unsigned i = 0; i < daemon->worker_count; i++)
			listener_list_free(&lists[i]);
		daemon_order(daemon, NULL, NULL, NULL);
		volumes_settle(&daemon->volumes);
		conf_unref(&conf);
		goto out;
	}
	struct generation *generation = must(calloc(1, sizeof(*generation)));
	tell_what_waits(daemon, old, conf, workers);
	conf->generation = old->generation + 1;
	generation->conf = conf;
	generation->next = daemon->generations;
	daemon->generations = generation;
	daemon_order(daemon, conf, lists, change_over);
	atomic_store(&daemon->generation, conf->generation);
	volumes_show(&daemon->volumes, conf);
	volumes_settle(&daemon->volumes);
	bounds_keep(daemon, conf);
	/* Said when it is true of every worker. */
	daemon_note(daemon, REC_reload);
	daemon_note_volumes(daemon);
	daemon_tidy(daemon);
out:
	free(lists);
	return ok;
}

void daemon_tidy(struct daemon *daemon)
{
	struct generation **at = &daemon->generations->next;
	bool any = false;

	while (*at) {
		struct generation *old = *at;

		/* The last reference is ours: nobody can take another. */
		if (atomic_load(&old->conf->refs) > 1) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		volumes_remove(&daemon->volumes, old->conf);
		conf_unref(&old->conf);
		free(old);
		any = true;
	}
	if (any) {
		daemon_order(daemon, NULL, NULL, NULL);
		volumes_settle(&daemon->volumes);
	}
}

/* ---- files ---- */

void daemon_reopen(struct daemon *daemon)
{
	diag_reopen();
	if (access_log_reopen(daemon->log))
		daemon_note_volumes(daemon);
	else
		diag(DIAG_error, "access_log '%.*s' cannot be opened again: %s; lines go to the old file",
			SLICE_ARG(daemon->generations->conf->access_log), strerror(errno));
}
