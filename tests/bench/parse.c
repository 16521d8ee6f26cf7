/* Nanoseconds per head for three typical heads: the one wrk sends, a browser's GET, an origin's answer. Best of several
 * runs, since a shared machine only ever makes it slower. */
#include <stdio.h>
#include <time.h>

#include "../../conf/check.h"
#include "../../proxyd/http_head.h"

static const char small[] = "GET /static/a.css HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
static const char browser[] =
	"GET /images/2024/teaser.webp?w=640&h=480 HTTP/1.1\r\n"
	"Host: www.example.com\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
	"Accept-Language: en-US,en;q=0.5\r\n"
	"Accept-Encoding: gzip, deflate, br\r\n"
	"Connection: keep-alive\r\n"
	"Upgrade-Insecure-Requests: 1\r\n"
	"Sec-Fetch-Dest: document\r\n"
	"Priority: u=1\r\n\r\n";
static const char answer[] =
	"HTTP/1.1 200 OK\r\n"
	"Server: nginx/1.22.1\r\n"
	"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	"Content-Type: text/html; charset=utf-8\r\n"
	"Content-Length: 10240\r\n"
	"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	"Connection: keep-alive\r\n"
	"ETag: \"65b6f2c1-2800\"\r\n"
	"Cache-Control: max-age=3600\r\n"
	"Accept-Ranges: bytes\r\n\r\n";

static const struct http_limits limits = { 8192, 32768, 100 };
static struct http_header headers[100];

static void parse(const char *text, size_t len)
{
	static struct http_head head;
	enum refusal refusal = REFUSAL_none;
	long used = text == answer ? http_parse_response(text, len, 0, &limits, METHOD_GET, headers, &head, &refusal)
		: http_parse_request(text, len, 0, &limits, headers, &head, &refusal);

	CHECK(used == (long)len);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void measure(const char *name, const char *text, size_t len)
{
	enum { ROUNDS = 20, HEADS = 50000 };
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns();
		for (int i = 0; i < HEADS; i++) parse(text, len);
		double each = (now_ns() - start) / HEADS;
		if (each < best)
			best = each;
	}
	printf("%-8s %4zu bytes  %6.1f ns  %5.2f GB/s\n", name, len, best, (double)len / best);
}

int main(void)
{
	measure("small", small, sizeof small - 1);
	measure("browser", browser, sizeof browser - 1);
	measure("answer", answer, sizeof answer - 1);
	return 0;
}
