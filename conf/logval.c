/* Values of a log line, per KIND: put and take side by side, and the scanner for free text. */
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "logval.h"

/* logval_put_row copies log_text and log_len with one fixed-size copy. */
_Static_assert(offsetof(struct enum_row, log_len) == offsetof(struct enum_row, log_text) + LOGVAL_SLACK - 1, "padding");

/* ---- numbers ---- */

static const char two_digits[201] =
	"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
	"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static unsigned decimal_len(uint64_t value)
{
	static const uint64_t power[LOG_DECIMAL_MAX] = {
		0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
		1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
		1000000000000000000, 10000000000000000000u };
	unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
	unsigned guess = bits * 1233 >> 12;      /* bits * log10(2): the length or one less */

	return guess + (value >= power[guess]);
}

char *logval_put_decimal(char *out, uint64_t value)
{
	unsigned len = decimal_len(value | (value == 0));
	char *at = out + len;

	while (value >= 100) {
		memcpy(at -= 2, two_digits + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) memcpy(at - 2, two_digits + value * 2, 2);
	else at[-1] = (char)('0' + value);
	return out + len;
}

bool logval_take_U64(struct slice text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text.len == 0 || text.len > LOG_DECIMAL_MAX) return false;
	if (text.len < LOG_DECIMAL_MAX) {
		for (size_t i = 0; i < text.len; i++) {
			unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
			if (digit > 9) return false;
			value = value * 10 + digit;
		}
		*ret_value = value;
		return true;
	}
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
		if (digit > 9) return false;
		/* Only the last of 20 digits can overflow. */
		if (i == LOG_DECIMAL_MAX - 1 && (value > UINT64_MAX / 10 || value * 10 > UINT64_MAX - digit)) return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

bool logval_take_I64(struct slice text, int64_t *ret_value)
{
	uint64_t value;

	if (text.len == 0) {
		*ret_value = -1;
		return true;
	}
	if (!logval_take_U64(text, &value) || value > INT64_MAX) return false;
	*ret_value = (int64_t)value;
	return true;
}

bool logval_take_BOOL(struct slice text, uint8_t *ret_value)
{
	if (text.len != 1 || (text.ptr[0] != '0' && text.ptr[0] != '1')) return false;
	*ret_value = (uint8_t)(text.ptr[0] - '0');
	return true;
}

char *logval_put_HEX64(char *out, uint64_t value)
{
	if (value == 0) return out;
	for (int i = 0; i < 16; i++)
		out[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	return out + 16;
}

/* Value of each byte as a hexadecimal digit, plus HEX_NO for those that are none. */
enum { HEX_NO = 16 };
#define H1(c) ((c) >= '0' && (c) <= '9' ? (c) - '0' : (c) >= 'a' && (c) <= 'f' ? (c) - 'a' + 10 : (c) >= 'A' && (c) <= 'F' ? (c) - 'A' + 10 : HEX_NO)
#define H4(c) H1(c), H1((c) + 1), H1((c) + 2), H1((c) + 3)
#define H16(c) H4(c), H4((c) + 4), H4((c) + 8), H4((c) + 12)
#define H64(c) H16(c), H16((c) + 16), H16((c) + 32), H16((c) + 48)
static const unsigned char hex_value[256] = { H64(0), H64(64), H64(128), H64(192) };

static unsigned hex_digit(char c)
{
	return hex_value[(unsigned char)c];
}

bool logval_take_HEX64(struct slice text, uint64_t *ret_value)
{
	uint64_t value = 0;
	unsigned seen = 0;

	if (text.len == 0) {
		*ret_value = 0;
		return true;
	}
	if (text.len != 16) return false;
	for (size_t i = 0; i < 16; i++) {
		unsigned digit = hex_digit(text.ptr[i]);
		seen |= digit;
		value = value << 4 | (digit & 15);
	}
	if (seen & HEX_NO) return false;
	*ret_value = value;
	return true;
}

/* ---- words ---- */

/* What stands in a WORD for each byte: the byte itself, or '_' for those that are not of a word. */
#define W1(c) (((c) >= '0' && (c) <= '9') || ((c) >= 'A' && (c) <= 'Z') || ((c) >= 'a' && (c) <= 'z') || (c) == '.' || \
	(c) == ':' || (c) == '/' || (c) == '+' || (c) == '-' || (c) == '[' || (c) == ']' || (c) == '%' || (c) == '@' ? (c) : '_')
#define W4(c) W1(c), W1((c) + 1), W1((c) + 2), W1((c) + 3)
#define W16(c) W4(c), W4((c) + 4), W4((c) + 8), W4((c) + 12)
#define W64(c) W16(c), W16((c) + 16), W16((c) + 32), W16((c) + 48)
static const unsigned char word_byte[256] = { W64(0), W64(64), W64(128), W64(192) };

char *logval_put_WORD(char *out, struct slice value)
{
	size_t len = value.len < LOG_WORD_MAX ? value.len : LOG_WORD_MAX;

	for (size_t i = 0; i < len; i++)
		out[i] = (char)word_byte[(unsigned char)value.ptr[i]];
	return out + len;
}

bool logval_take_WORD(struct slice text, struct slice *ret_value)
{
	if (text.len > LOG_WORD_MAX) return false;
	for (size_t i = 0; i < text.len; i++)
		if (word_byte[(unsigned char)text.ptr[i]] != (unsigned char)text.ptr[i]) return false;
	*ret_value = text;
	return true;
}

/* ---- free text ---- */

/* What a text contains: bits. CONTROL: bytes that must be escaped (and that no line may hold raw). */
enum { HAS_CONTROL = 1, HAS_BACKSLASH = 2, HAS_QUOTE = 4, HAS_COMMA = 8 };

static unsigned byte_class(unsigned char c)
{
	return c < 0x20 || c == 0x7f ? HAS_CONTROL : c == '\\' ? HAS_BACKSLASH : c == '"' ? HAS_QUOTE : c == ',' ? HAS_COMMA : 0;
}

/* Copies `text` to `out` (NULL: no copy) and tells what it contains, 16 bytes at a time. */
static inline unsigned text_scan(struct slice text, char *out)
{
	unsigned seen = 0;
	size_t i = 0;

#ifdef __SSE2__
	__m128i control = _mm_setzero_si128(), backslash = control, quote = control, comma = control;
	for (; i + 16 <= text.len; i += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(const void *)(text.ptr + i));
		/* x <= 0x1f, unsigned: the smaller of both is x itself. */
		control = _mm_or_si128(control, _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(0x1f)), x));
		control = _mm_or_si128(control, _mm_cmpeq_epi8(x, _mm_set1_epi8(0x7f)));
		backslash = _mm_or_si128(backslash, _mm_cmpeq_epi8(x, _mm_set1_epi8('\\')));
		quote = _mm_or_si128(quote, _mm_cmpeq_epi8(x, _mm_set1_epi8('"')));
		comma = _mm_or_si128(comma, _mm_cmpeq_epi8(x, _mm_set1_epi8(',')));
		if (out) _mm_storeu_si128((__m128i *)(void *)(out + i), x);
	}
	seen |= _mm_movemask_epi8(control) ? HAS_CONTROL : 0;
	seen |= _mm_movemask_epi8(backslash) ? HAS_BACKSLASH : 0;
	seen |= _mm_movemask_epi8(quote) ? HAS_QUOTE : 0;
	seen |= _mm_movemask_epi8(comma) ? HAS_COMMA : 0;
#endif
	for (; i < text.len; i++) {
		seen |= byte_class((unsigned char)text.ptr[i]);
		if (out) out[i] = text.ptr[i];
	}
	return seen;
}

/* The slow way: byte by byte, with escapes and doubled quotes. */
static char *put_escaped(char *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		unsigned class = byte_class(c);
		if (class & HAS_CONTROL) {
			memcpy(out, "\\x", 2);
			out[2] = "0123456789abcdef"[c >> 4];
			out[3] = "0123456789abcdef"[c & 15];
			out += 4;
			continue;
		}
		if (class & (HAS_BACKSLASH | HAS_QUOTE)) *out++ = (char)c;
		*out++ = (char)c;
	}
	return out;
}

/* At most LOG_STR_MAX bytes of a text, not in the middle of a UTF-8 character. */
static struct slice text_cut(struct slice text)
{
	size_t len = LOG_STR_MAX;

	while (len > LOG_STR_MAX - 4 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80) len--;
	return slice_make(text.ptr, len);
}

char *logval_put_STR(char *out, struct slice value)
{
	struct slice text = value.len > LOG_STR_MAX ? text_cut(value) : value;
	unsigned seen;
	bool quoted;

	if (text.len == 0) return out;
	seen = text_scan(text, out);
	/* libcsv, as most readers, drops blanks at both ends of a field that is not quoted. */
	quoted = seen & (HAS_QUOTE | HAS_COMMA) || text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ';
	if (!quoted && seen == 0 && text.len == value.len) return out + text.len;

	if (quoted) *out++ = '"';
	if (seen & ~(unsigned)HAS_COMMA) {
		out = put_escaped(out, text);
	} else {
		memcpy(out, text.ptr, text.len);
		out += text.len;
	}
	if (text.len != value.len) {
		memcpy(out, "\\~", 2);
		out = logval_put_decimal(out + 2, value.len);
	}
	if (quoted) *out++ = '"';
	return out;
}

bool logval_take_STR(struct slice text, struct slice *ret_value)
{
	if (text_scan(text, NULL) & HAS_CONTROL) return false;
	*ret_value = text;
	return true;
}

size_t logval_unescape(struct slice text, char *out, uint64_t *ret_true_len)
{
	size_t len = 0, i = 0;
	uint64_t true_len = 0;
	bool cut = false;

	while (i < text.len && !cut) {
		const char *at = text.ptr + i;
		size_t left = text.len - i;
		if (at[0] == '\\' && left >= 2 && at[1] == '\\') {
			out[len++] = '\\';
			i += 2;
		} else if (at[0] == '\\' && left >= 4 && at[1] == 'x' && (hex_digit(at[2]) | hex_digit(at[3])) < 16) {
			out[len++] = (char)(hex_digit(at[2]) << 4 | hex_digit(at[3]));
			i += 4;
		} else if (at[0] == '\\' && left >= 3 && at[1] == '~' && logval_take_U64(slice_make(at + 2, left - 2), &true_len)) {
			cut = true;
		} else {
			out[len++] = at[0];
			i++;
		}
	}
	*ret_true_len = cut ? true_len : len;
	return len;
}

/* ---- enumerations ---- */

static bool take_row(const struct enum_row *rows, int count, struct slice text, uint8_t *ret_value)
{
	for (int i = 0; i < count; i++) {
		if (rows[i].log_len != text.len) continue;
		/* The first byte tells most apart. */
		if (text.len && (rows[i].log_text[0] != text.ptr[0] || memcmp(rows[i].log_text, text.ptr, text.len) != 0)) continue;
		*ret_value = (uint8_t)i;
		return true;
	}
	return false;
}

#define X(KIND, rows, count) \
bool logval_take_##KIND(struct slice text, uint8_t *ret_value) \
{ \
	return take_row(rows, count, text, ret_value); \
}
LOG_ENUM_KINDS(X)
#undef X
