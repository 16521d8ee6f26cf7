/* Transactions of the index: the only file that calls mdb_txn_*, and the operations inside of one.
 *
 * Tables: idx (generation -> record; generations grow, so records are appended and what is evicted together lies together:
 * under the keys' hashes each would dirty a page of its own), head (generation -> long response head), misc (a counter that
 * makes a commit out of an empty transaction: LMDB skips those, and freed pages and blocks wait for commits to go by; the
 * clock of purges), rules (16-byte hash of kind and text -> a purge in force).
 * A read transaction lasts for one record and never across anything slow. */
#include "internal.h"

int txn_begin_write(struct env *env, MDB_txn **ret_txn)
{
	return mdb_txn_begin(env->env, NULL, 0, ret_txn);
}

int txn_begin_read(struct env *env, MDB_txn **ret_txn)
{
	return mdb_txn_begin(env->env, NULL, MDB_RDONLY, ret_txn);
}

int txn_commit(MDB_txn **txn)
{
	int rc = mdb_txn_commit(*txn);

	*txn = NULL;
	return rc;
}

void txn_abort(MDB_txn **txn)
{
	if (*txn)
		mdb_txn_abort(*txn);
	*txn = NULL;
}

int txn_reader_renew(struct env *env, MDB_txn **reader)
{
	return *reader ? mdb_txn_renew(*reader) : txn_begin_read(env, reader);
}

void txn_reader_reset(MDB_txn *reader)
{
	mdb_txn_reset(reader);
}

uint64_t txn_number(MDB_txn *txn)
{
	return mdb_txn_id(txn);
}

void txn_readers_end(struct env *env)
{
	txn_abort(&env->scanner);
}

int txn_open_tables(struct env *env)
{
	unsigned create = env->read_only ? 0 : MDB_CREATE;
	MDB_txn *txn = NULL;
	int rc;

	if ((rc = mdb_txn_begin(env->env, NULL, env->read_only ? MDB_RDONLY : 0, &txn)) != 0
		|| (rc = mdb_dbi_open(txn, "idx", create | MDB_INTEGERKEY, &env->idx)) != 0
		|| (rc = mdb_dbi_open(txn, "head", create | MDB_INTEGERKEY, &env->head)) != 0
		|| (rc = mdb_dbi_open(txn, "misc", create, &env->misc)) != 0
		|| (rc = mdb_dbi_open(txn, "rules", create, &env->rules)) != 0)
		goto out;
	rc = txn_commit(&txn);
out:
	txn_abort(&txn);
	return rc;
}

static MDB_val key_val(const struct store_key *key)
{
	return (MDB_val){ sizeof(*key), (void *)key };
}

static MDB_val number_val(const uint64_t *number)
{
	return (MDB_val){ sizeof(*number), (void *)number };
}

static int number_get(MDB_txn *txn, MDB_dbi table, uint64_t number, struct slice *ret_bytes)
{
	MDB_val name = number_val(&number), value;
	int rc = mdb_get(txn, table, &name, &value);

	if (rc == 0)
		*ret_bytes = slice_make(value.mv_data, value.mv_size);
	return rc;
}

int txn_get(struct env *env, MDB_txn *txn, uint64_t generation, struct slice *ret_bytes)
{
	return number_get(txn, env->idx, generation, ret_bytes);
}

int txn_get_head(struct env *env, MDB_txn *txn, const struct record *record, struct slice *ret_head)
{
	if (record->head_apart)
		return number_get(txn, env->head, record->generation, ret_head);
	*ret_head = record->head;
	return 0;
}

bool txn_get_right_head(struct env *env, MDB_txn *txn, const struct record *record, struct slice *ret_head)
{
	return txn_get_head(env, txn, record, ret_head) == 0 && ret_head->len == record->head.len
		&& record_sum(ret_head->ptr, ret_head->len, record->key, record->generation) == record->head_checksum;
}

/* Room for `len` bytes under a number which is mostly the highest. */
static int number_put(MDB_txn *txn, MDB_dbi table, uint64_t number, size_t len, bool in_order, void **ret_at)
{
	MDB_val name = number_val(&number), value = { len, NULL };
	int rc = mdb_put(txn, table, &name, &value, MDB_RESERVE | MDB_APPEND);

	/* Objects are queued in nearly the order in which they got their numbers. */
	if (rc == MDB_KEYEXIST && !in_order)
		rc = mdb_put(txn, table, &name, &value, MDB_RESERVE);
	*ret_at = value.mv_data;
	return rc;
}

int txn_put(struct env *env, MDB_txn *txn, struct record *record, const struct extent *extents, bool in_order)
{
	void *at;
	int rc = 0;

	record->head_apart = record->head.len > HEAD_INLINE_MAX;
	if (record->head_apart && (rc = number_put(txn, env->head, record->generation, record->head.len, in_order, &at)) == 0)
		memcpy(at, record->head.ptr, record->head.len);
	if (rc == 0 && (rc = number_put(txn, env->idx, record->generation, record_size(record), in_order, &at)) == 0)
		record_encode(record, extents, at);
	return rc;
}

int txn_delete(struct env *env, MDB_txn *txn, uint64_t generation, bool head_apart)
{
	MDB_val name = number_val(&generation);
	int rc = mdb_del(txn, env->idx, &name, NULL);

	if (rc == 0 && head_apart) {
		rc = mdb_del(txn, env->head, &name, NULL);
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	return rc;
}

int txn_touch(struct env *env, MDB_txn *txn)
{
	uint64_t number = mdb_txn_id(txn);
	MDB_val name = { 4, (void *)"tick" }, value = { sizeof(number), &number };

	return mdb_put(txn, env->misc, &name, &value, 0);
}

/* A node: 8 bytes before the key, its place in the page's table, and values of even length. */
size_t txn_leaf_bytes(size_t record_bytes, bool *ret_apart)
{
	enum { NODE_BYTES = 8 + sizeof(uint64_t), NODE_MAX = (LEAF_BYTES / 2 & ~1) - 2 };

	*ret_apart = NODE_BYTES + record_bytes > NODE_MAX;
	return NODE_BYTES + 2 + (*ret_apart ? sizeof(uint64_t) : (record_bytes + 1) / 2 * 2);
}

int txn_size(struct env *env, MDB_txn *txn, struct index_size *ret_size)
{
	const MDB_dbi tables[] = { env->idx, env->head, env->rules };
	struct index_size size = { 0 };
	MDB_stat stat;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < COUNT_OF(tables); i++) {
		if ((rc = mdb_stat(txn, tables[i], &stat)) != 0)
			break;
		size.pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
		if (tables[i] == env->idx) {
			size.leaves = stat.ms_leaf_pages;
			size.records = stat.ms_entries;
		}
	}
	if (rc == 0)
		*ret_size = size;
	return rc;
}

int txn_count(struct env *env, MDB_txn *txn, uint64_t *ret_records)
{
	MDB_stat stat;
	int rc = mdb_stat(txn, env->idx, &stat);

	*ret_records = rc == 0 ? stat.ms_entries : 0;
	return rc;
}

int txn_each_some(struct env *env, MDB_txn *txn, uint64_t *generation, size_t count, record_visit visit, void *arg, size_t *ret_seen)
{
	uint64_t from = *generation + 1;
	MDB_val name = number_val(&from), value;
	MDB_cursor *cursor = NULL;
	int rc = mdb_cursor_open(txn, env->idx, &cursor);

	*ret_seen = 0;
	if (rc == 0)
		rc = mdb_cursor_get(cursor, &name, &value, MDB_SET_RANGE);
	while (rc == 0) {
		if (name.mv_size != sizeof(*generation)) {
			rc = MDB_CORRUPTED;
			break;
		}
		memcpy(generation, name.mv_data, sizeof(*generation));
		if ((rc = visit(arg, *generation, slice_make(value.mv_data, value.mv_size))) != 0 || ++*ret_seen == count)
			break;
		rc = mdb_cursor_get(cursor, &name, &value, MDB_NEXT);
	}
	if (cursor)
		mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int txn_each(struct env *env, MDB_txn *txn, record_visit visit, void *arg)
{
	uint64_t generation = 0;
	size_t seen;

	return txn_each_some(env, txn, &generation, SIZE_MAX, visit, arg, &seen);
}

/* ---- purges ---- */
static MDB_val clock_name(void)
{
	return (MDB_val){ 6, (void *)"purges" };
}

static int clock_put(struct env *env, MDB_txn *txn, uint64_t clock)
{
	MDB_val name = clock_name(), value = { sizeof(clock), &clock };

	return mdb_put(txn, env->misc, &name, &value, 0);
}

int txn_put_rule(struct env *env, MDB_txn *txn, const struct rule_row *row, uint64_t clock)
{
	MDB_val name = key_val(&row->hash), value = { rule_row_size(row), NULL };
	int rc;

	if (row->hard == 0 && row->soft == 0)
		rc = mdb_del(txn, env->rules, &name, NULL);
	else if ((rc = mdb_put(txn, env->rules, &name, &value, MDB_RESERVE)) == 0)
		rule_row_encode(row, value.mv_data);
	return rc == 0 || rc == MDB_NOTFOUND ? clock_put(env, txn, clock) : rc;
}

int txn_each_rule(struct env *env, MDB_txn *txn, int (*visit)(void *arg, struct store_key key, struct slice bytes), void *arg)
{
	MDB_cursor *cursor = NULL;
	MDB_val name, value;
	int rc = mdb_cursor_open(txn, env->rules, &cursor);

	while (rc == 0 && (rc = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)) == 0) {
		struct store_key key;

		if (name.mv_size != sizeof(key)) {
			rc = MDB_CORRUPTED;
			break;
		}
		memcpy(&key, name.mv_data, sizeof(key));
		rc = visit(arg, key, slice_make(value.mv_data, value.mv_size));
	}
	if (cursor)
		mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int txn_get_clock(struct env *env, MDB_txn *txn, uint64_t *ret_clock)
{
	MDB_val name = clock_name(), value;
	int rc = mdb_get(txn, env->misc, &name, &value);

	*ret_clock = 0;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && value.mv_size != sizeof(*ret_clock))
		rc = MDB_CORRUPTED;
	if (rc == 0)
		memcpy(ret_clock, value.mv_data, sizeof(*ret_clock));
	return rc;
}

/* ---- names of owners: misc, "owner" NAME -> u16 ---- */
enum { OWNER_PREFIX = 5, OWNER_KEY_MAX = OWNER_PREFIX + OWNER_NAME_MAX };

int txn_put_owner(struct env *env, MDB_txn *txn, struct slice name, uint16_t number)
{
	char text[OWNER_KEY_MAX];
	MDB_val key = { OWNER_PREFIX + name.len, text }, value = { sizeof(number), &number };

	CHECK(name.len <= OWNER_NAME_MAX);
	memcpy(text, "owner", OWNER_PREFIX);
	memcpy(text + OWNER_PREFIX, name.ptr, name.len);
	return mdb_put(txn, env->misc, &key, &value, 0);
}

int txn_each_owner(struct env *env, MDB_txn *txn, int (*visit)(void *arg, struct slice name, uint16_t number), void *arg)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	int rc = mdb_cursor_open(txn, env->misc, &cursor);

	while (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		uint16_t number;

		if (key.mv_size <= OWNER_PREFIX || memcmp(key.mv_data, "owner", OWNER_PREFIX) != 0 || value.mv_size != sizeof(number))
			continue;
		memcpy(&number, value.mv_data, sizeof(number));
		rc = visit(arg, slice_make((const char *)key.mv_data + OWNER_PREFIX, key.mv_size - OWNER_PREFIX), number);
	}
	if (cursor)
		mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

struct rule_copy { struct env *to; MDB_txn *writing; uint64_t clock; };

static int rule_copy_one(void *arg, struct store_key key, struct slice bytes)
{
	struct rule_copy *copy = arg;
	struct rule_row *row = rule_row_decode(bytes);
	int rc = row && key_eq(row->hash, key) ? txn_put_rule(copy->to, copy->writing, row, copy->clock) : MDB_CORRUPTED;

	free(row);
	return rc;
}

static int owner_copy_one(void *arg, struct slice name, uint16_t number)
{
	struct rule_copy *copy = arg;

	return name.len <= OWNER_NAME_MAX ? txn_put_owner(copy->to, copy->writing, name, number) : 0;
}

int txn_copy_rules(struct env *from, MDB_txn *reading, struct env *to, MDB_txn *writing)
{
	struct rule_copy copy = { .to = to, .writing = writing };
	int rc = txn_get_clock(from, reading, &copy.clock);

	if (rc == 0 && copy.clock > 0)
		rc = clock_put(to, writing, copy.clock);
	if (rc == 0)
		rc = txn_each_owner(from, reading, owner_copy_one, &copy);
	return rc == 0 ? txn_each_rule(from, reading, rule_copy_one, &copy) : rc;
}
