/* The block of fields of a request over HTTP/2: collected field by field, judged by RFC 9113 section 8, and written as the
 * head that HTTP/1 would have had, which the one parser of heads then reads: what is refused there is refused here, and what
 * is behind it does not know the difference. */
#include "h2.h"
#include "sf_dictionary.h"

enum { NAME_OVER = 4 /* ": " and CRLF */, FIRST_CAP = 1024 };

static void put(char **buf, size_t *len, size_t *cap, struct slice text)
{
	if (*cap - *len < text.len) {
		*cap = 2 * (*cap + text.len) > FIRST_CAP ? 2 * (*cap + text.len) : FIRST_CAP;
		*buf = must(realloc(*buf, *cap));
	}
	if (text.len)
		memcpy(*buf + *len, text.ptr, text.len);
	*len += text.len;
}

void h2_head_open(struct h2 *h2, int32_t stream_id, bool trailers)
{
	struct h2_head *head = &h2->head;
	uint64_t frame_bytes = head->frame_bytes;

	h2_head_close(h2);
	head->open = true;
	head->stream_id = stream_id;
	head->trailers = trailers;
	head->frame_bytes = frame_bytes;
	head->first_us = h2->conn->worker->now_us;
	head->first_wall_us = h2->conn->worker->wall_us;
}

void h2_head_close(struct h2 *h2)
{
	struct h2_head *head = &h2->head;

	free(head->lines);
	free(head->pseudo);
	free(head->cookie);
	*head = (struct h2_head){ .stream_id = 0 };
}

/* ---- fields ---- */

static void refuse(struct h2_head *head, enum refusal refusal)
{
	if (!head->refusal)
		head->refusal = refusal;
}

static void add_pseudo(struct h2_head *head, struct slice name, struct slice value)
{
	struct h2_pseudo *which = slice_eq(name, SLICE(":method")) ? &head->method : slice_eq(name, SLICE(":scheme")) ? &head->scheme
		: slice_eq(name, SLICE(":path")) ? &head->path : slice_eq(name, SLICE(":authority")) ? &head->authority : NULL;

	if (!which || which->seen || head->fields || head->trailers || value.len == 0) {
		refuse(head, REFUSAL_h2_pseudo);
		return;
	}
	*which = (struct h2_pseudo){ head->pseudo_len, value.len, true };
	put(&head->pseudo, &head->pseudo_len, &head->pseudo_cap, value);
}

/* Lower case, and a token; what belongs to a connection has no place here (RFC 9113 sections 8.2, 8.2.2). */
static enum refusal name_check(struct slice name, struct slice value)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
			return REFUSAL_h2_upper_case;
	if (!http_is_token(name))
		return REFUSAL_field_name;
	switch (http_field_find(name)) {
	case FIELD_connection: case FIELD_proxy_connection: case FIELD_keep_alive: case FIELD_transfer_encoding: case FIELD_upgrade:
		return REFUSAL_h2_connection_field;
	case FIELD_te:
		return slice_eq_nocase(value, SLICE("trailers")) ? REFUSAL_none : REFUSAL_h2_connection_field;
	default:
		return REFUSAL_none;
	}
}

/* No control bytes, no white space around it (section 8.2.1). */
static enum refusal value_check(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char byte = (unsigned char)value.ptr[i];
		if ((byte < ' ' && byte != '\t') || byte == 0x7f)
			return REFUSAL_control_byte;
	}
	if (value.len && (value.ptr[0] == ' ' || value.ptr[0] == '\t' || value.ptr[value.len - 1] == ' ' || value.ptr[value.len - 1] == '\t'))
		return REFUSAL_h2_blank;
	return REFUSAL_none;
}

/* Limits first: nothing that is too much is kept. False: it is not to be kept. */
static bool count_field(struct h2 *h2, struct slice name, struct slice value)
{
	struct h2_head *head = &h2->head;
	const struct settings *set = h2->conn->carrier.set;

	head->total += name.len + value.len + NAME_OVER;
	head->count++;
	if (head->total > H2_HEAD_OVER * set->client_header_max) {
		h2_give_up(h2, NGHTTP2_ENHANCE_YOUR_CALM, END_h2_head_flood);
		return false;
	}
	if (head->total > set->client_header_max)
		refuse(head, REFUSAL_head_too_large);
	else if (head->count > H2_HEAD_OVER * set->client_header_count_max)
		refuse(head, REFUSAL_too_many_fields);
	return head->refusal != REFUSAL_head_too_large && head->refusal != REFUSAL_too_many_fields;
}

void h2_head_add(struct h2 *h2, struct slice name, struct slice value)
{
	struct h2_head *head = &h2->head;
	enum refusal refusal = value_check(value);

	if (!head->open || !count_field(h2, name, value))
		return;
	if (refusal) {
		refuse(head, refusal);
		return;
	}
	if (name.len && name.ptr[0] == ':') {
		add_pseudo(head, name, value);
		return;
	}
	head->fields = true;
	if ((refusal = name_check(name, value)))
		refuse(head, refusal);
	if (refusal || head->trailers)
		return;
	if (slice_eq(name, SLICE("cookie"))) {
		put(&head->cookie, &head->cookie_len, &head->cookie_cap, head->cookie_len ? SLICE("; ") : SLICE(""));
		put(&head->cookie, &head->cookie_len, &head->cookie_cap, value);
		return;
	}
	if (slice_eq(name, SLICE("host")) && head->authority.seen) {
		/* One of two hosts would win: not with us (section 8.3.1). */
		if (!slice_eq_nocase(value, slice_make(head->pseudo + head->authority.at, head->authority.len)))
			refuse(head, REFUSAL_host_mismatch);
		return;
	}
	head->has_length = head->has_length || slice_eq(name, SLICE("content-length"));
	put(&head->lines, &head->lines_len, &head->lines_cap, name);
	put(&head->lines, &head->lines_len, &head->lines_cap, SLICE(": "));
	put(&head->lines, &head->lines_len, &head->lines_cap, value);
	put(&head->lines, &head->lines_len, &head->lines_cap, SLICE("\r\n"));
}

/* ---- the whole ---- */

static struct slice pseudo(const struct h2_head *head, struct h2_pseudo which)
{
	return which.seen ? slice_make(head->pseudo + which.at, which.len) : SLICE("");
}

/* The pseudo fields a request must have (section 8.3.1), and what their values may be. */
static enum refusal pseudo_check(const struct h2_head *head)
{
	struct slice method = pseudo(head, head->method), scheme = pseudo(head, head->scheme), path = pseudo(head, head->path);
	bool connect = slice_eq(method, SLICE("CONNECT"));

	if (!head->method.seen)
		return REFUSAL_h2_pseudo;
	if (connect)
		return head->scheme.seen || head->path.seen || !head->authority.seen ? REFUSAL_h2_pseudo : REFUSAL_none;
	if (!head->scheme.seen || !head->path.seen || !(slice_eq(scheme, SLICE("http")) || slice_eq(scheme, SLICE("https"))))
		return REFUSAL_h2_pseudo;
	if (path.ptr[0] != '/' && !(slice_eq(path, SLICE("*")) && slice_eq(method, SLICE("OPTIONS"))))
		return REFUSAL_target_form;
	return REFUSAL_none;
}

static void head_write(const struct h2_head *head, bool end, char **buf, size_t *len)
{
	bool connect = slice_eq(pseudo(head, head->method), SLICE("CONNECT"));
	struct slice authority = pseudo(head, head->authority);
	size_t cap = 0;
	/* Content without a length is what HTTP/1 calls chunked. */
	const struct slice parts[] = {
		pseudo(head, head->method), SLICE(" "), connect ? authority : pseudo(head, head->path), SLICE(" HTTP/1.1\r\n"),
		authority.len ? SLICE("host: ") : SLICE(""), authority, authority.len ? SLICE("\r\n") : SLICE(""),
		slice_make(head->lines, head->lines_len),
		head->cookie_len ? SLICE("cookie: ") : SLICE(""), slice_make(head->cookie, head->cookie_len), head->cookie_len ? SLICE("\r\n") : SLICE(""),
		end || head->has_length ? SLICE("") : SLICE("transfer-encoding: chunked\r\n"), SLICE("\r\n"),
	};

	for (size_t i = 0; i < COUNT_OF(parts); i++)
		put(buf, len, &cap, parts[i]);
}

/* What can be said of a head that was refused. */
static void head_guess(const struct h2_head *head, char **buf, struct http_head *ret_head)
{
	struct slice method = pseudo(head, head->method), target = pseudo(head, head->path);
	size_t len = 0, cap = 0;

	if (method.len > LOG_STR_MAX)
		method.len = LOG_STR_MAX;
	if (target.len > LOG_STR_MAX)
		target.len = LOG_STR_MAX;
	put(buf, &len, &cap, method);
	put(buf, &len, &cap, target);
	*ret_head = (struct http_head){ .minor = 1, .http_2 = true };
	if (!*buf)
		return;
	ret_head->method_text = slice_make(*buf, method.len);
	ret_head->target = slice_make(*buf + method.len, target.len);
}

enum refusal h2_head_take(struct h2 *h2, bool end, const struct settings *set, struct http_header *headers, struct http_head *ret_head, char **ret_buf)
{
	struct h2_head *head = &h2->head;
	struct http_limits limits = { set->client_line_max, set->client_header_max, set->client_header_count_max };
	enum refusal refusal = head->refusal ? head->refusal : pseudo_check(head);
	size_t len = 0;

	*ret_buf = NULL;
	if (!refusal) {
		head_write(head, end, ret_buf, &len);
		long n = http_parse_request(*ret_buf, len, 0, &limits, headers, ret_head, &refusal);
		if (n == HEAD_PARTIAL)
			refusal = REFUSAL_head_too_large;
		else if (n > 0)
			refusal = REFUSAL_none;
	}
	if (!refusal && end && ret_head->framing == FRAMING_length && ret_head->length > 0)
		refusal = REFUSAL_h2_length;
	if (refusal) {
		free(*ret_buf);
		*ret_buf = NULL;
		head_guess(head, ret_buf, ret_head);
	}
	ret_head->http_2 = true;
	return refusal;
}

nghttp2_extpri h2_priority(struct slice value, nghttp2_extpri base)
{
	nghttp2_extpri priority = base;
	const char *pos = value.ptr;
	struct sf_member member;
	int step;

	if (!value.len)
		return base;
	while ((step = sf_dictionary_next(&pos, value.ptr + value.len, &member)) > 0) {
		if (slice_eq(member.key, SLICE("u")) && member.type == SF_INTEGER && member.integer >= 0 && member.integer <= NGHTTP2_EXTPRI_URGENCY_LOW)
			priority.urgency = (uint32_t)member.integer;
		else if (slice_eq(member.key, SLICE("i")) && member.type == SF_BOOLEAN)
			priority.inc = member.integer != 0;
	}
	return step < 0 ? base : priority;
}
