/* The start: reads all records once to rebuild the RAM index and the bitmap. What is damaged, lies outside the data file, is
 * of the same key as a newer record or claims a block of one is deleted. */
#include "internal.h"

#include <fcntl.h>

enum { DELETES_PER_TXN = 1000, PROGRESS_RECORDS = 4096 };

struct found {
	struct store_key key;
	uint64_t generation;
	uint32_t blocks;
	uint16_t owner;
	enum { FOUND_GOOD, FOUND_OLD, FOUND_CONFLICT, FOUND_DAMAGED, FOUND_OUTSIDE } kind;
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

static int scan_visit(void *arg, uint64_t generation, struct slice bytes)
{
	struct scan *scan = arg;
	struct blocks *blocks = &scan->volume->blocks;
	struct record record;
	struct found found = { .generation = generation, .kind = FOUND_DAMAGED };
	bool apart;

	if (record_decode(bytes, generation, UINT32_MAX, &record)) {
		found.key = record.key;
		found.blocks = (uint32_t)blocks_of(record.body_size);
		found.owner = record.meta.owner;
		if (record.meta.born > scan->born)
			scan->born = record.meta.born;
		found.kind = record_is_inside(&record, blocks->total) ? FOUND_GOOD : FOUND_OUTSIDE;
		if (found.kind == FOUND_GOOD && !record_claim(blocks, &record)) {
			found.kind = FOUND_CONFLICT;
			scan->conflicts++;
		}
	}
	scan->volume->writer.record_bytes += txn_leaf_bytes(bytes.len, &apart);
	scan->generation = generation;
	if (scan->count == scan->room) {
		scan->room = scan->room * 2;
		scan->found = must(realloc(scan->found, scan->room * sizeof(*scan->found)));
	}
	scan->found[scan->count++] = found;
	return scan->count % PROGRESS_RECORDS == 0 ? start_progress(scan->volume, scan->count) : 0;
}

static struct found *found_get(const struct scan *scan, uint64_t generation)
{
	size_t low = 0, high = scan->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (scan->found[middle].generation < generation)
			low = middle + 1;
		else
			high = middle;
	}
	return &scan->found[low];
}

/* Puts them into the index, the oldest first. Of two records of one key, which a crash may leave, the newer one stays. */
static void scan_index(struct scan *scan, bool verified)
{
	for (size_t i = 0; i < scan->count; i++) {
		const struct found *found = &scan->found[i];
		uint64_t older;

		if (found->kind != FOUND_GOOD && found->kind != FOUND_CONFLICT)
			continue;
		older = index_insert(scan->volume, found->key, found->generation, found->blocks, found->owner, verified);
		if (older > 0) {
			found_get(scan, older)->kind = FOUND_OLD;
			scan->conflicts++;
		}
	}
}

/* Claims again, the newest first, so that of two records with one block the newer one stays. */
static int scan_resolve(struct scan *scan, MDB_txn *txn)
{
	struct volume *volume = scan->volume;
	int rc = 0;

	blocks_clear(&volume->blocks);
	for (size_t i = scan->count; rc == 0 && i-- > 0;) {
		struct found *found = &scan->found[i];
		struct record record;
		struct slice bytes;

		if ((found->kind != FOUND_GOOD && found->kind != FOUND_CONFLICT)
				|| (rc = txn_get(&volume->env, txn, found->generation, &bytes)) != 0)
			continue;
		found->kind = record_decode(bytes, found->generation, volume->blocks.total, &record)
			&& record_claim(&volume->blocks, &record) ? FOUND_GOOD : FOUND_CONFLICT;
		if (found->kind == FOUND_CONFLICT)
			index_remove(volume, found->key, found->generation);
	}
	return rc;
}

static int scan_delete(struct scan *scan)
{
	struct env *env = &scan->volume->env;
	MDB_txn *txn = NULL;
	struct slice bytes;
	size_t in_txn = 0;
	bool apart;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < scan->count; i++) {
		const struct found *found = &scan->found[i];

		if (found->kind == FOUND_GOOD || (!txn && (rc = txn_begin_write(env, &txn)) != 0))
			continue;
		if ((rc = txn_get(env, txn, found->generation, &bytes)) == 0) {
			scan->volume->writer.record_bytes -= txn_leaf_bytes(bytes.len, &apart);
			rc = txn_delete(env, txn, found->generation, true);   /* there may be a head */
		}
		if (rc == 0 && ++in_txn % DELETES_PER_TXN == 0 && (rc = txn_commit(&txn)) == 0)
			rc = start_progress(scan->volume, scan->count);
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

/* How many there will be; and from a cold disk the index is read from its beginning to its end, not in the order of keys. */
static int scan_prepare(struct scan *scan, MDB_txn *txn)
{
	struct volume *volume = scan->volume;
	uint64_t records = 0;
	MDB_envinfo info;
	int rc = txn_count(&volume->env, txn, &records), fd;

	if (rc != 0)
		return rc;
	if (records > volume->map_bytes / RECORD_FIXED)
		return MDB_CORRUPTED;
	atomic_store(&volume->start.total, records);
	scan->room = records + 1;
	scan->found = must(malloc(scan->room * sizeof(*scan->found)));
	index_reserve(volume, records);
	if (mdb_env_info(volume->env.env, &info) == 0 && mdb_env_get_fd(volume->env.env, &fd) == 0)
		posix_fadvise(fd, 0, (off_t)(info.me_last_pgno + 1) * 4096, POSIX_FADV_WILLNEED);
	return 0;
}

/* A name that is lost gets another number, and its old objects count for nobody: no reason to set an index aside. */
static int owner_visit(void *arg, struct slice name, uint16_t number)
{
	struct volume *volume = arg;

	owners_load(&volume->owners, number, name);
	return 0;
}

int scan_run(struct volume *volume, bool verified, uint64_t *ret_deleted)
{
	struct scan scan = { .volume = volume };
	uint64_t damaged = 0, deleted = 0;
	MDB_txn *txn = NULL;
	int rc;

	if ((rc = txn_begin_read(&volume->env, &txn)) == 0
		&& (rc = txn_size(&volume->env, txn, &volume->writer.index)) == 0)
		rc = scan_prepare(&scan, txn);
	if (rc == 0)
		rc = txn_each(&volume->env, txn, scan_visit, &scan);
	if (rc == 0)
		scan_index(&scan, verified);
	if (rc == 0 && scan.conflicts > 0)
		rc = scan_resolve(&scan, txn);
	if (rc == 0)
		rc = scan_rules(&scan, txn);
	if (rc == 0)
		rc = txn_each_owner(&volume->env, txn, owner_visit, volume);
	txn_abort(&txn);
	atomic_store(&volume->start.records, scan.count);
	if (rc == 0)
		rc = scan_delete(&scan);
	for (size_t i = 0; rc == 0 && i < scan.count; i++) {
		const struct found *found = &scan.found[i];

		deleted += found->kind != FOUND_GOOD;
		damaged += found->kind == FOUND_DAMAGED || found->kind == FOUND_CONFLICT;
	}
	if (rc == 0) {
		atomic_store(&volume->generation, (scan.generation / GENERATION_STEP + 1) * GENERATION_STEP);
		atomic_store(&volume->dropped_damaged, damaged);
		*ret_deleted = deleted;
	} else {
		blocks_clear(&volume->blocks);
		index_clear(volume);              /* another one may be tried */
	}
	free(scan.found);
	return rc;
}
