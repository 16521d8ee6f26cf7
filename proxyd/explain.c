/* `proxyd explain URL`: what a URL comes to, by the same code that serves it. */
#include "explain.h"
#include "url.h"
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
		printf("asks      %s://%.*s:%u%.*s%s%s\n", target->location->origin_https ? "https" : "http", SLICE_ARG(origin->host), origin->port, SLICE_ARG(text_slice(&text)),
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

int explain(const struct conf *conf, const char *text)
{
	struct slice url_text = slice_str(text);
	struct url url;
	const char *why;
	size_t shown = 0;

	bool https = slice_starts(url_text, SLICE("https://"));
	if ((!https && !slice_starts(url_text, SLICE("http://"))) || url_text.len > URL_MAX) {
		fputs("proxyd: explain wants a URL that begins with http:// or https://\n", stderr);
		return 2;
	}
	if (!url_read(url_text, &url, &why)) {
		fprintf(stderr, "proxyd: '%s' would be refused: %s\n", text, why);
		return 1;
	}
	for (size_t i = 0; url.target.normal.len > 0 && i < conf->listen_count; i++) {
		const struct conf_location *location = url_location(&url, &conf->listens[i]);
		/* Over TLS where it is spoken; where it is not, only a trusted proxy can have had a client's https. */
		if (conf->listens[i].tls && !https)
			continue;
		printf("%slisten    %.*s\n", shown++ ? "\n" : "", SLICE_ARG(conf->listens[i].addr.text));
		if (location)
			print_route(location, url.target);
		else
			printf("server    %.*s\nlocation  none: 404\n", SLICE_ARG(conf_find_server(&conf->listens[i], url.target.host)->first_name));
	}
	return 0;
}
