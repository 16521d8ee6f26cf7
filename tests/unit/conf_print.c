/* -T gives a configuration that loads to the same; quick mode; the manual has every row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>

#include "../../conf/internal.h"

static char *print(const struct conf *conf)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = must(open_memstream(&text, &len));

	conf_print(conf, out);
	fclose(out);
	return text;
}

/* Loads the text, prints it, loads that, prints it again: nothing may change. */
static char *round_trip(struct conf *conf)
{
	assert_non_null(conf);
	char *first = print(conf);
	struct conf *again = conf_load_text("printed", slice_str(first), (struct load_options){ .literal = true }, stderr);
	if (!again)
		fail_msg("does not load:\n%s", first);
	assert_int_equal(again->server_count, conf->server_count);
	assert_int_equal(again->listen_count, conf->listen_count);
	assert_int_equal(again->volume_count, conf->volume_count);
	for (size_t i = 0; i < conf->server_count; i++) {
		assert_int_equal(again->servers[i]->location_count, conf->servers[i]->location_count);
		for (size_t l = 0; l < conf->servers[i]->location_count; l++)
			assert_true(slice_eq(again->servers[i]->locations[l].route, conf->servers[i]->locations[l].route));
	}
	char *second = print(again);
	assert_string_equal(first, second);
	conf_unref(&again);
	conf_unref(&conf);
	free(second);
	return first;
}

static void test_everything(void **state)
{
	static const char text[] =
		"workers 3; user www-data www; pid /run/p.pid; node a-1; error_log '/var/log/my errors' debug; access_log /var/log/a.csv; metrics 127.0.0.1:9145;\n"
		"connections_max 100; proxy_read_timeout 1s500ms; object_max 3m; collapse off; trusted_proxy 10.1.2.3/8 unix: fd00::/8;\n"
		"proxy_set_header X-All \"a \\\"b\\\" \\\\ ${scheme}x$http_accept_language\"; add_header X-Empty ''; login_cookie sid; proxy_cache two;\n"
		"volume one { path '/var/cache/with blank/'; size 5g; ram 0; fill_max 1m; scrub off; scrub_interval 1d; } volume two { path rel; size 4100k; }\n"
		"upstream app { server 127.0.0.1:3000 weight=2 max_fails=3 fail_timeout=1500ms; server [::1]:3001 backup; server unix:/run/x down; keepalive 0; }\n"
		"server { listen 80; listen [::1]:8080; server_name .example.com www.* '~^(a|b)\\.\\w{2}$' \"\"; proxy_tries 1; trusted_proxy ::1;\n"
		"  cache_key_ignore 'a b' utm_*; cache_key_cookies theme; targeted_cache_control My-Cache-Control;\n"
		"  location /k { proxy_pass http://app; cache_key_keep page; cache_key_cookies lang theme; cache_key_sort on; location /k/l { return 404; cache_key_ignore c; targeted_cache_control off; } }\n"
		"  location / { proxy_pass http://app; proxy_cache one; proxy_set_header X-All mine; proxy_set_header X-B $1st; }\n"
		"  location = /e { return 301 https://$host/x?$args; } location ~* '\\.(png|gif)$' { proxy_pass http://127.0.0.1:3002; proxy_http_version 1.0; }\n"
		"  location ^~ /n { proxy_pass http://[::1]:3003/x/; proxy_cache off; location '/n {o}' { return 200 \"a\\tb\\n\"; location ~ x { return 404; } } }\n"
		"}\n"
		"server { listen 80 default_server backlog=64; listen unix:/run/p.sock; server_name b; return 444; location /u { proxy_pass http://unix:/run/y:/z; } }\n";
	/* $1st and 444 are errors: first see that they are the only ones. */
	char *messages = NULL, *fixed = strdup(text);
	size_t len = 0;
	FILE *out = must(open_memstream(&messages, &len));

	(void)state;
	assert_null(conf_load_text("test", slice_str(text), (struct load_options){ .literal = true }, out));
	fclose(out);
	if (!strstr(messages, "'$1st'") || !strstr(messages, "there is no 444"))
		fail_msg("%s", messages);
	free(messages);
	memcpy(strstr(fixed, "$1st"), "$uri", 4);
	memcpy(strstr(fixed, "444"), "503", 3);
	char *printed = round_trip(conf_load_text("test", slice_str(fixed), (struct load_options){ .literal = true }, stderr));
	assert_non_null(strstr(printed, "\nproxy_read_timeout 1500ms;\n"));
	assert_non_null(strstr(printed, "\nkeepalive_requests 100000;\n"));
	assert_non_null(strstr(printed, "\tsize 4100k;\n"));
	assert_non_null(strstr(printed, "trusted_proxy 10.0.0.0/8;"));
	assert_non_null(strstr(printed, "\tcache_key_ignore \"a b\";\n\tcache_key_ignore utm_*;\n\tcache_key_cookies theme;\n"));
	assert_non_null(strstr(printed, "\t\tcache_key_sort on;\n\t\tcache_key_keep page;\n\t\tcache_key_cookies lang;\n"));
	assert_non_null(strstr(printed, "\t\t\tcache_key_ignore c;\n\t\t\ttargeted_cache_control off;\n"));
	assert_non_null(strstr(printed, "proxy_pass http://unix:/run/y:/z;"));
	assert_non_null(strstr(printed, "proxy_pass \"http://[::1]:3003/x/\"") ? printed : strstr(printed, "proxy_pass http://[::1]:3003/x/;"));
	free(printed);
	free(fixed);
}

/* The golden configurations that load. */
static void test_golden(void **state)
{
	glob_t found;
	unsigned loaded = 0;
	FILE *nowhere = must(fopen("/dev/null", "w"));

	(void)state;
	assert_int_equal(glob("tests/golden/conf/*.conf", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct conf *conf = conf_load_path(found.gl_pathv[i], (struct load_options){ .literal = true }, nowhere);
		if (!conf)
			continue;
		loaded++;
		free(round_trip(conf));
	}
	assert_true(loaded >= 6);
	globfree(&found);
	fclose(nowhere);
}

static void test_quick(void **state)
{
	struct conf_quick quick = { .listen = SLICE("127.0.0.1:8080"), .origin = SLICE("http://localhost:3000"), .volume = SLICE("/tmp/with \"q\": blank:1g"),
		.access_log = SLICE("/tmp/a.csv"), .metrics = SLICE("127.0.0.1:9145"), .workers = 2 };
	char *messages = NULL;
	size_t len = 0;

	(void)state;
	struct conf *conf = conf_load_quick(&quick, stderr);
	assert_non_null(conf);
	assert_int_equal(conf->workers, 2);
	assert_true(slice_eq(conf->access_log, SLICE("/tmp/a.csv")));
	assert_true(slice_eq(conf->volumes[0]->name, SLICE("main")) && slice_eq(conf->volumes[0]->path, SLICE("/tmp/with \"q\": blank")));
	assert_int_equal(conf->volumes[0]->size, 1 << 30);
	assert_int_equal(conf->volumes[0]->bound, 1);
	assert_true(conf_find_location(conf->servers[0], SLICE("/x"))->upstream->origins[0].addr_count >= 1);
	conf_unref(&conf);

	/* A volume without a size, a bad port: both are said. */
	quick.volume = SLICE("/tmp/x");
	quick.listen = SLICE("127.0.0.1:80800");
	quick.origin = SLICE("127.0.0.1:3000");
	FILE *out = must(open_memstream(&messages, &len));
	assert_null(conf_load_quick(&quick, out));
	fclose(out);
	assert_non_null(strstr(messages, "command line:"));
	assert_non_null(strstr(messages, "'80800' is not a port"));
	assert_non_null(strstr(messages, "'' is not a size"));
	free(messages);

	quick = (struct conf_quick){ .listen = SLICE("8080"), .origin = SLICE("127.0.0.1:3000") };
	conf = conf_load_quick(&quick, stderr);
	assert_non_null(conf);
	assert_true(conf->workers >= 1 && conf->volume_count == 0 && conf->metrics == NULL);
	conf_unref(&conf);
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = must(open_memstream(&text, &len));

	(void)state;
	conf_print_help(out);
	fclose(out);
	for (size_t i = 0; i < directive_count; i++) {
		assert_non_null(strstr(text, directive_rows[i].name.ptr));
		assert_non_null(strstr(text, directive_rows[i].doc));
	}
	assert_non_null(strstr(text, "$remote_addr"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything), cmocka_unit_test(test_golden), cmocka_unit_test(test_quick), cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
