/* What is known of a client's certificate: for the log, for variables and for the origin. */
#include "tls_front.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "arena.h"

static struct slice name_text(struct arena *arena, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct slice text = { NULL, 0 };
	char *bytes = NULL;
	long len = 0;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
		len = BIO_get_mem_data(bio, &bytes);
	if (len > 0)
		text = arena_copy(arena, slice_make(bytes, (size_t)len));
	BIO_free(bio);
	return text;
}

static struct slice serial_text(struct arena *arena, const X509 *leaf)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	struct slice text = hex ? arena_copy(arena, slice_str(hex)) : (struct slice){ NULL, 0 };

	OPENSSL_free(hex);
	BN_free(number);
	return text;
}

/* SHA-1 in hexadecimal, as nginx has it: a name for the certificate, not a proof. */
static struct slice fingerprint_text(struct arena *arena, const X509 *leaf)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char text[2 * EVP_MAX_MD_SIZE + 1];
	unsigned len = 0;

	if (X509_digest(leaf, EVP_sha1(), hash, &len) != 1)
		return (struct slice){ NULL, 0 };
	for (unsigned i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return arena_copy(arena, slice_make(text, 2 * (size_t)len));
}

/* Base64 without line ends, between colons: a byte sequence of RFC 8941 section 3.3.5, as RFC 9440 wants it. */
static struct slice der_text(struct arena *arena, X509 *leaf)
{
	unsigned char *der = NULL;
	int len = i2d_X509(leaf, &der);
	char *text = len > 0 ? arena_alloc(arena, (size_t)len / 3 * 4 + 8) : NULL;
	struct slice value = { NULL, 0 };

	if (text) {
		text[0] = ':';
		int n = EVP_EncodeBlock((unsigned char *)text + 1, der, len);
		text[n + 1] = ':';
		value = slice_make(text, (size_t)n + 2);
	}
	OPENSSL_free(der);
	return value;
}

bool tls_peer_read(const struct tls *tls, struct arena *arena, struct tls_peer *ret)
{
	X509 *leaf;
	long result;

	*ret = (struct tls_peer){ .verify = SLICE("none") };
	if (SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE)
		return false;
	leaf = SSL_get0_peer_certificate(tls->ssl);
	if (!leaf)
		return true;
	result = SSL_get_verify_result(tls->ssl);
	ret->verify = result == X509_V_OK ? SLICE("good") : SLICE("bad");
	ret->error = result == X509_V_OK ? SLICE("") : slice_str(X509_verify_cert_error_string(result));
	ret->subject = name_text(arena, X509_get_subject_name(leaf));
	ret->issuer = name_text(arena, X509_get_issuer_name(leaf));
	ret->serial = serial_text(arena, leaf);
	ret->fingerprint = fingerprint_text(arena, leaf);
	ret->der = der_text(arena, leaf);
	ERR_clear_error();
	return true;
}
