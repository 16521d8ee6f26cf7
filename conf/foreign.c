/* What nginx has and we do not: noted when it is harmless, refused with advice when it would change what is served. */
#include "internal.h"

enum foreign_take { TAKE_NOTE, TAKE_OFF, TAKE_ERROR };
enum { M = PLACE_MAIN, U = PLACE_UPSTREAM, ANY = PLACE_ALL };

#define FOREIGN(name, where, take, text)
#define FOREIGN_VALUE(name, keep, most, text)
#define FOREIGN_VARIABLE(name, text)

#undef FOREIGN
#define FOREIGN(name, where, take, text) { { #name, sizeof(#name) - 1 }, where, TAKE_##take, text },
static const struct foreign { struct slice name; unsigned where; enum foreign_take take; const char *text; } rows[] = {
#include "tbl/foreign.h"
};
#undef FOREIGN
#define FOREIGN(name, where, take, text)

#undef FOREIGN_VALUE
#define FOREIGN_VALUE(name, keep, most, text) { { #name, sizeof(#name) - 1 }, keep, most, text },
static const struct { struct slice name; size_t keep, most; const char *text; } value_rows[] = {
#include "tbl/foreign.h"
};
#undef FOREIGN_VALUE
#define FOREIGN_VALUE(name, keep, most, text)

#undef FOREIGN_VARIABLE
#define FOREIGN_VARIABLE(name, text) { { #name, sizeof(#name) - 1 }, text },
static const struct { struct slice name; const char *text; } variable_rows[] = {
#include "tbl/foreign.h"
};

static bool is_off(const struct statement *st)
{
	struct slice value = st->arg_count == 1 ? st->args[0].text : SLICE("");

	return slice_eq(value, SLICE("off")) || slice_eq(value, SLICE("none")) || slice_eq(value, SLICE("0"));
}

/* The block of every WebSocket tutorial: it makes $connection_upgrade, which we have. */
static bool is_upgrade_map(const struct statement *st)
{
	return slice_eq(st->name.text, SLICE("map")) && st->arg_count == 2 && slice_eq(st->args[1].text, SLICE("$connection_upgrade"));
}

bool foreign_take(struct load *load, const struct statement *st, unsigned place)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (!(rows[i].where & place) || !slice_eq(rows[i].name, st->name.text))
			continue;
		if (is_upgrade_map(st))
			load_note(load, st->name.pos, "map has no effect: Upgrade and Connection are managed by proxyd");
		else if (rows[i].take == TAKE_NOTE || (rows[i].take == TAKE_OFF && is_off(st)))
			load_note(load, st->name.pos, "%s has no effect: %s", rows[i].name.ptr, rows[i].text);
		else
			load_error(load, st->name.pos, "there is no '%s': %s", rows[i].name.ptr, rows[i].text);
		return true;
	}
	return false;
}

void foreign_values(struct load *load, struct statement *st)
{
	for (size_t i = 0; i < COUNT_OF(value_rows); i++) {
		if (!slice_eq(value_rows[i].name, st->name.text) || st->arg_count <= value_rows[i].keep || st->arg_count > value_rows[i].most)
			continue;
		load_note(load, st->args[value_rows[i].keep].pos, "'%.*s' has no effect: %s", SLICE_ARG(st->args[value_rows[i].keep].text), value_rows[i].text);
		st->arg_count = value_rows[i].keep;
	}
}

const char *foreign_variable(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(variable_rows); i++)
		if (slice_eq(variable_rows[i].name, name))
			return variable_rows[i].text;
	return NULL;
}
