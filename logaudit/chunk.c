/* Chunks: lines to records, header lines and rejects. */
#include "../conf/check.h"
#include "chunk.h"

/* Texts that would not outlive their line: blocks that do not move. */
enum { TEXTS_BLOCK = 64 * 1024 };
struct texts { struct texts *next; size_t used; char bytes[TEXTS_BLOCK]; };

void chunk_init(struct chunk *chunk)
{
	*chunk = (struct chunk){ 0 };
}

static void texts_release(struct chunk *chunk)
{
	while (chunk->texts) {
		struct texts *next = chunk->texts->next;
		free(chunk->texts);
		chunk->texts = next;
	}
}

void chunk_release(struct chunk *chunk)
{
	texts_release(chunk);
	free(chunk->room);
	free(chunk->lines);
	free(chunk->traits);
	free(chunk->turns);
	*chunk = (struct chunk){ 0 };
}

static void chunk_empty(struct chunk *chunk)
{
	chunk->count = chunk->turn_count = 0;
	chunk->numbers = 0;
	chunk->left_out = 0;
	chunk->newer = false;
	for (int i = 0; i < REJECT_COUNT; i++) chunk->rejects[i].count = 0;
	texts_release(chunk);
}

/* ---- texts ---- */

static struct slice texts_keep(struct chunk *chunk, struct slice text, struct slice within)
{
	struct texts *texts = chunk->texts;

	if (!text.len || (text.ptr >= within.ptr && text.ptr + text.len <= within.ptr + within.len)) return text;
	if (!texts || TEXTS_BLOCK - texts->used < text.len) {
		CHECK(text.len <= TEXTS_BLOCK);
		texts = must(malloc(sizeof(*texts)));
		texts->next = chunk->texts;
		texts->used = 0;
		chunk->texts = texts;
	}
	memcpy(texts->bytes + texts->used, text.ptr, text.len);
	texts->used += text.len;
	return slice_make(texts->bytes + texts->used - text.len, text.len);
}

static void keep_text(struct chunk *chunk, struct slice *text, struct slice within)
{
	*text = texts_keep(chunk, *text, within);
}

static void keep_other(struct chunk *chunk, void *value, struct slice within)
{
	(void)chunk, (void)value, (void)within;
}

/* What the parser made of the line must outlive the parser's next one. */
static void line_keep(struct chunk *chunk, struct logline *line, struct slice within)
{
#define LOG_FIELD(name, KIND, doc) _Generic(&line->name, struct slice *: keep_text, default: keep_other)(chunk, &line->name, within);
#include "../conf/tbl/log_fields.h"
#undef LOG_FIELD
}

/* ---- lines ---- */

static struct parsed *line_room(struct chunk *chunk)
{
	if (chunk->count == chunk->cap) {
		chunk->cap = chunk->cap ? 2 * chunk->cap : 64;
		chunk->lines = must(realloc(chunk->lines, chunk->cap * sizeof(*chunk->lines)));
		chunk->traits = must(realloc(chunk->traits, chunk->cap / 64 * sizeof(*chunk->traits)));
	}
	return &chunk->lines[chunk->count];
}

static void take_record(struct chunk *chunk, struct parsed *parsed)
{
	struct traits *traits = &chunk->traits[chunk->count / 64];

	facts_find(&parsed->line, &parsed->facts);
	parsed->number = chunk->numbers;
	if (chunk->count % 64 == 0) *traits = (struct traits){ 0 };
	for (uint32_t left = parsed->facts.traits; left; left &= left - 1) traits->has[__builtin_ctz(left)] |= UINT64_C(1) << chunk->count % 64;
	chunk->count++;
}

static void take_turn(struct chunk *chunk, const struct columns *columns)
{
	if (chunk->turn_count == chunk->turn_cap) {
		chunk->turn_cap = chunk->turn_cap ? 2 * chunk->turn_cap : 4;
		chunk->turns = must(realloc(chunk->turns, chunk->turn_cap * sizeof(*chunk->turns)));
	}
	chunk->turns[chunk->turn_count++] = (struct turn){ .at = chunk->count, .number = chunk->numbers, .columns = *columns };
}

static void take_reject(struct chunk *chunk, enum reject why, struct slice detail, struct slice within)
{
	struct chunk_rejects *r = &chunk->rejects[why];

	if (r->count < EVIDENCE_MAX) r->numbers[r->count] = chunk->numbers;
	if (r->count == 0) r->example = slice_make(NULL, 0);
	if (!r->example.len && detail.len) r->example = texts_keep(chunk, detail, within);
	r->count++;
}

/* False: read no further. */
static bool take_line(struct chunk *chunk, struct line_parser *parser, struct slice text, const char *limit, enum reject trouble)
{
	struct slice column = { NULL, 0 };
	enum reject why = trouble;
	struct parsed *parsed = line_room(chunk);
	enum line_kind kind = LINE_rejected;

	if (trouble == REJECT_none) kind = line_parse_within(parser, text, limit, &parsed->line, &why, &column);
	switch (kind) {
	case LINE_record:
		if (chunk->filter && !filter_passes(chunk->filter, &parsed->line)) {
			chunk->left_out++;
			break;
		}
		if (!parser->plain) line_keep(chunk, &parsed->line, text);
		take_record(chunk, parsed);
		break;
	case LINE_header: take_turn(chunk, &parser->state.columns); break;
	case LINE_rejected: take_reject(chunk, why, column, text); break;
	case LINE_newer:
		chunk->newer = true;
		if (why != REJECT_none) take_reject(chunk, why, column, text);
		break;
	}
	chunk->numbers++;
	return kind != LINE_newer;
}

bool chunk_line(const struct chunk *chunk, const char **at, struct slice *ret_text, enum reject *ret_trouble)
{
	const char *end = chunk->text.ptr + chunk->text.len, *newline;

	if (*at == end) return false;
	newline = memchr(*at, '\n', (size_t)(end - *at));
	*ret_text = slice_make(*at, (size_t)((newline ? newline : end) - *at));
	*ret_trouble = ret_text->len >= LOG_LINE_MAX ? REJECT_too_long : newline || !chunk->cut ? REJECT_none : REJECT_no_newline;
	*at = newline ? newline + 1 : end;
	return true;
}

void chunk_parse(struct chunk *chunk, struct line_parser *parser, const char *limit)
{
	const char *at = chunk->text.ptr;
	struct slice text;
	enum reject trouble;

	chunk_empty(chunk);
	chunk->before = parser->state;
	while (chunk_line(chunk, &at, &text, &trouble) && take_line(chunk, parser, text, limit, trouble)) continue;
	chunk->after = parser->state;
}

void chunk_parse_one(struct chunk *chunk, struct line_parser *parser, struct slice text, enum reject trouble)
{
	chunk_empty(chunk);
	chunk->before = parser->state;
	take_line(chunk, parser, text, text.ptr + text.len, trouble);
	chunk->after = parser->state;
}
