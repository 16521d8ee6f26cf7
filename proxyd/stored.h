/* The head of an answer as it is kept and sent again: a fixed part with offsets into a block of field lines that goes out
 * as it is. Used for stored objects and for answers that pass. Pure. */
#ifndef PROXYD_STORED_H
#define PROXYD_STORED_H

#include "arena.h"
#include "coding.h"
#include "http_head.h"
#include "http_cache.h"
#include "cache_use.h"
#include "../cachestore/cachestore.h"

/* object_meta.flags: X(name, bit, what tools call it) */
#define STORED_FLAGS(X) \
	X(MUST_REVALIDATE, 1,   must_revalidate) /* never served stale */ \
	X(NO_CACHE,        2,   no_cache)        /* always validated before use */ \
	X(SHAREABLE_AUTH,  4,   shareable_auth)  /* may answer requests with Authorization */ \
	X(VALIDATOR,       16,  validator) \
	X(VARY_INDEX,      32,  vary_index)      /* not an answer: lists the Vary specs and variants of the URL */ \
	X(VARIANT,         64,  variant)         /* selected by Vary */ \
	X(PART,            128, part)            /* one range of a representation, under a key of its own: parts.h */ \
	X(SLICED,          256, sliced)          /* the head of a file whose body is stored in slices: slices.h */ \
	X(SLICE,           512, slice)           /* one of these; it has no head of its own */ \
	X(CODED,           1024, coded)          /* the coded form of a body, bound to it: compress.h; it has no head either */
enum stored_flag {
#define X(name, bit, text) STORED_##name = bit,
	STORED_FLAGS(X)
#undef X
	STORED_BOOKKEEPING = STORED_VARY_INDEX | STORED_SLICE | STORED_CODED,   /* what no purge counts as an object of its own */
};
enum { STORED_LIFETIME_SHIFT = 28 };   /* the highest four bits: enum lifetime_by */
/* Its name; empty for none. */
struct slice stored_lifetime_by(uint32_t flags);

/* Where a value lies in the block; len 0: not there. */
struct stored_span { uint32_t off; uint32_t len; };
#define STORED_SPANS(X) X(etag) X(last_modified) X(content_type) X(cache_control) X(vary) X(location) X(date)

struct stored_fixed {
	uint32_t magic;                /* STORED_MAGIC: also the version of this layout */
	uint32_t block_len, spec_len;
	uint32_t slice;                /* of a file that is stored in slices: how long they are */
	uint64_t cookie_hash;          /* XXH3 of the Set-Cookie values; 0: none */
	uint8_t has_set_cookie, is_public, reserved2[6];
	uint64_t from, total;          /* of a part: where it begins, and how long the whole is (UINT64_MAX: not known) */
#define X(name) struct stored_span name;
	STORED_SPANS(X)
#undef X
};
#define STORED_MAGIC 0x32485350u

struct stored_view {
	struct stored_fixed fixed;
	struct slice block;
	struct slice spec;             /* Vary spec it is selected by (vary_spec()); not sent */
#define X(name) struct slice name;
	STORED_SPANS(X)
#undef X
};

/* Builds the kept form of an answer's head: all fields but the hop-by-hop ones, Content-Length and, when it is to be
 * stored, Age and the fields that private="..." or no-cache="..." name. Empty when the arena overflowed. */
struct slice stored_build(struct arena *arena, const struct http_head *head, const struct cache_control *cc, bool to_store, struct slice spec);
/* What lies beside what is stored under a key: a part of it, and its coded forms (coding: not identity). All of them, and how
 * many; as store_config.beside. */
struct store_key part_key_beside(struct store_key key);
struct store_key coded_key_beside(struct store_key key, enum coding coding);
size_t stored_keys_beside(struct store_key key, struct store_key *keys);
/* Takes what is stored under a key out of the volume, with what lies beside. */
void stored_drop(struct volume *volume, struct store_key key);
/* Says of a kept form which part of the whole it is the head of. */
void stored_set_part(struct slice kept, uint64_t from, uint64_t total);
void stored_set_slice(struct slice kept, uint32_t size);
/* Whether a body of this size can be the part that the head says it is. */
bool stored_part_fits(const struct stored_view *view, uint64_t body_size);
/* A 304's fields replace the stored ones of the same name (RFC 9111 section 3.2), but for those that describe the body. */
struct slice stored_update(struct arena *arena, const struct stored_view *old, const struct http_head *not_modified,
	struct slice targeted);
/* Checks every offset; false for bytes that are no kept head. */
bool stored_read(struct slice kept, struct stored_view *ret_view);
/* The fields of the block that a 304 sends (RFC 9110 section 15.4.5). */
struct slice stored_block_304(struct arena *arena, struct slice block);
/* What is kept beside the object, as the rules for its use want it. */
struct cache_object stored_rules(const struct object_meta *meta);
/* Walks the lines of a block; *pos starts at 0. */
bool stored_next_field(struct slice block, size_t *pos, struct slice *ret_name, struct slice *ret_value);

/* The object that lists a URL's Vary specs and variants: lines "S spec\n", "V hex of the variant's key\n" and, for the spec
 * accept-language, "L language values\n": the Content-Language that was the answer to these values. Newest first. */
struct vary_index { struct slice text; };
enum { VARY_SPECS_MAX = 8, VARY_INDEX_MAX = 32 * 1024 };
/* The keys of the variants it lists, at most `room`. Returns how many. */
size_t vary_index_keys(struct slice text, struct store_key *keys, size_t room);
/* False at the end. */
bool vary_index_next_spec(struct vary_index index, size_t *pos, struct slice *ret_spec);
/* The text with this spec first and this variant first, bounded: *ret_evicted is the variant that had to go. */
struct vary_variant { struct slice spec; struct store_key key; struct slice language, values; /* empty: none */ };
struct slice vary_index_add(struct arena *arena, struct vary_index old, const struct vary_variant *variant, size_t variants_max,
	struct store_key *ret_evicted, bool *ret_has_evicted, bool *ret_changed);
/* The next values that got an answer in this language. False at the end. */
bool vary_index_next_language(struct vary_index index, size_t *pos, struct slice language, struct slice *ret_values);

#endif
