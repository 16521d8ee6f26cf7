/* A volume for those who only look: opening it, its objects in slices, and the child process for what may die of it. */
#include "inspect_internal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	SLICE_RECORDS = 256,
	SLICE_BYTES = 4 * 1024 * 1024,
	TRIES_MAX = 200,                     /* of a slice, without a place among the readers */
	SLICE_FULL = INT32_MAX,              /* no error of LMDB's, nor an errno */
};

/* A record as it was copied out of the transaction. */
struct held {
	uint64_t generation;
	size_t len, head_len;
	bool head_apart, head_missing;
	char *bytes;                         /* the record, then the head if it is apart */
};
struct slice_read {
	struct inspect *inspect;
	struct held held[SLICE_RECORDS];
	size_t count, bytes;
	uint64_t last;
};

/* ---- the folder ---- */

/* Asks, and takes nothing. LMDB's lock on its first byte is held, shared, by all that have the index open. */
static pid_t index_open_by(const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
	char file[PATH_ROOM];
	pid_t pid = 0;
	int fd;

	if (!folder_path(path, "index-lock", file) || (fd = open(file, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = lock.l_pid;
	close(fd);
	return pid;
}

static bool lock_is_writable(const char *path)
{
	char file[PATH_ROOM];

	return folder_path(path, "index-lock", file) && faccessat(AT_FDCWD, file, R_OK | W_OK, AT_EACCESS) == 0;
}

static uint64_t file_size(const char *path, const char *name)
{
	char file[PATH_ROOM];
	struct stat st;

	return folder_path(path, name, file) && stat(file, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* The folder is the caller's to close, in any case. */
static enum store_err folder_facts(struct folder *folder, const char *path, struct inspect_folder *ret_folder, char why[256])
{
	enum store_err err = folder_look(folder, path, why);

	if (err != STORE_OK)
		return err;
	*ret_folder = (struct inspect_folder){ .format = FORMAT_VERSION, .open_by = index_open_by(path),
		.data_bytes = file_size(path, "data"), .index_bytes = file_size(path, "index") };
	ret_folder->may_register = ret_folder->open_by != 0 && lock_is_writable(path);
	snprintf(ret_folder->state, sizeof(ret_folder->state), "%s", folder->fresh ? "new" : folder->left);
	return STORE_OK;
}

enum store_err inspect_look(const char *path, struct inspect_folder *ret_folder, char why[256])
{
	struct folder folder;
	enum store_err err = folder_facts(&folder, path, ret_folder, why);

	folder_close(&folder);
	return err;
}

/* ---- the child ---- */

enum store_err inspect_guard(int (*run)(void *arg), void *arg, int *ret_code)
{
	int status = 0, code;
	pid_t pid;

	fflush(NULL);                             /* or the child would write it again */
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid < 0)
		return STORE_SYSTEM;
	if (pid == 0) {
		child_may_die();
		code = run(arg);
		_exit(fflush(NULL) == 0 ? code : 2);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return STORE_SYSTEM;
	if (WIFEXITED(status)) {
		*ret_code = WEXITSTATUS(status);
		return STORE_OK;
	}
	switch (WTERMSIG(status)) {
	case SIGSEGV: case SIGBUS: case SIGABRT: case SIGILL: case SIGFPE: return STORE_DAMAGED;
	default: return STORE_SYSTEM;
	}
}

/* ---- opening ---- */

/* LMDB's own words are for its developers. */
static void assertion_failed(MDB_env *env, const char *text)
{
	(void)env, (void)text;
	abort();
}

enum store_err inspect_error(struct inspect *inspect, int rc)
{
	if (rc != 0)
		snprintf(inspect->why, sizeof(inspect->why), "the index: %s", mdb_strerror(rc));
	return env_error(rc);
}

static int index_open(struct inspect *inspect)
{
	const struct inspect_folder *folder = &inspect->found;
	char file[PATH_ROOM];
	int rc;

	if (folder->index_bytes == 0 || !folder_path(inspect->path, "index", file))
		return MDB_INVALID;
	inspect->registered = folder->may_register;
	inspect->map_pages = folder->index_bytes / PAGE_BYTES;
	rc = env_make(&inspect->env, file, inspect->map_pages * PAGE_BYTES, MDB_RDONLY | (inspect->registered ? 0 : MDB_NOLOCK));
	if (rc != 0)
		return rc;
	mdb_env_set_assert(inspect->env.env, assertion_failed);
	return txn_open_tables(&inspect->env);
}

enum store_err inspect_open(const char *path, struct inspect **ret_inspect, char why[256])
{
	struct inspect *inspect = must(calloc(1, sizeof(*inspect)));
	enum store_err err = folder_facts(&inspect->folder, path, &inspect->found, why);
	int rc;

	inspect->path = path;
	if (err == STORE_OK) {
		uint64_t blocks = inspect->found.data_bytes / BLOCK_BYTES;

		inspect->block_total = (uint32_t)(blocks < NONE ? blocks : NONE);
		rules_init(&inspect->rules, inspect->found.index_bytes);
		inspect->has_rules = true;
		rc = index_open(inspect);
		if (rc == MDB_NOTFOUND)                   /* killed before the tables were made */
			rc = MDB_INVALID;
		if (rc == 0)
			rc = inspect_load_rules(inspect);
		err = inspect_error(inspect, rc);
		if (err != STORE_OK)
			folder_why(why, path, "%s", inspect->why);
	}
	if (err == STORE_OK)
		*ret_inspect = inspect;
	else
		inspect_close(&inspect);
	return err;
}

void inspect_close(struct inspect **closing)
{
	struct inspect *inspect = *closing;

	*closing = NULL;
	if (!inspect)
		return;
	txn_abort(&inspect->reader);
	env_close(&inspect->env);
	folder_close(&inspect->folder);
	if (inspect->has_rules)
		rules_release(&inspect->rules);
	for (size_t i = 0; i < inspect->row_count; i++)
		free(inspect->rows[i]);
	free(inspect->rows);
	free(inspect);
}

const char *inspect_why(const struct inspect *inspect)
{
	return inspect->why;
}

const struct inspect_folder *inspect_found(const struct inspect *inspect)
{
	return &inspect->found;
}

bool inspect_is_registered(const struct inspect *inspect)
{
	return inspect->registered;
}

/* ---- one look at the index ---- */

/* Pages that a commit frees may be written by the next but one: a look during which fewer than two went by saw none of that. */
int inspect_once(struct inspect *inspect, int (*look)(void *arg, MDB_txn *txn), void *arg)
{
	for (int i = 0; i < TRIES_MAX; i++) {
		uint64_t before = env_last_commit(&inspect->env);
		int rc = txn_reader_renew(&inspect->env, &inspect->reader);

		if (rc != 0)
			return rc;
		rc = look(arg, inspect->reader);
		txn_reader_reset(inspect->reader);
		if (inspect->registered || env_last_commit(&inspect->env) <= before + 1)
			return rc;
	}
	return EBUSY;
}

/* ---- objects ---- */

static void slice_drop(struct slice_read *read)
{
	while (read->count > 0)
		free(read->held[--read->count].bytes);
	read->bytes = 0;
}

static int slice_visit(void *arg, uint64_t generation, struct slice bytes)
{
	struct slice_read *read = arg;
	struct inspect *inspect = read->inspect;
	struct held *held = &read->held[read->count];
	struct slice head = { NULL, 0 };
	struct record record;

	if (generation <= read->last)             /* pages that point in circles */
		return MDB_CORRUPTED;
	read->last = generation;
	*held = (struct held){ .generation = generation, .len = bytes.len };
	if (record_decode(bytes, generation, UINT32_MAX, &record) && record.head_apart) {
		held->head_apart = true;
		held->head_missing = txn_get_head(&inspect->env, inspect->reader, &record, &head) != 0;
		held->head_len = held->head_missing ? 0 : head.len;
	}
	held->bytes = must(malloc(bytes.len + held->head_len + 1));
	memcpy(held->bytes, bytes.ptr, bytes.len);
	if (held->head_len > 0)
		memcpy(held->bytes + bytes.len, head.ptr, held->head_len);
	read->count++;
	read->bytes += bytes.len + held->head_len;
	return read->bytes >= SLICE_BYTES ? SLICE_FULL : 0;
}

static int slice_look(void *arg, MDB_txn *txn)
{
	struct slice_read *read = arg;
	size_t seen;

	slice_drop(read);                         /* of a try before */
	read->last = read->inspect->generation;
	return txn_each_some(&read->inspect->env, txn, &(uint64_t){ read->last }, SLICE_RECORDS, slice_visit, read, &seen);
}

static void held_show(const struct inspect *inspect, const struct held *held, void (*visit)(void *arg, const struct inspect_object *object), void *arg)
{
	struct slice bytes = slice_make(held->bytes, held->len);
	struct inspect_object object = { .generation = held->generation, .index_bytes = held->len + held->head_len };
	struct extent *extents = NULL;
	struct record record;

	if (!record_decode(bytes, held->generation, UINT32_MAX, &record)) {
		object.damage = "the record cannot be read: it does not decode, or its checksum is wrong";
		object.key_text = record_key_text(bytes);
		visit(arg, &object);
		return;
	}
	if (held->head_apart && held->head_len == record.head.len)
		record.head.ptr = held->bytes + held->len;
	extents = record_extents(&record);
	object.key = record.key;
	object.key_text = record.key_text;
	object.meta = record.meta;
	object.body_size = record.body_size;
	object.body_checksum = record.body_checksum;
	object.extents = extents;
	object.extent_count = record.extent_count;
	if (held->head_missing)
		object.damage = "its head is not there";
	else if (!record.head.ptr && record.head.len > 0)
		object.damage = "its head has another length";
	else if (record_sum(record.head.ptr, record.head.len, record.key, held->generation) != record.head_checksum)
		object.damage = "the checksum of its head is wrong";
	else if (!record_is_inside(&record, inspect->block_total))
		object.damage = "its body lies beyond the end of the data file";
	else
		object.head = record.head;
	visit(arg, &object);
	free(extents);
}

enum store_err inspect_next(struct inspect *inspect, void (*visit)(void *arg, const struct inspect_object *object), void *arg,
	bool *ret_more)
{
	struct slice_read *read = must(calloc(1, sizeof(*read)));
	int rc;

	read->inspect = inspect;
	rc = inspect_once(inspect, slice_look, read);
	*ret_more = rc == SLICE_FULL || (rc == 0 && read->count == SLICE_RECORDS);
	if (rc == SLICE_FULL)
		rc = 0;
	/* What was read before the damage is right. */
	if (rc != EBUSY)
		for (size_t i = 0; i < read->count; i++)
			held_show(inspect, &read->held[i], visit, arg);
	inspect->generation = read->last;
	slice_drop(read);
	free(read);
	if (rc == EBUSY) {
		snprintf(inspect->why, sizeof(inspect->why), "the index changes faster than it can be read without standing among its readers");
		return STORE_BUSY;
	}
	return inspect_error(inspect, rc);
}

void inspect_rewind(struct inspect *inspect)
{
	inspect->generation = 0;
}

struct has { struct inspect *inspect; uint64_t generation; bool has; };

static int has_look(void *arg, MDB_txn *txn)
{
	struct has *has = arg;
	struct slice bytes;
	int rc = txn_get(&has->inspect->env, txn, has->generation, &bytes);

	has->has = rc == 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

enum store_err inspect_has(struct inspect *inspect, uint64_t generation, bool *ret_has)
{
	struct has has = { inspect, generation, false };
	enum store_err err = inspect_error(inspect, inspect_once(inspect, has_look, &has));

	if (err == STORE_OK)
		*ret_has = has.has;
	return err;
}
