/* HTTP dates (RFC 9110 section 5.6.7): read in the three forms there are, written in the one that is allowed. */
#include "http_cache.h"

enum { SECOND_US = 1000000, DAY_S = 86400 };

static const struct slice days_long[7] = { { "Sunday", 6 }, { "Monday", 6 }, { "Tuesday", 7 }, { "Wednesday", 9 },
	{ "Thursday", 8 }, { "Friday", 6 }, { "Saturday", 8 } };
static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct date_parts { int year, month /* 1-12 */, day, hour, minute, second; bool two_digits; };

/* Days since 1970-01-01 of a date in the Gregorian calendar. Years begin in March here, so that the leap day is the last
 * of its year; an era has 400 years and 146097 days. */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t since_1970, int64_t *ret_year, int *ret_month, int *ret_day)
{
	int64_t z = since_1970 + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;

	*ret_day = (int)(of_year - (153 * m + 2) / 5 + 1);
	*ret_month = (int)(m < 10 ? m + 3 : m - 9);
	*ret_year = year + era * 400 + (*ret_month <= 2);
}

static bool take_digits(struct slice *text, size_t count, int *ret_number)
{
	int number = 0;

	if (text->len < count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (text->ptr[i] < '0' || text->ptr[i] > '9')
			return false;
		number = number * 10 + text->ptr[i] - '0';
	}
	*text = slice_make(text->ptr + count, text->len - count);
	*ret_number = number;
	return true;
}

static bool take_text(struct slice *text, struct slice expected)
{
	if (text->len < expected.len || !slice_eq_nocase(slice_make(text->ptr, expected.len), expected))
		return false;
	*text = slice_make(text->ptr + expected.len, text->len - expected.len);
	return true;
}

/* One of three-letter names written one after the other; its number from 1. */
static bool take_name(struct slice *text, const char *names, int *ret_number)
{
	for (int i = 0; names[3 * i]; i++)
		if (take_text(text, slice_make(names + 3 * i, 3))) {
			*ret_number = i + 1;
			return true;
		}
	return false;
}

static bool take_time(struct slice *text, struct date_parts *parts)
{
	return take_digits(text, 2, &parts->hour) && take_text(text, SLICE(":")) && take_digits(text, 2, &parts->minute)
		&& take_text(text, SLICE(":")) && take_digits(text, 2, &parts->second);
}

/* One letter of a form: w Sun, W Sunday, d 06, _ day of asctime (two digits, or a space and one), m Nov, Y 1994, y 94,
 * t 08:49:37; anything else is itself. Case does not matter: a cache is to be lenient there (RFC 9111 section 4.2). */
static bool take_part(struct slice *text, char part, struct date_parts *parts)
{
	int ignored;

	switch (part) {
	case 'w': return take_name(text, days, &ignored);
	case 'W':
		for (size_t i = 0; i < COUNT_OF(days_long); i++)
			if (take_text(text, days_long[i]))
				return true;
		return false;
	case 'd': return take_digits(text, 2, &parts->day);
	case '_': return take_text(text, SLICE(" ")) ? take_digits(text, 1, &parts->day) : take_digits(text, 2, &parts->day);
	case 'm': return take_name(text, months, &parts->month);
	case 'Y': return take_digits(text, 4, &parts->year);
	case 'y': return parts->two_digits = true, take_digits(text, 2, &parts->year);
	case 't': return take_time(text, parts);
	}
	return take_text(text, slice_make(&part, 1));
}

static bool take_form(struct slice text, const char *form, struct date_parts *ret_parts)
{
	struct date_parts parts = { 0 };

	for (; *form; form++)
		if (!take_part(&text, *form, &parts))
			return false;
	*ret_parts = parts;
	return text.len == 0;
}

static bool parts_valid(const struct date_parts *p)
{
	static const signed char month_days[12] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = p->year % 4 == 0 && (p->year % 100 != 0 || p->year % 400 == 0);

	if (p->day < 1 || p->day > month_days[p->month - 1] || (p->month == 2 && p->day == 29 && !leap))
		return false;
	return p->hour <= 23 && p->minute <= 59 && p->second <= 60;   /* 60: a leap second is in the grammar */
}

/* Our clock has no leap seconds: 60 is the nearest time before it (RFC 9111 section 4.2). */
static int64_t parts_time(const struct date_parts *p, int64_t year)
{
	int second = p->second == 60 ? 59 : p->second;

	return (days_from_date(year, p->month, p->day) * DAY_S + p->hour * 3600 + p->minute * 60 + second) * SECOND_US;
}

/* A two-digit year: the latest year that ends in it and is not more than 50 years ahead of now (RFC 9110 section 5.6.7). */
static int year_complete(const struct date_parts *p, int64_t now_us)
{
	int64_t now_year;
	int month, day, year;

	date_from_days(now_us / ((int64_t)DAY_S * SECOND_US), &now_year, &month, &day);
	year = (int)(now_year - now_year % 100) + 100 + p->year;
	while (year > 100 && parts_time(p, year - 50) > now_us)
		year -= 100;
	return year;
}

int64_t http_parse_date(struct slice text, int64_t now_us)
{
	static const char *const forms[] = { "w, d m Y t GMT", "W, d-m-y t GMT", "w m _ t Y" };
	struct date_parts parts;

	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		if (!take_form(text, forms[i], &parts))
			continue;
		if (parts.two_digits)
			parts.year = year_complete(&parts, now_us);
		return parts_valid(&parts) ? parts_time(&parts, parts.year) : -1;
	}
	return -1;
}

static void put_two(char *out, int64_t number)
{
	out[0] = (char)('0' + number / 10);
	out[1] = (char)('0' + number % 10);
}

void http_format_date(int64_t time_us, char out[HTTP_DATE_LEN])
{
	const int64_t first_s = days_from_date(0, 1, 1) * DAY_S, last_s = days_from_date(10000, 1, 1) * DAY_S - 1;
	int64_t seconds = time_us / SECOND_US - (time_us % SECOND_US < 0), day_count, of_day, year;
	int month, day;

	seconds = seconds < first_s ? first_s : seconds > last_s ? last_s : seconds;   /* the form has four digits */
	of_day = ((seconds % DAY_S) + DAY_S) % DAY_S;
	day_count = (seconds - of_day) / DAY_S;
	date_from_days(day_count, &year, &month, &day);

	memcpy(out, "Www, dd Mmm yyyy hh:mm:ss GMT", HTTP_DATE_LEN);
	memcpy(out, days + 3 * (((day_count + 4) % 7 + 7) % 7), 3);   /* 1970-01-01 was a Thursday */
	put_two(out + 5, day);
	memcpy(out + 8, months + 3 * (month - 1), 3);
	put_two(out + 12, year / 100);
	put_two(out + 14, year % 100);
	put_two(out + 17, of_day / 3600);
	put_two(out + 20, of_day / 60 % 60);
	put_two(out + 23, of_day % 60);
}
