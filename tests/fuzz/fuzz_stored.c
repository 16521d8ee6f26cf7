/* Any bytes as the kept head of a stored answer, or as a list of variants: refused, or of values that lie within, that a 304
 * can be joined with, and that keep their place in a whole. The magic number would keep the fuzzer out of the rest, so each
 * input is also tried with the right one, and with lengths that fit. */
#include "../../conf/check.h"
#include "../../proxyd/stored.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEYS_MAX = 100, BLOCK_MAX = 4096 };

static struct arena arena;

static void spans_check(struct slice kept, const struct stored_view *view)
{
	CHECK(view->block.ptr >= kept.ptr && view->spec.ptr + view->spec.len == kept.ptr + kept.len);
#define X(name) CHECK(view->name.ptr >= view->block.ptr && view->name.ptr + view->name.len <= view->block.ptr + view->block.len);
	STORED_SPANS(X)
#undef X
}

static void part_check(const struct stored_view *view, uint64_t size)
{
	uint64_t from = view->fixed.from, total = view->fixed.total;

	if (!stored_part_fits(view, size))
		return;
	CHECK(from + size > from && from + size - 1 < total);
}

static void update_check(const struct stored_view *old, const struct http_head *fresh)
{
	struct stored_view view;
	struct slice kept = stored_update(&arena, old, fresh, SLICE("CDN-Cache-Control")), name, value;
	size_t pos = 0, fields = 0;

	if (!kept.len)
		return;
	CHECK(stored_read(kept, &view));
	spans_check(kept, &view);
	CHECK(view.fixed.from == old->fixed.from && view.fixed.total == old->fixed.total && view.fixed.slice == old->fixed.slice);
	CHECK(slice_eq(view.spec, old->spec) && slice_eq(view.etag, SLICE("\"new\"")));
	while (stored_next_field(view.block, &pos, &name, &value))
		fields++;
	CHECK(pos == view.block.len && fields > 0);
}

static void head_try(struct slice kept)
{
	static const char text[] = "HTTP/1.1 304 X\r\nETag: \"new\"\r\nContent-Range: bytes 0-1/2\r\nCache-Control: max-age=1\r\n\r\n";
	static const struct http_limits limits = { 4096, 16384, 8 };
	static const uint64_t sizes[] = { 0, 1, 4096, UINT64_MAX - 1, UINT64_MAX };
	struct http_header headers[8];
	struct http_head fresh;
	struct stored_view view;
	enum refusal refusal;

	if (!stored_read(kept, &view))
		return;
	spans_check(kept, &view);
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		part_check(&view, sizes[i]);
	CHECK(http_parse_response(text, sizeof(text) - 1, 0, &limits, METHOD_GET, headers, &fresh, &refusal) > 0);
	arena_init(&arena);
	update_check(&view, &fresh);
	stored_block_304(&arena, view.block);
	arena_release(&arena);
}

static void index_try(struct slice text)
{
	struct store_key keys[KEYS_MAX];
	struct vary_index index = { text };
	struct slice spec, values;

	CHECK(vary_index_keys(text, keys, KEYS_MAX) <= KEYS_MAX);
	for (size_t pos = 0, before = 0; vary_index_next_spec(index, &pos, &spec); before = pos)
		CHECK(pos > before && pos <= text.len);
	for (size_t pos = 0; vary_index_next_language(index, &pos, SLICE("de"), &values);)
		CHECK(pos <= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stored_fixed fixed;

	if (size > BLOCK_MAX)
		return 0;
	char *bytes = must(malloc(size + 1));
	memcpy(bytes, data, size);
	head_try(slice_make(bytes, size));
	index_try(slice_make(bytes, size));
	if (size >= sizeof(fixed)) {
		memcpy(&fixed, bytes, sizeof(fixed));
		fixed.magic = STORED_MAGIC;
		fixed.spec_len %= (uint32_t)(size - sizeof(fixed) + 1);
		fixed.block_len = (uint32_t)(size - sizeof(fixed)) - fixed.spec_len;
#define X(name) \
		fixed.name.off %= fixed.block_len + 1; \
		fixed.name.len %= fixed.block_len - fixed.name.off + 1;
		STORED_SPANS(X)
#undef X
		memcpy(bytes, &fixed, sizeof(fixed));
		head_try(slice_make(bytes, size));
	}
	free(bytes);
	return 0;
}
