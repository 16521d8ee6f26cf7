/* Layouts: what other programs call their log format, compiled to a list of values with the text that ends each; and a line read by it. */
#include "format_internal.h"

/* ---- names of values, by dialect ---- */

static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_letter(char c)
{
	return is_name(c) && c != '_' && !(c >= '0' && c <= '9');
}

enum { NAME_MAX_BYTES = 128 };

/* $name or ${name}. */
static size_t name_nginx(const char *at, char name[NAME_MAX_BYTES])
{
	bool braces = at[1] == '{';
	size_t start = braces ? 2 : 1, end = start;

	while (is_name(at[end]) && end - start < NAME_MAX_BYTES - 1) end++;
	if (end == start || (braces && at[end] != '}')) return 0;
	memcpy(name, at + start, end - start);
	name[end - start] = 0;
	return end + braces;
}

/* %FLAGS{argument}CODE: the argument in lower case, and the code. */
static size_t name_percent(const char *at, const char *flags, bool long_codes, char name[NAME_MAX_BYTES])
{
	size_t i = 1, len = 0, code;

	while (at[i] && strchr(flags, at[i])) i++;
	if (at[i] == '{') {
		while (at[i] && at[i] != '}' && len < NAME_MAX_BYTES - 32) {
			char c = at[i++];
			name[len++] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
		}
		if (at[i] != '}') return 0;
		name[len++] = at[i++];
	}
	/* Squid: %>a, %<st; what stands behind the name of httpd's directive is text again. */
	if (at[i] == '^' && at[i + 1] && at[i + 2]) i++;
	code = i;
	while (long_codes && (at[i] == '<' || at[i] == '>') && i - code < 2) i++;
	if (!is_letter(at[i])) return 0;
	i++;
	while (long_codes && is_letter(at[i]) && i - code < 16) i++;
	memcpy(name + len, at + code, i - code);
	name[len + i - code] = 0;
	return i;
}

/* %<name>. */
static size_t name_trafficserver(const char *at, char name[NAME_MAX_BYTES])
{
	const char *end = at[1] == '<' ? strchr(at, '>') : NULL;
	size_t len = end ? (size_t)(end - at) - 2 : 0;

	if (len == 0 || len >= NAME_MAX_BYTES) return 0;
	for (size_t i = 0; i < len; i++) {
		char c = at[2 + i];
		/* Names of fields are in braces, and of any case. */
		name[i] = at[2] == '{' && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	name[len] = 0;
	return len + 3;
}

/* %name, %{flags}name, %[expression]. */
static size_t name_haproxy(const char *at, char name[NAME_MAX_BYTES])
{
	size_t i = 1, start;
	const char *end = at[1] == '[' ? strchr(at, ']') : at[1] == '{' ? strchr(at, '}') : NULL;

	name[0] = 0;
	if (at[1] == '[') return end ? (size_t)(end - at) + 1 : 0;
	if (end) i = (size_t)(end - at) + 1;
	for (start = i; is_letter(at[i]) && i - start < NAME_MAX_BYTES - 1; i++) name[i - start] = at[i];
	name[i - start] = 0;
	return i == start ? 0 : i;
}

/* The bytes of the layout that name a value, from the mark at `at`; 0: it is no name. */
static size_t name_take(enum dialect dialect, const char *at, char name[NAME_MAX_BYTES])
{
	switch (dialect) {
	case DIALECT_NGINX: return name_nginx(at, name);
	case DIALECT_HTTPD:
	case DIALECT_VARNISH: return name_percent(at, "<>!0123456789,", false, name);
	case DIALECT_SQUID: return name_percent(at, "\"'#[/-.0123456789", true, name);
	case DIALECT_TRAFFICSERVER: return name_trafficserver(at, name);
	case DIALECT_HAPROXY: return name_haproxy(at, name);
	case DIALECT_CADDY:
	case DIALECT_W3C:
	case DIALECT_COUNT: break;
	}
	return 0;
}

/* ---- compiling ---- */

/* As a configuration file has it: \" is a quote, \t a tab. In place. */
static void layout_unquote(char *layout)
{
	char *out = layout;

	for (const char *at = layout; *at; at++) {
		bool escape = at[0] == '\\' && (at[1] == '"' || at[1] == '\\' || at[1] == '\'' || at[1] == 't');
		at += escape;
		*out++ = escape && *at == 't' ? '\t' : *at;
	}
	*out = 0;
}

static bool is_list(enum take_id take)
{
	return take == TAKE_origin || take == TAKE_origin_status || take == TAKE_origin_connect || take == TAKE_origin_header || take == TAKE_origin_length;
}

/* Two values with nothing between: the first has both texts (%U%q, $uri$is_args$args), but a host ends where a path begins. */
static bool item_add(struct format *format, struct slice name, enum take_id take, bool *joined)
{
	struct item *last = format->count ? &format->items[format->count - 1] : NULL;

	if (last && last->end.len == 0) {
		bool host = (last->take == TAKE_host || last->take == TAKE_host_weak) && (take == TAKE_target || take == TAKE_path);
		if (!host) {
			*joined = true;
			return true;
		}
		last->end = slice_make("/", 1);
		last->keeps_end = true;
	}
	if (format->count == ITEMS_MAX) return false;
	format->items[format->count++] = (struct item){ .take = take, .name = name, .braces = format->dialect == DIALECT_HAPROXY
		&& (slice_eq(name, SLICE("%hr")) || slice_eq(name, SLICE("%hs"))), .is_list = is_list(take) };
	return true;
}

static void literal_add(struct format *format, struct slice text)
{
	struct slice *to = format->count ? &format->items[format->count - 1].end : &format->lead;

	/* Text is contiguous within the layout. */
	if (to->len) to->len += text.len;
	else *to = text;
}

static void layout_finish(struct format *format)
{
	const struct slice *before = &format->lead;

	for (size_t i = 0; i < format->count; i++) {
		struct item *item = &format->items[i];
		item->quoted = item->end.len && item->end.ptr[0] == '"'
			&& ((before->len && before->ptr[before->len - 1] == '"') || (format->dialect == DIALECT_HAPROXY && !before->len));
		before = &item->end;
		format_claim(format, item->take);
	}
}

/* %{+Q}r of HAProxy writes its quotes itself. */
static void quotes_add(struct format *format, size_t name_len, const char *at)
{
	if (format->dialect != DIALECT_HAPROXY || name_len < 5 || !memmem(at, name_len, "+Q", 2)) return;
	format->items[format->count - 1].own_quotes = true;
}

bool layout_compile(struct format *format, char why[FORMAT_WHY_MAX])
{
	char mark = format->dialect == DIALECT_NGINX ? '$' : '%', name[NAME_MAX_BYTES];
	const char *at = format->layout;
	bool known = false;

	layout_unquote(format->layout);
	while (*at) {
		size_t len = *at == mark ? name_take(format->dialect, at, name) : 0;
		bool joined = false;
		if (*at != mark) {
			literal_add(format, slice_make(at++, 1));
			continue;
		}
		enum take_id take = len ? field_take(format->dialect, slice_str(name)) : TAKE_skip;
		if (!len || !item_add(format, slice_make(at, len), take, &joined)) {
			snprintf(why, FORMAT_WHY_MAX, "%s '%.40s'", len ? "too many values in a line, at" : "that is no name of a value:", at);
			return false;
		}
		if (!joined) quotes_add(format, len, at);
		known |= take != TAKE_skip;
		at += len;
	}
	if (!known) {
		snprintf(why, FORMAT_WHY_MAX, "it names no value that is known ('%.60s')", format->layout);
		return false;
	}
	layout_finish(format);
	return true;
}

/* ---- a line ---- */

bool item_take(struct work *work, const struct item *item, struct slice text)
{
	bool ok = takes[item->take].fn(work, text);

	if (work->scratch->trace) work->scratch->trace(work->scratch->trace_arg, item->name, text, takes[item->take].columns, ok);
	return ok;
}

/* Is the quote at `at` content, by the backslashes before it? */
static bool is_escaped(const char *begin, const char *at)
{
	size_t count = 0;

	while (at > begin && at[-1] == '\\') {
		count++;
		at--;
	}
	return count & 1;
}

static bool ends_here(const struct item *item, const char *at, const char *limit, bool last)
{
	size_t len = item->end.len;

	if ((size_t)(limit - at) < len || memcmp(at, item->end.ptr, len) != 0) return false;
	return !last || at + len == limit;
}

/* In quotes: the first one that is not escaped. A quote within a word, as some write them unescaped, is content. */
static const char *quote_find(const struct item *item, const char *begin, const char *limit, bool last)
{
	for (const char *at = begin; at < limit && (at = memchr(at, '"', (size_t)(limit - at))); at++) {
		if (is_escaped(begin, at)) continue;
		if (ends_here(item, at, limit, last)) return at;
		if (at + 1 == limit || at[1] == ' ') return NULL;
	}
	return NULL;
}

/* Elements of a list are parted by ", " and " : ": no blank of these ends it. */
static bool in_list(const char *begin, const char *at, const char *limit)
{
	return (at > begin && at[-1] == ',') || (at > begin + 1 && at[-1] == ':' && at[-2] == ' ') || (limit - at > 2 && at[1] == ':' && at[2] == ' ');
}

static const char *end_find(const struct item *item, const char *begin, const char *limit, bool last)
{
	if (item->end.len == 0) return limit;
	if (item->quoted) return quote_find(item, begin, limit, last);
	for (const char *at = begin; at < limit && (at = memchr(at, item->end.ptr[0], (size_t)(limit - at))); at++) {
		if (item->is_list && in_list(begin, at, limit)) continue;
		if (item->end.len == 1 && !last) return at;
		if (ends_here(item, at, limit, last)) return at;
	}
	return NULL;
}

/* "..." or <BADREQ>, as HAProxy writes it; the last one of a line may have lost its end. */
static const char *own_quotes_find(const char **begin, const char *limit, size_t *ret_skip)
{
	const char *end;

	*ret_skip = 0;
	if (*begin == limit || **begin != '"') return limit;
	++*begin;
	end = memchr(*begin, '"', (size_t)(limit - *begin));
	*ret_skip = end != NULL;
	return end ? end : limit;
}

/* One value at *at; moves it behind the text that ends it. NULL value: it does not fit. */
static struct slice value_take(const struct format *format, const struct item *item, const char **at, const char *limit, bool last)
{
	const char *begin = *at, *end;
	size_t skip = 0;

	if (format->runs) while (begin < limit && *begin == ' ') begin++;
	if (item->braces && (begin == limit || *begin != '{')) return slice_make(begin, 0);
	if (item->own_quotes) {
		end = own_quotes_find(&begin, limit, &skip);
		if (!last && !ends_here(item, end + skip, limit, false)) return slice_make(NULL, 0);
	} else {
		end = end_find(item, begin, limit, last);
	}
	if (!end) return slice_make(NULL, 0);
	*at = end + skip + (item->keeps_end || (last && item->own_quotes) ? 0 : item->end.len);
	return slice_make(begin, (size_t)(end - begin));
}

enum reject layout_line(const struct format *format, struct work *work, struct slice text, struct slice *ret_column)
{
	const char *at = text.ptr, *limit = text.ptr + text.len;

	if (!slice_starts(text, format->lead)) return REJECT_no_match;
	at += format->lead.len;
	for (size_t i = 0; i < format->count; i++) {
		const struct item *item = &format->items[i];
		struct slice value = value_take(format, item, &at, limit, i + 1 == format->count);
		*ret_column = item->name;
		if (!value.ptr) return item->quoted ? REJECT_open_quote : REJECT_no_match;
		if (!item_take(work, item, value)) return REJECT_bad_value;
	}
	*ret_column = slice_make(NULL, 0);
	return at == limit ? REJECT_none : REJECT_field_count;
}
