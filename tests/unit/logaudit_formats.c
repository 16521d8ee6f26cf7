/* Lines of other programs' logs: what each becomes, value by value, or why it is none; layouts; detection. Lines end at an unreadable
 * page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "../../conf/logval.h"
#include "../../logaudit/format.h"
#include "page.h"

/* A value for people, by kind: enumerations by name, the row `none` too. */
static void text_STR(char *out, size_t size, struct slice value) { snprintf(out, size, "%.*s", SLICE_ARG(value)); }
static void text_I64(char *out, size_t size, int64_t value) { snprintf(out, size, "%lld", (long long)value); }
static void text_U64(char *out, size_t size, uint64_t value) { snprintf(out, size, "%llu", (unsigned long long)value); }
#define text_WORD text_STR
#define text_BOOL text_U64
#define text_HEX64 text_U64
#define X(KIND, rows, count) static void text_##KIND(char *out, size_t size, uint8_t value) { text_STR(out, size, (rows)[value].name); }
LOG_ENUM_KINDS(X)
#undef X

static void column_text(const struct logline *line, struct slice name, char *out, size_t size)
{
	snprintf(out, size, "(no such column)");
#define LOG_FIELD(column, KIND, doc) if (slice_eq(name, SLICE(#column))) text_##KIND(out, size, line->column);
#include "../../conf/tbl/log_fields.h"
#undef LOG_FIELD
}

/* Each COLUMN=VALUE of `want`, parted by |. */
static void columns_check(const struct logline *line, const char *want, const char *why)
{
	char got[4096];

	while (*want) {
		size_t name = strcspn(want, "="), len = strcspn(want + name + 1, "|");
		column_text(line, slice_make(want, name), got, sizeof(got));
		if (strlen(got) != len || memcmp(got, want + name + 1, len) != 0) fail_msg("%s: %.*s is '%s'", why, (int)(name + 1 + len), want, got);
		want += name + 1 + len;
		want += *want == '|';
	}
}

#define HA "192.0.2.1:5 [24/Nov/2026:17:07:02.250] www "
#define HA_END " 1/1/0/0/"
#define CF "#Version: 1.0\n#Fields: date time c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent) cs-uri-query x-edge-result-type x-host-header time-taken sc-bytes\n"
#define CF_LINE "2026-11-24\t17:07:02\t2001:db8::1\tGET\td1.cloudfront.net\t/a\t200\tM%20x%22\tq=1\tRefreshHit\tWWW.Example.com\t0.5\t1000"

static const struct { const char *format, *head, *line, *want, *why; } rows[] = {
	/* ---- the common core ---- */
	{ "combined", "", "192.0.2.7 - - [24/Nov/2026:18:07:02 +0100] \"GET /a?b=1 HTTP/1.1\" 200 1234 \"http://r/\" \"curl\"",
		"client=192.0.2.7|t_us=1795540022000000|method=GET|target=/a?b=1|proto=HTTP/1.1|status=200|body_out=1234|referer=http://r/|agent=curl|cache=none", "a zone" },
	{ "combined", "", "::1 - joe doe [24/Nov/2026:17:07:02 -0030] \"GET http://Www.Ex.org:80/ HTTP/2.0\" 304 - \"-\" \"-\"",
		"client=::1|t_us=1795541822000000|scheme=http|host=www.ex.org|target=/|proto=HTTP/2|body_out=0|agent=", "absolute-form, a blank in the user, a zone in the west" },
	{ "combined", "", "h.example - - [24/Nov/2026:17:07:02 +0000] \"GET https://[2001:DB8::1]:8443?x HTTP/1.1\" 200 1 \"-\" \"-\"",
		"client=h.example|scheme=https|host=[2001:db8::1]:8443|target=?x", "a host in brackets, no path" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"\\x16\\x03\\x01\\\"\\\\x\" 400 150 \"-\" \"-\"", "method=|target=\\x16\\x03\\x01\"\\\\x|status=400", "a TLS hello is a request to the server" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"-\" 408 0 \"-\" \"-\"", "method=|target=|status=408", "no request at all" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET /a b HTTP/1.1\" 200 0 \"\" \"caf\\xC3\\xA9 \\x22q\\x22 \\t\"", "target=/a b|agent=caf\xc3\xa9 \"q\" \\x09", "escapes of nginx and httpd" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET /\" 200 0 \"-\" \"a \\\"b\\\" c\\\\\"", "method=GET|target=/|proto=|agent=a \"b\" c\\\\", "HTTP/0.9, and a backslash before the last quote" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"say \"x\"y\"", "agent=say \"x\"y", "quotes that were not escaped" },
	{ "combined", "", "::1 - - [29/Feb/2024:23:59:60 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\"", "t_us=1709251199000000", "a leap day and a leap second" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\" extra", "!open_quote", "a column too many" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 0 \"-", "!open_quote", "cut" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 0", "!no_match", "cut at a value's end" },
	{ "combined", "", "::1 - - [24/Nov/2026:25:07:02 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\"", "!bad_value", "an hour that is none" },
	{ "combined", "", "::1 - - [24/Foo/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\"", "!bad_value", "a month that is none" },
	{ "combined", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 2000 0 \"-\" \"-\"", "!bad_value", "a status that is none" },
	{ "combined", "", "", "!no_match", "nothing" },
	{ "combined", "", "rec/1,t_us", "!no_match", "a header line of ours" },
	{ "common", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 -", "body_out=0|status=200", "no size" },
	{ "vhost_combined_us", "", "Www.Ex.org:443 ::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 300 \"-\" \"-\" 1500", "host=www.ex.org|body_out=300|total_us=1500|t_us=1795540022000000", "the time is the beginning" },
	/* ---- nginx ---- */
	{ "nginx_cache", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" UPDATING", "cache=hit_stale", "stale while it is fetched anew" },
	{ "nginx_cache", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" -", "cache=off", "no cache was asked" },
	{ "nginx_cache", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" WHATEVER", "cache=none", "a word of another release" },
	{ "nginx:$msec $request_time $upstream_addr $upstream_status $upstream_connect_time $upstream_header_time $upstream_response_length $status", "",
		"1795540022.250 0.250 10.0.0.1:80, unix:/run/x : [::1]:81 502, 504 : 200 0.001, - : 0.010 -, - : 0.110 0, 5 : 7 200",
		"t_us=1795540022000000|total_us=250000|origin=[::1]:81|origin_tries=3|origin_status=200|connect_us=10000|origin_first_us=100000|origin_in=12|tier=origin", "three origins were asked" },
	{ "nginx:$host$request_uri $status \"$sent_http_cache_control\"", "", "A.example/x?y 200 \"public, max-age=5\"", "host=a.example|target=/x?y|resp_public=1", "host and path with nothing between" },
	{ "nginx:$uri$is_args$args|$status", "", "/x?y|200", "target=/x?y", "values with nothing between" },
	{ "nginx:$status $sent_http_cache_status", "", "200 Origin; hit, Edge; fwd=stale; fwd-status=304", "cache=revalidated", "RFC 9211: the last one is nearest to the client" },
	{ "nginx:$status $sent_http_cache_status", "", "200 Edge; hit; ttl=-5", "cache=hit_stale", "RFC 9211: past its lifetime" },
	{ "nginx:$status $sent_http_x_cache", "", "200 MISS, Hit from cloudfront", "cache=hit", "X-Cache" },
	{ "nginx_json", "{\"time_iso8601\":\"\",\"status\":\"\"}", "{\"time_iso8601\":\"2026-11-24T18:07:02+01:00\",\"a\":{\"status\":\"404\",\"b\":[1,{\"x\":2}]},\"request_uri\":\"/\\u00e9\\ud83d\\ude00\\\"\\n\\\\\",\"request_time\":}",
		"t_us=1795540022000000|status=404|target=/\xc3\xa9\xf0\x9f\x98\x80\"\\x0a\\\\", "nested, escapes, and a number that is missing" },
	{ "nginx_json", "{\"time_iso8601\":\"\",\"status\":\"\"}", "{\"time_iso8601\":\"2026-11-24T18:07:02+01:00\",\"status\":200", "!bad_json", "cut" },
	{ "nginx_json", "{\"time_iso8601\":\"\",\"status\":\"\"}", "{\"status\":200}", "!bad_value", "no time" },
	{ "nginx:{\"ts\":\"$msec\",\"ip\":\"$remote_addr\",\"r\":{\"s\":$status}}", "", "{\"ts\":\"1795540022.000\",\"r\":{\"s\":503},\"ip\":\"::1\"}", "client=::1|status=503", "keys of one's own" },
	/* ---- Varnish, Squid, Traffic Server ---- */
	{ "varnish_handling", "", "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET http://a.example/x HTTP/1.1\" 200 5 \"-\" \"-\" synth", "cache=synth|host=a.example|target=/x", "VCL made the answer" },
	{ "squid", "", "1795540022.250    250 ::1 TCP_REFRESH_UNMODIFIED_ABORTED/200 312 GET http://a.example/ - HIER_DIRECT/10.0.0.1 text/html",
		"t_us=1795540022000000|total_us=250000|cache=revalidated|end=client_left|status=200|body_out=312|origin=10.0.0.1|origin_tries=1|resp_type=text/html", "blanks before a number, a word in two parts" },
	{ "squid", "", "1795540022.250      0 ::1 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -", "cache=refused|status=0|origin=|origin_tries=0|method=", "no request" },
	{ "trafficserver", "", "1795540022.250 5 ::1 TCP_MEM_HIT/200 312 GET http://a.example/ - NONE/- text/html", "t_us=1795540022250000|cache=hit|tier=ram|origin_tries=0", "the time is the beginning" },
	{ "trafficserver", "", "1795540022.250 5 ::1 ERR_CLIENT_ABORT/000 0 GET http://a.example/ - DIRECT/b.example -", "cache=none|end=client_left|origin=b.example", "the client left" },
	/* ---- HAProxy ---- */
	{ "haproxy", "", "Nov 24 17:07:02 n1 haproxy[7]: " HA "b/s1 1/2/3/4/50 200 300 - - ----" HA_END "2 0/0 {a|b} {c} \"GET /#22x HTTP/1.1\"",
		"client=192.0.2.1|t_us=1795540022250000|route=www|origin=b/s1|origin_tries=3|first_us=10000|connect_us=3000|origin_first_us=4000|total_us=50000|status=200|body_out=300|end=complete|target=/\"x", "captures, retries and an escape" },
	{ "haproxy", "", "2026-11-24T17:07:02+00:00 n1 haproxy: " HA "b/<CACHE> 0/0/0/0/0 200 300 - - LR--" HA_END "0 0/0 \"GET /a HTTP/1.1\"", "cache=hit|tier=ram|origin=|end=complete", "its own cache" },
	{ "haproxy", "", HA "b/s1 0/0/-1/-1/3003 503 212 - - sC--" HA_END "+3 0/0 \"GET /a HTTP/1.1\"", "end=connect_timeout|connect_us=-1|first_us=-1|origin_tries=4", "no connection, and no syslog" },
	{ "haproxy", "", HA "www/<NOSRV> -1/-1/-1/-1/0 400 187 - - PR--" HA_END "0 0/0 \"<BADREQ>\"", "cache=refused|end=refused|target=<BADREQ>", "refused" },
	{ "haproxy", "", HA "b/s1 0/0/0/0/1 200 187 - - ----" HA_END "0 0/0 \"GET /cut/at/its/limit", "target=/cut/at/its/limit|status=200", "a request that was too long for a syslog line" },
	{ "haproxy", "", "Nov 24 17:07:02 n1 haproxy[7]: Server b/s1 is DOWN.", "!other_line", "no request" },
	{ "haproxy", "", "192.0.2.1:5 [24/Nov/2026:17:07:02.250] www/1: SSL handshake failure", "!no_match", "no request" },
	/* ---- Caddy, CloudFront ---- */
	{ "caddy", "", "{\"level\":\"info\",\"ts\":1795540022.25,\"msg\":\"handled request\",\"request\":{\"remote_ip\":\"::1\",\"proto\":\"HTTP/2.0\",\"method\":\"GET\",\"host\":\"A.example\",\"uri\":\"/\",\"headers\":{\"Cookie\":[]},\"tls\":{\"version\":772}},\"duration\":2.5e-1,\"size\":7,\"status\":200,\"resp_headers\":{\"Set-Cookie\":[\"a=b\",\"c\"]}}",
		"t_us=1795540022000000|total_us=250000|host=a.example|proto=HTTP/2|tls=TLSv1.3|resp_setcookie=1|req_cookie=0|body_out=7", "an exponent" },
	{ "caddy", "", "{\"level\":\"info\",\"ts\":1795540022.25,\"msg\":\"serving initial configuration\"}", "!other_line", "no request" },
	{ "cloudfront", CF CF_LINE "\n", CF_LINE, "t_us=1795540021500000|client=2001:db8::1|host=www.example.com|target=/a?q=1|agent=M x\"|cache=revalidated|body_out=1000", "by the names at the top" },
	{ "cloudfront", CF CF_LINE "\n", CF_LINE "\t1", "!field_count", "a column too many" },
	{ "cloudfront", CF CF_LINE "\n", "2026-11-24\t17:07:02\t2001:db8::1", "!field_count", "cut" },
	{ "cloudfront", CF CF_LINE "\n", "#Fields: date time", "!other_columns", "other columns" },
};

static void each_line_becomes_what_it_says(void **state)
{
	struct format_scratch *scratch = format_scratch_new();
	struct page page = page_new(8192);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct format *format = NULL;
		char why[FORMAT_WHY_MAX];
		struct logline line;
		struct slice column, text = slice_make(page_put(page, rows[i].line, strlen(rows[i].line)), strlen(rows[i].line));
		bool header;
		if (!format_open(slice_str(rows[i].head), rows[i].format, &format, why)) fail_msg("%s: %s", rows[i].why, why);
		enum reject reject = format_line(format, scratch, text, &line, &column, &header);
		if (rows[i].want[0] == '!' ? strcmp(reject_rows[reject].name, rows[i].want + 1) != 0 : reject != REJECT_none)
			fail_msg("%s: %s at %.*s", rows[i].why, reject_rows[reject].name, SLICE_ARG(column));
		if (reject == REJECT_none) columns_check(&line, rows[i].want, rows[i].why);
		format_free(&format);
	}
	page_free(&page);
	format_scratch_free(&scratch);
}

#define CORE "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET / HTTP/1.1\" 200 5"
#define AGENT CORE " \"-\" \"x\""
#define NGINX "nginx:$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\""

static const struct { const char *head, *name; } heads[] = {
	{ "", NULL },
	{ "rec/1,t_us\n" CORE "\n", NULL },
	{ "no log\nat all\n", NULL },
	{ "{\"msg\":\"x\",\"level\":3}\n", NULL },
	{ CORE "\n", "common" },
	{ AGENT "\n", "combined" },
	{ "junk\n\x16\x03\n" AGENT "\n" AGENT "\n", "combined" },
	{ AGENT "\n" CORE " \"-\" \"cu", "combined" },
	{ AGENT " HIT\n" AGENT " -\n", "nginx_cache" },
	{ AGENT " hit\n" AGENT " pass\n", "varnish_handling" },
	{ "a.example:80 " AGENT "\n", "vhost_combined" },
	{ "a.example:80 " AGENT " 1234\n", "vhost_combined_us" },
	{ "a.example " AGENT "\n", "nginx:$host $remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"" },
	{ AGENT " \"-\"\n" AGENT " \"192.0.2.1, 10.0.0.1\"\n", NGINX " \"$http_x_forwarded_for\"" },
	{ AGENT " 0.100 0.100, 0.002 10.0.0.1:80, 10.0.0.2:80 MISS\n" AGENT " 0.000 - - HIT\n", NGINX " $request_time $upstream_response_time $upstream_addr $upstream_cache_status" },
	{ AGENT " rt=0.100 uct=\"0.001\" cs=MISS zz=1\n", NGINX " rt=$request_time uct=\"$upstream_connect_time\" cs=$upstream_cache_status zz=$unknown" },
	{ AGENT " 17\n", NGINX " $unknown" },
	{ "1795540022.250 5 ::1 TCP_HIT/200 312 GET http://a.example/ - NONE/- text/html\n", "trafficserver" },
	{ "1795540022.250 5 ::1 TCP_MEM_HIT/200 312 GET http://a.example/ - HIER_NONE/- text/html\n", "squid" },
	{ HA "b/s1 1/2/3/4/50 200 300 - - ----" HA_END "2 0/0 \"GET / HTTP/1.1\"\n", "haproxy" },
	{ CF CF_LINE "\n", "cloudfront" },
	{ "{\"time_iso8601\":\"2026-11-24T18:07:02+01:00\",\"status\":\"200\"}\n", "nginx_json" },
	{ "{\"ts\":1.5,\"msg\":\"handled request\",\"request\":{\"host\":\"x\"},\"status\":200}\n", "caddy" },
};

static void formats_are_told_by_the_first_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		struct format *format = NULL;
		char why[FORMAT_WHY_MAX];
		assert_true(format_open(slice_str(heads[i].head), NULL, &format, why));
		if (!format != !heads[i].name || (format && strcmp(format_name(format), heads[i].name) != 0))
			fail_msg("%s is %s, not %s", heads[i].head, format ? format_name(format) : "nothing", heads[i].name ? heads[i].name : "nothing");
		format_free(&format);
	}
}

static const char *const wrong[] = { "nosuch", "nginx:", "nginx:plain", "nginx:$", "nginx:$nothing_known", "nginx:{", "nginx:{\"a\":1}", "httpd:%", "httpd:%{x", "caddy:x",
	"trafficserver:%<", "haproxy:%[", "nosuch:$status", "cloudfront" };

static void what_is_no_format_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct format *format = NULL;
		char why[FORMAT_WHY_MAX] = "";
		if (format_open(slice_make("", 0), wrong[i], &format, why) || !why[0] || format) fail_msg("%s was taken, or refused without a word", wrong[i]);
	}
}

static void long_texts_are_cut_as_in_our_own_log(void **state)
{
	struct format_scratch *scratch = format_scratch_new();
	static char text[60000];
	struct format *format = NULL;
	char why[FORMAT_WHY_MAX];
	struct slice column;
	struct logline line;
	uint64_t true_len = 0;
	char plain[8192];
	bool header;
	int len = snprintf(text, sizeof(text), "::1 - - [24/Nov/2026:17:07:02 +0000] \"GET /");

	(void)state;
	memset(text + len, '\\', 40000);
	snprintf(text + len + 40000, 100, " HTTP/1.1\" 200 0 \"-\" \"-\"");
	assert_true(format_open(slice_make("", 0), "combined", &format, why));
	assert_int_equal(format_line(format, scratch, slice_str(text), &line, &column, &header), REJECT_none);
	assert_int_equal(logval_unescape(line.target, plain, &true_len), LOG_STR_MAX);
	assert_int_equal(true_len, 20001);
	format_free(&format);
	format_scratch_free(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_becomes_what_it_says),
		cmocka_unit_test(formats_are_told_by_the_first_lines),
		cmocka_unit_test(what_is_no_format_is_refused),
		cmocka_unit_test(long_texts_are_cut_as_in_our_own_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
