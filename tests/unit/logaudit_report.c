/* What is printed: the JSON that scripts rely on, text that fits its width whatever the log holds, and getting a page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "../../logaudit/report.h"
#include "../../logaudit/show.h"
#include "audit_log.h"

/* A log of 10 hits of 100 bytes, 4 misses, a stale and a revalidated answer, a collapsed and a passed one, and one bad line. */
static void known_audit(struct audit *audit)
{
	static const struct { enum verdict cache; int times; } plan[] = { { VERDICT_miss, 4 }, { VERDICT_hit, 10 }, { VERDICT_hit_stale, 1 },
		{ VERDICT_revalidated, 1 }, { VERDICT_collapsed, 1 }, { VERDICT_pass, 1 } };
	struct log log = log_new();

	for (size_t i = 0; i < COUNT_OF(plan); i++)
		for (int n = 0; n < plan[i].times; n++) {
			struct logline line = log_request(plan[i].cache, n % 2 ? "a.example" : "b.example", "/");
			if (plan[i].cache == VERDICT_pass) {
				line.req_auth = line.resp_public = 1;
				line.nostore = NOSTORE_authorization;
			}
			log_add(&log, line);
		}
	log_add_text(&log, SLICE("req,\"open\n"));
	audit_init(audit);
	audit_log(audit, "a.csv", &log);
	audit_finish(audit);
	log_free(&log);
}

static json_t *json_of(const struct audit *audit, bool totals)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_error_t error;
	json_t *root;

	report_json(audit, totals, NULL, out);
	fclose(out);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!root) fail_msg("%s: %s", error.text, text);
	free(text);
	return root;
}

static long long number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value)) fail_msg("no number %s", name);
	return json_integer_value(value);
}

static void json_has_the_shape_that_scripts_rely_on(void **state)
{
	struct audit audit;
	json_t *root, *totals, *finding, *row;

	(void)state;
	known_audit(&audit);
	root = json_of(&audit, true);
	assert_int_equal(number(root, "lines_read"), 20);
	assert_int_equal(number(root, "lines_counted"), 19);
	assert_int_equal(number(root, "lines_rejected"), 1);
	row = json_array_get(json_object_get(root, "rejected"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "reason")), "open_quote");
	totals = json_object_get(root, "totals");
	assert_int_equal(number(totals, "requests"), 18);
	assert_int_equal(number(totals, "hits"), 12);
	assert_int_equal(number(totals, "bytes"), 1800);
	assert_int_equal(number(totals, "hit_bytes"), 1200);
	assert_true(json_real_value(json_object_get(totals, "hit_ratio")) == 12.0 / 18.0);
	assert_true(json_real_value(json_object_get(totals, "byte_hit_ratio")) == 1200.0 / 1800.0);
	assert_int_equal(number(json_object_get(json_object_get(totals, "verdicts"), "collapsed"), "requests"), 1);
	assert_int_equal(json_array_size(json_object_get(root, "hosts")), 2);
	row = json_array_get(json_object_get(root, "hosts"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "host")), "b.example");
	assert_int_equal(number(row, "requests"), 11);
	row = json_array_get(json_object_get(root, "volumes"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "volume")), "main");
	assert_int_equal(json_array_size(json_object_get(root, "findings")), 1);
	finding = json_array_get(json_object_get(root, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(finding, "rule")), "public-on-authenticated");
	assert_string_equal(json_string_value(json_object_get(finding, "severity")), "warning");
	assert_string_equal(json_string_value(json_object_get(finding, "subject")), "b.example");
	assert_int_equal(number(finding, "count"), 1);
	assert_true(json_string_length(json_object_get(finding, "cause")) && json_string_length(json_object_get(finding, "cure")));
	row = json_array_get(json_object_get(finding, "evidence"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "file")), "a.csv");
	assert_int_equal(number(row, "line"), 20);
	json_decref(root);

	root = json_of(&audit, false);
	assert_null(json_object_get(root, "totals"));
	assert_int_equal(json_array_size(json_object_get(root, "findings")), 1);
	json_decref(root);
	audit_release(&audit);
}

/* No line of the text is wider than 100 columns, and no byte of it can steer a terminal. */
static void assert_fits(const char *text)
{
	size_t columns = 0;

	for (const char *c = text; *c; c++) {
		unsigned char byte = (unsigned char)*c;
		assert_true(byte == '\n' || (byte >= 0x20 && byte != 0x7f));
		if (byte == '\n') columns = 0;
		else columns += (byte & 0xc0) != 0x80;
		if (columns > 100) fail_msg("too wide: %.*s", 110, c - (columns - 1));
	}
}

static void text_fits_whatever_the_log_holds(void **state)
{
	static const char *const hosts[] = { "", "a.example", "\xc2\x9b[31m", "\xff\xfe", "caf\xc3\xa9.example", "\x1b[31m.example\r\n",
		"a-very-long-name-of-a-host-that-does-not-fit-into-its-column.with.many.more.labels.example" };
	struct log log = log_new();
	struct audit audit;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	json_t *root;

	(void)state;
	for (size_t h = 0; h < COUNT_OF(hosts); h++)
		for (unsigned v = 0; v < VERDICT_COUNT; v++) {
			struct logline line = log_request((enum verdict)v, hosts[h], "/");
			line.body_out = UINT64_C(1) << 50;
			line.end = (uint8_t)(v % END_COUNT);
			line.nostore = (uint8_t)(v * 2 % NOSTORE_COUNT);
			line.refusal = (uint8_t)(v * 3 % REFUSAL_COUNT);
			line.req_auth = line.resp_public = line.stored = 1;
			if (v == 3) line.seq = UINT64_MAX - h;
			log_add(&log, line);
		}
	audit_init(&audit);
	audit_log(&audit, "a/rather/long/path/of/a/file/that/does/not/fit/beside/anything/else/on/the/line/access.csv", &log);
	audit_finish(&audit);
	assert_true(audit.findings.count > 5);
	report_text(&audit, &(struct report_options){ 0 }, out);
	check_text(&audit, &(struct report_options){ 0 }, out);
	fields_text(out);
	rules_text(out);
	fclose(out);
	assert_fits(text);
	free(text);
	root = json_of(&audit, true);
	assert_int_equal(json_array_size(json_object_get(root, "hosts")), COUNT_OF(hosts));
	json_decref(root);
	audit_release(&audit);
	log_free(&log);
}

static void ratios_do_not_pretend(void **state)
{
	char out[SHOW_NUMBER_MAX];

	(void)state;
	assert_string_equal(show_ratio(out, 0, 0), "-");
	assert_string_equal(show_ratio(out, 0, 5), "0.00 %");
	assert_string_equal(show_ratio(out, 5, 5), "100.00 %");
	assert_string_equal(show_ratio(out, 999999, 1000000), ">99.99 %");
	assert_string_equal(show_ratio(out, 1, 1000000), "<0.01 %");
	assert_string_equal(show_ratio(out, 1, 3), "33.33 %");
	assert_string_equal(show_count(out, 0), "0");
	assert_string_equal(show_count(out, 999), "999");
	assert_string_equal(show_count(out, 1000), "1,000");
	assert_string_equal(show_count(out, UINT64_MAX), "18,446,744,073,709,551,615");
}

/* ---- a metrics page over HTTP ---- */

struct server { int fd; const char *answer; char request[512]; };

static void *serve_one(void *arg)
{
	struct server *server = arg;
	int fd = accept(server->fd, NULL, NULL);
	ssize_t n = 0, got;

	while (n < (ssize_t)sizeof(server->request) - 1 && !strstr(server->request, "\r\n\r\n")) {
		got = recv(fd, server->request + n, sizeof(server->request) - 1 - (size_t)n, 0);
		if (got <= 0) break;
		n += got;
	}
	assert_int_equal(send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL), (ssize_t)strlen(server->answer));
	close(fd);
	return NULL;
}

static const struct { const char *answer, *text, *why; } answers[] = {
	{ "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nproxyd_requests_total 5\n", "proxyd_requests_total 5\n", "a page" },
	{ "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "", "an empty page" },
	{ "HTTP/1.1 404 Not Found\r\n\r\nproxyd_requests_total 5\n", NULL, "not 200" },
	{ "HTTP/1.1 200 OK\r\n", NULL, "cut in the head" },
	{ "SSH-2.0-OpenSSH\r\n\r\n", NULL, "no HTTP" },
	{ "", NULL, "nothing" },
};

static void a_page_is_fetched_or_the_reason_named(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t address_len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char url[64], why[256], *text;
	size_t len;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &address_len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/metrics?x", ntohs(address.sin_port));
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct server server = { .fd = listener, .answer = answers[i].answer };
		pthread_t thread;
		text = NULL;
		assert_int_equal(pthread_create(&thread, NULL, serve_one, &server), 0);
		bool ok = scrape_load_url(url, &text, &len, why);
		pthread_join(thread, NULL);
		if (ok != (answers[i].text != NULL)) fail_msg("%s: %s", answers[i].why, ok ? "taken" : why);
		if (ok) assert_true(slice_eq(slice_make(text, len), slice_str(answers[i].text)));
		assert_true(strncmp(server.request, "GET /metrics?x HTTP/1.0\r\nHost: 127.0.0.1:", 41) == 0);
		free(text);
	}
	close(listener);
	assert_false(scrape_load_url(url, &text, &len, why));       /* nobody listens */
	static const char *const urls[] = { "https://127.0.0.1/", "127.0.0.1:80", "http://", "http://:80/", "http://[::1/", "http://a:b/", "http://a:999999/",
		"http://a/\r\nX: y", "http://[::1]x" };
	for (size_t i = 0; i < COUNT_OF(urls); i++) {
		assert_false(scrape_load_url(urls[i], &text, &len, why));
		assert_non_null(strstr(why, "is not http://"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_the_shape_that_scripts_rely_on),
		cmocka_unit_test(text_fits_whatever_the_log_holds),
		cmocka_unit_test(ratios_do_not_pretend),
		cmocka_unit_test(a_page_is_fetched_or_the_reason_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
