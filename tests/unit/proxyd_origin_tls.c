/* TLS to origins, without a network: the table of sessions, and in which words a failure is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "../../proxyd/origin_session.h"
#include "../../proxyd/tls_origins.h"

/* ---- sessions ---- */

static SSL_SESSION *session_new(int64_t made_s, int64_t lasts_s)
{
	static const unsigned char id[] = "an id that is as long as it is..";
	SSL_SESSION *session = SSL_SESSION_new();

	SSL_SESSION_set1_id(session, id, 32);
	SSL_SESSION_set_protocol_version(session, TLS1_2_VERSION);
	SSL_SESSION_set_time(session, (long)made_s);
	SSL_SESSION_set_timeout(session, (long)lasts_s);
	assert_true(SSL_SESSION_is_resumable(session));
	return session;
}

static void sessions_are_kept_by_identity_server_and_name(void **state)
{
	struct origin_sessions all = { .count = 0 };
	const struct origin_session_key keys[] = {
		{ 1, SLICE("10.0.0.1:443"), SLICE("a.test") }, { 2, SLICE("10.0.0.1:443"), SLICE("a.test") }, { 1, SLICE("10.0.0.2:443"), SLICE("a.test") },
		{ 1, SLICE("10.0.0.1:443"), SLICE("b.test") }, { 1, SLICE("10.0.0.1:443"), SLICE("") }, { 1, SLICE("10.0.0.1:44"), SLICE("3a.test") },
	};
	SSL_SESSION *sessions[COUNT_OF(keys)], *newer = session_new(1000, 60);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		assert_null(origin_session_find(&all, &keys[i], 1000));
		origin_session_put(&all, &keys[i], sessions[i] = session_new(1000, 60));
	}
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		assert_ptr_equal(origin_session_find(&all, &keys[i], 1000), sessions[i]);
	origin_session_put(&all, &keys[0], newer);
	assert_ptr_equal(origin_session_find(&all, &keys[0], 1000), newer);
	assert_int_equal(all.count, COUNT_OF(keys));
	origin_session_drop(&all, &keys[0]);
	assert_null(origin_session_find(&all, &keys[0], 1000));
	assert_ptr_equal(origin_session_find(&all, &keys[1], 1060), sessions[1]);
	assert_null(origin_session_find(&all, &keys[1], 1061));         /* over, and forgotten */
	assert_int_equal(all.count, COUNT_OF(keys) - 2);
	origin_sessions_release(&all);
	assert_int_equal(all.count, 0);
}

static void who_was_not_used_for_longest_leaves(void **state)
{
	struct origin_sessions all = { .count = 0 };
	char name[32];

	(void)state;
	for (int i = 0; i < 3 * ORIGIN_SESSIONS_MAX; i++) {
		const struct origin_session_key first = { 7, SLICE("a"), SLICE("0.test") };
		struct origin_session_key key = { 7, SLICE("a"), slice_make(name, (size_t)snprintf(name, sizeof(name), "%d.test", i)) };
		origin_session_put(&all, &key, session_new(1000, 60));
		assert_non_null(origin_session_find(&all, &first, 1000));       /* the first one is used all the time */
		assert_true(all.count <= ORIGIN_SESSIONS_MAX);
	}
	const struct origin_session_key gone = { 7, SLICE("a"), SLICE("1.test") };
	assert_null(origin_session_find(&all, &gone, 1000));
	assert_int_equal(all.count, ORIGIN_SESSIONS_MAX);
	origin_sessions_release(&all);
}

/* ---- words ---- */

static void alerts_have_their_names(void **state)
{
	(void)state;
	assert_true(slice_eq(tls_alert_name(40), SLICE("handshake_failure")));
	assert_true(slice_eq(tls_alert_name(116), SLICE("certificate_required")));
	assert_int_equal(tls_alert_name(41).len, 0);
	assert_int_equal(tls_alert_name(-1).len, 0);
}

static void failures_have_an_end_and_words(void **state)
{
	static const struct { int lib, reason; bool handshaking; enum end end; int alert; const char *words; } rows[] = {
		{ ERR_LIB_SSL, SSL_AD_REASON_OFFSET + 40, true, END_origin_tls_alert, 40, "alert 40 handshake_failure" },
		{ ERR_LIB_SSL, SSL_AD_REASON_OFFSET + 116, false, END_origin_tls_alert, 116, "alert 116 certificate_required" },
		{ ERR_LIB_SSL, SSL_AD_REASON_OFFSET + 200, true, END_origin_tls_alert, 200, "alert 200 " },
		{ ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED, true, END_origin_tls_certificate, -1, "as it was" },
		{ ERR_LIB_SSL, SSL_R_WRONG_VERSION_NUMBER, true, END_origin_tls_invalid, -1, "what came is not TLS" },
		{ ERR_LIB_SSL, SSL_R_UNSUPPORTED_PROTOCOL, true, END_origin_tls_invalid, -1, "no TLS version in common" },
		{ ERR_LIB_SSL, SSL_R_BAD_SIGNATURE, true, END_origin_tls_invalid, -1, "bad signature" },
		{ ERR_LIB_SSL, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, false, END_complete, -1, "as it was" },
		{ 0, 0, true, END_origin_tls_invalid, -1, "the origin closed the connection within the handshake" },
		{ 0, 0, false, END_complete, -1, "as it was" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char reason[TLS_REASON_MAX] = "as it was";
		unsigned long error = rows[i].lib ? ERR_PACK(rows[i].lib, 0, rows[i].reason) : 0;
		int alert = 7;

		assert_int_equal(tls_origin_failure(error, rows[i].handshaking, reason, &alert), rows[i].end);
		assert_int_equal(alert, rows[i].alert);
		assert_memory_equal(reason, rows[i].words, strlen(rows[i].words));
	}
}

static X509 *cert_new(const char *names)
{
	X509 *cert = X509_new();
	X509_EXTENSION *extension = names ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names) : NULL;

	X509_NAME_add_entry_by_txt(X509_get_issuer_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"some ca", -1, -1, 0);
	ASN1_TIME_set(X509_getm_notBefore(cert), 1000000000);
	ASN1_TIME_set(X509_getm_notAfter(cert), 1700000000);
	if (extension)
		X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return cert;
}

static void certificates_are_told_in_words(void **state)
{
	static const char *const many = "DNS:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test,DNS:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.test,"
		"DNS:cccccccccccccccccccccccccccccccccccccccc.test,DNS:dddddddddddddddddddddddddddddddddddddddddd.test";
	static const struct { int error, depth; const char *names, *words; } rows[] = {
		{ X509_V_ERR_HOSTNAME_MISMATCH, 0, "DNS:a.test,IP:10.0.0.1,IP:fd00::1,email:x@y.test", "the certificate is for a.test, 10.0.0.1, fd00::1" },
		{ X509_V_ERR_IP_ADDRESS_MISMATCH, 0, NULL, "the certificate is for no name: it has no subjectAltName" },
		{ X509_V_ERR_HOSTNAME_MISMATCH, 0, many, NULL },
		{ X509_V_ERR_CERT_HAS_EXPIRED, 0, NULL, "the certificate expired at 2023-11-14 22:13:20 UTC" },
		{ X509_V_ERR_CERT_HAS_EXPIRED, 1, NULL, "an issuer's certificate expired at 2023-11-14 22:13:20 UTC" },
		{ X509_V_ERR_CERT_NOT_YET_VALID, 0, NULL, "the certificate is not valid before 2001-09-09 01:46:40 UTC" },
		{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 0, NULL, "unknown issuer 'some ca'" },
		{ X509_V_ERR_CERT_REVOKED, 1, NULL, "an issuer's certificate is revoked (proxy_ssl_crl)" },
		{ X509_V_ERR_PATH_LENGTH_EXCEEDED, 0, NULL, "path length constraint exceeded" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		X509_STORE_CTX *store = X509_STORE_CTX_new();
		X509 *cert = cert_new(rows[i].names);
		char out[TLS_REASON_MAX] = "";

		X509_STORE_CTX_set_error(store, rows[i].error);
		X509_STORE_CTX_set_error_depth(store, rows[i].depth);
		X509_STORE_CTX_set_current_cert(store, cert);
		tls_verify_reason(store, out);
		if (rows[i].words)
			assert_string_equal(out, rows[i].words);
		else
			assert_int_equal(strlen(out), TLS_REASON_MAX - 1);
		X509_STORE_CTX_set_current_cert(store, NULL);
		tls_verify_reason(store, out);           /* there may be none */
		X509_free(cert);
		X509_STORE_CTX_free(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_are_kept_by_identity_server_and_name),
		cmocka_unit_test(who_was_not_used_for_longest_leaves),
		cmocka_unit_test(alerts_have_their_names),
		cmocka_unit_test(failures_have_an_end_and_words),
		cmocka_unit_test(certificates_are_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
