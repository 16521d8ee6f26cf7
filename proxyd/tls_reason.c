/* Why TLS with an origin failed, in words that name the cure's place. */
#include "tls_origins.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../conf/check.h"

struct slice tls_alert_name(int alert)
{
	switch (alert) {
#define ALERT(number, name) case number: return SLICE(#name);
#include "tbl/tls_alerts.h"
#undef ALERT
	default: return SLICE("");
	}
}

static void date_text(const ASN1_TIME *time, char out[32])
{
	struct tm tm;

	*out = '\0';
	if (time && ASN1_TIME_to_tm(time, &tm) == 1)
		strftime(out, 32, " %Y-%m-%d %H:%M:%S UTC", &tm);
}

static void add(char out[TLS_REASON_MAX], const char *before, const char *text, size_t len)
{
	size_t used = strlen(out);

	snprintf(out + used, TLS_REASON_MAX - used, "%s%.*s", before, (int)(len < 100 ? len : 100), text);
}

/* The names that the certificate is for, as many as there is room for. */
static void names_text(const X509 *cert, char out[TLS_REASON_MAX])
{
	GENERAL_NAMES *names = cert ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
	const char *before = "the certificate is for ";

	*out = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_OCTET_STRING *ip = name->type == GEN_IPADD ? name->d.iPAddress : NULL;
		int family = ip && ASN1_STRING_length(ip) == 4 ? AF_INET : AF_INET6;
		char address[INET6_ADDRSTRLEN];

		if (name->type == GEN_DNS)
			add(out, before, (const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName));
		else if (ip && (family == AF_INET || ASN1_STRING_length(ip) == 16) && inet_ntop(family, ASN1_STRING_get0_data(ip), address, sizeof(address)))
			add(out, before, address, strlen(address));
		else
			continue;
		before = ", ";
	}
	GENERAL_NAMES_free(names);
	if (!*out)
		snprintf(out, TLS_REASON_MAX, "the certificate is for no name: it has no subjectAltName");
}

static void issuer_text(const X509 *cert, char out[TLS_REASON_MAX])
{
	char name[128] = "";

	if (cert)
		X509_NAME_get_text_by_NID(X509_get_issuer_name(cert), NID_commonName, name, sizeof(name));
	snprintf(out, TLS_REASON_MAX, "unknown issuer '%s'", name);
}

void tls_verify_reason(X509_STORE_CTX *store, char out[TLS_REASON_MAX])
{
	const X509 *cert = X509_STORE_CTX_get_current_cert(store);
	const char *whose = X509_STORE_CTX_get_error_depth(store) > 0 ? "an issuer's certificate" : "the certificate";
	int error = X509_STORE_CTX_get_error(store);
	char date[32];

	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH: case X509_V_ERR_IP_ADDRESS_MISMATCH:
		names_text(cert, out);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		date_text(cert ? X509_get0_notAfter(cert) : NULL, date);
		snprintf(out, TLS_REASON_MAX, "%s expired at%s", whose, date);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		date_text(cert ? X509_get0_notBefore(cert) : NULL, date);
		snprintf(out, TLS_REASON_MAX, "%s is not valid before%s", whose, date);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT: case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		issuer_text(cert, out);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		snprintf(out, TLS_REASON_MAX, "the certificate is signed by itself, and not in proxy_ssl_trusted_certificate");
		break;
	case X509_V_ERR_CERT_REVOKED:
		snprintf(out, TLS_REASON_MAX, "%s is revoked (proxy_ssl_crl)", whose);
		break;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		snprintf(out, TLS_REASON_MAX, "proxy_ssl_crl has no list of the issuer of %s", whose);
		break;
	case X509_V_ERR_CRL_HAS_EXPIRED:
		snprintf(out, TLS_REASON_MAX, "a list of proxy_ssl_crl has expired");
		break;
	default:
		snprintf(out, TLS_REASON_MAX, "%s", X509_verify_cert_error_string(error));
	}
}

static void protocol_text(unsigned long error, char out[TLS_REASON_MAX])
{
	const char *text = ERR_reason_error_string(error);

	switch (ERR_GET_REASON(error)) {
	case SSL_R_WRONG_VERSION_NUMBER: case SSL_R_PACKET_LENGTH_TOO_LONG: case SSL_R_RECORD_LENGTH_MISMATCH:
		snprintf(out, TLS_REASON_MAX, "what came is not TLS: does the port speak plain HTTP? (%s)", text ? text : "");
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL: case SSL_R_VERSION_TOO_LOW: case SSL_R_WRONG_SSL_VERSION:
		snprintf(out, TLS_REASON_MAX, "no TLS version in common: see proxy_ssl_protocols (%s)", text ? text : "");
		break;
	default:
		snprintf(out, TLS_REASON_MAX, "%s", text ? text : "OpenSSL gives no reason");
	}
}

enum end tls_origin_failure(unsigned long error, bool handshaking, char reason[TLS_REASON_MAX], int *ret_alert)
{
	int number = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;

	*ret_alert = -1;
	if (number > SSL_AD_REASON_OFFSET && number <= SSL_AD_REASON_OFFSET + 255) {
		*ret_alert = number - SSL_AD_REASON_OFFSET;
		snprintf(reason, TLS_REASON_MAX, "alert %d %s", *ret_alert, tls_alert_name(*ret_alert).ptr);
		return END_origin_tls_alert;
	}
	if (!handshaking)
		return END_complete;
	if (number == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return END_origin_tls_certificate;
	if (error)
		protocol_text(error, reason);
	else
		snprintf(reason, TLS_REASON_MAX, "the origin closed the connection within the handshake");
	return END_origin_tls_invalid;
}
