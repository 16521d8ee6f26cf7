/* A certificate's names, dates and kind of key straight from its DER, so that a folder of ten thousand is indexed without
 * decoding ten thousand certificates. Reads what it needs and passes over the rest; whatever is not as RFC 5280 says is no
 * certificate. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "../conf/check.h"
#include "cert.h"

enum {
	DER_INTEGER = 0x02, DER_OCTETS = 0x04, DER_OID = 0x06, DER_UTC_TIME = 0x17, DER_TIME = 0x18, DER_SEQUENCE = 0x30,
	DER_VERSION = 0xa0, DER_EXTENSIONS = 0xa3, NAME_DNS = 0x82, NAME_ADDRESS = 0x87,
};

/* Takes the next element: its tag and its content. False: there is none that is whole (X.690 section 8.1, definite lengths). */
static bool der_take(struct slice *rest, unsigned *ret_tag, struct slice *ret_content)
{
	const unsigned char *at = (const unsigned char *)rest->ptr;
	size_t len, head = 2;

	if (rest->len < 2 || (at[0] & 0x1f) == 0x1f)
		return false;
	len = at[1];
	if (len & 0x80) {
		size_t bytes = len & 0x7f;
		if (bytes == 0 || bytes > 4 || rest->len < 2 + bytes)
			return false;
		len = 0;
		for (size_t i = 0; i < bytes; i++)
			len = len << 8 | at[2 + i];
		head += bytes;
	}
	if (len > rest->len - head)
		return false;
	*ret_tag = at[0];
	*ret_content = slice_make(rest->ptr + head, len);
	rest->ptr += head + len;
	rest->len -= head + len;
	return true;
}

static bool der_expect(struct slice *rest, unsigned tag, struct slice *ret_content)
{
	unsigned found;

	return der_take(rest, &found, ret_content) && found == tag;
}

static bool two_digits(const char *at, unsigned *ret)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return false;
	*ret = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
	return true;
}

/* Days since 1970 of a date of the Gregorian calendar (Howard Hinnant, chrono-compatible date algorithms). */
static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	unsigned of_era = (unsigned)(year - era * 400), of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;

	return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

/* YYMMDDHHMMSSZ until 2049, YYYYMMDDHHMMSSZ after it (RFC 5280 section 4.1.2.5). */
static bool der_time(struct slice *rest, int64_t *ret_s)
{
	struct slice text;
	unsigned tag, part[6], century = 0;

	if (!der_take(rest, &tag, &text) || (tag != DER_UTC_TIME && tag != DER_TIME) || text.len != (tag == DER_TIME ? 15 : 13))
		return false;
	if (tag == DER_TIME && !two_digits(text.ptr, &century))
		return false;
	text.ptr += tag == DER_TIME ? 2 : 0;
	for (size_t i = 0; i < 6; i++)
		if (!two_digits(text.ptr + 2 * i, &part[i]))
			return false;
	if (text.ptr[12] != 'Z' || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 || part[4] > 59 || part[5] > 60)
		return false;
	int64_t year = tag == DER_TIME ? century * 100 + part[0] : part[0] + (part[0] < 50 ? 2000 : 1900);
	*ret_s = ((days_from_civil(year, part[1], part[2]) * 24 + part[3]) * 60 + part[4]) * 60 + part[5];
	return true;
}

static bool key_kind(struct slice key, enum cert_kind *ret_kind)
{
	static const char rsa[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01", ec[] = "\x2a\x86\x48\xce\x3d\x02\x01";
	struct slice algorithm, oid;

	if (!der_expect(&key, DER_SEQUENCE, &algorithm) || !der_expect(&algorithm, DER_OID, &oid))
		return false;
	*ret_kind = slice_starts(oid, slice_make(rsa, 8)) ? CERT_rsa : slice_eq(oid, slice_make(ec, 7)) ? CERT_ecdsa : CERT_other;
	return true;
}

/* Finds subjectAltName, 2.5.29.17. */
static bool find_names(struct slice extensions, struct slice *ret_names)
{
	struct slice list, extension, oid, value;
	unsigned tag;

	if (!der_expect(&extensions, DER_SEQUENCE, &list))
		return false;
	while (list.len) {
		if (!der_expect(&list, DER_SEQUENCE, &extension) || !der_expect(&extension, DER_OID, &oid))
			return false;
		if (!slice_eq(oid, slice_make("\x55\x1d\x11", 3)))
			continue;
		while (der_take(&extension, &tag, &value))
			if (tag == DER_OCTETS)
				return der_expect(&value, DER_SEQUENCE, ret_names);
		return false;
	}
	return true;
}

bool cert_brief_read(struct slice der, struct cert_brief *ret)
{
	struct cert_brief brief = { .kind = CERT_other };
	struct slice whole, body, part;
	unsigned tag;

	if (!der_expect(&der, DER_SEQUENCE, &whole) || !der_expect(&whole, DER_SEQUENCE, &body))
		return false;
	if (body.len && (unsigned char)body.ptr[0] == DER_VERSION && !der_take(&body, &tag, &part))
		return false;
	if (!der_expect(&body, DER_INTEGER, &part) /* serial */ || !der_expect(&body, DER_SEQUENCE, &part) /* algorithm */
			|| !der_expect(&body, DER_SEQUENCE, &part) /* issuer */ || !der_expect(&body, DER_SEQUENCE, &part))
		return false;
	if (!der_time(&part, &brief.not_before_s) || !der_time(&part, &brief.not_after_s))
		return false;
	if (!der_expect(&body, DER_SEQUENCE, &part) /* subject */ || !der_expect(&body, DER_SEQUENCE, &part) || !key_kind(part, &brief.kind))
		return false;
	while (body.len) {
		if (!der_take(&body, &tag, &part) || (tag == DER_EXTENSIONS && !find_names(part, &brief.names)))
			return false;
	}
	*ret = brief;
	return true;
}

/* A name as a client may ask for it: letters, digits, '-', '_' and dots, or a first label that is a star. */
static bool host_copy(struct slice name, char buf[CERT_NAME_MAX + 1])
{
	if (name.len == 0 || name.len > CERT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool star = c == '*' && i == 0 && name.len > 2 && name.ptr[1] == '.';
		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (!star && !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && i > 0)))
			return false;
		buf[i] = c;
	}
	buf[name.len] = '\0';
	return true;
}

struct slice cert_brief_name(struct slice *names, char buf[CERT_NAME_MAX + 1])
{
	struct slice name;
	unsigned tag;

	while (der_take(names, &tag, &name)) {
		if (tag == NAME_DNS && host_copy(name, buf))
			return slice_make(buf, name.len);
		if (tag == NAME_ADDRESS && (name.len == 4 || name.len == 16)
				&& inet_ntop(name.len == 4 ? AF_INET : AF_INET6, name.ptr, buf, CERT_NAME_MAX + 1))
			return slice_str(buf);
	}
	names->len = 0;
	return slice_make(buf, 0);
}

char **cert_names_take(struct slice list, size_t *ret_count)
{
	char name[CERT_NAME_MAX + 1], **names = NULL;
	struct slice text;
	size_t count = 0;

	while (count < CERT_NAMES_MAX && (text = cert_brief_name(&list, name)).len) {
		names = must(realloc(names, (count + 1) * sizeof(*names)));
		names[count++] = must(strndup(text.ptr, text.len));
	}
	*ret_count = count;
	return names;
}

void cert_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static int base64_digit(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t cert_first_der(struct slice pem, unsigned char *buf, size_t size)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	const char *at = pem.len ? memmem(pem.ptr, pem.len, begin, sizeof(begin) - 1) : NULL, *end = pem.ptr + pem.len;
	unsigned bits = 0, held = 0;
	size_t len = 0;

	for (at = at ? at + sizeof(begin) - 1 : end; at < end && *at != '-' && *at != '='; at++) {
		int digit = base64_digit(*at);
		if (digit < 0 && *at != '\n' && *at != '\r' && *at != ' ')
			return 0;
		if (digit < 0)
			continue;
		bits = bits << 6 | (unsigned)digit;
		held += 6;
		if (held < 8)
			continue;
		if (len == size)
			return 0;
		held -= 8;
		buf[len++] = (unsigned char)(bits >> held);
	}
	return at < end ? len : 0;
}
