/* Times of other programs' logs. */
#include "format_internal.h"

/* Days since 1970 by the proleptic Gregorian calendar: years of 400 repeat, and a year begins in March. */
int64_t day_seconds(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2), era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;

	return (era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468) * 86400;
}

unsigned parse_month(const char *at)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (unsigned i = 0; i < 12; i++)
		if (memcmp(months + 3 * i, at, 3) == 0) return i + 1;
	return 0;
}

/* hh:mm:ss, as seconds; -1: none. A leap second is the one before it. */
static int64_t clock_seconds(const char *at)
{
	unsigned hour, minute, second;

	if (!parse_digits(at, 2, &hour) || at[2] != ':' || !parse_digits(at + 3, 2, &minute) || at[5] != ':' || !parse_digits(at + 6, 2, &second)
		|| hour > 23 || minute > 59 || second > 60)
		return -1;
	return (int64_t)hour * 3600 + (int64_t)minute * 60 + (second > 59 ? 59 : second);
}

static bool day_valid(unsigned year, unsigned month, unsigned day)
{
	return year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* 24/Nov/2026:17:07:02, in seconds since 1970. */
static bool clf_seconds(const char *at, int64_t *ret_seconds)
{
	unsigned day, year, month = parse_month(at + 3);
	int64_t clock = clock_seconds(at + 12);

	if (!parse_digits(at, 2, &day) || at[2] != '/' || at[6] != '/' || !parse_digits(at + 7, 4, &year) || at[11] != ':' || clock < 0
		|| !day_valid(year, month, day))
		return false;
	*ret_seconds = day_seconds(year, month, day) + clock;
	return true;
}

/* +0100 or +01:00 or Z, as seconds east of Greenwich. */
static bool zone_seconds(struct slice text, int64_t *ret_seconds)
{
	unsigned hour, minute;
	bool colon = text.len == 6;

	if (text.len == 1 && text.ptr[0] == 'Z') {
		*ret_seconds = 0;
		return true;
	}
	if ((text.len != 5 && !colon) || (text.ptr[0] != '+' && text.ptr[0] != '-') || (colon && text.ptr[3] != ':')
		|| !parse_digits(text.ptr + 1, 2, &hour) || !parse_digits(text.ptr + text.len - 2, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*ret_seconds = (int64_t)(hour * 3600 + minute * 60) * (text.ptr[0] == '-' ? -1 : 1);
	return true;
}

static bool set_us(uint64_t *ret_us, int64_t seconds)
{
	if (seconds < 0) return false;
	*ret_us = (uint64_t)seconds * 1000000;
	return true;
}

bool take_time_clf(struct work *work, struct slice text)
{
	struct format_scratch *scratch = work->scratch;
	int64_t seconds, zone;

	if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') text = slice_make(text.ptr + 1, text.len - 2);
	if (text.len != CLF_TIME_LEN) return false;
	/* Most lines are of the second of the line before. */
	if (memcmp(scratch->clf, text.ptr, CLF_TIME_LEN) == 0) {
		work->at_us = scratch->clf_us;
		return true;
	}
	if (text.ptr[20] != ' ' || !clf_seconds(text.ptr, &seconds) || !zone_seconds(slice_make(text.ptr + 21, 5), &zone)
		|| !set_us(&work->at_us, seconds - zone))
		return false;
	memcpy(scratch->clf, text.ptr, CLF_TIME_LEN);
	scratch->clf_us = work->at_us;
	return true;
}

/* Up to six digits behind a point; moves on. False: a point without a digit. */
static bool take_fraction(struct slice *text, uint64_t *ret_us)
{
	struct slice digits = { text->ptr, 1 };
	int64_t us;

	*ret_us = 0;
	if (!text->len || (text->ptr[0] != '.' && text->ptr[0] != ',')) return true;
	while (digits.len < text->len && text->ptr[digits.len] >= '0' && text->ptr[digits.len] <= '9') digits.len++;
	text->ptr += digits.len;
	text->len -= digits.len;
	digits.ptr++;
	digits.len--;
	if (digits.len > 6) digits.len = 6;
	if (!parse_seconds(digits, &us)) return false;
	us /= 1000000;
	for (size_t i = digits.len; i < 6; i++) us *= 10;
	*ret_us = (uint64_t)us;
	return true;
}

/* 2026-11-24T17:07:02.123+01:00; a blank for the T; no zone is UTC. */
bool take_time_iso(struct work *work, struct slice text)
{
	unsigned year, month, day;
	int64_t clock, zone = 0;
	const char *at = text.ptr;

	if (text.len < 19 || at[4] != '-' || at[7] != '-' || (at[10] != 'T' && at[10] != ' ') || !parse_digits(at, 4, &year)
		|| !parse_digits(at + 5, 2, &month) || !parse_digits(at + 8, 2, &day) || !day_valid(year, month, day) || (clock = clock_seconds(at + 11)) < 0)
		return false;
	text = slice_make(at + 19, text.len - 19);
	if (!take_fraction(&text, &work->fraction_us) || (text.len && !zone_seconds(text, &zone))) return false;
	return set_us(&work->at_us, day_seconds(year, month, day) + clock - zone);
}

bool take_time_seconds(struct work *work, struct slice text)
{
	int64_t us;

	if (text.len >= 19 && text.ptr[4] == '-') return take_time_iso(work, text);
	if (!parse_seconds(text, &us)) return false;
	work->at_us = (uint64_t)us;
	return true;
}

static bool scaled(struct slice text, uint64_t unit, uint64_t *ret_us)
{
	uint64_t value;

	if (!parse_number(text, &value) || value > INT64_MAX / unit) return false;
	*ret_us = value * unit;
	return true;
}

bool take_time_ms(struct work *work, struct slice text) { return scaled(text, 1000, &work->at_us); }
bool take_time_us(struct work *work, struct slice text) { return scaled(text, 1, &work->at_us); }
bool take_time_fraction_ms(struct work *work, struct slice text) { return scaled(text, 1000, &work->fraction_us) && work->fraction_us < 1000000; }
bool take_time_fraction_us(struct work *work, struct slice text) { return scaled(text, 1, &work->fraction_us) && work->fraction_us < 1000000; }

bool take_time_day(struct work *work, struct slice text)
{
	unsigned year, month, day;
	uint64_t us;

	if (text.len != 10 || text.ptr[4] != '-' || text.ptr[7] != '-' || !parse_digits(text.ptr, 4, &year) || !parse_digits(text.ptr + 5, 2, &month)
		|| !parse_digits(text.ptr + 8, 2, &day) || !day_valid(year, month, day) || !set_us(&us, day_seconds(year, month, day)))
		return false;
	work->at_us += us;
	return true;
}

bool take_time_clock(struct work *work, struct slice text)
{
	int64_t clock = text.len >= 8 ? clock_seconds(text.ptr) : -1;

	if (clock < 0) return false;
	text = slice_make(text.ptr + 8, text.len - 8);
	work->at_us += (uint64_t)clock * 1000000;
	return take_fraction(&text, &work->fraction_us) && text.len == 0;
}

/* 24/Nov/2026:17:07:02.123: no zone, so it is taken as UTC. */
bool take_time_haproxy(struct work *work, struct slice text)
{
	int64_t seconds;
	unsigned ms;

	if (text.len != 24 || text.ptr[20] != '.' || !parse_digits(text.ptr + 21, 3, &ms) || !clf_seconds(text.ptr, &seconds)) return false;
	work->fraction_us = ms * 1000;
	return set_us(&work->at_us, seconds);
}
