/* A bounded text under construction in the caller's buffer: puts append, overflow sticks, one check at the end. */
#ifndef PROXYD_TEXT_OUT_H
#define PROXYD_TEXT_OUT_H

#include "../conf/slice.h"

struct text_out {
	char *ptr;
	size_t len, size;
	bool overflowed;               /* something did not fit: what was written before it is still there */
};

static inline struct text_out text_out_make(char *ptr, size_t size)
{
	return (struct text_out){ ptr, 0, size, false };
}

static inline void text_put(struct text_out *out, struct slice text)
{
	if (out->overflowed || text.len > out->size - out->len) {
		out->overflowed = true;
		return;
	}
	if (text.len > 0)
		memcpy(out->ptr + out->len, text.ptr, text.len);
	out->len += text.len;
}

static inline void text_put_char(struct text_out *out, char c)
{
	text_put(out, slice_make(&c, 1));
}

/* ASCII only, whatever the locale. */
static inline char text_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline void text_put_lower(struct text_out *out, struct slice text)
{
	size_t begin = out->len;

	text_put(out, text);
	for (size_t i = begin; i < out->len; i++)
		out->ptr[i] = text_lower(out->ptr[i]);
}

static inline void text_put_number(struct text_out *out, int64_t number)
{
	char digits[24];
	size_t at = sizeof digits;
	uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (number < 0)
		digits[--at] = '-';
	text_put(out, slice_make(digits + at, sizeof digits - at));
}

/* "text" in quotes, backslash and quote escaped: a quoted-string of RFC 9110 section 5.6.4. */
static inline void text_put_quoted(struct text_out *out, struct slice text)
{
	text_put_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			text_put_char(out, '\\');
		text_put_char(out, text.ptr[i]);
	}
	text_put_char(out, '"');
}

/* What was put since `from` (out->len of then). */
static inline struct slice text_since(const struct text_out *out, size_t from)
{
	return slice_make(out->ptr + from, out->len - from);
}

#endif
