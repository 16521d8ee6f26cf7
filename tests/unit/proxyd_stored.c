/* The kept form of an answer's head: what is left out, where the values lie, updates by a 304, damage, Vary indexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../proxyd/stored.h"

static struct arena arena;
static struct http_header headers[64], fresh_headers[64];

static struct http_head parse(const char *text, struct http_header *into)
{
	struct http_head head = { 0 };
	enum refusal refusal;
	struct http_limits limits = { 4096, 16384, 64 };

	assert_true(http_parse_response(text, strlen(text), 0, &limits, METHOD_GET, into, &head, &refusal) > 0);
	return head;
}

static struct slice build(const char *text, bool to_store, struct slice spec)
{
	struct http_head head = parse(text, headers);
	struct cache_control cc;

	cache_control_parse(&head, FIELD_cache_control, &cc);
	return stored_build(&arena, &head, &cc, to_store, spec);
}

static bool block_has(struct slice kept, const char *line)
{
	struct stored_view view;

	assert_true(stored_read(kept, &view));
	return view.block.len && memmem(view.block.ptr, view.block.len, line, strlen(line)) != NULL;
}

static const char ordinary[] =
	"HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Type: text/html\r\nETag: \"abc\"\r\nAge: 7\r\n"
	"Content-Length: 5\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nCache-Control: s-maxage=60\r\nSet-Cookie: a=b\r\n\r\n";

static void leaves_out_what_is_not_kept(void **state)
{
	(void)state;
	arena_init(&arena);
	struct slice kept = build(ordinary, true, SLICE(""));
	assert_true(block_has(kept, "ETag: \"abc\"\r\n"));
	assert_true(block_has(kept, "Date: Tue"));
	assert_false(block_has(kept, "Age:"));
	assert_false(block_has(kept, "Content-Length"));
	assert_false(block_has(kept, "Connection"));
	assert_false(block_has(kept, "X-Hop"));
	assert_false(block_has(kept, "Keep-Alive"));
	kept = build(ordinary, false, SLICE(""));
	assert_true(block_has(kept, "Age: 7\r\n"));         /* an answer that passes keeps its age */
	arena_release(&arena);
}

static void finds_its_values_again(void **state)
{
	struct stored_view view;

	(void)state;
	arena_init(&arena);
	assert_true(stored_read(build(ordinary, true, SLICE("accept-encoding")), &view));
	assert_true(slice_eq(view.etag, SLICE("\"abc\"")));
	assert_true(slice_eq(view.content_type, SLICE("text/html")));
	assert_true(slice_eq(view.cache_control, SLICE("s-maxage=60")));
	assert_true(slice_eq(view.spec, SLICE("accept-encoding")));
	assert_int_equal(view.last_modified.len, 0);
	assert_int_equal(view.fixed.has_set_cookie, 1);
	assert_int_equal(view.fixed.is_public, 1);
	assert_true(view.fixed.cookie_hash != 0);
	arena_release(&arena);
}

static void fields_named_private_are_stripped(void **state)
{
	(void)state;
	arena_init(&arena);
	struct slice kept = build("HTTP/1.1 200 OK\r\nCache-Control: max-age=9, private=\"X-User\"\r\nX-User: me\r\nX-Other: 1\r\n\r\n", true, SLICE(""));
	assert_false(block_has(kept, "X-User: me"));
	assert_true(block_has(kept, "X-Other: 1"));
	arena_release(&arena);
}

static void a_304_replaces_fields_but_not_the_body_s(void **state)
{
	struct stored_view view, after;

	(void)state;
	arena_init(&arena);
	assert_true(stored_read(build(ordinary, true, SLICE("cookie")), &view));
	struct http_head fresh = parse("HTTP/1.1 304 Not Modified\r\nETag: \"abc\"\r\nCache-Control: max-age=5\r\nContent-Type: text/plain\r\nX-New: n\r\n\r\n", fresh_headers);
	struct slice kept = stored_update(&arena, &view, &fresh, SLICE(""));
	assert_true(stored_read(kept, &after));
	assert_true(slice_eq(after.cache_control, SLICE("max-age=5")));
	assert_true(slice_eq(after.content_type, SLICE("text/html")));
	assert_true(slice_eq(after.spec, SLICE("cookie")));
	assert_true(block_has(kept, "X-New: n\r\n"));
	assert_true(block_has(kept, "Date: Tue"));
	assert_int_equal(after.fixed.is_public, 0);
	arena_release(&arena);
}

static void every_damaged_length_is_refused(void **state)
{
	struct stored_view view;

	(void)state;
	arena_init(&arena);
	struct slice kept = build(ordinary, true, SLICE("x"));
	char *copy = test_malloc(kept.len);
	for (size_t len = 0; len < kept.len; len++) {
		memcpy(copy, kept.ptr, kept.len);
		assert_false(stored_read(slice_make(copy, len), &view));
	}
	/* Any byte of the fixed part may be damaged: whatever is accepted stays inside the bytes. */
	for (size_t i = 0; i < sizeof(struct stored_fixed); i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, kept.ptr, kept.len);
			copy[i] = (char)(copy[i] ^ (1 << bit));
			if (!stored_read(slice_make(copy, kept.len), &view))
				continue;
#define X(name) assert_true(view.name.len <= view.block.len);
			STORED_SPANS(X)
#undef X
		}
	test_free(copy);
	arena_release(&arena);
}

static void a_304_block_has_no_fields_of_a_body(void **state)
{
	struct stored_view view;

	(void)state;
	arena_init(&arena);
	assert_true(stored_read(build(ordinary, true, SLICE("")), &view));
	struct slice block = stored_block_304(&arena, view.block);
	assert_true(memmem(block.ptr, block.len, "ETag", 4) != NULL);
	assert_true(memmem(block.ptr, block.len, "Content-Type", 12) == NULL);
	arena_release(&arena);
}

static void an_index_keeps_the_newest_specs_and_variants(void **state)
{
	struct vary_index index = { { "", 0 } };
	struct store_key evicted;
	struct slice spec;
	bool has_evicted, changed;
	size_t count = 0;

	(void)state;
	arena_init(&arena);
	for (unsigned i = 0; i < 20; i++) {
		char name[16];
		snprintf(name, sizeof(name), "spec%u", i);
		struct vary_variant variant = { .spec = arena_copy(&arena, slice_str(name)), .key = { i, i } };
		index.text = vary_index_add(&arena, index, &variant, 4, &evicted, &has_evicted, &changed);
		assert_true(changed);
		assert_int_equal(has_evicted, i >= 4);
		if (has_evicted)
			assert_int_equal(evicted.hi, i - 4);
	}
	for (size_t pos = 0; vary_index_next_spec(index, &pos, &spec);)
		if (count++ == 0)
			assert_true(slice_eq(spec, SLICE("spec19")));
	assert_int_equal(count, VARY_SPECS_MAX);
	struct vary_variant last = { .spec = SLICE("spec19"), .key = { 19, 19 } };
	struct slice same = vary_index_add(&arena, index, &last, 4, &evicted, &has_evicted, &changed);
	assert_false(changed);
	assert_true(slice_eq(same, index.text));
	arena_release(&arena);
}

static void an_index_knows_which_values_got_which_language(void **state)
{
	struct vary_index index = { { "", 0 } };
	struct vary_variant variants[] = {
		{ SLICE("accept-language"), { 1, 1 }, SLICE("de"), SLICE("en,de") }, { SLICE("accept-language"), { 2, 2 }, SLICE("fr"), SLICE("fr") },
		{ SLICE("cookie"), { 3, 3 }, { NULL, 0 }, { NULL, 0 } }, { SLICE("accept-language"), { 4, 4 }, SLICE("de"), SLICE("de,fr;q=0.5") },
	};
	struct store_key evicted;
	struct slice values;
	bool has_evicted, changed;
	size_t pos = 0;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < COUNT_OF(variants); i++) {
		index.text = vary_index_add(&arena, index, &variants[i], 8, &evicted, &has_evicted, &changed);
		assert_true(changed && !has_evicted);
	}
	assert_true(vary_index_next_language(index, &pos, SLICE("DE"), &values));
	assert_true(slice_eq(values, SLICE("de,fr;q=0.5")));
	assert_true(vary_index_next_language(index, &pos, SLICE("DE"), &values));
	assert_true(slice_eq(values, SLICE("en,de")));
	assert_false(vary_index_next_language(index, &pos, SLICE("DE"), &values));
	pos = 0;
	assert_false(vary_index_next_language(index, &pos, SLICE("d"), &values));
	arena_release(&arena);
}

static void an_arena_overflows_once_and_for_all(void **state)
{
	struct text text;

	(void)state;
	arena_init(&arena);
	assert_null(arena_alloc(&arena, ARENA_MAX + 1));
	assert_true(arena.overflowed);
	arena_release(&arena);
	text_init(&text, &arena, 8);
	for (int i = 0; i < 100000; i++)
		text_add(&text, SLICE("0123456789"));
	assert_true(text.len == 1000000 || text.overflowed);
	arena_release(&arena);
	assert_false(arena.overflowed);
}

static void a_part_keeps_its_place_and_not_its_range(void **state)
{
	struct stored_view view;

	(void)state;
	arena_init(&arena);
	struct slice kept = build("HTTP/1.1 206 Partial\r\nETag: \"a\"\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n", true, SLICE("foo"));
	stored_set_part(kept, 5, 10);
	stored_set_slice(kept, 4096);
	assert_true(stored_read(kept, &view));
	assert_false(block_has(kept, "Content-Range"));      /* written anew for each answer */
	struct http_head fresh = parse("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Range: bytes 0-1/2\r\nX: 1\r\n\r\n", fresh_headers);
	kept = stored_update(&arena, &view, &fresh, SLICE(""));
	assert_true(stored_read(kept, &view));
	assert_true(view.fixed.from == 5 && view.fixed.total == 10 && view.fixed.slice == 4096);
	assert_true(slice_eq(view.spec, SLICE("foo")));
	assert_false(block_has(kept, "Content-Range"));
	assert_true(stored_part_fits(&view, 5));
	assert_false(stored_part_fits(&view, 6));            /* more than the whole */
	assert_false(stored_part_fits(&view, 0));
	assert_false(stored_part_fits(&view, UINT64_MAX));   /* of no known length */
	view.fixed.total = UINT64_MAX;
	assert_true(stored_part_fits(&view, 6));
	view.fixed.from = UINT64_MAX - 6;
	assert_false(stored_part_fits(&view, 6));            /* an end beyond all numbers */
	assert_true(stored_part_fits(&view, 5));
	kept = build("HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\n\r\n", false, SLICE(""));
	assert_true(block_has(kept, "Content-Range: bytes 5-9/10\r\n"));   /* one that passes keeps it */
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_out_what_is_not_kept),
		cmocka_unit_test(finds_its_values_again),
		cmocka_unit_test(a_part_keeps_its_place_and_not_its_range),
		cmocka_unit_test(fields_named_private_are_stripped),
		cmocka_unit_test(a_304_replaces_fields_but_not_the_body_s),
		cmocka_unit_test(every_damaged_length_is_refused),
		cmocka_unit_test(a_304_block_has_no_fields_of_a_body),
		cmocka_unit_test(an_index_keeps_the_newest_specs_and_variants),
		cmocka_unit_test(an_index_knows_which_values_got_which_language),
		cmocka_unit_test(an_arena_overflows_once_and_for_all),
	};
	return cmocka_run_group_tests_name("stored", tests, NULL, NULL);
}
