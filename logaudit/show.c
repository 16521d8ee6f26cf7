/* Showing. */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "show.h"

/* Marks that are not seen and turn the direction of what stands beside them, or break a line: a name could look like another. */
static bool is_invisible(uint32_t code)
{
	return (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff
		|| code == 0xad || (code >= 0xe0000 && code <= 0xe0fff);
}

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
		return code < forms[f].min || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || is_invisible(code) ? 0 : forms[f].len;
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

char *show_bytes(char out[SHOW_NUMBER_MAX], uint64_t n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)n;
	size_t unit = 0;

	/* 1,023.96 would be printed as 1024. */
	for (; value >= 1023.95 && unit + 1 < COUNT_OF(units); unit++) value /= 1024;
	if (unit == 0) snprintf(out, SHOW_NUMBER_MAX, "%.0f B", value);
	else snprintf(out, SHOW_NUMBER_MAX, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
	return out;
}

char *show_span(char out[SHOW_NUMBER_MAX], uint64_t us)
{
	uint64_t seconds = us / 1000000;
	double ms = (double)us / 1000, s = (double)us / 1e6;

	if (us < 1000) snprintf(out, SHOW_NUMBER_MAX, "%u us", (unsigned)us);
	else if (us < 999500) snprintf(out, SHOW_NUMBER_MAX, "%.*f ms", ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0, ms);
	else if (us < 99950000) snprintf(out, SHOW_NUMBER_MAX, "%.*f s", s < 9.995 ? 2 : 1, s);
	else if (seconds < 3600) snprintf(out, SHOW_NUMBER_MAX, "%u min %02u s", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
	else if (seconds < 86400) snprintf(out, SHOW_NUMBER_MAX, "%u h %02u min", (unsigned)(seconds / 3600), (unsigned)(seconds / 60 % 60));
	else snprintf(out, SHOW_NUMBER_MAX, "%" PRIu64 " d %02u h", seconds / 86400, (unsigned)(seconds / 3600 % 24));
	return out;
}

size_t show_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++) columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
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

/* ---- where a text for people goes ---- */

size_t show_width(int fd)
{
	struct winsize size = { 0 };
	const char *columns = getenv("COLUMNS");
	long width = ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;

	if (width <= 0 && columns) width = strtol(columns, NULL, 10);
	if (width <= 0) return PAPER_WIDTH;
	return width < PAPER_WIDTH_MIN ? PAPER_WIDTH_MIN : width > PAPER_WIDTH_MAX ? PAPER_WIDTH_MAX : (size_t)width;
}

bool show_color(int fd, enum color_when when)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when != COLOR_auto) return when == COLOR_always;
	return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(fd);
}

void show_paint(const struct paper *paper, enum paint paint)
{
	static const char *const codes[] = { "0", "1", "2", "1;32", "36", "1;33", "1;31" };

	if (paper->color) fprintf(paper->out, "\x1b[%sm", codes[paint]);
}

void show_painted(const struct paper *paper, enum paint paint, const char *text)
{
	show_paint(paper, paint);
	fputs(text, paper->out);
	show_paint(paper, PAINT_none);
}
