/* From a host to a server, from a path to a location, as nginx does it; read-only, any thread. */
#include <xxhash.h>

#include "internal.h"

enum { WILDCARD_HOST_MAX = 253 };        /* a longer host is no name, and would cost a look-up for each of its dots */

/* The names of one listener: an open-addressing table of all but the regular expressions. */
struct name_slot {
	struct slice text;
	uint64_t hash;                   /* of text and kind */
	const struct conf_name *name;    /* NULL: free */
	struct conf_server *server;
};
struct name_regex { const struct conf_name *name; struct conf_server *server; };
struct names {
	struct name_slot *slots;
	size_t mask;
	struct name_regex *regexes;
	size_t regex_count;
	bool has_suffix, has_prefix;
};

/* The slot that has this name, or the free one where it would stand. */
static struct name_slot *names_slot(const struct names *names, int kind, struct slice text)
{
	uint64_t hash = XXH3_64bits_withSeed(text.len ? text.ptr : "", text.len, (uint64_t)kind);

	for (size_t i = hash & names->mask; ; i = (i + 1) & names->mask) {
		struct name_slot *slot = &names->slots[i];
		if (!slot->name) {
			slot->hash = hash;
			return slot;
		}
		if (slot->hash == hash && (int)slot->name->kind == kind && slice_eq(slot->text, text))
			return slot;
	}
}

static const struct name_slot *names_find(const struct names *names, int kind, struct slice text)
{
	uint64_t hash = XXH3_64bits_withSeed(text.len ? text.ptr : "", text.len, (uint64_t)kind);

	for (size_t i = hash & names->mask; names->slots[i].name; i = (i + 1) & names->mask) {
		const struct name_slot *slot = &names->slots[i];
		if (slot->hash == hash && (int)slot->name->kind == kind && slice_eq(slot->text, text))
			return slot;
	}
	return NULL;
}

static void report_twice(struct load *load, const struct conf_listen *listen, const struct conf_name *name, const struct conf_server *server,
	const struct conf_name *first, const struct conf_server *first_server)
{
	if (server == first_server)
		load_note(load, name->pos, "this name is written twice: it stands in line %u of %s already", first->pos.line, first->pos.file);
	else
		load_error(load, name->pos, "another server on %.*s has this name: the one in line %u of %s", SLICE_ARG(listen->addr.text),
			first->pos.line, first->pos.file);
}

static void names_add_regex(struct load *load, struct conf_listen *listen, struct names *names, const struct conf_name *name, struct conf_server *server)
{
	for (size_t i = 0; i < names->regex_count; i++)
		if (slice_eq(names->regexes[i].name->text, name->text)) {
			report_twice(load, listen, name, server, names->regexes[i].name, names->regexes[i].server);
			return;
		}
	names->regexes = load_room(load, names->regexes, names->regex_count, sizeof(*names->regexes));
	names->regexes[names->regex_count++] = (struct name_regex){ name, server };
}

static void names_add(struct load *load, struct conf_listen *listen, struct names *names, const struct conf_name *name, struct conf_server *server)
{
	if (name->kind == CONF_NAME_regex) {
		names_add_regex(load, listen, names, name, server);
		return;
	}
	struct name_slot *slot = names_slot(names, (int)name->kind, name->text);
	if (slot->name) {
		report_twice(load, listen, name, server, slot->name, slot->server);
		return;
	}
	slot->text = name->text;
	slot->name = name;
	slot->server = server;
	names->has_suffix = names->has_suffix || name->kind == CONF_NAME_suffix;
	names->has_prefix = names->has_prefix || name->kind == CONF_NAME_prefix;
}

void names_index(struct load *load, struct conf_listen *listen)
{
	struct names *names = load_alloc(load, sizeof(*names));
	const struct conf_server *nameless = NULL;
	size_t count = 0, size = 4;

	for (size_t i = 0; i < listen->server_count; i++)
		count += listen->servers[i]->name_count;
	while (size < count * 2 + 1)
		size *= 2;
	names->slots = load_alloc(load, size * sizeof(*names->slots));
	names->mask = size - 1;
	for (size_t i = 0; i < listen->server_count; i++) {
		struct conf_server *server = listen->servers[i];
		for (size_t n = 0; n < server->name_count; n++)
			names_add(load, listen, names, &server->names[n], server);
		if (server->name_count > 0)
			continue;
		if (nameless && !load->doubtful)
			load_error(load, server->pos, "no request reaches this server: on %.*s the one in line %u of %s has no server_name either",
				SLICE_ARG(listen->addr.text), nameless->pos.line, nameless->pos.file);
		nameless = nameless ? nameless : server;
	}
	listen->names = names;
}

static struct conf_server *find_wildcard(const struct names *names, struct slice host)
{
	const struct name_slot *slot;

	/* Each from long to short. */
	for (size_t i = 1; names->has_suffix && i < host.len; i++)
		if (host.ptr[i] == '.' && (slot = names_find(names, CONF_NAME_suffix, slice_make(host.ptr + i, host.len - i))))
			return slot->server;
	for (size_t i = host.len; names->has_prefix && i-- > 1; )
		if (host.ptr[i] == '.' && i + 1 < host.len && (slot = names_find(names, CONF_NAME_prefix, slice_make(host.ptr, i + 1))))
			return slot->server;
	return NULL;
}

struct conf_server *conf_find_server(const struct conf_listen *listen, struct slice host)
{
	const struct names *names = listen->names;
	struct conf_server *server = listen->fallback;
	struct regex_match match = { NULL };
	const struct name_slot *slot = names_find(names, CONF_NAME_exact, host);

	if (slot)
		return slot->server;
	if ((names->has_suffix || names->has_prefix) && host.len <= WILDCARD_HOST_MAX) {
		struct conf_server *wild = find_wildcard(names, host);
		if (wild)
			return wild;
	}
	for (size_t i = 0; i < names->regex_count; i++)
		if (regex_matches(&match, names->regexes[i].name->regex, host)) {
			server = names->regexes[i].server;
			break;
		}
	regex_match_release(&match);
	return server;
}

/* One level of locations: those written directly in `level`. An exact match or a regular expression decides; else *found
 * is the longest prefix, if there is one, and regular expressions of the levels around may still take it. */
static bool find_within(const struct conf_server *server, const struct conf_location *level, struct slice path, struct regex_match *match,
	struct conf_location **found)
{
	struct conf_location *best = NULL;

	for (size_t i = 0; i < server->location_count; i++) {
		struct conf_location *location = &server->locations[i];
		if (location->outer != level || location->regex)
			continue;
		if (location->match == CONF_MATCH_exact && slice_eq(path, location->pattern)) {
			*found = location;
			return true;
		}
		if (location->match != CONF_MATCH_exact && slice_starts(path, location->pattern)
				&& (!best || location->pattern.len > best->pattern.len))
			best = location;
	}
	if (best) {
		*found = best;
		if (best->has_inner && find_within(server, best, path, match, found))
			return true;
		if (best->match == CONF_MATCH_prefix_final)
			return false;
	}
	for (size_t i = 0; i < server->location_count; i++) {
		struct conf_location *location = &server->locations[i];
		if (location->outer != level || !location->regex || !regex_matches(match, location->regex, path))
			continue;
		*found = location;
		if (location->has_inner)
			find_within(server, location, path, match, found);
		return true;
	}
	return false;
}

struct conf_location *conf_find_location(const struct conf_server *server, struct slice path)
{
	struct regex_match match = { NULL };
	struct conf_location *found = NULL;

	find_within(server, server->fallback, path, &match, &found);
	regex_match_release(&match);
	return found;
}
