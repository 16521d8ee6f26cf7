/* The admin socket: its file, its connections, its thread. */
#include "admin.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "diag.h"

enum { CLIENTS_MAX = 16, LINE_BYTES = 20 * 1024, PATIENCE_MS = 10 * 1000, SEND_MS = 1000 };

struct client {
	int fd;
	int64_t until_ms;
	size_t len;
	char *line;
};

struct admin {
	struct daemon *daemon;
	int fd, stop_fd;
	bool running;
	pthread_t thread;
	struct conf_addr addr;
	char address[LISTENER_TEXT_MAX];
	struct client clients[CLIENTS_MAX];
	size_t client_count;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- connections ---- */

static void client_end(struct admin *admin, size_t which)
{
	close(admin->clients[which].fd);
	free(admin->clients[which].line);
	admin->clients[which] = admin->clients[--admin->client_count];
}

static void client_begin(struct admin *admin)
{
	int fd = accept4(admin->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		admin->clients[admin->client_count++] = (struct client){ .fd = fd, .until_ms = now_ms() + PATIENCE_MS, .line = must(malloc(LINE_BYTES)) };
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		nanosleep(&(struct timespec){ .tv_nsec = 200 * 1000 * 1000 }, NULL);   /* the wait that follows must not spin */
}

static bool answer_send(int fd, const char *at, size_t len)
{
	while (len > 0) {
		struct pollfd wait = { .fd = fd, .events = POLLOUT };
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN && poll(&wait, 1, SEND_MS) == 1)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Returns whether the connection goes on. */
static bool line_take(struct admin *admin, struct client *client, const char *end)
{
	size_t len = (size_t)(end - client->line), rest = client->len - len - 1;
	char *answer = admin_answer(admin->daemon, slice_make(client->line, len > 0 && end[-1] == '\r' ? len - 1 : len));
	bool sent = answer_send(client->fd, answer, strlen(answer));

	free(answer);
	memmove(client->line, end + 1, rest);
	client->len = rest;
	client->until_ms = now_ms() + PATIENCE_MS;
	return sent;
}

static bool client_read(struct admin *admin, struct client *client)
{
	static const char too_long[] = "{\"ok\": false, \"error\": \"the line is too long\"}\n";
	ssize_t n = recv(client->fd, client->line + client->len, LINE_BYTES - client->len, 0);
	const char *end;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	client->len += (size_t)n;
	while ((end = memchr(client->line, '\n', client->len)))
		if (!line_take(admin, client, end))
			return false;
	if (client->len < LINE_BYTES)
		return true;
	answer_send(client->fd, too_long, sizeof(too_long) - 1);
	return false;
}

/* ---- the thread ---- */

static void wait_for(struct admin *admin, struct pollfd polls[CLIENTS_MAX + 2])
{
	int64_t now = now_ms(), until = INT64_MAX;

	polls[0] = (struct pollfd){ .fd = admin->stop_fd, .events = POLLIN };
	/* When all places are taken new ones wait in the kernel. */
	polls[1] = (struct pollfd){ .fd = admin->client_count < CLIENTS_MAX ? admin->fd : -1, .events = POLLIN };
	for (size_t i = 0; i < admin->client_count; i++) {
		polls[2 + i] = (struct pollfd){ .fd = admin->clients[i].fd, .events = POLLIN };
		until = admin->clients[i].until_ms < until ? admin->clients[i].until_ms : until;
	}
	if (poll(polls, 2 + admin->client_count, until == INT64_MAX ? -1 : until <= now ? 0 : (int)(until - now)) < 0)
		for (size_t i = 0; i < 2 + admin->client_count; i++)
			polls[i].revents = 0;
}

static void *admin_main(void *arg)
{
	struct admin *admin = arg;
	struct pollfd polls[CLIENTS_MAX + 2];

	pthread_setname_np(pthread_self(), "admin");
	for (;;) {
		wait_for(admin, polls);
		if (polls[0].revents)
			break;
		int64_t now = now_ms();
		for (size_t i = admin->client_count; i > 0; i--) {
			struct client *client = &admin->clients[i - 1];
			if ((polls[1 + i].revents && !client_read(admin, client)) || (!polls[1 + i].revents && now >= client->until_ms))
				client_end(admin, i - 1);
		}
		if (polls[1].revents)
			client_begin(admin);
	}
	while (admin->client_count)
		client_end(admin, 0);
	return NULL;
}

/* ---- life ---- */

/* The file has its mode before anybody can connect. */
static int socket_open(struct conf_addr *addr, unsigned mode, char problem[256])
{
	int fd = -1;
	bool ok;

	if (!listener_probe(addr, problem))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask = umask(0177);
	ok = fd >= 0 && bind(fd, &addr->sa.any, addr->len) == 0;
	umask(mask);
	ok = ok && (addr->sa.un.sun_path[0] == '\0' || chmod(addr->sa.un.sun_path, mode) == 0) && listen(fd, CLIENTS_MAX) == 0;
	if (ok)
		return fd;
	snprintf(problem, 256, "cannot listen on %.*s: %s", SLICE_ARG(addr->text), strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

bool admin_open(struct daemon *daemon, const struct conf *conf, struct admin **ret_admin, char why[256])
{
	struct admin *admin = must(calloc(1, sizeof(*admin)));
	char problem[256] = "";

	admin->daemon = daemon;
	admin->addr = *conf->admin;
	admin->fd = heir_take(daemon->heir, 'A', conf->admin->text);
	if (admin->fd < 0)
		admin->fd = socket_open(&admin->addr, conf->admin_mode, problem);
	admin->stop_fd = admin->fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
	if (admin->stop_fd < 0) {
		snprintf(why, 256, "admin: %.200s", *problem ? problem : strerror(errno));
		if (admin->fd >= 0)
			close(admin->fd);
		free(admin);
		return false;
	}
	listener_text(&admin->addr, admin->address);
	*ret_admin = admin;
	return true;
}

bool admin_start(struct admin *admin)
{
	int err = pthread_create(&admin->thread, NULL, admin_main, admin);

	if (err)
		diag(DIAG_error, "admin: %s", strerror(err));
	admin->running = err == 0;
	return admin->running;
}

int admin_fd(const struct admin *admin)
{
	return admin->fd;
}

const char *admin_address(const struct admin *admin)
{
	return admin->address;
}

void admin_close(struct admin **admin)
{
	struct admin *a = *admin;
	const uint64_t one = 1;

	if (!a)
		return;
	*admin = NULL;
	if (a->running) {
		CHECK(write(a->stop_fd, &one, sizeof(one)) == sizeof(one));
		pthread_join(a->thread, NULL);
	}
	if (!a->daemon->handed_over && a->addr.sa.un.sun_path[0])
		unlink(a->addr.sa.un.sun_path);
	close(a->fd);
	close(a->stop_fd);
	free(a);
}
