/* Request lines and status lines (RFC 9112 sections 3 and 4). */
#include "http_parts.h"

enum { VERSION_LEN = 8 };   /* HTTP/1.1 */

enum refusal control_refusal(const char *p, const char *end, enum refusal proper)
{
	if (*p == '\n')
		return REFUSAL_bare_lf;
	if (*p != '\r')
		return REFUSAL_control_byte;
	return p + 1 < end && p[1] != '\n' ? REFUSAL_bare_cr : proper;
}

static bool is_crlf(const char *p, const char *end)
{
	return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

/* HTTP/1.x of the text; a minor above 1 is the same as 1 to us (RFC 9110 section 2.5). */
static inline bool version_read(const char *text, struct http_head *head)
{
	if (memcmp(text, "HTTP/1.", VERSION_LEN - 1) != 0 || !http_is(text[VERSION_LEN - 1], HTTP_DIGIT))
		return false;
	head->minor = text[VERSION_LEN - 1] != '0';
	return true;
}

/* HTTP/2.0, HTTP/0.9: well formed, and not ours. */
static bool version_is_foreign(struct slice text)
{
	return text.len == VERSION_LEN && memcmp(text.ptr, "HTTP/", 5) == 0 && http_is(text.ptr[5], HTTP_DIGIT)
		&& text.ptr[5] != '1' && text.ptr[6] == '.' && http_is(text.ptr[7], HTTP_DIGIT);
}

static enum refusal version_refusal(const char *p, const char *end, const struct http_head *head)
{
	const char *stop = http_scan_control(p, end);
	struct slice text = slice_make(p, (size_t)(stop - p));

	if (stop == end)
		return REFUSAL_request_line;
	if (!is_crlf(stop, end) || !version_is_foreign(text))
		return control_refusal(stop, end, REFUSAL_request_line);
	/* The HTTP/2 connection preface (RFC 9113 section 3.4). */
	if (slice_eq(head->method_text, SLICE("PRI")) && slice_eq(head->target, SLICE("*")) && slice_eq(text, SLICE("HTTP/2.0")))
		return REFUSAL_upgrade_h2c;
	return REFUSAL_version;
}

/* Why the request line is wrong at p, where neither more of the word nor the one space stands. */
static enum refusal word_refusal(const char *p, const char *end, enum refusal bad_byte)
{
	if (p == end || http_is(*p, HTTP_BLANK))
		return REFUSAL_request_line;
	if (!http_is(*p, HTTP_VALUE))
		return control_refusal(p, end, REFUSAL_request_line);
	return bad_byte;
}

static enum http_method method_find(struct slice text)
{
	switch (text.len) {
#define METHOD(name) if (memcmp(text.ptr, #name, sizeof(#name) - 1) == 0) return METHOD_##name;
	case 3: METHOD(GET) METHOD(PUT) break;
	case 4: METHOD(HEAD) METHOD(POST) break;
	case 5: METHOD(TRACE) METHOD(PATCH) METHOD(PURGE) break;
	case 6: METHOD(DELETE) break;
	case 7: METHOD(OPTIONS) METHOD(CONNECT) break;
#undef METHOD
	}
	return METHOD_other;
}

const char *request_line_parse(const char *line, const char *end, struct http_head *head, enum refusal *ret_why)
{
	/* A TLS record of type handshake: somebody speaks https to a plain listener. */
	if (line < end && *line == 0x16) {
		*ret_why = REFUSAL_tls_on_plain;
		return NULL;
	}
	const char *p = http_scan_class(line, end, HTTP_TOKEN);
	if (p == line || p == end || *p != ' ') {
		*ret_why = word_refusal(p, end, REFUSAL_method_token);
		return NULL;
	}
	head->method_text = slice_make(line, (size_t)(p - line));
	head->method = method_find(head->method_text);

	const char *target = p + 1;
	p = http_scan_class(target, end, HTTP_URI);
	if (p == target || p == end || *p != ' ') {
		*ret_why = word_refusal(p, end, REFUSAL_target_form);
		return NULL;
	}
	head->target = slice_make(target, (size_t)(p - target));

	p++;
	if (end - p < VERSION_LEN + 2 || !is_crlf(p + VERSION_LEN, end) || !version_read(p, head)) {
		*ret_why = version_refusal(p, end, head);
		return NULL;
	}
	if ((*ret_why = target_split(head)) != REFUSAL_none)
		return NULL;
	return p + VERSION_LEN + 2;
}

const char *status_line_parse(const char *line, const char *end, struct http_head *head, enum refusal *ret_why)
{
	const char *stop = http_scan_control(line, end);
	size_t len = (size_t)(stop - line);

	*ret_why = REFUSAL_status_line;
	if (!is_crlf(stop, end)) {
		if (stop < end)
			*ret_why = control_refusal(stop, end, REFUSAL_status_line);
		return NULL;
	}
	if (len < VERSION_LEN + 4 || !version_read(line, head) || line[VERSION_LEN] != ' ') {
		if (len >= VERSION_LEN && version_is_foreign(slice_make(line, VERSION_LEN)))
			*ret_why = REFUSAL_version;
		return NULL;
	}
	/* Three digits from 100 to 599: a status of another class has no meaning that we could pass on (RFC 9110 section 15). */
	const char *digits = line + VERSION_LEN + 1;
	if (digits[0] < '1' || digits[0] > '5' || !http_is(digits[1], HTTP_DIGIT) || !http_is(digits[2], HTTP_DIGIT))
		return NULL;
	head->status = (uint16_t)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0'));
	/* The space after the status is due even without a phrase; many leave it out, and nothing hangs on it. */
	const char *rest = digits + 3;
	if (rest < stop && *rest != ' ')
		return NULL;
	head->reason = rest < stop ? slice_make(rest + 1, (size_t)(stop - rest - 1)) : slice_make(rest, 0);
	*ret_why = REFUSAL_none;
	return stop + 2;
}
