/* Content codings (RFC 9110 section 8.4.1) that proxyd can put on an answer: which one a client gets, and what it means for the
 * answer's type and entity tag. Pure. */
#ifndef PROXYD_CODING_H
#define PROXYD_CODING_H

#include "http_head.h"

/* CODING(name, "token", word): in the order of preference among those that a client likes equally. The word is how directives
 * call it: word, word_types, word_min_length, word_comp_level. */
#define CODINGS(CODING) CODING(br, "br", brotli) CODING(zstd, "zstd", zstd) CODING(gzip, "gzip", gzip)
enum coding {
	CODING_identity,
#define CODING(name, token, word) CODING_##name,
	CODINGS(CODING)
#undef CODING
	CODING_COUNT
};
enum { CODING_BITS_ALL = (1u << CODING_COUNT) - 2 };      /* as bits (1 << coding), without identity */
/* As it stands in Content-Encoding; empty for identity. */
struct slice coding_token(enum coding coding);
/* The best coding for this Accept-Encoding (section 12.5.3) among those whose bit (1 << coding) is in `offered`. Without the
 * field, without one it accepts, or where it likes identity better: identity. A malformed element counts as absent, what lies
 * behind the 64th is not read. x-gzip is gzip (section 8.4.1.3). */
enum coding coding_choose(const struct http_head *request, unsigned offered);
enum { CODING_TAG_MORE = 8 };      /* bytes that a tag grows by, at most */
/* The entity tag of the coded form: W/"abc-gzip" for "abc". Another tag, since it is another representation (section 8.8.3.3);
 * a weak one, since its bytes are not always the same: an answer on its way is flushed where its origin paused, and the
 * stored form is made at a higher level. So a range of it is never joined to another's. Empty for an empty tag, or one that is
 * no entity tag: the answer has none then. `out` has room for etag.len + CODING_TAG_MORE. */
struct slice coding_tag(struct slice etag, enum coding coding, char *out);
/* The origin's tag in such a tag: *ret_tag is W/"abc", written to out (etag.len bytes). False: it is none of ours. */
bool coding_tag_plain(struct slice etag, char *out, struct slice *ret_tag);
/* Whether the type (parameters aside) is in the list: TYPE/SUBTYPE, TYPE/star, or a star; text/html always is. No list: the
 * usual ones. */
bool coding_type_fits(struct slice type, const struct slice *list, size_t count);

#endif
