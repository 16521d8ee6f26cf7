/* Directives of the top level: the process, its files, its metrics page. */
#include <unistd.h>

#include "internal.h"

enum { WORKERS_MAX = 1024 };

void conf_workers(struct load *load, struct scope *scope, const struct statement *st)
{
	uint64_t count;

	(void)scope;
	if (slice_eq(st->args[0].text, SLICE("auto")))
		load->conf->workers = 0;
	else if (load_count(load, &st->args[0], 1, WORKERS_MAX, &count))
		load->conf->workers = (unsigned)count;
}

void conf_worker_processes(struct load *load, struct scope *scope, const struct statement *st)
{
	if (scope->seen[directive_find(SLICE("workers")) - directive_rows])
		load_error(load, st->name.pos, "'worker_processes' is another name of 'workers', which is written too");
	else
		conf_workers(load, scope, st);
}

/* A word that goes to the system as it is: a path, a name. */
static void take_word(struct load *load, const struct token *token, const char *what, struct slice *ret)
{
	if (token->text.len == 0 || text_has_control(token->text) || memchr(token->text.ptr, '\t', token->text.len)) {
		load_error(load, token->pos, "'%.*s' is not %s", SLICE_ARG(token->text), what);
		return;
	}
	*ret = token->text;
}

static void take_file(struct load *load, const struct token *token, struct slice *ret)
{
	if (slice_starts(token->text, SLICE("syslog:")))
		load_error(load, token->pos, "there is no syslog here: write a file");
	else
		take_word(load, token, "a file", ret);
}

void conf_user(struct load *load, struct scope *scope, const struct statement *st)
{
	(void)scope;
	take_word(load, &st->args[0], "a user", &load->conf->user);
	if (st->arg_count > 1)
		take_word(load, &st->args[1], "a group", &load->conf->group);
}

void conf_pid(struct load *load, struct scope *scope, const struct statement *st)
{
	(void)scope;
	take_file(load, &st->args[0], &load->conf->pid_file);
}

void conf_node(struct load *load, struct scope *scope, const struct statement *st)
{
	struct slice name = st->args[0].text;
	bool good = name.len > 0 && name.len <= 64;

	(void)scope;
	/* A WORD of the log: never quoted there. */
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._:/+-", c)));
	}
	if (good)
		load->conf->node = name;
	else
		load_error(load, st->args[0].pos, "'%.*s' is not a node's name: up to 64 of A-Z a-z 0-9 . _ : / + -", SLICE_ARG(name));
}

void conf_error_log(struct load *load, struct scope *scope, const struct statement *st)
{
	static const struct slice levels[] = { { "error", 5 }, { "warn", 4 }, { "notice", 6 }, { "info", 4 }, { "debug", 5 } };
	static const struct slice severe[] = { { "crit", 4 }, { "alert", 5 }, { "emerg", 5 } };
	struct suggestion near;

	(void)scope;
	take_file(load, &st->args[0], &load->conf->error_log);
	if (st->arg_count < 2)
		return;
	struct slice level = st->args[1].text;
	suggest_start(&near, level);
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (slice_eq(level, levels[i])) {
			load->conf->error_level = levels[i];
			return;
		}
		suggest_offer(&near, levels[i]);
	}
	for (size_t i = 0; i < COUNT_OF(severe); i++)
		if (slice_eq(level, severe[i])) {
			load->conf->error_level = levels[0];
			load_note(load, st->args[1].pos, "'%.*s' is taken as error, the fewest there is", SLICE_ARG(level));
			return;
		}
	load_error(load, st->args[1].pos, "'%.*s' is not a level: error, warn, notice, info or debug%s", SLICE_ARG(level), suggest_text(&near));
}

void conf_access_log(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf *conf = load->conf;
	struct slice file = st->args[0].text;

	(void)scope;
	if (slice_eq(file, SLICE("off"))) {
		load_error(load, st->args[0].pos, "the access log cannot be switched off: it is what the audit counts from; it has every request of every site");
		return;
	}
	if (conf->access_log.len && !slice_eq(conf->access_log, file))
		load_error(load, st->args[0].pos, "there is one access log for all sites, and it is '%.*s' already", SLICE_ARG(conf->access_log));
	else
		take_file(load, &st->args[0], &conf->access_log);
}

void conf_metrics(struct load *load, struct scope *scope, const struct statement *st)
{
	struct endpoint endpoint;
	size_t count;

	(void)scope;
	load->metrics_pos = st->args[0].pos;
	if (!endpoint_parse(load, st->args[0].pos, st->args[0].text, 0, true, &endpoint))
		return;
	if (!endpoint.has_port && !endpoint.is_unix)
		load_error(load, st->args[0].pos, "'%.*s' has no port: write 127.0.0.1:9145", SLICE_ARG(st->args[0].text));
	else
		endpoint_resolve(load, st->args[0].pos, &endpoint, &load->conf->metrics, &count);
}

void conf_connections_max(struct load *load, struct scope *scope, const struct statement *st)
{
	(void)scope;
	load_count(load, &st->args[0], 1, 10000000, &load->conf->connections_max);
}

void conf_admin(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf *conf = load->conf;
	struct endpoint endpoint;
	unsigned mode = 0600;
	size_t count;

	(void)scope;
	if (!slice_starts(st->args[0].text, SLICE("unix:"))) {
		load_error(load, st->args[0].pos, "'%.*s' is no UNIX socket: write unix:/run/proxyd/admin; over the network there is purge_token", SLICE_ARG(st->args[0].text));
		return;
	}
	if (st->arg_count > 1) {
		struct slice text = st->args[1].text;
		bool good = text.len >= 3 && text.len <= 4;

		mode = 0;
		for (size_t i = 0; i < text.len; i++) {
			good = good && text.ptr[i] >= '0' && text.ptr[i] <= '7';
			mode = good ? mode * 8 + (unsigned)(text.ptr[i] - '0') : 0;
		}
		if (!good || mode > 0777 || (mode & 0600) != 0600)
			load_error(load, st->args[1].pos, "'%.*s' is not a mode that lets the owner in: 0600, 0660 or 0666", SLICE_ARG(text));
	}
	conf->admin_mode = mode;
	if (endpoint_parse(load, st->args[0].pos, st->args[0].text, 0, true, &endpoint))
		endpoint_resolve(load, st->args[0].pos, &endpoint, &conf->admin, &count);
}
