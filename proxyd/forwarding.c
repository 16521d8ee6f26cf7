/* The client's address, read right to left past trusted proxies, and the fields made of it. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "forwarding.h"
#include "via.h"

union address { struct sockaddr any; struct sockaddr_in in; struct sockaddr_in6 in6; };

static bool is_port(struct slice text)
{
	if (text.len < 2 || text.len > 6 || text.ptr[0] != ':')
		return false;
	for (size_t i = 1; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return true;
}

/* The address of an entry: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:80. Empty: another form
 * ("unknown", "_hidden", a name, a zone). */
static struct slice entry_address(struct slice entry, bool *ret_v6)
{
	const char *colon = memchr(entry.ptr, ':', entry.len), *close;
	struct slice rest;

	*ret_v6 = colon != NULL;
	if (entry.ptr[0] == '[') {
		if (!(close = memchr(entry.ptr, ']', entry.len)))
			return slice_make(NULL, 0);
		rest = slice_make(close + 1, entry.len - (size_t)(close + 1 - entry.ptr));
		*ret_v6 = true;
		return rest.len == 0 || is_port(rest) ? slice_make(entry.ptr + 1, (size_t)(close - entry.ptr) - 1) : slice_make(NULL, 0);
	}
	if (colon && !memchr(colon + 1, ':', entry.len - (size_t)(colon + 1 - entry.ptr))) {
		*ret_v6 = false;
		rest = slice_make(colon, entry.len - (size_t)(colon - entry.ptr));
		return is_port(rest) ? slice_make(entry.ptr, (size_t)(colon - entry.ptr)) : slice_make(NULL, 0);
	}
	return entry;
}

/* An IPv4 address inside IPv6 (::ffff:192.0.2.1) is the IPv4 address: trust is given to addresses, not to notations. */
static bool entry_parse(struct slice entry, union address *ret_address)
{
	bool v6;
	struct slice text = entry_address(entry, &v6);
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	memset(ret_address, 0, sizeof *ret_address);
	if (!v6) {
		ret_address->in.sin_family = AF_INET;
		return inet_pton(AF_INET, copy, &ret_address->in.sin_addr) == 1;
	}
	ret_address->in6.sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, copy, &ret_address->in6.sin6_addr) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&ret_address->in6.sin6_addr)) {
		union address v4 = { .in = { .sin_family = AF_INET } };
		memcpy(&v4.in.sin_addr, &ret_address->in6.sin6_addr.s6_addr[12], 4);
		*ret_address = v4;
	}
	return true;
}

static struct slice address_text(const union address *address, char out[FORWARDING_CLIENT_MAX])
{
	const void *bytes = address->any.sa_family == AF_INET ? (const void *)&address->in.sin_addr : &address->in6.sin6_addr;

	return slice_str(inet_ntop(address->any.sa_family, bytes, out, FORWARDING_CLIENT_MAX));
}

static bool is_trusted(const struct forwarding_input *input, const struct sockaddr *address)
{
	return input->trusted && input->trusted(input->trusted_arg, address);
}

static bool peer_has_address(const struct forwarding_input *input)
{
	return input->peer->sa_family == AF_INET || input->peer->sa_family == AF_INET6;
}

/* Any field that only trusted peers may send? */
static bool has_forwarding_fields(const struct http_head *head)
{
	return false
#define X(id, name, flags) || (((flags) & HTTP_FWD) && head->times[FIELD_##id])
		HTTP_FIELDS(X)
#undef X
		;
}

/* The last element of a list: written by the proxy nearest to us. */
static struct slice last_element(const struct http_head *head, enum http_field id)
{
	struct http_list it = { 0 };
	struct slice element, last = { NULL, 0 };

	while (http_list_next(head, id, &it, &element))
		last = element;
	return last;
}

/* The peer is trusted: goes from right to left to the first address that is not. An entry that is no address ends the
 * walk: nobody we trust vouches for what stands left of it. */
static void find_client(const struct forwarding_input *input, char *client_buf, struct forwarding *ret)
{
	struct slice ring[FORWARDING_HOPS_MAX], entry;
	struct http_list it = { 0 };
	union address address;
	size_t total = 0, lowest;

	while (http_list_next(input->head, FIELD_x_forwarded_for, &it, &entry))
		ring[total++ % FORWARDING_HOPS_MAX] = entry;
	lowest = total > FORWARDING_HOPS_MAX ? total - FORWARDING_HOPS_MAX : 0;
	for (size_t i = total; i-- > lowest;) {
		if (!entry_parse(ring[i % FORWARDING_HOPS_MAX], &address))
			break;
		ret->kept_from = i;
		ret->client = address_text(&address, client_buf);
		ret->found = FOUND_forwarded;
		if (!is_trusted(input, &address.any))
			break;
	}
	ret->dropped = total > 0 && ret->kept_from != 0;
}

/* X-Forwarded-Proto and -Host of a trusted peer, where they are what they should be. */
static void find_origin_form(const struct http_head *head, struct forwarding *ret)
{
	struct slice proto = last_element(head, FIELD_x_forwarded_proto), host = last_element(head, FIELD_x_forwarded_host), ignored;
	uint16_t port;

	if (slice_eq_nocase(proto, SLICE("https")))
		ret->proto = SLICE("https");
	else if (slice_eq_nocase(proto, SLICE("http")))
		ret->proto = SLICE("http");
	if (host.len > 0 && http_parse_authority(host, &ignored, &port))
		ret->host = host;
}

void forwarding_find(const struct forwarding_input *input, char client_buf[FORWARDING_CLIENT_MAX], struct forwarding *ret)
{
	*ret = (struct forwarding){ .client = input->peer_text, .found = FOUND_peer, .host = input->host, .kept_from = SIZE_MAX };
	ret->proto = input->https ? SLICE("https") : SLICE("http");
	if (!has_forwarding_fields(input->head)) {
		/* nothing to believe or to drop */
	} else if (is_trusted(input, input->peer)) {
		find_client(input, client_buf, ret);
		find_origin_form(input->head, ret);
	} else {
		ret->dropped = true;
	}
	ret->hops = via_hops(input->head);
	ret->loop = via_names(input->head, input->self);
}

/* One element of Forwarded: for=192.0.2.1, for="[2001:db8::1]" (RFC 7239 section 6). */
static void put_for(struct text_out *out, struct slice address)
{
	bool v6 = address.len > 0 && memchr(address.ptr, ':', address.len);

	text_put(out, v6 ? SLICE("for=\"[") : SLICE("for="));
	text_put(out, address);
	if (v6)
		text_put(out, SLICE("]\""));
}

/* What is known of the client's request stands in the first element, which is the client's. */
static void put_request_form(struct text_out *out, const struct forwarding *f)
{
	if (f->host.len > 0) {
		text_put(out, SLICE(";host="));
		if (http_is_token(f->host))
			text_put(out, f->host);
		else
			text_put_quoted(out, f->host);
	}
	text_put(out, SLICE(";proto="));
	text_put(out, f->proto);
}

/* X-Forwarded-For, or Forwarded, from the entries that are kept and the peer. Entries are written anew: a port or a
 * strange notation does not pass. */
static struct slice put_chain(struct text_out *out, const struct forwarding_input *input, const struct forwarding *f, bool as_forwarded)
{
	struct http_list it = { 0 };
	struct slice entry, none = SLICE("unknown");
	char buf[FORWARDING_CLIENT_MAX];
	union address address;
	size_t begin = out->len;

	for (size_t i = 0; f->kept_from != SIZE_MAX && http_list_next(input->head, FIELD_x_forwarded_for, &it, &entry); i++) {
		if (i < f->kept_from || !entry_parse(entry, &address))
			continue;
		if (out->len > begin)
			text_put(out, SLICE(", "));
		if (as_forwarded)
			put_for(out, address_text(&address, buf));
		else
			text_put(out, address_text(&address, buf));
		if (as_forwarded && i == f->kept_from)
			put_request_form(out, f);
	}
	if (!peer_has_address(input) && (!as_forwarded || out->len > begin))
		return text_since(out, begin);
	if (out->len > begin)
		text_put(out, SLICE(", "));
	if (as_forwarded) {
		put_for(out, peer_has_address(input) ? input->peer_text : none);
		if (f->kept_from == SIZE_MAX)
			put_request_form(out, f);
	} else {
		text_put(out, input->peer_text);
	}
	return text_since(out, begin);
}

size_t forwarding_room(const struct forwarding_input *input, const struct forwarding *found)
{
	size_t entries = 1 + (found->kept_from != SIZE_MAX ? FORWARDING_HOPS_MAX : 0), entry_max = FORWARDING_CLIENT_MAX + 2;

	return entries * (entry_max + entry_max + sizeof "for=\"[]\"") + 2 * found->host.len + sizeof ";host=\"\";proto=https"
		+ via_room(input->head) + 2 * input->peer_text.len;
}

bool forwarding_write(const struct forwarding_input *input, char *buf, size_t size, struct forwarding *forwarding)
{
	struct text_out out = text_out_make(buf, size);

	forwarding->x_forwarded_for = put_chain(&out, input, forwarding, false);
	forwarding->forwarded = put_chain(&out, input, forwarding, true);
	forwarding->via = via_put(&out, input->head, FIELD_via, input->self);
	forwarding->cdn_loop = via_put(&out, input->head, FIELD_cdn_loop, input->self);
	return !out.overflowed;
}

bool forwarding_build(const struct forwarding_input *input, char *buf, size_t size, struct forwarding *ret)
{
	if (size < FORWARDING_CLIENT_MAX)
		return false;
	forwarding_find(input, buf, ret);
	return forwarding_write(input, buf + FORWARDING_CLIENT_MAX, size - FORWARDING_CLIENT_MAX, ret);
}
