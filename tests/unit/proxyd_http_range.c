/* Range and If-Range as rows: what is asked, of a body of which size, and what is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../proxyd/http_cache.h"
#include "../../proxyd/http_range.h"

static const struct { const char *value; uint64_t size; enum range_answer answer; const char *ranges, *why; } rows[] = {
	{ "bytes=0-4",        10, RANGE_parts, "0-4",         "the first bytes" },
	{ "bytes=0-0",        10, RANGE_parts, "0-0",         "one byte" },
	{ "bytes=5-",         10, RANGE_parts, "5-9",         "to the end" },
	{ "bytes=-3",         10, RANGE_parts, "7-9",         "the last bytes" },
	{ "bytes=-30",        10, RANGE_parts, "0-9",         "a suffix longer than the body is all of it" },
	{ "bytes=5-100",      10, RANGE_parts, "5-9",         "the end is cut to the body's" },
	{ "bytes=0-99999999999999999999999999", 10, RANGE_parts, "0-9", "a number beyond 64 bits" },
	{ "BYTES=0-4",        10, RANGE_parts, "0-4",         "units have no case" },
	{ "bytes=0-1,4-5",    10, RANGE_parts, "0-1,4-5",     "two" },
	{ "bytes=4-5, 0-1",   10, RANGE_parts, "4-5,0-1",     "in the order asked for" },
	{ "bytes= 0-1 ,, -1", 10, RANGE_parts, "0-1,9-9",     "blanks and empty elements of a list" },
	{ "bytes=0-1,20-30",  10, RANGE_parts, "0-1",         "what lies outside is left out" },
	{ "bytes=10-",        10, RANGE_unsatisfiable, "",    "begins behind the end" },
	{ "bytes=-0",         10, RANGE_unsatisfiable, "",    "no bytes" },
	{ "bytes=0-",          0, RANGE_unsatisfiable, "",    "an empty body has no byte" },
	{ "bytes=-5",          0, RANGE_unsatisfiable, "",    "nor a last one" },
	{ "bytes=20-30,40-",  10, RANGE_unsatisfiable, "",    "all outside" },
	{ "",                 10, RANGE_whole, "",            "nothing" },
	{ "bytes=",           10, RANGE_whole, "",            "no range" },
	{ "bytes=,",          10, RANGE_whole, "",            "no range in the list" },
	{ "bytes",            10, RANGE_whole, "",            "no '='" },
	{ "lines=0-4",        10, RANGE_whole, "",            "another unit" },
	{ "bytes=4-0",        10, RANGE_whole, "",            "backwards is malformed" },
	{ "bytes=-",          10, RANGE_whole, "",            "neither end" },
	{ "bytes=a-b",        10, RANGE_whole, "",            "no numbers" },
	{ "bytes=0x1-4",      10, RANGE_whole, "",            "hexadecimal" },
	{ "bytes=+1-4",       10, RANGE_whole, "",            "a sign" },
	{ "bytes=0-1-2",      10, RANGE_whole, "",            "three numbers" },
	{ "bytes=0 - 1",      10, RANGE_whole, "",            "blanks within a range" },
	{ "bytes=0-1,x",      10, RANGE_whole, "",            "one malformed range spoils all" },
	{ "bytes=0-4,2-6",    10, RANGE_whole, "",            "overlap" },
	{ "bytes=0-4,5-9",    10, RANGE_whole, "",            "together the whole" },
	{ "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30,32-32", 100, RANGE_whole, "", "too many" },
};

static void ranges_are_answered_by_the_book(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct byte_range ranges[RANGES_MAX];
		char text[512] = "";
		size_t count, len = 0;
		enum range_answer answer = range_parse(slice_str(rows[i].value), rows[i].size, ranges, &count);
		for (size_t k = 0; k < count; k++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu-%llu", k ? "," : "", (unsigned long long)ranges[k].from,
				(unsigned long long)ranges[k].to);
		if (answer != rows[i].answer || strcmp(text, rows[i].ranges) != 0)
			fail_msg("'%s' of %llu: answer %d '%s', not %d '%s': %s", rows[i].value, (unsigned long long)rows[i].size, answer, text,
				rows[i].answer, rows[i].ranges, rows[i].why);
	}
}

#define LM   "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:50:37 GMT"
static const struct { const char *if_range, *etag, *last_modified, *date; bool holds; const char *why; } conditions[] = {
	{ NULL,       "\"a\"",   LM, LATER, true,  "no condition" },
	{ "\"a\"",    "\"a\"",   LM, LATER, true,  "the same tag" },
	{ "\"b\"",    "\"a\"",   LM, LATER, false, "another tag" },
	{ "W/\"a\"",  "W/\"a\"", LM, LATER, false, "weak tags never match" },
	{ "\"a\"",    "W/\"a\"", LM, LATER, false, "nor strong with weak" },
	{ LM,         "\"a\"",   LM, LATER, true,  "the same date" },
	{ LATER,      "\"a\"",   LM, LATER, false, "another date, later or not" },
	{ LM,         "",        "", LATER, false, "nothing to compare with" },
	{ LM,         "",        LM, LM,    false, "modified in the second it was sent: weak" },
	{ LM,         "",        LM, "",    false, "no Date to judge by" },
	{ "x",        "\"a\"",   LM, LATER, false, "neither" },
	{ "",         "",        LM, LATER, false, "empty" },
};

static void if_range_is_strict(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(conditions); i++) {
		char text[512];
		struct http_header headers[8];
		struct http_head head = { 0 };
		struct http_limits limits = { 256, 512, 8 };
		enum refusal refusal;
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s%s%s\r\n", conditions[i].if_range ? "If-Range: " : "",
			conditions[i].if_range ? conditions[i].if_range : "", conditions[i].if_range ? "\r\n" : "");
		assert_true(http_parse_request(text, strlen(text), 0, &limits, headers, &head, &refusal) > 0);
		if (if_range_holds(&head, slice_str(conditions[i].etag), slice_str(conditions[i].last_modified),
				http_parse_date(slice_str(conditions[i].date), 0), 0)
				!= conditions[i].holds)
			fail_msg("row %zu: %s", i, conditions[i].why);
	}
}

static const struct { const char *value; bool valid; uint64_t from, to, total; const char *why; } content_ranges[] = {
	{ "bytes 0-4/10",   true,  0, 4, 10,         "the first bytes" },
	{ "bytes 9-9/10",   true,  9, 9, 10,         "the last one" },
	{ "BYTES 0-4/10",   true,  0, 4, 10,         "units have no case" },
	{ "bytes 5-9/*",    true,  5, 9, UINT64_MAX, "of a whole whose length is not known" },
	{ "bytes 0-10/10",  false, 0, 0, 0,          "beyond the end" },
	{ "bytes 4-0/10",   false, 0, 0, 0,          "backwards" },
	{ "bytes */10",     false, 0, 0, 0,          "that of a 416" },
	{ "bytes 0-4",      false, 0, 0, 0,          "no length" },
	{ "bytes 0-4/",     false, 0, 0, 0,          "an empty length" },
	{ "bytes 0-4/10x",  false, 0, 0, 0,          "more behind the length" },
	{ "bytes 0-4/**",   false, 0, 0, 0,          "two stars" },
	{ "bytes -4/10",    false, 0, 0, 0,          "no begin" },
	{ "bytes 0-/10",    false, 0, 0, 0,          "no end" },
	{ "bytes 0 - 4/10", false, 0, 0, 0,          "blanks" },
	{ "bytes  0-4/10",  false, 0, 0, 0,          "two blanks" },
	{ "bytes=0-4/10",   false, 0, 0, 0,          "the form of Range" },
	{ "lines 0-4/10",   false, 0, 0, 0,          "another unit" },
	{ "bytes 0-99999999999999999999999999/*", false, 0, 0, 0, "a number beyond 64 bits" },
	{ "bytes 0-4/99999999999999999999999999", false, 0, 0, 0, "a length beyond 64 bits" },
	{ "bytes ",         false, 0, 0, 0,          "nothing" },
	{ "",               false, 0, 0, 0,          "nothing at all" },
};

static void content_ranges_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(content_ranges); i++) {
		struct content_range range = { 0, 0, 0 };
		bool valid = content_range_parse(slice_str(content_ranges[i].value), &range);
		if (valid != content_ranges[i].valid || (valid && (range.from != content_ranges[i].from || range.to != content_ranges[i].to
				|| range.total != content_ranges[i].total)))
			fail_msg("'%s': %s", content_ranges[i].value, content_ranges[i].why);
	}
}

static const struct { const char *value; enum range_kind kind; uint64_t from, to; } asked[] = {
	{ "bytes=3-7", ASKED_from_to, 3, 7 }, { "bytes=3-", ASKED_from, 3, 0 }, { "bytes=-3", ASKED_last, 0, 3 },
	{ "bytes=7-9,0-1", ASKED_several, 7, 0 }, { "bytes=-9,0-1", ASKED_several, 0, 0 }, { "bytes= 3-7 ,", ASKED_from_to, 3, 7 },
	{ "bytes=7-3", ASKED_none, 0, 0 }, { "bytes=-", ASKED_none, 0, 0 }, { "lines=3-7", ASKED_none, 0, 0 }, { "", ASKED_none, 0, 0 },
	{ "bytes=3-7,x", ASKED_none, 0, 0 }, { "bytes=", ASKED_none, 0, 0 },
};

static void what_is_asked_for_is_known_without_a_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(asked); i++) {
		struct range_asked got = range_ask(slice_str(asked[i].value));
		if (got.kind != asked[i].kind || got.from != asked[i].from || got.to != asked[i].to)
			fail_msg("'%s': %d %llu-%llu", asked[i].value, got.kind, (unsigned long long)got.from, (unsigned long long)got.to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_answered_by_the_book),
		cmocka_unit_test(if_range_is_strict),
		cmocka_unit_test(content_ranges_are_read_strictly),
		cmocka_unit_test(what_is_asked_for_is_known_without_a_size),
	};
	return cmocka_run_group_tests_name("http_range", tests, NULL, NULL);
}
