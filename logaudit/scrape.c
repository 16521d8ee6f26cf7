/* Getting a metrics page: from a file, or by a small HTTP/1.0 GET. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../conf/check.h"
#include "metrics.h"

enum { PAGE_BYTES_MAX = 16 * 1024 * 1024, HTTP_TIMEOUT_SECONDS = 10 };

bool scrape_load_file(const char *path, char **ret_text, size_t *ret_len, char why[256])
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text;
	size_t len;
	bool ok;

	if (!in) {
		snprintf(why, 256, "%s: %s", path, strerror(errno));
		return false;
	}
	text = must(malloc(PAGE_BYTES_MAX));
	len = fread(text, 1, PAGE_BYTES_MAX, in);
	ok = !ferror(in) && len < PAGE_BYTES_MAX;
	if (!ok) snprintf(why, 256, "%s: %s", path, ferror(in) ? strerror(errno) : "too large for a metrics page");
	if (in != stdin) fclose(in);
	if (ok) {
		*ret_text = text;
		*ret_len = len;
	} else {
		free(text);
	}
	return ok;
}

/* ---- HTTP ---- */

struct target { char host[256], port[8], path[1024]; bool bracketed; };

/* http://HOST[:PORT][/PATH] */
static bool target_parse(const char *url, struct target *ret_target)
{
	struct target t = { .port = "80", .path = "/metrics" };
	const char *host = url + 7, *end;
	size_t len;

	if (strncasecmp(url, "http://", 7) != 0 || strpbrk(url, "\r\n \t")) return false;
	t.bracketed = *host == '[';
	host += t.bracketed;
	end = host + strcspn(host, t.bracketed ? "]" : ":/");
	len = (size_t)(end - host);
	if (len == 0 || len >= sizeof(t.host) || (t.bracketed && *end != ']')) return false;
	memcpy(t.host, host, len);
	end += t.bracketed;
	if (*end == ':') {
		len = strcspn(++end, "/");
		if (len == 0 || len >= sizeof(t.port) || strspn(end, "0123456789") != len) return false;
		memcpy(t.port, end, len);
		t.port[len] = 0;
		if (atoi(t.port) > UINT16_MAX) return false;
		end += len;
	}
	if (*end && *end != '/') return false;
	len = strlen(end);
	if (len >= sizeof(t.path)) return false;
	if (len) memcpy(t.path, end, len + 1);
	*ret_target = t;
	return true;
}

static int target_connect(const struct target *t, char why[256])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	struct timeval patience = { .tv_sec = HTTP_TIMEOUT_SECONDS };
	int fd = -1, err = getaddrinfo(t->host, t->port, &hints, &list);

	if (err) {
		snprintf(why, 256, "%.100s: %s", t->host, gai_strerror(err));
		return -1;
	}
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd < 0) continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) continue;
		snprintf(why, 256, "%.100s port %s: %s", t->host, t->port, strerror(errno));
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	return fd;
}

/* Reads the whole answer: HTTP/1.0 ends with the connection. */
static bool answer_read(int fd, char *text, size_t *ret_len)
{
	size_t len = 0;

	while (len < PAGE_BYTES_MAX) {
		ssize_t n = recv(fd, text + len, PAGE_BYTES_MAX - len, 0);
		if (n == 0) break;
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return false;
		len += (size_t)n;
	}
	if (len == PAGE_BYTES_MAX) errno = EFBIG;
	*ret_len = len;
	return len < PAGE_BYTES_MAX;
}

bool scrape_load_url(const char *url, char **ret_text, size_t *ret_len, char why[256])
{
	struct target t;
	char request[2048], *text = NULL, *body;
	size_t len = 0;
	int fd = -1, n;
	bool ok = false;

	if (!target_parse(url, &t)) {
		snprintf(why, 256, "'%.100s' is not http://ADDRESS:PORT/PATH", url);
		return false;
	}
	fd = target_connect(&t, why);
	if (fd < 0) return false;
	text = must(malloc(PAGE_BYTES_MAX + 1));
	n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s%s%s:%s\r\nAccept: text/plain\r\n\r\n", t.path,
		t.bracketed ? "[" : "", t.host, t.bracketed ? "]" : "", t.port);
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n || !answer_read(fd, text, &len)) {
		snprintf(why, 256, "%.100s: %s", url, strerror(errno));
		goto out;
	}
	text[len] = 0;
	body = strstr(text, "\r\n\r\n");
	if (len < 12 || strncmp(text, "HTTP/1.", 7) != 0 || strncmp(text + 8, " 200", 4) != 0 || !body) {
		snprintf(why, 256, "%.100s: the answer is not 200 but '%.60s'", url, text[0] ? strtok(text, "\r\n") : "empty");
		goto out;
	}
	body += 4;
	*ret_len = len - (size_t)(body - text);
	memmove(text, body, *ret_len);
	*ret_text = text;
	text = NULL;
	ok = true;
out:
	free(text);
	close(fd);
	return ok;
}
