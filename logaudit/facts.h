/* What several rules and tables want to know of a line, made once: hashes of its names, and traits by which rules are spared
 * lines that are none of their business. */
#ifndef LOGAUDIT_FACTS_H
#define LOGAUDIT_FACTS_H

#include "../conf/logline.h"
#include "names.h"
#include "recent.h"

enum trait {
	TRAIT_note      = 1 << 0,        /* no request */
	TRAIT_store     = 1 << 1,        /* served from the store or from another request's fetch */
	TRAIT_stale     = 1 << 2,
	TRAIT_origin    = 1 << 3,        /* an origin was asked, or gave something */
	TRAIT_fetched   = 1 << 4,        /* a miss, or confirmed, as it says */
	TRAIT_stored    = 1 << 5,
	TRAIT_unstored  = 1 << 6,        /* there is a reason why it was not stored */
	TRAIT_user      = 1 << 7,        /* with Authorization or a login cookie */
	TRAIT_public    = 1 << 8,
	TRAIT_setcookie = 1 << 9,
	TRAIT_variant   = 1 << 10,
	TRAIT_ended     = 1 << 11,       /* other than complete, or refused */
};
enum { TRAIT_COUNT = 12 };

/* host and volume as line_host() and line_volume() have them. url: a hash of host and target. */
struct facts { struct name node, host, volume; uint64_t url, client; uint32_t traits; };

/* A line as rules and tables get it: they may ask for its facts. number: of the physical line, counted from the chunk's first, 0. */
struct parsed { struct logline line; struct facts facts; uint32_t number; };

/* Names that have been seen in the run so far. */
struct known_names { struct names nodes, hosts, volumes; };

/* In two steps: what the line alone tells, then what depends on the lines before it. */
void facts_find(const struct logline *line, struct facts *ret_facts);
void facts_name(struct parsed *parsed, struct known_names *names);

/* Of a URL, by the hashes of its host and its target. */
static inline uint64_t url_hash(uint64_t host, uint64_t target)
{
	uint64_t h = (host ^ (target << 32 | target >> 32)) * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 32) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 29;
}

/* line: the one that a rule or a table was given (a member of a struct parsed). */
static inline const struct facts *line_facts(const struct logline *line)
{
	return &((const struct parsed *)(const void *)line)->facts;
}

/* Of key and variant: what is stored, and served. */
static inline uint64_t line_page(const struct logline *line)
{
	return recent_pair(line->key, line->variant);
}

#endif
