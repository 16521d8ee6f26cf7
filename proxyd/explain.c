/* `proxyd explain URL`: what a URL comes to, by the same code that serves it. */
#include "explain.h"
#include "http_head.h"
#include "target.h"
#include "../cachestore/cachestore.h"

static void print_origins(struct arena *arena, const struct target *target)
{
	const struct conf_upstream *upstream = target->location->upstream;
	struct text text;

	text_init(&text, arena, 1024);
	target_add_origin(&text, target->location, target);
	printf("upstream  %.*s\n", SLICE_ARG(upstream->name));
	for (size_t i = 0; i < upstream->origin_count; i++) {
		const struct conf_origin *origin = &upstream->origins[i];
		printf("asks      http://%.*s:%u%.*s%s%s\n", SLICE_ARG(origin->host), origin->port, SLICE_ARG(text_slice(&text)),
			origin->backup ? " (backup)" : "", origin->down ? " (down)" : "");
	}
}

/* The key, and what there may be variants by beside Vary. */
static void print_key(struct arena *arena, const struct target *target)
{
	const struct conf_key *key = &target->location->key;
	struct text text;

	text_init(&text, arena, 1024);
	target_add_key(&text, target);
	printf("key       %.*s (hash %016llx)\n", SLICE_ARG(text_slice(&text)), (unsigned long long)store_key_make(text_slice(&text)).hi);
	if (key->selectors.len == 0)
		return;
	printf("variants ");
	for (size_t i = 0; i < key->cookies.count; i++)
		printf(" cookie %.*s;", SLICE_ARG(key->cookies.items[i]));
	printf("%s\n", target->location->set.cache_key_device ? " device class;" : "");
}

static void print_route(const struct conf_location *location, struct target target)
{
	struct slice volume = location->volume ? location->volume->name
		: location->cache_off ? SLICE("none: proxy_cache off") : SLICE("none: no proxy_cache names one");
	const struct conf_server *server = location->server;
	struct arena arena;

	printf("server    %.*s (%s:%u)\n", SLICE_ARG(server->first_name), server->pos.file, server->pos.line);
	printf("location  %.*s (%s:%u)\n", SLICE_ARG(location->route), location->pos.file, location->pos.line);
	if (location->return_code)
		printf("answer    %u, by rule\n", location->return_code);
	if (!location->upstream)
		return;
	printf("volume    %.*s\n", SLICE_ARG(volume));
	arena_init(&arena);
	target.location = location;
	if (location->volume)
		print_key(&arena, &target);
	if (!location->volume || target_reduce(&arena, &target))
		print_origins(&arena, &target);
	arena_release(&arena);
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
			print_route(location, target);
		else
			printf("server    %.*s\nlocation  none: 404\n", SLICE_ARG(server->first_name));
	}
	return 0;
}
