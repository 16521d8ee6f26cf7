/* The table of directives at work: is a statement known, is it allowed here, has it the right shape; then whose turn it is. */
#include "internal.h"

enum { M = PLACE_MAIN, H = PLACE_HTTP, S = PLACE_SERVER, L = PLACE_LOCATION, U = PLACE_UPSTREAM, V = PLACE_VOLUME, MANY = PLACE_MANY };

const struct directive directive_rows[] = {
#define SETTING(name, KIND, fallback, min, max, where, doc) \
	{ { #name, sizeof(#name) - 1 }, where, 1, 1, false, SETTING_##KIND, offsetof(struct settings, name), fallback, min, max, doc, settings_take },
#define DIRECTIVE(name, where, min, max, block, doc) \
	{ { #name, sizeof(#name) - 1 }, where, min, max, block, SETTING_none, 0, NULL, NULL, NULL, doc, conf_##name },
#include "tbl/directives.h"
#undef SETTING
#undef DIRECTIVE
};
const size_t directive_count = COUNT_OF(directive_rows);

const struct directive *directive_find(struct slice name)
{
	for (size_t i = 0; i < directive_count; i++)
		if (slice_eq(directive_rows[i].name, name))
			return &directive_rows[i];
	return NULL;
}

static const struct { unsigned place; const char *name; } places[] = {
	{ PLACE_MAIN, "at the top level" }, { PLACE_HTTP, "in http" }, { PLACE_SERVER, "in server" }, { PLACE_LOCATION, "in location" },
	{ PLACE_UPSTREAM, "in upstream" }, { PLACE_VOLUME, "in volume" },
};

const char *place_names(unsigned where, char *out, size_t size)
{
	size_t used = 0, total = 0, done = 0;

	for (size_t i = 0; i < COUNT_OF(places); i++)
		total += (where & places[i].place) != 0;
	out[0] = 0;
	for (size_t i = 0; i < COUNT_OF(places) && used < size; i++) {
		if (!(where & places[i].place))
			continue;
		const char *before = done == 0 ? "" : done + 1 == total ? " or " : ", ";
		used += (size_t)snprintf(out + used, size - used, "%s%s", before, places[i].name);
		done++;
	}
	return out;
}

static unsigned place_of_block(const struct statement *st)
{
	for (size_t i = 1; i < COUNT_OF(places); i++)   /* all but the top level: "in NAME" */
		if (slice_eq(st->name.text, slice_str(places[i].name + 3)))
			return places[i].place;
	return 0;
}

static void report_unknown(struct load *load, const struct statement *st, unsigned place)
{
	struct suggestion near;

	suggest_start(&near, st->name.text);
	for (size_t i = 0; i < directive_count; i++)
		if (directive_rows[i].where & place)
			suggest_offer(&near, directive_rows[i].name);
	load->doubtful = true;
	load_error(load, st->name.pos, "unknown directive '%.*s'%s", SLICE_ARG(st->name.text), suggest_text(&near));
}

static void report_place(struct load *load, const struct statement *st, const struct directive *row, unsigned place)
{
	char here[64], there[128];

	load->doubtful = true;
	load_error(load, st->name.pos, "'%.*s' belongs %s, not %s", SLICE_ARG(st->name.text),
		place_names(row->where, there, sizeof(there)), place_names(place & PLACE_MAIN ? PLACE_MAIN : place, here, sizeof(here)));
}

/* `server` is two directives: a block in http, a line in upstream. */
static struct directive shape_at(const struct directive *row, unsigned place)
{
	struct directive shape = *row;

	if (row->take == conf_server) {
		shape.block = place != PLACE_UPSTREAM;
		shape.min_args = shape.block ? 0 : row->min_args + 1;
		shape.max_args = shape.block ? 0 : row->max_args;
	}
	return shape;
}

static bool check_shape(struct load *load, const struct statement *st, const struct directive *row)
{
	const char *s = row->max_args == 1 ? "" : "s";

	if (row->block != st->has_block) {
		load->doubtful = true;
		if (row->block)
			load_error(load, st->name.pos, "'%.*s' needs a { block }", SLICE_ARG(st->name.text));
		else
			load_error(load, st->open, "'%.*s' takes no { block }: end it with ';'", SLICE_ARG(st->name.text));
		return false;
	}
	if (st->arg_count >= row->min_args && st->arg_count <= row->max_args)
		return true;
	if (row->max_args == 0)
		load_error(load, st->args[0].pos, "'%.*s' takes no value", SLICE_ARG(st->name.text));
	else if (row->min_args == row->max_args)
		load_error(load, st->name.pos, "'%.*s' takes %u value%s, not %zu", SLICE_ARG(st->name.text), row->min_args, s, st->arg_count);
	else
		load_error(load, st->name.pos, "'%.*s' takes %u to %u values, not %zu", SLICE_ARG(st->name.text), row->min_args, row->max_args, st->arg_count);
	return false;
}

/* What stands in an http block stands at the top: the block is optional. */
static void splice_children(struct statement *st)
{
	struct statement **end = &st->children;

	while (*end)
		end = &(*end)->next;
	*end = st->next;
	st->next = st->children;
	st->children = NULL;
}

/* False: it, or something directly within, was reported. */
static bool check_one(struct load *load, struct statement *st, unsigned place)
{
	const struct directive *row = directive_find(st->name.text);
	unsigned errors = load->errors;
	bool may_stand = row && (row->where & place);

	if (!may_stand && foreign_take(load, st, place))
		return load->errors == errors;
	if (!row)
		report_unknown(load, st, place);
	else if (!may_stand)
		report_place(load, st, row, place);
	if (row && row->block && st->has_block && row->take != conf_events)
		statements_check(load, st, place_of_block(st));
	if (!may_stand || st->cut)
		return false;
	struct directive shape = shape_at(row, place);
	foreign_values(load, st);
	if (!check_shape(load, st, &shape))
		return false;
	st->row = row;
	if (row->take == conf_http)
		splice_children(st);
	return true;
}

void statements_check(struct load *load, struct statement *block, unsigned place)
{
	struct statement *next;

	for (struct statement *st = block->children; st; st = next) {
		next = st->next;                 /* before an http block is spliced in: its content is checked already */
		if (!check_one(load, st, place))
			block->doubtful = true;
	}
}

void scope_init(struct load *load, struct scope *scope, struct scope *outer, unsigned place, const struct statement *block)
{
	*scope = (struct scope){ .place = place, .outer = outer, .block = block };
	if (outer) {
		scope->server = outer->server;
		scope->here = outer->here;
	}
	scope->seen = load_scratch(load, directive_count * sizeof(*scope->seen));
}

/* Names that others refer to first, then single lines, then the blocks that inherit from them. */
static unsigned turn_of(const struct directive *row)
{
	if (row->take == conf_volume || row->take == conf_upstream)
		return 0;
	return row->take == conf_location || (row->take == conf_server && row->block) ? 2 : 1;
}

static bool is_first(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct statement **seen = &scope->seen[st->row - directive_rows];
	bool first = *seen == NULL;

	if (!first && !(st->row->where & PLACE_MANY))
		load_error(load, st->name.pos, "'%.*s' is written twice: it stands in line %u of %s already", SLICE_ARG(st->name.text),
			(*seen)->name.pos.line, (*seen)->name.pos.file);
	else
		*seen = st;
	return first || (st->row->where & PLACE_MANY);
}

void statements_apply(struct load *load, struct scope *scope, const struct statement *children)
{
	for (unsigned turn = 0; turn < 3; turn++)
		for (const struct statement *st = children; st; st = st->next)
			if (st->row && turn_of(st->row) == turn && is_first(load, scope, st))
				st->row->take(load, scope, st);
}

/* Both have done their work before: an http block's content stands around it, an included file's too. */
void conf_http(struct load *load, struct scope *scope, const struct statement *st) { (void)load; (void)scope; (void)st; }
void conf_include(struct load *load, struct scope *scope, const struct statement *st) { (void)load; (void)scope; (void)st; }

void conf_events(struct load *load, struct scope *scope, const struct statement *st)
{
	(void)scope;
	load_note(load, st->name.pos, "events has no effect: see workers and connections_max");
}
