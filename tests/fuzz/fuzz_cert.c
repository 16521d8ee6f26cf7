/* Certificates in DER and PEM, and the name in a client's hello, by their own readers: whatever the bytes, an answer within
 * bounds; and what OpenSSL reads too has the same names and dates. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "../../conf/check.h"
#include "../../proxyd/cert.h"
#include "../../proxyd/tls_front.h"
#include "../../proxyd/tls_origins.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(struct slice name)
{
	CHECK(name.len <= CERT_NAME_MAX && name.ptr[name.len] == '\0');
	for (size_t i = 0; i < name.len; i++)
		CHECK((unsigned char)name.ptr[i] > ' ' && (unsigned char)name.ptr[i] < 0x7f && !(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z'));
}

static bool openssl_has(const GENERAL_NAMES *names, struct slice name)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
		if (one->type == GEN_IPADD)
			return true;
		if (one->type == GEN_DNS && slice_eq_nocase(slice_make((const char *)ASN1_STRING_get0_data(one->d.dNSName),
				(size_t)ASN1_STRING_length(one->d.dNSName)), name))
			return true;
	}
	return false;
}

/* What an origin shows is told in words. */
static void tell(X509 *cert)
{
	static const int errors[] = { X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT };
	X509_STORE_CTX *store = must(X509_STORE_CTX_new());
	char out[TLS_REASON_MAX];

	X509_STORE_CTX_set_current_cert(store, cert);
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		X509_STORE_CTX_set_error(store, errors[i]);
		tls_verify_reason(store, out);
		CHECK(strnlen(out, TLS_REASON_MAX) > 0 && strnlen(out, TLS_REASON_MAX) < TLS_REASON_MAX);
	}
	X509_STORE_CTX_free(store);
}

static void compare(const uint8_t *data, size_t size, const struct cert_brief *brief)
{
	X509 *cert = d2i_X509(NULL, &data, (long)size);
	GENERAL_NAMES *known = cert ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
	struct slice names = brief->names, name;
	char buf[CERT_NAME_MAX + 1];
	struct tm tm;

	while (known && (name = cert_brief_name(&names, buf)).len)
		CHECK(openssl_has(known, name));
	if (cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
		CHECK(timegm(&tm) == brief->not_after_s || tm.tm_sec == 60);
	GENERAL_NAMES_free(known);
	if (cert)
		tell(cert);
	X509_free(cert);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_make((const char *)data, size), names, name;
	static unsigned char der[8192];
	char buf[CERT_NAME_MAX + 1], sni[TLS_NAME_MAX + 1];
	struct cert_brief brief;
	size_t len = cert_first_der(text, der, sizeof(der));

	CHECK(len <= sizeof(der));
	if (tls_parse_name(text, sni))
		CHECK(strlen(sni) > 0 && strlen(sni) <= TLS_NAME_MAX);
	if (!cert_brief_read(text, &brief))
		return 0;
	compare(data, size, &brief);
	for (names = brief.names; (name = cert_brief_name(&names, buf)).len; )
		check_name(name);
	return 0;
}
