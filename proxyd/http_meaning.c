/* What the fields of a whole head mean together: Host, framing, Connection, Expect, Max-Forwards. Everything that two
 * parties could read in two ways is refused: it is what request smuggling is made of. */
#include "http_parts.h"

enum {
	CONNECTION_NAMES_MAX = 64,   /* each is looked for among the headers: bounds the work of a hostile Connection */
	LENGTH_DIGITS_MAX = 19       /* 2^63 - 1 */
};

/* ---- Host ---- */

static uint16_t port_or_default(uint16_t port, bool https)
{
	return port ? port : https ? 443 : 80;
}

static enum refusal host_check(struct http_head *head)
{
	struct slice host, value = http_header_value(head, FIELD_host);
	uint16_t port;

	if (head->times[FIELD_host] > 1)
		return REFUSAL_host_duplicate;
	if (head->times[FIELD_host] == 0)
		return head->minor > 0 ? REFUSAL_host_missing : REFUSAL_none;
	if (!http_parse_authority(value, &host, &port))
		return REFUSAL_host_invalid;
	if (!head->absolute_form) {
		head->authority = value;
		head->host = host;
		head->port = port;
		return REFUSAL_none;
	}
	/* RFC 9112 section 3.2.2 lets the target win. Whoever looks at Host only would be led astray, so both must agree. */
	bool same = slice_eq_nocase(host, head->host)
		&& port_or_default(port, head->scheme_https) == port_or_default(head->port, head->scheme_https);
	return same ? REFUSAL_none : REFUSAL_host_mismatch;
}

/* ---- framing (RFC 9112 section 6) ---- */

/* 1*DIGIT up to 2^63 - 1: every off_t can hold it. */
static bool decimal_parse(struct slice text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!http_is(text.ptr[i], HTTP_DIGIT))
			return false;
		number = number * 10 + (uint64_t)(text.ptr[i] - '0');   /* 19 digits fit into 64 bits */
	}
	if (number > INT64_MAX)
		return false;
	*ret_number = number;
	return true;
}

/* One line, one number: even equal ones are refused from clients, who have no reason to send two. */
static enum refusal request_length(const struct http_head *head, uint64_t *ret_length)
{
	struct slice value = http_header_value(head, FIELD_content_length);

	if (head->times[FIELD_content_length] > 1)
		return REFUSAL_length_conflict;
	if (decimal_parse(value, ret_length))
		return REFUSAL_none;
	return memchr(value.ptr, ',', value.len) ? REFUSAL_length_conflict : REFUSAL_length_invalid;
}

/* Origins do repeat themselves. Copies of one number are collapsed into the first (RFC 9112 section 6.3): the others are
 * dropped, and a list is cut to its first element. */
static enum refusal response_length(struct http_head *head, uint64_t *ret_length)
{
	struct http_header *first = &head->headers[head->first[FIELD_content_length] - 1];
	struct http_list it = { 0 };
	struct slice element, kept = { NULL, 0 };
	uint64_t number, length = 0;

	while (http_list_next(head, FIELD_content_length, &it, &element)) {
		if (!decimal_parse(element, &number))
			return REFUSAL_length_invalid;
		if (kept.ptr && number != length)
			return REFUSAL_length_conflict;
		if (!kept.ptr)
			kept = element;
		length = number;
	}
	if (!kept.ptr)
		return REFUSAL_length_invalid;
	for (struct http_header *h = first + 1; h < head->headers + head->header_count; h++)
		if (h->id == FIELD_content_length) h->dropped = true;
	first->value = kept;
	*ret_length = length;
	return REFUSAL_none;
}

/* "chunked", alone and once. The rest only finds the fitting name for what is wrong: no other coding is understood here,
 * and none may be guessed around. */
static enum refusal coding_check(const struct http_head *head)
{
	struct http_list it = { 0 };
	struct slice coding;
	bool last_chunked = false;
	unsigned chunked = 0;

	if (head->minor == 0)
		return REFUSAL_coding_in_1_0;
	if (head->times[FIELD_transfer_encoding] == 1 && slice_eq_nocase(http_header_value(head, FIELD_transfer_encoding), SLICE("chunked")))
		return REFUSAL_none;
	while (http_list_next(head, FIELD_transfer_encoding, &it, &coding)) {
		if (!http_is_token(coding))
			return REFUSAL_coding_invalid;
		last_chunked = slice_eq_nocase(coding, SLICE("chunked"));
		chunked += last_chunked;
	}
	/* Only "chunked" among empty elements or lines: it is the length that is in doubt, not the coding. */
	if (!last_chunked || chunked > 1)
		return REFUSAL_coding_invalid;
	it = (struct http_list){ 0 };
	return http_list_next(head, FIELD_transfer_encoding, &it, &coding) && slice_eq_nocase(coding, SLICE("chunked"))
		? REFUSAL_coding_invalid : REFUSAL_coding_unknown;
}

static enum refusal framing_check(struct http_head *head, bool response)
{
	enum refusal refusal = REFUSAL_none;
	bool length = head->times[FIELD_content_length] > 0, coding = head->times[FIELD_transfer_encoding] > 0;

	head->framing = response ? FRAMING_close : FRAMING_none;
	if (length && coding)
		return REFUSAL_length_and_coding;
	if (coding) {
		refusal = coding_check(head);
		head->framing = FRAMING_chunked;
	} else if (length) {
		refusal = response ? response_length(head, &head->length) : request_length(head, &head->length);
		head->framing = FRAMING_length;
	}
	return refusal;
}

/* ---- Connection (RFC 9110 section 7.6.1) ---- */

/* Marks every header of that name. false: it is one that we rely on, and its removal would change what the message is. */
static bool header_drop(struct http_head *head, struct slice name)
{
	enum http_field id = http_field_find(name);

	if (http_field_flags(id) & HTTP_KEEP)
		return false;
	if (id != FIELD_other && !head->first[id])
		return true;
	for (struct http_header *h = head->headers; h < head->headers + head->header_count; h++)
		if (h->id == id && (id != FIELD_other || slice_eq_nocase(h->name, name))) h->dropped = true;
	return true;
}

/* An origin that names a field we rely on is not obeyed; a client that does is refused. */
static enum refusal connection_check(struct http_head *head, bool response)
{
	struct http_list it = { 0 };
	struct slice option;
	unsigned count = 0;
	bool close = false, keep_alive = false;

	while (http_list_next(head, FIELD_connection, &it, &option)) {
		if (++count > CONNECTION_NAMES_MAX || !http_is_token(option))
			return REFUSAL_connection_invalid;
		if (slice_eq_nocase(option, SLICE("close"))) {
			close = true;
			continue;
		}
		if (slice_eq_nocase(option, SLICE("keep-alive")))
			keep_alive = true;
		else if (slice_eq_nocase(option, SLICE("upgrade")))
			head->connection_upgrade = true;
		if (!header_drop(head, option) && !response)
			return REFUSAL_connection_invalid;
	}
	head->keep_alive = !close && (head->minor > 0 || keep_alive);
	return REFUSAL_none;
}

/* ---- Expect (RFC 9110 section 10.1.1), Max-Forwards (section 7.6.2) ---- */

static enum refusal expect_check(struct http_head *head)
{
	struct http_list it = { 0 };
	struct slice expectation;

	if (head->minor == 0)
		return REFUSAL_none;
	while (http_list_next(head, FIELD_expect, &it, &expectation)) {
		if (!slice_eq_nocase(expectation, SLICE("100-continue")))
			return REFUSAL_expectation;
		head->expect_continue = true;
	}
	return REFUSAL_none;
}

static enum refusal max_forwards_check(const struct http_head *head)
{
	uint64_t hops;

	if (head->method != METHOD_TRACE && head->method != METHOD_OPTIONS)
		return REFUSAL_none;
	if (head->times[FIELD_max_forwards] > 1 || !decimal_parse(http_header_value(head, FIELD_max_forwards), &hops))
		return REFUSAL_max_forwards;
	return REFUSAL_none;
}

/* ---- both ---- */

enum refusal request_check(struct http_head *head)
{
	enum refusal refusal = host_check(head);

	head->keep_alive = head->minor > 0;
	if (refusal == REFUSAL_none)
		refusal = framing_check(head, false);
	if (refusal == REFUSAL_none && head->first[FIELD_connection])
		refusal = connection_check(head, false);
	if (refusal == REFUSAL_none && head->first[FIELD_expect])
		refusal = expect_check(head);
	if (refusal == REFUSAL_none && head->first[FIELD_max_forwards])
		refusal = max_forwards_check(head);
	return refusal;
}

enum refusal response_check(struct http_head *head, enum http_method request_method)
{
	enum refusal refusal = framing_check(head, true);

	head->keep_alive = head->minor > 0;
	if (refusal == REFUSAL_none && head->first[FIELD_connection])
		refusal = connection_check(head, true);
	/* No content whatever the fields say (RFC 9112 section 6.3). */
	if (request_method == METHOD_HEAD || head->status < 200 || head->status == 204 || head->status == 304) {
		head->framing = FRAMING_none;
		head->length = 0;
	}
	return refusal;
}
