/* What inspect*.c share. */
#ifndef CACHESTORE_INSPECT_INTERNAL_H
#define CACHESTORE_INSPECT_INTERNAL_H

#include "inspect.h"
#include "internal.h"

struct inspect {
	const char *path;                    /* the caller's */
	struct folder folder;
	struct inspect_folder found;
	struct env env;
	MDB_txn *reader;                     /* reset between looks */
	bool registered;                     /* in LMDB's table of readers */
	uint64_t map_pages;
	uint32_t block_total;
	uint64_t generation;                 /* of the last object that was read */
	bool has_rules;
	struct rules rules;
	struct rule_row **rows;              /* NULL: one that is damaged */
	size_t row_count;
	char why[256];
};

/* look() in a transaction of its own, and again when pages may have changed under it. What look() returned, or an error. */
int inspect_once(struct inspect *inspect, int (*look)(void *arg, MDB_txn *txn), void *arg);
enum store_err inspect_error(struct inspect *inspect, int rc);
int inspect_load_rules(struct inspect *inspect);

#endif
