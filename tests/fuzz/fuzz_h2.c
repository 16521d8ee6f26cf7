/* A client of HTTP/2 that sends any bytes, in pieces of any size, to a worker that answers by rule: whatever comes, every
 * request ends, nothing is left behind. The first byte says how the rest is cut. The preface and SETTINGS come by themselves
 * unless it is odd. */
#include <errno.h>
#include <sys/mman.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../proxyd/daemon.h"
#include "../../proxyd/h2.h"
#include "../../proxyd/log_ring.h"
#include "../../proxyd/worker_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
static const char rules[] = "client_header_max 1k; server { listen unix:/nowhere; location / { return 200 \"hello\\n\"; } location /held { proxy_pass http://127.0.0.1:1; } }";
static struct worker *worker;
static struct log_ring ring;

static void start(void)
{
	struct daemon *daemon = must(calloc(1, sizeof(*daemon)));
	int file = memfd_create("rules", 0);
	char path[64];

	CHECK(file >= 0 && write(file, rules, sizeof(rules) - 1) == (ssize_t)sizeof(rules) - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	struct conf *conf = conf_load_file(path, stderr);
	CHECK(conf);
	conf->generation = 1;
	memcpy(daemon->self, "fuzz", 5);
	worker = worker_new(daemon, 0, conf, &ring);
	CHECK(worker);
}

static void turn(int client)
{
	char answer[4096];

	worker_clock(worker);
	if (worker->clients->conns) {
		struct conn *c = worker->clients->conns;
		c->io.ready(worker, &c->io, EPOLLIN | (c->io.events & EPOLLOUT));
	}
	mail_run(worker);
	deferred_run(worker);
	while (read(client, answer, sizeof(answer)) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sockaddr peer = { .sa_family = AF_UNIX };
	int fds[2];

	if (size < 2 || size > 64 * 1024)
		return 0;
	if (!worker)
		start();
	size_t step = data[0] / 2 + 1u;
	step = step == 128 ? size : step * step;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	clients_accept(worker, fds[0], &worker->conf->listens[0], &peer, sizeof(peer));
	if (!(data[0] & 1)) {
		CHECK(write(fds[1], begin, sizeof(begin)) == (ssize_t)sizeof(begin));
		turn(fds[1]);
	}
	for (size_t at = 1; at < size && worker->clients->conns; at += step) {
		size_t n = size - at < step ? size - at : step;
		if (send(fds[1], data + at, n, MSG_NOSIGNAL) < 0)
			break;
		turn(fds[1]);
	}
	close(fds[1]);
	clients_abort(worker);
	for (int i = 0; i < 3; i++) {
		mail_run(worker);
		deferred_run(worker);
	}
	CHECK(!worker->clients->conns && !worker->clients->requests);
	return 0;
}
