/* Showing. */
#include <inttypes.h>
#include <time.h>

#include "show.h"

/* The length of the UTF-8 character at `at`, 0 when it is none or not one to print (RFC 3629; C1 controls are not). */
static size_t char_len(const unsigned char *at, size_t left)
{
	static const struct { unsigned char lo, hi, len; uint32_t min; } forms[] = {
		{ 0xc2, 0xdf, 2, 0xa0 }, { 0xe0, 0xef, 3, 0x800 }, { 0xf0, 0xf4, 4, 0x10000 } };

	if (at[0] >= 0x20 && at[0] < 0x7f) return 1;
	for (size_t f = 0; f < COUNT_OF(forms); f++) {
		uint32_t code;
		if (at[0] < forms[f].lo || at[0] > forms[f].hi || left < forms[f].len) continue;
		code = at[0] & (0x7fu >> forms[f].len);
		for (size_t i = 1; i < forms[f].len; i++) {
			if ((at[i] & 0xc0) != 0x80) return 0;
			code = code << 6 | (at[i] & 0x3fu);
		}
		return code < forms[f].min || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : forms[f].len;
	}
	return 0;
}

char *show_text(char out[SHOW_TEXT_MAX], struct slice text, size_t width)
{
	size_t len = 0, i = 0, columns = 0, cut_at = 0;

	while (i < text.len && len + 8 < SHOW_TEXT_MAX) {
		size_t n = char_len((const unsigned char *)text.ptr + i, text.len - i);
		size_t wide = n ? 1 : 4;
		if (width && columns + wide > width) {
			memcpy(out + cut_at, "...", 4);
			return out;
		}
		if (n) memcpy(out + len, text.ptr + i, n);
		else snprintf(out + len, 5, "\\x%02x", (unsigned char)text.ptr[i]);
		len += n ? n : 4;
		i += n ? n : 1;
		columns += wide;
		if (columns + 3 <= width) cut_at = len;
	}
	out[len] = 0;
	return out;
}

char *show_count(char out[SHOW_NUMBER_MAX], uint64_t n)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0) out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = 0;
	return out;
}

char *show_ratio(char out[SHOW_NUMBER_MAX], uint64_t part, uint64_t whole)
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (!whole) snprintf(out, SHOW_NUMBER_MAX, "-");
	else if (part && percent < 0.01) snprintf(out, SHOW_NUMBER_MAX, "<0.01 %%");
	else if (part < whole && percent > 99.99) snprintf(out, SHOW_NUMBER_MAX, ">99.99 %%");
	else snprintf(out, SHOW_NUMBER_MAX, "%.2f %%", percent);
	return out;
}

char *show_time(char out[SHOW_TIME_MAX], uint64_t t_us)
{
	time_t seconds = (time_t)(t_us / 1000000);
	struct tm tm;
	size_t len;

	/* A year that no calendar knows: a hostile line. */
	if (t_us / 1000000 > UINT64_C(253402300799) || !gmtime_r(&seconds, &tm)) {
		snprintf(out, SHOW_TIME_MAX, "%" PRIu64 " us", t_us);
		return out;
	}
	len = strftime(out, SHOW_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + len, SHOW_TIME_MAX - len, ".%03u", (unsigned)(t_us / 1000 % 1000));
	return out;
}

void show_wrapped(FILE *out, const char *first, size_t indent, size_t width, const char *text)
{
	fputs(first, out);
	while (*text) {
		size_t len = strlen(text), used;
		if (len > width - indent) {
			for (len = width - indent; len && text[len] != ' '; len--);
			if (!len) len = strcspn(text, " ");
		}
		fprintf(out, "%.*s\n", (int)len, text);
		used = len + strspn(text + len, " ");
		text += used;
		if (*text) fprintf(out, "%*s", (int)indent, "");
	}
}
