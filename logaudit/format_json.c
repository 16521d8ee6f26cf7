/* Logs of JSON objects: a walk over one object, and what its keys mean. */
#include <xxhash.h>

#include "format_internal.h"

enum { DEPTH_MAX = 16, PATH_MAX_BYTES = 256 };

struct walk {
	const char *at, *end;
	char path[PATH_MAX_BYTES];
	json_value_fn *fn;
	void *arg;
};

static void blanks_skip(struct walk *w)
{
	while (w->at < w->end && (*w->at == ' ' || *w->at == '\t')) w->at++;
}

static bool byte_take(struct walk *w, char c)
{
	blanks_skip(w);
	if (w->at == w->end || *w->at != c) return false;
	w->at++;
	return true;
}

/* At the opening quote. Escapes are left as they are. */
static bool string_take(struct walk *w, struct slice *ret_text)
{
	const char *begin = ++w->at, *quote = begin;

	for (; quote < w->end && (quote = memchr(quote, '"', (size_t)(w->end - quote))); quote++) {
		size_t slashes = 0;
		while (quote - slashes > begin && quote[-1 - (ptrdiff_t)slashes] == '\\') slashes++;
		if (slashes & 1) continue;
		*ret_text = slice_make(begin, (size_t)(quote - begin));
		w->at = quote + 1;
		return true;
	}
	return false;
}

/* Numbers, words, and what stands there when a program put a variable without quotes: nothing at all, or a dash. */
static struct slice bare_take(struct walk *w)
{
	const char *begin = w->at;

	while (w->at < w->end && !strchr(",}] \t", *w->at)) w->at++;
	if (slice_eq(slice_make(begin, (size_t)(w->at - begin)), SLICE("null"))) return slice_make("", 0);
	return slice_make(begin, (size_t)(w->at - begin));
}

static bool value_walk(struct walk *w, size_t path, unsigned depth);

static bool array_walk(struct walk *w, size_t path, unsigned depth)
{
	json_value_fn *fn = w->fn;
	bool ok = true;

	w->at++;
	if (byte_take(w, ']')) return true;
	do {
		ok = value_walk(w, path, depth + 1);
		w->fn = NULL;            /* the first element speaks for all */
	} while (ok && byte_take(w, ','));
	w->fn = fn;
	return ok && byte_take(w, ']');
}

static bool object_walk(struct walk *w, size_t path, unsigned depth)
{
	struct slice key;

	w->at++;
	if (byte_take(w, '}')) return true;
	do {
		size_t len = path;
		blanks_skip(w);
		if (w->at == w->end || *w->at != '"' || !string_take(w, &key) || !byte_take(w, ':')) return false;
		/* A longer one is none that anybody asks for. */
		if (path + key.len + 2 < PATH_MAX_BYTES) {
			if (path) w->path[len++] = '>';
			if (key.len) memcpy(w->path + len, key.ptr, key.len);
			len += key.len;
		}
		if (!value_walk(w, len, depth + 1)) return false;
	} while (byte_take(w, ','));
	return byte_take(w, '}');
}

static bool value_walk(struct walk *w, size_t path, unsigned depth)
{
	struct slice text;

	blanks_skip(w);
	if (w->at == w->end || depth > DEPTH_MAX) return false;
	if (*w->at == '{') return object_walk(w, path, depth);
	if (*w->at == '[') return array_walk(w, path, depth);
	if (*w->at != '"') text = bare_take(w);
	else if (!string_take(w, &text)) return false;
	return !w->fn || w->fn(w->arg, slice_make(w->path, path), text);
}

bool json_walk(struct slice text, json_value_fn *fn, void *arg)
{
	struct walk w = { .at = text.ptr, .end = text.ptr + text.len, .fn = fn, .arg = arg };

	blanks_skip(&w);
	if (w.at == w.end || *w.at != '{' || !object_walk(&w, 0, 0)) return false;
	blanks_skip(&w);
	return w.at == w.end;
}

/* ---- keys ---- */

static const struct json_key *key_find(const struct format *format, struct slice path)
{
	size_t slot = XXH3_64bits(path.ptr, path.len) % KEYS_SLOTS;

	while (format->keys[slot].path.len && !slice_eq(format->keys[slot].path, path)) slot = (slot + 1) % KEYS_SLOTS;
	return &format->keys[slot];
}

void json_key_add(struct format *format, struct slice path, enum take_id take)
{
	struct json_key *key = (struct json_key *)(uintptr_t)key_find(format, path);

	if (path.len == 0 || key->path.len || format->key_count >= KEYS_SLOTS / 2) return;
	*key = (struct json_key){ path, take };
	format->key_count++;
}

/* The keys of a log_format that is a JSON object: {"ip":"$remote_addr",...}. */
struct template { struct format *format; bool known; };

static bool template_value(void *arg, struct slice path, struct slice text)
{
	struct template *t = arg;
	char name[128];
	size_t start = 1;
	enum take_id take;
	char *kept;

	if (text.len < 2 || text.len >= sizeof(name) || text.ptr[0] != '$') return true;
	if (text.ptr[1] == '{') start = 2;
	memcpy(name, text.ptr + start, text.len - start);
	text = slice_make(name, text.len - start - (start == 2));
	take = field_take(DIALECT_NGINX, text);
	if (take == TAKE_skip) return true;
	t->known = true;
	/* The path is the walk's own: it is kept behind the layout. */
	kept = t->format->layout + t->format->key_text;
	if (t->format->key_text + path.len >= LAYOUT_MAX) return false;
	memcpy(kept, path.ptr, path.len);
	t->format->key_text += path.len;
	json_key_add(t->format, slice_make(kept, path.len), take);
	format_claim(t->format, take);
	return true;
}

bool json_compile(struct format *format, struct slice template, char why[FORMAT_WHY_MAX])
{
	struct template t = { .format = format };

	format->json = true;
	format->key_text = template.len + 1;
	for (size_t i = 0; i < template.len; i++)
		if (format->layout[i] == '\n' || format->layout[i] == '\r') format->layout[i] = ' ';
	if (json_walk(template, template_value, &t) && t.known) return true;
	snprintf(why, FORMAT_WHY_MAX, t.known ? "the layout is not one JSON object" : "the layout names no value that is known, or is not one JSON object");
	return false;
}

/* ---- a line ---- */

struct reading { const struct format *format; struct work *work; struct slice *column; bool bad; };

static bool line_value(void *arg, struct slice path, struct slice text)
{
	struct reading *r = arg;
	const struct json_key *key = key_find(r->format, path);

	if (!key->path.len && r->format->dialect == DIALECT_NGINX) {
		const char *leaf = path.len ? memrchr(path.ptr, '>', path.len) : NULL;
		if (leaf) key = key_find(r->format, slice_make(leaf + 1, (size_t)(path.ptr + path.len - leaf - 1)));
	}
	if (!key->path.len) {
		if (r->work->scratch->trace) r->work->scratch->trace(r->work->scratch->trace_arg, path, text, "", true);
		return true;
	}
	if (item_take(r->work, &(struct item){ .take = key->take, .name = key->path }, text)) return true;
	*r->column = key->path;
	r->bad = true;
	return false;
}

enum reject json_line(const struct format *format, struct work *work, struct slice text, struct slice *ret_column)
{
	struct reading r = { .format = format, .work = work, .column = ret_column };

	if (json_walk(text, line_value, &r)) return REJECT_none;
	return r.bad ? REJECT_bad_value : REJECT_bad_json;
}
