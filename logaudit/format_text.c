/* Texts of other programs' logs: their escapes undone and ours made, words, hosts, numbers. */
#include <stdlib.h>

#include "format_internal.h"

char *scratch_room(struct format_scratch *scratch, size_t len)
{
	char *room = scratch->text + scratch->used;

	if (len > sizeof(scratch->text) - scratch->used) return NULL;
	scratch->used += len;
	return room;
}

/* ---- escapes ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	if (c >= 'a' && c <= 'f') return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `count` hexadecimal digits at i, or -1. */
static int hex_at(struct slice text, size_t i, size_t count)
{
	int value = 0;

	if (i + count > text.len) return -1;
	for (size_t k = 0; k < count; k++) {
		int digit = hex_digit(text.ptr[i + k]);
		if (digit < 0) return -1;
		value = value * 16 + digit;
	}
	return value;
}

static size_t utf8_put(char out[4], unsigned code)
{
	if (code < 0x80) return out[0] = (char)code, 1;
	if (code < 0x800) return out[0] = (char)(0xc0 | code >> 6), out[1] = (char)(0x80 | (code & 63)), 2;
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12), out[1] = (char)(0x80 | (code >> 6 & 63)), out[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18), out[1] = (char)(0x80 | (code >> 12 & 63));
	out[2] = (char)(0x80 | (code >> 6 & 63)), out[3] = (char)(0x80 | (code & 63));
	return 4;
}

/* \uXXXX at i, with its second half when it is a surrogate (RFC 8259 section 7). Half a pair is U+FFFD. */
static size_t unicode_take(struct slice text, size_t *i, char out[4])
{
	int code = hex_at(text, *i + 2, 4), low;

	if (code < 0) return out[0] = text.ptr[(*i)++], 1;
	*i += 6;
	if (code < 0xd800 || code > 0xdfff) return utf8_put(out, (unsigned)code);
	low = *i + 6 <= text.len && text.ptr[*i] == '\\' && text.ptr[*i + 1] == 'u' ? hex_at(text, *i + 2, 4) : -1;
	if (code > 0xdbff || low < 0xdc00 || low > 0xdfff) return utf8_put(out, 0xfffd);
	*i += 6;
	return utf8_put(out, 0x10000u + (((unsigned)code & 0x3ff) << 10) + ((unsigned)low & 0x3ff));
}

/* The bytes that the text has at *i; moves *i on. Returns how many. */
static size_t unit_take(enum escape escape, struct slice text, size_t *i, char out[4])
{
	static const char letters[] = "bfnrtv", values[] = "\b\f\n\r\t\v";
	char c = text.ptr[*i], next = *i + 1 < text.len ? text.ptr[*i + 1] : 0;
	bool backslash = c == '\\' && escape != ESCAPE_none && escape != ESCAPE_hash;
	const char *letter;
	int code;

	if (c == '#' && escape == ESCAPE_hash && (code = hex_at(text, *i + 1, 2)) >= 0) return *i += 3, out[0] = (char)code, 1;
	if (!backslash || !next) return (*i)++, out[0] = c, 1;
	if (next == 'x' && (code = hex_at(text, *i + 2, 2)) >= 0) return *i += 4, out[0] = (char)code, 1;
	if (next == 'u' && escape == ESCAPE_json) return unicode_take(text, i, out);
	if (next == '"' || next == '\\' || (next == '/' && escape == ESCAPE_json)) return *i += 2, out[0] = next, 1;
	if ((letter = strchr(letters, next))) return *i += 2, out[0] = values[letter - letters], 1;
	return (*i)++, out[0] = c, 1;
}

static size_t ours_put(char *out, char byte)
{
	unsigned char c = (unsigned char)byte;

	if (c < 0x20 || c == 0x7f) {
		out[0] = '\\', out[1] = 'x', out[2] = "0123456789abcdef"[c >> 4], out[3] = "0123456789abcdef"[c & 15];
		return 4;
	}
	out[0] = byte;
	if (c != '\\') return 1;
	out[1] = byte;
	return 2;
}

/* Byte by byte. At most LOG_STR_MAX bytes of content; what was longer says so, as in our own log. */
static struct slice text_convert(struct work *work, enum escape escape, struct slice text)
{
	size_t most = (text.len < LOG_STR_MAX ? text.len : LOG_STR_MAX) * 4 + LOG_DECIMAL_MAX + 2, len = 0, true_len = 0;
	char *out = scratch_room(work->scratch, most), unit[4];

	if (!out) return slice_make("", 0);
	for (size_t i = 0; i < text.len;) {
		size_t count = unit_take(escape, text, &i, unit);
		for (size_t k = 0; k < count && true_len + count <= LOG_STR_MAX; k++) len += ours_put(out + len, unit[k]);
		true_len += count;
	}
	if (true_len > LOG_STR_MAX) {
		memcpy(out + len, "\\~", 2);
		len = (size_t)(logval_put_decimal(out + len + 2, true_len) - out);
	}
	work->scratch->used -= most - len;
	return slice_make(out, len);
}

struct slice text_plain(struct work *work, struct slice text)
{
	if (text_none(text)) return slice_make("", 0);
	if (work->plain && text.len <= LOG_STR_MAX && !(work->escape == ESCAPE_hash && memchr(text.ptr, '#', text.len))) return text;
	return text_convert(work, work->escape, text);
}

struct slice text_word(struct work *work, struct slice text)
{
	struct slice word;
	char *out;

	if (text_none(text)) return slice_make("", 0);
	if (logval_take_WORD(text, &word)) return word;
	out = scratch_room(work->scratch, LOG_WORD_MAX);
	return out ? slice_make(out, (size_t)(logval_put_WORD(out, text) - out)) : slice_make("", 0);
}

struct slice text_url(struct work *work, struct slice text)
{
	char *out;
	size_t len = 0;

	if (text_none(text)) return slice_make("", 0);
	if (!memchr(text.ptr, '%', text.len)) return text_plain(work, text);
	if (!(out = scratch_room(work->scratch, text.len))) return slice_make("", 0);
	for (size_t i = 0; i < text.len; i++) {
		int code = text.ptr[i] == '%' ? hex_at(text, i + 1, 2) : -1;
		out[len++] = code >= 0 ? (char)code : text.ptr[i];
		i += code >= 0 ? 2 : 0;
	}
	return text_convert(work, ESCAPE_none, slice_make(out, len));
}

struct slice text_host(struct work *work, struct slice text)
{
	struct slice host = text_plain(work, text);
	size_t upper = 0;
	char *out;

	if (host.len > 3 && memcmp(host.ptr + host.len - 3, ":80", 3) == 0) host.len -= 3;
	else if (host.len > 4 && memcmp(host.ptr + host.len - 4, ":443", 4) == 0) host.len -= 4;
	while (upper < host.len && !(host.ptr[upper] >= 'A' && host.ptr[upper] <= 'Z')) upper++;
	if (upper == host.len || !(out = scratch_room(work->scratch, host.len))) return host;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return slice_make(out, host.len);
}

/* ---- numbers ---- */

bool parse_number(struct slice text, uint64_t *ret_value)
{
	return logval_take_U64(text, ret_value);
}

bool parse_digits(const char *at, unsigned count, unsigned *ret_value)
{
	unsigned value = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned digit = (unsigned)(unsigned char)at[i] - '0';
		if (digit > 9) return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

/* JSON may have exponents. */
static bool parse_exponent(struct slice text, int64_t *ret_us)
{
	char copy[40], *end;
	double value;

	if (text.len >= sizeof(copy)) return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = 0;
	value = strtod(copy, &end) * 1e6;
	if (end != copy + text.len || !(value >= 0 && value < 9e18)) return false;
	*ret_us = (int64_t)(value + 0.5);
	return true;
}

bool parse_seconds(struct slice text, int64_t *ret_us)
{
	uint64_t us = 0;
	unsigned decimals = 0;
	bool point = false, digits = false;

	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
		if (text.ptr[i] == '.' && !point) {
			point = true;
			continue;
		}
		if ((text.ptr[i] | 32) == 'e' && digits && text.ptr[0] != '-') return parse_exponent(text, ret_us);
		if (digit > 9 || (!point && us > INT64_MAX / 10000000 - 10)) return false;
		digits = true;
		if (decimals < 6) us = us * 10 + digit;
		decimals += point;
	}
	for (; decimals < 6; decimals++) us *= 10;
	if (us > INT64_MAX) return false;
	*ret_us = (int64_t)us;
	return digits;
}
