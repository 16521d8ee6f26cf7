/* What a certificate's DER says of its names, dates and key, and the name in a client's hello: rows, and every cut of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../proxyd/tls_front.h"
#include "page.h"

static size_t seed(const char *name, char *buf, size_t size)
{
	char path[256];
	snprintf(path, sizeof(path), "tests/fuzz/corpus/cert/%s", name);
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	size_t len = fread(buf, 1, size, in);
	fclose(in);
	return len;
}

static const struct { const char *file; enum cert_kind kind; const char *names; bool after_2049; } certs[] = {
	{ "ec.der",       CERT_ecdsa, "site.test *.site.test 192.0.2.1 2001:db8::1 ", false },
	{ "rsa.der",      CERT_rsa,   "rsa.test ", false },
	{ "nameless.der", CERT_ecdsa, "", false },
	{ "late.der",     CERT_ecdsa, "late.test ", true },
};

static void a_certificate_is_read(void **state)
{
	char bytes[8192], buf[CERT_NAME_MAX + 1], all[512];
	struct page page = page_new(sizeof(bytes));

	(void)state;
	for (size_t i = 0; i < COUNT_OF(certs); i++) {
		size_t len = seed(certs[i].file, bytes, sizeof(bytes));
		struct cert_brief brief;
		struct slice name;

		assert_true(cert_brief_read(slice_make(page_put(page, bytes, len), len), &brief));
		assert_int_equal(brief.kind, certs[i].kind);
		assert_true(brief.not_before_s > 1700000000 && brief.not_after_s > brief.not_before_s);
		assert_int_equal(brief.not_after_s > 2524608000, certs[i].after_2049);
		all[0] = '\0';
		while ((name = cert_brief_name(&brief.names, buf)).len)
			snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s ", name.ptr);
		assert_string_equal(all, certs[i].names);
	}
	page_free(&page);
}

static void a_certificate_that_is_cut_is_none(void **state)
{
	char bytes[8192];
	struct page page = page_new(sizeof(bytes));
	size_t len = seed("ec.der", bytes, sizeof(bytes));
	struct cert_brief brief;

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_false(cert_brief_read(slice_make(page_put(page, bytes, cut), cut), &brief));
	page_free(&page);
}

static void bytes_that_change_are_read_within_bounds(void **state)
{
	char bytes[8192], buf[CERT_NAME_MAX + 1];
	struct page page = page_new(sizeof(bytes));
	size_t len = seed("ec.der", bytes, sizeof(bytes));

	(void)state;
	for (size_t at = 0; at < len; at++)
		for (int value = 0; value < 256; value += 17) {
			char *copy = page_put(page, bytes, len);
			struct cert_brief brief;
			copy[at] = (char)value;
			if (cert_brief_read(slice_make(copy, len), &brief))
				while (cert_brief_name(&brief.names, buf).len)
					;
		}
	page_free(&page);
}

static void pem_is_decoded(void **state)
{
	char text[8192], der[8192];
	unsigned char out[8192];
	size_t len = seed("ec.pem", text, sizeof(text)), der_len = seed("ec.der", der, sizeof(der));

	(void)state;
	assert_int_equal(cert_first_der(slice_make(text, len), out, sizeof(out)), der_len);
	assert_memory_equal(out, der, der_len);
	assert_int_equal(cert_first_der(slice_make(text, len), out, der_len - 1), 0);
	assert_int_equal(cert_first_der(slice_make(text, 100), out, sizeof(out)), 0);
	assert_int_equal(cert_first_der(SLICE("-----BEGIN CERTIFICATE-----"), out, sizeof(out)), 0);
	assert_int_equal(cert_first_der(SLICE("-----BEGIN CERTIFICATE-----\nMI?B\n-----END"), out, sizeof(out)), 0);
	assert_int_equal(cert_first_der(SLICE(""), out, sizeof(out)), 0);
}

#define ROW(bytes, name, why) { { bytes, sizeof(bytes) - 1 }, name, why }
static const struct { struct slice ext; const char *name, *why; } hellos[] = {
	ROW("\0\xc\0\0\x9site.test", "site.test", "a name"),
	ROW("\0\xc\0\0\x9SiTe.TEST", "site.test", "names have no case"),
	ROW("\0\xd\0\0\xasite.test.", "site.test", "a final dot names the same"),
	ROW("\0\x4\0\0\x1.", ".", "a dot alone is what it is"),
	ROW("", NULL, "nothing"),
	ROW("\0\0", NULL, "an empty list"),
	ROW("\0\x3\0\0\0", NULL, "an empty name"),
	ROW("\0\xc\0\0\x9site.tes", NULL, "cut"),
	ROW("\0\xb\0\0\x9site.test", NULL, "the list is shorter than its name"),
	ROW("\0\xd\0\0\x9site.testx", NULL, "bytes behind the name"),
	ROW("\0\xc\1\0\x9site.test", NULL, "no host name"),
	ROW("\0\xc\0\0\x9si\0e.test", NULL, "a NUL"),
	ROW("\0\xc\0\0\x9si e.test", NULL, "a blank"),
	ROW("\0\xc\0\0\x9si\xfft.test", NULL, "no ASCII"),
};

static void the_name_in_a_hello(void **state)
{
	struct page page = page_new(512);
	char name[TLS_NAME_MAX + 1], longest[5 + 256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(hellos); i++) {
		struct slice ext = slice_make(page_put(page, hellos[i].ext.ptr, hellos[i].ext.len), hellos[i].ext.len);
		bool good = tls_parse_name(ext, name);
		if (good != (hellos[i].name != NULL) || (good && strcmp(name, hellos[i].name) != 0))
			fail_msg("%s", hellos[i].why);
	}
	memcpy(longest, "\1\3\0\1\0", 5);
	memset(longest + 5, 'x', 256);
	assert_false(tls_parse_name(slice_make(longest, sizeof(longest)), name));
	memcpy(longest, "\1\2\0\0\xff", 5);
	assert_true(tls_parse_name(slice_make(longest, sizeof(longest) - 1), name));
	assert_int_equal(strlen(name), 255);
	page_free(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_read),
		cmocka_unit_test(a_certificate_that_is_cut_is_none),
		cmocka_unit_test(bytes_that_change_are_read_within_bounds),
		cmocka_unit_test(pem_is_decoded),
		cmocka_unit_test(the_name_in_a_hello),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
