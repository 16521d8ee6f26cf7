/* Byte classes of HTTP and URIs, and the scans built on them. Private to the http_*.c files. */
#ifndef PROXYD_HTTP_CLASS_H
#define PROXYD_HTTP_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* HTTP_SCALAR: build without SSE2, so that tests can compare the two. */
#if defined(__SSE2__) && !defined(HTTP_SCALAR)
#define HTTP_SSE2 1
#include <emmintrin.h>
#endif

enum {
	HTTP_TOKEN = 1,    /* tchar (RFC 9110 section 5.6.2) */
	HTTP_URI = 2,      /* reserved, unreserved and "%" without "#" (RFC 3986 section 2) */
	HTTP_VALUE = 4,    /* HTAB, SP, VCHAR, obs-text (RFC 9110 section 5.5): all but control bytes */
	HTTP_REGNAME = 8,  /* reg-name (RFC 3986 section 3.2.2) but for "%", which is checked apart, and "," */
	HTTP_DIGIT = 16,
	HTTP_HEX = 32,
	HTTP_BLANK = 64,   /* SP, HTAB */
	HTTP_QUOTED = 128  /* qdtext (RFC 9110 section 5.6.4): HTTP_VALUE without '"' and '\' */
};
extern const uint8_t http_class[256];

static inline bool http_is(char byte, unsigned classes)
{
	return (http_class[(unsigned char)byte] & classes) != 0;
}

static inline unsigned http_hex_value(char digit)
{
	return digit <= '9' ? (unsigned)(digit - '0') : (unsigned)((digit | 0x20) - 'a') + 10;
}

static inline const char *http_scan_class(const char *p, const char *end, unsigned classes)
{
	while (p < end && http_is(*p, classes)) p++;
	return p;
}

/* The first control byte (HTAB is none) of [p, end), or end: where a line ends or is broken. */
static inline const char *http_scan_control(const char *p, const char *end)
{
#ifdef HTTP_SSE2
	const __m128i low = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);

	for (; end - p >= 16; p += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i control = _mm_andnot_si128(_mm_cmpeq_epi8(x, tab), _mm_cmpeq_epi8(_mm_min_epu8(x, low), x));
		int hits = _mm_movemask_epi8(_mm_or_si128(control, _mm_cmpeq_epi8(x, del)));
		if (hits)
			return p + __builtin_ctz((unsigned)hits);
	}
#endif
	return http_scan_class(p, end, HTTP_VALUE);
}

#endif
