/* Compression: the words that stand for all codings at once, and lists of media types. */
#include "internal.h"

/* TYPE/SUBTYPE, TYPE/ and a star, or one star. */
static bool is_type(struct slice text)
{
	const char *slash = text.len ? memchr(text.ptr, '/', text.len) : NULL;

	if (slice_eq(text, SLICE("*")))
		return true;
	if (!slash || slash == text.ptr || slash + 1 == text.ptr + text.len)
		return false;
	for (const char *at = text.ptr; at < text.ptr + text.len; at++)
		if (at != slash && !is_token_char(*at))
			return false;
	return true;
}

static struct conf_names types_take(struct load *load, const struct statement *st)
{
	struct conf_names types = { NULL, 0 };

	for (size_t i = 0; i < st->arg_count; i++) {
		if (!is_type(st->args[i].text)) {
			load_error(load, st->args[i].pos, "'%.*s' is not a media type: text/css, text/* or *", SLICE_ARG(st->args[i].text));
			continue;
		}
		types.items = load_room(load, types.items, types.count, sizeof(*types.items));
		types.items[types.count++] = st->args[i].text;
	}
	return types;
}

void conf_gzip_types(struct load *load, struct scope *scope, const struct statement *st)
{
	scope->here->gzip_types = types_take(load, st);
}

void conf_brotli_types(struct load *load, struct scope *scope, const struct statement *st)
{
	scope->here->brotli_types = types_take(load, st);
}

void conf_zstd_types(struct load *load, struct scope *scope, const struct statement *st)
{
	scope->here->zstd_types = types_take(load, st);
}

void conf_compress_types(struct load *load, struct scope *scope, const struct statement *st)
{
	struct conf_location *here = scope->here;

	here->gzip_types = here->brotli_types = here->zstd_types = types_take(load, st);
}

void conf_compress_min_length(struct load *load, struct scope *scope, const struct statement *st)
{
	struct settings *set = &scope->here->set;
	uint64_t bytes;

	if (load_size(load, &st->args[0], "0", "1g", &bytes))
		set->gzip_min_length = set->brotli_min_length = set->zstd_min_length = bytes;
}

void conf_compress(struct load *load, struct scope *scope, const struct statement *st)
{
	struct settings *set = &scope->here->set;
	bool on;

	if (load_flag(load, &st->args[0], &on))
		set->gzip = set->brotli = set->zstd = on;
}
