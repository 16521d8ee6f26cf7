/* `proxyd explain URL`: what a URL comes to, by the same code that serves it. */
#include "explain.h"
#include "http_head.h"
#include "target.h"
#include "../cachestore/cachestore.h"

static void print_origins(const struct conf_location *location, const struct target *target)
{
	struct arena arena;
	struct text text;

	arena_init(&arena);
	text_init(&text, &arena, 1024);
	target_add_origin(&text, location, target);
	for (size_t i = 0; i < location->upstream->origin_count; i++) {
		const struct conf_origin *origin = &location->upstream->origins[i];
		printf("asks      http://%.*s:%u%.*s%s%s\n", SLICE_ARG(origin->host), origin->port, SLICE_ARG(text_slice(&text)),
			origin->backup ? " (backup)" : "", origin->down ? " (down)" : "");
	}
	arena_release(&arena);
}

static void print_key(const struct target *target)
{
	struct arena arena;
	struct text text;

	arena_init(&arena);
	text_init(&text, &arena, 1024);
	target_add_key(&text, target);
	printf("key       %.*s (hash %016llx)\n", SLICE_ARG(text_slice(&text)), (unsigned long long)store_key_make(text_slice(&text)).hi);
	arena_release(&arena);
}

static void print_route(const struct conf_server *server, const struct conf_location *location, const struct target *target)
{
	struct slice volume = location->volume ? location->volume->name
		: location->cache_off ? SLICE("none: proxy_cache off") : SLICE("none: no proxy_cache names one");

	printf("server    %.*s (%s:%u)\n", SLICE_ARG(server->first_name), server->pos.file, server->pos.line);
	printf("location  %.*s (%s:%u)\n", SLICE_ARG(location->route), location->pos.file, location->pos.line);
	if (location->return_code)
		printf("answer    %u, by rule\n", location->return_code);
	if (!location->upstream)
		return;
	printf("volume    %.*s\n", SLICE_ARG(volume));
	if (location->volume)
		print_key(target);
	printf("upstream  %.*s\n", SLICE_ARG(location->upstream->name));
	print_origins(location, target);
}

int explain(const struct conf *conf, const char *url)
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
	const struct target target = { .host = slice_make(host, len), .port = head.port,
		.authority = head.authority, .path = head.path,
		.normal = slice_make(normal, normal_len < 0 ? 0 : (size_t)normal_len), .query = head.query };
	for (size_t i = 0; normal_len >= 0 && i < conf->listen_count; i++) {
		const struct conf_server *server = conf_find_server(&conf->listens[i], target.host);
		const struct conf_location *location = server->fallback->return_code ? server->fallback
			: conf_find_location(server, target.normal);
		printf("%slisten    %.*s\n", i ? "\n" : "", SLICE_ARG(conf->listens[i].addr.text));
		if (location)
			print_route(server, location, &target);
		else
			printf("server    %.*s\nlocation  none: 404\n", SLICE_ARG(server->first_name));
	}
	return 0;
}
