/* Exact counts of requests: in all, by host, by volume. */
#ifndef LOGAUDIT_TALLY_H
#define LOGAUDIT_TALLY_H

#include "../conf/logline.h"
#include "map.h"

struct tally_row {
	uint64_t requests[VERDICT_COUNT], bytes[VERDICT_COUNT];   /* bytes: body bytes sent to clients */
	uint64_t first_us, last_us;      /* of the first bytes; 0: no request */
};

/* Answers with a content coding of the proxy's; compressed: those whose bytes were coded for the one request. */
struct coding_row { uint64_t answers, compressed, plain_bytes, bytes; };

struct tally {
	struct tally_row all;
	uint64_t tiers[TIER_COUNT], tier_bytes[TIER_COUNT];
	uint64_t nostores[NOSTORE_COUNT], ends[END_COUNT], refusals[REFUSAL_COUNT];
	uint64_t status[6];              /* by hundreds; 0: none was sent */
	uint64_t records[REC_COUNT];     /* lines counted, by kind */
	uint64_t lost;                   /* what gap records say */
	uint64_t origin_tries, origin_bytes, stored;
	uint64_t unstored, unstored_bytes;/* what was not stored after all: records of their own say so */
	uint64_t uncoded[UNCODED_COUNT], uncoded_bytes[UNCODED_COUNT];
	struct map codings;              /* struct coding_row */
	struct map hosts, volumes, nodes;/* struct tally_row; uint64_t for nodes: lines */
};

void tally_init(struct tally *tally);
void tally_add(struct tally *tally, const struct logline *line);
void tally_release(struct tally *tally);

/* Sums over verdicts. A hit is hit, hit_stale or revalidated: what the store answered. Collapsed requests were spared the
 * origin too, but by luck of time: they stand beside. */
uint64_t tally_requests(const struct tally_row *row);
uint64_t tally_hits(const struct tally_row *row);
uint64_t tally_bytes(const struct tally_row *row);
uint64_t tally_hit_bytes(const struct tally_row *row);

/* The entries of a map of rows, most requests first, then by name; the caller frees. */
size_t *tally_order(const struct map *map);

#endif
