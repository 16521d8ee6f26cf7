/* The I/O thread: loads records (and small bodies with them), and reads bodies that stay on disk. The only one here that
 * waits for reads. An object is handed out only when its checksums are right and its record is still the current one. */
#include "internal.h"

enum { LOAD_TRIES = 3, VERIFY_PIECE = 256 * 1024 };

void loader_init(struct volume *volume)
{
	struct loader *loader = &volume->loader;

	pthread_mutex_init(&loader->lock, NULL);
	pthread_cond_init(&loader->work, NULL);
	loader->last = &loader->first;
}

void loader_push(struct volume *volume, struct load_job *job)
{
	struct loader *loader = &volume->loader;

	job->next = NULL;
	pthread_mutex_lock(&loader->lock);
	*loader->last = job;
	loader->last = &job->next;
	pthread_cond_signal(&loader->work);
	pthread_mutex_unlock(&loader->lock);
}

void volume_load(struct volume *volume, struct store_key key, struct slice key_text,
	void (*done)(void *arg, struct object *object), void *arg)
{
	struct load_job *job = must(malloc(sizeof(*job) + key_text.len));

	*job = (struct load_job){ .loaded = done, .arg = arg, .key = key, .key_len = key_text.len };
	if (key_text.len > 0)
		memcpy(job->key_text, key_text.ptr, key_text.len);
	loader_push(volume, job);
}

void loader_damaged(struct volume *volume, struct store_key key, uint64_t generation)
{
	uint64_t removed = index_remove(volume, key, generation);

	if (removed == 0)
		return;
	writer_push_drop(volume, removed);
	atomic_fetch_add(&volume->dropped_damaged, 1);
	volume_event(volume, EVENT_damaged, STORE_EVENT_warning, "an object is damaged on disk; it was dropped");
}

/* The object of a record without its body's bytes; the transaction is over when it returns. 0, MDB_NOTFOUND (the text is
 * another's: a collision), MDB_CORRUPTED (this record, or there is none), or what LMDB said. */
static int record_load(struct volume *volume, const struct load_job *job, uint64_t generation, struct object **ret_object)
{
	struct slice bytes, head;
	struct record record;
	struct body *body;
	MDB_txn *txn;
	int rc = txn_reader_renew(&volume->env, &volume->env.reader);

	if (rc != 0)
		return rc;
	txn = volume->env.reader;
	if ((rc = txn_get(&volume->env, txn, generation, &bytes)) != 0 && rc != MDB_NOTFOUND)
		goto out;
	if (rc != 0 || !record_decode(bytes, generation, volume->blocks.total, &record) || !key_eq(record.key, job->key)
			|| txn_get_head(&volume->env, txn, &record, &head) != 0 || head.len != record.head.len
			|| record_sum(head.ptr, head.len, job->key, generation) != record.head_checksum) {
		rc = MDB_CORRUPTED;
		goto out;
	}
	rc = MDB_NOTFOUND;
	if (!slice_eq(record.key_text, slice_make(job->key_text, job->key_len)))
		goto out;
	rc = 0;
	body = record.body_size <= BODY_LOAD_MAX ? body_new(volume, record.body_size, true)
		: body_new_on_disk(volume, record.body_size, record.body_checksum);
	body->checksum = record.body_checksum;
	if (record.extent_count > 0)
		body_set_extents(body, record_extents(&record), record.extent_count);
	*ret_object = object_make(volume, job->key, record.key_text, &record.meta, head, body);
	(*ret_object)->generation = generation;
out:
	txn_reader_reset(volume->env.reader);
	return rc;
}

/* The bytes of a small body, straight into its only chunk. False: unreadable, or not what was written. */
static bool body_load(struct body *body)
{
	uint64_t size = atomic_load(&body->size), checksum = body->checksum;
	struct chunk *chunk = atomic_load(&body->first);
	const char *bytes = chunk ? chunk->bytes : "";

	if (size > 0 && body_read_disk(body, 0, chunk->bytes, size, 0) != (ssize_t)size)
		return false;
	if (XXH3_64bits(bytes, size) != checksum)
		return false;
	atomic_store(&body->available, size);
	atomic_store(&body->state, OBJECT_WHOLE);
	return true;
}

/* The bytes of a large body, which then stay where they are. */
static bool body_verify(struct body *body)
{
	char *piece = must(malloc(VERIFY_PIECE));
	XXH3_state_t *hash = must(XXH3_createState());
	uint64_t offset = 0, size = atomic_load(&body->size);
	ssize_t n = 1;
	bool right;

	XXH3_64bits_reset(hash);
	for (; offset < size && (n = body_read_disk(body, offset, piece, VERIFY_PIECE, 0)) > 0; offset += (uint64_t)n)
		XXH3_64bits_update(hash, piece, (size_t)n);
	right = offset == size && XXH3_64bits_digest(hash) == body->checksum;
	XXH3_freeState(hash);
	free(piece);
	return right;
}

/* One try: true when it is decided (*ret_object or NULL); false when the index changed meanwhile. */
static bool load_try(struct volume *volume, const struct load_job *job, struct object **ret_object)
{
	struct object *object = NULL;
	uint64_t generation = index_generation(volume, job->key);
	int rc;

	*ret_object = NULL;
	if (generation == 0)
		return true;
	if (index_look(volume, job->key, slice_make(job->key_text, job->key_len), ret_object) != STORE_LOAD)
		return true;
	rc = record_load(volume, job, generation, &object);
	if (rc == MDB_NOTFOUND)
		return true;
	if (rc == MDB_CORRUPTED && !index_is_current(volume, job->key, generation))
		return false;
	if (rc == MDB_CORRUPTED) {
		loader_damaged(volume, job->key, generation);
		return true;
	}
	if (rc != 0) {
		if (env_error_is_damage(rc))
			volume_fail(volume, STORE_DAMAGED, mdb_strerror(rc));
		return true;
	}
	/* Checked before the bytes are read, and again after: only blocks of a current record hold what it says. */
	if (!index_is_current(volume, job->key, generation)) {
		object_unref(&object);
		return false;
	}
	if (object->body->in_memory ? !body_load(object->body)
		: !index_is_verified(volume, job->key) && !body_verify(object->body)) {
		loader_damaged(volume, job->key, generation);
		object_unref(&object);
		return true;
	}
	*ret_object = index_admit(volume, object);
	return *ret_object != NULL;
}

static void load_run(struct volume *volume, struct load_job *job)
{
	struct object *object = NULL;

	for (int i = 0; i < LOAD_TRIES && !load_try(volume, job, &object); i++)
		;
	if (object && purge_takes(volume, object))
		object_unref(&object);
	if (object)
		atomic_fetch_add_explicit(&volume->hits_disk, 1, memory_order_relaxed);
	job->loaded(job->arg, object);
}

static void read_run(struct volume *volume, struct load_job *job)
{
	ssize_t n = body_read_disk(job->object->body, job->offset, job->buf, job->len, 0);

	if (n < 0) {
		loader_damaged(volume, job->object->key, job->object->generation);
		n = -EIO;
	}
	job->read(job->arg, n);
}

static void *loader_run(void *arg)
{
	struct volume *volume = arg;
	struct loader *loader = &volume->loader;

	pthread_mutex_lock(&loader->lock);
	while (loader->first || !loader->stop) {
		struct load_job *job = loader->first;

		if (!job) {
			pthread_cond_wait(&loader->work, &loader->lock);
			continue;
		}
		loader->first = job->next;
		if (!loader->first)
			loader->last = &loader->first;
		pthread_mutex_unlock(&loader->lock);
		if (job->loaded)
			load_run(volume, job);
		else
			read_run(volume, job);
		free(job);
		pthread_mutex_lock(&loader->lock);
	}
	pthread_mutex_unlock(&loader->lock);
	return NULL;
}

bool loader_start(struct volume *volume)
{
	volume->loader.started = pthread_create(&volume->loader.thread, NULL, loader_run, volume) == 0;
	return volume->loader.started;
}

void loader_stop(struct volume *volume)
{
	struct loader *loader = &volume->loader;

	pthread_mutex_lock(&loader->lock);
	loader->stop = true;
	pthread_cond_signal(&loader->work);
	pthread_mutex_unlock(&loader->lock);
	if (loader->started)
		pthread_join(loader->thread, NULL);
	loader->started = false;
	pthread_cond_destroy(&loader->work);
	pthread_mutex_destroy(&loader->lock);
}
