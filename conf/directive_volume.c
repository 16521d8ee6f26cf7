/* volume NAME { path; size; ram; fill_max; io_threads; retry; scrub; scrub_interval; eviction; admission; } */
#include "internal.h"
#include "enums.h"

#define VOLUME_SIZE_MIN "4m"
#define VOLUME_SIZE_MAX "1000t"
enum { VOLUME_NAME_MAX = 64, IO_THREADS_MAX = 64 };

/* One spelling for one folder, so that two volumes in it are seen: no "//", no "/./", no '/' at the end. */
static struct slice path_normalise(struct load *load, struct slice path)
{
	char *out = load_alloc(load, path.len + 2);
	size_t len = 0, end;
	bool absolute = path.ptr[0] == '/';

	for (size_t at = 0; at < path.len; at = end + 1) {
		const char *slash = memchr(path.ptr + at, '/', path.len - at);
		end = slash ? (size_t)(slash - path.ptr) : path.len;
		if (end == at || (end == at + 1 && path.ptr[at] == '.'))
			continue;
		if (len > 0 || absolute)
			out[len++] = '/';
		memcpy(out + len, path.ptr + at, end - at);
		len += end - at;
	}
	if (len == 0)
		out[len++] = absolute ? '/' : '.';
	return slice_make(out, len);
}

void conf_path(struct load *load, struct scope *scope, const struct statement *st)
{
	struct slice path = st->args[0].text;

	if (path.len == 0 || text_has_control(path)) {
		load_error(load, st->args[0].pos, "'%.*s' is not a folder", SLICE_ARG(path));
		return;
	}
	scope->volume->path = path_normalise(load, path);
	for (size_t i = 0; i < load->conf->volume_count; i++) {
		const struct conf_volume *other = load->conf->volumes[i];
		if (other != scope->volume && slice_eq(other->path, scope->volume->path))
			load_error(load, st->args[0].pos, "volume '%.*s' (line %u of %s) has this folder already", SLICE_ARG(other->name), other->pos.line, other->pos.file);
	}
}

void conf_size(struct load *load, struct scope *scope, const struct statement *st)
{
	load_size(load, &st->args[0], VOLUME_SIZE_MIN, VOLUME_SIZE_MAX, &scope->volume->size);
}

void conf_ram(struct load *load, struct scope *scope, const struct statement *st)
{
	load_size(load, &st->args[0], "0", "1000t", &scope->volume->ram);
}

void conf_fill_max(struct load *load, struct scope *scope, const struct statement *st)
{
	load_size(load, &st->args[0], "1m", "1000t", &scope->volume->fill_max);
}

void conf_io_threads(struct load *load, struct scope *scope, const struct statement *st)
{
	uint64_t count;

	if (load_count(load, &st->args[0], 1, IO_THREADS_MAX, &count))
		scope->volume->io_threads = (unsigned)count;
}

void conf_retry(struct load *load, struct scope *scope, const struct statement *st)
{
	load_time(load, &st->args[0], "10ms", "1h", &scope->volume->retry);
}

void conf_scrub(struct load *load, struct scope *scope, const struct statement *st)
{
	if (slice_eq(st->args[0].text, SLICE("off")))
		scope->volume->scrub = 0;
	else
		load_size(load, &st->args[0], "4k", "1t", &scope->volume->scrub);
}

void conf_scrub_interval(struct load *load, struct scope *scope, const struct statement *st)
{
	load_time(load, &st->args[0], "1s", "365d", &scope->volume->scrub_interval);
}

/* The row of the table, or an error that names all of them. */
static int load_choice(struct load *load, const struct token *token, const char *what, const struct enum_row *rows, int count)
{
	int at = enum_find(rows, count, token->text);
	char names[128];
	size_t len = 0;

	for (int i = 0; at < 0 && i < count; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i == 0 ? "" : i == count - 1 ? " or " : ", ", rows[i].name.ptr);
	if (at < 0)
		load_error(load, token->pos, "'%.*s' is no %s: %s", SLICE_ARG(token->text), what, names);
	return at;
}

void conf_eviction(struct load *load, struct scope *scope, const struct statement *st)
{
	int at = load_choice(load, &st->args[0], "policy of eviction", eviction_rows, EVICTION_COUNT);

	if (at >= 0)
		scope->volume->eviction = (enum eviction)at;
}

void conf_admission(struct load *load, struct scope *scope, const struct statement *st)
{
	int at = load_choice(load, &st->args[0], "rule of admission", admission_rows, ADMISSION_COUNT);
	struct token over;

	if (at >= 0)
		scope->volume->admission = (enum admission)at;
	if (at < 0 || st->arg_count == 1)
		return;
	if (at == ADMISSION_all || !parameter_take(&st->args[1], SLICE("over"), &over))
		load_error(load, st->args[1].pos, "'%.*s' is not understood: all, second_hit, or second_hit over=SIZE", SLICE_ARG(st->args[1].text));
	else
		load_size(load, &over, "0", "1000t", &scope->volume->admission_over);
}

void conf_volume(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf *conf = load->conf;
	struct conf_volume *volume = load_alloc(load, sizeof(*volume));
	struct slice name = st->args[0].text;
	struct scope inner;

	*volume = (struct conf_volume){ .name = name, .ram = 64 << 20, .fill_max = 256 << 20,
		.scrub = 4 << 20, .scrub_interval = (uint64_t)24 * 3600 * 1000000, .io_threads = 4, .retry = 10 * 1000 * 1000,
		.index = (unsigned)conf->volume_count, .pos = st->args[0].pos };
	/* The log says `none` where no volume is bound. */
	if (!name_is_plain(name, VOLUME_NAME_MAX) || slice_eq(name, SLICE("off")) || slice_eq(name, SLICE("none"))) {
		load->doubtful = true;
		load_error(load, st->args[0].pos, "'%.*s' is not a volume's name: up to 64 of A-Z a-z 0-9 . _ -, not off or none", SLICE_ARG(name));
	}
	for (size_t i = 0; i < conf->volume_count; i++)
		if (slice_eq(conf->volumes[i]->name, name))
			load_error(load, st->args[0].pos, "there is a volume '%.*s' in line %u of %s already", SLICE_ARG(name),
				conf->volumes[i]->pos.line, conf->volumes[i]->pos.file);
	conf->volumes = load_room(load, conf->volumes, conf->volume_count, sizeof(*conf->volumes));
	conf->volumes[conf->volume_count++] = volume;
	scope_init(load, &inner, scope, PLACE_VOLUME, st);
	inner.volume = volume;
	statements_apply(load, &inner, st->children);
	if (st->doubtful)
		return;
	if (!inner.seen[directive_find(SLICE("path")) - directive_rows])
		load_error(load, st->args[0].pos, "volume '%.*s' has no path: write path /var/cache/proxyd/%.*s;", SLICE_ARG(name), SLICE_ARG(name));
	if (!inner.seen[directive_find(SLICE("size")) - directive_rows])
		load_error(load, st->args[0].pos, "volume '%.*s' has no size: write size 20g;", SLICE_ARG(name));
}
