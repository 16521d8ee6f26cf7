/* Moments. */
#include <time.h>

#include "../conf/conf.h"
#include "moment.h"

/* Takes exactly so many digits, and the byte `after` when it is not 0. */
static bool take_number(struct slice *text, size_t digits, char after, int *ret)
{
	int n = 0;

	if (text->len < digits + (after != 0) || (after && text->ptr[digits] != after)) return false;
	for (size_t i = 0; i < digits; i++) {
		if (text->ptr[i] < '0' || text->ptr[i] > '9') return false;
		n = n * 10 + (text->ptr[i] - '0');
	}
	text->ptr += digits + (after != 0);
	text->len -= digits + (after != 0);
	*ret = n;
	return true;
}

static bool take_date(struct slice *text, struct tm *tm)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap;

	if (!take_number(text, 4, '-', &tm->tm_year) || !take_number(text, 2, '-', &tm->tm_mon) || !take_number(text, 2, 0, &tm->tm_mday)) return false;
	leap = tm->tm_year % 4 == 0 && (tm->tm_year % 100 != 0 || tm->tm_year % 400 == 0);
	if (tm->tm_year < 1970 || tm->tm_mon < 1 || tm->tm_mon > 12) return false;
	if (tm->tm_mday < 1 || tm->tm_mday > days[tm->tm_mon - 1] + (leap && tm->tm_mon == 2)) return false;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return true;
}

/* Digits behind the point, as microseconds; more than six are dropped. */
static bool take_fraction(struct slice *text, int64_t *ret_us)
{
	int64_t unit = 100000;
	size_t i = 1;

	for (; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++, unit /= 10) *ret_us += (text->ptr[i] - '0') * unit;
	text->ptr += i;
	text->len -= i;
	return i > 1;
}

static bool take_zone(struct slice *text, int64_t *ret_seconds)
{
	int hours, minutes, sign;

	if (text->len == 1 && (*text->ptr == 'Z' || *text->ptr == 'z')) {
		text->len = 0;
		return true;
	}
	if (!text->len) return true;
	sign = *text->ptr == '-' ? -1 : 1;
	if (*text->ptr != '+' && *text->ptr != '-') return false;
	text->ptr++;
	text->len--;
	if (!take_number(text, 2, ':', &hours) || !take_number(text, 2, 0, &minutes) || hours > 23 || minutes > 59) return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool take_clock(struct slice *text, struct tm *tm, int64_t *ret_us, int64_t *ret_zone)
{
	if (*text->ptr != 'T' && *text->ptr != 't' && *text->ptr != ' ') return false;
	text->ptr++;
	text->len--;
	if (!take_number(text, 2, ':', &tm->tm_hour) || !take_number(text, 2, 0, &tm->tm_min)) return false;
	if (text->len && *text->ptr == ':') {
		text->ptr++;
		text->len--;
		if (!take_number(text, 2, 0, &tm->tm_sec)) return false;
		if (text->len && *text->ptr == '.' && !take_fraction(text, ret_us)) return false;
	}
	/* 60: a leap second (RFC 3339 section 5.6). */
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec <= 60 && take_zone(text, ret_zone);
}

bool moment_parse(struct slice text, uint64_t now_us, uint64_t *ret_us)
{
	struct tm tm = { 0 };
	int64_t us = 0, zone = 0, seconds;
	uint64_t before;

	if (slice_eq(text, SLICE("now"))) {
		*ret_us = now_us;
		return true;
	}
	if (text.len && text.ptr[0] == '-') {
		if (!conf_parse_time(slice_make(text.ptr + 1, text.len - 1), &before)) return false;
		*ret_us = before < now_us ? now_us - before : 0;
		return true;
	}
	if (!take_date(&text, &tm)) return false;
	if (text.len && !take_clock(&text, &tm, &us, &zone)) return false;
	seconds = (int64_t)timegm(&tm) - zone;
	if (text.len || seconds < 0) return false;
	*ret_us = (uint64_t)(seconds * 1000000 + us);
	return true;
}
