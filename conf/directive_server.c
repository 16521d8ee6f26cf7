/* server { listen; server_name; trusted_proxy; } */
#include "internal.h"

enum { BACKLOG_MAX = 65535, LISTEN_PORT = 80, HTTPS_PORT = 443 };

static struct conf_listen *listen_find(struct conf *conf, const struct conf_addr *addr)
{
	for (size_t i = 0; i < conf->listen_count; i++)
		if (address_eq(&conf->listens[i].addr, addr))
			return &conf->listens[i];
	return NULL;
}

struct listen_options { bool is_default, tls; const struct token *backlog_token; int backlog; };

/* Puts the server on an address, which it may share with others. */
static void listen_add(struct load *load, struct conf_server *server, const struct conf_addr *addr, struct conf_pos pos,
	const struct listen_options *options)
{
	struct conf *conf = load->conf;
	struct conf_listen *listen = listen_find(conf, addr);

	if (!listen) {
		conf->listens = load_room(load, conf->listens, conf->listen_count, sizeof(*conf->listens));
		listen = &conf->listens[conf->listen_count++];
		*listen = (struct conf_listen){ .addr = *addr, .pos = pos, .tls = options->tls };
	}
	if (listen->tls != options->tls)
		load_error(load, pos, "line %u of %s listens on %.*s %s ssl: it must be the same for all servers there", listen->pos.line,
			listen->pos.file, SLICE_ARG(addr->text), listen->tls ? "with" : "without");
	else
		tls_listen(server, listen);
	if (listen->server_count > 0 && listen->servers[listen->server_count - 1] == server) {
		load_error(load, pos, "this server listens on %.*s already", SLICE_ARG(addr->text));
		return;
	}
	listen->servers = load_room(load, listen->servers, listen->server_count, sizeof(*listen->servers));
	listen->servers[listen->server_count++] = server;
	if (options->is_default && listen->fallback)
		load_error(load, pos, "%.*s has a default_server already: the one in line %u of %s", SLICE_ARG(addr->text),
			listen->fallback->pos.line, listen->fallback->pos.file);
	else if (options->is_default)
		listen->fallback = server;
	if (options->backlog && listen->backlog && options->backlog != listen->backlog)
		load_error(load, options->backlog_token->pos, "%.*s has another backlog already: %d", SLICE_ARG(addr->text), listen->backlog);
	else if (options->backlog)
		listen->backlog = options->backlog;
}

/* What nginx has on this line and we do not. */
static const struct { struct slice name; bool harmless; const char *text; } foreign_options[] = {
	{ { "reuseport", 9 }, true, "every worker has its own socket" },
	{ { "ipv6only=on", 11 }, true, "it is always so" },
	{ { "deferred", 8 }, true, "nothing needs it" },
	{ { "bind", 4 }, true, "it is always so" },
	{ { "so_keepalive=", 13 }, true, "see keepalive_timeout" },
	{ { "rcvbuf=", 7 }, true, "the system chooses" },
	{ { "sndbuf=", 7 }, true, "the system chooses" },
	{ { "fastopen=", 9 }, true, "it is off" },
	{ { "accept_filter=", 14 }, true, "nothing needs it" },
	{ { "ipv6only=off", 12 }, false, "write a second line, listen 80, for IPv4" },
	{ { "http2", 5 }, true, "HTTP/2 is on; see the directive http2" },
	{ { "quic", 4 }, false, "there is no HTTP/3: remove the line" },
	{ { "spdy", 4 }, false, "there is no SPDY: remove it" },
	{ { "proxy_protocol", 14 }, false, "there is no PROXY protocol: let the balancer send X-Forwarded-For and name it in trusted_proxy" },
	{ { "default", 7 }, false, "write default_server" },
};

static void take_option(struct load *load, const struct token *token, struct listen_options *options)
{
	const struct slice backlog = SLICE("backlog=");
	struct token value = *token;
	struct suggestion near;
	uint64_t count;

	if (slice_eq(token->text, SLICE("default_server"))) {
		options->is_default = true;
		return;
	}
	if (slice_eq(token->text, SLICE("ssl"))) {
		options->tls = true;
		return;
	}
	if (slice_starts(token->text, backlog)) {
		value.pos = token_pos_at(token, backlog.len);
		value.text = slice_make(token->text.ptr + backlog.len, token->text.len - backlog.len);
		if (load_count(load, &value, 1, BACKLOG_MAX, &count))
			options->backlog = (int)count;
		options->backlog_token = token;
		return;
	}
	for (size_t i = 0; i < COUNT_OF(foreign_options); i++) {
		struct slice name = foreign_options[i].name;
		bool open = name.ptr[name.len - 1] == '=';
		if (open ? !slice_starts(token->text, name) : !slice_eq(token->text, name))
			continue;
		if (foreign_options[i].harmless)
			load_note(load, token->pos, "'%.*s' has no effect: %s", SLICE_ARG(token->text), foreign_options[i].text);
		else
			load_error(load, token->pos, "'%.*s' cannot be had: %s", SLICE_ARG(token->text), foreign_options[i].text);
		return;
	}
	suggest_start(&near, token->text);
	suggest_offer(&near, SLICE("default_server"));
	suggest_offer(&near, backlog);
	suggest_offer(&near, SLICE("ssl"));
	load_error(load, token->pos, "'%.*s' is not default_server, ssl or backlog=N%s", SLICE_ARG(token->text), suggest_text(&near));
}

void conf_listen(struct load *load, struct scope *scope, const struct statement *st)
{
	struct listen_options options = { .is_default = false };
	struct endpoint endpoint;
	struct conf_addr *addrs;
	size_t count;

	for (size_t i = 1; i < st->arg_count; i++)
		take_option(load, &st->args[i], &options);
	if (!endpoint_parse(load, st->args[0].pos, st->args[0].text, LISTEN_PORT, true, &endpoint)
			|| !endpoint_resolve(load, st->args[0].pos, &endpoint, &addrs, &count))
		return;
	for (size_t i = 0; i < count; i++)
		listen_add(load, scope->server, &addrs[i], st->args[0].pos, &options);
}

/* A server without `listen`: port 80, as in nginx. */
static void listen_default(struct load *load, struct conf_server *server)
{
	const struct endpoint endpoint = { .host = SLICE("*"), .port = LISTEN_PORT };
	const struct listen_options options = { .is_default = false };
	struct conf_addr *addrs;
	size_t count;

	if (endpoint_resolve(load, server->pos, &endpoint, &addrs, &count))
		listen_add(load, server, &addrs[0], server->pos, &options);
}

static void name_add(struct load *load, struct conf_server *server, struct conf_pos pos, int kind, struct slice text, void *regex)
{
	struct conf_name name = { .text = text, .regex = regex, .pos = pos };

	name.kind = kind;
	server->names = load_room(load, server->names, server->name_count, sizeof(*server->names));
	server->names[server->name_count++] = name;
}

static struct slice lower_copy(struct load *load, struct slice text)
{
	struct slice copy = load_copy(load, text);
	char *bytes = (char *)(uintptr_t)copy.ptr;

	for (size_t i = 0; i < copy.len; i++)
		if (bytes[i] >= 'A' && bytes[i] <= 'Z')
			bytes[i] = (char)(bytes[i] + 32);
	return copy;
}

/* A host without port or scheme; stars are looked at by the caller. */
static bool is_name(struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		bool good = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c && strchr("._-[]:*", c));
		if (!good || (c == '.' && i > 0 && text.ptr[i - 1] == '.'))
			return false;
	}
	/* Only an IPv6 address in brackets has colons. */
	return text.len <= 253 && (text.len == 0 || text.ptr[0] == '[' || !memchr(text.ptr, ':', text.len));
}

static void take_name(struct load *load, struct conf_server *server, const struct token *token)
{
	struct slice name = lower_copy(load, token->text);
	const char *star = name.len ? memchr(name.ptr, '*', name.len) : NULL;

	if (token->text.len > 0 && token->text.ptr[0] == '~') {
		/* Hosts are in lower case by then; the pattern may be in any. */
		struct slice pattern = slice_make(token->text.ptr + 1, token->text.len - 1);
		void *regex = regex_compile(load, token_pos_at(token, 1), pattern, true);
		if (regex)
			name_add(load, server, token->pos, CONF_NAME_regex, pattern, regex);
		return;
	}
	if (name.len > 1 && name.ptr[name.len - 1] == '.')
		name.len--;                      /* example.com. is example.com */
	bool head = name.len > 2 && slice_starts(name, SLICE("*."));
	bool tail = name.len > 2 && slice_eq(slice_make(name.ptr + name.len - 2, 2), SLICE(".*"));
	bool whole = name.len > 1 && name.ptr[0] == '.';
	struct slice bare = head ? slice_make(name.ptr + 1, name.len - 1) : tail ? slice_make(name.ptr, name.len - 1) : name;
	if (!is_name(name) || (star && (!(head || tail) || memchr(bare.ptr, '*', bare.len)))) {
		load_error(load, token->pos, "'%.*s' is not a server's name: example.com, *.example.com, example.*, ~regex or _, without scheme and port",
			SLICE_ARG(token->text));
		return;
	}
	if (head) {
		name_add(load, server, token->pos, CONF_NAME_suffix, bare, NULL);
	} else if (tail) {
		name_add(load, server, token->pos, CONF_NAME_prefix, bare, NULL);
	} else if (whole) {
		name_add(load, server, token->pos, CONF_NAME_exact, slice_make(name.ptr + 1, name.len - 1), NULL);
		name_add(load, server, token->pos, CONF_NAME_suffix, name, NULL);
	} else {
		name_add(load, server, token->pos, CONF_NAME_exact, name, NULL);
	}
	if (server->first_name.len == 0)
		server->first_name = whole ? slice_make(name.ptr + 1, name.len - 1) : name;
}

void conf_server_name(struct load *load, struct scope *scope, const struct statement *st)
{
	for (size_t i = 0; i < st->arg_count; i++)
		take_name(load, scope->server, &st->args[i]);
}

void conf_trusted_proxy(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_server *server = scope->server;
	const struct conf_server *http = ((struct conf_priv *)load->conf->priv)->http;
	struct conf_network network;

	/* The list of the level above is shared until something is added to it. */
	if (server != http && server->trusted == http->trusted)
		server->trusted = load_unshare(load, server->trusted, server->trusted_count, sizeof(*server->trusted));
	for (size_t i = 0; i < st->arg_count; i++) {
		const struct token *token = &st->args[i];
		if (!network_parse(token->text, &network)) {
			load_error(load, token->pos, "'%.*s' is not a network: 10.0.0.0/8, 192.168.1.7, fd00::/8 or unix:", SLICE_ARG(token->text));
			continue;
		}
		server->trusted = load_room(load, server->trusted, server->trusted_count, sizeof(*server->trusted));
		server->trusted[server->trusted_count++] = network;
	}
}

static void server_finish(struct load *load, const struct statement *st, struct conf_server *server, unsigned errors)
{
	struct conf *conf = load->conf;
	bool listens = false;

	server->set = server->fallback->set;
	server->index = (unsigned)conf->server_count;
	for (const struct statement *child = st->children; child; child = child->next)
		listens = listens || slice_eq(child->name.text, SLICE("listen"));
	if (!listens)
		listen_default(load, server);
	tls_finish(load, st, server);
	if (server->location_count == 0 && !server->fallback->return_code && !st->doubtful && errors == load->errors)
		load_error(load, st->name.pos, "this server answers nothing: write location / { proxy_pass http://127.0.0.1:3000; }");
	conf->servers = load_room(load, conf->servers, conf->server_count, sizeof(*conf->servers));
	conf->servers[conf->server_count++] = server;
}

void conf_server(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_server *server;
	struct scope inner;
	unsigned errors = load->errors;

	if (scope->place == PLACE_UPSTREAM) {
		upstream_server(load, scope, st);
		return;
	}
	server = load_alloc(load, sizeof(*server));
	server->pos = st->name.pos;
	server->trusted = scope->server->trusted;
	server->trusted_count = scope->server->trusted_count;
	server->tls = scope->server->tls;
	server->https_port = HTTPS_PORT;
	server->fallback = load_alloc(load, sizeof(*server->fallback));
	server->fallback->server = server;
	server->fallback->pos = st->name.pos;
	server->locations = load_alloc(load, (locations_count(st->children) + 1) * sizeof(*server->locations));
	location_inherit(server->fallback, scope->here);
	scope_init(load, &inner, scope, PLACE_SERVER, st);
	inner.server = server;
	inner.here = server->fallback;
	statements_apply(load, &inner, st->children);
	if (server->first_name.len == 0)
		server->first_name = SLICE("_");
	server->fallback->route = server->first_name;
	server_finish(load, st, server, errors);
}
