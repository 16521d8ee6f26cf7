/* What proxyd does beside serving. */
#include "command.h"

#include <errno.h>
#include <signal.h>

#include "../cachestore/cachestore.h"
#include "../conf/check.h"
#include "http_head.h"
#include "pidfile.h"
#include "volumes.h"

static const struct { const char *word; int number; } words[] = {
	{ "reload", SIGHUP }, { "reopen", SIGUSR1 }, { "quit", SIGQUIT }, { "stop", SIGTERM },
};

int command_signal(const struct conf *conf, const char *word)
{
	char why[256] = "";
	int number = 0;
	pid_t pid;

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcmp(words[i].word, word) == 0)
			number = words[i].number;
	if (!number) {
		fprintf(stderr, "proxyd: -s takes reload, reopen, quit or stop, not '%s'\n", word);
		return 2;
	}
	if (!conf->pid_file.len) {
		fputs("proxyd: -s finds the daemon by its pid file: write `pid FILE;` into the configuration\n", stderr);
		return 1;
	}
	pid = pid_file_read(conf->pid_file, why);
	if (pid && kill(pid, number) != 0)
		snprintf(why, sizeof(why), "process %ld: %s", (long)pid, strerror(errno));
	if (*why)
		fprintf(stderr, "proxyd: -s %s: %s\n", word, why);
	return *why ? 1 : 0;
}

int command_check(const struct conf *conf)
{
	bool ok = volumes_check(conf);

	fprintf(stderr, "proxyd: the configuration is %s\n", ok ? "good" : "not usable");
	return ok ? 0 : 1;
}

/* ---- explain ---- */

static void explain_route(const struct conf_server *server, const struct conf_location *location, const struct http_head *head, struct slice host)
{
	char key[8192];
	int len = snprintf(key, sizeof(key), "http://%.*s", SLICE_ARG(host));

	if (head->port && head->port != 80)
		len += snprintf(key + len, sizeof(key) - (size_t)len, ":%u", head->port);
	len += snprintf(key + len, sizeof(key) - (size_t)len, "%.*s%s%.*s", SLICE_ARG(head->path), head->query.ptr ? "?" : "", SLICE_ARG(head->query));
	printf("server    %.*s (%s:%u)\n", SLICE_ARG(server->first_name), server->pos.file, server->pos.line);
	printf("location  %.*s (%s:%u)\n", SLICE_ARG(location->route), location->pos.file, location->pos.line);
	if (location->return_code)
		printf("answer    %u, by rule\n", location->return_code);
	if (!location->upstream)
		return;
	printf("volume    %.*s\n", SLICE_ARG(location->volume ? location->volume->name : location->cache_off ? SLICE("none: proxy_cache off") : SLICE("none: no proxy_cache names one")));
	if (location->volume)
		printf("key       %s (hash %016llx)\n", key, (unsigned long long)store_key_make(slice_make(key, (size_t)len)).hi);
	printf("upstream  %.*s\n", SLICE_ARG(location->upstream->name));
	for (size_t i = 0; i < location->upstream->origin_count; i++) {
		const struct conf_origin *origin = &location->upstream->origins[i];
		struct slice path = head->path, prefix = location->proxy_path;
		bool is_text = location->match != CONF_MATCH_regex && location->match != CONF_MATCH_regex_nocase;
		if (prefix.ptr && is_text && slice_starts(path, location->pattern))
			path = slice_make(path.ptr + location->pattern.len, path.len - location->pattern.len);
		else
			prefix = SLICE("");
		printf("asks      http://%.*s:%u%.*s%.*s%s%.*s%s%s\n", SLICE_ARG(origin->host), origin->port, SLICE_ARG(prefix), SLICE_ARG(path),
			head->query.ptr ? "?" : "", SLICE_ARG(head->query), origin->backup ? " (backup)" : "", origin->down ? " (down)" : "");
	}
}

static int explain(const struct conf *conf, const char *url)
{
	char request[8300], host[256], normal[8192];
	struct http_header headers[4];
	struct http_head head = { 0 };
	enum refusal refusal = REFUSAL_none;
	struct http_limits limits = { sizeof(request), sizeof(request), 4 };
	const char *authority = strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;

	if (!authority || strlen(url) > 8000) {
		fputs("proxyd: explain wants a URL that begins with http://\n", stderr);
		return 2;
	}
	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: %.*s\r\n\r\n", url, (int)strcspn(authority, "/?#"), authority);
	if (http_parse_request(request, strlen(request), 0, &limits, headers, &head, &refusal) <= 0) {
		fprintf(stderr, "proxyd: '%s' would be refused: %s\n", url, refusal_rows[refusal].doc);
		return 1;
	}
	size_t len = head.host.len < sizeof(host) ? head.host.len : sizeof(host);
	len -= len && head.host.ptr[len - 1] == '.';     /* a final dot names the same host */
	for (size_t i = 0; i < len; i++)
		host[i] = (char)(head.host.ptr[i] >= 'A' && head.host.ptr[i] <= 'Z' ? head.host.ptr[i] | 0x20 : head.host.ptr[i]);
	long normal_len = http_normalise_path(head.path, normal);
	for (size_t i = 0; normal_len >= 0 && i < conf->listen_count; i++) {
		const struct conf_server *server = conf_find_server(&conf->listens[i], slice_make(host, len));
		const struct conf_location *location = server->fallback->return_code ? server->fallback
			: conf_find_location(server, slice_make(normal, (size_t)normal_len));
		printf("%slisten    %.*s\n", i ? "\n" : "", SLICE_ARG(conf->listens[i].addr.text));
		if (location)
			explain_route(server, location, &head, slice_make(host, len));
		else
			printf("server    %.*s\nlocation  none: 404\n", SLICE_ARG(server->first_name));
	}
	return 0;
}

int command_word(const struct conf *conf, int argc, char **argv)
{
	if (strcmp(argv[0], "explain") == 0 && argc == 2)
		return explain(conf, argv[1]);
	fprintf(stderr, "proxyd: '%s' is no command; there is: explain URL\n", argv[0]);
	return 2;
}
