/* The head of an answer as it is kept and sent again. */
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <stdio.h>

#include "stored.h"
#include "../conf/check.h"

static bool is_kept(const struct http_header *h, const struct cache_control *cc, bool to_store)
{
	if (h->dropped || h->id == FIELD_content_length)
		return false;
	if (!to_store)
		return true;
	switch (h->id) {
	case FIELD_age:
	/* What concerns one hop is not stored (RFC 9111 section 3.1). */
	case FIELD_proxy_authenticate: case FIELD_proxy_authentication_info: case FIELD_proxy_authorization:
		return false;
	default:
		break;
	}
	if (cc->private_fields && cache_names_have(cc->private_names, h->name))
		return false;
	return !(cc->no_cache_fields && cache_names_have(cc->no_cache_names, h->name));
}

/* Where the value of the line that was just added lies. */
static void note_span(struct stored_span *span, const struct text *text, size_t value_len)
{
	if (span->len == 0 && value_len)
		*span = (struct stored_span){ (uint32_t)(text->len - 2 - value_len - sizeof(struct stored_fixed)), (uint32_t)value_len };
}

static struct stored_span *span_of(struct stored_fixed *fixed, enum http_field id)
{
	switch (id) {
#define X(name) case FIELD_##name: return &fixed->name;
	STORED_SPANS(X)
#undef X
	default: return NULL;
	}
}

static void add_kept(struct text *text, struct stored_fixed *fixed, XXH3_state_t *cookies, enum http_field id, struct slice name, struct slice value)
{
	text_add_field(text, name, value);
	struct stored_span *span = span_of(fixed, id);
	if (span)
		note_span(span, text, value.len);
	if (id == FIELD_set_cookie) {
		fixed->has_set_cookie = 1;
		XXH3_64bits_update(cookies, value.ptr, value.len);
		XXH3_64bits_update(cookies, "", 1);
	}
}

static struct slice finish_kept(struct text *text, struct stored_fixed *fixed, XXH3_state_t *cookies, struct slice spec)
{
	fixed->block_len = (uint32_t)(text->len - sizeof(*fixed));
	fixed->spec_len = (uint32_t)spec.len;
	text_add(text, spec);
	if (text->overflowed)
		return (struct slice){ NULL, 0 };
	fixed->magic = STORED_MAGIC;
	fixed->cookie_hash = fixed->has_set_cookie ? XXH3_64bits_digest(cookies) | 1 : 0;
	memcpy(text->ptr, fixed, sizeof(*fixed));
	return text_slice(text);
}

struct slice stored_build(struct arena *arena, const struct http_head *head, const struct cache_control *cc, bool to_store, struct slice spec)
{
	struct stored_fixed fixed = { .is_public = cc->public_ || cc->s_maxage >= 0 };
	struct text text;
	size_t expected = sizeof(fixed) + spec.len;
	XXH3_state_t cookies;

	XXH3_64bits_reset(&cookies);
	for (size_t i = 0; i < head->header_count; i++)
		expected += head->headers[i].name.len + head->headers[i].value.len + 4;
	text_init(&text, arena, expected);
	text_add(&text, slice_make((const char *)&fixed, sizeof(fixed)));
	for (size_t i = 0; i < head->header_count; i++) {
		const struct http_header *h = &head->headers[i];
		/* The Content-Range of a part is written anew for each answer. */
		if (is_kept(h, cc, to_store) && !(to_store && head->status == 206 && h->id == FIELD_content_range))
			add_kept(&text, &fixed, &cookies, (enum http_field)h->id, h->name, h->value);
	}
	return finish_kept(&text, &fixed, &cookies, spec);
}

struct store_key part_key_beside(struct store_key key)
{
	return (struct store_key){ ~key.hi, key.lo };
}

struct store_key coded_key_beside(struct store_key key, enum coding coding)
{
	return (struct store_key){ key.hi ^ UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)coding, ~key.lo };
}

size_t stored_keys_beside(struct store_key key, struct store_key *keys)
{
	size_t count = 0;

	keys[count++] = part_key_beside(key);
	for (int coding = CODING_identity + 1; coding < CODING_COUNT; coding++)
		keys[count++] = coded_key_beside(key, (enum coding)coding);
	return count;
}
_Static_assert((int)CODING_COUNT <= (int)STORE_BESIDE_MAX, "a part, and the forms");

void stored_drop(struct volume *volume, struct store_key key)
{
	struct store_key keys[STORE_BESIDE_MAX];
	size_t count = stored_keys_beside(key, keys);

	volume_drop(volume, key, NULL);
	for (size_t i = 0; i < count; i++)
		volume_drop(volume, keys[i], NULL);
}

void stored_set_part(struct slice kept, uint64_t from, uint64_t total)
{
	char *at = (char *)(uintptr_t)kept.ptr;

	memcpy(at + offsetof(struct stored_fixed, from), &from, sizeof(from));
	memcpy(at + offsetof(struct stored_fixed, total), &total, sizeof(total));
}

void stored_set_slice(struct slice kept, uint32_t size)
{
	memcpy((char *)(uintptr_t)kept.ptr + offsetof(struct stored_fixed, slice), &size, sizeof(size));
}

bool stored_part_fits(const struct stored_view *view, uint64_t body_size)
{
	uint64_t from = view->fixed.from, total = view->fixed.total;

	return body_size > 0 && body_size < UINT64_MAX - from && (total == UINT64_MAX || from + body_size <= total);
}

bool stored_next_field(struct slice block, size_t *pos, struct slice *ret_name, struct slice *ret_value)
{
	if (*pos >= block.len)
		return false;
	const char *line = block.ptr + *pos;
	const char *end = memchr(line, '\n', block.len - *pos);
	const char *colon = end ? memchr(line, ':', (size_t)(end - line)) : NULL;
	if (!end || !colon || end - colon < 3 || end[-1] != '\r')
		return false;
	*pos = (size_t)(end + 1 - block.ptr);
	*ret_name = slice_make(line, (size_t)(colon - line));
	*ret_value = slice_make(colon + 2, (size_t)(end - 1 - (colon + 2)));
	return true;
}

/* Fields that describe the stored body: a 304 must not change them (RFC 9111 section 3.2). */
static bool describes_body(enum http_field id)
{
	return id == FIELD_content_length || id == FIELD_content_encoding || id == FIELD_content_range || id == FIELD_content_type;
}

static bool replaces(const struct http_head *fresh, struct slice name)
{
	for (size_t i = 0; i < fresh->header_count; i++) {
		const struct http_header *h = &fresh->headers[i];
		if (!h->dropped && !describes_body((enum http_field)h->id) && slice_eq_nocase(h->name, name))
			return true;
	}
	return false;
}

struct slice stored_update(struct arena *arena, const struct stored_view *old, const struct http_head *fresh,
	struct slice targeted)
{
	struct stored_fixed fixed = { .from = old->fixed.from, .total = old->fixed.total, .slice = old->fixed.slice };
	struct cache_control cc;
	struct text text;
	struct slice name, value;
	XXH3_state_t cookies;

	XXH3_64bits_reset(&cookies);
	cache_control_effective(fresh, targeted, &cc);
	text_init(&text, arena, old->block.len + old->spec.len + sizeof(fixed) + 512);
	text_add(&text, slice_make((const char *)&fixed, sizeof(fixed)));
	for (size_t pos = 0; stored_next_field(old->block, &pos, &name, &value);)
		if (!replaces(fresh, name))
			add_kept(&text, &fixed, &cookies, http_field_find(name), name, value);
	for (size_t i = 0; i < fresh->header_count; i++) {
		const struct http_header *h = &fresh->headers[i];
		if (is_kept(h, &cc, true) && !describes_body((enum http_field)h->id))
			add_kept(&text, &fixed, &cookies, (enum http_field)h->id, h->name, h->value);
	}
	if (!http_header_get(fresh, FIELD_cache_control))
		fixed.is_public = old->fixed.is_public;
	else
		fixed.is_public = cc.public_ || cc.s_maxage >= 0;
	return finish_kept(&text, &fixed, &cookies, old->spec);
}

bool stored_read(struct slice kept, struct stored_view *view)
{
	if (kept.len < sizeof(view->fixed))
		return false;
	memcpy(&view->fixed, kept.ptr, sizeof(view->fixed));
	if (view->fixed.magic != STORED_MAGIC || (uint64_t)view->fixed.block_len + view->fixed.spec_len != kept.len - sizeof(view->fixed))
		return false;
	view->block = slice_make(kept.ptr + sizeof(view->fixed), view->fixed.block_len);
	view->spec = slice_make(view->block.ptr + view->block.len, view->fixed.spec_len);
#define X(name) \
	if ((uint64_t)view->fixed.name.off + view->fixed.name.len > view->block.len) return false; \
	view->name = slice_make(view->block.ptr + view->fixed.name.off, view->fixed.name.len);
	STORED_SPANS(X)
#undef X
	return true;
}

struct slice stored_lifetime_by(uint32_t flags)
{
	static const struct slice names[16] = {
#define LIFETIME(name) { #name, sizeof(#name) - 1 },
		LIFETIMES(LIFETIME)
#undef LIFETIME
	};
	uint32_t by = flags >> STORED_LIFETIME_SHIFT;

	return by == LIFETIME_none ? (struct slice){ NULL, 0 } : names[by];
}

struct cache_object stored_rules(const struct object_meta *meta)
{
	return (struct cache_object){
		.stored_us = meta->stored_us, .age_base_us = meta->age_base_us, .lifetime_us = meta->lifetime_us,
		.stale_while_us = meta->stale_while_us, .stale_error_us = meta->stale_error_us,
		.must_revalidate = meta->flags & STORED_MUST_REVALIDATE, .no_cache = meta->flags & STORED_NO_CACHE,
		.shareable_auth = meta->flags & STORED_SHAREABLE_AUTH,
	};
}

struct slice stored_block_304(struct arena *arena, struct slice block)
{
	struct text text;
	struct slice name, value;

	text_init(&text, arena, block.len);
	for (size_t pos = 0; stored_next_field(block, &pos, &name, &value);)
		switch (http_field_find(name)) {
		case FIELD_content_type: case FIELD_content_encoding: case FIELD_content_range: case FIELD_content_length:
		case FIELD_last_modified:
			break;
		default:
			text_add_field(&text, name, value);
		}
	return text_slice(&text);
}

static bool index_line(struct slice text, size_t *pos, char kind, struct slice *ret_line)
{
	while (*pos < text.len) {
		const char *line = text.ptr + *pos;
		const char *end = memchr(line, '\n', text.len - *pos);
		if (!end || end - line < 2)
			return false;
		*pos = (size_t)(end + 1 - text.ptr);
		*ret_line = slice_make(line + 2, (size_t)(end - line - 2));
		if (line[0] == kind)
			return true;
	}
	return false;
}

bool vary_index_next_spec(struct vary_index index, size_t *pos, struct slice *ret_spec)
{
	return index_line(index.text, pos, 'S', ret_spec);
}

static bool key_from_hex(struct slice text, struct store_key *ret_key)
{
	uint64_t half[2] = { 0, 0 };

	if (text.len != 32)
		return false;
	for (size_t i = 0; i < 32; i++) {
		char c = text.ptr[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		if (digit < 0)
			return false;
		half[i / 16] = half[i / 16] << 4 | (unsigned)digit;
	}
	*ret_key = (struct store_key){ half[0], half[1] };
	return true;
}

size_t vary_index_keys(struct slice text, struct store_key *keys, size_t room)
{
	struct slice line;
	size_t count = 0;

	for (size_t pos = 0; count < room && index_line(text, &pos, 'V', &line);)
		count += key_from_hex(line, &keys[count]);
	return count;
}

static void index_add_line(struct text *text, const char *kind, struct slice value)
{
	text_add(text, slice_make(kind, 2));
	text_add(text, value);
	text_add(text, SLICE("\n"));
}

bool vary_index_next_language(struct vary_index index, size_t *pos, struct slice language, struct slice *ret_values)
{
	struct slice line;

	while (index_line(index.text, pos, 'L', &line)) {
		const char *space = memchr(line.ptr, ' ', line.len);
		if (!space || !slice_eq_nocase(slice_make(line.ptr, (size_t)(space - line.ptr)), language))
			continue;
		*ret_values = slice_make(space + 1, (size_t)(line.ptr + line.len - space - 1));
		return true;
	}
	return false;
}

/* Old lines of a kind, but for one, as many as fit. */
static void index_keep(struct text *text, struct vary_index old, char kind, struct slice but, size_t room, bool *ret_had)
{
	char mark[2] = { kind, ' ' };
	struct slice line;

	*ret_had = false;
	for (size_t pos = 0; index_line(old.text, &pos, kind, &line);) {
		if (slice_eq(line, but))
			*ret_had = true;
		else if (room > 0 && room--)
			index_add_line(text, mark, line);
	}
}

struct slice vary_index_add(struct arena *arena, struct vary_index old, const struct vary_variant *variant, size_t variants_max,
	struct store_key *ret_evicted, bool *ret_has_evicted, bool *ret_changed)
{
	char hex[33];
	struct slice line, key = { hex, 32 }, language = { NULL, 0 };
	struct text text;
	bool had_spec, had_variant, had_language = true;
	size_t variants = 0;

	snprintf(hex, sizeof(hex), "%016llx%016llx", (unsigned long long)variant->key.hi, (unsigned long long)variant->key.lo);
	text_init(&text, arena, old.text.len + variant->spec.len + variant->language.len + variant->values.len + 64);
	index_add_line(&text, "S ", variant->spec);
	index_keep(&text, old, 'S', variant->spec, VARY_SPECS_MAX - 1, &had_spec);
	index_add_line(&text, "V ", key);
	index_keep(&text, old, 'V', key, variants_max - 1, &had_variant);
	if (variant->language.len)
		language = arena_printf(arena, "%.*s %.*s", SLICE_ARG(variant->language), SLICE_ARG(variant->values));
	if (language.len)
		index_add_line(&text, "L ", language);
	index_keep(&text, old, 'L', language, variants_max - (language.len > 0), &had_language);
	*ret_has_evicted = false;
	for (size_t pos = 0; index_line(old.text, &pos, 'V', &line);)
		if (!slice_eq(line, key) && ++variants > variants_max - 1)
			*ret_has_evicted = key_from_hex(line, ret_evicted);
	*ret_changed = !had_spec || !had_variant || (language.len && !had_language) || !slice_eq(text_slice(&text), old.text);
	return text_slice(&text);
}
