/* The I/O threads: they load records (and small bodies with them), and read bodies that stay on disk. The only ones here that
 * wait for reads. An object is handed out only when its checksums are right and its record is still the current one.
 *
 * Two queues: short work (a record) and long work (a piece of a body, a body that is to be verified). They take turns, and
 * long work never has the last thread, so that a hundred readers of films do not stop those who look something up. One load
 * serves all who ask for its key meanwhile: a slow disk gets a question once, and a blocked one holds one thread for it.
 *
 * Nobody waits for ever: a caller may cancel (its clock decides, not ours); the queues are bounded; and while every thread
 * waits for the disk and somebody has given up on it, whoever comes is refused at once, until a thread comes back. */
#include "internal.h"

enum { LOAD_TRIES = 3, VERIFY_PIECE = 256 * 1024, THREADS_DEFAULT = 4 };

/* What a thread has of its own. */
struct reading { struct volume *volume; MDB_txn *txn; };

void loader_init(struct volume *volume)
{
	struct loader *loader = &volume->loader;

	pthread_mutex_init(&loader->lock, NULL);
	pthread_cond_init(&loader->work, NULL);
	loader->thread_want = volume->config.io_threads ? volume->config.io_threads : THREADS_DEFAULT;
	if (loader->thread_want > LOADER_THREADS_MAX)
		loader->thread_want = LOADER_THREADS_MAX;
}

/* ---- the queues; all with the lock held ---- */

static void queue_push(struct load_queue *queue, struct load_job *job)
{
	job->next = NULL;
	job->prev = queue->last;
	if (queue->last)
		queue->last->next = job;
	else
		queue->first = job;
	queue->last = job;
	queue->count++;
}

static void queue_remove(struct load_queue *queue, struct load_job *job)
{
	if (job->prev)
		job->prev->next = job->next;
	else
		queue->first = job->next;
	if (job->next)
		job->next->prev = job->prev;
	else
		queue->last = job->prev;
	queue->count--;
}

static struct load_queue *queue_of(struct loader *loader, const struct load_job *job)
{
	return job->is_long ? &loader->longs : &loader->shorts;
}

static bool loader_refuses(struct loader *loader, const struct load_queue *queue)
{
	if (!loader->stalled && queue->count < LOADER_WAITING_MAX)
		return false;
	loader->refused++;
	return true;
}

/* Somebody has given up. */
static void loader_note_late(struct loader *loader, bool late)
{
	if (!late)
		return;
	loader->late++;
	if (loader->running == loader->thread_count)
		loader->stalled = true;
}

static struct load_job **load_slot(struct loader *loader, struct store_key key)
{
	return &loader->slots[key.lo & (LOADER_SLOTS - 1)];
}

static struct load_job *load_find(struct loader *loader, struct store_key key, struct slice key_text)
{
	struct load_job *job = *load_slot(loader, key);

	while (job && !(key_eq(job->key, key) && slice_eq(slice_make(job->key_text, job->key_len), key_text)))
		job = job->chain;
	return job;
}

static void load_unlist(struct loader *loader, struct load_job *job)
{
	struct load_job **at = load_slot(loader, job->key);

	while (*at != job)
		at = &(*at)->chain;
	*at = job->chain;
}

/* ---- any thread ---- */

enum store_err volume_load(struct volume *volume, struct store_key key, struct slice key_text, struct store_load *load)
{
	struct loader *loader = &volume->loader;
	struct load_job *job;
	enum store_err err = STORE_OK;

	pthread_mutex_lock(&loader->lock);
	job = load_find(loader, key, key_text);
	if (loader->stop || ((!job || loader->stalled) && !load->patient && loader_refuses(loader, &loader->shorts))) {
		err = STORE_BUSY;
		goto out;
	}
	if (job) {
		loader->shared++;
	} else {
		job = must(malloc(sizeof(*job) + key_text.len));
		*job = (struct load_job){ .key = key, .key_len = key_text.len, .chain = *load_slot(loader, key) };
		if (key_text.len > 0)
			memcpy(job->key_text, key_text.ptr, key_text.len);
		*load_slot(loader, key) = job;
		queue_push(&loader->shorts, job);
		pthread_cond_signal(&loader->work);
	}
	load->job = job;
	load->next = job->loads;
	job->loads = load;
out:
	pthread_mutex_unlock(&loader->lock);
	return err;
}

bool volume_load_cancel(struct volume *volume, struct store_load *load, bool late)
{
	struct loader *loader = &volume->loader;
	struct load_job *job;

	pthread_mutex_lock(&loader->lock);
	job = load->job;
	if (job) {
		struct store_load **at = &job->loads;

		while (*at != load)
			at = &(*at)->next;
		*at = load->next;
		load->job = NULL;
		loader_note_late(loader, late);
		if (!job->loads && !job->running) {
			queue_remove(queue_of(loader, job), job);
			load_unlist(loader, job);
			free(job);
		}
	}
	pthread_mutex_unlock(&loader->lock);
	return job != NULL;
}

enum store_err loader_read(struct object *object, uint64_t offset, void *buf, size_t len, struct store_read *read)
{
	struct loader *loader = &object->body->volume->loader;
	enum store_err err = STORE_OK;

	pthread_mutex_lock(&loader->lock);
	/* What is read ahead must not be in the way of what somebody waits for. */
	if (loader->stop || (!read && (loader->stalled || loader->longs.count >= loader->thread_count))) {
		err = STORE_BUSY;
	} else if (read && loader_refuses(loader, &loader->longs)) {
		err = STORE_BUSY;
	} else {
		struct load_job *job = must(malloc(sizeof(*job)));

		*job = (struct load_job){ .is_long = true, .read = read, .object = object_ref(object), .offset = offset, .buf = buf, .len = len };
		if (read) {
			read->job = job;
			read->volume = object->body->volume;
		} else {
			loader->ahead++;
		}
		queue_push(&loader->longs, job);
		pthread_cond_signal(&loader->work);
	}
	pthread_mutex_unlock(&loader->lock);
	return err;
}

bool loader_read_cancel(struct store_read *read, bool late)
{
	struct loader *loader = &read->volume->loader;
	struct load_job *job;

	pthread_mutex_lock(&loader->lock);
	job = read->job;
	if (job)
		loader_note_late(loader, late);
	if (job && job->running)
		job = NULL;                       /* the kernel has the buffer */
	if (job) {
		read->job = NULL;
		queue_remove(&loader->longs, job);
	}
	pthread_mutex_unlock(&loader->lock);
	if (!job)
		return false;
	object_unref(&job->object);
	free(job);
	return true;
}

void loader_damaged(struct volume *volume, uint64_t removed)
{
	if (removed == 0)
		return;
	writer_push_drop(volume, removed);
	atomic_fetch_add(&volume->dropped_damaged, 1);
	volume_event(volume, EVENT_damaged, STORE_EVENT_warning, "an object is damaged on disk, or cannot be read; it was dropped");
}

/* The object of a record without its body's bytes; the transaction is over when it returns. 0, MDB_NOTFOUND (the text is
 * another's: a collision), MDB_CORRUPTED (this record, or there is none), or what LMDB said. */
static int record_load(struct reading *reading, const struct load_job *job, uint64_t generation, struct object **ret_object)
{
	struct volume *volume = reading->volume;
	struct slice bytes, head;
	struct record record;
	struct body *body;
	MDB_txn *txn;
	int rc = txn_reader_renew(&volume->env, &reading->txn);

	if (rc != 0)
		return rc;
	txn = reading->txn;
	if ((rc = txn_get(&volume->env, txn, generation, &bytes)) != 0 && rc != MDB_NOTFOUND)
		goto out;
	if (rc != 0 || !record_decode(bytes, generation, volume->blocks.total, &record) || !key_eq(record.key, job->key)
			|| !txn_get_right_head(&volume->env, txn, &record, &head)) {
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
	txn_reader_reset(txn);
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

enum tried { TRIED, TRY_AGAIN /* the index changed meanwhile */, TRY_LONG /* as long work */ };

/* One try; TRIED: *ret_object is it, or NULL. */
static enum tried load_try(struct reading *reading, const struct load_job *job, struct object **ret_object)
{
	struct volume *volume = reading->volume;
	struct object *object = NULL;
	uint32_t version = 0;
	uint64_t generation = index_generation(volume, job->key, &version);
	bool verify;
	int rc;

	*ret_object = NULL;
	if (generation == 0)
		return TRIED;
	if (index_peek(volume, job->key, slice_make(job->key_text, job->key_len), ret_object) != STORE_LOAD)
		return TRIED;
	rc = record_load(reading, job, generation, &object);
	if (rc == MDB_NOTFOUND)
		return TRIED;
	if (rc == MDB_CORRUPTED && !index_is_current(volume, job->key, generation))
		return TRY_AGAIN;
	if (rc == MDB_CORRUPTED) {
		loader_damaged(volume, index_remove(volume, job->key, generation));
		return TRIED;
	}
	if (rc != 0) {
		if (env_error_is_damage(rc))
			volume_fail(volume, STORE_DAMAGED, mdb_strerror(rc));
		return TRIED;
	}
	object->version = version;
	/* Checked before the bytes are read, and again after: only blocks of a current record hold what it says. */
	if (!index_is_current(volume, job->key, generation)) {
		object_unref(&object);
		return TRY_AGAIN;
	}
	verify = !object->body->in_memory && !index_is_verified(volume, job->key);
	if (verify && !job->is_long) {
		object_unref(&object);
		return TRY_LONG;
	}
	if ((object->body->in_memory && !body_load(object->body)) || (verify && !body_verify(object->body))) {
		loader_damaged(volume, index_remove_object(volume, object));
		object_unref(&object);
		return TRIED;
	}
	*ret_object = index_admit(volume, object);
	return *ret_object ? TRIED : TRY_AGAIN;
}

/* False: to be done again, as long work. */
static bool load_run(struct reading *reading, struct load_job *job)
{
	struct volume *volume = reading->volume;
	struct loader *loader = &volume->loader;
	struct object *object = NULL;
	struct store_load *load, *next;
	enum tried tried = TRY_AGAIN;

	for (int i = 0; i < LOAD_TRIES && tried == TRY_AGAIN; i++)
		tried = load_try(reading, job, &object);
	if (tried == TRY_LONG)
		return false;
	if (object && purge_takes(volume, object))
		object_unref(&object);
	/* From here on it is over: who comes now finds it in the index, or begins another one. */
	pthread_mutex_lock(&loader->lock);
	load_unlist(loader, job);
	for (load = job->loads; load; load = load->next)
		load->job = NULL;
	pthread_mutex_unlock(&loader->lock);
	for (load = job->loads; load; load = next) {
		next = load->next;
		if (object)
			atomic_fetch_add_explicit(&volume->hits_disk, 1, memory_order_relaxed);
		load->loaded(load, object ? object_ref(object) : NULL);
	}
	object_unref(&object);
	free(job);
	return true;
}

static void read_run(struct volume *volume, struct load_job *job)
{
	struct store_read *read = job->read;
	ssize_t n = 0;

	if (!job->buf)
		body_read_ahead(job->object->body, job->offset, job->len);
	else if ((n = body_read_disk(job->object->body, job->offset, job->buf, job->len, 0)) < 0) {
		loader_damaged(volume, index_remove_object(volume, job->object));
		n = -EIO;
	}
	if (read) {
		pthread_mutex_lock(&volume->loader.lock);
		read->job = NULL;
		pthread_mutex_unlock(&volume->loader.lock);
		read->done(read, n);
	}
	object_unref(&job->object);
	free(job);
}

/* Lock held. NULL: nothing that this thread may do. */
static struct load_job *job_take(struct loader *loader)
{
	bool may_long = loader->longs.first && (loader->running_long + 1 < loader->thread_count || loader->thread_count == 1);
	struct load_queue *queue = may_long && (loader->turn || !loader->shorts.first) ? &loader->longs : &loader->shorts;
	struct load_job *job = queue->first;

	if (!job)
		return NULL;
	loader->turn = queue == &loader->shorts;
	queue_remove(queue, job);
	job->running = true;
	loader->running++;
	loader->running_long += job->is_long;
	return job;
}

static void *loader_run(void *arg)
{
	struct volume *volume = arg;
	struct loader *loader = &volume->loader;
	struct reading reading = { .volume = volume };

	pthread_mutex_lock(&loader->lock);
	while (loader->shorts.first || loader->longs.first || !loader->stop) {
		struct load_job *job = job_take(loader);
		bool was_long, over = true;

		if (!job) {
			pthread_cond_wait(&loader->work, &loader->lock);
			continue;
		}
		was_long = job->is_long;
		pthread_mutex_unlock(&loader->lock);
		if (job->object)
			read_run(volume, job);
		else
			over = load_run(&reading, job);
		pthread_mutex_lock(&loader->lock);
		loader->running--;
		loader->running_long -= was_long;
		loader->stalled = false;
		if (!over && job->loads) {
			job->running = false;
			job->is_long = true;
			queue_push(&loader->longs, job);
		} else if (!over) {
			load_unlist(loader, job);
			free(job);
		}
		/* One that waits may now do what it was not allowed to: long work. */
		if (loader->longs.first)
			pthread_cond_signal(&loader->work);
	}
	pthread_cond_broadcast(&loader->work);
	pthread_mutex_unlock(&loader->lock);
	txn_abort(&reading.txn);
	return NULL;
}

bool loader_start(struct volume *volume)
{
	struct loader *loader = &volume->loader;

	while (loader->thread_count < loader->thread_want) {
		int err = pthread_create(&loader->threads[loader->thread_count], NULL, loader_run, volume);

		if (err != 0)
			break;
		pthread_mutex_lock(&loader->lock);
		loader->thread_count++;
		pthread_mutex_unlock(&loader->lock);
	}
	return loader->thread_count > 0;
}

void loader_stop(struct volume *volume)
{
	struct loader *loader = &volume->loader;

	pthread_mutex_lock(&loader->lock);
	loader->stop = true;
	pthread_cond_broadcast(&loader->work);
	pthread_mutex_unlock(&loader->lock);
	for (unsigned i = 0; i < loader->thread_count; i++)
		pthread_join(loader->threads[i], NULL);
	loader->thread_count = 0;
	pthread_cond_destroy(&loader->work);
	pthread_mutex_destroy(&loader->lock);
}
