/* One connection's TLS: OpenSSL between two pieces of memory. A BIO of our own gives it what one recv() brought, and gathers
 * what it wants to send, so that a request and its answer cost one system call each, however many records they are. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

#include "cert.h"

/* ---- the BIO ---- */

static BIO_METHOD *bio_method;
static int ssl_index;

/* Sends what there is room for; the rest is kept. False: the connection is over. */
static bool out_push(struct tls *tls)
{
	struct tls_worker *scratch = tls->scratch;
	const char *at = scratch->out;
	size_t len = scratch->out_len;

	scratch->out_len = 0;
	if (len == 0)
		return true;
	if (tls->out_len == 0) {
		ssize_t n = send(tls->fd, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
		if (len == 0)
			return true;
	}
	if (tls->out_pos) {
		memmove(tls->out, tls->out + tls->out_pos, tls->out_len - tls->out_pos);
		tls->out_len -= tls->out_pos;
		tls->out_pos = 0;
	}
	/* Whoever asks for new keys, over and over, gets an answer each time (RFC 8446 section 4.6.3). */
	if (tls->out_len + len > TLS_UNSENT_MAX) {
		errno = ENOBUFS;
		return false;
	}
	tls->out = must(realloc(tls->out, tls->out_len + len));
	memcpy(tls->out + tls->out_len, at, len);
	tls->out_len += len;
	return true;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct tls *tls = BIO_get_data(bio);
	struct tls_worker *scratch = tls->scratch;
	size_t done = 0, all = (size_t)len;

	BIO_clear_retry_flags(bio);
	while (done < all) {
		size_t room = sizeof(scratch->out) - scratch->out_len, n = all - done < room ? all - done : room;
		memcpy(scratch->out + scratch->out_len, bytes + done, n);
		scratch->out_len += n;
		done += n;
		if (scratch->out_len == sizeof(scratch->out) && !out_push(tls))
			return -1;
	}
	return len;
}

static int bio_read(BIO *bio, char *bytes, int len)
{
	struct tls *tls = BIO_get_data(bio);
	size_t n = (size_t)len < tls->feed_len ? (size_t)len : tls->feed_len;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		tls->cut = tls->socket_end;
		if (!tls->socket_end)
			BIO_set_retry_read(bio);
		return tls->socket_end ? 0 : -1;
	}
	memcpy(bytes, tls->feed, n);
	tls->feed += n;
	tls->feed_len -= n;
	return (int)n;
}

static long bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
	const struct tls *tls = BIO_get_data(bio);

	(void)number, (void)pointer;
	return what == BIO_CTRL_FLUSH || (what == BIO_CTRL_EOF && tls->socket_end);
}

static void bio_method_make(void)
{
	bio_method = must(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport"));
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
	ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	CHECK(ssl_index >= 0);
}

/* ---- life ---- */

struct tls *tls_of(const SSL *ssl)
{
	return SSL_get_ex_data(ssl, ssl_index);
}

struct tls *tls_new(struct worker *worker, int fd, SSL_CTX *ctx, bool server)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls *tls = must(calloc(1, sizeof(*tls)));
	BIO *bio;

	pthread_once(&once, bio_method_make);
	tls_worker_make(worker);
	tls->scratch = worker->tls;
	tls->worker = worker;
	tls->fd = fd;
	tls->ssl = SSL_new(ctx);
	bio = tls->ssl ? BIO_new(bio_method) : NULL;
	if (!bio || !SSL_set_ex_data(tls->ssl, ssl_index, tls)) {
		BIO_free(bio);
		tls_free(&tls);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	/* Not in error then: who has closed his half, without a word of TLS, may still be sent his answer. We see the cut ourselves. */
	SSL_set_options(tls->ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_set_mode(tls->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return tls;
}

void tls_free(struct tls **tls)
{
	struct tls *t = *tls;

	if (!t)
		return;
	*tls = NULL;
	tls_leave(t);
	tls_forget_wait(t);
	/* A session whose connection did not say good-bye is none any more, for OpenSSL; whether ours is, is for us to say. */
	if (t->ssl && !SSL_is_server(t->ssl))
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	free(t->early_in);
	free(t->in);
	free(t->out);
	free(t);
}

/* ---- between the socket and OpenSSL ---- */

static void feed_begin(struct tls *tls)
{
	tls->feed = tls->in;
	tls->feed_len = tls->in_len;
}

/* One read of the socket. False: it has nothing now, or is broken (errno). */
static bool feed_more(struct tls *tls, size_t most)
{
	ssize_t n = tls->socket_end ? 0 : recv(tls->fd, tls->scratch->in, most, 0);

	if (n < 0)
		return false;
	tls->socket_end = n == 0;
	tls->feed = tls->scratch->in;
	tls->feed_len = (size_t)n;
	if (!tls->begun && n > 0) {
		tls->begun = true;
		tls->first_us = tls->worker->now_us;
	}
	return true;
}

/* What was not taken is kept; what is to be sent goes out. False: the connection is over. */
static bool feed_end(struct tls *tls)
{
	char *left = NULL;

	if (tls->feed_len && tls->feed != tls->in) {
		left = must(malloc(tls->feed_len));
		memcpy(left, tls->feed, tls->feed_len);
	}
	if (tls->feed != tls->in || tls->feed_len == 0) {
		free(tls->in);
		tls->in = left;
		tls->in_len = tls->feed_len;
	}
	tls->feed = NULL;
	tls->feed_len = 0;
	return out_push(tls);
}

/* ---- the handshake ---- */

/* Early data as far as it has come. False: there is none, or no more. */
static bool early_take(struct tls *tls, int *ret_error)
{
	size_t n = 0;
	int got = SSL_read_early_data(tls->ssl, tls->scratch->gather, sizeof(tls->scratch->gather), &n);

	*ret_error = SSL_ERROR_NONE;
	tls->early = got != SSL_READ_EARLY_DATA_FINISH;
	if (got == SSL_READ_EARLY_DATA_ERROR)
		*ret_error = SSL_get_error(tls->ssl, 0);
	if (got == SSL_READ_EARLY_DATA_SUCCESS && n > 0) {
		tls->early_in = must(realloc(tls->early_in, tls->early_len + n));
		memcpy(tls->early_in + tls->early_len, tls->scratch->gather, n);
		tls->early_len += n;
	}
	return tls->early;
}

/* SSL_ERROR_NONE: it is over, or early data has come. */
static int handshake_step(struct tls *tls)
{
	int n, error;

	if (tls->early && early_take(tls, &error))
		return error;
	n = SSL_do_handshake(tls->ssl);
	tls->over = n == 1;
	return n == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, n);
}

static enum transport_step handshake_run(struct tls *tls)
{
	enum transport_step step = TRANSPORT_FAILED;
	bool asked = false, again = true;

	feed_begin(tls);
	while (again) {
		int error = handshake_step(tls);

		again = false;
		if (error == SSL_ERROR_NONE) {
			step = TRANSPORT_READY;
			again = !tls->over && !tls->early_len;
		} else if (error == SSL_ERROR_WANT_READ) {
			step = TRANSPORT_WAITS;
			again = !asked && feed_more(tls, sizeof(tls->scratch->in));
			if (!asked && !again && errno != EAGAIN && errno != EINTR)
				step = TRANSPORT_FAILED;
			asked = true;
		} else if (error == SSL_ERROR_WANT_CLIENT_HELLO_CB || error == SSL_ERROR_WANT_X509_LOOKUP) {
			step = TRANSPORT_HELD;
		} else {
			tls->error = ERR_peek_error();
			step = TRANSPORT_FAILED;
		}
		ERR_clear_error();
	}
	return feed_end(tls) ? step : TRANSPORT_FAILED;
}

enum transport_step tls_handshake(struct tls *tls)
{
	enum transport_step step = tls->ready ? TRANSPORT_READY : handshake_run(tls);

	if (step == TRANSPORT_READY && !tls->ready) {
		tls->ready = true;
		tls->ready_us = tls->worker->now_us;
	}
	return step;
}

/* ---- reading ---- */

/* What an operation that brought nothing means: true: ask again, there are more bytes; false: see errno, 0 for the end. */
static bool read_failed(struct tls *tls, int got, bool *asked, size_t most)
{
	int error = SSL_get_error(tls->ssl, got), before = errno;

	if (error == SSL_ERROR_WANT_READ) {
		errno = EAGAIN;
		if (*asked)
			return false;
		*asked = true;
		return feed_more(tls, most);
	}
	errno = EPROTO;
	if (error == SSL_ERROR_SSL)
		tls->error = ERR_peek_error();
	if (error == SSL_ERROR_ZERO_RETURN) {
		tls->end_seen = true;
		errno = 0;
	} else if (error == SSL_ERROR_SYSCALL && before) {
		errno = before;
	}
	ERR_clear_error();
	return false;
}

static ssize_t recv_early(struct tls *tls, void *buf, size_t len)
{
	size_t n = len < tls->early_len ? len : tls->early_len;

	memcpy(buf, tls->early_in, n);
	tls->early_len -= n;
	memmove(tls->early_in, tls->early_in + n, tls->early_len);
	return (ssize_t)n;
}

ssize_t tls_recv(struct tls *tls, void *buf, size_t len)
{
	bool asked = false;
	size_t got = 0;
	int err = 0;

	if (!tls->over && !tls->early_len) {
		enum transport_step step = handshake_run(tls);
		errno = step == TRANSPORT_FAILED ? EPROTO : EAGAIN;
		if (!tls->early_len && !tls->over)
			return -1;
	}
	if (tls->early_len)
		return recv_early(tls, buf, len);
	feed_begin(tls);
	while (!tls->end_seen && got < len) {
		int n = SSL_read(tls->ssl, (char *)buf + got, (int)(len - got < INT32_MAX ? len - got : INT32_MAX));
		if (n > 0) {
			got += (size_t)n;
			if (tls->feed_len == 0 && SSL_pending(tls->ssl) == 0)
				break;
			continue;
		}
		if (got)
			asked = true;            /* what is there is given first */
		if (!read_failed(tls, n, &asked, sizeof(tls->scratch->in))) {
			err = errno;
			break;
		}
	}
	if (!feed_end(tls) && got == 0 && !tls->end_seen)
		err = errno;                     /* what there was to send cannot be */
	if (got)
		return (ssize_t)got;
	tls->end_told = tls->end_seen;
	errno = err;
	return tls->end_seen ? 0 : -1;
}

bool tls_at_end(struct tls *tls)
{
	bool asked = false;
	char byte;
	int n;

	if (tls->end_seen || tls_has_pending(tls))
		return tls->end_seen;
	if (!tls->over && (handshake_run(tls) == TRANSPORT_FAILED || !tls->over))
		return tls->socket_end;
	feed_begin(tls);
	do
		n = SSL_peek(tls->ssl, &byte, 1);
	while (n <= 0 && read_failed(tls, n, &asked, TLS_PEEK_BYTES));
	feed_end(tls);
	return tls->end_seen;
}

bool tls_has_pending(const struct tls *tls)
{
	return tls->in_len || tls->early_len || (tls->end_seen && !tls->end_told) || (tls->over && SSL_pending(tls->ssl) > 0);
}

bool tls_has_unsent(const struct tls *tls)
{
	return tls->out_len > 0;
}

bool tls_was_cut(const struct tls *tls)
{
	return tls->cut;
}

/* ---- sending ---- */

bool tls_flush(struct tls *tls)
{
	ssize_t n;

	if (tls->out_len == 0)
		return true;
	n = send(tls->fd, tls->out + tls->out_pos, tls->out_len - tls->out_pos, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	tls->out_pos += (size_t)n;
	if (tls->out_pos == tls->out_len) {
		free(tls->out);
		tls->out = NULL;
		tls->out_pos = tls->out_len = 0;
		if (tls->shut)
			shutdown(tls->fd, SHUT_WR);
	}
	return true;
}

static size_t record_size(struct tls *tls)
{
	return tls->sent_bytes < TLS_FIRST_BYTES ? TLS_RECORD_FIRST : TLS_RECORD_MAX;
}

/* Encrypts the next bytes of the pieces as one record. Returns how many, 0: it failed. */
static size_t record_write(struct tls *tls, const struct iovec *iov, int count, size_t skip, size_t most)
{
	const char *bytes = (const char *)iov[0].iov_base + skip;
	size_t len = iov[0].iov_len - skip;

	if (len < most && count > 1) {
		char *gather = tls->scratch->gather;
		size_t n = len;

		memcpy(gather, bytes, len);
		for (int i = 1; i < count && n < most; i++) {
			size_t take = iov[i].iov_len < most - n ? iov[i].iov_len : most - n;
			if (take)
				memcpy(gather + n, iov[i].iov_base, take);
			n += take;
		}
		bytes = gather;
		len = n;
	}
	len = len < most ? len : most;
	if (tls->over)
		return SSL_write(tls->ssl, bytes, (int)len) == (int)len ? len : 0;
	size_t written = 0;
	return SSL_write_early_data(tls->ssl, bytes, len, &written) == 1 && written == len ? len : 0;
}

ssize_t tls_sendv(struct tls *tls, const struct iovec *iov, int count)
{
	size_t sent = 0, skip = 0;

	if (!tls_flush(tls))
		return -1;
	if (tls->out_len) {
		errno = EAGAIN;
		return -1;
	}
	if (tls->worker->now_us - tls->sent_us > TLS_PAUSE_US)
		tls->sent_bytes = 0;
	tls->sent_us = tls->worker->now_us;
	while (count && sent < TLS_BATCH) {
		if (skip == iov->iov_len) {
			iov++;
			count--;
			skip = 0;
			continue;
		}
		size_t n = record_write(tls, iov, count, skip, record_size(tls));
		if (n == 0) {
			ERR_clear_error();
			tls->scratch->out_len = 0;
			errno = EPROTO;
			return -1;
		}
		sent += n;
		tls->sent_bytes += n;
		for (skip += n; count && skip >= iov->iov_len && skip > 0; count--, iov++)
			skip -= iov->iov_len;
	}
	return out_push(tls) ? (ssize_t)sent : -1;
}

void tls_say_end(struct tls *tls)
{
	if (tls->over && !tls->shut) {
		SSL_shutdown(tls->ssl);
		ERR_clear_error();
		out_push(tls);
	}
	tls->shut = true;
}

struct transport_facts tls_facts(const struct tls *tls)
{
	const unsigned char *alpn = NULL;
	unsigned len = 0;
	struct transport_facts facts = { .name = slice_str(tls->name), .valid_from_s = -1, .valid_until_s = -1 };
	const struct cert_facts *cert;

	if (!tls->ready)
		return facts;
	SSL_get0_alpn_selected(tls->ssl, &alpn, &len);
	facts.protocol = slice_str(SSL_get_version(tls->ssl));
	facts.cipher = slice_str(SSL_get_cipher_name(tls->ssl));
	facts.alpn = slice_make((const char *)alpn, len);
	facts.resumed = SSL_session_reused(tls->ssl);
	facts.early = !tls->over;
	facts.handshake_us = tls->ready_us - tls->first_us;
	cert = facts.resumed || !SSL_is_server(tls->ssl) ? NULL : cert_facts(SSL_get_certificate(tls->ssl));
	if (!cert)
		return facts;
	facts.key = slice_str(cert_kind_name(cert->kind));
	facts.serial = slice_str(cert->serial);
	facts.valid_from_s = cert->not_before_s;
	facts.valid_until_s = cert->not_after_s;
	return facts;
}
