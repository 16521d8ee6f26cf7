/* One batch of the writer, in this order:
 *   1. room: victims are chosen; only if too little is free now do they get commits of their own
 *   2. bodies are written to free blocks, and synced
 *   3. one LMDB transaction deletes victims and dropped records, puts the new ones, and moves some old ones behind them (clean.c);
 *      commit
 *   4. the blocks of what was deleted go to limbo; what was put is marked as stored in the RAM index
 * So a committed record always names blocks with its bytes in them. */
#include "internal.h"

#include <unistd.h>

enum { ROOM_ROUNDS = 4, RELIEF_MIN = 16 };

/* What the transaction does to blocks, in order; applied when it is committed. */
struct block_change {
	struct extent *extents;                 /* of a record that is deleted; NULL: one more names those from `shared` on */
	uint32_t count, shared;
};
struct batch {
	struct volume *volume;
	struct job *jobs;
	MDB_txn *txn;
	struct block_change *changes;
	size_t change_count, change_room;
	uint64_t newest;                        /* the highest generation that was put */
	uint64_t record_bytes;                  /* as the writer's, after it */
};

void doomed_push(struct writer *writer, struct doomed doomed)
{
	if (writer->doomed_count == writer->doomed_room) {
		writer->doomed_room = writer->doomed_room ? writer->doomed_room * 2 : 64;
		writer->doomed = must(realloc(writer->doomed, writer->doomed_room * sizeof(*writer->doomed)));
	}
	writer->doomed[writer->doomed_count++] = doomed;
	writer->doomed_blocks += doomed.blocks;
}

static void change_push(struct batch *batch, struct block_change change)
{
	if (batch->change_count == batch->change_room) {
		batch->change_room = batch->change_room ? batch->change_room * 2 : 256;
		batch->changes = must(realloc(batch->changes, batch->change_room * sizeof(*batch->changes)));
	}
	batch->changes[batch->change_count++] = change;
}

/* ---- the transaction ---- */

/* Deletes the record, if there is one; moved: its blocks are another's. */
static int record_delete(struct batch *batch, uint64_t generation, bool moved)
{
	struct volume *volume = batch->volume;
	struct record record;
	struct slice bytes;
	bool apart;
	int rc = txn_get(&volume->env, batch->txn, generation, &bytes);

	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	batch->record_bytes -= txn_leaf_bytes(bytes.len, &apart);
	if (!record_decode(bytes, generation, volume->blocks.total, &record))
		return txn_delete(&volume->env, batch->txn, generation, true);   /* its blocks are found again at the next start */
	if (record.extent_count > 0 && !moved)
		change_push(batch, (struct block_change){ .extents = record_extents(&record), .count = record.extent_count });
	return txn_delete(&volume->env, batch->txn, generation, record.head_apart);
}

static int job_put(struct batch *batch, struct job *job)
{
	const struct object *object = job->object;
	const struct body *body = object->body;
	struct record record = {
		.generation = object->generation, .key = object->key, .body_size = atomic_load(&body->size), .body_checksum = body->checksum,
		.head_checksum = record_sum(object->head.ptr, object->head.len, object->key, object->generation),
		.meta = object->meta, .key_text = object->key_text, .head = object->head, .extent_count = body->extent_count,
	};
	int rc = job->replaces > 0 ? record_delete(batch, job->replaces, false) : 0;
	bool apart;

	if (rc == 0)
		rc = txn_put(&batch->volume->env, batch->txn, &record, body->extents, false);
	if (rc == 0 && body->extents && !job->allocated)
		change_push(batch, (struct block_change){ .shared = body->extents[0].start });
	if (rc == 0)
		batch->record_bytes += txn_leaf_bytes(record_size(&record), &apart);
	if (batch->newest < record.generation)
		batch->newest = record.generation;
	return rc;
}

static void changes_drop(struct batch *batch, bool committed)
{
	struct volume *volume = batch->volume;

	for (size_t i = 0; i < batch->change_count; i++) {
		struct block_change *change = &batch->changes[i];

		if (committed && change->extents)
			blocks_free_later(&volume->blocks, change->extents, change->count, volume->writer.commits);
		else if (committed)
			blocks_share(&volume->blocks, change->shared);
		else
			free(change->extents);
	}
	batch->change_count = 0;
}

/* All deletes, and the puts of the jobs, as one commit. */
static int batch_commit(struct batch *batch)
{
	struct volume *volume = batch->volume;
	struct writer *writer = &volume->writer;
	struct index_size size;
	uint64_t start_us = now_us();
	int rc = txn_begin_write(&volume->env, &batch->txn);

	batch->record_bytes = writer->record_bytes;
	batch->newest = 0;
	if (rc == 0)
		rc = cleaner_find(volume, batch->txn);
	for (size_t i = 0; rc == 0 && i < writer->doomed_count; i++)
		rc = record_delete(batch, writer->doomed[i].generation, writer->doomed[i].moved);
	for (struct job *job = batch->jobs; rc == 0 && job; job = job->next)
		if (job->kind == JOB_PUT && job->current && job->err == STORE_OK)
			rc = job_put(batch, job);
		else if (job->kind == JOB_RULE)
			rc = txn_put_rule(&volume->env, batch->txn, job->rule, job->rule->clock);
		else if (job->kind == JOB_OWNER)
			rc = txn_put_owner(&volume->env, batch->txn, job->owner_name, job->owner);
	if (rc == 0)
		rc = cleaner_move(volume, batch->txn, batch->newest, &batch->record_bytes);
	if (rc == 0 && (rc = txn_touch(&volume->env, batch->txn)) == 0 && (rc = txn_size(&volume->env, batch->txn, &size)) == 0)
		rc = txn_commit(&batch->txn);
	txn_abort(&batch->txn);
	if (rc == 0) {
		writer->commits++;
		writer->last_commit = env_last_commit(&volume->env);
		writer->unsynced = true;
		writer->index = size;
		writer->record_bytes = batch->record_bytes;
		writer->doomed_count = 0;
		writer->doomed_blocks = 0;
		volume_commit_took(volume, now_us() - start_us);
	}
	changes_drop(batch, rc == 0);
	cleaner_end(volume, rc == 0);
	return rc;
}

/* ---- room ---- */

/* A commit of deletes only (or of nothing): time goes by for the limbo. */
int batch_relief(struct volume *volume)
{
	struct batch batch = { .volume = volume };
	int rc = batch_commit(&batch);

	free(batch.changes);
	blocks_mature(&volume->blocks, volume->writer.commits);
	return rc;
}

/* So many victims that there will be room for `need` blocks and `puts` records. Returns how many. */
static size_t victims_choose(struct volume *volume, uint64_t need, size_t puts)
{
	const struct blocks *blocks = &volume->blocks;
	struct writer *writer = &volume->writer;
	uint64_t target = need + volume->reserve_blocks, coming = blocks->limbo_blocks - blocks->limbo_pinned;
	bool foreign = atomic_load(&blocks->foreign);   /* what is freed is not ours yet: it would empty the volume for nothing */
	size_t chosen = 0, for_index = cleaner_surplus(volume, puts);
	struct doomed victim;

	if (target > blocks->total)
		target = blocks->total;
	while (writer->doomed_count < volume->doomed_max
		&& (chosen < for_index || (!foreign && blocks_free_now(blocks) + coming + writer->doomed_blocks < target))
		&& evict_one(volume, chosen < for_index ? ROOM_records : ROOM_blocks, &victim)) {
		doomed_push(writer, victim);
		chosen++;
	}
	return chosen;
}

static void room_make(struct volume *volume, uint64_t need, size_t puts)
{
	struct blocks *blocks = &volume->blocks;

	handover_look(volume);
	blocks_mature(blocks, volume->writer.commits);
	for (int round = 0; round < ROOM_ROUNDS; round++) {
		victims_choose(volume, need, puts);
		if (blocks_free_now(blocks) >= need && volume->writer.doomed_count < volume->doomed_max)
			return;
		if (volume->writer.doomed_count == 0 && (blocks->limbo_count == 0 || atomic_load(&blocks->foreign)))
			return;                   /* nothing can be had: what is left waits for the writer itself */
		/* The deletes, then one more, so that what the first one freed may be used. */
		if (batch_relief(volume) != 0 || batch_relief(volume) != 0)
			return;
	}
}

/* The map is full though there should be room: deletes something in a transaction of its own, lets time go by. */
static void index_relieve(struct volume *volume)
{
	size_t want = atomic_load(&volume->objects) / 100 + RELIEF_MIN;
	struct doomed victim;

	while (want-- > 0 && evict_one(volume, ROOM_records, &victim))
		doomed_push(&volume->writer, victim);
	for (int i = 0; i < 3 && batch_relief(volume) == 0; i++)
		;
}

/* ---- bodies ---- */

/* Returns the error of the last body that the disk refused, or STORE_OK. */
static enum store_err bodies_write(struct volume *volume, struct job *jobs)
{
	struct gather *gather = gather_new(volume->folder.data_fd);
	enum store_err err = STORE_OK;
	bool wrote = false;

	for (struct job *job = jobs; job; job = job->next) {
		struct body *body = job->object ? job->object->body : NULL;
		struct extent *extents;
		uint32_t count;

		if (!job->current || body->extents || atomic_load(&body->size) == 0)
			continue;
		if (!body->in_memory || !blocks_alloc(&volume->blocks, (uint32_t)blocks_of(atomic_load(&body->size)), &extents, &count)) {
			job->err = atomic_load(&volume->blocks.foreign) ? STORE_HANDED_OVER : STORE_DISK_FULL;
			continue;
		}
		body_set_extents(body, extents, count);
		job->allocated = wrote = true;
		gather_job(gather, job);
	}
	gather_end(gather);
	for (struct job *job = jobs; job; job = job->next)
		if (job->allocated && job->err != STORE_OK)
			err = job->err;
	if (!wrote || fdatasync(volume->folder.data_fd) == 0)
		return err;
	/* Whatever was written: it is not known what of it is on disk, and the kernel may say next time that all is well. */
	err = errno == ENOSPC || errno == EDQUOT ? STORE_DISK_FULL : STORE_DISK_ERROR;
	for (struct job *job = jobs; job; job = job->next)
		if (job->allocated && job->err == STORE_OK)
			job->err = err;
	return err;
}

/* ---- outcomes ---- */

static void job_failed(struct volume *volume, struct job *job)
{
	struct body *body = job->object->body;

	if (job->allocated) {                     /* no record ever named these */
		struct extent *extents = must(malloc(body->extent_count * sizeof(*extents)));
		uint32_t count = body->extent_count;

		memcpy(extents, body->extents, count * sizeof(*extents));
		body_set_extents(body, NULL, 0);
		blocks_unalloc(&volume->blocks, extents, count);
		free(extents);
	}
	index_remove(volume, job->key, job->generation);
	/* An older answer under the key was replaced, and must not come back at the next start. */
	if (job->replaces > 0)
		doomed_push(&volume->writer, (struct doomed){ .generation = job->replaces });
	fault_lost(volume, job->object, job->err);
}

/* err: of the disk, while bodies were written; rc: of the commit. */
static void batch_finish(struct volume *volume, struct job *jobs, enum store_err err, int rc)
{
	bool stored = false;

	if (rc != 0)
		err = env_error(rc) == STORE_SYSTEM ? STORE_DISK_ERROR : env_error(rc);
	for (struct job *job = jobs; job; job = job->next) {
		if (rc != 0 && (job->current || job->kind == JOB_RULE || job->kind == JOB_OWNER) && job->err == STORE_OK)
			job->err = err;
		if ((job->kind == JOB_RULE || job->kind == JOB_OWNER) && job->ret_err)
			*job->ret_err = job->err;
		if (job->kind != JOB_PUT || !job->current)
			continue;
		if (job->err != STORE_OK) {
			job_failed(volume, job);
			continue;
		}
		index_stored(volume, job->object, (uint32_t)blocks_of(atomic_load(&job->object->body->size)));
		atomic_fetch_add(&volume->stored, 1);
		stored = true;
	}
	fault_batch_over(volume, rc, err, stored);
}

/* What makes the map too full is left out, or makes room: first what was to be moved, then victims. */
static int batch_try(struct batch *batch, size_t puts)
{
	struct volume *volume = batch->volume;
	bool moving = cleaner_begin(volume, puts);
	int rc = batch_commit(batch);

	if (moving && env_error(rc) == STORE_INDEX_FULL) {
		cleaner_yield(&volume->writer.cleaner);
		rc = batch_commit(batch);
	}
	if (env_error(rc) == STORE_INDEX_FULL) {
		index_relieve(volume);
		rc = batch_commit(batch);
	}
	return rc;
}

void batch_store(struct volume *volume, struct job *jobs)
{
	struct batch batch = { .volume = volume, .jobs = jobs };
	bool shut = atomic_load(&volume->index_damaged) || volume->writer.index_doubtful, dead = shut || atomic_load(&volume->failed);
	enum store_err err = STORE_OK;
	uint64_t need = 0;
	size_t puts = 0;
	int rc = 0;

	for (struct job *job = jobs; job; job = job->next) {
		if (job->kind == JOB_DROP) {
			doomed_push(&volume->writer, (struct doomed){ .generation = job->generation });
			continue;
		}
		if (job->kind == JOB_RULE || job->kind == JOB_OWNER) {
			job->err = shut ? STORE_FAILED : STORE_OK;
			continue;
		}
		if (job->kind == JOB_SYNC)
			continue;
		job->current = index_is_current(volume, job->key, job->generation);
		/* Replaced while it waited: what it was to replace goes when what replaced it, which is queued, is there. */
		if (!job->current && job->replaces > 0)
			writer_push_drop(volume, job->replaces);
		if (job->current && dead)
			job->err = STORE_FAILED;
		if (job->current && !job->object->body->extents)
			need += blocks_of(atomic_load(&job->object->body->size));
		puts += job->current;
	}
	if (!dead) {
		room_make(volume, need, puts);
		err = bodies_write(volume, jobs);
	}
	/* Set aside or not: what was dropped must not come back, and purges hold; the index may still work. */
	if (!shut)
		rc = batch_try(&batch, dead ? 0 : puts);
	free(batch.changes);
	batch_finish(volume, jobs, err, rc);
}
