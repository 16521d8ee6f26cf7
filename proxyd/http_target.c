/* Targets: the four forms, authorities by one strict grammar, and the path as routing sees it. */
#include <arpa/inet.h>

#include "http_parts.h"

enum { HOST_LEN_MAX = 255 };   /* RFC 3986 section 3.2.2: the length of a DNS name */

/* "[" IPv6 "]" at the start of text; returns its length, 0 when it is none. Zones and IPvFuture are refused: no peer
 * agrees on what they mean. */
static size_t ip_literal_len(struct slice text)
{
	char address[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	const char *close = memchr(text.ptr, ']', text.len);

	if (!close || (size_t)(close - text.ptr) > sizeof address)
		return 0;
	size_t len = (size_t)(close - text.ptr) - 1;
	memcpy(address, text.ptr + 1, len);
	address[len] = '\0';
	/* inet_pton stops at a NUL, which would hide what stands behind it. */
	if (memchr(address, '\0', len) || inet_pton(AF_INET6, address, bytes) != 1)
		return 0;
	return len + 2;
}

static size_t reg_name_len(struct slice text)
{
	const char *p = text.ptr, *end = text.ptr + text.len;

	for (;;) {
		p = http_scan_class(p, end, HTTP_REGNAME);
		if (p == end || *p != '%')
			return (size_t)(p - text.ptr);
		if (end - p < 3 || !http_is(p[1], HTTP_HEX) || !http_is(p[2], HTTP_HEX))
			return 0;
		p += 3;
	}
}

/* A leading zero is refused with all else that could be read in two ways. */
static bool port_parse(const char *p, const char *end, uint16_t *ret_port)
{
	uint32_t port = 0;

	if (p < end && *p == '0')
		return false;
	if (end - p > 5)
		return false;
	for (; p < end; p++) {
		if (!http_is(*p, HTTP_DIGIT))
			return false;
		port = port * 10 + (uint32_t)(*p - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

bool http_parse_authority(struct slice text, struct slice *ret_host, uint16_t *ret_port)
{
	uint16_t port = 0;

	if (text.len == 0)
		return false;
	size_t len = text.ptr[0] == '[' ? ip_literal_len(text) : reg_name_len(text);
	if (len == 0 || len > HOST_LEN_MAX)
		return false;
	if (len < text.len && (text.ptr[len] != ':' || !port_parse(text.ptr + len + 1, text.ptr + text.len, &port)))
		return false;
	*ret_host = slice_make(text.ptr, len);
	*ret_port = port;
	return true;
}

static void path_split(struct http_head *head, struct slice text)
{
	const char *mark = text.len > 0 ? memchr(text.ptr, '?', text.len) : NULL;

	head->path = text;
	if (mark) {
		head->path.len = (size_t)(mark - text.ptr);
		head->query = slice_make(mark + 1, text.len - head->path.len - 1);
	}
}

static enum refusal absolute_split(struct http_head *head, size_t scheme_len)
{
	struct slice rest = slice_make(head->target.ptr + scheme_len, head->target.len - scheme_len);
	size_t len = 0;

	head->absolute_form = true;
	while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?') len++;
	head->authority = slice_make(rest.ptr, len);
	if (!http_parse_authority(head->authority, &head->host, &head->port))
		return REFUSAL_host_invalid;
	path_split(head, slice_make(rest.ptr + len, rest.len - len));
	/* RFC 9112 section 3.2.4: OPTIONS without a path asks about the server as a whole. */
	if (head->path.len == 0)
		head->path = head->method == METHOD_OPTIONS && !head->query.ptr ? SLICE("*") : SLICE("/");
	return REFUSAL_none;
}

static bool starts_nocase(struct slice text, struct slice prefix)
{
	return text.len >= prefix.len && slice_eq_nocase(slice_make(text.ptr, prefix.len), prefix);
}

enum refusal target_split(struct http_head *head)
{
	struct slice target = head->target, host;
	uint16_t port;

	if (head->method == METHOD_CONNECT)
		return http_parse_authority(target, &host, &port) && port ? REFUSAL_connect_method : REFUSAL_target_form;
	if (target.ptr[0] == '/') {
		path_split(head, target);
		return REFUSAL_none;
	}
	if (slice_eq(target, SLICE("*"))) {
		head->path = target;
		return head->method == METHOD_OPTIONS ? REFUSAL_none : REFUSAL_target_form;
	}
	if (starts_nocase(target, SLICE("http://")))
		return absolute_split(head, sizeof("http://") - 1);
	if (starts_nocase(target, SLICE("https://"))) {
		head->scheme_https = true;
		return absolute_split(head, sizeof("https://") - 1);
	}
	return REFUSAL_target_form;
}

/* Where the output stands after the segment that began at `segment` has ended there: ".", ".." and empty ones vanish. */
static char *segment_end(char *out, char *segment, char *to)
{
	size_t len = (size_t)(to - segment);

	if (len == 1 && segment[0] == '.')
		return segment;
	if (len == 2 && segment[0] == '.' && segment[1] == '.') {
		to = segment - 1;                         /* the slash before it */
		while (to > out && to[-1] != '/') to--;
		return to > out ? to : out + 1;
	}
	return to;
}

/* Decoding comes first: "%2e%2e%2f" climbs as well as "../" does for whoever decodes later. `out` may be path.ptr. */
long http_normalise_path(struct slice path, char *out)
{
	char *to = out, *segment = out;

	if (path.len == 0 || path.ptr[0] != '/') {
		if (!slice_eq(path, SLICE("*")))
			return -1;
		*out = '*';
		return 1;
	}
	for (size_t i = 0; i < path.len; i++) {
		char byte = path.ptr[i];
		if (byte == '%') {
			if (path.len - i < 3 || !http_is(path.ptr[i + 1], HTTP_HEX) || !http_is(path.ptr[i + 2], HTTP_HEX))
				return -1;
			byte = (char)(http_hex_value(path.ptr[i + 1]) << 4 | http_hex_value(path.ptr[i + 2]));
			if (byte == '\0')
				return -1;
			i += 2;
		}
		if (byte == '/' && to > out) {
			to = segment_end(out, segment, to);
			if (to[-1] == '/') {
				segment = to;
				continue;
			}
		}
		*to++ = byte;
		if (byte == '/')
			segment = to;
	}
	return segment_end(out, segment, to) - out;
}
