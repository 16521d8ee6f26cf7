/* Values of other programs' logs as columns of ours: the request and what the client got. */
#include "format_internal.h"
#include "rule.h"

bool take_skip(struct work *work, struct slice text)
{
	(void)work;
	(void)text;
	return true;
}

/* ---- the client ---- */

bool take_client(struct work *work, struct slice text)
{
	if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') text = slice_make(text.ptr + 1, text.len - 2);
	work->line->client = text_word(work, text);
	return true;
}

bool take_client_port(struct work *work, struct slice text)
{
	const char *colon = text.len ? memrchr(text.ptr, ':', text.len) : NULL;

	if (colon) text.len = (size_t)(colon - text.ptr);
	return take_client(work, text);
}

bool take_referer(struct work *work, struct slice text) { return work->line->referer = text_plain(work, text), true; }
bool take_agent(struct work *work, struct slice text) { return work->line->agent = text_plain(work, text), true; }
bool take_referer_url(struct work *work, struct slice text) { return work->line->referer = text_url(work, text), true; }
bool take_agent_url(struct work *work, struct slice text) { return work->line->agent = text_url(work, text), true; }
bool take_authorization(struct work *work, struct slice text) { return work->line->req_auth = !text_none(text), true; }
bool take_cookie(struct work *work, struct slice text) { return work->line->req_cookie = !text_none(text), true; }

/* ---- the request ---- */

/* Absolute-form (RFC 9112 section 3.2.2): its host counts, whatever the field said. */
static void target_set(struct work *work, struct slice text)
{
	struct slice rest = text;
	size_t scheme = slice_starts(text, SLICE("http://")) ? 7 : slice_starts(text, SLICE("https://")) ? 8 : 0, host = 0;

	if (scheme) {
		rest = slice_make(text.ptr + scheme, text.len - scheme);
		while (host < rest.len && rest.ptr[host] != '/' && rest.ptr[host] != '?') host++;
		work->line->scheme = slice_make(text.ptr, scheme - 3);
		work->line->host = text_host(work, slice_make(rest.ptr, host));
		rest = host < rest.len ? slice_make(rest.ptr + host, rest.len - host) : SLICE("/");
	}
	work->line->target = text_plain(work, rest);
}

static bool is_token(struct slice text)
{
	if (text.len == 0 || text.len > 32) return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_')) return false;
	}
	return true;
}

/* What is no request line (a TLS hello, a scan) was one to the server: it is counted, and stands in `target` as it came. */
bool take_request(struct work *work, struct slice text)
{
	const char *first = text.len ? memchr(text.ptr, ' ', text.len) : NULL, *last;
	struct slice method = slice_make(text.ptr, first ? (size_t)(first - text.ptr) : 0), target;

	if (text_none(text)) return true;
	if (!is_token(method)) {
		work->line->target = text_plain(work, text);
		return true;
	}
	target = slice_make(first + 1, text.len - method.len - 1);
	last = target.len ? memrchr(target.ptr, ' ', target.len) : NULL;
	if (last && slice_starts(slice_make(last + 1, (size_t)(target.ptr + target.len - last - 1)), SLICE("HTTP/"))) {
		take_proto(work, slice_make(last + 1, (size_t)(target.ptr + target.len - last - 1)));
		target.len = (size_t)(last - target.ptr);
	}
	work->line->method = text_plain(work, method);
	target_set(work, target);
	return true;
}

bool take_method(struct work *work, struct slice text) { return work->line->method = text_plain(work, text), true; }

bool take_target(struct work *work, struct slice text)
{
	if (!text_none(text)) target_set(work, text);
	return true;
}

bool take_path(struct work *work, struct slice text) { return work->line->target.len || take_target(work, text); }

bool take_query(struct work *work, struct slice text)
{
	if (text.len && text.ptr[0] == '?') text = slice_make(text.ptr + 1, text.len - 1);
	work->query = text_plain(work, text);
	return true;
}

/* HTTP/2.0 is how some write HTTP/2. */
bool take_proto(struct work *work, struct slice text)
{
	if (slice_eq(text, SLICE("HTTP/2.0")) || slice_eq(text, SLICE("HTTP/3.0"))) text.len -= 2;
	work->line->proto = text_word(work, text);
	return true;
}

bool take_proto_version(struct work *work, struct slice text)
{
	static const struct { struct slice version, proto; } names[] = {
		{ { "1.0", 3 }, { "HTTP/1.0", 8 } }, { { "1.1", 3 }, { "HTTP/1.1", 8 } }, { { "2.0", 3 }, { "HTTP/2", 6 } },
	};

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_eq(names[i].version, text)) work->line->proto = names[i].proto;
	return true;
}

bool take_scheme(struct work *work, struct slice text) { return work->line->scheme = text_word(work, text), true; }

bool take_host(struct work *work, struct slice text)
{
	if (!text_none(text)) work->line->host = text_host(work, text);
	return true;
}

bool take_host_weak(struct work *work, struct slice text) { return work->line->host.len || take_host(work, text); }
bool take_route(struct work *work, struct slice text) { return work->line->route = text_plain(work, text), true; }

static bool take_count(struct slice text, uint64_t *ret_count)
{
	return text_none(text) || parse_number(text, ret_count);
}

bool take_req_bytes(struct work *work, struct slice text) { return take_count(text, &work->line->req_bytes); }
bool take_conn(struct work *work, struct slice text) { return take_count(text, &work->line->conn); }
bool take_conn_req(struct work *work, struct slice text) { return take_count(text, &work->line->conn_req); }
bool take_node(struct work *work, struct slice text) { return work->line->node = text_word(work, text), true; }

/* ---- TLS ---- */

bool take_tls(struct work *work, struct slice text) { return work->line->tls = text_word(work, text), true; }
bool take_tls_cipher(struct work *work, struct slice text) { return work->line->tls_cipher = text_word(work, text), true; }
bool take_sni(struct work *work, struct slice text) { return work->line->sni = text_word(work, text), true; }

/* The number on the wire (RFC 8446 section 4.1.2). */
bool take_tls_number(struct work *work, struct slice text)
{
	static const char *const names[] = { "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3" };
	uint64_t number = 0;

	if (!take_count(text, &number)) return false;
	if (number >= 0x301 && number < 0x301 + COUNT_OF(names)) work->line->tls = slice_str(names[number - 0x301]);
	return true;
}

bool take_tls_resumed(struct work *work, struct slice text)
{
	work->line->tls_resumed = slice_eq(text, SLICE("r")) || slice_eq(text, SLICE("true"));
	return true;
}

/* ---- the answer ---- */

bool take_status(struct work *work, struct slice text)
{
	uint64_t status = 0;

	if (!take_count(text, &status) || status > 999) return false;
	work->line->status = status;
	return true;
}

bool take_body_out(struct work *work, struct slice text)
{
	uint64_t bytes = 0;

	if (!take_count(text, &bytes)) return false;
	work->line->body_out = bytes;
	work->length_known = !text_none(text);
	return true;
}

/* Header section and body together: stands for the body where the line has nothing better. */
bool take_answer_out(struct work *work, struct slice text)
{
	uint64_t bytes = 0;

	if (!take_count(text, &bytes)) return false;
	if (!work->length_known) work->line->body_out = bytes;
	return true;
}

static bool total_set(struct work *work, int64_t us)
{
	work->line->total_us = (uint64_t)us;
	work->total_known = true;
	return true;
}

static bool take_duration(struct work *work, struct slice text, int64_t unit)
{
	uint64_t value;

	/* HAProxy writes +MS with `option logasap`, and -1 for what was not reached. */
	if (text.len > 1 && text.ptr[0] == '+') text = slice_make(text.ptr + 1, text.len - 1);
	if (text_none(text) || slice_eq(text, SLICE("-1"))) return true;
	if (!parse_number(text, &value) || value > (uint64_t)(INT64_MAX / unit)) return false;
	return total_set(work, (int64_t)value * unit);
}

bool take_total_ms(struct work *work, struct slice text) { return take_duration(work, text, 1000); }
bool take_total_us(struct work *work, struct slice text) { return take_duration(work, text, 1); }

bool take_total_seconds(struct work *work, struct slice text)
{
	int64_t us;

	if (text_none(text)) return true;
	return parse_seconds(text, &us) && total_set(work, us);
}

bool take_first_seconds(struct work *work, struct slice text)
{
	return text_none(text) || parse_seconds(text, &work->line->first_us);
}

bool take_resp_type(struct work *work, struct slice text) { return work->line->resp_type = text_plain(work, text), true; }
bool take_resp_vary(struct work *work, struct slice text) { return work->line->resp_vary = text_plain(work, text), true; }
bool take_location(struct work *work, struct slice text) { return work->line->location = text_plain(work, text), true; }
bool take_set_cookie(struct work *work, struct slice text) { return work->line->resp_setcookie = !text_none(text), true; }

bool take_resp_cc(struct work *work, struct slice text)
{
	work->line->resp_cc = text_plain(work, text);
	work->line->resp_public = cache_control_has(work->line->resp_cc, SLICE("public")) || cache_control_has(work->line->resp_cc, SLICE("s-maxage"));
	return true;
}

bool take_age(struct work *work, struct slice text)
{
	uint64_t age;

	if (text_none(text)) return true;
	/* The origin wrote it: any text may stand there. */
	if (parse_number(text, &age) && age <= INT64_MAX) work->line->age = (int64_t)age;
	return true;
}

bool take_caddy_message(struct work *work, struct slice text)
{
	work->other = !slice_eq(text, SLICE("handled request"));
	return true;
}
