/* Miss-ratio curves: the hit ratio that a volume of another size would have had, by simulating small ones.
 *
 * Of the objects, those whose hash is below a bound are taken (spatial sampling: Waldspurger et al., SHARDS, FAST 2015), and a cache
 * of that share of each size is played with their requests (miniature simulation, USENIX ATC 2017). The bound is halved whenever more
 * than MRC_KEYS_MAX objects are in the sample: at least half as many always are, or all there are. The policy is LRU, by bytes in
 * blocks; lifetimes are played, too. What a sample has too few or too many requests of, hot objects being in it or not, is corrected
 * (SHARDS-adj). */
#ifndef LOGAUDIT_MRC_H
#define LOGAUDIT_MRC_H

#include "../conf/logline.h"
#include "map.h"

/* Sizes are 2m, 3m, 4m, 6m, 8m ... 768g. The last simulation has room for everything. */
enum { MRC_SIZES = 38, MRC_UNLIMITED = MRC_SIZES, MRC_KEYS_MAX = 1 << 14 };
uint64_t mrc_size(int i);

struct mrc_object { uint64_t key, variant, hash, requests, bytes; uint32_t room; bool renews; };
/* until_s 0: not in. Seconds since 1970. */
struct mrc_entry { uint32_t newer, older, until_s, hits; };
struct mrc_sim { struct mrc_entry *entries; uint64_t used; uint32_t newest, oldest; };

struct mrc {
	uint64_t requests, bytes;        /* all of the volume */
	uint64_t storable, storable_bytes;       /* those that an answer in the store could have served */
	uint64_t hits, hit_bytes;        /* as the log has them */
	uint64_t bound;                  /* hashes up to it are in the sample */
	struct keys index;               /* key, variant: value[0] is the object's number */
	struct mrc_object *objects;
	uint32_t count, cap;
	struct mrc_sim sims[MRC_SIZES + 1];
	int started;                     /* simulations 0 to below it have had less room than was wanted; the others are as the unlimited one */
};

void mrc_init(struct mrc *mrc);
/* One request record of the volume; in the order of the log. */
void mrc_add(struct mrc *mrc, const struct logline *line);
void mrc_release(struct mrc *mrc);

/* Shares of all requests, and of all bytes, that a cache of mrc_size(i), or MRC_UNLIMITED, would have answered. */
struct mrc_point { double requests, bytes; };
struct mrc_point mrc_point(const struct mrc *mrc, int i);
/* Whether so small a cache says anything: the sample's part of it holds at least MRC_OBJECTS_MIN objects of mean size. */
enum { MRC_OBJECTS_MIN = 16 };
bool mrc_is_sure(const struct mrc *mrc, int i);
/* The share of objects in the sample; objects and bytes of all, estimated from it. */
double mrc_rate(const struct mrc *mrc);
uint64_t mrc_objects(const struct mrc *mrc);
uint64_t mrc_footprint(const struct mrc *mrc);
/* The smallest size whose ratios, by requests and by bytes, are within MRC_KNEE of the unlimited ones. MRC_UNLIMITED: none is. */
#define MRC_KNEE 0.01
int mrc_knee(const struct mrc *mrc);

#endif
