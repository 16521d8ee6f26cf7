/* Scanning and taking against their definitions: three scanners against libcsv, and the fast values against the field by field ones,
 * over lines that are nearly right. Inputs end at an unreadable page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../logaudit/line.h"
#include "../../logaudit/scan.h"
#include "logline_random.h"
#include "page.h"

/* ---- ends of fields ---- */

/* The marks of a plain line must be libcsv's fields. */
static void marks_agree(struct slice text, enum scanned scanned, const struct marks *marks, enum reject why, const struct slice *fields, size_t count)
{
	size_t begin = 0;

	if (scanned == SCAN_odd) return;
	if (scanned == SCAN_control) {
		assert_int_equal(why, REJECT_control_byte);
		return;
	}
	assert_int_equal(why, REJECT_none);
	/* A line of blanks alone is no row to libcsv. */
	if (marks->count == 1 && !slice_trim(text).len) return;
	assert_int_equal(marks->count, count);
	for (size_t i = 0; i < count; i++) {
		struct slice field = slice_make(text.ptr + begin, marks->end[i] - begin);
		field = field.len && *field.ptr == '"' ? slice_make(field.ptr + 1, field.len - 2) : slice_trim(field);
		if (!slice_eq(field, fields[i])) fail_msg("field %d of '%.*s'", (int)i, SLICE_ARG(text));
		begin = marks->end[i] + 1;
	}
}

/* Fields of which most are well made, and now and then a byte that should not be there. */
static size_t make_line(struct random *r, char *out, size_t room)
{
	static const char *const pieces[] = { "a", "bcd", "\"q,q\"", "\"\"", "", "0123456789012345678901234567890123456789", "\"x\"\"y\"", " b ", "\"", "\x01",
		"\"long text, with commas, and more of it than a block has: 0123456789 0123456789 0123456789\"" };
	size_t len = 0, fields = random_below(r, random_below(r, 50) ? 40 : 300), wild = random_below(r, 3);

	for (size_t i = 0; i < fields; i++) {
		const char *piece = pieces[random_below(r, wild ? COUNT_OF(pieces) - 5 : COUNT_OF(pieces))];
		if (len + strlen(piece) + 1 > room) break;
		memcpy(out + len, piece, strlen(piece));
		len += strlen(piece);
		if (i + 1 < fields) out[len++] = ',';
	}
	if (len && random_below(r, 4) == 0) out[random_below(r, len)] = (char)random_next(r);
	return len;
}

static void scanners_split_as_libcsv_does(void **state)
{
	static char out[16384];
	struct splitter *s = splitter_new();
	struct page page = page_new(sizeof(out));
	struct random r = { .state = 64 };
	struct slice fields[FIELDS_MAX];
	static struct marks marks;
	size_t plain = 0, odd = 0;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		size_t len = make_line(&r, out, sizeof(out)), count = 0;
		struct slice text = slice_make(page_put(page, out, len), len);
		enum reject why = split_by_libcsv(s, text, fields, &count);
		enum scanned by_blocks = scan(text, &marks);
		marks_agree(text, by_blocks, &marks, why, fields, count);
		plain += by_blocks == SCAN_plain;
		odd += by_blocks == SCAN_odd;
		assert_int_equal(scan_portable(text, &marks), by_blocks);
		marks_agree(text, by_blocks, &marks, why, fields, count);
	}
	assert_true(plain > 20000 && odd > 5000);
	page_free(&page);
	splitter_free(&s);
}

/* ---- values ---- */

static bool equal_texts(const struct slice *a, const struct slice *b, size_t size)
{
	(void)size;
	return slice_eq(*a, *b);
}

static bool equal_others(const void *a, const void *b, size_t size)
{
	return memcmp(a, b, size) == 0;
}

static const char *first_difference(const struct logline *a, const struct logline *b)
{
#define LOG_FIELD(name, KIND, doc) \
	if (!_Generic(&a->name, const struct slice *: equal_texts, default: equal_others)(&a->name, &b->name, sizeof(a->name))) return #name;
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
	return NULL;
}

/* The definition: libcsv's fields, each taken by itself. */
static bool take_slowly(struct splitter *s, struct slice text, struct logline *line)
{
	struct slice fields[FIELDS_MAX];
	size_t count = 0;

	if (split_by_libcsv(s, text, fields, &count) != REJECT_none || count != LOG_FIELD_COUNT) return false;
	logline_init(line);
	for (int i = 0; i < LOG_FIELD_COUNT; i++)
		if (!logline_take(line, (enum log_field)i, fields[i])) return false;
	return true;
}

static void values_are_those_taken_one_by_one(void **state)
{
	static char out[LOG_LINE_MAX], pool[1 << 20];
	struct splitter *s = splitter_new();
	struct random r = { .state = 7, .pool = pool, .pool_size = sizeof(pool) };
	struct page page = page_new(LOG_LINE_MAX);
	struct line_parser parser;
	struct logline made, fast, slow;
	enum reject why = REJECT_none;
	struct slice column;
	size_t good = 0, bad = 0;

	(void)state;
	line_parser_init(&parser);
	assert_int_equal(line_parse(&parser, slice_make(out, logline_write_header(out) - 1), &fast, &why, &column), LINE_header);
	for (int round = 0; round < 60000; round++) {
		random_logline(&r, &made);
		size_t len = logline_write(&made, out) - 1;
		/* One byte becomes another one that is at home in lines. */
		if (round % 2) out[random_below(&r, len)] = "0179afgAFG-_., \"\\%/:\x7f\x80"[random_below(&r, 22)];
		struct slice text = slice_make(page_put(page, out, len), len);
		parser.state.columns.all_in_order = round & 2;
		bool taken = line_parse(&parser, text, &fast, &why, &column) == LINE_record, is_right = take_slowly(s, text, &slow);
		if (taken != is_right) fail_msg("round %d: %d, not %d: %.*s", round, taken, is_right, (int)len, out);
		const char *name = taken ? first_difference(&fast, &slow) : NULL;
		if (name) fail_msg("round %d: %s differs: %.*s", round, name, (int)len, out);
		good += taken;
		bad += !taken;
	}
	assert_true(good > 30000 && bad > 1000);
	line_parser_release(&parser);
	splitter_free(&s);
	page_free(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scanners_split_as_libcsv_does),
		cmocka_unit_test(values_are_those_taken_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
