/* What a location asks of its origin: proxy_pass, the fields it is sent, the cache between. */
#include "internal.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

/* Cuts the URL behind its scheme into the address and the path; path.ptr == NULL when there is none. */
static void split_url(struct slice rest, struct slice *ret_address, struct slice *ret_path)
{
	size_t end = 0;

	*ret_path = (struct slice){ NULL, 0 };
	if (slice_starts(rest, SLICE("unix:"))) {
		/* unix:/path:/uri, as in nginx */
		const char *colon = memchr(rest.ptr + 5, ':', rest.len - 5);
		end = colon ? (size_t)(colon - rest.ptr) : rest.len;
		*ret_address = slice_make(rest.ptr, end);
		if (colon)
			*ret_path = slice_make(colon + 1, rest.len - end - 1);
		return;
	}
	while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?' && rest.ptr[end] != '#')
		end++;
	*ret_address = slice_make(rest.ptr, end);
	if (end < rest.len)
		*ret_path = slice_make(rest.ptr + end, rest.len - end);
}

static bool check_path(struct load *load, struct conf_pos pos, const struct conf_location *location, struct slice path)
{
	bool good = path.len > 0 && path.ptr[0] == '/';

	for (size_t i = 0; i < path.len; i++)
		good = good && path.ptr[i] > ' ' && path.ptr[i] < 0x7f && path.ptr[i] != '?' && path.ptr[i] != '#';
	if (!good)
		load_error(load, pos, "'%.*s' cannot replace the location's prefix: a path, without query", SLICE_ARG(path));
	else if (location->match == CONF_MATCH_regex || location->match == CONF_MATCH_regex_nocase)
		load_error(load, pos, "the path '%.*s' would replace the location's prefix, and a regular expression has none: remove it", SLICE_ARG(path));
	else
		return true;
	return false;
}

/* In nginx such a server is asked at port 80, over TLS. */
static void check_ports(struct load *load, struct conf_pos pos, const struct conf_upstream *upstream)
{
	for (size_t i = 0; i < upstream->origin_count; i++) {
		const struct conf_origin *origin = &upstream->origins[i];
		if (!origin->has_port)
			load_error(load, pos, "server '%.*s' of this upstream (line %u of %s) has no port: write %.*s:%d there", SLICE_ARG(origin->host),
				origin->pos.line, origin->pos.file, SLICE_ARG(origin->host), HTTPS_PORT);
	}
}

static void use_upstream(struct load *load, struct conf_location *here, struct conf_pos pos, struct slice address)
{
	struct endpoint endpoint;
	const char *colon = memchr(address.len ? address.ptr : "", ':', address.len);
	struct slice host = colon ? slice_make(address.ptr, (size_t)(colon - address.ptr)) : address;
	struct conf_upstream *named = upstream_find(load, host);

	if (named && colon && !slice_starts(address, SLICE("unix:"))) {
		load_error(load, pos, "the ports of upstream '%.*s' stand in its server lines: write %s://%.*s", SLICE_ARG(host),
			here->origin_https ? "https" : "http", SLICE_ARG(host));
		return;
	}
	here->proxy_host = address;
	here->upstream = named;
	if (named && here->origin_https)
		check_ports(load, pos, named);
	if (named || !endpoint_parse(load, pos, address, here->origin_https ? HTTPS_PORT : HTTP_PORT, false, &endpoint))
		return;
	if (endpoint.is_unix)
		here->proxy_host = SLICE("localhost");
	here->upstream = upstream_implicit(load, pos, &endpoint);
}

void conf_proxy_pass(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct token *url = &st->args[0];
	bool https = url->text.len >= 8 && strncasecmp(url->text.ptr, "https://", 8) == 0;
	const size_t scheme = https ? 8 : 7;
	struct slice rest, address, path;

	scope->here->origin_https = https;
	if (!https && (url->text.len < scheme || strncasecmp(url->text.ptr, "http://", scheme) != 0)) {
		load_error(load, url->pos, "'%.*s' has no scheme: write http://%.*s", SLICE_ARG(url->text), SLICE_ARG(url->text));
		return;
	}
	const char *dollar = memchr(url->text.ptr, '$', url->text.len);
	if (dollar) {
		load_error(load, token_pos_at(url, (size_t)(dollar - url->text.ptr)), "proxy_pass takes no variables: write a location or a server for each origin");
		return;
	}
	rest = slice_make(url->text.ptr + scheme, url->text.len - scheme);
	split_url(rest, &address, &path);
	if (path.ptr && !check_path(load, token_pos_at(url, (size_t)(path.ptr - url->text.ptr)), scope->here, path))
		return;
	scope->here->proxy_path = path;
	use_upstream(load, scope->here, token_pos_at(url, scheme), address);
}

void conf_proxy_set_header(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_location *here = scope->here, *around = here->outer;
	struct field_list list = { &here->set_headers, &here->set_header_count }, outer = { NULL, NULL };
	struct conf_header header;
	struct slice name = st->args[0].text;

	/* Every tutorial has these: proxyd keeps connections and passes upgrades on without being told. */
	if (slice_eq_nocase(name, SLICE("upgrade")) || slice_eq_nocase(name, SLICE("connection"))) {
		load_note(load, st->args[0].pos, "'%.*s' has no effect here: connections and upgrades are managed by proxyd", SLICE_ARG(name));
		return;
	}
	if (!field_parse(load, &st->args[0], &st->args[1], &header))
		return;
	if (field_is_own(name)) {
		load_error(load, st->args[0].pos, "'%.*s' is written by proxyd itself", SLICE_ARG(name));
		return;
	}
	if (around)
		outer = (struct field_list){ &around->set_headers, &around->set_header_count };
	field_add(load, st->args[0].pos, &list, around ? &outer : NULL, &header, true);
}

void conf_proxy_http_version(struct load *load, struct scope *scope, const struct statement *st)
{
	struct slice version = st->args[0].text;

	if (slice_eq(version, SLICE("1.0")))
		scope->here->origin_http_1_0 = true;
	else if (slice_eq(version, SLICE("1.1")))
		scope->here->origin_http_1_0 = false;
	else
		load_error(load, st->args[0].pos, "'%.*s' is not spoken to origins: 1.1 or 1.0", SLICE_ARG(version));
}

static struct conf_owner *owner_new(struct load *load, const struct scope *scope, const struct token *token)
{
	struct conf *conf = load->conf;
	struct conf_owner *owner;
	struct token size;
	uint64_t quota = 0;

	if (!parameter_take(token, SLICE("quota"), &size)) {
		load_error(load, token->pos, "'%.*s' is not understood: write quota=10g", SLICE_ARG(token->text));
		return NULL;
	}
	if (!load_size(load, &size, "1m", "1000t", &quota))
		return NULL;
	owner = load_alloc(load, sizeof(*owner));
	*owner = (struct conf_owner){ .volume = scope->here->volume, .level = scope->here, .quota = quota, .pos = token->pos };
	conf->owners = load_room(load, conf->owners, conf->owner_count, sizeof(*conf->owners));
	conf->owners[conf->owner_count++] = owner;
	return owner;
}

void conf_proxy_cache(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf *conf = load->conf;
	struct conf_location *here = scope->here;
	const struct token *name = &st->args[0];
	struct suggestion near;

	if (slice_eq(name->text, SLICE("off"))) {
		here->volume = NULL;
		here->owner = NULL;
		if (st->arg_count > 1)
			load_error(load, st->args[1].pos, "off has no quota");
		here->cache_off = true;
		here->cache_named = false;
		return;
	}
	suggest_start(&near, name->text);
	here->owner = NULL;
	for (size_t i = 0; i < conf->volume_count; i++) {
		if (slice_eq(conf->volumes[i]->name, name->text)) {
			here->volume = conf->volumes[i];
			here->cache_off = false;
			here->cache_named = true;
			if (st->arg_count > 1)
				here->owner = owner_new(load, scope, &st->args[1]);
			return;
		}
		suggest_offer(&near, conf->volumes[i]->name);
	}
	load->doubtful = true;
	load_error(load, name->pos, "there is no volume '%.*s'%s%s", SLICE_ARG(name->text), suggest_text(&near),
		conf->volume_count ? "" : ": write volume NAME { path FOLDER; size SIZE; }");
}

void conf_proxy_buffering(struct load *load, struct scope *scope, const struct statement *st)
{
	struct slice value = st->args[0].text;

	(void)scope;
	if (slice_eq(value, SLICE("on")))
		load_note(load, st->name.pos, "proxy_buffering on has no effect: answers are always streamed; see stream_buffer");
	else if (!slice_eq(value, SLICE("off")))
		load_error(load, st->args[0].pos, "'%.*s' is not on or off", SLICE_ARG(value));
}

void conf_proxy_redirect(struct load *load, struct scope *scope, const struct statement *st)
{
	(void)scope;
	if (st->arg_count != 1 || !slice_eq(st->args[0].text, SLICE("off")))
		if (st->arg_count != 1 || !slice_eq(st->args[0].text, SLICE("default")))
			load_error(load, st->args[0].pos, "Location passes unchanged: write off, or let the origin send the right one (it gets Host unchanged)");
}
