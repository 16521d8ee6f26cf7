/* HAProxy: its line within what syslog put before it. */
#include "format_internal.h"

/* " [24/Nov/2026:17:07:02.123] " at `at`, the blank before the bracket. */
static bool is_time(struct slice text, size_t at)
{
	static const char shape[] = " [dd/aaa/dddd:dd:dd:dd.ddd] ";

	if (text.len - at < sizeof(shape) - 1) return false;
	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		char c = text.ptr[at + i];
		if (shape[i] == 'd' ? c < '0' || c > '9' : shape[i] == 'a' ? !((c | 32) >= 'a' && (c | 32) <= 'z') : c != shape[i]) return false;
	}
	return true;
}

/* The client's address and port stand before the first time of HAProxy's own shape. */
size_t haproxy_start(struct slice text)
{
	for (size_t at = 0; at < text.len; at++) {
		const char *blank = memchr(text.ptr + at, ' ', text.len - at);
		if (!blank) break;
		at = (size_t)(blank - text.ptr);
		if (!is_time(text, at)) continue;
		while (at && text.ptr[at - 1] != ' ') at--;
		return at;
	}
	return text.len;
}
