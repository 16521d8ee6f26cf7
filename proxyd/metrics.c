/* The metrics page: what is on it, and a small server for it. What asks here is a scraper or a person: one request a
 * connection, a few connections, and whoever is slow is cut off. */
#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "diag.h"

enum { CLIENTS_MAX = 16, HEAD_BYTES = 4096, PATIENCE_MS = 5000 };

struct client {
	int fd;
	int64_t until_ms;
	char head[HEAD_BYTES];
	size_t head_len;
	char *answer;                            /* NULL: the head is still to come */
	size_t answer_len, sent;
};

struct metrics {
	struct daemon *daemon;
	int fd, stop_fd;
	bool running;
	pthread_t thread;
	char address[LISTENER_TEXT_MAX];
	struct sockaddr_un path;
	struct client clients[CLIENTS_MAX];
	size_t client_count;
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
		fprintf(out, "proxyd_%s_total %" PRIu64 "\n", counter_rows[i].name.ptr, counters_get(&sum, (enum counter)i));
	}
}

static uint64_t connections_open(struct daemon *daemon)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < daemon->worker_count; i++)
		count += atomic_load_explicit(&daemon->workers[i]->conn_count, memory_order_relaxed);
	return count;
}

enum gauge {
#define GAUGE(name, kind, doc) GAUGE_##name,
#include "tbl/gauges.h"
#undef GAUGE
	GAUGE_COUNT };

struct cert_sums { uint64_t all, loaded, failing, first_s, stapled, missing, revoked, fetches, fetches_failed; };

static void sum_certificate(void *arg, const struct cert_view *view)
{
	struct cert_sums *sums = arg;

	sums->all += view->cert || !view->error[0];
	sums->loaded += view->cert != NULL;
	sums->failing += view->error[0] != '\0';
	sums->stapled += view->staple.valid;
	sums->missing += view->cert && view->staple.wanted && !view->staple.valid;
	sums->revoked += view->staple.revoked;
	if (view->not_after_s > 0 && (!sums->first_s || (uint64_t)view->not_after_s < sums->first_s))
		sums->first_s = (uint64_t)view->not_after_s;
}

/* Paths and patterns, as a label wants them. */
static void label_put(FILE *out, const char *text)
{
	for (; *text; text++)
		if (*text == '\n')
			fputs("\\n", out);
		else {
			if (*text == '"' || *text == '\\')
				fputc('\\', out);
			fputc(*text, out);
		}
}

struct cert_row { FILE *out; const char *name; bool of_staple; };

/* Of those that are loaded: what is in a folder of thousands and nobody asks for is in the sums. */
static void put_certificate(void *arg, const struct cert_view *view)
{
	const struct cert_row *row = arg;
	int64_t until_s = row->of_staple ? view->staple.until_s : view->cert ? view->cert->facts->not_after_s : 0;

	if (!view->cert || !until_s || until_s == INT64_MAX)
		return;
	fprintf(row->out, "proxyd_%s{file=\"", row->name);
	label_put(row->out, view->file);
	fprintf(row->out, "\",key=\"%s\"} %" PRIu64 "\n", cert_kind_name(view->cert->facts->kind), (uint64_t)until_s);
}

static void put_certificates(struct daemon *daemon, FILE *out)
{
	struct cert_row expires = { out, "certificate_expires_seconds", false }, staple = { out, "certificate_staple_expires_seconds", true };

	put_row(out, expires.name, "", "gauge", "When a loaded certificate expires: seconds since 1970, UTC.");
	certs_each(daemon->tls.certs, put_certificate, &expires);
	put_row(out, staple.name, "", "gauge", "When the OCSP answer of a loaded certificate expires: seconds since 1970, UTC.");
	certs_each(daemon->tls.certs, put_certificate, &staple);
}

static void put_gauges(struct daemon *daemon, FILE *out)
{
	struct cert_sums sums = { 0 };

	certs_each(daemon->tls.certs, sum_certificate, &sums);
	certs_fetches(daemon->tls.certs, &sums.fetches, &sums.fetches_failed);
	const uint64_t values[GAUGE_COUNT] = {
		[GAUGE_log_lines_lost_total] = access_log_lost(daemon->log),
		[GAUGE_config_generation] = atomic_load(&daemon->generation),
		[GAUGE_start_time_seconds] = (uint64_t)daemon->started_us / 1000000,
		[GAUGE_connections] = connections_open(daemon),
		[GAUGE_workers] = daemon->worker_count,
		[GAUGE_certificates] = sums.all,
		[GAUGE_certificates_loaded] = sums.loaded,
		[GAUGE_certificates_failing] = sums.failing,
		[GAUGE_certificates_refused_total] = certs_refused(daemon->tls.certs),
		[GAUGE_certificates_expire_first_seconds] = sums.first_s,
		[GAUGE_certificates_stapled] = sums.stapled,
		[GAUGE_certificates_staple_missing] = sums.missing,
		[GAUGE_certificates_revoked] = sums.revoked,
		[GAUGE_ocsp_fetches_total] = sums.fetches,
		[GAUGE_ocsp_fetches_failed_total] = sums.fetches_failed,
	};

#define GAUGE(name, kind, doc) \
	put_row(out, #name, "", #kind, doc); \
	fprintf(out, "proxyd_%s %" PRIu64 "\n", #name, values[GAUGE_##name]);
#include "tbl/gauges.h"
#undef GAUGE
}

/* All volumes of one row stand together, as the format wants it: the values are gathered first. */
enum volume_gauge {
#define VOLUME_GAUGE(name, kind, expression, doc) VOLUME_GAUGE_##name,
#include "tbl/volume_gauges.h"
#undef VOLUME_GAUGE
	VOLUME_GAUGE_COUNT };
struct volume_values { char volume[68]; uint64_t values[VOLUME_GAUGE_COUNT]; };
struct volume_rows { struct volume_values *rows; size_t count; };

static void gather_volume(void *arg, const struct conf_volume *v, const struct volume_stat *s)
{
	struct volume_rows *all = arg;
	struct volume_values *row;

	all->rows = must(realloc(all->rows, (all->count + 1) * sizeof(*all->rows)));
	row = &all->rows[all->count++];
	snprintf(row->volume, sizeof(row->volume), "%.*s", SLICE_ARG(v->name));
#define VOLUME_GAUGE(name, kind, expression, doc) row->values[VOLUME_GAUGE_##name] = (uint64_t)(expression);
#include "tbl/volume_gauges.h"
#undef VOLUME_GAUGE
}

static void put_volumes(struct daemon *daemon, FILE *out)
{
	struct volume_rows all = { 0 };

	volumes_stat(&daemon->volumes, gather_volume, &all);
#define VOLUME_GAUGE(name, kind, expression, doc) \
	put_row(out, "volume_" #name, "", #kind, doc); \
	for (size_t i = 0; i < all.count; i++) \
		fprintf(out, "proxyd_volume_%s{volume=\"%s\"} %" PRIu64 "\n", #name, all.rows[i].volume, all.rows[i].values[VOLUME_GAUGE_##name]);
#include "tbl/volume_gauges.h"
#undef VOLUME_GAUGE
	free(all.rows);
}

#define OWNER_GAUGE(gauge, expression, doc) \
static void put_owner_##gauge(void *arg, const struct conf_volume *v, const struct owner_stat *o) \
{ \
	fprintf(arg, "proxyd_owner_" #gauge "{volume=\"%.*s\",owner=\"", SLICE_ARG(v->name)); \
	label_put(arg, o->name); \
	fprintf(arg, "\"} %" PRIu64 "\n", expression); \
}
#include "tbl/owner_gauges.h"
#undef OWNER_GAUGE

static void put_owners(struct daemon *daemon, FILE *out)
{
#define OWNER_GAUGE(name, expression, doc) \
	put_row(out, "owner_" #name, "", "gauge", doc); \
	volumes_owners(&daemon->volumes, put_owner_##name, out);
#include "tbl/owner_gauges.h"
#undef OWNER_GAUGE
}

/* ---- answers ---- */

static void answer_make(struct metrics *metrics, struct client *client)
{
	struct slice head = slice_make(client->head, client->head_len);
	bool is_get = slice_starts(head, SLICE("GET ")), is_head = slice_starts(head, SLICE("HEAD "));
	struct slice target = slice_make(head.ptr + (is_head ? 5 : 4), head.len > 5 ? head.len - 5 : 0);
	bool is_page = slice_starts(target, SLICE("/metrics")) && target.len > 8 && strchr(" ?\r\n", target.ptr[8]);
	const char *status = !is_get && !is_head ? "405 Method Not Allowed" : is_page ? "200 OK" : "404 Not Found";
	char *body = NULL;
	size_t body_len = 0;
	FILE *out = must(open_memstream(&body, &body_len));

	if ((is_get || is_head) && is_page) {
		put_counters(metrics->daemon, out);
		put_gauges(metrics->daemon, out);
		put_volumes(metrics->daemon, out);
		put_owners(metrics->daemon, out);
		put_certificates(metrics->daemon, out);
	} else {
		fprintf(out, "%s; the page is /metrics\n", status);
	}
	CHECK(fclose(out) == 0);
	out = must(open_memstream(&client->answer, &client->answer_len));
	fprintf(out, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%sConnection: close\r\n\r\n", status,
		is_page ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain", body_len, is_get || is_head ? "" : "Allow: GET, HEAD\r\n");
	if (!is_head)
		fwrite(body, 1, body_len, out);
	CHECK(fclose(out) == 0);
	free(body);
}

/* Returns whether the connection goes on. */
static bool client_read(struct metrics *metrics, struct client *client)
{
	ssize_t n = recv(client->fd, client->head + client->head_len, sizeof(client->head) - client->head_len, 0);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	client->head_len += (size_t)n;
	if (memmem(client->head, client->head_len, "\r\n\r\n", 4) || memmem(client->head, client->head_len, "\n\n", 2))
		answer_make(metrics, client);
	return client->answer || client->head_len < sizeof(client->head);
}

static bool client_write(struct client *client)
{
	ssize_t n = send(client->fd, client->answer + client->sent, client->answer_len - client->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent += (size_t)n;
	if (client->sent == client->answer_len)
		shutdown(client->fd, SHUT_WR);
	return client->sent < client->answer_len;
}

/* ---- connections ---- */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void client_end(struct metrics *metrics, size_t which)
{
	struct client *client = &metrics->clients[which];

	close(client->fd);
	free(client->answer);
	*client = metrics->clients[--metrics->client_count];
}

static void client_begin(struct metrics *metrics)
{
	int fd = accept4(metrics->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		metrics->clients[metrics->client_count++] = (struct client){ .fd = fd, .until_ms = now_ms() + PATIENCE_MS };
		return;
	}
	/* Out of descriptors: the wait that follows must not spin. */
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		nanosleep(&(struct timespec){ .tv_nsec = 200 * 1000 * 1000 }, NULL);
}

/* Until something happens, or somebody has been slow for too long. */
static void wait_for(struct metrics *metrics, struct pollfd polls[CLIENTS_MAX + 2])
{
	int64_t now = now_ms(), until = INT64_MAX;

	polls[0] = (struct pollfd){ .fd = metrics->stop_fd, .events = POLLIN };
	/* When all places are taken new ones wait in the kernel. */
	polls[1] = (struct pollfd){ .fd = metrics->client_count < CLIENTS_MAX ? metrics->fd : -1, .events = POLLIN };
	for (size_t i = 0; i < metrics->client_count; i++) {
		const struct client *client = &metrics->clients[i];
		polls[2 + i] = (struct pollfd){ .fd = client->fd, .events = client->answer ? POLLOUT : POLLIN };
		until = client->until_ms < until ? client->until_ms : until;
	}
	if (poll(polls, 2 + metrics->client_count, until == INT64_MAX ? -1 : until <= now ? 0 : (int)(until - now)) < 0)
		for (size_t i = 0; i < 2 + metrics->client_count; i++)
			polls[i].revents = 0;
}

static void *metrics_main(void *arg)
{
	struct metrics *metrics = arg;
	struct pollfd polls[CLIENTS_MAX + 2];

	pthread_setname_np(pthread_self(), "metrics");
	for (;;) {
		wait_for(metrics, polls);
		if (polls[0].revents)
			break;
		int64_t now = now_ms();
		for (size_t i = metrics->client_count; i > 0; i--) {
			struct client *client = &metrics->clients[i - 1];
			bool goes_on = now < client->until_ms;
			if (goes_on && polls[1 + i].revents)
				goes_on = client->answer ? client_write(client) : client_read(metrics, client);
			if (!goes_on)
				client_end(metrics, i - 1);
		}
		if (polls[1].revents)
			client_begin(metrics);
	}
	while (metrics->client_count)
		client_end(metrics, 0);
	return NULL;
}

/* ---- life ---- */

bool metrics_open(struct daemon *daemon, const struct conf *conf, struct metrics **ret_metrics, char why[256])
{
	struct conf_addr addr = *conf->metrics;
	char problem[256] = "";
	int fd = heir_take(daemon->heir, 'M', addr.text);

	if (fd < 0)
		fd = listener_probe(&addr, problem) ? listener_socket(&addr, 16, false, problem) : -1;
	else if (addr.sa.any.sa_family != AF_UNIX)
		CHECK(getsockname(fd, &addr.sa.any, &addr.len) == 0);
	int stop_fd = fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
	struct metrics *metrics;

	if (stop_fd < 0) {
		snprintf(why, 256, "metrics: %.200s", *problem ? problem : strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	metrics = must(calloc(1, sizeof(*metrics)));
	metrics->daemon = daemon;
	metrics->fd = fd;
	metrics->stop_fd = stop_fd;
	if (addr.sa.any.sa_family == AF_UNIX)
		metrics->path = addr.sa.un;
	listener_text(&addr, metrics->address);
	*ret_metrics = metrics;
	return true;
}

bool metrics_start(struct metrics *metrics)
{
	int err = pthread_create(&metrics->thread, NULL, metrics_main, metrics);

	if (err)
		diag(DIAG_error, "metrics: %s", strerror(err));
	metrics->running = err == 0;
	return metrics->running;
}

int metrics_fd(const struct metrics *metrics)
{
	return metrics->fd;
}

const char *metrics_address(const struct metrics *metrics)
{
	return metrics->address;
}

void metrics_close(struct metrics **metrics)
{
	struct metrics *m = *metrics;
	const uint64_t one = 1;

	if (!m)
		return;
	*metrics = NULL;
	if (m->running) {
		CHECK(write(m->stop_fd, &one, sizeof(one)) == sizeof(one));
		pthread_join(m->thread, NULL);
	}
	if (!m->daemon->handed_over && m->path.sun_family == AF_UNIX && m->path.sun_path[0])
		unlink(m->path.sun_path);
	close(m->fd);
	close(m->stop_fd);
	free(m);
}
