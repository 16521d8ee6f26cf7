/* Who the client is, and the forwarding fields that the origin gets: X-Forwarded-For, -Proto, -Host, Forwarded (RFC 7239),
 * Via (RFC 9110 section 7.6.3) and CDN-Loop (RFC 8586). What clients that are not trusted say about themselves is dropped.
 * Pure: no I/O, no malloc. */
#ifndef PROXYD_FORWARDING_H
#define PROXYD_FORWARDING_H

#include <sys/socket.h>

#include "http_head.h"

struct forwarding_input {
	const struct http_head *head;          /* of the request */
	struct slice peer_text;                /* address of the connection's other end, without the port */
	const struct sockaddr *peer;           /* IPv4, IPv6, or of another family: then there is no address to forward */
	bool https;                            /* the client's connection to us is TLS */
	struct slice host;                     /* host[:port] as the client sent it, validated; may be empty */
	struct slice self;                     /* our pseudonym in Via and CDN-Loop; must differ from that of every other
	                                        * proxy a request may lawfully pass; bytes that no token has become '-' */
	bool (*trusted)(void *arg, const struct sockaddr *address);   /* NULL: nobody is */
	void *trusted_arg;
};

/* At most this many entries of X-Forwarded-For, from the right, are looked at; what is left of them is dropped. */
enum { FORWARDING_HOPS_MAX = 32, FORWARDING_CLIENT_MAX = 46 /* INET6_ADDRSTRLEN */, FORWARDING_SELF_MAX = 64 };

struct forwarding {
	/* by forwarding_find: */
	struct slice client;                   /* the address nearest to us that is not trusted; in the usual notation */
	enum found found;
	bool dropped;                          /* something an untrusted client sent is not passed on */
	bool loop;                             /* Via or CDN-Loop names us */
	unsigned hops;                         /* proxies in Via */
	struct slice proto, host;              /* of the client's request: borrowed from the input or constant */
	/* by forwarding_write: */
	struct slice x_forwarded_for, forwarded, via, cdn_loop;
	/* its own: */
	size_t kept_from;                      /* first entry of X-Forwarded-For that is passed on; SIZE_MAX: none */
};

/* What every request needs, cheaply. Slices in the result point into the input or client_buf. */
void forwarding_find(const struct forwarding_input *input, char client_buf[FORWARDING_CLIENT_MAX], struct forwarding *ret);

/* The values that go to the origin, after forwarding_find on the same input. They are written into buf, all of them whole
 * fields: the request's own Via and CDN-Loop are contained in ours. False when buf is smaller than forwarding_room(). */
size_t forwarding_room(const struct forwarding_input *input, const struct forwarding *found);
bool forwarding_write(const struct forwarding_input *input, char *buf, size_t size, struct forwarding *forwarding);

/* Both. FORWARDING_BUF_MAX is enough unless the request's own fields are long. */
enum { FORWARDING_BUF_MAX = 2048 };
bool forwarding_build(const struct forwarding_input *input, char *buf, size_t size, struct forwarding *ret);

#endif
