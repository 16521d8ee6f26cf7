/* The bytes of a connection, plain or TLS, behind one small interface: for connections of clients and to origins alike. The
 * plain case is the system call itself behind one test; TLS is in tls_conn.c. Nothing here blocks. All in the thread of the
 * connection's worker.
 *
 * What TLS has to send is never a reason to wait for reading or the other way round: encrypted bytes that the kernel does not
 * take stay with the transport (transport_has_unsent), and its owner arms EPOLLOUT for them and calls transport_flush. In the
 * same way bytes that were read from the socket, and not asked for yet, do not show in epoll: transport_has_pending. */
#ifndef PROXYD_TRANSPORT_H
#define PROXYD_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../conf/slice.h"

struct tls;

struct transport {
	int fd;                        /* borrowed: its owner closes it */
	struct tls *tls;               /* NULL: plain; else owned */
};

enum transport_step {
	TRANSPORT_READY,               /* bytes of the application may flow */
	TRANSPORT_WAITS,               /* for the socket: to be readable, and writable when there is something unsent */
	TRANSPORT_HELD,                /* for something of ours (a certificate that is being loaded): its owner is called back */
	TRANSPORT_FAILED,              /* transport_facts has the reason; what was unsent (an alert) may still be flushed */
};

/* What is known of the connection's TLS, for the log, for variables and for choosing the protocol. Slices live as long as
 * the transport. All empty and false when plain. */
struct transport_facts {
	struct slice protocol;         /* TLSv1.3 */
	struct slice cipher;           /* TLS_AES_128_GCM_SHA256 */
	struct slice name;             /* SNI: what the client asked for; asked, when we are the client. Lower case */
	struct slice alpn;             /* h2, http/1.1; empty: none was negotiated */
	bool resumed;
	bool early;                    /* what was read last may have been replayed (RFC 8470): the handshake is not over */
	uint64_t handshake_us;         /* from the first byte to the end of the handshake */
	struct slice key, serial;      /* of the certificate that a client was shown; empty: none of ours, or it was resumed */
	int64_t valid_from_s, valid_until_s;   /* -1: the same */
};

/* tls_conn.c: what the inline functions below are for TLS. */
ssize_t tls_recv(struct tls *tls, void *buf, size_t len);
ssize_t tls_sendv(struct tls *tls, const struct iovec *iov, int count);
bool tls_at_end(struct tls *tls);
bool tls_has_pending(const struct tls *tls);
bool tls_has_unsent(const struct tls *tls);
bool tls_was_cut(const struct tls *tls);

/* As recv(2): bytes, 0 at the end of the other side's sending half, or -1 with errno: EAGAIN and EINTR (nothing yet), all
 * others are the end of the connection (EPROTO: what came was not TLS). */
static inline ssize_t transport_recv(struct transport *t, void *buf, size_t len)
{
	return t->tls ? tls_recv(t->tls, buf, len) : recv(t->fd, buf, len, 0);
}

/* As sendmsg(2): how many of the bytes were taken, fewer than offered when the socket is full, or -1 with errno. Under TLS
 * bytes that were taken may still be unsent. */
static inline ssize_t transport_sendv(struct transport *t, const struct iovec *iov, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count };

	return t->tls ? tls_sendv(t->tls, iov, count) : sendmsg(t->fd, &message, MSG_NOSIGNAL);
}

/* Whether the other side has closed its sending half and nothing more can be read; takes nothing. */
static inline bool transport_at_end(struct transport *t)
{
	char byte;

	return t->tls ? tls_at_end(t->tls) : recv(t->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Bytes that transport_recv would return though the socket has none. */
static inline bool transport_has_pending(const struct transport *t)
{
	return t->tls && tls_has_pending(t->tls);
}

/* Bytes that were taken and wait for the socket. */
static inline bool transport_has_unsent(const struct transport *t)
{
	return t->tls && tls_has_unsent(t->tls);
}

/* After transport_recv returned 0: the end was not said by TLS (close_notify). A body that ends with the connection may have
 * been cut by anybody on the way. Plain: always false, which is no promise. */
static inline bool transport_was_cut(const struct transport *t)
{
	return t->tls && tls_was_cut(t->tls);
}

/* Sends what is unsent. False with errno when the connection is over. */
bool transport_flush(struct transport *transport);
/* Goes on with the handshake; plain: TRANSPORT_READY. Costs a private key's work (0.1 to 2 ms of CPU) at most once. */
enum transport_step transport_handshake(struct transport *transport);
/* The end of our sending half: close_notify, and the shutdown of the socket's half. Nothing may be sent after it. */
void transport_shut(struct transport *transport);
/* Gives up the TLS part; close the descriptor after it. clean: says good-bye (close_notify) when it can be sent at once. An
 * answer that was cut must not be followed by one: the cut would be hidden. */
void transport_release(struct transport *transport, bool clean);
/* Whether the other side was asked for a certificate. */
bool transport_asked_certificate(const struct transport *transport);
struct transport_facts transport_facts(const struct transport *transport);

#endif
