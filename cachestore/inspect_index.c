/* The index as a whole, for those who only look: the pages of its map, its readers, the purges in force. */
#include "inspect_internal.h"

#include <stdio.h>
#include <unistd.h>

enum { META_PAGES = 2, FREE_TABLE = 0, MAIN_TABLE = 1, OTHER_COMMITS_MAX = 1000 };

/* ---- pages ---- */

struct page_count {
	struct inspect *inspect;
	struct inspect_index *index;
	unsigned char *seen;                 /* a bit a page: on the free list */
	bool moved;                          /* a commit came between: the numbers are not of one state */
};

static int count_tables(struct page_count *count, MDB_txn *txn)
{
	const struct env *env = &count->inspect->env;
	const MDB_dbi tables[] = { FREE_TABLE, MAIN_TABLE, env->idx, env->head, env->misc, env->rules };
	int rc = 0;

	count->index->used = META_PAGES;
	for (size_t i = 0; rc == 0 && i < COUNT_OF(tables); i++) {
		MDB_stat stat = { 0 };

		rc = mdb_stat(txn, tables[i], &stat);
		count->index->used += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
		if (tables[i] == env->idx)
			count->index->records = stat.ms_entries;
	}
	return rc;
}

/* A row of the free list: how many, then the numbers. */
static void count_free_row(struct page_count *count, MDB_val value, uint64_t pages)
{
	size_t room = value.mv_size / sizeof(size_t), listed = 0;

	if (room > 0)
		memcpy(&listed, value.mv_data, sizeof(listed));
	if (room == 0 || listed > room - 1) {
		count->index->wrong++;
		return;
	}
	for (size_t i = 1; i <= listed; i++) {
		size_t page;

		memcpy(&page, (const char *)value.mv_data + i * sizeof(page), sizeof(page));
		if (page < META_PAGES || page >= pages || (count->seen[page / 8] >> page % 8 & 1)) {
			count->index->wrong++;
			continue;
		}
		count->seen[page / 8] |= (unsigned char)(1 << page % 8);
		count->index->free++;
	}
}

static int count_look(void *arg, MDB_txn *txn)
{
	struct page_count *count = arg;
	MDB_cursor *cursor = NULL;
	MDB_envinfo info = { 0 };
	MDB_val name, value;
	uint64_t pages;
	int rc;

	mdb_env_info(count->inspect->env.env, &info);
	count->moved = info.me_last_txnid != txn_number(txn);
	if (count->moved)
		return 0;
	pages = info.me_last_pgno + 1;
	*count->index = (struct inspect_index){ .map = count->inspect->map_pages, .commit = info.me_last_txnid };
	if (pages > count->index->map)
		return MDB_CORRUPTED;
	memset(count->seen, 0, count->inspect->map_pages / 8 + 1);
	if ((rc = count_tables(count, txn)) == 0)
		rc = mdb_cursor_open(txn, FREE_TABLE, &cursor);
	while (rc == 0 && (rc = mdb_cursor_get(cursor, &name, &value, MDB_NEXT)) == 0) {
		count_free_row(count, value, pages);
		if (count->index->wrong + count->index->free > 2 * pages)   /* pages that point in circles */
			rc = MDB_CORRUPTED;
	}
	if (cursor)
		mdb_cursor_close(cursor);
	count->index->untouched = count->index->map - pages;
	if (count->index->used + count->index->free < pages)
		count->index->lost = pages - count->index->used - count->index->free;
	else
		count->index->wrong += count->index->used + count->index->free - pages;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum store_err inspect_index(struct inspect *inspect, struct inspect_index *ret_index)
{
	struct inspect_index index = { 0 };
	struct page_count count = { .inspect = inspect, .index = &index, .seen = must(malloc(inspect->map_pages / 8 + 1)) };
	enum store_err err;
	int rc, tries = 0;

	do
		rc = inspect_once(inspect, count_look, &count);
	while (rc == 0 && count.moved && ++tries < OTHER_COMMITS_MAX);
	free(count.seen);
	err = inspect_error(inspect, rc == 0 && count.moved ? EBUSY : rc);
	if (err != STORE_OK)
		return err;
	index.limit = index_pages_limit(index.map);
	*ret_index = index;
	return STORE_OK;
}

/* ---- readers ---- */

struct oldest { pid_t pid; uint64_t commit; };

/* A line of mdb_reader_list(): pid, thread, number of the commit that it sees, or - when it sees none. */
static int reader_line(const char *line, void *arg)
{
	struct oldest *oldest = arg;
	unsigned long long thread, commit;
	int pid;

	if (sscanf(line, "%d %llx %llu", &pid, &thread, &commit) == 3 && pid != getpid() && (oldest->pid == 0 || commit < oldest->commit))
		*oldest = (struct oldest){ pid, commit };
	return 0;
}

enum store_err inspect_oldest_reader(struct inspect *inspect, pid_t *ret_pid, uint64_t *ret_behind)
{
	struct oldest oldest = { 0, 0 };
	MDB_envinfo info = { 0 };
	int rc = inspect->registered ? mdb_reader_list(inspect->env.env, reader_line, &oldest) : 0;

	if (rc < 0)
		return inspect_error(inspect, rc);
	mdb_env_info(inspect->env.env, &info);
	*ret_pid = oldest.pid;
	*ret_behind = oldest.pid != 0 && info.me_last_txnid > oldest.commit ? info.me_last_txnid - oldest.commit : 0;
	return STORE_OK;
}

/* ---- purges ---- */

static int rule_visit(void *arg, struct store_key key, struct slice bytes)
{
	struct inspect *inspect = arg;
	struct rule_row *row = rule_row_decode(bytes);

	if (row && !key_eq(row->hash, key)) {
		free(row);
		row = NULL;
	}
	inspect->rows = must(realloc(inspect->rows, (inspect->row_count + 1) * sizeof(struct rule_row *)));
	inspect->rows[inspect->row_count++] = row;
	return inspect->row_count > RULES_MAX + RULES_MAX / 16 ? MDB_CORRUPTED : 0;   /* more than there ever are: pages that point in circles */
}

static int rules_look(void *arg, MDB_txn *txn)
{
	struct inspect *inspect = arg;

	while (inspect->row_count > 0)            /* of a try before */
		free(inspect->rows[--inspect->row_count]);
	return txn_each_rule(&inspect->env, txn, rule_visit, inspect);
}

int inspect_load_rules(struct inspect *inspect)
{
	int rc = inspect_once(inspect, rules_look, inspect);

	for (size_t i = 0; rc == 0 && i < inspect->row_count; i++)
		if (inspect->rows[i] && !rules_load(&inspect->rules, inspect->rows[i])) {
			free(inspect->rows[i]);
			inspect->rows[i] = NULL;
		}
	return rc;
}

enum store_err inspect_rules(struct inspect *inspect, void (*visit)(void *arg, const struct inspect_rule *rule), void *arg)
{
	for (size_t i = 0; i < inspect->row_count; i++) {
		const struct rule_row *row = inspect->rows[i];
		struct inspect_rule rule = { .damage = "a purge cannot be read: what it purged would be served again" };

		if (row)
			rule = (struct inspect_rule){ NULL, (enum purge_kind)row->kind, slice_make(row->text, row->text_len), row->hard, row->soft };
		visit(arg, &rule);
	}
	return STORE_OK;
}

enum inspect_purged inspect_judge(struct inspect *inspect, struct slice text, const struct object_meta *meta, bool bookkeeping)
{
	uint64_t clock;

	switch (rules_judge(&inspect->rules, text, meta, bookkeeping, NULL, &clock)) {
	case PURGED_soft: return INSPECT_PURGED_soft;
	case PURGED_hard: return INSPECT_PURGED_hard;
	case PURGED_no: break;
	}
	return INSPECT_PURGED_no;
}
