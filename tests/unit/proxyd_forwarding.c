/* Who the client is, and the forwarding fields for the origin: with and without trust, and what cannot be believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <cmocka.h>

#include "../../proxyd/forwarding.h"
#include "heads.h"

#define XFF(text) "X-Forwarded-For: " text "\r\n"

static struct test_head head;

/* Trusted: 10.0.0.0/8 and fd00::/8. */
static bool trusts_private(void *arg, const struct sockaddr *address)
{
	(void)arg;
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 10;
	return address->sa_family == AF_INET6 && ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr[0] == 0xfd;
}

static const struct row {
	const char *peer, *fields;
	const char *client; enum found found; bool dropped;
	const char *xff, *forwarded, *why;
} rows[] = {
	{ "192.0.2.1", "", "192.0.2.1", FOUND_peer, false, "192.0.2.1", "for=192.0.2.1;host=\"a:81\";proto=http", "nothing sent" },
	{ "2001:db8::1", "", "2001:db8::1", FOUND_peer, false, "2001:db8::1", "for=\"[2001:db8::1]\";host=\"a:81\";proto=http", "IPv6 is quoted in Forwarded (RFC 7239 6)" },
	{ "192.0.2.1", XFF("198.51.100.7"), "192.0.2.1", FOUND_peer, true, "192.0.2.1", "for=192.0.2.1;host=\"a:81\";proto=http", "an untrusted peer's word is dropped" },
	{ "192.0.2.1", "Forwarded: for=198.51.100.7\r\n", "192.0.2.1", FOUND_peer, true, "192.0.2.1", "for=192.0.2.1;host=\"a:81\";proto=http", "Forwarded too" },
	{ "192.0.2.1", "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n", "192.0.2.1", FOUND_peer, true, "192.0.2.1", "for=192.0.2.1;host=\"a:81\";proto=http", "scheme and host too" },
	{ "10.0.0.1", "", "10.0.0.1", FOUND_peer, false, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "a trusted peer that says nothing" },
	{ "10.0.0.1", XFF("192.0.2.1"), "192.0.2.1", FOUND_forwarded, false, "192.0.2.1, 10.0.0.1", "for=192.0.2.1;host=\"a:81\";proto=http, for=10.0.0.1", "a trusted peer's word" },
	{ "10.0.0.1", XFF("198.51.100.7, 192.0.2.1"), "192.0.2.1", FOUND_forwarded, true, "192.0.2.1, 10.0.0.1", "for=192.0.2.1;host=\"a:81\";proto=http, for=10.0.0.1", "what the client told the trusted peer is dropped" },
	{ "10.0.0.1", XFF("198.51.100.7, 192.0.2.1, 10.9.9.9"), "192.0.2.1", FOUND_forwarded, true, "192.0.2.1, 10.9.9.9, 10.0.0.1", "for=192.0.2.1;host=\"a:81\";proto=http, for=10.9.9.9, for=10.0.0.1", "past two trusted proxies" },
	{ "10.0.0.1", XFF("198.51.100.7") XFF("192.0.2.1") XFF("10.9.9.9"), "192.0.2.1", FOUND_forwarded, true, "192.0.2.1, 10.9.9.9, 10.0.0.1", "for=192.0.2.1;host=\"a:81\";proto=http, for=10.9.9.9, for=10.0.0.1", "over several lines" },
	{ "10.0.0.1", XFF("10.0.0.3, 10.0.0.2"), "10.0.0.3", FOUND_forwarded, false, "10.0.0.3, 10.0.0.2, 10.0.0.1", "for=10.0.0.3;host=\"a:81\";proto=http, for=10.0.0.2, for=10.0.0.1", "all are trusted: the first" },
	{ "10.0.0.1", XFF("192.0.2.1:4711"), "192.0.2.1", FOUND_forwarded, false, "192.0.2.1, 10.0.0.1", "for=192.0.2.1;host=\"a:81\";proto=http, for=10.0.0.1", "a port is left out" },
	{ "10.0.0.1", XFF("[2001:DB8:0::1]:4711"), "2001:db8::1", FOUND_forwarded, false, "2001:db8::1, 10.0.0.1", "for=\"[2001:db8::1]\";host=\"a:81\";proto=http, for=10.0.0.1", "the usual notation" },
	{ "10.0.0.1", XFF("2001:db8::1, [fd00::1]"), "2001:db8::1", FOUND_forwarded, false, "2001:db8::1, fd00::1, 10.0.0.1", "for=\"[2001:db8::1]\";host=\"a:81\";proto=http, for=\"[fd00::1]\", for=10.0.0.1", "with and without brackets" },
	{ "10.0.0.1", XFF("192.0.2.1, ::ffff:10.2.2.2"), "192.0.2.1", FOUND_forwarded, false, "192.0.2.1, 10.2.2.2, 10.0.0.1", "for=192.0.2.1;host=\"a:81\";proto=http, for=10.2.2.2, for=10.0.0.1", "IPv4 in IPv6 is IPv4: trust included" },
	{ "fd00::2", XFF("192.0.2.1"), "192.0.2.1", FOUND_forwarded, false, "192.0.2.1, fd00::2", "for=192.0.2.1;host=\"a:81\";proto=http, for=\"[fd00::2]\"", "a trusted IPv6 peer" },
	{ "10.0.0.1", XFF("192.0.2.1, unknown, 10.9.9.9"), "10.9.9.9", FOUND_forwarded, true, "10.9.9.9, 10.0.0.1", "for=10.9.9.9;host=\"a:81\";proto=http, for=10.0.0.1", "nobody vouches for what is left of a word that is no address" },
	{ "10.0.0.1", XFF("_secret"), "10.0.0.1", FOUND_peer, true, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "no address at all" },
	{ "10.0.0.1", XFF("192.0.2.256"), "10.0.0.1", FOUND_peer, true, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "no IPv4 address" },
	{ "10.0.0.1", XFF("192.0.2.1:99x"), "10.0.0.1", FOUND_peer, true, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "no port" },
	{ "10.0.0.1", XFF("[2001:db8::1"), "10.0.0.1", FOUND_peer, true, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "no bracket" },
	{ "10.0.0.1", XFF("[192.0.2.1]"), "10.0.0.1", FOUND_peer, true, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "brackets are for IPv6" },
	{ "10.0.0.1", XFF("fe80::1%eth0"), "10.0.0.1", FOUND_peer, true, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "a zone means nothing here" },
	{ "10.0.0.1", XFF("010.0.0.2"), "10.0.0.1", FOUND_peer, true, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "octal or decimal: refused" },
	{ "10.0.0.1", XFF(""), "10.0.0.1", FOUND_peer, false, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "an empty list" },
	{ "10.0.0.1", XFF("192.0.2.1") "X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: www.example:8443\r\n", "192.0.2.1", FOUND_forwarded, false, "192.0.2.1, 10.0.0.1", "for=192.0.2.1;host=\"www.example:8443\";proto=https, for=10.0.0.1", "scheme and host of a trusted peer" },
	{ "10.0.0.1", "X-Forwarded-Proto: http, https\r\nX-Forwarded-Host: evil, www\r\n", "10.0.0.1", FOUND_peer, false, "10.0.0.1", "for=10.0.0.1;host=www;proto=https", "lists: the last is the trusted peer's own" },
	{ "10.0.0.1", "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: a b\r\n", "10.0.0.1", FOUND_peer, false, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "what is none is not taken" },
	{ "10.0.0.1", "X-Forwarded-Host: x\"y\r\n", "10.0.0.1", FOUND_peer, false, "10.0.0.1", "for=10.0.0.1;host=\"a:81\";proto=http", "nor what would break Forwarded" },
	{ "unix:", "", "unix:", FOUND_peer, false, "", "for=unknown;host=\"a:81\";proto=http", "a peer without an address" },
	{ "unix:", XFF("192.0.2.1"), "unix:", FOUND_peer, true, "", "for=unknown;host=\"a:81\";proto=http", "whom nobody trusts" },
};

union any { struct sockaddr any; struct sockaddr_in in; struct sockaddr_in6 in6; struct sockaddr_un un; };

static struct forwarding_input input_of(const char *peer, union any *address, const char *fields)
{
	memset(address, 0, sizeof *address);
	if (inet_pton(AF_INET, peer, &address->in.sin_addr) == 1)
		address->any.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, peer, &address->in6.sin6_addr) == 1)
		address->any.sa_family = AF_INET6;
	else
		address->any.sa_family = AF_UNIX;
	return (struct forwarding_input){ .head = test_request(&head, fields), .peer_text = slice_str(peer), .peer = &address->any,
		.host = SLICE("a:81"), .self = SLICE("node-1"), .trusted = trusts_private };
}

static void expect(struct slice got, const char *want, const char *why)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("%s: '%.*s' instead of '%s'", why, SLICE_ARG(got), want);
}

static void test_forwarding(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct row *row = &rows[i];
		union any address;
		struct forwarding_input input = input_of(row->peer, &address, row->fields);
		struct forwarding f;
		char buf[FORWARDING_BUF_MAX], small[512];
		size_t need;

		assert_true(forwarding_build(&input, buf, sizeof buf, &f));
		expect(f.client, row->client, row->why);
		expect(f.x_forwarded_for, row->xff, row->why);
		expect(f.forwarded, row->forwarded, row->why);
		expect(f.via, "1.1 node-1", row->why);
		expect(f.cdn_loop, "node-1", row->why);
		if (f.found != row->found || f.dropped != row->dropped || f.loop || f.hops)
			fail_msg("%s: found %d, dropped %d, loop %d", row->why, (int)f.found, f.dropped, f.loop);

		need = f.x_forwarded_for.len + f.forwarded.len + f.via.len + f.cdn_loop.len;
		assert_true(need <= forwarding_room(&input, &f));
		assert_true(forwarding_write(&input, small, need, &f));
		for (size_t size = 0; size < need; size++)
			assert_false(forwarding_write(&input, small, size, &f));
		assert_false(forwarding_build(&input, buf, FORWARDING_CLIENT_MAX + need - 1, &f));
		assert_false(forwarding_build(&input, buf, 3, &f));
	}
}

/* Of a very long list the right end counts, and everything fits into the room that was asked for. */
static void test_long_list(void **state)
{
	static char fields[65000], buf[65536], client[FORWARDING_CLIENT_MAX];
	size_t len = (size_t)snprintf(fields, sizeof fields, "X-Forwarded-For: 192.0.2.1");
	union any address;
	struct forwarding_input input;
	struct forwarding f;

	(void)state;
	for (int i = 0; i < 1000; i++)
		len += (size_t)snprintf(fields + len, sizeof fields - len, ", fd00:1111:2222:3333:4444:5555:6666:%04d", 7000 + i);
	snprintf(fields + len, sizeof fields - len, "\r\n");
	input = input_of("10.0.0.1", &address, fields);
	forwarding_find(&input, client, &f);
	expect(f.client, "fd00:1111:2222:3333:4444:5555:6666:7968", "the 32nd from the right");
	assert_true(f.dropped);
	assert_true(forwarding_room(&input, &f) <= sizeof buf);
	assert_true(forwarding_write(&input, buf, forwarding_room(&input, &f), &f));
	assert_int_equal(f.x_forwarded_for.len, 32 * (39 + 2) + 8);
}

static const struct { const char *fields; unsigned hops; bool loop; const char *via, *cdn_loop, *why; } chains[] = {
	{ "", 0, false, "1.1 node-1", "node-1", "nobody before us" },
	{ "Via: 1.1 x\r\n", 1, false, "1.1 x, 1.1 node-1", "node-1", "one" },
	{ "Via: 1.0 x, HTTP/1.1 y:80 (Apache/2, mod)\r\nVia: 1.1 z\r\n", 3, false, "1.0 x, HTTP/1.1 y:80 (Apache/2, mod), 1.1 z, 1.1 node-1", "node-1", "a comma in a comment parts nothing (RFC 9110 7.6.3)" },
	{ "Via: 1.1 x (a, (b, c\\), d) e) f\r\n", 1, false, "1.1 x (a, (b, c\\), d) e) f, 1.1 node-1", "node-1", "comments nest, and escape" },
	{ "Via: 1.1 node-1\r\n", 1, true, "1.1 node-1, 1.1 node-1", "node-1", "we" },
	{ "Via: 1.1 x, 2  NODE-1 (y)\r\n", 2, true, "1.1 x, 2  NODE-1 (y), 1.1 node-1", "node-1", "in any case" },
	{ "Via: 1.1 node-1(y)\r\n", 1, true, "1.1 node-1(y), 1.1 node-1", "node-1", "with a comment at once" },
	{ "Via: 1.1 node-11, 1.1 xnode-1, node-1 x\r\n", 3, false, "1.1 node-11, 1.1 xnode-1, node-1 x, 1.1 node-1", "node-1", "others" },
	{ "Via: 1.1 x (a\r\nVia: 1.1 y\r\n", 2, false, "1.1 x (a, 1.1 y, 1.1 node-1", "node-1", "a comment that does not end" },
	{ "Via: 1.1 x (, 1.1 node-1\r\n", 1, true, "1.1 x (, 1.1 node-1, 1.1 node-1", "node-1", "hides no loop" },
	{ "Via: 1.1 \", 1.1 node-1\r\n", 2, true, "1.1 \", 1.1 node-1, 1.1 node-1", "node-1", "nor does a quote" },
	{ "Via: , ,\r\n", 0, false, ", ,, 1.1 node-1", "node-1", "empty elements" },
	{ "Via: 1.1\r\n", 1, false, "1.1, 1.1 node-1", "node-1", "cut" },
	{ "CDN-Loop: foo, bar;v=1\r\n", 0, false, "1.1 node-1", "foo, bar;v=1, node-1", "RFC 8586" },
	{ "CDN-Loop: foo\r\nCDN-Loop: Node-1 ; v=1\r\n", 0, true, "1.1 node-1", "foo, Node-1 ; v=1, node-1", "we, with a parameter" },
	{ "CDN-Loop: foo;x=\"a, node-1\r\n", 0, true, "1.1 node-1", "foo;x=\"a, node-1, node-1", "a quote hides no loop" },
	{ "CDN-Loop: foo node-1\r\n", 0, false, "1.1 node-1", "foo node-1, node-1", "not in its place" },
};

static void test_chains(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(chains); i++) {
		union any address;
		struct forwarding_input input = input_of("192.0.2.1", &address, chains[i].fields);
		struct forwarding f;
		char buf[FORWARDING_BUF_MAX];

		assert_true(forwarding_build(&input, buf, sizeof buf, &f));
		expect(f.via, chains[i].via, chains[i].why);
		expect(f.cdn_loop, chains[i].cdn_loop, chains[i].why);
		if (f.hops != chains[i].hops || f.loop != chains[i].loop)
			fail_msg("%s: hops %u, loop %d", chains[i].why, f.hops, f.loop);
	}
}

static void test_self(void **state)
{
	static const struct { const char *self, *written; } names[] = {
		{ "", "proxyd" }, { "a b,c\"", "a-b-c-" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789", "0123456789012345678901234567890123456789012345678901234567890123" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		union any address;
		char buf[FORWARDING_BUF_MAX], again[256];
		struct forwarding_input input = input_of("192.0.2.1", &address, "");
		struct forwarding f;

		input.self = slice_str(names[i].self);
		assert_true(forwarding_build(&input, buf, sizeof buf, &f));
		expect(f.cdn_loop, names[i].written, "as it is written");
		snprintf(again, sizeof again, "Via: %.*s\r\n", SLICE_ARG(f.via));       /* what we write we must know again */
		input = input_of("192.0.2.1", &address, again);
		input.self = slice_str(names[i].self);
		forwarding_find(&input, buf, &f);
		assert_true(f.loop);
	}
	test_head_parse(&head, "GET / HTTP/1.0\r\n\r\n", false);
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct forwarding_input old = { .head = &head.head, .peer_text = SLICE("0.0.0.0"), .peer = (struct sockaddr *)&v4, .self = SLICE("x"), .https = true };
	struct forwarding f;
	char buf[FORWARDING_BUF_MAX];

	assert_true(forwarding_build(&old, buf, sizeof buf, &f));
	expect(f.via, "1.0 x", "the protocol the request came by");
	expect(f.forwarded, "for=0.0.0.0;proto=https", "no host known");
}

static int release(void **state)
{
	(void)state;
	test_head_release(&head);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwarding), cmocka_unit_test(test_long_list), cmocka_unit_test(test_chains), cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests_name("proxyd_forwarding", tests, NULL, release);
}
