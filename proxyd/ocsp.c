/* OCSP requests made, answers read. */
#include "ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../conf/check.h"

enum { CLOCK_SKEW_S = 300, TLS_STATUS_REQUEST = 5 /* RFC 6066 section 8 */ };

/* ---- what a certificate says ---- */

static char *url_copy(const ASN1_IA5STRING *uri)
{
	const char *text = (const char *)ASN1_STRING_get0_data(uri);
	size_t len = (size_t)ASN1_STRING_length(uri);
	struct slice url = slice_make(text, len);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return NULL;
	return slice_starts(url, SLICE("http://")) && len < 2048 ? must(strndup(text, len)) : NULL;
}

char *ocsp_responder(X509 *leaf)
{
	AUTHORITY_INFO_ACCESS *list = X509_get_ext_d2i(leaf, NID_info_access, NULL, NULL);
	char *url = NULL;

	for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(list) && !url; i++) {
		const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(list, i);

		if (OBJ_obj2nid(one->method) == NID_ad_OCSP && one->location->type == GEN_URI)
			url = url_copy(one->location->d.uniformResourceIdentifier);
	}
	AUTHORITY_INFO_ACCESS_free(list);
	ERR_clear_error();
	return url;
}

static X509 *issuer_among(X509 *leaf, const STACK_OF(X509) *list)
{
	for (int i = 0; i < sk_X509_num(list); i++)
		if (X509_check_issued(sk_X509_value(list, i), leaf) == X509_V_OK)
			return sk_X509_value(list, i);
	return NULL;
}

X509 *ocsp_issuer(X509 *leaf, const STACK_OF(X509) *chain, const STACK_OF(X509) *others)
{
	X509 *issuer = issuer_among(leaf, chain);

	return issuer ? issuer : issuer_among(leaf, others);
}

bool ocsp_is_wanted(X509 *leaf)
{
	TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
	bool wanted = false;

	for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
		wanted |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLS_STATUS_REQUEST;
	TLS_FEATURE_free(features);
	ERR_clear_error();
	return wanted;
}

/* ---- the request ---- */

unsigned char *ocsp_request(X509 *leaf, X509 *issuer, size_t *ret_len)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();
	/* SHA-1 is what names certificates here (RFC 5019 section 2.1.1): nothing rests on its strength. */
	OCSP_CERTID *id = request ? OCSP_cert_to_id(EVP_sha1(), leaf, issuer) : NULL;
	unsigned char *der = NULL;
	int len = 0;

	if (id && OCSP_request_add0_id(request, id))
		len = i2d_OCSP_REQUEST(request, &der);
	else
		OCSP_CERTID_free(id);
	OCSP_REQUEST_free(request);
	ERR_clear_error();
	*ret_len = len > 0 ? (size_t)len : 0;
	return len > 0 ? der : NULL;
}

/* ---- the answer ---- */

static enum ocsp_says useless(char why[OCSP_WHY_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum ocsp_says useless(char why[OCSP_WHY_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, OCSP_WHY_MAX, format, args);
	va_end(args);
	ERR_clear_error();
	return OCSP_SAYS_nothing;
}

static bool seconds_of(const ASN1_GENERALIZEDTIME *time, int64_t *ret_s)
{
	struct tm tm;

	if (!time || ASN1_TIME_to_tm(time, &tm) != 1)
		return false;
	*ret_s = (int64_t)timegm(&tm);
	return true;
}

/* By the issuer itself, or by a certificate in the answer that it has made for this (RFC 6960 section 4.2.2.2). */
static bool is_signed(OCSP_BASICRESP *basic, const struct ocsp_about *about, int64_t now_s)
{
	STACK_OF(X509) *issuers = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	bool good = issuers && store && sk_X509_push(issuers, about->issuer) > 0 && X509_STORE_add_cert(store, about->issuer) == 1;

	if (good) {
		X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), (time_t)now_s);
		/* The issuer is trusted as it stands: it need not be a root. */
		X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
		good = OCSP_basic_verify(basic, issuers, store, about->anyone ? OCSP_NOVERIFY : OCSP_TRUSTOTHER) == 1;
	}
	X509_STORE_free(store);
	sk_X509_free(issuers);
	return good;
}

/* The part of the answer that is about the certificate, by whichever hash it is named there. */
static OCSP_SINGLERESP *find_single(OCSP_BASICRESP *basic, const struct ocsp_about *about)
{
	const EVP_MD *const hashes[] = { EVP_sha1(), EVP_sha256() };
	OCSP_SINGLERESP *single = NULL;

	for (size_t i = 0; i < COUNT_OF(hashes) && !single; i++) {
		OCSP_CERTID *id = OCSP_cert_to_id(hashes[i], about->leaf, about->issuer);
		int at = id ? OCSP_resp_find(basic, id, -1) : -1;

		OCSP_CERTID_free(id);
		single = at >= 0 ? OCSP_resp_get0(basic, at) : NULL;
	}
	return single;
}

static enum ocsp_says single_read(OCSP_SINGLERESP *single, int64_t now_s, struct ocsp_answer *ret, char why[OCSP_WHY_MAX])
{
	ASN1_GENERALIZEDTIME *revoked = NULL, *from = NULL, *until = NULL;
	int status = OCSP_single_get0_status(single, NULL, &revoked, &from, &until);
	struct ocsp_answer answer = { .until_s = INT64_MAX };

	if (!seconds_of(from, &answer.from_s) || (until && !seconds_of(until, &answer.until_s)) || answer.until_s < answer.from_s)
		return useless(why, "its dates are not dates");
	if (answer.from_s > now_s + CLOCK_SKEW_S)
		return useless(why, "it is not valid yet: one of two clocks is wrong");
	if (answer.until_s <= now_s)
		return useless(why, "it has expired");
	if (status == V_OCSP_CERTSTATUS_REVOKED)
		seconds_of(revoked, &answer.revoked_s);
	else if (status != V_OCSP_CERTSTATUS_GOOD)
		return useless(why, "the responder does not know the certificate");
	*ret = answer;
	return status == V_OCSP_CERTSTATUS_GOOD ? OCSP_SAYS_good : OCSP_SAYS_revoked;
}

static enum ocsp_says basic_read(OCSP_BASICRESP *basic, const struct ocsp_about *about, int64_t now_s, struct ocsp_answer *ret, char why[OCSP_WHY_MAX])
{
	OCSP_SINGLERESP *single;

	if (!is_signed(basic, about, now_s)) {
		const char *reason = ERR_reason_error_string(ERR_peek_last_error());
		return useless(why, "it is not signed by who may sign it: %s", reason ? reason : "the signature is wrong");
	}
	single = find_single(basic, about);
	return single ? single_read(single, now_s, ret, why) : useless(why, "it is about another certificate");
}

enum ocsp_says ocsp_read(struct slice der, const struct ocsp_about *about, int64_t now_s, struct ocsp_answer *ret, char why[OCSP_WHY_MAX])
{
	const unsigned char *at = (const unsigned char *)der.ptr;
	OCSP_RESPONSE *answer;
	OCSP_BASICRESP *basic;
	enum ocsp_says says;
	int status;

	if (der.len == 0 || der.len > OCSP_ANSWER_MAX)
		return useless(why, der.len ? "it is too long" : "it is empty");
	answer = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
	if (!answer || at != (const unsigned char *)der.ptr + der.len) {
		OCSP_RESPONSE_free(answer);
		return useless(why, "it is no OCSP answer");
	}
	status = OCSP_response_status(answer);
	basic = status == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(answer) : NULL;
	if (basic)
		says = basic_read(basic, about, now_s, ret, why);
	else if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
		says = useless(why, "the responder says %s", OCSP_response_status_str(status));
	else
		says = useless(why, "it is of a kind that is not known");
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(answer);
	ERR_clear_error();
	return says;
}
