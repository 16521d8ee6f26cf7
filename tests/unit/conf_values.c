/* Sizes and times, tokens, networks, suggestions: rows of input and answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>

#include "../../conf/internal.h"
#include "page.h"

#define BAD UINT64_MAX
#define S 1000000ull

static void test_sizes(void **state)
{
	static const struct { const char *text; uint64_t value; const char *why; } rows[] = {
		{ "0", 0, "" }, { "512", 512, "" }, { "4k", 4096, "" }, { "4K", 4096, "nginx takes both cases" }, { "8m", 8 << 20, "" },
		{ "1g", 1 << 30, "" }, { "1t", 1ull << 40, "" }, { "16383t", 16383ull << 40, "just fits" }, { "16777216t", BAD, "64 bits" },
		{ "18446744073709551614", UINT64_MAX - 1, "just fits" }, { "18446744073709551616", BAD, "64 bits" },
		{ "", BAD, "" }, { "k", BAD, "" }, { "1kb", BAD, "" }, { "1 k", BAD, "" }, { "-1", BAD, "" }, { "+1", BAD, "" }, { "1.5g", BAD, "" },
		{ "0x10", BAD, "" }, { "1x", BAD, "" }, { "k1", BAD, "" },
	};
	struct page page = page_new(64);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice text = slice_make(page_put(page, rows[i].text, strlen(rows[i].text)), strlen(rows[i].text));
		uint64_t value = BAD;
		bool ok = conf_parse_size(text, &value);
		if (ok != (rows[i].value != BAD) || value != rows[i].value)
			fail_msg("size '%s' %s", rows[i].text, rows[i].why);
	}
	page_free(&page);
}

static void test_times(void **state)
{
	static const struct { const char *text; uint64_t value; const char *why; } rows[] = {
		{ "0", 0, "" }, { "30", 30 * S, "seconds, as in nginx" }, { "500ms", S / 2, "" }, { "30s", 30 * S, "" }, { "5m", 300 * S, "" },
		{ "1h", 3600 * S, "" }, { "1d", 86400 * S, "" }, { "1w", 7 * 86400 * S, "" }, { "1M", 30 * 86400 * S, "" }, { "1y", 365 * 86400 * S, "" },
		{ "1h30m", 5400 * S, "" }, { "1m30", 90 * S, "the last may be bare seconds" }, { "1s500ms", 1500000, "" }, { "7us", 7, "" },
		{ "30m1h", BAD, "from large to small" }, { "1h1h", BAD, "each once" }, { "1ms5", BAD, "bare seconds after smaller" },
		{ "", BAD, "" }, { "s", BAD, "" }, { "1 s", BAD, "" }, { "1S", BAD, "" }, { "-1s", BAD, "" }, { "1.5s", BAD, "" }, { "1minute", BAD, "" },
		{ "600000y", BAD, "64 bits" }, { "584942y1y", BAD, "" },
	};
	struct page page = page_new(64);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice text = slice_make(page_put(page, rows[i].text, strlen(rows[i].text)), strlen(rows[i].text));
		uint64_t value = BAD;
		bool ok = conf_parse_time(text, &value);
		if (ok != (rows[i].value != BAD) || value != rows[i].value)
			fail_msg("time '%s' %s: %llu", rows[i].text, rows[i].why, (unsigned long long)value);
	}
	page_free(&page);
}

/* What is printed is read again as the same. */
static void test_texts(void **state)
{
	static const uint64_t values[] = { 0, 1, 999, 1000, 1023, 1024, 1025, 4096, 1000000, 1500000, 60000000, 90000000, 1ull << 40, 86400000000, UINT64_MAX };
	char text[VALUE_TEXT_MAX];
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(values); i++) {
		assert_true(conf_parse_size(slice_str(size_text(values[i], text)), &value));
		assert_int_equal(value, values[i]);
		assert_true(conf_parse_time(slice_str(time_text(values[i], text)), &value));
		assert_int_equal(value, values[i]);
	}
	assert_string_equal(size_text(8 << 20, text), "8m");
	assert_string_equal(size_text(1000, text), "1000");
	assert_string_equal(time_text(90 * S, text), "90s");
	assert_string_equal(time_text(86400 * S, text), "1d");
	assert_string_equal(time_text(1500, text), "1500us");
}

static const char *nearest(const char *word, const char *const *offers)
{
	static struct suggestion near;

	suggest_start(&near, slice_str(word));
	for (; *offers; offers++)
		suggest_offer(&near, slice_str(*offers));
	return near.best.len ? near.best.ptr : "";
}

static void test_suggestions(void **state)
{
	static const char *const offers[] = { "proxy_pass", "proxy_cache", "listen", "location", "return", "warn", NULL };

	(void)state;
	assert_string_equal(nearest("proxy_pas", offers), "proxy_pass");
	assert_string_equal(nearest("proxypass", offers), "proxy_pass");
	assert_string_equal(nearest("poxry_cahce", offers), "proxy_cache");
	assert_string_equal(nearest("LISTEN", offers), "listen");
	assert_string_equal(nearest("lisetn", offers), "listen");
	assert_string_equal(nearest("warning", offers), "warn");
	assert_string_equal(nearest("gzip", offers), "");
	assert_string_equal(nearest("", offers), "");
	assert_string_equal(nearest("xyz", offers), "");
	assert_string_equal(nearest("a_word_that_is_much_longer_than_any_directive_could_ever_be", offers), "");
}

static bool trusts(const char *network, const char *peer)
{
	struct conf_network parsed;
	struct conf_server server = { .trusted = &parsed, .trusted_count = 1 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	assert_true(network_parse(slice_str(network), &parsed));
	if (inet_pton(AF_INET, peer, &in.sin_addr) == 1)
		return conf_is_trusted(&server, (struct sockaddr *)&in);
	if (inet_pton(AF_INET6, peer, &in6.sin6_addr) == 1)
		return conf_is_trusted(&server, (struct sockaddr *)&in6);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	return conf_is_trusted(&server, (struct sockaddr *)&un);
}

static void test_networks(void **state)
{
	static const char *const bad[] = { "", "10.0.0.0/33", "10.0.0", "::/129", "10.0.0.0/", "/8", "10.0.0.0/-1", "name", "10.0.0.0/8x", "10.0.0.0/0x8" };
	struct conf_network network;

	(void)state;
	assert_true(trusts("10.0.0.0/8", "10.255.0.1"));
	assert_false(trusts("10.0.0.0/8", "11.0.0.1"));
	assert_true(trusts("10.1.2.3/8", "10.9.9.9"));
	assert_true(trusts("192.168.1.7", "192.168.1.7"));
	assert_false(trusts("192.168.1.7", "192.168.1.6"));
	assert_true(trusts("192.168.1.0/30", "192.168.1.3"));
	assert_false(trusts("192.168.1.0/30", "192.168.1.4"));
	assert_true(trusts("0.0.0.0/0", "8.8.8.8"));
	assert_false(trusts("0.0.0.0/0", "::1"));
	assert_true(trusts("10.0.0.0/8", "::ffff:10.1.2.3"));
	assert_true(trusts("fd00::/8", "fdff::1"));
	assert_false(trusts("fd00::/8", "fe00::1"));
	assert_true(trusts("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(trusts("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(trusts("unix:", "a socket"));
	assert_false(trusts("0.0.0.0/0", "a socket"));
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_false(network_parse(slice_str(bad[i]), &network));
}

/* The words of a text, each in [ ], quoted ones in " ". */
static void tokens_of(const char *text, char *out, size_t size)
{
	struct load load = { .folder = "" };
	struct conf conf = { .workers = 0 };
	struct conf_priv *priv = must(calloc(1, sizeof(*priv)));
	FILE *to = must(fmemopen(memset(out, 0, size), size, "w"));
	struct lexer lexer;
	struct token token;

	conf.priv = priv;
	load.conf = &conf;
	lexer_init(&lexer, &load, load_source(&load, "test", slice_str(text)));
	do {
		token = lexer_next(&lexer);
		switch (token.kind) {
		case TOKEN_word: fprintf(to, token.quoted ? "\"%.*s\"" : "[%.*s]", SLICE_ARG(token.text)); break;
		case TOKEN_open: fputc('{', to); break;
		case TOKEN_close: fputc('}', to); break;
		case TOKEN_semicolon: fputc(';', to); break;
		case TOKEN_end: break;
		}
	} while (token.kind != TOKEN_end);
	fprintf(to, "%s", load.errors ? "!" : "");
	fclose(to);
	load_release(&load);
	struct conf *made = must(calloc(1, sizeof(*made)));
	atomic_init(&made->refs, 1);
	made->priv = priv;
	conf_unref(&made);
}

static void test_tokens(void **state)
{
	static const struct { const char *text, *tokens, *why; } rows[] = {
		{ "", "", "" }, { "  # only a comment", "", "" }, { "a b;", "[a][b];", "" }, { "a{b;}", "[a]{[b];}", "" },
		{ "a}b;", "[a}b];", "as in nginx: a brace ends no word from within" },
		{ "a#b;", "[a#b];", "a comment begins where a word could" }, { "a #b;\nc;", "[a][c];", "" },
		{ "\"a b\" 'c;d';", "\"a b\"\"c;d\";", "" }, { "a\"b\";", "[a\"b\"];", "quotes count at the beginning" },
		{ "\"\" ''", "\"\"\"\"", "" }, { "'it\\'s'", "\"it's\"", "" }, { "\"a\\\\\"", "\"a\\\"", "" }, { "\\.php$;", "[\\.php$];", "" },
		{ "a\\;b;", "[a\\;b];", "the backslash stays, as in nginx" }, { "${host}x{", "[${host}x]{", "" }, { "${host", "[${host]", "" },
		{ "\"${host};\"", "\"${host};\"", "" }, { "'open", "\"open\"!", "" }, { "\"a\"b;", "\"a\";!", "" }, { "a\x01;", "[a\x01];!", "" },
		{ "\\", "[\\]", "" }, { "\"\\", "\"\\\"!", "" }, { "a\r\nb", "[a][b]", "" }, { "\xef\xbb\xbf" "a", "[a]", "" },
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		tokens_of(rows[i].text, out, sizeof(out));
		if (strcmp(out, rows[i].tokens) != 0)
			fail_msg("'%s' gave %s, not %s %s", rows[i].text, out, rows[i].tokens, rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_times), cmocka_unit_test(test_texts), cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_networks), cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
