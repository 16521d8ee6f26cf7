/* Listening sockets: binding, accepting, and what happens when there are no descriptors or too many connections. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diag.h"
#include "worker_internal.h"

enum { ACCEPTS_PER_ROUND = 64, STARVED_US = 200 * 1000, LEFTOVERS_MAX = 65536 };

/* ---- binding ---- */

void listener_text(const struct conf_addr *addr, char out[LISTENER_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";

	switch (addr->sa.any.sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &addr->sa.in.sin_addr, host, sizeof(host));
		snprintf(out, LISTENER_TEXT_MAX, "%s:%u", host, ntohs(addr->sa.in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &addr->sa.in6.sin6_addr, host, sizeof(host));
		snprintf(out, LISTENER_TEXT_MAX, "[%s]:%u", host, ntohs(addr->sa.in6.sin6_port));
		break;
	default:
		snprintf(out, LISTENER_TEXT_MAX, "%.*s", SLICE_ARG(addr->text));
	}
}

static bool refused(const struct conf_addr *addr, const char *what, char why[256])
{
	snprintf(why, 256, "cannot listen on %.*s: %s%s%s", SLICE_ARG(addr->text), what, *what ? ": " : "", strerror(errno));
	return false;
}

static int socket_new(const struct conf_addr *addr)
{
	int one = 1, fd = socket(addr->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || addr->sa.any.sa_family == AF_UNIX)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (addr->sa.any.sa_family == AF_INET6)  /* [::]:80 and 0.0.0.0:80 are two listeners, as in nginx */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return fd;
}

/* A socket file that nobody listens on is what a killed process left. */
static bool unix_probe(const struct conf_addr *addr, char why[256])
{
	struct stat st;
	bool free_now;
	int fd;

	if (addr->sa.un.sun_path[0] == '\0' || lstat(addr->sa.un.sun_path, &st) != 0)
		return true;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, 256, "cannot listen on %.*s: there is a file that is no socket", SLICE_ARG(addr->text));
		return false;
	}
	fd = socket_new(addr);
	if (fd < 0)
		return refused(addr, "", why);
	free_now = connect(fd, &addr->sa.any, addr->len) != 0 && errno == ECONNREFUSED;
	close(fd);
	if (!free_now) {
		errno = EADDRINUSE;
		return refused(addr, "", why);
	}
	return unlink(addr->sa.un.sun_path) == 0 || refused(addr, "removing the old socket", why);
}

bool listener_probe(const struct conf_addr *addr, char why[256])
{
	int fd;
	bool ok;

	if (addr->sa.any.sa_family == AF_UNIX)
		return unix_probe(addr, why);
	fd = socket_new(addr);
	if (fd < 0)
		return refused(addr, "", why);
	ok = bind(fd, &addr->sa.any, addr->len) == 0 || refused(addr, "", why);
	close(fd);
	return ok;
}

int listener_socket(struct conf_addr *addr, int backlog, bool reuse_port, char why[256])
{
	int one = 1, fd = socket_new(addr);
	bool is_unix = addr->sa.any.sa_family == AF_UNIX, ok;

	if (fd < 0) {
		refused(addr, "", why);
		return -1;
	}
	ok = !reuse_port || is_unix || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0;
	ok = ok && bind(fd, &addr->sa.any, addr->len) == 0;
	/* Who may reach it is for the folder's permissions to say. */
	ok = ok && (!is_unix || addr->sa.un.sun_path[0] == '\0' || chmod(addr->sa.un.sun_path, 0666) == 0);
	ok = ok && listen(fd, backlog > 0 ? backlog : SOMAXCONN) == 0;
	ok = ok && (is_unix || getsockname(fd, &addr->sa.any, &addr->len) == 0);
	if (!ok) {
		refused(addr, "", why);
		close(fd);
		return -1;
	}
	return fd;
}

struct listener *listener_new(const struct conf_listen *listen, int fd)
{
	struct listener *listener = must(calloc(1, sizeof(*listener)));

	listener->io.fd = fd;
	listener->listen = listen;
	listener->is_shared = listen->addr.sa.any.sa_family == AF_UNIX;
	CHECK(listen->addr.text.len < sizeof(listener->asked));
	memcpy(listener->asked, listen->addr.text.ptr, listen->addr.text.len);
	return listener;
}

void listener_list_free(struct listener **list)
{
	while (*list) {
		struct listener *listener = *list;

		*list = listener->next;
		close(listener->io.fd);
		free(listener);
	}
}

/* ---- accepting ---- */

static void listeners_pause(struct worker *worker)
{
	for (struct listener *l = worker->priv->listeners; l; l = l->next)
		worker_io_forget(worker, &l->io);
}

static void listeners_resume(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	if (priv->listeners_full || priv->listeners_starved)
		return;
	/* Exclusive: of the workers that share a socket one is woken, not all. */
	for (struct listener *l = priv->listeners; l; l = l->next)
		worker_io_arm(worker, &l->io, l->is_shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN);
}

static void starved_over(struct worker *worker, struct timer *timer)
{
	(void)timer;
	worker->priv->listeners_starved = false;
	listeners_resume(worker);
}

/* A level-triggered socket that cannot be accepted from would keep the loop spinning. */
static void listeners_starve(struct worker *worker, int err)
{
	static struct diag_limit limit;
	uint64_t times;

	if (diag_limited(&limit, worker->now_us, &times))
		diag(DIAG_error, "worker %u: cannot accept connections: %s; %zu are open; trying again every %d ms (%lu times since the last message)",
			worker->number, strerror(err), worker->conn_count, STARVED_US / 1000, (unsigned long)times);
	worker->priv->listeners_starved = true;
	listeners_pause(worker);
	timer_set(worker, &worker->priv->resume_timer, STARVED_US, starved_over);
}

static void listeners_fill(struct worker *worker)
{
	static struct diag_limit limit;
	uint64_t times;

	if (diag_limited(&limit, worker->now_us, &times))
		diag(DIAG_warn, "worker %u: connections_max (%lu) is reached; new connections wait until others end (%lu times since the last message)",
			worker->number, (unsigned long)worker->conf->connections_max, (unsigned long)times);
	worker->priv->listeners_full = true;
	listeners_pause(worker);
}

/* True while there may be more. */
static bool accept_one(struct worker *worker, struct listener *listener)
{
	union { struct sockaddr any; struct sockaddr_storage storage; } peer = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(peer);
	int fd = accept4(listener->io.fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		clients_accept(worker, fd, listener->listen, &peer.any, len);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM: case EBADF: case EINVAL: case ENOTSOCK: case EOPNOTSUPP: case EFAULT:
		listeners_starve(worker, errno);
		return false;
	default:                                 /* the connection broke while it waited: accept(2) lists the names */
		return true;
	}
}

static void listener_ready(struct worker *worker, struct io *io, uint32_t events)
{
	struct listener *listener = (struct listener *)(void *)((char *)io - offsetof(struct listener, io));

	(void)events;
	for (unsigned i = 0; i < ACCEPTS_PER_ROUND; i++) {
		if (worker->conn_count >= worker->conf->connections_max) {
			listeners_fill(worker);
			return;
		}
		if (!accept_one(worker, listener))
			return;
	}
}

void listeners_round(struct worker *worker)
{
	struct worker_priv *priv = worker->priv;

	if (!priv->listeners_full || worker->conn_count >= worker->conf->connections_max)
		return;
	priv->listeners_full = false;
	listeners_resume(worker);
}

/* ---- a worker's set ---- */

static const struct conf_listen *listen_of(const struct conf *conf, const struct listener *listener)
{
	for (size_t i = 0; i < conf->listen_count; i++)
		if (slice_eq(conf->listens[i].addr.text, slice_str(listener->asked)))
			return &conf->listens[i];
	return NULL;
}

/* What has been promised to clients by the kernel is served. The socket may be shared: it leaves this loop by itself. */
static void listener_end(struct worker *worker, struct listener *listener, bool accept)
{
	for (unsigned i = 0; accept && i < LEFTOVERS_MAX && accept_one(worker, listener); i++)
		;
	worker_io_forget(worker, &listener->io);
	close(listener->io.fd);
	free(listener);
}

static void listeners_end(struct worker *worker, bool accept)
{
	while (worker->priv->listeners) {
		struct listener *listener = worker->priv->listeners;

		worker->priv->listeners = listener->next;
		listener_end(worker, listener, accept);
	}
	timer_clear(worker, &worker->priv->resume_timer);
}

void listeners_leave(struct worker *worker, const struct conf *now)
{
	struct listener **at = &worker->priv->listeners;

	while (*at) {
		struct listener *listener = *at;

		if (listen_of(now, listener)) {
			at = &listener->next;
			continue;
		}
		*at = listener->next;
		listener_end(worker, listener, true);
	}
}

void listeners_adopt(struct worker *worker, struct listener **list)
{
	struct worker_priv *priv = worker->priv;

	while (*list) {
		struct listener *listener = *list;

		*list = listener->next;
		listener->next = priv->listeners;
		listener->io.ready = listener_ready;
		priv->listeners = listener;
	}
	for (struct listener *l = priv->listeners; l; l = l->next) {
		l->listen = listen_of(worker->conf, l);
		CHECK(l->listen);
	}
	listeners_resume(worker);
}

void listeners_drain(struct worker *worker)
{
	listeners_end(worker, true);
}

void listeners_free(struct worker *worker)
{
	listeners_end(worker, false);
}
