/* "8m" -> bytes, "30s" -> microseconds, and back; pure. */
#include <inttypes.h>

#include "internal.h"

/* Takes the digits at the beginning of *text. False when there are none, or too many for 64 bits. */
static bool take_digits(struct slice *text, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++) {
		uint64_t digit = (uint64_t)(text->ptr[i] - '0');
		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (i == 0)
		return false;
	text->ptr += i;
	text->len -= i;
	*ret = n;
	return true;
}

bool conf_parse_count(struct slice text, uint64_t *ret_count)
{
	uint64_t n;

	if (!take_digits(&text, &n) || text.len != 0)
		return false;
	*ret_count = n;
	return true;
}

static const struct { char lower, upper; unsigned shift; } size_units[] = { { 'k', 'K', 10 }, { 'm', 'M', 20 }, { 'g', 'G', 30 }, { 't', 'T', 40 } };

bool conf_parse_size(struct slice text, uint64_t *ret_bytes)
{
	uint64_t n;

	if (!take_digits(&text, &n) || text.len > 1)
		return false;
	if (text.len == 0) {
		*ret_bytes = n;
		return true;
	}
	for (size_t i = 0; i < COUNT_OF(size_units); i++) {
		if (text.ptr[0] != size_units[i].lower && text.ptr[0] != size_units[i].upper)
			continue;
		if (n > UINT64_MAX >> size_units[i].shift)
			return false;
		*ret_bytes = n << size_units[i].shift;
		return true;
	}
	return false;
}

/* From large to small: "1h30m" is a time, "30m1h" is not. As in nginx, M is a month of 30 days. */
static const struct { struct slice name; uint64_t us; } time_units[] = {
	{ { "y", 1 }, 365ull * 86400 * 1000000 }, { { "M", 1 }, 30ull * 86400 * 1000000 }, { { "w", 1 }, 7ull * 86400 * 1000000 },
	{ { "d", 1 }, 86400ull * 1000000 }, { { "h", 1 }, 3600ull * 1000000 }, { { "m", 1 }, 60ull * 1000000 },
	{ { "s", 1 }, 1000000 }, { { "ms", 2 }, 1000 }, { { "us", 2 }, 1 },
};
enum { TIME_SECONDS = 6 };

/* Takes one unit, not before `least`; a number without one, at the end, is seconds. */
static bool take_time_unit(struct slice *text, size_t least, size_t *ret_unit)
{
	size_t letters = 0;

	while (letters < text->len && (text->ptr[letters] < '0' || text->ptr[letters] > '9'))
		letters++;
	if (letters == 0) {
		*ret_unit = TIME_SECONDS;
		return least <= TIME_SECONDS;
	}
	for (size_t i = least; i < COUNT_OF(time_units); i++) {
		if (!slice_eq(time_units[i].name, slice_make(text->ptr, letters)))
			continue;
		text->ptr += letters;
		text->len -= letters;
		*ret_unit = i;
		return true;
	}
	return false;
}

bool conf_parse_time(struct slice text, uint64_t *ret_us)
{
	uint64_t sum = 0, n;
	size_t unit = 0;

	if (text.len == 0)
		return false;
	for (size_t least = 0; text.len > 0; least = unit + 1) {
		if (!take_digits(&text, &n) || !take_time_unit(&text, least, &unit))
			return false;
		if (n > (UINT64_MAX - sum) / time_units[unit].us)
			return false;
		sum += n * time_units[unit].us;
	}
	*ret_us = sum;
	return true;
}

const char *size_text(uint64_t bytes, char out[VALUE_TEXT_MAX])
{
	for (size_t i = COUNT_OF(size_units); bytes > 0 && i-- > 0; ) {
		uint64_t unit = (uint64_t)1 << size_units[i].shift;
		if (bytes % unit == 0) {
			snprintf(out, VALUE_TEXT_MAX, "%" PRIu64 "%c", bytes / unit, size_units[i].lower);
			return out;
		}
	}
	snprintf(out, VALUE_TEXT_MAX, "%" PRIu64, bytes);
	return out;
}

const char *time_text(uint64_t us, char out[VALUE_TEXT_MAX])
{
	/* Days and below: months and weeks are for reading only. */
	for (size_t i = 3; us > 0 && i < COUNT_OF(time_units); i++)
		if (us % time_units[i].us == 0) {
			snprintf(out, VALUE_TEXT_MAX, "%" PRIu64 "%s", us / time_units[i].us, time_units[i].name.ptr);
			return out;
		}
	snprintf(out, VALUE_TEXT_MAX, "0");
	return out;
}

bool name_is_plain(struct slice name, size_t max)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
			return false;
	}
	return name.len > 0 && name.len <= max;
}
