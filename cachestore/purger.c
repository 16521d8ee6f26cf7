/* The thread behind purges, which are in force before it hears of them. For those that came it
 *   1. has them written by the writer, with everything that was put before them, and syncs
 *   2. counts what they concern: a URL by its keys, others in one pass over all records; then the callers are told
 *   3. takes out of the index what hard ones concern, and lets go of rules that are not needed any more
 * A pass reads some records at a time, and holds no transaction and no lock between. */
#include "internal.h"

enum { PASS_RECORDS = 256, DROPS_PER_FLUSH = 1024, RELATED_MAX = 2048 };

/* Has room always: it is the way out when there is none. */
static bool covers_all(const struct purge_job *job)
{
	return job->purge.kind == PURGE_PREFIX && job->purge.text.len == 0;
}

void purger_init(struct volume *volume)
{
	struct purger *purger = &volume->purger;

	pthread_mutex_init(&purger->lock, NULL);
	cond_init(&purger->work);
	purger->last = &purger->first;
	purger->holds = true;
}

/* ---- while the volume starts ---- */

enum store_err purger_hold(struct volume *volume, struct purge_job *job)
{
	struct purger *purger = &volume->purger;
	enum store_err err = STORE_STARTING;

	pthread_mutex_lock(&purger->lock);
	if (purger->refuses)
		err = STORE_FAILED;
	else if (purger->holds && purger->held >= volume->rules.max && !covers_all(job))
		err = STORE_RULES_FULL;
	else if (purger->holds) {
		*purger->last = job;
		purger->last = &job->next;
		purger->held++;
		err = STORE_OK;
	}
	pthread_mutex_unlock(&purger->lock);
	return err;
}

/* Those that wait; holding ends when there are none. */
static struct purge_job *held_take(struct purger *purger, bool failed)
{
	struct purge_job *jobs;

	pthread_mutex_lock(&purger->lock);
	jobs = purger->first;
	purger->first = NULL;
	purger->last = &purger->first;
	if (!jobs) {
		purger->holds = false;
		purger->refuses = failed;
	}
	pthread_mutex_unlock(&purger->lock);
	return jobs;
}

void purger_release(struct volume *volume, bool failed)
{
	struct purger *purger = &volume->purger;
	struct purge_job *jobs, *inforce = NULL, **last = &inforce;

	while ((jobs = held_take(purger, failed)))
		while (jobs) {
			struct purge_job *job = jobs;

			jobs = job->next;
			job->next = NULL;
			job->clock = failed ? 0 : rules_add(&volume->rules, &job->purge, job->hash);
			if (job->clock == 0) {
				job->done(job->arg, failed ? STORE_FAILED : STORE_RULES_FULL, 0);
				free(job);
				continue;
			}
			atomic_fetch_add(&volume->rules.purges, 1);
			*last = job;
			last = &job->next;
		}
	while (inforce) {
		struct purge_job *job = inforce;

		inforce = job->next;
		job->next = NULL;
		purger_push(volume, job);
	}
}

/* NULL: only to tidy. */
void purger_push(struct volume *volume, struct purge_job *job)
{
	struct purger *purger = &volume->purger;

	bool refused;

	pthread_mutex_lock(&purger->lock);
	refused = job && purger->refuses;         /* the volume was retired just now */
	if (job && !refused) {
		*purger->last = job;
		purger->last = &job->next;
	}
	pthread_cond_signal(&purger->work);
	pthread_mutex_unlock(&purger->lock);
	if (refused) {
		job->done(job->arg, STORE_HANDED_OVER, 0);
		free(job);
	}
}

/* ---- 1. on disk ---- */

static struct rule *rule_of(struct volume *volume, const struct purge_job *job)
{
	return rules_find(&volume->rules, job->purge.kind, job->purge.text, job->hash);
}

/* A job without a rule came late: a wider purge, or the end of everything it concerned, has taken its rule already. */
static void rules_write(struct volume *volume, struct purge_job *jobs)
{
	struct rules *rules = &volume->rules;
	struct rule *rule;

	for (struct purge_job *job = jobs; job; job = job->next)
		if ((rule = rule_of(volume, job)))
			writer_push_rule(volume, rules_row(rules, rule), &job->err);
	volume_flush(volume);
	/* NOMETASYNC: without this a power cut could still undo the last commit. */
	if (mdb_env_sync(volume->env.env, 1) != 0)
		for (struct purge_job *job = jobs; job; job = job->next)
			job->err = job->err ? job->err : STORE_DISK_ERROR;
	for (struct purge_job *job = jobs; job; job = job->next)
		if (job->err == STORE_OK && (rule = rule_of(volume, job)))
			rules_stored(rules, rule, job->purge.soft, job->clock);
}

/* ---- 2. one URL ---- */

struct url_count { struct volume *volume; struct purge_job *job; struct store_key *related; size_t related_count; };

static int url_key(struct url_count *count, struct store_key key, bool first)
{
	struct volume *volume = count->volume;
	uint64_t clock, generation = index_generation(volume, key, NULL);
	enum purged purged = PURGED_no;
	struct slice bytes, head;
	struct record record;
	int rc = generation > 0 ? txn_reader_renew(&volume->env, &volume->env.scanner) : MDB_NOTFOUND;

	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	if ((rc = txn_get(&volume->env, volume->env.scanner, generation, &bytes)) == 0
			&& record_decode(bytes, generation, volume->blocks.total, &record)) {
		bool bookkeeping = purge_is_bookkeeping(volume, &record.meta);

		purged = purge_rules(volume, record.key_text, &record.meta, NULL, &clock);
		if (purged != PURGED_no && !bookkeeping)
			count->job->objects++;
		if (first && bookkeeping && volume->config.related && txn_get_head(&volume->env, volume->env.scanner, &record, &head) == 0)
			count->related_count = volume->config.related(head, count->related, RELATED_MAX);
	}
	txn_reader_reset(volume->env.scanner);
	if (purged == PURGED_hard)
		purge_drop(volume, key, index_remove(volume, key, generation));
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The same with what lies beside. */
static int url_keys(struct url_count *count, struct store_key key, bool first)
{
	struct store_key beside[STORE_BESIDE_MAX];
	size_t n = count->volume->config.beside ? count->volume->config.beside(key, beside) : 0;
	int rc = url_key(count, key, first);

	CHECK(n <= STORE_BESIDE_MAX);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = url_key(count, beside[i], false);
	return rc;
}

static int url_purge(struct volume *volume, struct purge_job *job)
{
	struct url_count count = { .volume = volume, .job = job };
	int rc;

	count.related = must(malloc(RELATED_MAX * sizeof(*count.related)));
	pthread_mutex_lock(&volume->writer.cleaner.still);
	rc = url_keys(&count, store_key_make(job->purge.text), true);
	for (size_t i = 0; rc == 0 && i < count.related_count; i++)
		rc = url_keys(&count, count.related[i], false);
	pthread_mutex_unlock(&volume->writer.cleaner.still);
	free(count.related);
	return rc;
}

/* ---- passes ---- */

struct pass {
	struct volume *volume;
	bool drop;
	struct doomed doomed[PASS_RECORDS];
	size_t doomed_count, dropped;
};

static void rule_count(struct rule *rule)
{
	rule->count++;
}

static int pass_visit(void *arg, uint64_t generation, struct slice bytes)
{
	struct pass *pass = arg;
	struct volume *volume = pass->volume;
	struct record record;
	uint64_t clock;

	if (!record_decode(bytes, generation, volume->blocks.total, &record) || record.meta.born >= volume_purge_clock(volume)
			|| !index_is_current(volume, record.key, generation))
		return 0;
	/* What a purge takes that came meanwhile stays until it has been counted. */
	if (pass->drop && purge_is_due(volume, record.key_text, &record.meta))
		pass->doomed[pass->doomed_count++] = (struct doomed){ .key = record.key, .generation = generation };
	else
		purge_rules(volume, record.key_text, &record.meta, purge_is_bookkeeping(volume, &record.meta) && !pass->drop ? NULL : rule_count, &clock);
	return 0;
}

/* Over all records. drop: what hard purges concern is taken out, and not counted. Nonzero: it did not come to the end. */
static int pass_run(struct volume *volume, bool drop)
{
	struct pass *pass = must(calloc(1, sizeof(*pass)));
	size_t seen = PASS_RECORDS;
	uint64_t generation = 0;
	int rc = 0;

	pass->volume = volume;
	pass->drop = drop;
	while (rc == 0 && seen == PASS_RECORDS) {
		if (atomic_load(&volume->purger.stop))
			rc = EINTR;
		else if ((rc = txn_reader_renew(&volume->env, &volume->env.scanner)) == 0) {
			rc = txn_each_some(&volume->env, volume->env.scanner, &generation, PASS_RECORDS, pass_visit, pass, &seen);
			txn_reader_reset(volume->env.scanner);
		}
		for (size_t i = 0; i < pass->doomed_count; i++)
			purge_drop(volume, pass->doomed[i].key, index_remove(volume, pass->doomed[i].key, pass->doomed[i].generation));
		pass->dropped += pass->doomed_count;
		pass->doomed_count = 0;
		if (pass->dropped >= DROPS_PER_FLUSH) {   /* the queue is for what is put, too */
			volume_flush(volume);
			pass->dropped = 0;
		}
	}
	free(pass);
	return rc;
}

/* ---- 3. tidying ---- */

static uint64_t keep_us(const struct volume *volume)
{
	return volume->config.purge_keep_us ? volume->config.purge_keep_us : PURGE_KEEP_US;
}

/* A rule that a wider one covers is over. After a pass that dropped, so is one that it met nothing of, and that was there for
 * a while before it. */
static void rules_tidy(struct volume *volume, bool dropped)
{
	uint64_t pass_us = volume->purger.pass_us, old_us = dropped && pass_us > keep_us(volume) ? pass_us - keep_us(volume) : 0;
	struct rule *found[64];

	for (size_t slot = 0; slot < RULE_SLOTS; slot++) {
		size_t count = rules_slot(&volume->rules, slot, found, COUNT_OF(found));

		for (size_t i = 0; i < count; i++) {
			bool unused = found[i]->count == 0;
			struct rule_row *row = rules_remove(&volume->rules, found[i], old_us, true);

			if (!row && unused)
				row = rules_remove(&volume->rules, found[i], old_us, false);
			if (row)
				writer_push_rule(volume, row, NULL);
		}
	}
}

/* Counts for every rule what it concerns; when dropping, what is left of it then. Nothing is moved meanwhile: a record that
 * went on before the pass would be counted twice. */
static int pass_and_count(struct volume *volume, bool drop)
{
	int rc;

	volume->purger.pass_us = now_us();
	rules_clear_counts(&volume->rules);
	pthread_mutex_lock(&volume->writer.cleaner.still);
	rc = pass_run(volume, drop);
	pthread_mutex_unlock(&volume->writer.cleaner.still);
	return rc;
}

static void drop_and_tidy(struct volume *volume)
{
	if (pass_and_count(volume, true) == 0)
		rules_tidy(volume, true);
}

/* ---- the thread ---- */

static void jobs_run(struct volume *volume, struct purge_job *jobs)
{
	bool pass = false, drop = false;
	struct rule *rule;
	int rc = 0;

	rules_write(volume, jobs);
	for (struct purge_job *job = jobs; job; job = job->next) {
		pass |= job->purge.kind != PURGE_KEY;
		drop |= job->purge.kind != PURGE_KEY && !job->purge.soft;
	}
	if (pass)
		rc = pass_and_count(volume, false);
	while (jobs) {
		struct purge_job *job = jobs;

		jobs = job->next;
		if (job->purge.kind == PURGE_KEY)
			rc = url_purge(volume, job);
		else if ((rule = rule_of(volume, job)))
			job->objects = rule->count;
		if (env_error_is_damage(rc))
			volume_fail(volume, STORE_DAMAGED, mdb_strerror(rc));
		job->done(job->arg, job->err ? job->err : env_error(rc), job->objects);
		free(job);
	}
	if (drop)
		drop_and_tidy(volume);
	else if (pass)
		rules_tidy(volume, false);
}

/* When to tidy without being asked to: now and then while there are rules, soon when most of their room is taken; 0: never. */
static uint64_t tidy_due(struct volume *volume)
{
	size_t count;

	pthread_rwlock_rdlock(&volume->rules.lock);
	count = volume->rules.count;
	pthread_rwlock_unlock(&volume->rules.lock);
	if (count == 0)
		return 0;
	return volume->purger.pass_us + (count > volume->rules.max / 4 * 3 ? keep_us(volume) : PURGE_TIDY_US);
}

/* Waits for jobs, or for the time to tidy; NULL: for that, or to stop. */
static struct purge_job *jobs_take(struct volume *volume)
{
	struct purger *purger = &volume->purger;
	uint64_t due = tidy_due(volume);
	struct purge_job *jobs;

	pthread_mutex_lock(&purger->lock);
	if (!purger->first && !atomic_load(&purger->stop) && !purger->refuses && (due == 0 || now_us() < due)) {
		if (due == 0)
			pthread_cond_wait(&purger->work, &purger->lock);
		else
			cond_wait_until(&purger->work, &purger->lock, due);
	}
	jobs = purger->first;
	purger->first = NULL;
	purger->last = &purger->first;
	if (!jobs && purger->refuses)             /* purger_finish() waits for that */
		atomic_store(&purger->stop, true);
	pthread_mutex_unlock(&purger->lock);
	return jobs;
}

static void *purger_run(void *arg)
{
	struct volume *volume = arg;
	struct purger *purger = &volume->purger;

	purger->pass_us = now_us();
	while (!atomic_load(&purger->stop)) {
		struct purge_job *jobs = jobs_take(volume);

		if (jobs)
			jobs_run(volume, jobs);
		else if (!atomic_load(&purger->stop) && tidy_due(volume) - 1 < now_us())
			drop_and_tidy(volume);
	}
	return NULL;
}

bool purger_start(struct volume *volume)
{
	volume->purger.refuses = false;
	atomic_store(&volume->purger.stop, false);
	volume->purger.started = pthread_create(&volume->purger.thread, NULL, purger_run, volume) == 0;
	return volume->purger.started;
}

void purger_finish(struct volume *volume)
{
	struct purger *purger = &volume->purger;

	pthread_mutex_lock(&purger->lock);
	purger->refuses = true;
	pthread_cond_signal(&purger->work);
	pthread_mutex_unlock(&purger->lock);
	if (purger->started)
		pthread_join(purger->thread, NULL);
	purger->started = false;
}

void purger_stop(struct volume *volume)
{
	struct purger *purger = &volume->purger;

	pthread_mutex_lock(&purger->lock);
	atomic_store(&purger->stop, true);
	pthread_cond_signal(&purger->work);
	pthread_mutex_unlock(&purger->lock);
	if (purger->started)
		pthread_join(purger->thread, NULL);
	purger->started = false;
	/* Came while it ended: in force for nobody any more, and not on disk. */
	while (purger->first) {
		struct purge_job *job = purger->first;

		purger->first = job->next;
		job->done(job->arg, STORE_FAILED, 0);
		free(job);
	}
	pthread_cond_destroy(&purger->work);
	pthread_mutex_destroy(&purger->lock);
}
