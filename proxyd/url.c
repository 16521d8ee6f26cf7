/* A URL that a person writes: read as a request for it would be. */
#include "url.h"

#include <stdio.h>

/* As step_receive.c has it: in lower case, and a final dot names the same host. */
static struct slice host_of(struct slice host, char *out)
{
	size_t len = host.len - (host.len && host.ptr[host.len - 1] == '.');

	for (size_t i = 0; i < len; i++)
		out[i] = (char)(host.ptr[i] >= 'A' && host.ptr[i] <= 'Z' ? host.ptr[i] | 0x20 : host.ptr[i]);
	return slice_make(out, len);
}

bool url_read(struct slice text, struct url *url, const char **why)
{
	struct http_head head = { 0 };
	enum refusal refusal = REFUSAL_none;
	struct http_limits limits = { sizeof(url->request), sizeof(url->request), COUNT_OF(url->headers) };
	bool https = slice_starts(text, SLICE("https://"));
	struct slice authority = slice_make(text.ptr + (https ? 8 : 7), 0);

	*why = "a URL begins with http:// or https://";
	if ((!https && !slice_starts(text, SLICE("http://"))) || text.len > URL_MAX)
		return false;
	while (authority.ptr + authority.len < text.ptr + text.len && !memchr("/?#", authority.ptr[authority.len], 3))
		authority.len++;
	int len = snprintf(url->request, sizeof(url->request), "GET %.*s HTTP/1.1\r\nHost: %.*s\r\n\r\n", SLICE_ARG(text), SLICE_ARG(authority));
	if (http_parse_request(url->request, (size_t)len, 0, &limits, url->headers, &head, &refusal) != len || head.host.len > sizeof(url->host)) {
		*why = refusal ? refusal_rows[refusal].doc : "this is no URL";
		return false;
	}
	long normal_len = http_normalise_path(head.path, url->normal);
	url->target = (struct target){ .https = https, .host = host_of(head.host, url->host), .port = head.port, .authority = head.authority,
		.path = head.path, .normal = slice_make(url->normal, normal_len < 0 ? 0 : (size_t)normal_len), .query = head.query };
	return true;
}

const struct conf_location *url_location(const struct url *url, const struct conf_listen *listen)
{
	const struct conf_server *server = conf_find_server(listen, url->target.host);

	if (url->target.normal.len == 0)
		return NULL;
	return server->fallback->return_code ? server->fallback : conf_find_location(server, url->target.normal);
}
