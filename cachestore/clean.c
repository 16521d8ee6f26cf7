/* The cleaner: keeps the leaves of the index full. Records lie in the order in which they were put, but leave in any order, and
 * LMDB merges leaves only when they are a quarter full: what survives would lie alone in old leaves, and the index would be
 * full though it is mostly empty. So, as in a log-structured file system (Rosenblum and Ousterhout 1992), a hand goes around
 * over the table of records, and records of leaves that are sparse are written again at its end.
 *
 * It works when the index has many pages and they are sparse, within commits that store something, and in proportion to what
 * they store. Where a record lies and which object it is are two things (index.c): nobody who has the object notices.
 *   - Only current records move, and those that are right. The new one names the same blocks, which stay where they are.
 *   - The old one is deleted one commit later, so that who looked up where it lies finds it there. After a crash between
 *     the two the start finds both, and keeps the newer one.
 *   - If the object was replaced or dropped meanwhile, the new record is deleted instead. */
#include "internal.h"

enum {
	/* Of index_pages_max: below BEGIN there is room enough; at FULL everything that helps is done; from BEHIND on objects leave. */
	PAGES_BEGIN = 90, PAGES_FULL = 105, PAGES_BEHIND = 112,
	/* Of the bytes of leaves. So dense the index is kept, by moving and by evicting; above the second all is well. */
	DENSE_PERCENT = 65, DENSE_ENOUGH = 80,
	/* Of one leaf's bytes: with fewer it is emptied. A leaf just written has more than two thirds, unless sizes differ much. */
	SPARSE_MIN = 30, SPARSE_MAX = 65,
	/* What one batch may cost: as many moves as puts, and looks at four times as many records. */
	MOVES_MIN = 16, MOVES_MAX = GENERATION_STEP / 2, LOOKS_PER_MOVE = 4,
	REST_BATCHES = 32,
};

void cleaner_init(struct cleaner *cleaner)
{
	pthread_mutex_init(&cleaner->still, NULL);
}

void cleaner_release(struct cleaner *cleaner)
{
	free(cleaner->found);
	free(cleaner->moves);
	free(cleaner->record);
	pthread_mutex_destroy(&cleaner->still);
	*cleaner = (struct cleaner){ 0 };
}

/* Pages that the index would have if its leaves were as full as they are to be. */
static uint64_t pages_dense(const struct writer *writer)
{
	return writer->index.pages - writer->index.leaves + writer->record_bytes * 100 / ((uint64_t)LEAF_BYTES * DENSE_PERCENT);
}

size_t cleaner_surplus(const struct volume *volume, size_t puts)
{
	const struct writer *writer = &volume->writer;
	uint64_t pages = pages_dense(writer), room = volume->index_pages_max, records = writer->index.records + puts, fit;

	/* The cleaner is behind: what is there counts, and not what could be made of it. */
	if (writer->index.pages * 100 > room * PAGES_BEHIND && writer->index.pages > pages)
		pages = writer->index.pages;
	if (pages < room / 4 * 3)                 /* a batch adds an eighth at most; and what a record needs is known from many */
		return 0;
	fit = room * writer->index.records / pages + writer->doomed_count;
	return records > fit ? (size_t)(records - fit) : 0;
}

/* The nearer the index is to its bound, the more a leaf must hold to be left alone. 0: nothing is to be done. */
static uint32_t sparse_make(const struct volume *volume)
{
	const struct writer *writer = &volume->writer;
	uint64_t percent = writer->index.pages * 100 / volume->index_pages_max;

	if (percent < PAGES_BEGIN || writer->record_bytes * 100 >= writer->index.leaves * LEAF_BYTES * DENSE_ENOUGH)
		return 0;
	if (percent > PAGES_FULL)
		percent = PAGES_FULL;
	return (uint32_t)(SPARSE_MIN + (SPARSE_MAX - SPARSE_MIN) * (percent - PAGES_BEGIN) / (PAGES_FULL - PAGES_BEGIN)) * LEAF_BYTES / 100;
}

bool cleaner_begin(struct volume *volume, size_t puts)
{
	struct cleaner *cleaner = &volume->writer.cleaner;
	size_t budget = puts + MOVES_MIN, max = volume->batch_jobs < MOVES_MAX ? volume->batch_jobs : MOVES_MAX;

	cleaner->sparse = puts > 0 ? sparse_make(volume) : 0;
	if (cleaner->sparse > 0 && cleaner->rest > 0) {
		cleaner->rest--;
		return false;
	}
	if (cleaner->sparse == 0 || pthread_mutex_trylock(&cleaner->still) != 0)
		return false;
	cleaner->budget = budget < max ? budget : max;
	return true;
}

void cleaner_yield(struct cleaner *cleaner)
{
	cleaner->rest = REST_BATCHES;
}

/* ---- what shall be moved ---- */

struct look {
	struct cleaner *cleaner;
	uintptr_t leaf;                         /* where it lies in the map */
	size_t first;                           /* its first record in found[] */
	size_t bytes;
	uint64_t before, last;                  /* the last record before it; the last one in it */
	bool full;                              /* the budget is used up */
};

static void found_push(struct cleaner *cleaner, uint64_t generation)
{
	if (cleaner->found_count == cleaner->found_room) {
		cleaner->found_room = cleaner->found_room ? cleaner->found_room * 2 : 256;
		cleaner->found = must(realloc(cleaner->found, cleaner->found_room * sizeof(*cleaner->found)));
	}
	cleaner->found[cleaner->found_count++] = generation;
}

/* The leaf is seen to its end: its records stay in found[], or not. False: they are more than may be moved besides others. */
static bool leaf_end(struct look *look)
{
	struct cleaner *cleaner = look->cleaner;

	if (look->bytes >= cleaner->sparse)
		cleaner->found_count = look->first;
	if (cleaner->found_count <= cleaner->budget)
		return true;
	cleaner->found_count = look->first > 0 ? look->first : cleaner->budget;
	return look->first == 0;
}

/* The transaction has changed nothing yet: a record's address tells its leaf. Those with pages of their own gain nothing. */
static int look_visit(void *arg, uint64_t generation, struct slice bytes)
{
	struct look *look = arg;
	uintptr_t leaf = (uintptr_t)bytes.ptr / PAGE_BYTES;
	bool apart;
	size_t size = txn_leaf_bytes(bytes.len, &apart);

	if (apart)
		return 0;
	if (leaf != look->leaf) {
		look->full = !leaf_end(look);
		if (look->full)
			return MDB_NOTFOUND;      /* ends the visit */
		look->before = look->last;
		look->leaf = leaf;
		look->first = look->cleaner->found_count;
		look->bytes = 0;
	}
	look->last = generation;
	look->bytes += size;
	found_push(look->cleaner, generation);
	return 0;
}

int cleaner_find(struct volume *volume, MDB_txn *txn)
{
	struct cleaner *cleaner = &volume->writer.cleaner;
	struct look look = { .cleaner = cleaner, .before = cleaner->hand, .last = cleaner->hand };
	uint64_t at = cleaner->hand;
	size_t seen, looks = cleaner->budget * LOOKS_PER_MOVE;
	int rc;

	if (cleaner->budget == 0)
		return 0;
	rc = txn_each_some(&volume->env, txn, &at, looks, look_visit, &look, &seen);
	if (look.full)
		cleaner->hand = look.before;
	else if (seen == looks) {                 /* the last leaf may go on: another time */
		cleaner->found_count = look.first;
		cleaner->hand = at;
	} else {
		leaf_end(&look);
		cleaner->hand = 0;
	}
	return rc;
}

/* ---- moving ---- */

static void move_push(struct cleaner *cleaner, struct move move)
{
	if (cleaner->move_count == cleaner->move_room) {
		cleaner->move_room = cleaner->move_room ? cleaner->move_room * 2 : 256;
		cleaner->moves = must(realloc(cleaner->moves, cleaner->move_room * sizeof(*cleaner->moves)));
	}
	cleaner->moves[cleaner->move_count++] = move;
}

/* A copy of the record, with its head, that stays while the transaction goes on. False: gone, or not right. */
static bool record_copy(struct volume *volume, MDB_txn *txn, uint64_t generation, struct record *ret_record)
{
	struct cleaner *cleaner = &volume->writer.cleaner;
	struct slice bytes, head;
	unsigned char *head_at;

	if (!cleaner->record)
		cleaner->record = must(malloc(RECORD_MAX + RECORD_SUM + STORE_HEAD_MAX));
	head_at = cleaner->record + RECORD_MAX + RECORD_SUM;
	if (txn_get(&volume->env, txn, generation, &bytes) != 0 || bytes.len > RECORD_MAX + RECORD_SUM)
		return false;
	memcpy(cleaner->record, bytes.ptr, bytes.len);
	if (!record_decode(slice_make((char *)cleaner->record, bytes.len), generation, volume->blocks.total, ret_record)
			|| !txn_get_right_head(&volume->env, txn, ret_record, &head))
		return false;
	if (head.len > 0)
		memcpy(head_at, head.ptr, head.len);
	ret_record->head = slice_make((char *)head_at, head.len);
	return true;
}

static int record_move(struct volume *volume, MDB_txn *txn, uint64_t from, uint64_t to, uint64_t *record_bytes)
{
	struct extent *extents;
	struct record record;
	bool apart;
	int rc;

	if (!record_copy(volume, txn, from, &record) || !index_is_current(volume, record.key, from))
		return 0;
	record.generation = to;
	record.head_checksum = record_sum(record.head.ptr, record.head.len, record.key, to);
	extents = record_extents(&record);
	if ((rc = txn_put(&volume->env, txn, &record, extents, false)) == 0) {
		*record_bytes += txn_leaf_bytes(record_size(&record), &apart);
		move_push(&volume->writer.cleaner, (struct move){ .key = record.key, .from = from, .to = to, .has_blocks = extents != NULL,
			.start = extents ? extents[0].start : 0 });
	}
	free(extents);
	return rc;
}

int cleaner_move(struct volume *volume, MDB_txn *txn, uint64_t newest, uint64_t *record_bytes)
{
	struct cleaner *cleaner = &volume->writer.cleaner;
	uint64_t to = newest > cleaner->last ? newest : cleaner->last;
	int rc = 0;

	/* Behind what is put now and before what is put next. The number of what is put must not be reached. */
	for (size_t i = 0; rc == 0 && newest > 0 && i < cleaner->found_count && (to + 1) % GENERATION_STEP != 0; i++) {
		size_t moves = cleaner->move_count;

		rc = record_move(volume, txn, cleaner->found[i], to + 1, record_bytes);
		to += cleaner->move_count - moves;
	}
	cleaner->last = to;                       /* committed or not: each number is given once */
	return rc;
}

/* ---- afterwards ---- */

static void move_end(struct volume *volume, const struct move *move)
{
	if (index_move(volume, move->key, move->from, move->to)) {
		doomed_push(&volume->writer, (struct doomed){ .key = move->key, .generation = move->from, .moved = true });
		return;
	}
	/* Whoever took it out of the index has the old record deleted, and knows nothing of this one. */
	if (move->has_blocks)
		blocks_share(&volume->blocks, move->start);
	doomed_push(&volume->writer, (struct doomed){ .key = move->key, .generation = move->to });
}

void cleaner_end(struct volume *volume, bool committed)
{
	struct cleaner *cleaner = &volume->writer.cleaner;

	if (cleaner->budget == 0)
		return;
	for (size_t i = 0; committed && i < cleaner->move_count; i++)
		move_end(volume, &cleaner->moves[i]);
	if (committed)
		atomic_fetch_add(&volume->moved, cleaner->move_count);
	cleaner->found_count = cleaner->move_count = 0;
	cleaner->budget = 0;
	pthread_mutex_unlock(&cleaner->still);
}
