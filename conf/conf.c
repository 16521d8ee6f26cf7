/* Loading from a file, from options or from a text; the reference count; the memory of a configuration. */
#include <stdarg.h>

#include "internal.h"

/* Memory: chunks that only grow, freed with the configuration. */
struct pool_chunk {
	struct pool_chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};
enum { POOL_CHUNK_MIN = 64 * 1024, POOL_ALIGN = 16 };

static struct conf_priv *priv_of(const struct conf *conf) { return conf->priv; }

static void *pool_alloc(struct pool_chunk **chunks, size_t size)
{
	struct pool_chunk *chunk = *chunks;

	CHECK(size < SIZE_MAX / 2);
	size = (size + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > POOL_CHUNK_MIN ? size : POOL_CHUNK_MIN;
		chunk = must(calloc(1, sizeof(*chunk) + room));
		chunk->size = room;
		chunk->next = *chunks;
		*chunks = chunk;
	}
	void *ptr = chunk->bytes + chunk->used;
	chunk->used += size;
	return ptr;
}

static void pool_free(struct pool_chunk **chunks)
{
	while (*chunks) {
		struct pool_chunk *chunk = *chunks;
		*chunks = chunk->next;
		free(chunk);
	}
}

void *load_alloc(struct load *load, size_t size)
{
	return pool_alloc(&priv_of(load->conf)->chunks, size);
}

void *load_scratch(struct load *load, size_t size)
{
	return pool_alloc(&load->scratch, size);
}

void load_release(struct load *load)
{
	pool_free(&load->scratch);
}

/* With a NUL behind it, for the callers that need one. */
struct slice load_copy(struct load *load, struct slice text)
{
	char *copy = load_alloc(load, text.len + 1);

	if (text.len > 0)
		memcpy(copy, text.ptr, text.len);
	return slice_make(copy, text.len);
}

struct slice load_printf(struct load *load, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	must(len < 0 ? NULL : text);
	struct slice copy = load_copy(load, slice_make(text, (size_t)len));
	free(text);
	return copy;
}

void *load_room(struct load *load, void *items, size_t count, size_t item_size)
{
	/* Doubles when the count is a power of two; what was outgrown stays until the configuration goes. */
	if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
		return items;
	void *grown = load_alloc(load, (count ? count * 2 : 4) * item_size);
	if (count > 0)
		memcpy(grown, items, count * item_size);
	return grown;
}

void *load_unshare(struct load *load, const void *items, size_t count, size_t item_size)
{
	size_t room = 4;

	while (room < count)
		room *= 2;
	void *copy = load_alloc(load, room * item_size);
	if (count > 0)
		memcpy(copy, items, count * item_size);
	return copy;
}

struct source *load_source(struct load *load, const char *name, struct slice text)
{
	struct source *source = load_alloc(load, sizeof(*source));

	source->name = load_copy(load, slice_str(name)).ptr;
	source->text = text;
	source->order = load->source_count++;
	source->next = load->sources;
	load->sources = source;
	return source;
}

static struct conf *conf_new(void)
{
	struct conf *conf = must(calloc(1, sizeof(*conf)));

	atomic_init(&conf->refs, 1);
	conf->priv = must(calloc(1, sizeof(struct conf_priv)));
	conf->connections_max = CONF_CONNECTIONS_MAX;
	conf->handshakes_max = CONF_HANDSHAKES_MAX;
	return conf;
}

static void conf_free(struct conf *conf)
{
	struct conf_priv *priv = priv_of(conf);

	if (conf->tls_free)
		conf->tls_free(conf->tls);
	for (size_t i = 0; i < conf->tls_use_count; i++)
		if (conf->tls_uses[i]->made)
			conf->tls_use_free(conf->tls_uses[i]->made);
	for (size_t i = 0; i < priv->regex_count; i++)
		regex_free(priv->regexes[i]);
	pool_free(&priv->chunks);
	free(priv);
	free(conf);
}

struct conf *conf_ref(struct conf *conf)
{
	atomic_fetch_add_explicit(&conf->refs, 1, memory_order_relaxed);
	return conf;
}

void conf_unref(struct conf **conf)
{
	struct conf *old = *conf;

	*conf = NULL;
	if (!old)
		return;
	unsigned before = atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel);
	CHECK(before > 0);
	if (before == 1)
		conf_free(old);
}

/* What servers inherit from: the defaults of the table. */
static void http_init(struct load *load)
{
	struct conf_priv *priv = priv_of(load->conf);

	priv->http = load_alloc(load, sizeof(*priv->http));
	priv->http->fallback = load_alloc(load, sizeof(*priv->http->fallback));
	priv->http->fallback->server = priv->http;
	settings_init(&priv->http->fallback->set);
}

static void build(struct load *load, struct source *source)
{
	struct statement *top = parse_text(load, source);
	struct conf_priv *priv = priv_of(load->conf);
	struct scope scope;

	http_init(load);
	statements_check(load, top, PLACE_MAIN | PLACE_HTTP);
	scope_init(load, &scope, NULL, PLACE_MAIN | PLACE_HTTP, top);
	scope.server = priv->http;
	scope.here = priv->http->fallback;
	statements_apply(load, &scope, top->children);
	priv->http->set = priv->http->fallback->set;
	conf_verify(load);
}

static struct conf *finish(struct load *load, FILE *messages)
{
	struct conf *conf = load->conf;

	messages_print(load, messages);
	load_release(load);
	if (load->errors > 0)
		conf_unref(&conf);
	return conf;
}

struct conf *conf_load_text(const char *name, struct slice text, struct load_options options, FILE *messages)
{
	struct load load = { .conf = conf_new(), .options = options, .folder = "" };

	build(&load, load_source(&load, name, load_copy(&load, text)));
	return finish(&load, messages);
}

struct conf *conf_load_path(const char *path, struct load_options options, FILE *messages)
{
	struct load load = { .conf = conf_new(), .options = options };
	const char *slash = strrchr(path, '/');
	size_t folder_len = slash ? (size_t)(slash + 1 - path) : 0;

	load.folder = load_copy(&load, slice_make(path, folder_len)).ptr;
	struct source *source = parse_open(&load, path, NULL, (struct conf_pos){ load_copy(&load, slice_str(path)).ptr, 0, 0 });
	if (source)
		build(&load, source);
	return finish(&load, messages);
}

struct conf *conf_load_file(const char *path, FILE *messages)
{
	return conf_load_path(path, (struct load_options){ false, false }, messages);
}

/* Quick mode writes the file that the options stand for, and loads it: one path, the same errors. */
struct conf *conf_load_quick(const struct conf_quick *quick, FILE *messages)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = must(open_memstream(&text, &len));
	const char *colon = quick->volume.len ? memrchr(quick->volume.ptr, ':', quick->volume.len) : NULL;
	struct slice folder = colon ? slice_make(quick->volume.ptr, (size_t)(colon - quick->volume.ptr)) : quick->volume;
	struct slice size = colon ? slice_make(colon + 1, quick->volume.len - folder.len - 1) : SLICE("");

	if (quick->workers)
		fprintf(out, "workers %u;\n", quick->workers);
	if (quick->access_log.len) {
		fputs("access_log ", out); word_print(quick->access_log, out); fputs(";\n", out);
	}
	if (quick->metrics.len) {
		fputs("metrics ", out); word_print(quick->metrics, out); fputs(";\n", out);
	}
	if (quick->volume.len) {
		fputs("volume main { path ", out); word_print(folder, out);
		fputs("; size ", out); word_print(size, out); fputs("; }\n", out);
	}
	fputs("server {\n", out);
	if (quick->listen.len) {
		fputs("\tlisten ", out); word_print(quick->listen, out); fputs(";\n", out);
	}
	fputs("\tlocation / { proxy_pass ", out);
	bool bare = quick->origin.len > 0 && !memmem(quick->origin.ptr, quick->origin.len, "://", 3);
	struct slice origin = quick->origin;
	char *with_scheme = NULL;
	if (bare && asprintf(&with_scheme, "http://%.*s", SLICE_ARG(origin)) >= 0)
		origin = slice_str(with_scheme);
	word_print(origin, out);
	fprintf(out, ";%s }\n}\n", quick->volume.len ? " proxy_cache main;" : "");
	fclose(out);
	must(text);
	struct conf *conf = conf_load_text("command line", slice_make(text, len), (struct load_options){ false, false }, messages);
	free(with_scheme);
	free(text);
	return conf;
}
