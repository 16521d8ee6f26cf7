/* The start: reads all records once to rebuild the RAM index and the bitmap. What is damaged, lies outside the data file, or
 * claims a block of a newer record is deleted. */
#include "internal.h"

enum { DELETES_PER_TXN = 1000 };

struct found {
	struct store_key key;
	uint64_t generation, head_number;
	uint32_t blocks;
	enum { FOUND_GOOD, FOUND_CONFLICT, FOUND_DAMAGED, FOUND_OUTSIDE } kind;
};
struct scan {
	struct volume *volume;
	struct found *found;
	size_t count, room, conflicts;
	uint64_t generation, born;              /* the highest */
};

static bool record_claim(struct blocks *blocks, const struct record *record)
{
	for (uint32_t i = 0; i < record->extent_count; i++) {
		struct extent extent = record_extent(record, i);

		if (blocks_claim(blocks, &extent, 1))
			continue;
		while (i-- > 0) {
			extent = record_extent(record, i);
			blocks_unalloc(blocks, &extent, 1);
		}
		return false;
	}
	return true;
}

static int scan_visit(void *arg, struct store_key key, struct slice bytes)
{
	struct scan *scan = arg;
	struct blocks *blocks = &scan->volume->blocks;
	struct record record;
	struct found found = { .key = key, .kind = FOUND_DAMAGED };

	if (record_decode(bytes, key, UINT32_MAX, &record)) {
		found.generation = record.generation;
		found.head_number = record.head_number;
		found.blocks = (uint32_t)blocks_of(record.body_size);
		if (record.generation > scan->generation)
			scan->generation = record.generation;
		if (record.meta.born > scan->born)
			scan->born = record.meta.born;
		found.kind = FOUND_GOOD;
		for (uint32_t i = 0; i < record.extent_count; i++) {
			struct extent extent = record_extent(&record, i);

			if (extent.start >= blocks->total || extent.count > blocks->total - extent.start)
				found.kind = FOUND_OUTSIDE;
		}
		if (found.kind == FOUND_GOOD && !record_claim(blocks, &record)) {
			found.kind = FOUND_CONFLICT;
			scan->conflicts++;
		}
	}
	if (scan->count == scan->room) {
		scan->room = scan->room ? scan->room * 2 : 4096;
		scan->found = must(realloc(scan->found, scan->room * sizeof(*scan->found)));
	}
	scan->found[scan->count++] = found;
	return 0;
}

static int found_newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct found *)a)->generation, y = ((const struct found *)b)->generation;

	return x > y ? -1 : x < y;
}

/* Claims again in order of generation, so that of two records with one block the newer one stays. */
static int scan_resolve(struct scan *scan, MDB_txn *txn)
{
	struct volume *volume = scan->volume;
	int rc = 0;

	blocks_clear(&volume->blocks);
	qsort(scan->found, scan->count, sizeof(*scan->found), found_newest_first);
	for (size_t i = 0; rc == 0 && i < scan->count; i++) {
		struct found *found = &scan->found[i];
		struct record record;
		struct slice bytes;

		if (found->kind > FOUND_CONFLICT || (rc = txn_get(&volume->env, txn, found->key, &bytes)) != 0)
			continue;
		found->kind = record_decode(bytes, found->key, volume->blocks.total, &record)
			&& record_claim(&volume->blocks, &record) ? FOUND_GOOD : FOUND_CONFLICT;
	}
	return rc;
}

static int scan_delete(struct scan *scan)
{
	struct env *env = &scan->volume->env;
	MDB_txn *txn = NULL;
	size_t in_txn = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < scan->count; i++) {
		const struct found *found = &scan->found[i];

		if (found->kind == FOUND_GOOD || (!txn && (rc = txn_begin_write(env, &txn)) != 0))
			continue;
		rc = txn_delete(env, txn, found->key, found->head_number);
		if (rc == 0 && ++in_txn % DELETES_PER_TXN == 0)
			rc = txn_commit(&txn);
	}
	if (rc == 0 && txn)
		rc = txn_commit(&txn);
	txn_abort(&txn);
	return rc;
}

static int rule_visit(void *arg, struct store_key key, struct slice bytes)
{
	struct volume *volume = arg;
	struct rule_row *row = rule_row_decode(bytes);
	bool good = row && key_eq(row->hash, key) && rules_load(&volume->rules, row);

	free(row);
	return good ? 0 : MDB_CORRUPTED;         /* a purge that is forgotten would bring back what it purged */
}

/* The purges in force; the clock goes on behind everything that was ever born. */
static int scan_rules(struct scan *scan, MDB_txn *txn)
{
	struct rules *rules = &scan->volume->rules;
	uint64_t clock = 0;
	int rc = txn_each_rule(&scan->volume->env, txn, rule_visit, scan->volume);

	if (rc == 0)
		rc = txn_get_clock(&scan->volume->env, txn, &clock);
	if (clock < scan->born)
		clock = scan->born;
	if (clock > atomic_load(&rules->clock))
		atomic_store(&rules->clock, clock);
	return rc;
}

int scan_run(struct volume *volume, bool verified, uint64_t *ret_deleted)
{
	struct scan scan = { .volume = volume };
	uint64_t damaged = 0, deleted = 0;
	MDB_txn *txn = NULL;
	int rc;

	if ((rc = txn_begin_read(&volume->env, &txn)) == 0
		&& (rc = txn_pages(&volume->env, txn, &volume->writer.index_pages)) == 0)
		rc = txn_each(&volume->env, txn, scan_visit, &scan);
	if (rc == 0 && scan.conflicts > 0)
		rc = scan_resolve(&scan, txn);
	if (rc == 0)
		rc = scan_rules(&scan, txn);
	txn_abort(&txn);
	if (rc == 0)
		rc = scan_delete(&scan);
	for (size_t i = 0; rc == 0 && i < scan.count; i++) {
		const struct found *found = &scan.found[i];

		if (found->kind == FOUND_GOOD)
			index_insert(volume, found->key, found->generation, found->blocks, verified);
		deleted += found->kind != FOUND_GOOD;
		damaged += found->kind == FOUND_DAMAGED || found->kind == FOUND_CONFLICT;
	}
	if (rc == 0) {
		index_sort(volume);
		atomic_store(&volume->generation, scan.generation);
		atomic_store(&volume->dropped_damaged, damaged);
		*ret_deleted = deleted;
	} else
		blocks_clear(&volume->blocks);
	free(scan.found);
	return rc;
}
