/* The LMDB environment of a volume: opening it, making it smaller, naming its errors. */
#include "internal.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLES_MAX = 8, DELETES_PER_TXN = 1000 };

int env_make(struct env *env, const char *path, uint64_t map_bytes, unsigned flags)
{
	int rc;

	*env = (struct env){ .read_only = (flags & MDB_RDONLY) != 0 };
	if ((rc = mdb_env_create(&env->env)) != 0)
		return rc;
	if ((rc = mdb_env_set_mapsize(env->env, map_bytes)) == 0 && (rc = mdb_env_set_maxdbs(env->env, TABLES_MAX)) == 0)
		rc = mdb_env_open(env->env, path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0640);
	if (rc != 0)
		env_close(env);
	return rc;
}

int env_open(struct env *env, const char *path, uint64_t map_bytes)
{
	int rc = env_make(env, path, map_bytes, MDB_NOMETASYNC | MDB_NOMEMINIT), dead;

	if (rc != 0)
		return rc;
	if ((rc = mdb_reader_check(env->env, &dead)) != 0 || (rc = txn_open_tables(env)) != 0)
		env_close(env);
	return rc;
}

void env_close(struct env *env)
{
	if (!env->env)
		return;
	txn_readers_end(env);
	mdb_env_close(env->env);
	env->env = NULL;
}

bool env_error_is_damage(int rc)
{
	switch (rc) {
	case MDB_CORRUPTED: case MDB_PAGE_NOTFOUND: case MDB_INVALID: case MDB_VERSION_MISMATCH:
	case MDB_CURSOR_FULL: case MDB_PAGE_FULL: case MDB_INCOMPATIBLE: case MDB_BAD_DBI: case MDB_BAD_TXN:
		return true;
	default:
		return false;
	}
}

enum store_err env_error(int rc)
{
	switch (rc) {
	case 0: return STORE_OK;
	case MDB_MAP_FULL: case MDB_TXN_FULL: return STORE_INDEX_FULL;
	case ENOSPC: case EDQUOT: return STORE_DISK_FULL;
	case EACCES: case EPERM: case EROFS: return STORE_NO_ACCESS;
	case EIO: return STORE_DISK_ERROR;
	default: return env_error_is_damage(rc) ? STORE_DAMAGED : STORE_SYSTEM;
	}
}

struct shrink {
	uint32_t block_total;
	uint64_t *doomed;
	size_t count, room;
	uint64_t good, drop;
};

static int shrink_visit(void *arg, uint64_t generation, struct slice bytes)
{
	struct shrink *shrink = arg;
	struct record record = { 0 };

	if (record_decode(bytes, generation, shrink->block_total, &record) && ++shrink->good > shrink->drop)
		return 0;
	if (shrink->count == shrink->room) {
		shrink->room = shrink->room ? shrink->room * 2 : 1024;
		shrink->doomed = must(realloc(shrink->doomed, shrink->room * sizeof(*shrink->doomed)));
	}
	shrink->doomed[shrink->count++] = generation;
	return 0;
}

/* One round: deletes what is outside, and of the others the `drop` oldest. */
static int shrink_round(struct env *env, uint32_t block_total, uint64_t drop, uint64_t *ret_kept, uint64_t *ret_pages)
{
	struct shrink shrink = { .block_total = block_total, .drop = drop };
	struct index_size size = { 0 };
	MDB_txn *txn = NULL;
	int rc;

	if ((rc = txn_begin_read(env, &txn)) == 0)
		rc = txn_each(env, txn, shrink_visit, &shrink);
	txn_abort(&txn);
	for (size_t i = 0; rc == 0 && i < shrink.count;) {
		if ((rc = txn_begin_write(env, &txn)) != 0)
			break;
		for (size_t n = 0; rc == 0 && n < DELETES_PER_TXN && i < shrink.count; n++, i++)
			rc = txn_delete(env, txn, shrink.doomed[i], true);   /* there may be a head */
		if (rc == 0)
			rc = txn_commit(&txn);
		txn_abort(&txn);
	}
	if (rc == 0 && (rc = txn_begin_read(env, &txn)) == 0)
		rc = txn_size(env, txn, &size);
	txn_abort(&txn);
	*ret_pages = size.pages;
	*ret_kept = shrink.good > drop ? shrink.good - drop : 0;
	free(shrink.doomed);
	return rc;
}

int env_shrink(const char *path, uint64_t map_bytes, uint32_t block_total)
{
	uint64_t kept = 0, pages, pages_max = map_bytes / 4096 / 3;
	char copy[PATH_ROOM + 8];
	struct stat st;
	struct env env;
	int rc;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? 0 : errno;
	if ((rc = env_open(&env, path, (uint64_t)st.st_size > map_bytes ? (uint64_t)st.st_size : map_bytes)) != 0)
		return rc;
	rc = shrink_round(&env, block_total, 0, &kept, &pages);
	while (rc == 0 && pages > pages_max && kept > 0)
		rc = shrink_round(&env, block_total, kept - kept * pages_max / pages, &kept, &pages);
	if (rc == 0)
		rc = mdb_env_sync(env.env, 1);
	snprintf(copy, sizeof(copy), "%s.new", path);
	if (rc == 0 && (uint64_t)st.st_size > map_bytes) {
		unlink(copy);
		if ((rc = mdb_env_copy2(env.env, copy, MDB_CP_COMPACT)) == 0 && rename(copy, path) != 0)
			rc = errno;
		if (rc != 0)
			unlink(copy);
	}
	env_close(&env);
	return rc;
}
