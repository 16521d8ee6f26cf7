/* Tags of answers, and the URL that a purge goes by, as rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../conf/check.h"
#include "../../proxyd/purge.h"
#include "../../proxyd/tags.h"
#include "../../proxyd/target.h"

static void tags_are_cut_exactly(void **state)
{
	static const struct { const char *fields, *tags; } rows[] = {
		{ "Cache-Tag: a\r\n", "a\n" },
		{ "Cache-Tag: a, b ,c\r\n", "a\nb\nc\n" },
		{ "Cache-Tag: two words,\t b\r\n", "two words\nb\n" },
		{ "Cache-Tag: ,, ,a,\r\n", "a\n" },
		{ "Cache-Tag:\r\n", "" },
		{ "Surrogate-Key: a b\t c\r\n", "a\nb\nc\n" },
		{ "Surrogate-Key: a,b c\r\n", "a,b\nc\n" },
		{ "Surrogate-Key: /items /items2\r\nCache-Tag: x\r\nCache-Tag: \"q,r\"\r\n", "/items\n/items2\nx\n\"q\nr\"\n" },
		{ "ETag: \"x\"\r\n", "" },
	};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct http_limits limits = { 4096, 4096, 20 };
		struct http_header headers[20];
		struct http_head head = { 0 };
		enum refusal refusal;
		struct arena arena;
		struct slice tags, tag;
		char text[1024], again[1024] = "";
		size_t pos = 0;
		int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\n", rows[i].fields);

		assert_int_equal(http_parse_response(text, (size_t)len, 0, &limits, METHOD_GET, headers, &head, &refusal), len);
		arena_init(&arena);
		assert_true(tags_of(&arena, &head, &tags));
		if (!slice_eq(tags, slice_str(rows[i].tags)))
			fail_msg("%s: '%.*s'", rows[i].fields, SLICE_ARG(tags));
		while (tags_next(tags, &pos, &tag))
			snprintf(again + strlen(again), sizeof(again) - strlen(again), "%.*s\n", SLICE_ARG(tag));
		assert_string_equal(again, rows[i].tags);
		tags_hide(&head);
		for (size_t h = 0; h < head.header_count; h++)
			assert_int_equal(headers[h].dropped, headers[h].id != FIELD_etag);
		arena_release(&arena);
	}
}

static void a_key_in_its_plainest_notation(void **state)
{
	static const char *const rows[][2] = {
		{ "http://site.test/", "http://site.test/" }, { "http://SITE.Test/A", "http://site.test/A" },
		{ "http://site.test:80/a:80", "http://site.test/a:80" }, { "http://site.test:8080/", "http://site.test:8080/" },
		{ "https://site.test:443/", "https://site.test/" }, { "https://site.test:80/", "https://site.test:80/" },
		{ "http://site.test./", "http://site.test/" }, { "http://Site.Test.:80/?A", "http://site.test/?A" },
		{ "http://site.test:/", "http://site.test/" }, { "http://[::1]/", "http://[::1]/" }, { "http://[::1]:80/", "http://[::1]/" },
		{ "http://[::A]:81/", "http://[::a]:81/" }, { "http://a/x\naccept\nB=C\n", "http://a/x\naccept\nB=C\n" },
		{ "http://A\naccept", "http://a\naccept" }, { "http://", "http://" }, { "x", "x" }, { "", "" }, { "http://:", "http://" },
	};
	(void)state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char room[64];
		struct slice plain = target_plain_key(slice_str(rows[i][0]), room);

		if (!slice_eq(plain, slice_str(rows[i][1])))
			fail_msg("'%s': '%.*s'", rows[i][0], SLICE_ARG(plain));
	}
}

static void a_url_has_the_key_that_a_request_has(void **state)
{
	static const struct { const char *url, *key; } rows[] = {
		{ "http://site.test/a?b", "http://site.test/a?b" }, { "http://Site.Test:80", "http://site.test/" }, { "http://site.test?q", "http://site.test/?q" },
		{ "https://site.test:8443/%41", "https://site.test:8443/%41" }, { "http://[::1]:80/a", "http://[::1]/a" },
		{ "/a", NULL }, { "ftp://a/", NULL }, { "http://", NULL }, { "http:///a", NULL }, { "http://a b/", NULL }, { "http://a/ b", NULL },
		{ "http://a/#f", NULL }, { "http://a:x/", NULL }, { "http://a@b/", NULL }, { "http://a/\r\nX: y", NULL }, { "", NULL },
	};
	char out[PURGE_KEY_ROOM], *longest = must(malloc(URL_MAX + 2));
	const char *why;
	struct slice key;
	(void)state;

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool good = purge_key_of_url(slice_str(rows[i].url), out, &key, &why);

		if (good != (rows[i].key != NULL) || (good && !slice_eq(key, slice_str(rows[i].key))))
			fail_msg("'%s': '%.*s'", rows[i].url, good ? (int)key.len : 0, out);
		assert_true(good || strlen(why) > 5);
	}
	memset(longest, 'a', URL_MAX + 1);
	memcpy(longest, "http://a/", 9);
	assert_true(purge_key_of_url(slice_make(longest, URL_MAX), out, &key, &why));
	assert_false(purge_key_of_url(slice_make(longest, URL_MAX + 1), out, &key, &why));
	memset(longest + 7, 'a', URL_MAX - 7);              /* all of it a host */
	assert_false(purge_key_of_url(slice_make(longest, URL_MAX), out, &key, &why));
	free(longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tags_are_cut_exactly), cmocka_unit_test(a_key_in_its_plainest_notation),
		cmocka_unit_test(a_url_has_the_key_that_a_request_has) };

	return cmocka_run_group_tests_name("proxyd: purge", tests, NULL, NULL);
}
