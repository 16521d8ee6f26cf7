/* Which server takes a host, which location a path: the answers are nginx's. And what a location has inherited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../conf/internal.h"

static struct conf *load(const char *text)
{
	struct conf *conf = conf_load_text("test", slice_str(text), (struct load_options){ .literal = true }, stderr);

	assert_non_null(conf);
	return conf;
}

static void test_servers(void **state)
{
	struct conf *conf = load(
		"server { listen 80; server_name first.org; location / { return 200; } }\n"
		"server { listen 80 default_server; server_name _ \"\"; location / { return 200; } }\n"
		"server { listen 80; server_name example.com www.example.com; location / { return 200; } }\n"
		"server { listen 80; server_name *.example.com; location / { return 200; } }\n"
		"server { listen 80; server_name *.deep.example.com; location / { return 200; } }\n"
		"server { listen 80; server_name mail.*; location / { return 200; } }\n"
		"server { listen 80; server_name mail.example.*; location / { return 200; } }\n"
		"server { listen 80; server_name .dot.org; location / { return 200; } }\n"
		"server { listen 80; server_name ~^img\\d+\\.net$; location / { return 200; } }\n"
		"server { listen 80; server_name ~^img; location / { return 200; } }\n"
		"server { listen 81; server_name only.org; location / { return 200; } }\n");
	static const struct { const char *host; unsigned line; const char *why; } rows[] = {
		{ "example.com", 3, "exact" }, { "www.example.com", 3, "exact before suffix" }, { "a.example.com", 4, "suffix" },
		{ "a.b.example.com", 4, "a star takes several labels" }, { "x.deep.example.com", 5, "the longest suffix" },
		{ "deep.example.com", 4, "a suffix does not take its own name" }, { "mail.example.com", 4, "suffix before prefix" },
		{ "mail.org", 6, "prefix" }, { "mail.example.net", 7, "the longest prefix" }, { "mail.example.net.au", 7, "" },
		{ "mail.", 2, "a prefix wants something behind" }, { "mail", 2, "" }, { "dot.org", 8, ".x is x" }, { "a.dot.org", 8, "and *.x" },
		{ "xdot.org", 2, "at a dot only" }, { "img12.net", 9, "the first expression" }, { "img12.com", 10, "the next one" },
		{ "unknown.org", 2, "default_server" }, { "", 2, "no Host" }, { ".example.com", 2, "nothing before the dot" }, { "only.org", 2, "another listener's" },
	};

	(void)state;
	assert_int_equal(conf->listen_count, 2);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf_server *server = conf_find_server(&conf->listens[0], slice_str(rows[i].host));
		if (!server || server->pos.line != rows[i].line)
			fail_msg("'%s' went to line %u, not %u: %s", rows[i].host, server ? server->pos.line : 0, rows[i].line, rows[i].why);
	}
	assert_int_equal(conf_find_server(&conf->listens[1], SLICE("example.com"))->pos.line, 11);
	char longest[20000];
	memset(longest, '.', sizeof(longest));
	assert_int_equal(conf_find_server(&conf->listens[0], slice_make(longest, sizeof(longest)))->pos.line, 2);
	conf_unref(&conf);
	assert_null(conf);
}

static void test_thousands_of_names(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = must(open_memstream(&text, &len));

	(void)state;
	for (unsigned i = 1; i <= 3000; i++)
		fprintf(out, "server { server_name s%u.example.com *.s%u.net; location / { return 200; } }\n", i, i);
	fclose(out);
	struct conf *conf = load(text);
	for (unsigned i = 1; i <= 3000; i++) {
		char host[64];
		snprintf(host, sizeof(host), "s%u.example.com", i);
		assert_int_equal(conf_find_server(&conf->listens[0], slice_str(host))->pos.line, i);
		snprintf(host, sizeof(host), "a.b.s%u.net", i);
		assert_int_equal(conf_find_server(&conf->listens[0], slice_str(host))->pos.line, i);
	}
	assert_int_equal(conf_find_server(&conf->listens[0], SLICE("s3001.example.com"))->pos.line, 1);
	conf_unref(&conf);
	free(text);
}

static void test_locations(void **state)
{
	struct conf *conf = load(
		"server {\n"
		"	location = / { return 200; }\n"                                      /* 2 */
		"	location / { return 200; }\n"
		"	location /documents/ { return 200; }\n"                              /* 4 */
		"	location ^~ /images/ { return 200; }\n"
		"	location ~* \\.(gif|jpg|jpeg)$ { return 200; }\n"                    /* 6 */
		"	location ~ \\.php$ { return 200; }\n"
		"	location ~ ^/documents/.*\\.php$ { return 200; }\n"                  /* 8 */
		"	location = /documents/exact.php { return 200; }\n"
		"	location /shop { return 200;\n"                                      /* 10 */
		"		location /shop/basket { return 200; }\n"
		"		location ~ \\.png$ { return 200; }\n"                        /* 12 */
		"		location = /shop/exact.gif { return 200; }\n"
		"		location ^~ /shop/final { return 200; } }\n"                 /* 14 */
		"	location ^~ /closed { return 200;\n"
		"		location ~ \\.cgi$ { return 200; }\n"                        /* 16 */
		"		location /closed/in { return 200; } }\n"
		"	location ~ ^/re/ { return 200;\n"                                    /* 18 */
		"		location /re/in { return 200; }\n"
		"		location ~ \\.x$ { return 200; } }\n"                        /* 20 */
		"}\n"
		"server { listen 81; location /only { return 200; } }\n"
		"server { listen 82; location ~ ^(a+)+$ { return 200; } location / { return 200; } }\n");
	static const struct { const char *path; unsigned line; const char *why; } rows[] = {
		{ "/", 2, "exact" }, { "/index.html", 3, "prefix" }, { "/documents/x.html", 4, "longest prefix" }, { "/documents", 3, "" },
		{ "/images/1.gif", 5, "^~ keeps expressions out" }, { "/documents/1.JPG", 6, "an expression before a prefix" }, { "/1.gif", 6, "" },
		{ "/documents/a.php", 7, "the first expression in the file" }, { "/documents/exact.php", 9, "exact before expressions" },
		{ "/a.PHP", 3, "~ minds case" }, { "/shop/x", 10, "" }, { "/shop/basket/1", 11, "within" }, { "/shop/a.png", 12, "an expression within" },
		{ "/a.png", 3, "only within" }, { "/shop/basket/a.png", 12, "" }, { "/shop/a.gif", 6, "one of the level around takes a prefix within too" },
		{ "/shop/exact.gif", 13, "exact within" }, { "/shop/final/a.gif", 6, "^~ within keeps out those of its own level only" },
		{ "/shop/final/a.png", 14, "" }, { "/closed/x.gif", 15, "^~" }, { "/closed/x.cgi", 16, "an expression within it" },
		{ "/closed/in/x.gif", 17, "" }, { "/re/y", 18, "" }, { "/re/in/y", 19, "a prefix within an expression" }, { "/re/a.x", 20, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct conf_location *location = conf_find_location(conf->servers[0], slice_str(rows[i].path));
		if (!location || location->pos.line != rows[i].line)
			fail_msg("'%s' went to line %u, not %u: %s", rows[i].path, location ? location->pos.line : 0, rows[i].line, rows[i].why);
	}
	assert_null(conf_find_location(conf->servers[1], SLICE("/other")));
	assert_null(conf_find_location(conf->servers[1], SLICE("")));
	/* Exponential backtracking ends at the limit, as no match. */
	char bomb[40];
	memset(bomb, 'a', sizeof(bomb));
	bomb[sizeof(bomb) - 1] = '!';
	assert_null(conf_find_location(conf->servers[2], slice_make(bomb, sizeof(bomb))));
	conf_unref(&conf);
}

static void test_inheritance(void **state)
{
	struct conf *conf = load(
		"volume main { path /v; size 4m; }\n"
		"proxy_cache main; proxy_read_timeout 7s; login_cookie sid; trusted_proxy 10.0.0.0/8;\n"
		"proxy_set_header X-A http; proxy_set_header X-B http; add_header X-C http;\n"
		"server {\n"
		"	location / { proxy_pass http://127.0.0.1:3000/base/; proxy_set_header x-b location; add_header X-D location; }\n"
		"	location /off { proxy_pass http://127.0.0.1:3000; proxy_cache off; proxy_read_timeout 9s; login_cookie jwt; }\n"
		"	proxy_connect_timeout 1s; trusted_proxy 127.0.0.1;\n"
		"}\n"
		"server { listen 81; location /un { proxy_pass http://unix:/run/app.sock:/x; proxy_http_version 1.0; } location = /no { return 204; } }\n");
	struct conf_location *root = &conf->servers[0]->locations[0], *off = &conf->servers[0]->locations[1], *un = &conf->servers[1]->locations[0];

	(void)state;
	assert_int_equal(root->set.proxy_read_timeout, 7000000);
	assert_int_equal(off->set.proxy_read_timeout, 9000000);
	assert_int_equal(root->set.proxy_connect_timeout, 1000000);
	assert_int_equal(un->set.proxy_connect_timeout, 5000000);
	assert_true(root->set.collapse && !root->set.store_cookies);
	assert_true(root->volume == conf->volumes[0] && root->cache_named && !root->cache_off);
	assert_true(off->volume == NULL && off->cache_off);
	assert_int_equal(conf->volumes[0]->bound, 2);
	assert_true(root->upstream == off->upstream && root->upstream->origin_count == 1);
	assert_true(slice_eq(root->upstream->origins[0].addrs[0].text, SLICE("127.0.0.1:3000")));
	assert_true(slice_eq(root->proxy_path, SLICE("/base/")) && off->proxy_path.ptr == NULL);
	assert_true(slice_eq(root->proxy_host, SLICE("127.0.0.1:3000")));
	assert_int_equal(root->set_header_count, 2);
	assert_true(slice_eq(root->set_headers[0].name, SLICE("X-A")) && slice_eq(root->set_headers[1].value.pieces[0].text, SLICE("location")));
	assert_int_equal(root->add_header_count, 2);
	assert_int_equal(off->add_header_count, 1);
	assert_int_equal(root->login_cookie_count, 1);
	assert_int_equal(off->login_cookie_count, 2);
	assert_int_equal(conf->servers[0]->trusted_count, 2);
	assert_int_equal(conf->servers[1]->trusted_count, 1);
	assert_true(slice_eq(root->route, SLICE("_ /")));
	assert_true(un->origin_http_1_0 && slice_eq(un->proxy_path, SLICE("/x")) && slice_eq(un->proxy_host, SLICE("localhost")));
	assert_true(slice_eq(un->upstream->origins[0].addrs[0].text, SLICE("unix:/run/app.sock")));
	assert_int_equal(un->upstream->origins[0].addrs[0].sa.any.sa_family, AF_UNIX);
	assert_true(slice_eq(conf->listens[0].addr.text, SLICE("0.0.0.0:80")));
	assert_true(slice_eq(conf->servers[1]->locations[1].route, SLICE("_ = /no")));
	struct conf *again = conf_ref(conf);
	conf_unref(&again);
	assert_non_null(conf->servers[0]);
	conf_unref(&conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers), cmocka_unit_test(test_thousands_of_names), cmocka_unit_test(test_locations), cmocka_unit_test(test_inheritance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
