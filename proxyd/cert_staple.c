/* What an X509 of ours carries: its facts, and the OCSP answer that handshakes staple. It is attached to the X509 since OpenSSL
 * keeps that for a handshake's life, whatever has become of the certificate meanwhile. */
#include <pthread.h>
#include <stdlib.h>

#include "../conf/check.h"
#include "cert.h"

struct extra {
	struct cert_facts facts;
	pthread_mutex_t lock;                    /* over a copy of some hundred bytes */
	struct cert_staple *staple;
};

static int extra_index;

static void extra_free(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *arg)
{
	struct extra *extra = pointer;

	(void)parent, (void)data, (void)index, (void)number, (void)arg;
	if (!extra)
		return;
	pthread_mutex_destroy(&extra->lock);
	free(extra->staple);
	free(extra);
}

static void index_make(void)
{
	extra_index = X509_get_ex_new_index(0, NULL, NULL, NULL, extra_free);
	CHECK(extra_index >= 0);
}

static struct extra *extra_of(const X509 *leaf)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, index_make);
	return leaf ? X509_get_ex_data(leaf, extra_index) : NULL;
}

struct cert_facts *cert_facts_make(X509 *leaf)
{
	struct extra *extra = extra_of(leaf);

	CHECK(!extra);
	extra = must(calloc(1, sizeof(*extra)));
	pthread_mutex_init(&extra->lock, NULL);
	CHECK(X509_set_ex_data(leaf, extra_index, extra) == 1);
	return &extra->facts;
}

const struct cert_facts *cert_facts(const X509 *leaf)
{
	const struct extra *extra = extra_of(leaf);

	return extra ? &extra->facts : NULL;
}

struct cert_staple *cert_staple_new(struct slice der, int64_t from_s, int64_t until_s)
{
	struct cert_staple *staple = must(malloc(sizeof(*staple) + der.len));

	*staple = (struct cert_staple){ .from_s = from_s, .until_s = until_s, .len = der.len };
	memcpy(staple->der, der.ptr, der.len);
	return staple;
}

void cert_staple_set(X509 *leaf, struct cert_staple *staple)
{
	struct extra *extra = extra_of(leaf);
	struct cert_staple *old;

	pthread_mutex_lock(&extra->lock);
	old = extra->staple;
	extra->staple = staple;
	pthread_mutex_unlock(&extra->lock);
	free(old);
}

size_t cert_staple_copy(const X509 *leaf, int64_t now_s, unsigned char **ret_der)
{
	struct extra *extra = extra_of(leaf);
	unsigned char *copy = NULL;
	size_t len = 0;

	if (!extra)
		return 0;
	pthread_mutex_lock(&extra->lock);
	if (extra->staple && now_s < extra->staple->until_s) {
		copy = OPENSSL_memdup(extra->staple->der, extra->staple->len);
		len = copy ? extra->staple->len : 0;
	}
	pthread_mutex_unlock(&extra->lock);
	*ret_der = copy;
	return len;
}

bool cert_staple_dates(const X509 *leaf, int64_t *ret_from_s, int64_t *ret_until_s)
{
	struct extra *extra = extra_of(leaf);
	bool has = false;

	if (!extra)
		return false;
	pthread_mutex_lock(&extra->lock);
	if (extra->staple) {
		*ret_from_s = extra->staple->from_s;
		*ret_until_s = extra->staple->until_s;
		has = true;
	}
	pthread_mutex_unlock(&extra->lock);
	return has;
}
