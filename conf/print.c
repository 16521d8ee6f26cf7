/* -T: the effective configuration in the language itself; and the manual of its directives. */
#include <inttypes.h>

#include "internal.h"
#include "enums.h"

void word_print(struct slice word, FILE *out)
{
	bool plain = word.len > 0;

	for (size_t i = 0; i < word.len; i++)
		plain = plain && (unsigned char)word.ptr[i] > ' ' && !strchr("{};#\"'\\\x7f", word.ptr[i]);
	if (plain) {
		fwrite(word.ptr, 1, word.len, out);
		return;
	}
	fputc('"', out);
	for (size_t i = 0; i < word.len; i++) {
		char c = word.ptr[i];
		switch (c) {
		case '"': case '\\': fputc('\\', out); fputc(c, out); break;
		case '\n': fputs("\\n", out); break;
		case '\r': fputs("\\r", out); break;
		case '\t': fputs("\\t", out); break;
		default: fputc(c, out); break;
		}
	}
	fputc('"', out);
}

static void line_print(const char *indent, const char *name, struct slice value, FILE *out)
{
	if (value.len == 0)
		return;
	fprintf(out, "%s%s ", indent, name);
	word_print(value, out);
	fputs(";\n", out);
}

/* The fields that `list` has and `outer` has not: what was written at this level. */
static void fields_print(const char *indent, const char *name, const struct conf_header *list, size_t count,
	const struct conf_header *outer, size_t outer_count, FILE *out)
{
	for (size_t i = 0; i < count; i++) {
		bool inherited = false;
		for (size_t o = 0; o < outer_count; o++)
			inherited = inherited || outer[o].name.ptr == list[i].name.ptr;
		if (inherited)
			continue;
		fprintf(out, "%s%s ", indent, name);
		word_print(list[i].name, out);
		fputc(' ', out);
		template_print(&list[i].value, out);
		fputs(";\n", out);
	}
}

static void networks_print(const char *indent, const char *name, const struct conf_network *networks, size_t from, size_t count, FILE *out)
{
	for (size_t i = from; i < count; i++) {
		fprintf(out, "%s%s ", indent, name);
		network_print(&networks[i], out);
		fputs(";\n", out);
	}
}

/* A list that begins with what the outer level has; else it stands alone. */
static void names_list_print(const char *indent, const char *name, const struct conf_names *list, const struct conf_names *outer, FILE *out)
{
	for (size_t i = outer->count; i < list->count; i++)
		line_print(indent, name, list->items[i], out);
}

static void types_print(const char *indent, const char *name, const struct conf_names *here, const struct conf_names *outer, FILE *out)
{
	if (!here->count || here->items == outer->items)
		return;
	fprintf(out, "%s%s", indent, name);
	for (size_t i = 0; i < here->count; i++) {
		fputc(' ', out);
		word_print(here->items[i], out);
	}
	fputs(";\n", out);
}

/* What a level says beyond the one around it. */
static void level_print(const struct conf_location *here, const char *indent, FILE *out)
{
	static const struct conf_location nothing;
	const struct conf_location *outer = here->outer ? here->outer : &nothing;

	settings_print(&here->set, here->outer ? &outer->set : NULL, indent, out);
	fields_print(indent, "proxy_set_header", here->set_headers, here->set_header_count, outer->set_headers, outer->set_header_count, out);
	fields_print(indent, "add_header", here->add_headers, here->add_header_count, outer->add_headers, outer->add_header_count, out);
	for (size_t i = outer->login_cookie_count; i < here->login_cookie_count; i++)
		line_print(indent, "login_cookie", here->login_cookies[i], out);
	if (!slice_eq(here->purge_token, outer->purge_token))
		line_print(indent, "purge_token", here->purge_token, out);
	networks_print(indent, "purge_allow", here->purge_allow, outer->purge_allow_count, here->purge_allow_count, out);
	names_list_print(indent, "cache_key_ignore", &here->key.ignore, &outer->key.ignore, out);
	names_list_print(indent, "cache_key_keep", &here->key.keep, &outer->key.keep, out);
	names_list_print(indent, "cache_key_cookies", &here->key.cookies, &outer->key.cookies, out);
	if (!slice_eq(here->targeted, outer->targeted))
		line_print(indent, "targeted_cache_control", here->targeted.len ? here->targeted : SLICE("off"), out);
	types_print(indent, "gzip_types", &here->gzip_types, &outer->gzip_types, out);
	types_print(indent, "brotli_types", &here->brotli_types, &outer->brotli_types, out);
	types_print(indent, "zstd_types", &here->zstd_types, &outer->zstd_types, out);
	origin_tls_print(&here->origin_tls, &outer->origin_tls, indent, out);
	if (here->origin_http_1_0 != outer->origin_http_1_0)
		fprintf(out, "%sproxy_http_version %s;\n", indent, here->origin_http_1_0 ? "1.0" : "1.1");
	if ((here->volume != outer->volume || here->owner != outer->owner) && here->volume) {
		char text[VALUE_TEXT_MAX];

		fprintf(out, "%sproxy_cache ", indent);
		word_print(here->volume->name, out);
		fprintf(out, "%s%s;\n", here->owner ? " quota=" : "", here->owner ? size_text(here->owner->quota, text) : "");
	}
	if (here->cache_off && !outer->cache_off)
		fprintf(out, "%sproxy_cache off;\n", indent);
	if (!slice_eq(here->hsts.value, outer->hsts.value))
		hsts_print(&here->hsts, indent, out);
	if (here->return_code) {
		fprintf(out, "%sreturn %u", indent, here->return_code);
		if (here->return_text.count > 0) {
			fputc(' ', out);
			template_print(&here->return_text, out);
		}
		fputs(";\n", out);
	}
}

static void trusted_print(const struct conf_server *server, size_t inherited, const char *indent, FILE *out)
{
	networks_print(indent, "trusted_proxy", server->trusted, inherited, server->trusted_count, out);
}

static void pass_print(const struct conf_location *location, const char *indent, FILE *out)
{
	bool is_unix = slice_starts(location->upstream->name, SLICE("unix:"));
	struct slice address = is_unix ? location->upstream->name : location->proxy_host;
	char *url = NULL;

	if (asprintf(&url, "%s://%.*s%s%.*s", location->origin_https ? "https" : "http", SLICE_ARG(address), is_unix && location->proxy_path.ptr ? ":" : "", SLICE_ARG(location->proxy_path)) < 0)
		url = NULL;
	line_print(indent, "proxy_pass", slice_str(must(url)), out);
	free(url);
}

/* The locations written in `level`, and what is written in them. */
static void locations_print(const struct conf_server *server, const struct conf_location *level, unsigned depth, FILE *out)
{
	static const char tabs[] = "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t";
	static const char *const signs[] = { [CONF_MATCH_prefix] = "", [CONF_MATCH_prefix_final] = "^~ ", [CONF_MATCH_exact] = "= ",
		[CONF_MATCH_regex] = "~ ", [CONF_MATCH_regex_nocase] = "~* " };
	const char *indent = tabs + sizeof(tabs) - 1 - depth, *inner = indent - 1;

	CHECK(depth + 1 < sizeof(tabs));
	for (size_t i = 0; i < server->location_count; i++) {
		const struct conf_location *location = &server->locations[i];
		if (location->outer != level)
			continue;
		fprintf(out, "%slocation %s", indent, signs[location->match]);
		word_print(location->pattern, out);
		fputs(" {\n", out);
		level_print(location, inner, out);
		if (location->upstream)
			pass_print(location, inner, out);
		if (location->has_inner)
			locations_print(server, location, depth + 1, out);
		fprintf(out, "%s}\n", indent);
	}
}

static void names_print(const struct conf_server *server, FILE *out)
{
	for (size_t i = 0; i < server->name_count; i++) {
		const struct conf_name *name = &server->names[i];
		char *text = NULL;
		const char *before = name->kind == CONF_NAME_suffix ? "*" : name->kind == CONF_NAME_regex ? "~" : "";
		if (asprintf(&text, "%s%.*s%s", before, SLICE_ARG(name->text), name->kind == CONF_NAME_prefix ? "*" : "") < 0)
			text = NULL;
		fputs("\tserver_name ", out);
		word_print(slice_str(must(text)), out);
		fputs(";\n", out);
		free(text);
	}
}

static void server_print(const struct conf *conf, const struct conf_server *server, FILE *out)
{
	const struct conf_priv *priv = conf->priv;

	fputs("\nserver {\n", out);
	for (size_t i = 0; i < conf->listen_count; i++) {
		const struct conf_listen *listen = &conf->listens[i];
		for (size_t s = 0; s < listen->server_count; s++) {
			if (listen->servers[s] != server)
				continue;
			fputs("\tlisten ", out);
			word_print(listen->addr.text, out);
			fprintf(out, "%s%s backlog=%d;\n", listen->fallback == server ? " default_server" : "", listen->tls ? " ssl" : "", listen->backlog);
		}
	}
	names_print(server, out);
	trusted_print(server, priv->http->trusted_count, "\t", out);
	tls_print(&server->tls, &priv->http->tls, "\t", out);
	level_print(server->fallback, "\t", out);
	locations_print(server, server->fallback, 1, out);
	fputs("}\n", out);
}

static void volume_print(const struct conf_volume *volume, FILE *out)
{
	char text[VALUE_TEXT_MAX];

	fputs("\nvolume ", out);
	word_print(volume->name, out);
	fputs(" {\n", out);
	line_print("\t", "path", volume->path, out);
	fprintf(out, "\tsize %s;\n", size_text(volume->size, text));
	fprintf(out, "\tram %s;\n", size_text(volume->ram, text));
	fprintf(out, "\tfill_max %s;\n", size_text(volume->fill_max, text));
	fprintf(out, "\tio_threads %u;\n", volume->io_threads);
	fprintf(out, "\tretry %s;\n", time_text(volume->retry, text));
	fprintf(out, "\tscrub %s;\n", volume->scrub ? size_text(volume->scrub, text) : "off");
	fprintf(out, "\tscrub_interval %s;\n", time_text(volume->scrub_interval, text));
	fprintf(out, "\teviction %s;\n\tadmission %s", eviction_rows[volume->eviction].name.ptr, admission_rows[volume->admission].name.ptr);
	if (volume->admission_over)
		fprintf(out, " over=%s", size_text(volume->admission_over, text));
	fputs(";\n}\n", out);
}

static void upstream_print(const struct conf_upstream *upstream, FILE *out)
{
	char text[VALUE_TEXT_MAX];

	fputs("\nupstream ", out);
	word_print(upstream->name, out);
	fprintf(out, " {\n\tkeepalive %zu;\n", upstream->keepalive);
	for (size_t i = 0; i < upstream->origin_count; i++) {
		const struct conf_origin *origin = &upstream->origins[i];
		bool v6 = memchr(origin->host.ptr, ':', origin->host.len) && origin->port;
		fputs("\tserver ", out);
		char *address = NULL;
		int len = origin->port ? asprintf(&address, "%s%.*s%s:%u", v6 ? "[" : "", SLICE_ARG(origin->host), v6 ? "]" : "", origin->port)
			: asprintf(&address, "%.*s", SLICE_ARG(origin->host));
		word_print(slice_str(must(len < 0 ? NULL : address)), out);
		free(address);
		fprintf(out, " weight=%u max_fails=%u fail_timeout=%s%s%s;\n", origin->weight, origin->max_fails,
			time_text(origin->fail_timeout_us, text), origin->backup ? " backup" : "", origin->down ? " down" : "");
	}
	fputs("}\n", out);
}

static void main_print(const struct conf *conf, FILE *out)
{
	fprintf(out, "workers %u;\n", conf->workers);
	if (conf->user.len) {
		fputs("user ", out);
		word_print(conf->user, out);
		if (conf->group.len) {
			fputc(' ', out);
			word_print(conf->group, out);
		}
		fputs(";\n", out);
	}
	line_print("", "pid", conf->pid_file, out);
	line_print("", "node", conf->node, out);
	if (conf->error_log.len) {
		fputs("error_log ", out);
		word_print(conf->error_log, out);
		fprintf(out, "%s%.*s;\n", conf->error_level.len ? " " : "", SLICE_ARG(conf->error_level));
	}
	line_print("", "access_log", conf->access_log, out);
	if (conf->metrics)
		line_print("", "metrics", conf->metrics->text, out);
	if (conf->admin) {
		fputs("admin ", out);
		word_print(conf->admin->text, out);
		fprintf(out, " %04o;\n", conf->admin_mode);
	}
	fprintf(out, "connections_max %" PRIu64 ";\n", conf->connections_max);
	fprintf(out, "ssl_handshakes_max %" PRIu64 ";\n", conf->handshakes_max);
	for (size_t i = 0; i < conf->ticket_keys.count; i++)
		line_print("", "ssl_session_ticket_key", conf->ticket_keys.items[i].path, out);
	if (conf->stapling_folder.len)
		line_print("", "ssl_stapling_folder", conf->stapling_folder, out);
}

void conf_print(const struct conf *conf, FILE *out)
{
	const struct conf_priv *priv = conf->priv;

	main_print(conf, out);
	level_print(priv->http->fallback, "", out);
	trusted_print(priv->http, 0, "", out);
	tls_print(&priv->http->tls, NULL, "", out);
	for (size_t i = 0; i < conf->volume_count; i++)
		volume_print(conf->volumes[i], out);
	for (size_t i = 0; i < conf->upstream_count; i++)
		if (!upstream_is_implicit(conf->upstreams[i]))
			upstream_print(conf->upstreams[i], out);
	for (size_t i = 0; i < conf->server_count; i++)
		server_print(conf, conf->servers[i], out);
}

static void rows_print(const char *title, const struct enum_row *rows, int count, FILE *out)
{
	fprintf(out, "\n%s:\n", title);
	for (int i = 0; i < count; i++)
		fprintf(out, "    %-10s  %s\n", rows[i].name.ptr, rows[i].doc);
}

void conf_print_help(FILE *out)
{
	static const char *const kinds[] = { [SETTING_SIZE] = "SIZE", [SETTING_TIME] = "TIME", [SETTING_COUNT] = "NUMBER",
		[SETTING_RATE] = "RATE", [SETTING_FLAG] = "on | off" };
	char text[128];

	fputs("Directives. A level's values hold for the levels within it. Sizes: 512, 4k, 8m, 1g. Times: 500ms, 30s, 5m, 1h, 1d.\n"
		"The http block is optional: what stands in http may stand at the top level too.\n", out);
	for (size_t i = 0; i < directive_count; i++) {
		const struct directive *row = &directive_rows[i];
		fprintf(out, "\n%s%s%s\n    %s\n", row->name.ptr, row->kind == SETTING_none ? row->block ? " ... { }" : " ..." : " ",
			row->kind == SETTING_none ? "" : kinds[row->kind], place_names(row->where, text, sizeof(text)));
		if (row->kind != SETTING_none)
			fprintf(out, "    default: %s%s%s%s%s\n", row->fallback, row->min[0] ? ", from " : "", row->min, row->max[0] ? " to " : "", row->max);
		fprintf(out, "    %s\n", row->doc);
	}
	rows_print("Policies of eviction", eviction_rows, EVICTION_COUNT, out);
	rows_print("Rules of admission", admission_rows, ADMISSION_COUNT, out);
	fputs("\nVariables of texts ($name or ${name}):\n", out);
	template_print_help(out);
}
