/* OCSP answers as rows (the fuzz target's seeds): what each says at a time, and that every cut and every changed byte says nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "../../proxyd/ocsp.h"
#include "page.h"

#define NOW_S INT64_C(1800000000)

static size_t seed(const char *name, char buf[4096])
{
	char path[128];
	FILE *in;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/ocsp/%s.der", name);
	in = fopen(path, "r");
	assert_non_null(in);
	size_t len = fread(buf, 1, 4096, in);
	fclose(in);
	return len;
}

static X509 *cert_of(const char *name)
{
	char bytes[4096];
	const unsigned char *at = (const unsigned char *)bytes;
	X509 *cert = d2i_X509(NULL, &at, (long)seed(name, bytes));

	assert_non_null(cert);
	return cert;
}

static const struct { const char *file; int64_t now_s; enum ocsp_says says, anyone; const char *why; } rows[] = {
	{ "good",     NOW_S, OCSP_SAYS_good,    OCSP_SAYS_good,    "" },
	{ "delegate", NOW_S, OCSP_SAYS_good,    OCSP_SAYS_good,    "" },
	{ "endless",  NOW_S, OCSP_SAYS_good,    OCSP_SAYS_good,    "" },
	{ "revoked",  NOW_S, OCSP_SAYS_revoked, OCSP_SAYS_revoked, "" },
	{ "stranger", NOW_S, OCSP_SAYS_nothing, OCSP_SAYS_good,    "it is not signed by who may sign it" },
	{ "unknown",  NOW_S, OCSP_SAYS_nothing, OCSP_SAYS_nothing, "the responder does not know the certificate" },
	{ "other",    NOW_S, OCSP_SAYS_nothing, OCSP_SAYS_nothing, "it is about another certificate" },
	{ "later",    NOW_S, OCSP_SAYS_nothing, OCSP_SAYS_nothing, "the responder says trylater" },
	{ "leaf",     NOW_S, OCSP_SAYS_nothing, OCSP_SAYS_nothing, "it is no OCSP answer" },
	{ "good",     NOW_S + INT64_C(30000) * 86400, OCSP_SAYS_nothing, OCSP_SAYS_nothing, "it has expired" },
	{ "good",     NOW_S - INT64_C(20) * 365 * 86400, OCSP_SAYS_nothing, OCSP_SAYS_nothing, "it is not valid yet" },
};

static void each_says_what_it_says(void **state)
{
	struct ocsp_about about = { .leaf = cert_of("leaf"), .issuer = cert_of("ca") };
	char bytes[4096], why[OCSP_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct ocsp_answer answer;
		size_t len = seed(rows[i].file, bytes);
		about.anyone = false;
		if (ocsp_read(slice_make(bytes, len), &about, rows[i].now_s, &answer, why) != rows[i].says) fail_msg("%s: %s", rows[i].file, why);
		if (rows[i].says == OCSP_SAYS_nothing && strncmp(why, rows[i].why, strlen(rows[i].why)) != 0) fail_msg("%s: %s", rows[i].file, why);
		about.anyone = true;
		if (ocsp_read(slice_make(bytes, len), &about, rows[i].now_s, &answer, why) != rows[i].anyone) fail_msg("%s: %s", rows[i].file, why);
	}
	assert_int_equal(ocsp_read(slice_make(bytes, 0), &about, NOW_S, NULL, why), OCSP_SAYS_nothing);
	X509_free(about.leaf);
	X509_free(about.issuer);
}

static void what_is_cut_or_changed_says_nothing(void **state)
{
	struct ocsp_about about = { .leaf = cert_of("leaf"), .issuer = cert_of("ca") };
	struct ocsp_answer answer;
	char bytes[4096], why[OCSP_WHY_MAX];
	size_t len = seed("good", bytes);
	struct page page = page_new(sizeof(bytes));
	int good = 0;

	(void)state;
	for (size_t cut = 1; cut < len; cut++)
		assert_int_equal(ocsp_read(slice_make(page_put(page, bytes, cut), cut), &about, NOW_S, &answer, why), OCSP_SAYS_nothing);
	for (size_t at = 0; at < len; at++) {
		char *copy = page_put(page, bytes, len);
		copy[at] ^= 1;
		good += ocsp_read(slice_make(copy, len), &about, NOW_S, &answer, why) != OCSP_SAYS_nothing;
	}
	assert_in_range(good, 0, 8);             /* bytes outside of what is signed, that name the algorithm's parameters */
	page_free(&page);
	X509_free(about.leaf);
	X509_free(about.issuer);
}

static void a_certificate_tells_whom_to_ask(void **state)
{
	X509 *leaf = cert_of("leaf"), *ca = cert_of("ca");
	STACK_OF(X509) *list = sk_X509_new_null();
	char *url = ocsp_responder(leaf);
	size_t len;
	unsigned char *der = ocsp_request(leaf, ca, &len);

	(void)state;
	assert_string_equal(url, "http://ocsp.test/");
	assert_null(ocsp_responder(ca));
	assert_true(ocsp_is_wanted(leaf));
	assert_false(ocsp_is_wanted(ca));
	assert_null(ocsp_issuer(leaf, NULL, list));
	sk_X509_push(list, leaf);
	assert_null(ocsp_issuer(leaf, list, NULL));
	sk_X509_push(list, ca);
	assert_ptr_equal(ocsp_issuer(leaf, list, NULL), ca);
	assert_ptr_equal(ocsp_issuer(leaf, NULL, list), ca);
	assert_non_null(der);
	assert_in_range(len, 60, 120);           /* one certificate by SHA-1, no nonce */
	OPENSSL_free(der);
	free(url);
	sk_X509_free(list);
	X509_free(leaf);
	X509_free(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_says_what_it_says),
		cmocka_unit_test(what_is_cut_or_changed_says_nothing),
		cmocka_unit_test(a_certificate_tells_whom_to_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
