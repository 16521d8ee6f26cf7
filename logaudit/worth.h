/* What an operator wants to know beside the ratio: what the cache spared the origins, what each reason of not storing costs, which
 * URLs are missed most, who asks most, how long answers take, and when. */
#ifndef LOGAUDIT_WORTH_H
#define LOGAUDIT_WORTH_H

#include <stdio.h>

#include "../conf/logline.h"
#include "bloom.h"
#include "heavy.h"
#include "map.h"
#include "reasons.h"
#include "series.h"
#include "times.h"

/* Places of the tables of URLs and clients; a URL or address that is longer than its bytes is shown cut. */
enum { MISSED_PLACES = 2048, MISSED_TEXT_MAX = 240, CLIENT_PLACES = 4096, CLIENT_TEXT_MAX = 48 };

/* Of a URL that the store did not answer; counted since it has its place. */
struct missed { uint64_t origin_bytes; struct reasons reasons; };
struct client { uint64_t hits, bytes, errors; };

/* What the origins were spared: answers of the store and of other requests' fetches for which no origin was asked, and the body
 * bytes that it sent and did not read. refreshes, refresh_bytes: what fetches in the background took back. */
struct saved { uint64_t requests, bytes, refreshes, refresh_bytes; };

struct worth {
	struct bloom pages;               /* that were asked for with GET */
	/* Requests for pages that had been asked for before and were not stored for the reason: hits, had they been stored and kept. */
	uint64_t repeats[NOSTORE_COUNT], repeat_bytes[NOSTORE_COUNT];
	uint64_t requests, hits;
	struct saved saved;
	struct times hit, miss;          /* to the first byte to the client; miss: an origin was asked */
	struct map origins;              /* struct times: to the first byte of the origin */
	struct heavy missed, clients;    /* struct missed, by URL; struct client, by address */
	struct series series;
};

void worth_init(struct worth *worth);
/* Three parts, which share nothing: any three threads may each do another one. A line is to be given to all of them. */
void worth_add(struct worth *worth, const struct logline *line);
void worth_add_frequent(struct worth *worth, const struct logline *line);    /* missed and clients */
void worth_add_series(struct worth *worth, const struct logline *line);
/* Says that the line comes soon. */
void worth_ahead(const struct worth *worth, const struct logline *line);
void worth_ahead_frequent(const struct worth *worth, const struct logline *line);
/* Adds what another counted. Pages that both saw for the first time count as seen once too often: repeats may be lower than of one
 * reader, by at most one a page. */
void worth_merge(struct worth *into, const struct worth *from);
void worth_release(struct worth *worth);

/* hits + all repeats: the most that the log's requests could have been, had every answer been stored and kept. */
uint64_t worth_potential(const struct worth *worth);
/* Time that clients did not wait: for each answer of the store, what the mean of those from origins is above it. An estimate. */
uint64_t worth_saved_us(const struct worth *worth);
/* Reasons that cost something, the dearest first; the caller's order has room for NOSTORE_COUNT. Returns how many. */
int worth_order(const struct worth *worth, int order[NOSTORE_COUNT]);
/* Places in `origins`, most answers first, then by name. The caller frees. */
size_t *worth_origins(const struct worth *worth);

#endif
