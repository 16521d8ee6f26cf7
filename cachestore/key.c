/* The key of an object: a hash of its text. And the texts of errors. Pure. */
#include "internal.h"

struct store_key store_key_make(struct slice text)
{
	XXH128_hash_t hash = XXH3_128bits(text.ptr, text.len);

	return (struct store_key){ .hi = hash.high64, .lo = hash.low64 };
}

const char *store_strerror(enum store_err err)
{
	static const char *const texts[STORE_ERR_COUNT] = {
#define X(name, text) [STORE_##name] = text,
		STORE_ERRORS(X)
#undef X
	};

	return (unsigned)err < STORE_ERR_COUNT ? texts[err] : "unknown error";
}
