/* The rules for the cache's key: what they leave of a query, of cookies and of User-Agent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../../conf/internal.h"
#include "../../proxyd/key_rules.h"
#include "heads.h"

static struct test_head head;

/* The location of a configuration with these lines. */
static struct conf *conf_with(const char *lines)
{
	char text[1024];

	snprintf(text, sizeof text, "volume v { path p; size 8m; } server { location / { proxy_pass http://127.0.0.1:1; proxy_cache v; %s } }", lines);
	struct conf *conf = conf_load_text("rules", slice_str(text), (struct load_options){ .literal = true }, stderr);
	assert_non_null(conf);
	return conf;
}

static const struct { const char *rules, *query, *want, *why; } queries[] = {
	{ "", "b=2&a=1&&", "b=2&a=1&&", "without rules as received" },
	{ "", "", "", "empty is not absent" },
	{ "cache_key_ignore utm_* fbclid;", "a=1&utm_source=x&fbclid=y&b=2", "a=1&b=2", "ignored ones are left out" },
	{ "cache_key_ignore utm_* fbclid;", "utm=1&utm_=2&xutm_a=3&fbclid2=4&FBCLID=5", "utm=1&xutm_a=3&fbclid2=4&FBCLID=5", "names are whole, and have a case" },
	{ "cache_key_ignore utm_* fbclid;", "fbclid&fbclid=&utm_", NULL, "with and without a value; an empty query is none" },
	{ "cache_key_ignore utm_* fbclid;", "utm%5fsource=x&%66bclid=y&utm%5=z", "utm%5=z", "as the origin decodes them; a bad escape is itself" },
	{ "cache_key_ignore utm_* fbclid;", "&&a=1&&b=2&", "a=1&b=2", "what has no name and no value says nothing" },
	{ "cache_key_ignore utm_* fbclid;", "", NULL, "the same of nothing at all" },
	{ "cache_key_ignore utm_* fbclid;", "=x&a=b=c", "=x&a=b=c", "an empty name; a second equals sign" },
	{ "cache_key_ignore 'a b';", "a+b=1&a%20b=2&a=3", "a=3", "a blank has two forms" },
	{ "cache_key_keep page sort_*;", "a=1&page=2&sort_x=3&page2=4&page=5", "page=2&sort_x=3&page=5", "only these" },
	{ "cache_key_keep page sort_*;", "a=1;page=2", NULL, "';' separates nothing: the origin does not see it" },
	{ "cache_key_keep page sort_*;", "page=1;admin=2", "page=1;admin=2", "nor here: the key has what the origin sees" },
	{ "cache_key_keep *;", "b=1&a=2", "b=1&a=2", "all" },
	{ "cache_key_sort on;", "b=1&a=2&c", "a=2&b=1&c", "by name" },
	{ "cache_key_sort on;", "a=2&b=1&a=1&%61=0&b", "a=2&a=1&%61=0&b=1&b", "those of one name keep their order" },
	{ "cache_key_sort on;", "ab=1&a=2&a%00=3&B=4", "B=4&a=2&a%00=3&ab=1", "a name before what begins with it" },
	{ "cache_key_sort on; cache_key_ignore x;", "x=1&b=2&a=3", "a=3&b=2", "both rules" },
};

static void test_queries(void **state)
{
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		struct conf *conf = conf_with(queries[i].rules);
		const struct conf_location *location = &conf->servers[0]->locations[0];
		struct page page = page_new(strlen(queries[i].query));
		struct slice query = slice_make(page_put(page, queries[i].query, strlen(queries[i].query)), strlen(queries[i].query)), got, again;
		arena_init(&arena);
		assert_true(key_query(&arena, location, query, &got));
		assert_true(key_query(&arena, location, got, &again));
		if (!slice_eq(got, slice_str(queries[i].want ? queries[i].want : "")) || (got.ptr == NULL) != (queries[i].want == NULL))
			fail_msg("%s '%s': '%.*s': %s", queries[i].rules, queries[i].query, SLICE_ARG(got), queries[i].why);
		assert_true(slice_eq(got, again) && (got.ptr == NULL) == (again.ptr == NULL));
		assert_false(key_query(&arena, location, (struct slice){ NULL, 0 }, &got) && got.ptr);
		arena_release(&arena);
		page_free(&page);
		conf_unref(&conf);
	}
}

static const struct { const char *fields, *cookies, *selected, *why; } cookies[] = {
	{ "", "", ":cookie=lang\n:cookie=theme\n", "none" },
	{ "Cookie: a=b; lang=de; theme=dark; sid=1\r\n", "lang=de; theme=dark", ":cookie=lang=de\n:cookie=theme=dark\n", "only those of the key" },
	{ "Cookie: theme=dark;lang=de\r\n", "lang=de; theme=dark", ":cookie=lang=de\n:cookie=theme=dark\n", "always in one order and form" },
	{ "Cookie: lang=de; lang=en\r\nCookie: lang=fr\r\n", "lang=de", ":cookie=lang=de\n:cookie=theme\n", "the first of a name" },
	{ "Cookie: a=b\r\nX: lang=xx\r\nCookie: theme=; lang=a=b\r\n", "lang=a=b; theme=", ":cookie=lang=a=b\n:cookie=theme=\n", "empty is not absent; several lines" },
	{ "Cookie: lang; xlang=1; langx=2; Lang=3; =lang\r\n", "", ":cookie=lang\n:cookie=theme\n", "names are whole, and have a case" },
	{ "Cookie: ;;  lang=de ; \r\n", "lang=de", ":cookie=lang=de\n:cookie=theme\n", "blanks and empty pairs" },
	{ "Cookie: lang=\"a;theme=x\"\r\n", "lang=\"a; theme=x\"", ":cookie=lang=\"a\n:cookie=theme=x\"\n", "quotes protect nothing" },
};

static void test_cookies(void **state)
{
	struct conf *conf = conf_with("cache_key_cookies theme lang;");
	const struct conf_location *location = &conf->servers[0]->locations[0];
	struct arena arena;
	char room[256];

	(void)state;
	assert_true(slice_eq(location->key.selectors, SLICE(":cookie=lang,:cookie=theme")));
	for (size_t i = 0; i < COUNT_OF(cookies); i++) {
		struct text_out out = text_out_make(room, sizeof room);
		arena_init(&arena);
		test_request(&head, cookies[i].fields);
		struct slice got = key_cookies(&arena, location, &head.head);
		key_put_selector(&out, &head.head, SLICE(":cookie=lang"));
		key_put_selector(&out, &head.head, SLICE(":cookie=theme"));
		if (!slice_eq(got, slice_str(cookies[i].cookies)) || !slice_eq(text_since(&out, 0), slice_str(cookies[i].selected)))
			fail_msg("%s'%.*s' '%.*s': %s", cookies[i].fields, SLICE_ARG(got), (int)out.len, out.ptr, cookies[i].why);
		arena_release(&arena);
	}
	conf_unref(&conf);
}

static const struct { const char *agent, *device; } agents[] = {
	{ "", "desktop" },
	{ "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "desktop" },
	{ "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "desktop" },
	{ "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "desktop" },
	{ "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0; Tablet PC 2.0)", "desktop" },
	{ "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "phone" },
	{ "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "phone" },
	{ "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", "phone" },
	{ "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0 Mobile Safari/537.36", "phone" },
	{ "Opera/9.80 (Android; Opera Mini/36.2/191.286; U; en) Presto/2.12.423 Version/12.16", "phone" },
	{ "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1", "tablet" },
	{ "Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", "tablet" },
	{ "Mozilla/5.0 (Android 13; Tablet; rv:127.0) Gecko/127.0 Firefox/127.0", "tablet" },
	{ "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot" },
	{ "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36 (compatible; Googlebot/2.1)", "bot" },
	{ "facebookexternalhit/1.1", "bot" }, { "curl/8.5.0", "bot" }, { "BOT", "bot" }, { "bo", "desktop" },
};

/* The agent that stands for a class is of that class: what the origin sees selects the same. */
static void test_devices(void **state)
{
	char field[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(agents); i++) {
		snprintf(field, sizeof field, "%s%s%s", agents[i].agent[0] ? "User-Agent: " : "", agents[i].agent, agents[i].agent[0] ? "\r\n" : "");
		const struct device_class *device = device_class_of(test_request(&head, field));
		if (!slice_eq(device->name, slice_str(agents[i].device)))
			fail_msg("'%s' is '%.*s', not %s", agents[i].agent, SLICE_ARG(device->name), agents[i].device);
		assert_int_equal(strlen(device->name.ptr), device->name.len);
		assert_int_equal(strlen(device->agent.ptr), device->agent.len);
		snprintf(field, sizeof field, "User-Agent: %s\r\n", device->agent.ptr);
		assert_ptr_equal(device_class_of(test_request(&head, field)), device);
	}
}

static void test_specs(void **state)
{
	struct conf *plain = conf_with(""), *both = conf_with("cache_key_cookies b a; cache_key_device on;");
	const struct conf_location *none = &plain->servers[0]->locations[0], *two = &both->servers[0]->locations[0];

	(void)state;
	assert_false(key_has_rules(none));
	assert_true(key_has_rules(two));
	assert_true(key_spec_fits(none, SLICE("accept")));
	assert_false(key_spec_fits(none, SLICE(":device")));
	assert_false(key_spec_fits(none, SLICE(":device,accept")));
	assert_true(key_spec_fits(two, SLICE(":cookie=a,:cookie=b,:device")));
	assert_true(key_spec_fits(two, SLICE(":cookie=a,:cookie=b,:device,accept")));
	assert_false(key_spec_fits(two, SLICE(":cookie=a,:cookie=b,:devices")));
	assert_false(key_spec_fits(two, SLICE(":cookie=a,:cookie=b")));
	assert_false(key_spec_fits(two, SLICE("accept")));
	conf_unref(&plain);
	conf_unref(&both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queries), cmocka_unit_test(test_cookies), cmocka_unit_test(test_devices), cmocka_unit_test(test_specs),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	test_head_release(&head);
	return failed;
}
