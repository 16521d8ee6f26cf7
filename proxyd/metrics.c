/* The metrics page. One request a connection, one connection at a time: what asks here is a scraper or a person. */
#include "metrics.h"
#include "diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, CLIENT_MS = 2000 };

struct metrics {
	struct daemon *daemon;
	int fd, stop_fd;
	bool running;
	pthread_t thread;
	char text[96];
};

/* ---- the page ---- */

static void put_row(FILE *out, const char *name, const char *suffix, const char *kind, const char *doc)
{
	fprintf(out, "# HELP proxyd_%s%s %s\n# TYPE proxyd_%s%s %s\n", name, suffix, doc, name, suffix, kind);
}

static void put_counters(struct daemon *daemon, FILE *out)
{
	struct counters sum = { 0 };

	for (unsigned i = 0; i < daemon->worker_count; i++)
		counters_merge(&sum, &daemon->workers[i]->counters);
	for (int i = 0; i < COUNTER_COUNT; i++) {
		put_row(out, counter_rows[i].name.ptr, "_total", "counter", counter_rows[i].doc);
		fprintf(out, "proxyd_%s_total %llu\n", counter_rows[i].name.ptr, (unsigned long long)counters_get(&sum, (enum counter)i));
	}
}

static uint64_t connections(struct daemon *daemon)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < daemon->worker_count; i++)
		count += __atomic_load_n(&daemon->workers[i]->conn_count, __ATOMIC_RELAXED);
	return count;
}

static void put_gauges(struct daemon *daemon, FILE *out)
{
	enum {
#define GAUGE(name, kind, doc) GAUGE_##name,
#include "tbl/gauges.h"
#undef GAUGE
		GAUGE_COUNT };
	const uint64_t values[GAUGE_COUNT] = {
		[GAUGE_log_lines_lost_total] = access_log_lost(daemon->log),
		[GAUGE_config_generation] = atomic_load(&daemon->generation),
		[GAUGE_start_time_seconds] = (uint64_t)daemon->started_us / 1000000,
		[GAUGE_connections] = connections(daemon),
		[GAUGE_workers] = daemon->worker_count,
	};
#define GAUGE(name, kind, doc) \
	put_row(out, #name, "", #kind, doc); \
	fprintf(out, "proxyd_%s %llu\n", #name, (unsigned long long)values[GAUGE_##name]);
#include "tbl/gauges.h"
#undef GAUGE
}

static uint64_t volume_value(struct daemon_volume *v, size_t which)
{
	struct volume_stat s = { .failed = true };
	struct volume *volume = atomic_load(&v->volume);

	if (volume)
		volume_stat(volume, &s);
	const uint64_t values[] = {
#define VOLUME_GAUGE(name, kind, expression, doc) (uint64_t)(expression),
#include "tbl/volume_gauges.h"
#undef VOLUME_GAUGE
	};
	return values[which];
}

static void put_volumes(struct daemon *daemon, FILE *out)
{
	static const struct { const char *name, *kind, *doc; } rows[] = {
#define VOLUME_GAUGE(name, kind, expression, doc) { "volume_" #name, #kind, doc },
#include "tbl/volume_gauges.h"
#undef VOLUME_GAUGE
	};

	for (size_t row = 0; row < COUNT_OF(rows); row++) {
		put_row(out, rows[row].name, "", rows[row].kind, rows[row].doc);
		for (size_t i = 0; i < atomic_load(&daemon->volume_count); i++)
			fprintf(out, "proxyd_%s{volume=\"%.*s\"} %llu\n", rows[row].name, SLICE_ARG(daemon->volumes[i].name),
				(unsigned long long)volume_value(&daemon->volumes[i], row));
	}
}

/* ---- serving it ---- */

static void send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

/* The end of the head, or false: gone, too long, too slow. */
static bool read_head(int fd, char *head, size_t size, size_t *ret_len)
{
	*ret_len = 0;
	while (*ret_len < size - 1) {
		ssize_t n = recv(fd, head + *ret_len, size - 1 - *ret_len, 0);
		if (n <= 0)
			return false;
		*ret_len += (size_t)n;
		head[*ret_len] = 0;
		if (strstr(head, "\r\n\r\n"))
			return true;
	}
	return false;
}

static void answer(struct metrics *metrics, int fd)
{
	char head[REQUEST_MAX], *body = NULL, line[256];
	size_t len = 0, size = 0;

	if (!read_head(fd, head, sizeof(head), &len))
		return;
	bool get = strncmp(head, "GET ", 4) == 0, page = strncmp(head, "GET /metrics", 12) == 0 && strchr(" ?", head[12]) != NULL;
	FILE *out = must(open_memstream(&body, &size));
	if (page) {
		put_counters(metrics->daemon, out);
		put_gauges(metrics->daemon, out);
		put_volumes(metrics->daemon, out);
	} else {
		fputs(get ? "404: the page is /metrics\n" : "405: only GET\n", out);
	}
	fclose(out);
	int n = snprintf(line, sizeof(line), "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
		page ? "200 OK" : get ? "404 Not Found" : "405 Method Not Allowed",
		page ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain", size);
	send_all(fd, line, (size_t)n);
	send_all(fd, body, size);
	free(body);
}

static void *metrics_main(void *arg)
{
	struct metrics *metrics = arg;
	struct pollfd wait[2] = { { .fd = metrics->fd, .events = POLLIN }, { .fd = metrics->stop_fd, .events = POLLIN } };
	const struct timeval patience = { .tv_sec = CLIENT_MS / 1000 };

	for (;;) {
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (wait[1].revents)
			return NULL;
		int fd = accept4(metrics->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		answer(metrics, fd);
		close(fd);
	}
}

struct metrics *metrics_open(struct daemon *daemon, const struct conf_addr *addr, char why[256])
{
	struct metrics *metrics;
	int one = 1, fd = socket(addr->sa.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, &addr->sa.any, addr->len) < 0 || listen(fd, 16) < 0) {
		snprintf(why, 256, "metrics: cannot listen on %.*s: %s", SLICE_ARG(addr->text), strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	metrics = must(calloc(1, sizeof(*metrics)));
	metrics->daemon = daemon;
	metrics->fd = fd;
	metrics->stop_fd = eventfd(0, EFD_CLOEXEC);
	CHECK(metrics->stop_fd >= 0);
	struct conf_addr bound = *addr;
	bound.len = sizeof(bound.sa);
	getsockname(fd, &bound.sa.any, &bound.len);
	if (bound.sa.any.sa_family == AF_INET) {
		char host[INET_ADDRSTRLEN] = "";
		inet_ntop(AF_INET, &bound.sa.in.sin_addr, host, sizeof(host));
		snprintf(metrics->text, sizeof(metrics->text), "%s:%u", host, ntohs(bound.sa.in.sin_port));
	} else {
		snprintf(metrics->text, sizeof(metrics->text), "%.*s", SLICE_ARG(addr->text));
	}
	return metrics;
}

void metrics_start(struct metrics *metrics)
{
	metrics->running = pthread_create(&metrics->thread, NULL, metrics_main, metrics) == 0;
	diag(DIAG_notice, "ready: metrics on %s", metrics->text);
}

void metrics_close(struct metrics **metrics)
{
	struct metrics *m = *metrics;
	uint64_t one = 1;

	if (!m)
		return;
	*metrics = NULL;
	if (m->running && write(m->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(m->thread, NULL);
	close(m->fd);
	close(m->stop_fd);
	free(m);
}
