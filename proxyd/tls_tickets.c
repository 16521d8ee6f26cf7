/* Keys of session tickets: reading, making, changing, using. */
#include "tls_tickets.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

#include "../conf/check.h"
#include "clock.h"

struct ticket_key {
	unsigned char name[TICKET_NAME], hmac[32], aes[32];
	size_t hmac_len;
	bool aes_128;
	uint64_t made_us;                        /* monotonic */
};

struct ticket_keys { struct ticket_key keys[TICKET_KEYS_MAX]; size_t count; /* the first encrypts */ };

struct tls_tickets {
	pthread_mutex_t lock;
	bool from_files;
	struct ticket_keys now;
};

/* ---- files ---- */

/* 80 bytes: name, 32 of HMAC, 32 of AES-256; 48: name, 16 of HMAC, 16 of AES-128: as nginx has them. */
static bool key_read(struct slice path, struct ticket_key *key, char why[256])
{
	char name[4096];
	unsigned char bytes[81];
	size_t len;
	FILE *in;

	snprintf(name, sizeof(name), "%.*s", SLICE_ARG(path));
	in = fopen(name, "re");
	if (!in) {
		snprintf(why, 256, "ssl_session_ticket_key '%.128s': %s", name, strerror(errno));
		return false;
	}
	len = fread(bytes, 1, sizeof(bytes), in);
	fclose(in);
	*key = (struct ticket_key){ .hmac_len = len == 80 ? 32 : 16, .aes_128 = len == 48 };
	if (len == 80 || len == 48) {
		memcpy(key->name, bytes, TICKET_NAME);
		memcpy(key->hmac, bytes + TICKET_NAME, key->hmac_len);
		memcpy(key->aes, bytes + TICKET_NAME + key->hmac_len, key->hmac_len);
	} else {
		snprintf(why, 256, "ssl_session_ticket_key '%.128s' is not 48 or 80 bytes: make one with openssl rand -out FILE 80", name);
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return len == 80 || len == 48;
}

static bool keys_read(const struct conf *conf, struct ticket_keys *keys, char why[256])
{
	keys->count = 0;
	if (conf->ticket_keys.count > TICKET_KEYS_MAX) {
		snprintf(why, 256, "more than %d ssl_session_ticket_key", TICKET_KEYS_MAX);
		return false;
	}
	while (keys->count < conf->ticket_keys.count)
		if (!key_read(conf->ticket_keys.items[keys->count].path, &keys->keys[keys->count], why))
			return false;
		else
			keys->count++;
	return true;
}

bool tls_tickets_check(const struct conf *conf, char why[256])
{
	struct ticket_keys keys;
	bool good = keys_read(conf, &keys, why);

	OPENSSL_cleanse(&keys, sizeof(keys));
	return good;
}

/* ---- making and changing ---- */

/* The lock is held. The last one goes when there are too many. */
static void key_make(struct ticket_keys *keys)
{
	struct ticket_key *key = &keys->keys[0];

	if (keys->count < TICKET_KEYS_MAX)
		keys->count++;
	memmove(&keys->keys[1], &keys->keys[0], (keys->count - 1) * sizeof(*key));
	*key = (struct ticket_key){ .hmac_len = 32, .made_us = clock_now_us() };
	CHECK(RAND_bytes(key->name, sizeof(key->name)) == 1);
	CHECK(RAND_priv_bytes(key->hmac, sizeof(key->hmac)) == 1 && RAND_priv_bytes(key->aes, sizeof(key->aes)) == 1);
}

struct tls_tickets *tls_tickets_new(void)
{
	struct tls_tickets *tickets = must(calloc(1, sizeof(*tickets)));

	pthread_mutex_init(&tickets->lock, NULL);
	key_make(&tickets->now);
	return tickets;
}

void tls_tickets_free(struct tls_tickets **tickets)
{
	struct tls_tickets *t = *tickets;

	if (!t)
		return;
	*tickets = NULL;
	pthread_mutex_destroy(&t->lock);
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

bool tls_tickets_take(struct tls_tickets *tickets, const struct conf *conf, char why[256])
{
	struct ticket_keys keys = { .count = 0 };

	if (!keys_read(conf, &keys, why))
		return false;
	pthread_mutex_lock(&tickets->lock);
	if (keys.count) {
		tickets->now = keys;
	} else if (tickets->from_files) {
		tickets->now.count = 0;
		key_make(&tickets->now);
	}
	tickets->from_files = keys.count > 0;
	pthread_mutex_unlock(&tickets->lock);
	OPENSSL_cleanse(&keys, sizeof(keys));
	return true;
}

/* ---- to another process ---- */

enum { GIVEN_VERSION = 1, GIVEN_KEY = TICKET_NAME + 32 + 32 + 8 };

size_t tls_tickets_give(struct tls_tickets *tickets, char buf[TICKETS_GIVEN_MAX])
{
	char *at = buf;

	pthread_mutex_lock(&tickets->lock);
	*at++ = GIVEN_VERSION;
	for (size_t i = 0; i < tickets->now.count && !tickets->from_files; i++) {
		const struct ticket_key *key = &tickets->now.keys[i];
		/* The age: a clock that counts from the start of something means nothing elsewhere. */
		uint64_t age_us = clock_now_us() - key->made_us;

		memcpy(at, key->name, TICKET_NAME);
		memcpy(at + TICKET_NAME, key->hmac, 32);
		memcpy(at + TICKET_NAME + 32, key->aes, 32);
		memcpy(at + TICKET_NAME + 64, &age_us, 8);
		at += GIVEN_KEY;
	}
	pthread_mutex_unlock(&tickets->lock);
	return at - buf > 1 ? (size_t)(at - buf) : 0;
}

bool tls_tickets_inherit(struct tls_tickets *tickets, struct slice given)
{
	size_t count = given.len > 1 ? (given.len - 1) / GIVEN_KEY : 0;
	uint64_t now_us = clock_now_us();

	if (count == 0 || count > TICKET_KEYS_MAX || given.len != 1 + count * GIVEN_KEY || given.ptr[0] != GIVEN_VERSION)
		return false;
	pthread_mutex_lock(&tickets->lock);
	for (size_t i = 0; i < count; i++) {
		const char *at = given.ptr + 1 + i * GIVEN_KEY;
		struct ticket_key *key = &tickets->now.keys[i];
		uint64_t age_us;

		memcpy(&age_us, at + TICKET_NAME + 64, 8);
		*key = (struct ticket_key){ .hmac_len = 32, .made_us = age_us < now_us ? now_us - age_us : 0 };
		memcpy(key->name, at, TICKET_NAME);
		memcpy(key->hmac, at + TICKET_NAME, 32);
		memcpy(key->aes, at + TICKET_NAME + 32, 32);
	}
	tickets->now.count = count;
	pthread_mutex_unlock(&tickets->lock);
	return true;
}

/* ---- using ---- */

static struct ticket_key key_first(struct tls_tickets *tickets)
{
	struct ticket_key key;

	pthread_mutex_lock(&tickets->lock);
	if (!tickets->from_files && clock_now_us() - tickets->now.keys[0].made_us >= TICKET_KEY_US)
		key_make(&tickets->now);
	key = tickets->now.keys[0];
	pthread_mutex_unlock(&tickets->lock);
	return key;
}

/* A key made here is good for as many hours as there are keys, whether others have been made since or not. */
static bool key_is_old(const struct tls_tickets *tickets, const struct ticket_key *key)
{
	return !tickets->from_files && clock_now_us() - key->made_us >= TICKET_KEYS_MAX * TICKET_KEY_US;
}

static bool key_find(struct tls_tickets *tickets, const unsigned char *name, struct ticket_key *ret, bool *ret_first)
{
	bool found = false;

	pthread_mutex_lock(&tickets->lock);
	for (size_t i = 0; i < tickets->now.count && !found; i++)
		if (memcmp(tickets->now.keys[i].name, name, TICKET_NAME) == 0 && !key_is_old(tickets, &tickets->now.keys[i])) {
			*ret = tickets->now.keys[i];
			*ret_first = i == 0;
			found = true;
		}
	pthread_mutex_unlock(&tickets->lock);
	return found;
}

static bool key_use(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->hmac, key->hmac_len),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (void *)(uintptr_t)"sha256", 0),
		OSSL_PARAM_END,
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1
		&& EVP_CipherInit_ex(cipher, key->aes_128 ? EVP_aes_128_cbc() : EVP_aes_256_cbc(), NULL, key->aes, iv, encrypt) == 1;
}

/* As OpenSSL wants it: 1 used, 2 used and another ticket is due, 0 unknown: a full handshake, -1 broken. */
static int ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct ticket_key key;
	bool first = true;
	int answer = 0;

	if (encrypt) {
		key = key_first(tickets);
		memcpy(name, key.name, TICKET_NAME);
		answer = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 && key_use(&key, iv, cipher, mac, true) ? 1 : -1;
	} else if (key_find(tickets, name, &key, &first)) {
		/* A client of TLS 1.3 uses a ticket once (RFC 8446 appendix C.4): it gets another one each time. */
		answer = !key_use(&key, iv, cipher, mac, false) ? -1 : first && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
	} else {
		return 0;
	}
	OPENSSL_cleanse(&key, sizeof(key));
	return answer;
}

void tls_tickets_serve(struct tls_tickets *tickets, SSL_CTX *ctx)
{
	SSL_CTX_set_app_data(ctx, tickets);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_callback);
}
