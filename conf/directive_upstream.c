/* upstream NAME { server ADDRESS ...; keepalive N; }, and the upstreams that a proxy_pass makes for itself. */
#include <arpa/inet.h>

#include "internal.h"

enum { WEIGHT_MAX = 1000, FAILS_MAX = 1000, KEEPALIVE_MAX = 100000, ORIGIN_PORT = 80, UPSTREAM_NAME_MAX = 253 };

struct upstream_link { struct upstream_link *next; struct conf_upstream *upstream; };

/* Names are hosts: case does not count. */
static size_t bucket_of(struct slice name)
{
	uint32_t hash = 2166136261u;             /* FNV-1a */

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ ((unsigned char)name.ptr[i] | 0x20)) * 16777619u;
	return hash % CONF_UPSTREAM_BUCKETS;
}

struct conf_upstream *upstream_find(const struct load *load, struct slice name)
{
	for (const struct upstream_link *link = load->upstreams[bucket_of(name)]; link; link = link->next)
		if (slice_eq_nocase(link->upstream->name, name))
			return link->upstream;
	return NULL;
}

static struct conf_upstream *upstream_new(struct load *load, struct slice name, struct conf_pos pos, size_t origins_max)
{
	struct conf *conf = load->conf;
	struct conf_upstream *upstream = load_alloc(load, sizeof(*upstream));

	*upstream = (struct conf_upstream){ .name = name, .keepalive = CONF_KEEPALIVE, .index = (unsigned)conf->upstream_count, .pos = pos };
	upstream->origins = load_alloc(load, (origins_max + 1) * sizeof(*upstream->origins));
	conf->upstreams = load_room(load, conf->upstreams, conf->upstream_count, sizeof(*conf->upstreams));
	conf->upstreams[conf->upstream_count++] = upstream;
	struct upstream_link *link = load_scratch(load, sizeof(*link)), **bucket = &load->upstreams[bucket_of(name)];
	*link = (struct upstream_link){ *bucket, upstream };
	*bucket = link;
	return upstream;
}

static bool is_address(struct slice host)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char address[16];

	if (host.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(host));
	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* An address within a named group is of the group, as in nginx; a name stands for itself, whatever the group is called. */
static struct slice tls_name_of(const struct conf_upstream *upstream, const struct endpoint *endpoint)
{
	if (!upstream_is_implicit(upstream))
		return endpoint->is_unix || is_address(endpoint->host) ? upstream->name : endpoint->host;
	return endpoint->is_unix ? SLICE("localhost") : endpoint->host;
}

static struct conf_origin *origin_new(struct conf_upstream *upstream, const struct endpoint *endpoint, struct conf_pos pos)
{
	struct conf_origin *origin = &upstream->origins[upstream->origin_count];

	*origin = (struct conf_origin){ .host = endpoint->host, .port = endpoint->port, .weight = 1, .max_fails = 1,
		.fail_timeout_us = 10 * 1000000, .index = (unsigned)upstream->origin_count, .pos = pos };
	origin->has_port = endpoint->has_port || endpoint->is_unix;
	origin->tls_name = tls_name_of(upstream, endpoint);
	upstream->origin_count++;
	return origin;
}

struct conf_upstream *upstream_implicit(struct load *load, struct conf_pos pos, const struct endpoint *endpoint)
{
	bool v6 = memchr(endpoint->host.ptr, ':', endpoint->host.len) != NULL;
	struct slice name = endpoint->is_unix ? endpoint->host
		: load_printf(load, "%s%.*s%s:%u", v6 ? "[" : "", SLICE_ARG(endpoint->host), v6 ? "]" : "", endpoint->port);
	struct conf_upstream *upstream = upstream_find(load, name);

	if (upstream)
		return upstream;
	upstream = upstream_new(load, name, pos, 1);
	struct conf_origin *origin = origin_new(upstream, endpoint, pos);
	endpoint_resolve(load, pos, endpoint, &origin->addrs, &origin->addr_count);
	return upstream;
}

bool parameter_take(const struct token *token, struct slice name, struct token *ret_value)
{
	if (!slice_starts(token->text, name) || token->text.len == name.len || token->text.ptr[name.len] != '=')
		return false;
	*ret_value = *token;
	ret_value->pos = token_pos_at(token, name.len + 1);
	ret_value->text = slice_make(token->text.ptr + name.len + 1, token->text.len - name.len - 1);
	return true;
}

static const struct { struct slice name; const char *instead; } foreign_parameters[] = {
	{ { "max_conns", 9 }, "connections to an origin are not counted: remove it" },
	{ { "slow_start", 10 }, "a server that is back gets its full share at once: remove it" },
	{ { "resolve", 7 }, "names are resolved when the configuration is loaded: reload when they change" },
	{ { "service", 7 }, "names are resolved when the configuration is loaded: write the port" },
	{ { "route", 5 }, "servers take turns by weight: remove it" },
	{ { "drain", 5 }, "write down" },
};

static void report_parameter(struct load *load, const struct token *token)
{
	static const struct slice known[] = { { "weight=", 7 }, { "max_fails=", 10 }, { "fail_timeout=", 13 }, { "backup", 6 }, { "down", 4 } };
	struct suggestion near;
	const char *equals = memchr(token->text.len ? token->text.ptr : "", '=', token->text.len);
	struct slice name = equals ? slice_make(token->text.ptr, (size_t)(equals - token->text.ptr) + 1) : token->text;

	for (size_t i = 0; i < COUNT_OF(foreign_parameters); i++)
		if (slice_eq(foreign_parameters[i].name, slice_make(name.ptr, name.len - (equals != NULL)))) {
			load_error(load, token->pos, "there is no '%s' here: %s", foreign_parameters[i].name.ptr, foreign_parameters[i].instead);
			return;
		}
	suggest_start(&near, name);
	for (size_t i = 0; i < COUNT_OF(known); i++)
		suggest_offer(&near, known[i]);
	load_error(load, token->pos, "'%.*s' is not weight=N, max_fails=N, fail_timeout=TIME, backup or down%s", SLICE_ARG(token->text), suggest_text(&near));
}

static void take_parameter(struct load *load, struct conf_origin *origin, const struct token *token)
{
	struct token value;
	uint64_t count;

	if (parameter_take(token, SLICE("weight"), &value)) {
		if (load_count(load, &value, 1, WEIGHT_MAX, &count))
			origin->weight = (unsigned)count;
	} else if (parameter_take(token, SLICE("max_fails"), &value)) {
		if (load_count(load, &value, 0, FAILS_MAX, &count))
			origin->max_fails = (unsigned)count;
	} else if (parameter_take(token, SLICE("fail_timeout"), &value)) {
		load_time(load, &value, "100ms", "1d", &origin->fail_timeout_us);
	} else if (slice_eq(token->text, SLICE("backup"))) {
		origin->backup = true;
	} else if (slice_eq(token->text, SLICE("down"))) {
		origin->down = true;
	} else {
		report_parameter(load, token);
	}
}

void upstream_server(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct token *address = &st->args[0];
	struct endpoint endpoint;

	if (slice_starts(address->text, SLICE("http://")) || slice_starts(address->text, SLICE("https://"))) {
		load_error(load, address->pos, "write the address without http://: the scheme stands in proxy_pass");
		return;
	}
	if (!endpoint_parse(load, address->pos, address->text, ORIGIN_PORT, false, &endpoint))
		return;
	struct conf_origin *origin = origin_new(scope->upstream, &endpoint, address->pos);
	for (size_t i = 1; i < st->arg_count; i++)
		take_parameter(load, origin, &st->args[i]);
	endpoint_resolve(load, address->pos, &endpoint, &origin->addrs, &origin->addr_count);
}

void conf_keepalive(struct load *load, struct scope *scope, const struct statement *st)
{
	uint64_t count;

	if (load_count(load, &st->args[0], 0, KEEPALIVE_MAX, &count))
		scope->upstream->keepalive = (size_t)count;
}

void conf_upstream(struct load *load, struct scope *scope, const struct statement *st)
{
	struct slice name = st->args[0].text;
	const struct conf_upstream *other = upstream_find(load, name);
	size_t servers = 0, usable = 0;
	unsigned errors = load->errors;
	struct scope inner;

	if (!name_is_plain(name, UPSTREAM_NAME_MAX))
		load_error(load, st->args[0].pos, "'%.*s' is not an upstream's name: A-Z a-z 0-9 . _ -", SLICE_ARG(name));
	if (other)
		load_error(load, st->args[0].pos, "there is an upstream '%.*s' in line %u of %s already", SLICE_ARG(name), other->pos.line, other->pos.file);
	for (const struct statement *child = st->children; child; child = child->next)
		servers += child->row && child->row->take == conf_server;
	scope_init(load, &inner, scope, PLACE_UPSTREAM, st);
	inner.upstream = upstream_new(load, name, st->args[0].pos, servers);
	statements_apply(load, &inner, st->children);
	for (size_t i = 0; i < inner.upstream->origin_count; i++)
		usable += !inner.upstream->origins[i].down;
	if (st->doubtful || errors != load->errors)
		return;
	if (servers == 0)
		load_error(load, st->args[0].pos, "upstream '%.*s' has no server: write server 127.0.0.1:3000;", SLICE_ARG(name));
	else if (usable == 0)
		load_error(load, st->args[0].pos, "all servers of upstream '%.*s' are down", SLICE_ARG(name));
}
