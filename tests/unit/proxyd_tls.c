/* One connection's TLS over a pair of sockets, against OpenSSL as the client: bytes both ways, a full socket, new keys, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../proxyd/tls.h"

struct pair {
	struct worker *worker;
	SSL_CTX *server_ctx, *client_ctx;
	struct transport transport;
	SSL *client;
	int fds[2];
};

static SSL_CTX *server_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static struct pair pair_new(int version)
{
	struct pair pair = { .server_ctx = server_context(), .client_ctx = SSL_CTX_new(TLS_client_method()) };
	enum transport_step step = TRANSPORT_WAITS;
	int done = 0;

	pair.worker = must(calloc(1, sizeof(*pair.worker)));
	pair.worker->now_us = 1000;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.fds), 0);
	SSL_CTX_set_max_proto_version(pair.server_ctx, version);
	pair.transport = (struct transport){ pair.fds[0], tls_new(pair.worker, pair.fds[0], pair.server_ctx, true) };
	pair.client = SSL_new(pair.client_ctx);
	SSL_set_fd(pair.client, pair.fds[1]);
	for (int i = 0; i < 10 && !(done == 1 && step == TRANSPORT_READY); i++) {
		done = SSL_connect(pair.client);
		step = transport_handshake(&pair.transport);
	}
	assert_int_equal(done, 1);
	assert_int_equal(step, TRANSPORT_READY);
	return pair;
}

static void pair_free(struct pair *pair)
{
	SSL_free(pair->client);
	transport_release(&pair->transport, false);
	close(pair->fds[0]);
	close(pair->fds[1]);
	SSL_CTX_free(pair->server_ctx);
	SSL_CTX_free(pair->client_ctx);
	tls_worker_free(pair->worker);
	free(pair->worker);
}

static void bytes_go_both_ways(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t v = 0; v < COUNT_OF(versions); v++) {
		struct pair pair = pair_new(versions[v]);
		struct iovec iov[] = { { (char *)(uintptr_t)"hel", 3 }, { NULL, 0 }, { (char *)(uintptr_t)"lo", 2 } };
		char buf[100];

		assert_int_equal(transport_recv(&pair.transport, buf, sizeof(buf)), -1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(transport_sendv(&pair.transport, iov, 3), 5);
		assert_int_equal(SSL_read(pair.client, buf, sizeof(buf)), 5);   /* one record */
		assert_memory_equal(buf, "hello", 5);
		assert_int_equal(SSL_write(pair.client, "one", 3), 3);
		assert_int_equal(SSL_write(pair.client, "two", 3), 3);
		assert_false(transport_has_pending(&pair.transport));
		assert_int_equal(transport_recv(&pair.transport, buf, 4), 4);    /* two records with one read of the socket */
		assert_true(transport_has_pending(&pair.transport));
		assert_int_equal(transport_recv(&pair.transport, buf, 4), 2);
		assert_false(transport_has_pending(&pair.transport));
		struct transport_facts facts = transport_facts(&pair.transport);
		assert_true(slice_eq(facts.protocol, slice_str(versions[v] == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3")));
		assert_false(facts.resumed || facts.early);
		pair_free(&pair);
	}
}

static void a_full_socket_keeps_one_batch_and_no_more(void **state)
{
	struct pair pair = pair_new(TLS1_3_VERSION);
	static char body[1 << 20], back[1 << 20];
	size_t sent = 0, got = 0;
	int n;

	(void)state;
	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (char)(i * 7 + i / 251);
	while (sent < sizeof(body)) {
		struct iovec iov = { body + sent, sizeof(body) - sent };
		ssize_t took = transport_sendv(&pair.transport, &iov, 1);
		if (took > 0) {
			sent += (size_t)took;
			continue;
		}
		assert_int_equal(errno, EAGAIN);
		assert_true(transport_has_unsent(&pair.transport));
		assert_true(pair.transport.tls->out_len <= TLS_BATCH + 32 * 1024);
		while ((n = SSL_read(pair.client, back + got, (int)(sizeof(back) - got))) > 0)
			got += (size_t)n;
	}
	while (got < sizeof(back)) {
		assert_true(transport_flush(&pair.transport));
		while (got < sizeof(back) && (n = SSL_read(pair.client, back + got, (int)(sizeof(back) - got))) > 0)
			got += (size_t)n;
	}
	assert_memory_equal(body, back, sizeof(body));
	assert_false(transport_has_unsent(&pair.transport));
	pair_free(&pair);
}

static void new_keys_are_made_and_bytes_go_on(void **state)
{
	struct pair pair = pair_new(TLS1_3_VERSION);
	struct iovec iov = { (char *)(uintptr_t)"hello", 5 };
	char buf[10];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_write(pair.client, "x", 1), 1);
		assert_int_equal(transport_recv(&pair.transport, buf, sizeof(buf)), 1);
		assert_int_equal(transport_sendv(&pair.transport, &iov, 1), 5);
		assert_int_equal(SSL_read(pair.client, buf, sizeof(buf)), 5);
	}
	pair_free(&pair);
}

/* A client that asks for new keys without end and reads none of the answers must not make us keep them. */
static void answers_that_nobody_reads_are_bounded(void **state)
{
	struct pair pair = pair_new(TLS1_3_VERSION);
	size_t most = 0;
	bool over = false;
	char buf[10];

	(void)state;
	for (int i = 0; i < 200000 && !over; i++) {
		SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(pair.client);
		over = transport_recv(&pair.transport, buf, sizeof(buf)) < 0 && errno != EAGAIN;
		most = pair.transport.tls->out_len > most ? pair.transport.tls->out_len : most;
	}
	assert_true(over);
	assert_true(most <= TLS_UNSENT_MAX);
	pair_free(&pair);
}

static void the_end_is_told_apart_from_a_cut(void **state)
{
	char buf[10];

	(void)state;
	for (int cut = 0; cut < 2; cut++) {
		struct pair pair = pair_new(TLS1_3_VERSION);
		assert_false(transport_at_end(&pair.transport));
		SSL_write(pair.client, "last", 4);
		if (!cut)
			SSL_shutdown(pair.client);
		shutdown(pair.fds[1], SHUT_WR);
		assert_false(transport_at_end(&pair.transport));                 /* there are bytes before it */
		assert_int_equal(transport_recv(&pair.transport, buf, sizeof(buf)), 4);
		assert_true(transport_at_end(&pair.transport));
		assert_int_equal(transport_recv(&pair.transport, buf, sizeof(buf)), 0);
		assert_int_equal(transport_was_cut(&pair.transport), cut);
		transport_shut(&pair.transport);
		assert_int_equal(SSL_read(pair.client, buf, sizeof(buf)), 0);
		assert_int_equal(SSL_get_error(pair.client, 0), SSL_ERROR_ZERO_RETURN);
		pair_free(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(a_full_socket_keeps_one_batch_and_no_more),
		cmocka_unit_test(new_keys_are_made_and_bytes_go_on),
		cmocka_unit_test(answers_that_nobody_reads_are_bounded),
		cmocka_unit_test(the_end_is_told_apart_from_a_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
