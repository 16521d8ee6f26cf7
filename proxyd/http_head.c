/* Header sections of requests and responses: lines, limits, and what may be said of a head that has only come in part.
 * The order of judgement is described in http_parts.h. */
#include "../conf/check.h"
#include "http_parts.h"

enum {
	EMPTY_LINES_MAX = 4,                   /* before a request line */
	START_MAX = EMPTY_LINES_MAX * 2,       /* so far in does the start line begin at most */
	NAME_WINDOW = 32                       /* any name we know and its colon */
};

/* ---- one field line ---- */

/* The length of the token at line, and which field it is when a colon follows. */
static inline size_t name_scan(const char *line, const char *end, uint8_t *ret_id)
{
#ifdef HTTP_SSE2
	/* A known name needs no look at its bytes: it is equal to one of the table, which are tokens. */
	if (end - line >= NAME_WINDOW) {
		const __m128i colon = _mm_set1_epi8(':');
		__m128i low = _mm_loadu_si128((const __m128i *)(const void *)line);
		__m128i high = _mm_loadu_si128((const __m128i *)(const void *)(line + 16));
		unsigned hits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(low, colon))
			| (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(high, colon)) << 16;
		size_t len = hits ? (size_t)__builtin_ctz(hits) : 0;
		*ret_id = (uint8_t)field_recognise(line, len, NAME_WINDOW);
		return *ret_id != FIELD_other ? len : (size_t)(http_scan_class(line, end, HTTP_TOKEN) - line);
	}
#endif
	size_t len = (size_t)(http_scan_class(line, end, HTTP_TOKEN) - line);
	*ret_id = (uint8_t)field_recognise(line, len, (size_t)(end - line));
	return len;
}

/* Returns the byte after the line's CRLF, or NULL when the line is unfinished or wrong. */
static inline const char *field_line_parse(const char *line, const char *end, struct http_header *ret_header)
{
	size_t len = name_scan(line, end, &ret_header->id);
	const char *p = line + len;

	if (len == 0 || p == end || *p != ':')
		return NULL;
	ret_header->name = slice_make(line, len);
	p++;
	while (p < end && http_is(*p, HTTP_BLANK)) p++;
	const char *value = p;
	p = http_scan_control(value, end);
	if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
		return NULL;
	const char *next = p + 2;
	while (p > value && http_is(p[-1], HTTP_BLANK)) p--;
	ret_header->value = slice_make(value, (size_t)(p - value));
	ret_header->dropped = (http_field_flags((enum http_field)ret_header->id) & HTTP_HOP) != 0;
	return next;
}

/* Why a line is none. `stop` is its first control byte. */
static enum refusal field_line_refusal(const char *line, const char *stop, const char *end)
{
	const char *p = http_scan_class(line, stop, HTTP_TOKEN);

	if (p == stop)
		return p == line ? control_refusal(stop, end, REFUSAL_field_name) : control_refusal(stop, end, REFUSAL_no_colon);
	if (http_is(*p, HTTP_BLANK)) {
		if (p == line)
			return REFUSAL_obs_fold;
		while (p < stop && http_is(*p, HTTP_BLANK)) p++;
		if (p < stop && *p == ':')
			return REFUSAL_blank_before_colon;
		return memchr(p, ':', (size_t)(stop - p)) ? REFUSAL_field_name : control_refusal(stop, end, REFUSAL_no_colon);
	}
	if (p == line || *p != ':')
		return REFUSAL_field_name;
	return control_refusal(stop, end, REFUSAL_field_name);
}

/* ---- the whole ---- */

struct section {
	const char *start, *end;       /* of the caller's bytes: never beyond head_max */
	bool cut;                      /* there are more than head_max */
	const struct http_limits *limits;
	struct http_header *headers;
	struct http_head *head;
	enum refusal *ret_refusal;
};

static long section_bad(const struct section *in, enum refusal why)
{
	*in->ret_refusal = why;
	return HEAD_BAD;
}

/* Where a line can be judged: its first control byte, unless that is a CR whose LF may still come. Else NULL. */
static const char *line_stop(const char *line, const char *end)
{
	const char *stop = http_scan_control(line, end);

	return stop == end || (*stop == '\r' && stop + 1 == end) ? NULL : stop;
}

static long section_unfinished(const struct section *in)
{
	return in->cut ? section_bad(in, REFUSAL_head_too_large) : HEAD_PARTIAL;
}

/* The start line could not be parsed because of `why`, or because it is unfinished. */
static long start_line_stopped(const struct section *in, const char *line, enum refusal why)
{
	const char *stop = line_stop(line, in->end);
	const char *last = stop ? stop : in->end > line && in->end[-1] == '\r' ? in->end - 1 : in->end;

	if ((size_t)(last - line) > in->limits->line_max)
		return section_bad(in, REFUSAL_line_too_long);
	if (!stop)
		return section_unfinished(in);
	CHECK(why != REFUSAL_none);
	return section_bad(in, why);
}

static long field_line_stopped(const struct section *in, const char *line)
{
	const char *stop = line_stop(line, in->end);

	if (!stop)
		return section_unfinished(in);
	if (in->head->header_count == in->limits->count_max)
		return section_bad(in, REFUSAL_too_many_fields);
	return section_bad(in, field_line_refusal(line, stop, in->end));
}

static void header_count(struct http_head *head, unsigned id)
{
	head->header_count++;
	if (id == FIELD_other)
		return;
	if (head->times[id]++ == 0)
		head->first[id] = (uint16_t)head->header_count;
}

/* Reads the field lines from p on, through the empty line. Returns the length of the whole section, or an answer. */
static long fields_parse(const struct section *in, const char *p)
{
	struct http_head *head = in->head;
	size_t count_max = in->limits->count_max;

	for (;;) {
		if (in->end - p >= 2 && p[0] == '\r' && p[1] == '\n')
			return p + 2 - in->start;
		if (head->header_count == count_max)
			return field_line_stopped(in, p);
		struct http_header *header = &in->headers[head->header_count];
		const char *next = field_line_parse(p, in->end, header);
		if (!next)
			return field_line_stopped(in, p);
		header_count(head, header->id);
		p = next;
	}
}

static struct section section_make(const char *buf, size_t len, const struct http_limits *limits,
	struct http_header *headers, struct http_head *head, enum refusal *ret_refusal)
{
	CHECK(limits->count_max <= HTTP_HEADERS_MAX);
	memset(head, 0, sizeof *head);
	head->headers = headers;
	return (struct section){ buf, buf + (len < limits->head_max ? len : limits->head_max), len > limits->head_max, limits,
		headers, head, ret_refusal };
}

/* ---- heads in part ---- */

static size_t line_ends_count(const char *p, const char *end)
{
	size_t count = 0;
#ifdef HTTP_SSE2
	const __m128i feed = _mm_set1_epi8('\n');

	for (; end - p >= 16; p += 16)
		count += (size_t)__builtin_popcount((unsigned)_mm_movemask_epi8(
			_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), feed)));
#endif
	for (; p < end; p++) count += *p == '\n';
	return count;
}

/* Can the bytes after `seen` change the answer HEAD_PARTIAL that was given for those before? Looks at the new bytes and at
 * the lines that they finish, so that a head that comes byte by byte costs O(n). It may say yes too often, never no wrongly:
 * all answers come from the parser. (Line ends are counted over all bytes, but only when one has come, and there are never
 * more than HTTP_HEADERS_MAX.) */
static bool partial_is_over(const char *buf, size_t len, size_t seen, const struct http_limits *limits)
{
	const char *end = buf + len;

	if (seen == 0 || seen >= len || len > limits->head_max)
		return true;
	if (len > limits->line_max && seen < limits->line_max + START_MAX + 2)
		return true;
	const char *stop = line_stop(buf + seen - (buf[seen - 1] == '\r'), end);
	if (!stop)
		return false;
	const char *before = memrchr(buf, '\n', (size_t)(stop - buf));
	if (!before || before - buf < START_MAX)
		return true;                       /* the start line */
	for (const char *line = before + 1; line < end; ) {
		struct http_header header;
		const char *next = field_line_parse(line, end, &header);
		if (!next && (*line == '\r' || line_stop(line, end)))
			return true;                   /* the end of the section, or a fault */
		line = next ? next : end;
	}
	return line_ends_count(buf, end) > limits->count_max;
}

/* ---- the two kinds ---- */

long http_parse_request(const char *buf, size_t len, size_t seen, const struct http_limits *limits,
	struct http_header *headers, struct http_head *ret_head, enum refusal *ret_refusal)
{
	enum refusal why = REFUSAL_none;

	if (!partial_is_over(buf, len, seen, limits))
		return HEAD_PARTIAL;
	struct section in = section_make(buf, len, limits, headers, ret_head, ret_refusal);
	const char *p = buf;
	for (unsigned lines = 0; lines < EMPTY_LINES_MAX && in.end - p >= 2 && p[0] == '\r' && p[1] == '\n'; lines++) p += 2;

	const char *next = request_line_parse(p, in.end, ret_head, &why);
	if (!next || (size_t)(next - 2 - p) > limits->line_max)
		return start_line_stopped(&in, p, why);
	long used = fields_parse(&in, next);
	if (used > 0 && (why = request_check(ret_head)) != REFUSAL_none)
		return section_bad(&in, why);
	return used;
}

long http_parse_response(const char *buf, size_t len, size_t seen, const struct http_limits *limits,
	enum http_method request_method, struct http_header *headers, struct http_head *ret_head, enum refusal *ret_refusal)
{
	enum refusal why = REFUSAL_none;

	if (!partial_is_over(buf, len, seen, limits))
		return HEAD_PARTIAL;
	struct section in = section_make(buf, len, limits, headers, ret_head, ret_refusal);
	const char *next = status_line_parse(buf, in.end, ret_head, &why);
	if (!next || (size_t)(next - 2 - buf) > limits->line_max)
		return start_line_stopped(&in, buf, why);
	long used = fields_parse(&in, next);
	if (used > 0 && (why = response_check(ret_head, request_method)) != REFUSAL_none)
		return section_bad(&in, why);
	return used;
}
