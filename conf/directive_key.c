/* What the cache's key has of a request: cache_key_ignore, cache_key_keep, cache_key_cookies. And which field of an answer the
 * cache goes by first: targeted_cache_control. */
#include "internal.h"

/* NAME, PREFIX* or *: as parameters are named once they are decoded. */
static bool is_parameter(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == 0x7f || name.ptr[i] == '&' || name.ptr[i] == '=' || (name.ptr[i] == '*' && i + 1 < name.len))
			return false;
	return name.len > 0;
}

static bool is_token(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_token_char(name.ptr[i]))
			return false;
	return name.len > 0;
}

static bool names_have(const struct conf_names *list, struct slice name)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_eq(list->items[i], name))
			return true;
	return false;
}

/* Adds to a level's list, which begins as the outer level's. */
static void names_take(struct load *load, const struct statement *st, struct conf_names *list, const struct conf_names *outer,
	bool (*is_good)(struct slice name), const char *what)
{
	if (outer && list->items == outer->items)
		list->items = load_unshare(load, list->items, list->count, sizeof(*list->items));
	for (size_t i = 0; i < st->arg_count; i++) {
		const struct token *token = &st->args[i];
		if (!is_good(token->text)) {
			load_error(load, token->pos, "'%.*s' is not %s", SLICE_ARG(token->text), what);
			continue;
		}
		if (names_have(list, token->text))
			continue;
		if (list->count >= CONF_KEY_NAMES_MAX) {
			load_error(load, token->pos, "more than %d names in one list", CONF_KEY_NAMES_MAX);
			return;
		}
		list->items = load_room(load, list->items, list->count, sizeof(*list->items));
		list->items[list->count++] = token->text;
	}
}

/* One of ignore and keep decides at a level: that which is written nearest. */
static bool check_alone(struct load *load, const struct scope *scope, const struct statement *st, const char *other)
{
	const struct statement *seen = scope->seen[directive_find(slice_str(other)) - directive_rows];

	if (seen)
		load_error(load, st->name.pos, "'%s' in line %u of %s says already what is in the key: one of the two decides at a level", other,
			seen->name.pos.line, seen->name.pos.file);
	return !seen;
}

static const char parameter_form[] = "the name of a query parameter: fbclid, utm_*";

void conf_cache_key_ignore(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_key *key = &scope->here->key;

	if (!check_alone(load, scope, st, "cache_key_keep"))
		return;
	key->keep = (struct conf_names){ NULL, 0 };
	names_take(load, st, &key->ignore, scope->here->outer ? &scope->here->outer->key.ignore : NULL, is_parameter, parameter_form);
}

void conf_cache_key_keep(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_key *key = &scope->here->key;

	if (!check_alone(load, scope, st, "cache_key_ignore"))
		return;
	key->ignore = (struct conf_names){ NULL, 0 };
	names_take(load, st, &key->keep, scope->here->outer ? &scope->here->outer->key.keep : NULL, is_parameter, parameter_form);
}

void conf_cache_key_cookies(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_location *here = scope->here;
	size_t len = 0;

	names_take(load, st, &here->key.cookies, here->outer ? &here->outer->key.cookies : NULL, is_token, "a cookie's name");
	for (size_t i = 0; i < here->key.cookies.count; i++)
		len += here->key.cookies.items[i].len + sizeof(":cookie=,") - 1;
	if (len > CONF_KEY_SELECTORS_MAX) {
		load_error(load, st->name.pos, "the names of all cookies in the key are too long together");
		here->key.cookies.count = 0;
	}
}

/* The names of targeted fields end so by the convention of RFC 9213 section 2; any other field has a meaning of its own. */
void conf_targeted_cache_control(struct load *load, struct scope *scope, const struct statement *st)
{
	const struct slice ending = SLICE("-cache-control"), name = st->args[0].text;

	if (slice_eq(name, SLICE("off"))) {
		scope->here->targeted = (struct slice){ NULL, 0 };
		return;
	}
	if (!is_token(name) || name.len <= ending.len || !slice_eq_nocase(slice_make(name.ptr + name.len - ending.len, ending.len), ending))
		load_error(load, st->args[0].pos, "'%.*s' is not the name of a targeted field: it is NAME-Cache-Control", SLICE_ARG(name));
	else if (slice_eq_nocase(name, SLICE("CDN-Cache-Control")))
		load_error(load, st->args[0].pos, "'%.*s' is obeyed in any case: remove the line", SLICE_ARG(name));
	else
		scope->here->targeted = name;
}

static int compare(const void *a, const void *b)
{
	const struct slice *left = a, *right = b;
	int order = memcmp(left->ptr, right->ptr, left->len < right->len ? left->len : right->len);

	return order ? order : (left->len > right->len) - (left->len < right->len);
}

/* In the order of the alphabet: another order in the file must not be another key. */
void key_finish(struct load *load, struct conf_location *location)
{
	struct conf_key *key = &location->key;
	struct slice *names = load_unshare(load, key->cookies.items, key->cookies.count, sizeof(*names));

	key->selectors = (struct slice){ NULL, 0 };
	if (key->cookies.count)
		qsort(names, key->cookies.count, sizeof(*names), compare);
	for (size_t i = 0; i < key->cookies.count; i++)
		key->selectors = load_printf(load, "%.*s%s:cookie=%.*s", SLICE_ARG(key->selectors), i ? "," : "", SLICE_ARG(names[i]));
	if (location->set.cache_key_device)
		key->selectors = load_printf(load, "%.*s%s:device", SLICE_ARG(key->selectors), key->selectors.len ? "," : "");
}
