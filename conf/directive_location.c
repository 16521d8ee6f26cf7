/* location, and what may stand in it that is no SETTING and not about the origin: return, add_header, login_cookie. */
#include "internal.h"

void location_inherit(struct conf_location *location, struct conf_location *outer)
{
	location->set = outer->set;
	location->volume = outer->volume;
	location->owner = outer->owner;
	location->cache_off = outer->cache_off;
	location->cache_named = outer->cache_named;
	location->origin_http_1_0 = outer->origin_http_1_0;
	location->origin_tls = outer->origin_tls;
	location->set_headers = outer->set_headers;
	location->set_header_count = outer->set_header_count;
	location->add_headers = outer->add_headers;
	location->add_header_count = outer->add_header_count;
	location->login_cookies = outer->login_cookies;
	location->login_cookie_count = outer->login_cookie_count;
	location->purge_token = outer->purge_token;
	location->purge_allow = outer->purge_allow;
	location->purge_allow_count = outer->purge_allow_count;
	location->key = outer->key;
	location->targeted = outer->targeted;
	location->hsts = outer->hsts;
	location->gzip_types = outer->gzip_types;
	location->brotli_types = outer->brotli_types;
	location->zstd_types = outer->zstd_types;
	location->outer = outer;
}

size_t locations_count(const struct statement *children)
{
	size_t count = 0;

	for (const struct statement *st = children; st; st = st->next)
		if (st->row && st->row->take == conf_location)
			count += 1 + locations_count(st->children);
	return count;
}

static const struct { struct slice sign; enum conf_match match; } signs[] = {   /* ~* before ~ */
	{ { "=", 1 }, CONF_MATCH_exact }, { { "~*", 2 }, CONF_MATCH_regex_nocase }, { { "~", 1 }, CONF_MATCH_regex }, { { "^~", 2 }, CONF_MATCH_prefix_final },
};

static bool is_regex(enum conf_match match) { return match == CONF_MATCH_regex || match == CONF_MATCH_regex_nocase; }

/* "= /x" and "=/x" are the same, as in nginx. False after reporting. */
static bool take_pattern(struct load *load, const struct statement *st, struct conf_location *location, struct token *ret_pattern)
{
	struct token pattern = st->args[st->arg_count - 1];

	location->match = CONF_MATCH_prefix;
	for (size_t i = 0; i < COUNT_OF(signs); i++) {
		struct slice sign = signs[i].sign;
		if (st->arg_count == 2 ? !slice_eq(st->args[0].text, sign) : !slice_starts(pattern.text, sign))
			continue;
		location->match = signs[i].match;
		if (st->arg_count == 1) {
			pattern.pos = token_pos_at(&pattern, sign.len);
			pattern.text = slice_make(pattern.text.ptr + sign.len, pattern.text.len - sign.len);
		}
		break;
	}
	if (st->arg_count == 2 && location->match == CONF_MATCH_prefix) {
		load_error(load, st->args[0].pos, "'%.*s' is not =, ~, ~* or ^~", SLICE_ARG(st->args[0].text));
		return false;
	}
	if (pattern.text.len > 0 && pattern.text.ptr[0] == '@') {
		load_error(load, pattern.pos, "a named location is never reached: there is no try_files and no error_page");
		return false;
	}
	if (!is_regex(location->match) && (pattern.text.len == 0 || pattern.text.ptr[0] != '/')) {
		load_error(load, pattern.pos, "'%.*s' matches no path: it must begin with '/'", SLICE_ARG(pattern.text));
		return false;
	}
	if (pattern.text.len == 0) {
		load_error(load, pattern.pos, "a regular expression is missing");
		return false;
	}
	*ret_pattern = pattern;
	return true;
}

/* Two plain prefixes are the same whether ^~ or not: one of them would never be asked. */
static bool same_place(const struct conf_location *a, const struct conf_location *b)
{
	enum conf_match left = a->match == CONF_MATCH_prefix_final ? CONF_MATCH_prefix : a->match;
	enum conf_match right = b->match == CONF_MATCH_prefix_final ? CONF_MATCH_prefix : b->match;

	return a->outer == b->outer && left == right && slice_eq(a->pattern, b->pattern);
}

static void check_place(struct load *load, const struct scope *scope, const struct conf_location *location, const struct token *pattern)
{
	const struct conf_location *outer = scope->place == PLACE_LOCATION ? scope->here : NULL;

	for (size_t i = 0; i < scope->server->location_count; i++) {
		const struct conf_location *other = &scope->server->locations[i];
		if (other == location || !same_place(other, location))
			continue;
		load_error(load, pattern->pos, "there is a location '%.*s' in line %u of %s already", SLICE_ARG(pattern->text), other->pos.line, other->pos.file);
		break;
	}
	if (!outer)
		return;
	if (outer->match == CONF_MATCH_exact)
		load_error(load, pattern->pos, "nothing can be within 'location = %.*s'", SLICE_ARG(outer->pattern));
	else if (!is_regex(location->match) && !is_regex(outer->match) && !slice_starts(pattern->text, outer->pattern))
		load_error(load, pattern->pos, "'%.*s' is outside of the location '%.*s' around it", SLICE_ARG(pattern->text), SLICE_ARG(outer->pattern));
}

static struct slice route_text(struct load *load, const struct conf_server *server, const struct conf_location *location)
{
	const char *sign = "";
	struct slice name = server->first_name.len ? server->first_name : SLICE("_");

	for (size_t i = 0; i < COUNT_OF(signs); i++)
		if (signs[i].match == location->match)
			sign = signs[i].sign.ptr;
	return load_printf(load, "%.*s %s%s%.*s", SLICE_ARG(name), sign, sign[0] ? " " : "", SLICE_ARG(location->pattern));
}

static bool has_statement(const struct scope *scope, const char *name)
{
	return scope->seen[directive_find(slice_str(name)) - directive_rows] != NULL;
}

void conf_location(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_server *server = scope->server;
	struct conf_location *location = &server->locations[server->location_count++];
	struct token pattern;
	struct scope inner;

	location->server = server;
	location->pos = st->name.pos;
	location_inherit(location, scope->here);
	if (scope->place == PLACE_LOCATION)
		scope->here->has_inner = true;
	bool good = take_pattern(load, st, location, &pattern);
	if (good) {
		location->pattern = pattern.text;
		location->route = route_text(load, server, location);
		check_place(load, scope, location, &pattern);
		if (is_regex(location->match))
			location->regex = regex_compile(load, pattern.pos, pattern.text, location->match == CONF_MATCH_regex_nocase);
	}
	scope_init(load, &inner, scope, PLACE_LOCATION, st);
	inner.here = location;
	statements_apply(load, &inner, st->children);
	key_finish(load, location);
	origin_tls_finish(load, location);
	bool passes = has_statement(&inner, "proxy_pass"), returns = has_statement(&inner, "return");
	if (passes && returns)
		load_error(load, st->name.pos, "this location has both proxy_pass and return, which always comes first: remove one");
	if (!passes && !returns && !st->doubtful)
		load_error(load, st->name.pos, "this location answers nothing: write proxy_pass http://127.0.0.1:3000; or return 404;");
}

static bool is_redirect(unsigned code)
{
	return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

void conf_return(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct token *first = &st->args[0];
	bool url = slice_starts(first->text, SLICE("http://")) || slice_starts(first->text, SLICE("https://")) || slice_starts(first->text, SLICE("$scheme"));
	uint64_t code = 302;

	if (!(url && st->arg_count == 1)) {
		if (!conf_parse_count(first->text, &code) || code < 200 || code > 599) {
			load_error(load, first->pos, "'%.*s' is not a status: 200 to 599", SLICE_ARG(first->text));
			return;
		}
		if (code == 444) {
			load_error(load, first->pos, "there is no 444: every request is answered; write 403 or 404");
			return;
		}
	}
	const struct token *text = url && st->arg_count == 1 ? first : st->arg_count == 2 ? &st->args[1] : NULL;
	if (is_redirect((unsigned)code) && (!text || text->text.len == 0)) {
		load_error(load, first->pos, "a redirect needs a URL: return %u https://$host$request_uri;", (unsigned)code);
		return;
	}
	if (is_redirect((unsigned)code) && text_has_control(text->text)) {
		load_error(load, text->pos, "a URL has no line ends and control characters");
		return;
	}
	if (!text || template_compile(load, text, &scope->here->return_text))
		scope->here->return_code = (unsigned)code;
}

bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool field_parse(struct load *load, const struct token *name, const struct token *value, struct conf_header *ret)
{
	for (size_t i = 0; i < name->text.len; i++)
		if (!is_token_char(name->text.ptr[i])) {
			load_error(load, token_pos_at(name, i), "'%.*s' is not a field's name", SLICE_ARG(name->text));
			return false;
		}
	if (name->text.len == 0) {
		load_error(load, name->pos, "a field has no name");
		return false;
	}
	if (text_has_control(value->text)) {
		load_error(load, value->pos, "a field's value has no line ends and control characters");
		return false;
	}
	ret->name = name->text;
	return template_compile(load, value, &ret->value);
}

static bool has_pointer(const struct conf_header *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (headers[i].name.ptr == name)
			return true;
	return false;
}

void field_add(struct load *load, struct conf_pos pos, struct field_list *list, const struct field_list *outer, const struct conf_header *header, bool once)
{
	struct conf_header *kept = load_alloc(load, (*list->count + 1) * sizeof(*kept));
	size_t count = 0;

	if (*list->count >= CONF_HEADERS_MAX) {
		load_error(load, pos, "more than %d fields at one place", CONF_HEADERS_MAX);
		return;
	}
	for (size_t i = 0; i < *list->count; i++) {
		const struct conf_header *old = &(*list->items)[i];
		bool inherited = outer && has_pointer(*outer->items, *outer->count, old->name.ptr);
		bool replaced = slice_eq_nocase(old->name, header->name) && (inherited || once);
		if (replaced && !inherited)
			load_error(load, pos, "'%.*s' is set twice at this place", SLICE_ARG(header->name));
		if (!replaced)
			kept[count++] = *old;
	}
	kept[count++] = *header;
	*list->items = kept;
	*list->count = count;
}

/* Fields that frame a message or belong to one connection: proxyd writes them itself. */
bool field_is_own(struct slice name)
{
	static const struct slice own[] = {
		{ "content-length", 14 }, { "transfer-encoding", 17 }, { "trailer", 7 }, { "te", 2 }, { "keep-alive", 10 }, { "connection", 10 },
		{ "proxy-connection", 16 }, { "upgrade", 7 }, { "date", 4 },
	};

	for (size_t i = 0; i < COUNT_OF(own); i++)
		if (slice_eq_nocase(own[i], name))
			return true;
	return false;
}

void conf_add_header(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_location *here = scope->here, *around = here->outer;
	struct field_list list = { &here->add_headers, &here->add_header_count }, outer = { NULL, NULL };
	struct conf_header header;

	if (st->arg_count == 3 && !slice_eq(st->args[2].text, SLICE("always")))
		load_error(load, st->args[2].pos, "'%.*s' is not always", SLICE_ARG(st->args[2].text));
	if (!field_parse(load, &st->args[0], &st->args[1], &header))
		return;
	if (field_is_own(header.name)) {
		load_error(load, st->args[0].pos, "'%.*s' is written by proxyd itself", SLICE_ARG(header.name));
		return;
	}
	if (around)
		outer = (struct field_list){ &around->add_headers, &around->add_header_count };
	field_add(load, st->args[0].pos, &list, around ? &outer : NULL, &header, false);
}

void conf_login_cookie(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_location *here = scope->here;

	if (here->outer && here->login_cookies == here->outer->login_cookies)
		here->login_cookies = load_unshare(load, here->login_cookies, here->login_cookie_count, sizeof(*here->login_cookies));
	for (size_t i = 0; i < st->arg_count; i++) {
		const struct token *token = &st->args[i];
		bool good = token->text.len > 0, known = false;
		for (size_t c = 0; c < token->text.len; c++)
			good = good && is_token_char(token->text.ptr[c]);
		for (size_t c = 0; c < here->login_cookie_count; c++)
			known = known || slice_eq(here->login_cookies[c], token->text);
		if (!good)
			load_error(load, token->pos, "'%.*s' is not a cookie's name", SLICE_ARG(token->text));
		else if (here->login_cookie_count >= CONF_COOKIES_MAX)
			load_error(load, token->pos, "more than %d login cookies at one place", CONF_COOKIES_MAX);
		if (!good || known || here->login_cookie_count >= CONF_COOKIES_MAX)
			continue;
		here->login_cookies = load_room(load, here->login_cookies, here->login_cookie_count, sizeof(*here->login_cookies));
		here->login_cookies[here->login_cookie_count++] = token->text;
	}
}

void conf_purge_token(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct token *token = &st->args[0];
	bool good = token->text.len >= PURGE_TOKEN_MIN && token->text.len <= PURGE_TOKEN_MAX;

	for (size_t i = 0; i < token->text.len; i++)
		good = good && token->text.ptr[i] > ' ' && token->text.ptr[i] < 0x7f;
	if (good)
		scope->here->purge_token = token->text;
	else
		load_error(load, token->pos, "this is not a token: %d to %d printable characters without blanks", PURGE_TOKEN_MIN, PURGE_TOKEN_MAX);
}

void conf_purge_allow(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_location *here = scope->here;
	struct conf_network network;

	if (here->outer && here->purge_allow == here->outer->purge_allow)
		here->purge_allow = load_unshare(load, here->purge_allow, here->purge_allow_count, sizeof(*here->purge_allow));
	for (size_t i = 0; i < st->arg_count; i++) {
		const struct token *token = &st->args[i];
		if (!network_parse(token->text, &network)) {
			load_error(load, token->pos, "'%.*s' is not a network: 10.0.0.0/8, 192.168.1.7, fd00::/8 or unix:", SLICE_ARG(token->text));
			continue;
		}
		here->purge_allow = load_room(load, here->purge_allow, here->purge_allow_count, sizeof(*here->purge_allow));
		here->purge_allow[here->purge_allow_count++] = network;
	}
}
