/* Listening sockets and accepting. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ACCEPTS_PER_EVENT = 64, PAUSE_US = 100000 };

static void pause_over(struct worker *worker, struct timer *timer)
{
	struct listener *l = (struct listener *)((char *)timer - offsetof(struct listener, pause));

	worker_io_arm(worker, &l->io, EPOLLIN);
}

/* Not to spin on a connection that cannot be taken: it waits in the kernel's queue. */
static void listener_pause(struct worker *worker, struct listener *l)
{
	worker_io_arm(worker, &l->io, 0);
	timer_set(worker, &l->pause, PAUSE_US, pause_over);
}

static void listener_ready(struct worker *worker, struct io *io, uint32_t events)
{
	struct listener *l = (struct listener *)((char *)io - offsetof(struct listener, io));

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t len = sizeof(peer);
		if (worker->conn_count >= worker->conf->connections_max) {
			listener_pause(worker, l);
			return;
		}
		int fd = accept4(io->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			if (len < sizeof(sa_family_t))
				peer.ss_family = l->bound.sa.any.sa_family;
			clients_accept(worker, fd, l->listen, (struct sockaddr *)&peer, sizeof(peer));
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			listener_pause(worker, l);
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

void listener_start(struct worker *worker, struct listener *l)
{
	l->io.ready = listener_ready;
	worker_io_arm(worker, &l->io, EPOLLIN);
}

void listener_free(struct worker *worker, struct listener **listener)
{
	struct listener *l = *listener;

	*listener = NULL;
	timer_clear(worker, &l->pause);
	worker_io_close(worker, &l->io);
	free(l);
}

/* The address as it is bound, for people and for matching. */
static void bound_text(struct listener *l)
{
	char host[INET6_ADDRSTRLEN] = "";

	l->bound.len = sizeof(l->bound.sa);
	if (l->bound.sa.any.sa_family == AF_UNIX)
		return;
	getsockname(l->io.fd, &l->bound.sa.any, &l->bound.len);
	if (l->bound.sa.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &l->bound.sa.in.sin_addr, host, sizeof(host));
		snprintf(l->text, sizeof(l->text), "%s:%u", host, ntohs(l->bound.sa.in.sin_port));
	} else {
		inet_ntop(AF_INET6, &l->bound.sa.in6.sin6_addr, host, sizeof(host));
		snprintf(l->text, sizeof(l->text), "[%s]:%u", host, ntohs(l->bound.sa.in6.sin6_port));
	}
}

/* `listen` is the name of a directive here. */
static int start_listening(int fd, int backlog)
{
	return listen(fd, backlog > 0 ? backlog : SOMAXCONN);
}

static int socket_open(const struct conf_listen *listen)
{
	const struct conf_addr *addr = &listen->addr;
	int family = addr->sa.any.sa_family, one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (family == AF_UNIX) {
		unlink(addr->sa.un.sun_path);
	} else {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		if (family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	if (bind(fd, &addr->sa.any, addr->len) == 0 && (family != AF_UNIX || chmod(addr->sa.un.sun_path, 0666) == 0)
			&& start_listening(fd, listen->backlog) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

struct listener *listener_open(const struct conf_listen *listen, int fd, char why[256])
{
	struct listener *l;

	if (fd < 0)
		fd = socket_open(listen);
	if (fd < 0) {
		snprintf(why, 256, "cannot listen on %.*s: %s", SLICE_ARG(listen->addr.text), strerror(errno));
		return NULL;
	}
	l = must(calloc(1, sizeof(*l)));
	l->io.fd = fd;
	l->listen = listen;
	l->bound = listen->addr;
	snprintf(l->text, sizeof(l->text), "%.*s", SLICE_ARG(listen->addr.text));
	bound_text(l);
	return l;
}
