/* OCSP answers: whatever the bytes, an answer within bounds; nothing that its issuer has not signed says anything, whichever of
 * the two ways of looking at the signer is used. */
#include <openssl/err.h>
#include <stdio.h>

#include "../../conf/check.h"
#include "../../proxyd/ocsp.h"

enum { NOW_S = 1800000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static X509 *load(const char *path)
{
	static unsigned char bytes[4096];
	FILE *in = fopen(path, "r");
	size_t len = in ? fread(bytes, 1, sizeof(bytes), in) : 0;
	const unsigned char *at = bytes;

	if (in)
		fclose(in);
	return must(d2i_X509(NULL, &at, (long)len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ocsp_about about;
	struct slice der = slice_make((const char *)data, size);
	struct ocsp_answer strict = { 0 }, lax = { 0 };
	char why[OCSP_WHY_MAX];
	enum ocsp_says says, says_lax;

	if (!about.leaf)
		about = (struct ocsp_about){ .leaf = load("tests/fuzz/corpus/ocsp/leaf.der"), .issuer = load("tests/fuzz/corpus/ocsp/ca.der") };
	about.anyone = false;
	says = ocsp_read(der, &about, NOW_S, &strict, why);
	CHECK(says != OCSP_SAYS_nothing || (*why && strlen(why) < sizeof(why)));
	about.anyone = true;
	says_lax = ocsp_read(der, &about, NOW_S, &lax, why);
	if (says != OCSP_SAYS_nothing)
		CHECK(says_lax == says && lax.until_s == strict.until_s && strict.until_s > NOW_S);
	CHECK(ERR_peek_error() == 0);
	return 0;
}
