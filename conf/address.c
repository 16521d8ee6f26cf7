/* Addresses: to listen on, to connect to, networks that are trusted. */
#include <arpa/inet.h>
#include <netdb.h>

#include "internal.h"

enum { HOST_MAX = 253 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool all_digits(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.ptr[i]))
			return false;
	return text.len > 0;
}

static bool is_host_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

/* NUL-terminated, for the system's functions. False when it is too long to be an address or a name. */
static bool host_text(struct slice host, char out[HOST_MAX + 1])
{
	if (host.len > HOST_MAX)
		return false;
	memcpy(out, host.ptr, host.len);
	out[host.len] = 0;
	return true;
}

static bool is_ipv6(struct slice host)
{
	char text[HOST_MAX + 1];
	struct in6_addr addr;

	return host_text(host, text) && inet_pton(AF_INET6, text, &addr) == 1;
}

/* A name, or an IPv4 address in its one clear form: "127.1" and "0x7f.1" are neither. */
static bool is_name_or_ipv4(struct slice host)
{
	char text[HOST_MAX + 1];
	struct in_addr addr;
	const char *dot;

	if (host.len == 0 || !host_text(host, text))
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (!is_host_char(host.ptr[i]) || (host.ptr[i] == '.' && (i == 0 || host.ptr[i - 1] == '.')))
			return false;
	dot = memrchr(host.ptr, '.', host.len);
	struct slice last = dot ? slice_make(dot + 1, host.len - (size_t)(dot + 1 - host.ptr)) : host;
	if (all_digits(last) || slice_starts(last, SLICE("0x")) || slice_starts(last, SLICE("0X")))
		return inet_pton(AF_INET, text, &addr) == 1;
	return true;
}

/* Port 0 is for listening only: the system chooses one. */
static bool port_parse(struct slice text, bool listening, uint16_t *ret)
{
	uint64_t port;

	if (!conf_parse_count(text, &port) || port < !listening || port > 65535)
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool unix_parse(struct load *load, struct conf_pos pos, struct slice text, struct endpoint *ret)
{
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1, prefix = sizeof("unix:") - 1;

	if (text.len == prefix || text.ptr[prefix] != '/' || text_has_control(text)) {
		load_error(load, pos, "'%.*s' is not a socket: write unix:/path", SLICE_ARG(text));
		return false;
	}
	if (text.len - prefix > max) {
		load_error(load, pos, "the path of a unix socket may have %zu bytes, not %zu", max, text.len - prefix);
		return false;
	}
	*ret = (struct endpoint){ .host = text, .is_unix = true };
	return true;
}

bool endpoint_parse(struct load *load, struct conf_pos pos, struct slice text, uint16_t default_port, bool listening, struct endpoint *ret)
{
	struct endpoint endpoint = { .host = text, .port = default_port };
	struct slice port = { NULL, 0 };
	const char *bracket = text.len && text.ptr[0] == '[' ? memchr(text.ptr, ']', text.len) : NULL;
	const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;

	if (slice_starts(text, SLICE("unix:")))
		return unix_parse(load, pos, text, ret);
	if (listening && all_digits(text)) {
		endpoint.host = SLICE("*");
		port = text;
	} else if (bracket) {
		endpoint.host = slice_make(text.ptr + 1, (size_t)(bracket - text.ptr) - 1);
		struct slice rest = slice_make(bracket + 1, text.len - (size_t)(bracket + 1 - text.ptr));
		if (rest.len > 0 && rest.ptr[0] != ':')
			goto bad;
		port = rest.len ? slice_make(rest.ptr + 1, rest.len - 1) : port;
	} else if (is_ipv6(text)) {
		load_error(load, pos, "write an IPv6 address in brackets: [%.*s]", SLICE_ARG(text));
		return false;
	} else if (colon) {
		endpoint.host = slice_make(text.ptr, (size_t)(colon - text.ptr));
		port = slice_make(colon + 1, text.len - endpoint.host.len - 1);
	}
	if (port.ptr && !port_parse(port, listening, &endpoint.port)) {
		load_error(load, pos, "'%.*s' is not a port: 1 to 65535", SLICE_ARG(port));
		return false;
	}
	endpoint.has_port = port.ptr != NULL;
	bool good = bracket ? is_ipv6(endpoint.host) : is_name_or_ipv4(endpoint.host) || (listening && slice_eq(endpoint.host, SLICE("*")));
	if (!good)
		goto bad;
	*ret = endpoint;
	return true;
bad:
	load_error(load, pos, "'%.*s' is not an address: write %s127.0.0.1:8080, [::1]:8080, name:8080 or unix:/path", SLICE_ARG(text),
		listening ? "80, " : "");
	return false;
}

static struct slice address_text(struct load *load, const struct conf_addr *addr)
{
	char text[INET6_ADDRSTRLEN];

	if (addr->sa.any.sa_family == AF_UNIX)
		return load_printf(load, "unix:%s", addr->sa.un.sun_path);
	if (addr->sa.any.sa_family == AF_INET)
		return load_printf(load, "%s:%u", inet_ntop(AF_INET, &addr->sa.in.sin_addr, text, sizeof(text)), ntohs(addr->sa.in.sin_port));
	return load_printf(load, "[%s]:%u", inet_ntop(AF_INET6, &addr->sa.in6.sin6_addr, text, sizeof(text)), ntohs(addr->sa.in6.sin6_port));
}

/* What needs no name service. */
static bool literal_address(const struct endpoint *endpoint, struct conf_addr *ret)
{
	struct slice host = slice_eq(endpoint->host, SLICE("*")) ? SLICE("0.0.0.0") : endpoint->host;
	char text[HOST_MAX + 1];

	memset(ret, 0, sizeof(*ret));
	if (endpoint->is_unix) {
		size_t prefix = sizeof("unix:") - 1;
		ret->sa.un.sun_family = AF_UNIX;
		memcpy(ret->sa.un.sun_path, host.ptr + prefix, host.len - prefix);
		ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + host.len - prefix + 1);
		return true;
	}
	if (!host_text(host, text))
		return false;
	if (inet_pton(AF_INET, text, &ret->sa.in.sin_addr) == 1) {
		ret->sa.in.sin_family = AF_INET;
		ret->sa.in.sin_port = htons(endpoint->port);
		ret->len = sizeof(ret->sa.in);
		return true;
	}
	if (inet_pton(AF_INET6, text, &ret->sa.in6.sin6_addr) == 1) {
		ret->sa.in6.sin6_family = AF_INET6;
		ret->sa.in6.sin6_port = htons(endpoint->port);
		ret->len = sizeof(ret->sa.in6);
		return true;
	}
	return false;
}

static void add_address(struct load *load, const struct conf_addr *addr, struct conf_addr **addrs, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		if (address_eq(&(*addrs)[i], addr))
			return;
	*addrs = load_room(load, *addrs, *count, sizeof(**addrs));
	(*addrs)[*count] = *addr;
	(*addrs)[*count].text = address_text(load, addr);
	++*count;
}

/* All of a name's addresses, in the order the system prefers. Not AI_ADDRCONFIG: a container without an address of its
 * own would find no loopback names. */
static int name_addresses(struct load *load, const struct endpoint *endpoint, struct conf_addr **addrs, size_t *count)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC }, *list = NULL;
	char text[HOST_MAX + 1];

	if (load->options.literal || load->options.sandbox || !host_text(endpoint->host, text))
		return EAI_NONAME;
	int result = getaddrinfo(text, NULL, &hints, &list);
	for (struct addrinfo *at = result == 0 ? list : NULL; at; at = at->ai_next) {
		struct conf_addr addr;
		memset(&addr, 0, sizeof(addr));
		if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
			continue;
		memcpy(&addr.sa, at->ai_addr, at->ai_addrlen);
		addr.len = at->ai_addrlen;
		if (at->ai_family == AF_INET)
			addr.sa.in.sin_port = htons(endpoint->port);
		else
			addr.sa.in6.sin6_port = htons(endpoint->port);
		add_address(load, &addr, addrs, count);
	}
	if (list)
		freeaddrinfo(list);
	return result == 0 && *count == 0 ? EAI_NONAME : result;
}

bool endpoint_resolve(struct load *load, struct conf_pos pos, const struct endpoint *endpoint, struct conf_addr **ret_addrs, size_t *ret_count)
{
	struct conf_addr addr, *addrs = NULL;
	struct suggestion near;
	size_t count = 0;

	if (literal_address(endpoint, &addr)) {
		add_address(load, &addr, &addrs, &count);
	} else {
		int result = name_addresses(load, endpoint, &addrs, &count);
		if (result != 0) {
			suggest_start(&near, endpoint->host);
			for (size_t i = 0; i < load->conf->upstream_count && !endpoint->has_port; i++)
				if (!upstream_is_implicit(load->conf->upstreams[i]))
					suggest_offer(&near, load->conf->upstreams[i]->name);
			load_error(load, pos, "host '%.*s' does not resolve: %s%s", SLICE_ARG(endpoint->host), gai_strerror(result), suggest_text(&near));
			return false;
		}
	}
	*ret_addrs = addrs;
	*ret_count = count;
	return true;
}

bool address_eq(const struct conf_addr *a, const struct conf_addr *b)
{
	if (a->sa.any.sa_family != b->sa.any.sa_family)
		return false;
	switch (a->sa.any.sa_family) {
	case AF_INET:
		return a->sa.in.sin_port == b->sa.in.sin_port && a->sa.in.sin_addr.s_addr == b->sa.in.sin_addr.s_addr;
	case AF_INET6:
		return a->sa.in6.sin6_port == b->sa.in6.sin6_port && memcmp(&a->sa.in6.sin6_addr, &b->sa.in6.sin6_addr, 16) == 0
			&& a->sa.in6.sin6_scope_id == b->sa.in6.sin6_scope_id;
	default:
		return strcmp(a->sa.un.sun_path, b->sa.un.sun_path) == 0;
	}
}

/* Clears the bits that are not of the network: 10.1.2.3/8 is 10.0.0.0/8. */
static void mask(struct conf_network *network)
{
	for (unsigned bit = network->bits; bit < 128; bit++)
		network->addr[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
}

bool network_parse(struct slice text, struct conf_network *ret)
{
	const char *slash = memchr(text.len ? text.ptr : "", '/', text.len);
	struct slice host = slash ? slice_make(text.ptr, (size_t)(slash - text.ptr)) : text;
	struct conf_network network = { .family = AF_UNIX };
	char name[HOST_MAX + 1];
	uint64_t bits;

	if (slice_eq(text, SLICE("unix:"))) {
		*ret = network;
		return true;
	}
	if (!host_text(host, name))
		return false;
	if (inet_pton(AF_INET, name, network.addr) == 1)
		network.family = AF_INET;
	else if (inet_pton(AF_INET6, name, network.addr) == 1)
		network.family = AF_INET6;
	else
		return false;
	network.bits = network.family == AF_INET ? 32 : 128;
	if (slash && (!conf_parse_count(slice_make(slash + 1, text.len - host.len - 1), &bits) || bits > network.bits))
		return false;
	if (slash)
		network.bits = (unsigned)bits;
	mask(&network);
	*ret = network;
	return true;
}

void network_print(const struct conf_network *network, FILE *out)
{
	char text[INET6_ADDRSTRLEN];

	if (network->family == AF_UNIX)
		fputs("unix:", out);
	else
		fprintf(out, "%s/%u", inet_ntop(network->family, network->addr, text, sizeof(text)), network->bits);
}

static bool network_has(const struct conf_network *network, int family, const unsigned char *addr)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (network->family != family)
		return false;
	if (memcmp(network->addr, addr, whole) != 0)
		return false;
	return rest == 0 || ((network->addr[whole] ^ addr[whole]) & (0xff00u >> rest) & 0xff) == 0;
}

bool conf_is_trusted(const struct conf_server *server, const struct sockaddr *peer)
{
	return conf_networks_have(server->trusted, server->trusted_count, peer);
}

bool conf_networks_have(const struct conf_network *networks, size_t count, const struct sockaddr *peer)
{
	unsigned char addr[16] = { 0 };
	int family = peer->sa_family;

	if (family == AF_INET) {
		memcpy(addr, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
	} else if (family == AF_INET6) {
		memcpy(addr, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
		/* ::ffff:10.0.0.1 is 10.0.0.1. */
		if (memcmp(addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0) {
			memmove(addr, addr + 12, 4);
			family = AF_INET;
		}
	}
	for (size_t i = 0; i < count; i++)
		if (network_has(&networks[i], family, addr))
			return true;
	return false;
}
