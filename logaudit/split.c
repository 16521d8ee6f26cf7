/* Splitting: a scanner over the bytes that mean something, and libcsv for what is odd. */
#include <csv.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "../conf/check.h"
#include "split.h"

const struct reject_row reject_rows[REJECT_COUNT] = {
#define REJECT(name, doc) { #name, doc },
#include "tbl/rejects.h"
#undef REJECT
};

struct splitter {
	struct csv_parser csv;
	struct slice *fields;            /* during one call */
	size_t count;
	size_t used;
	char text[LOG_LINE_MAX];         /* what libcsv unquoted */
};

struct splitter *splitter_new(void)
{
	struct splitter *s = must(calloc(1, sizeof(*s)));

	CHECK(csv_init(&s->csv, CSV_STRICT | CSV_STRICT_FINI) == 0);
	return s;
}

void splitter_free(struct splitter **splitter)
{
	if (!*splitter) return;
	csv_free(&(*splitter)->csv);
	free(*splitter);
	*splitter = NULL;
}

/* ---- libcsv ---- */

static void on_field(void *text, size_t len, void *arg)
{
	struct splitter *s = arg;

	CHECK(len <= sizeof(s->text) - s->used);
	if (len) memcpy(s->text + s->used, text, len);
	if (s->count < FIELDS_MAX) s->fields[s->count] = slice_make(s->text + s->used, len);
	s->count++;
	s->used += len;
}

static void on_row(int end, void *arg)
{
	(void)end;
	(void)arg;
}

static bool has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return true;
	return false;
}

enum reject split_by_libcsv(struct splitter *s, struct slice text, struct slice fields[FIELDS_MAX], size_t *ret_count)
{
	enum reject result = REJECT_none;

	if (has_control(text)) return REJECT_control_byte;
	s->fields = fields;
	s->count = s->used = 0;
	if (csv_parse(&s->csv, text.ptr, text.len, on_field, on_row, s) != text.len) result = REJECT_bad_quote;
	else if (csv_fini(&s->csv, on_field, on_row, s) != 0) result = REJECT_open_quote;
	if (result != REJECT_none) {
		/* What is left of this line must not begin the next one. */
		csv_free(&s->csv);
		CHECK(csv_init(&s->csv, CSV_STRICT | CSV_STRICT_FINI) == 0);
		return result;
	}
	if (s->count > FIELDS_MAX) return REJECT_field_count;
	*ret_count = s->count;
	return REJECT_none;
}

/* ---- the scanner ---- */

enum { BLOCK = 16 };

/* Bits of the bytes that are commas, quotes or control bytes. */
static inline unsigned block_marks(const char *block)
{
#ifdef __SSE2__
	__m128i x = _mm_loadu_si128((const __m128i *)(const void *)block);
	__m128i marks = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x);

	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(x, _mm_set1_epi8(',')));
	marks = _mm_or_si128(marks, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
	return (unsigned)_mm_movemask_epi8(marks);
#else
	unsigned marks = 0;

	for (unsigned i = 0; i < BLOCK; i++) {
		unsigned char c = (unsigned char)block[i];
		marks |= (unsigned)(c < 0x20 || c == 0x7f || c == ',' || c == '"') << i;
	}
	return marks;
#endif
}

enum state { PLAIN, IN_QUOTES, AFTER_QUOTE };
enum scanned { SCAN_done, SCAN_odd, SCAN_control, SCAN_too_many };

struct scan {
	const char *text;
	struct slice *fields;
	size_t count, start, close;      /* start of the field, and its closing quote */
	enum state state;
};

/* The field ends before `pos`. False: odd. libcsv drops blanks around what is not quoted. */
static inline bool scan_field(struct scan *scan, size_t pos)
{
	const char *begin = scan->text + scan->start, *end = scan->text + pos;

	if (scan->state == AFTER_QUOTE) {
		if (scan->close + 1 != pos) return false;
		begin++;
		end--;
	} else {
		while (begin < end && *begin == ' ') begin++;
		while (begin < end && end[-1] == ' ') end--;
	}
	scan->fields[scan->count++] = slice_make(begin, (size_t)(end - begin));
	scan->start = pos + 1;
	scan->state = PLAIN;
	return true;
}

static inline enum scanned scan_mark(struct scan *scan, size_t pos)
{
	char c = scan->text[pos];

	if (__builtin_expect(c == ',', 1)) {
		if (scan->state == IN_QUOTES) return SCAN_done;
		if (scan->count >= FIELDS_MAX - 1) return SCAN_too_many;
		return scan_field(scan, pos) ? SCAN_done : SCAN_odd;
	}
	if (c != '"') return SCAN_control;
	if (scan->state == IN_QUOTES) {
		scan->close = pos;
		scan->state = AFTER_QUOTE;
		return SCAN_done;
	}
	if (scan->state == AFTER_QUOTE || pos != scan->start) return SCAN_odd;
	scan->state = IN_QUOTES;
	return SCAN_done;
}

static enum scanned scan_line(struct scan *scan, size_t len)
{
	char tail[BLOCK] = { 0 };
	size_t full = len / BLOCK * BLOCK;

	memcpy(tail, scan->text + full, len - full);
	for (size_t at = 0; at < len; at += BLOCK) {
		unsigned marks = at < full ? block_marks(scan->text + at) : block_marks(tail) & ((1u << (len - full)) - 1);
		for (; marks; marks &= marks - 1) {
			enum scanned now = scan_mark(scan, at + (unsigned)__builtin_ctz(marks));
			if (now != SCAN_done) return now;
		}
	}
	if (scan->state == IN_QUOTES) return SCAN_odd;
	return scan_field(scan, len) ? SCAN_done : SCAN_odd;
}

enum reject split(struct splitter *s, struct slice text, struct slice fields[FIELDS_MAX], size_t *ret_count)
{
	struct scan scan = { .text = text.len ? text.ptr : "", .fields = fields };

	switch (scan_line(&scan, text.len)) {
	case SCAN_done: break;
	case SCAN_control: return REJECT_control_byte;
	case SCAN_odd:
	case SCAN_too_many: return split_by_libcsv(s, text, fields, ret_count);
	}
	/* A blank line is no row; a line of one empty quoted field is. */
	*ret_count = scan.count == 1 && fields[0].len == 0 && scan.close == 0 ? 0 : scan.count;
	return REJECT_none;
}
