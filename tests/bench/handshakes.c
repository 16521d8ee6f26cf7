/* TLS handshakes, one after another, each with one request: handshakes ADDRESS PORT full|resumed SECONDS. Prints what wrk would. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static SSL_SESSION *session;

static int take_session(SSL *ssl, SSL_SESSION *got)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = got;
	return 1;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* One connection; false when anything was not as it should be. */
static int once(SSL_CTX *ctx, const struct sockaddr_in *to, int resume, int warm)
{
	static const char request[] = "GET /object HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, good = 0;
	SSL *ssl = SSL_new(ctx);
	char buf[16384];

	if (fd < 0 || !ssl || connect(fd, (const struct sockaddr *)(const void *)to, sizeof(*to)) != 0)
		goto out;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_fd(ssl, fd);
	SSL_set_tlsext_host_name(ssl, "site.test");
	if (resume && session)
		SSL_set_session(ssl, session);
	good = SSL_connect(ssl) == 1 && SSL_write(ssl, request, sizeof(request) - 1) > 0 && SSL_read(ssl, buf, sizeof(buf)) > 12
		&& memcmp(buf + 8, " 200", 4) == 0 && (warm || SSL_session_reused(ssl) == resume);
	while (good && SSL_read(ssl, buf, sizeof(buf)) > 0)
		;
	SSL_shutdown(ssl);
out:
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
	return good;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned long count = 0, bad = 0;
	double began, seconds;

	if (argc != 5 || !ctx || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
		fputs("handshakes ADDRESS PORT full|resumed SECONDS\n", stderr);
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[2]));
	int resume = strcmp(argv[3], "resumed") == 0;
	seconds = atof(argv[4]);
	if (resume) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, take_session);
	}
	once(ctx, &to, resume, 1);
	for (began = now(); now() - began < seconds; count++)
		bad += !once(ctx, &to, resume, 0);
	printf("  %lu requests in %.2fs, 0B read\nRequests/sec: %.2f\n", count - bad, now() - began, (double)(count - bad) / (now() - began));
	if (bad)
		printf("  Non-2xx or 3xx responses: %lu\n", bad);
	SSL_SESSION_free(session);
	SSL_CTX_free(ctx);
	return 0;
}
