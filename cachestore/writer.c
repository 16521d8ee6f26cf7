/* The writer's thread and its queue. It takes a batch when there are batch_bytes, or batch_us after the first job came, or
 * at once when somebody flushes; batch.c stores it. Nobody waits for it: a full queue is STORE_QUEUE_FULL. */
#include "internal.h"

enum { IDLE_SYNC_US = 1000 * 1000, READER_CHECK_US = 10 * 1000 * 1000 };

void writer_init(struct volume *volume)
{
	struct writer *writer = &volume->writer;

	pthread_mutex_init(&writer->lock, NULL);
	cond_init(&writer->work);
	cond_init(&writer->done);
	writer->last = &writer->first;
	cleaner_init(&writer->cleaner);
}

/* ---- any thread ---- */
enum store_err writer_reserve(struct volume *volume, uint64_t bytes)
{
	struct writer *writer = &volume->writer;
	enum store_err err = STORE_OK;

	pthread_mutex_lock(&writer->lock);
	/* One body alone may be longer than the bound. */
	if (writer->stop || writer->count >= QUEUE_JOBS_MAX || (writer->bytes > 0 && writer->bytes + bytes > volume->queue_max))
		err = STORE_QUEUE_FULL;
	else
		writer->bytes += bytes;
	pthread_mutex_unlock(&writer->lock);
	return err;
}

void writer_unreserve(struct volume *volume, uint64_t bytes)
{
	struct writer *writer = &volume->writer;

	pthread_mutex_lock(&writer->lock);
	writer->bytes -= bytes;
	if (writer->stop)
		pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
}

static void job_push(struct volume *volume, struct job *job)
{
	struct writer *writer = &volume->writer;

	pthread_mutex_lock(&writer->lock);
	if (writer->ended) {                      /* a delete: who has the volume now finds out by itself */
		pthread_mutex_unlock(&writer->lock);
		free(job->rule);
		free(job);
		return;
	}
	if (!writer->first)
		writer->first_us = now_us();
	if (!writer->first || writer->bytes >= volume->batch_bytes)
		pthread_cond_signal(&writer->work);
	*writer->last = job;
	writer->last = &job->next;
	writer->count++;
	writer->pushed++;
	pthread_mutex_unlock(&writer->lock);
}

void writer_push_put(struct volume *volume, struct object *object, uint64_t replaces, uint64_t bytes)
{
	struct job *job = must(malloc(sizeof(*job)));

	*job = (struct job){ .kind = JOB_PUT, .object = object_ref(object), .key = object->key, .generation = object->generation,
		.replaces = replaces, .bytes = bytes, .index_bytes = object->own_bytes };
	job_push(volume, job);
}

void writer_push_drop(struct volume *volume, uint64_t generation)
{
	struct job *job = must(malloc(sizeof(*job)));

	*job = (struct job){ .kind = JOB_DROP, .generation = generation };
	job_push(volume, job);
}

void writer_push_rule(struct volume *volume, struct rule_row *row, enum store_err *ret_err)
{
	struct job *job = must(malloc(sizeof(*job)));

	*job = (struct job){ .kind = JOB_RULE, .rule = row, .ret_err = ret_err };
	job_push(volume, job);
}

void volume_sync(struct volume *volume, void (*done)(void *arg, enum store_err err), void *arg)
{
	struct job *job = must(malloc(sizeof(*job)));

	*job = (struct job){ .kind = JOB_SYNC, .synced = done, .arg = arg };
	job_push(volume, job);
}

void writer_push_owner(struct volume *volume, struct slice name, uint16_t number, enum store_err *ret_err)
{
	struct job *job = must(malloc(sizeof(*job)));

	*job = (struct job){ .kind = JOB_OWNER, .owner_name = name, .owner = number, .ret_err = ret_err };
	job_push(volume, job);
}

void volume_flush(struct volume *volume)
{
	struct writer *writer = &volume->writer;
	uint64_t until;

	pthread_mutex_lock(&writer->lock);
	until = writer->pushed;
	writer->flushing++;
	pthread_cond_signal(&writer->work);
	while (writer->finished < until)
		pthread_cond_wait(&writer->done, &writer->lock);
	writer->flushing--;
	pthread_mutex_unlock(&writer->lock);
}

/* ---- the writer's thread ---- */
/* The newest meta page waits for the next commit to be synced (NOMETASYNC): when none comes, it is done here. */
static void idle_sync(struct volume *volume)
{
	struct writer *writer = &volume->writer;

	writer->unsynced = false;
	pthread_mutex_unlock(&writer->lock);
	mdb_env_sync(volume->env.env, 1);
	pthread_mutex_lock(&writer->lock);
}

/* Waits for a batch; NULL: stopping, and nothing is left; or a volume that was set aside is to try again. */
static struct job *batch_take(struct volume *volume, size_t *ret_count, bool *ret_stop)
{
	struct writer *writer = &volume->writer;
	uint64_t bytes = 0, index_bytes = 0, due;
	struct job *batch, **end;

	pthread_mutex_lock(&writer->lock);
	/* What has reserved room will be pushed. */
	while (!writer->first && (!writer->stop || writer->bytes > 0) && !fault_retry_due(volume)) {
		due = now_us() + IDLE_SYNC_US;
		if (!writer->unsynced && writer->retry_at_us == 0)
			pthread_cond_wait(&writer->work, &writer->lock);
		else
			cond_wait_until(&writer->work, &writer->lock, writer->retry_at_us != 0 && (!writer->unsynced || writer->retry_at_us < due) ? writer->retry_at_us : due);
		if (!writer->first && writer->unsynced && now_us() >= due)
			idle_sync(volume);
	}
	*ret_stop = writer->stop && !writer->first && writer->bytes == 0;
	due = writer->first_us + volume->batch_us;
	while (writer->first && !writer->stop && !writer->flushing && writer->bytes < volume->batch_bytes && now_us() < due)
		cond_wait_until(&writer->work, &writer->lock, due);
	batch = writer->first;
	writer->ended = *ret_stop;
	*ret_count = 0;
	for (end = &batch; *end && *ret_count < volume->batch_jobs; end = &(*end)->next, (*ret_count)++) {
		bytes += (*end)->bytes;
		index_bytes += (*end)->index_bytes;
		if (*ret_count > 0 && (bytes > volume->batch_bytes || index_bytes > volume->index_batch_bytes))
			break;
	}
	writer->first = *end;
	*end = NULL;
	if (!writer->first)
		writer->last = &writer->first;    /* else first_us stays: what is left over has waited already */
	pthread_mutex_unlock(&writer->lock);
	return batch;
}

/* Tells those who asked for a sync: jobs are in order, so all that came before is committed. */
static void batch_sync(struct volume *volume, const struct job *batch)
{
	enum store_err err = STORE_OK;
	bool synced = false;

	for (const struct job *job = batch; job; job = job->next) {
		if (job->kind != JOB_SYNC)
			continue;
		if (!synced)
			err = atomic_load(&volume->failed) ? STORE_FAILED : env_error(mdb_env_sync(volume->env.env, 1));
		synced = true;
		job->synced(job->arg, err);
	}
}

/* Everything in a batch is stored or has failed: lets go of it. */
static void batch_end(struct volume *volume, struct job *batch, size_t count)
{
	struct writer *writer = &volume->writer;
	uint64_t bytes = 0;

	while (batch) {
		struct job *job = batch;

		batch = job->next;
		bytes += job->bytes;
		if (job->object)
			body_uncharge(job->object->body);
		object_unref(&job->object);
		free(job->rule);
		free(job);
	}
	pthread_mutex_lock(&writer->lock);
	writer->bytes -= bytes;
	writer->count -= count;
	writer->finished += count;
	pthread_cond_broadcast(&writer->done);
	pthread_mutex_unlock(&writer->lock);
}

static void *writer_run(void *arg)
{
	struct volume *volume = arg;
	struct writer *writer = &volume->writer;
	struct job *batch;
	size_t count;
	bool stop;
	int dead;

	for (;;) {
		batch = batch_take(volume, &count, &stop);
		if (fault_retry_due(volume))
			fault_retry(volume);
		if (stop)
			break;
		if (!batch)
			continue;
		if (writer->reader_check_us + READER_CHECK_US < now_us()) {
			writer->reader_check_us = now_us();
			mdb_reader_check(volume->env.env, &dead);
		}
		batch_store(volume, batch);
		batch_sync(volume, batch);
		batch_end(volume, batch, count);
	}
	fault_last_words(volume);
	return NULL;
}

bool writer_start(struct volume *volume)
{
	volume->writer.last_commit = env_last_commit(&volume->env);
	volume->writer.stop = volume->writer.ended = false;
	volume->writer.started = pthread_create(&volume->writer.thread, NULL, writer_run, volume) == 0;
	return volume->writer.started;
}

void writer_finish(struct volume *volume)
{
	struct writer *writer = &volume->writer;

	pthread_mutex_lock(&writer->lock);
	writer->stop = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	if (writer->started)
		pthread_join(writer->thread, NULL);
	writer->started = false;
}

void writer_stop(struct volume *volume)
{
	struct writer *writer = &volume->writer;

	writer_finish(volume);
	pthread_cond_destroy(&writer->work);
	pthread_cond_destroy(&writer->done);
	pthread_mutex_destroy(&writer->lock);
	free(writer->doomed);
	writer->doomed = NULL;
	cleaner_release(&writer->cleaner);
}
