/* The log line: what each kind looks like, what is no value of it, and that a line says what the record said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "logline_random.h"
#include "page.h"

#define FULL UINT64_C(18446744073709551615)

static const struct { uint64_t value; const char *text; } decimals[] = {
	{ 0, "0" }, { 7, "7" }, { 9, "9" }, { 10, "10" }, { 11, "11" }, { 99, "99" }, { 100, "100" }, { 999, "999" }, { 1000, "1000" },
	{ 9999, "9999" }, { 10000, "10000" }, { 65535, "65535" }, { 999999, "999999" }, { 4294967295u, "4294967295" },
	{ UINT64_C(9999999999999999), "9999999999999999" }, { UINT64_C(10000000000000000), "10000000000000000" },
	{ UINT64_C(9999999999999999999), "9999999999999999999" }, { UINT64_C(10000000000000000000), "10000000000000000000" },
	{ FULL, "18446744073709551615" },
};

static void numbers_are_decimal(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(decimals); i++) {
		uint64_t back = 1;
		size_t len = (size_t)(logval_put_U64(out, decimals[i].value) - out);
		assert_int_equal(len, strlen(decimals[i].text));
		assert_memory_equal(out, decimals[i].text, len);
		assert_true(logval_take_U64(slice_make(out, len), &back));
		assert_true(back == decimals[i].value);
	}
	for (uint64_t power = 1, n = 0; n < 20; n++, power *= 10) {
		for (int64_t off = -1; off <= 1; off++) {
			uint64_t back = 0, value = power + (uint64_t)off;
			size_t len = (size_t)(logval_put_U64(out, value) - out);
			assert_true(logval_take_U64(slice_make(out, len), &back) && back == value);
			assert_true(len == 1 || out[0] != '0');
		}
	}
}

/* KIND, text, whether it is one, why */
#define NO_VALUE_ROWS(ROW) \
	ROW(U64, "", "empty") ROW(U64, "-1", "negative") ROW(U64, "+1", "a sign") ROW(U64, " 1", "a blank") ROW(U64, "1 ", "a blank") \
	ROW(U64, "1a", "a letter") ROW(U64, "0x1", "hexadecimal") ROW(U64, "1.0", "a point") ROW(U64, "18446744073709551616", "one too many") \
	ROW(U64, "99999999999999999999", "20 digits, too large") ROW(U64, "000000000000000000001", "21 digits") \
	ROW(I64, "-1", "a sign") ROW(I64, "9223372036854775808", "too large") ROW(I64, "x", "a letter") \
	ROW(BOOL, "", "empty") ROW(BOOL, "2", "neither") ROW(BOOL, "true", "a word") ROW(BOOL, "01", "two digits") \
	ROW(HEX64, "1", "too short") ROW(HEX64, "0123456789abcdeg", "no digit") ROW(HEX64, "0123456789abcdef0", "too long") \
	ROW(WORD, "a b", "a blank") ROW(WORD, "a,b", "a comma") ROW(WORD, "a\"b", "a quote") ROW(WORD, "a\\b", "a backslash") ROW(WORD, "\xc3\xa9", "not ASCII") \
	ROW(STR, "a\tb", "a raw control byte") ROW(STR, "\x7f", "DEL") ROW(STR, "0123456789abcdef0123456789\x01", "a control byte behind 16") \
	ROW(RECORD, "", "has no row none") ROW(RECORD, "REQ", "upper case") ROW(RECORD, "request", "no row") ROW(VERDICT, "hit ", "a blank") \
	ROW(VERDICT, "hi", "half a name") ROW(VERDICT, "hit_", "more than a name") ROW(END, "", "has no row none") ROW(FOUND, "x", "no row") \
	ROW(TIER, "Ram", "upper case") ROW(NOSTORE, "no-store", "other words") ROW(REFUSAL, "0", "a number")

static void what_is_no_value_is_refused(void **state)
{
	struct page page = page_new(4096);

	(void)state;
#define ROW(KIND, literal, why) do { \
		LOG_TYPE_##KIND value, before; \
		memset(&value, 0x5a, sizeof(value)); \
		memcpy(&before, &value, sizeof(value)); \
		if (logval_take_##KIND(slice_make(page_put(page, literal, sizeof(literal) - 1), sizeof(literal) - 1), &value)) \
			fail_msg(#KIND " took '%s': %s", literal, why); \
		assert_memory_equal(&value, &before, sizeof(value)); \
	} while (0);
	NO_VALUE_ROWS(ROW)
#undef ROW
	page_free(&page);
}

static const struct { struct slice text, line; const char *why; } strings[] = {
	{ SLICE(""), SLICE(""), "empty" },
	{ SLICE("GET"), SLICE("GET"), "plain" },
	{ SLICE("/a?b=c&d=%20"), SLICE("/a?b=c&d=%20"), "plain" },
	{ SLICE("a,b"), SLICE("\"a,b\""), "a comma" },
	{ SLICE("(KHTML, like Gecko) Chrome/120.0"), SLICE("\"(KHTML, like Gecko) Chrome/120.0\""), "a comma in the first 16 bytes" },
	{ SLICE("0123456789abcdef0,"), SLICE("\"0123456789abcdef0,\""), "a comma behind 16 bytes" },
	{ SLICE("say \"hi\""), SLICE("\"say \"\"hi\"\"\""), "quotes" },
	{ SLICE("\""), SLICE("\"\"\"\""), "one quote" },
	{ SLICE(" a"), SLICE("\" a\""), "a blank before: readers drop it" },
	{ SLICE("a "), SLICE("\"a \""), "a blank behind" },
	{ SLICE(" "), SLICE("\" \""), "a blank" },
	{ SLICE("a b"), SLICE("a b"), "a blank within" },
	{ SLICE("a\r\nb"), SLICE("a\\x0d\\x0ab"), "a line break: one record is one line" },
	{ SLICE("\t"), SLICE("\\x09"), "a tab" },
	{ SLICE("\0"), SLICE("\\x00"), "a NUL" },
	{ SLICE("\x7f"), SLICE("\\x7f"), "DEL" },
	{ SLICE("\x1b[31m"), SLICE("\\x1b[31m"), "a terminal's escape" },
	{ SLICE("a\\b"), SLICE("a\\\\b"), "a backslash is doubled" },
	{ SLICE("a\\,\n"), SLICE("\"a\\\\,\\x0a\""), "everything" },
	{ SLICE("caf\xc3\xa9 \xff"), SLICE("caf\xc3\xa9 \xff"), "bytes above 127 stay" },
	{ SLICE("0123456789abcde\n"), SLICE("0123456789abcde\\x0a"), "the 16th byte" },
	{ SLICE("0123456789abcdef\n"), SLICE("0123456789abcdef\\x0a"), "the 17th byte" },
};

static void texts_are_quoted_and_escaped_when_needed(void **state)
{
	struct page page = page_new(8192);
	char out[256], plain[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(strings); i++) {
		struct slice text = slice_make(page_put(page, strings[i].text.ptr, strings[i].text.len), strings[i].text.len), line = strings[i].line;
		size_t len = (size_t)(logval_put_STR(out, text) - out);
		uint64_t true_len;
		if (!slice_eq(slice_make(out, len), line)) fail_msg("%s: '%.*s'", strings[i].why, (int)len, out);
		if (memchr(out, '"', len)) continue;   /* quotes are the CSV reader's */
		assert_int_equal(logval_unescape(line, plain, &true_len), text.len);
		assert_int_equal(true_len, text.len);
		if (text.len) assert_memory_equal(plain, text.ptr, text.len);
	}
	page_free(&page);
}

static void a_long_text_is_cut_with_its_true_length(void **state)
{
	static char text[5000], out[LOG_LINE_MAX], plain[LOG_LINE_MAX];
	uint64_t true_len;
	size_t len;

	(void)state;
	memset(text, 'a', sizeof(text));
	len = (size_t)(logval_put_STR(out, slice_make(text, LOG_STR_MAX)) - out);
	assert_int_equal(len, LOG_STR_MAX);
	len = (size_t)(logval_put_STR(out, slice_make(text, LOG_STR_MAX + 1)) - out);
	assert_true(slice_eq(slice_make(out + LOG_STR_MAX, len - LOG_STR_MAX), SLICE("\\~1025")));
	assert_int_equal(logval_unescape(slice_make(out, len), plain, &true_len), LOG_STR_MAX);
	assert_int_equal(true_len, LOG_STR_MAX + 1);

	/* Not within a character. */
	memcpy(text + LOG_STR_MAX - 1, "\xe2\x82\xac", 3);
	len = (size_t)(logval_put_STR(out, slice_make(text, sizeof(text))) - out);
	assert_int_equal(logval_unescape(slice_make(out, len), plain, &true_len), LOG_STR_MAX - 1);
	assert_int_equal(true_len, sizeof(text));

	/* A text that looks like the mark is not one. */
	len = (size_t)(logval_put_STR(out, SLICE("a\\~99")) - out);
	assert_int_equal(logval_unescape(slice_make(out, len), plain, &true_len), 5);
	assert_int_equal(true_len, 5);
}

static void broken_escapes_stay_as_they_are(void **state)
{
	static const char *const rows[] = { "\\", "a\\", "\\x", "\\x1", "\\xg0", "\\x0g", "\\~", "\\~x", "\\~1x", "\\q", "\\~99999999999999999999" };
	char plain[64];
	uint64_t true_len;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(logval_unescape(slice_str(rows[i]), plain, &true_len), strlen(rows[i]));
		assert_memory_equal(plain, rows[i], strlen(rows[i]));
		assert_int_equal(true_len, strlen(rows[i]));
	}
}

static void words_never_need_quotes(void **state)
{
	char all[256], out[512], plain[LOG_WORD_MAX + 50];
	size_t len;

	(void)state;
	for (int i = 0; i < 256; i++) all[i] = (char)i;
	for (int half = 0; half < 2; half++) {
		struct slice word;
		len = (size_t)(logval_put_WORD(out, slice_make(all + 128 * half, 128)) - out);
		assert_int_equal(len, 128);
		assert_true(logval_take_WORD(slice_make(out, len), &word));
	}
	memset(plain, 'a', sizeof(plain));
	len = (size_t)(logval_put_WORD(out, slice_make(plain, sizeof(plain))) - out);
	assert_int_equal(len, LOG_WORD_MAX);
	len = (size_t)(logval_put_WORD(out, SLICE("[2001:db8::1%eth0]:8080")) - out);
	assert_true(slice_eq(slice_make(out, len), SLICE("[2001:db8::1%eth0]:8080")));
}

static void an_empty_record_and_the_header_have_every_column(void **state)
{
	static char out[LOG_LINE_MAX];
	struct logline line;
	size_t len, commas = 0;

	(void)state;
	len = logline_write_header(out);
	assert_true(slice_starts(slice_make(out, len), SLICE("rec/1,t_us,node,")));
	assert_non_null(memmem(out, len, ",agent,", 7));
	for (size_t i = 0; i < len; i++) commas += out[i] == ',';
	assert_int_equal(commas, LOG_FIELD_COUNT - 1);

	logline_init(&line);
	assert_int_equal(line.age, -1);
	assert_int_equal(line.t_us, 0);
	len = logline_write(&line, out);
	for (size_t i = 0; i < len; i++) commas -= out[i] == ',';
	assert_int_equal(commas, 0);
	assert_true(slice_starts(slice_make(out, len), SLICE("req,0,,0,")));
	assert_int_equal(out[len - 1], '\n');
}

static void the_longest_record_fits(void **state)
{
	static char out[LOG_LINE_MAX + 1], text[3 * LOG_STR_MAX];
	struct logline line;
	size_t len;

	(void)state;
	memset(text, '\n', sizeof(text));
	logline_init(&line);
#define LONGEST_NUMBER(name) line.name = (__typeof__(line.name))INT64_MAX
#define LONGEST_U64 LONGEST_NUMBER
#define LONGEST_I64 LONGEST_NUMBER
#define LONGEST_HEX64 LONGEST_NUMBER
#define LONGEST_BOOL(name) line.name = 1
#define LONGEST_WORD(name) line.name = slice_make(text, sizeof(text))
#define LONGEST_STR LONGEST_WORD
#define LONGEST_RECORD(name)
#define LONGEST_VERDICT(name)
#define LONGEST_TIER(name)
#define LONGEST_NOSTORE(name)
#define LONGEST_END(name)
#define LONGEST_REFUSAL(name)
#define LONGEST_FOUND(name)
#define LONGEST_UNCODED(name)
#define LOG_FIELD(name, KIND, doc) LONGEST_##KIND(name);
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
	out[LOG_LINE_MAX] = 'E';
	len = logline_write(&line, out);
	assert_true(len <= LOG_LINE_MAX && len > 10 * 4 * LOG_STR_MAX);
	assert_ptr_equal(memchr(out, '\n', len), out + len - 1);
	assert_int_equal(out[LOG_LINE_MAX], 'E');
}

/* A plain reader of RFC 4180, to be independent of the audit's. */
static struct slice next_field(struct slice *rest, char *buf, size_t *used)
{
	size_t i = 0, begin = *used;
	bool quoted = rest->len && rest->ptr[0] == '"';

	for (i = quoted; i < rest->len; i++) {
		if (quoted && rest->ptr[i] == '"') {
			if (i + 1 < rest->len && rest->ptr[i + 1] == '"') i++;
			else break;
		} else if (!quoted && rest->ptr[i] == ',') {
			break;
		}
		buf[(*used)++] = rest->ptr[i];
	}
	i += quoted;
	assert_true(i == rest->len || rest->ptr[i] == ',');
	i += i < rest->len;
	rest->ptr += i;
	rest->len -= i;
	return slice_make(buf + begin, *used - begin);
}

static void what_is_written_is_what_is_read(void **state)
{
	static char out[LOG_LINE_MAX], buf[LOG_LINE_MAX], pool[1 << 20];
	struct random r = { .state = 20261124, .pool = pool, .pool_size = sizeof(pool) };

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct logline want, got;
		size_t len, used = 0;
		const char *name;
		random_logline(&r, &want);
		len = logline_write(&want, out);
		assert_ptr_equal(memchr(out, '\n', len), out + len - 1);
		struct slice rest = slice_make(out, len - 1);
		logline_init(&got);
		for (int f = 0; f < LOG_FIELD_COUNT; f++) {
			struct slice text = next_field(&rest, buf, &used);
			if (!logline_take(&got, (enum log_field)f, text))
				fail_msg("round %d: %s does not take '%.*s'", round, log_field_rows[f].name.ptr, SLICE_ARG(text));
		}
		assert_int_equal(rest.len, 0);
		name = logline_difference(&want, &got);
		if (name) fail_msg("round %d: %s differs: %.*s", round, name, (int)len, out);
	}
}

static void every_row_of_every_table_is_found_by_its_name(void **state)
{
	(void)state;
#define X(KIND, rows, count) \
	for (int i = 0; i < (int)(count); i++) { \
		uint8_t value = 255; \
		assert_int_equal(enum_find(rows, count, rows[i].name), i); \
		assert_true(rows[i].doc[0] != 0); \
		assert_true(logval_take_##KIND(slice_make(rows[i].log_text, rows[i].log_len), &value)); \
		assert_int_equal(value, i); \
	} \
	assert_int_equal(enum_find(rows, count, SLICE("no such row")), -1);
	LOG_ENUM_KINDS(X)
#undef X
	assert_int_equal(refusal_rows[REFUSAL_host_missing].status, 400);
	assert_string_equal(end_rows[END_connect_timeout].extra, "proxy_connect_timeout");
	assert_int_equal(verdict_rows[VERDICT_none].log_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_decimal),
		cmocka_unit_test(what_is_no_value_is_refused),
		cmocka_unit_test(texts_are_quoted_and_escaped_when_needed),
		cmocka_unit_test(a_long_text_is_cut_with_its_true_length),
		cmocka_unit_test(broken_escapes_stay_as_they_are),
		cmocka_unit_test(words_never_need_quotes),
		cmocka_unit_test(an_empty_record_and_the_header_have_every_column),
		cmocka_unit_test(the_longest_record_fits),
		cmocka_unit_test(what_is_written_is_what_is_read),
		cmocka_unit_test(every_row_of_every_table_is_found_by_its_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
