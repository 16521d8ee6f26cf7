/* proxyd ctl origins. What is known of a server is each worker's own: they are asked by a message, and their answers added up. */
#include "admin_parts.h"

#include <errno.h>
#include <time.h>

#include "origin.h"
#include "worker_internal.h"

enum { LOOK_MS = 50, PATIENCE_MS = 5000 };

struct row {
	char *upstream, *server, *address;
	unsigned index, weight, max_fails;   /* index: of the `server` row */
	bool backup, down;
	unsigned workers, out;               /* that know of it; of these, those that do not ask it now */
	int64_t until_us, error_us;          /* since 1970; 0: none */
	uint64_t idle, busy, asked, failures, fails;
	enum end error;
};

/* Whoever drops the last reference frees: a worker that has ended answers late, or only when it is freed. */
struct gathering {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned refs, answers;
	struct row *rows;
	size_t count;
	struct question { struct mail mail; struct gathering *gathering; } questions[];
};

static void gathering_unref(struct gathering *gathering)
{
	bool last;

	pthread_mutex_lock(&gathering->lock);
	last = --gathering->refs == 0;
	pthread_mutex_unlock(&gathering->lock);
	if (!last)
		return;
	for (size_t i = 0; i < gathering->count; i++) {
		free(gathering->rows[i].upstream);
		free(gathering->rows[i].server);
		free(gathering->rows[i].address);
	}
	free(gathering->rows);
	pthread_mutex_destroy(&gathering->lock);
	pthread_cond_destroy(&gathering->changed);
	free(gathering);
}

/* ---- in a worker ---- */

static bool is_text(const char *have, struct slice text)
{
	return slice_eq(slice_str(have), text);
}

static struct row *row_get(struct gathering *gathering, const struct origin_seen *seen)
{
	struct row *row;

	for (size_t i = 0; i < gathering->count; i++) {
		row = &gathering->rows[i];
		if (row->index == seen->origin->index && is_text(row->upstream, seen->upstream->name) && is_text(row->address, seen->addr->text))
			return row;
	}
	gathering->rows = must(realloc(gathering->rows, (gathering->count + 1) * sizeof(*gathering->rows)));
	row = &gathering->rows[gathering->count++];
	*row = (struct row){ .upstream = must(strndup(seen->upstream->name.ptr, seen->upstream->name.len)),
		.server = must(strndup(seen->origin->host.ptr, seen->origin->host.len)),
		.address = must(strndup(seen->addr->text.ptr, seen->addr->text.len)), .index = seen->origin->index, .weight = seen->origin->weight,
		.max_fails = seen->origin->max_fails, .backup = seen->origin->backup, .down = seen->origin->down };
	return row;
}

static void origin_add(void *arg, const struct origin_seen *seen)
{
	struct row *row = row_get(arg, seen);

	row->workers++;
	row->out += seen->out_us > 0;
	row->until_us = seen->out_us > row->until_us ? seen->out_us : row->until_us;
	row->idle += seen->idle;
	row->busy += seen->busy;
	row->asked += seen->asked;
	row->failures += seen->failures;
	row->fails = seen->fails > row->fails ? seen->fails : row->fails;
	if (seen->error_us > row->error_us) {
		row->error_us = seen->error_us;
		row->error = seen->error;
	}
}

static void question_run(struct worker *worker, struct mail *mail)
{
	struct gathering *gathering = ((struct question *)(void *)mail)->gathering;

	pthread_mutex_lock(&gathering->lock);
	origins_look(worker, origin_add, gathering);
	gathering->answers++;
	pthread_cond_signal(&gathering->changed);
	pthread_mutex_unlock(&gathering->lock);
	gathering_unref(gathering);
}

/* ---- in the admin thread ---- */

static bool have_ended(const struct daemon *daemon)
{
	for (unsigned i = 0; i < daemon->worker_count; i++)
		if (worker_has_ended(daemon->workers[i]))
			return true;
	return false;
}

/* A worker that has ended answers when it is freed, which waits for this thread. */
static bool answers_wait(struct daemon *daemon, struct gathering *gathering)
{
	bool all;

	pthread_mutex_lock(&gathering->lock);
	for (int waited = 0; gathering->answers < daemon->worker_count && waited < PATIENCE_MS && !have_ended(daemon); waited += LOOK_MS) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&gathering->changed, &gathering->lock, &until);
	}
	all = gathering->answers == daemon->worker_count;
	pthread_mutex_unlock(&gathering->lock);
	return all;
}

static json_t *row_json(const struct row *row)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:s, s:b, s:i, s:I, s:I, s:I, s:I}", "upstream", text_json(slice_str(row->upstream)),
		"server", text_json(slice_str(row->server)), "address", text_json(slice_str(row->address)),
		"state", row->down ? "down" : row->out > 0 ? "failed" : "up", "backup", (int)row->backup, "weight", (int)row->weight,
		"idle", (json_int_t)row->idle, "busy", (json_int_t)row->busy, "asked", (json_int_t)row->asked, "failures", (json_int_t)row->failures);

	json_object_set_new(json, "failures_in_a_row", json_integer((json_int_t)row->fails));
	json_object_set_new(json, "max_fails", json_integer(row->max_fails));
	json_object_set_new(json, "workers", json_integer(row->workers));
	json_object_set_new(json, "workers_failed", json_integer(row->out));
	json_object_set_new(json, "failed_until_us", row->until_us > 0 ? json_integer((json_int_t)row->until_us) : json_null());
	json_object_set_new(json, "last_error", row->error_us > 0 ? json_string(end_rows[row->error].log_text) : json_null());
	json_object_set_new(json, "last_error_us", row->error_us > 0 ? json_integer((json_int_t)row->error_us) : json_null());
	return json;
}

json_t *admin_origins(struct daemon *daemon)
{
	struct gathering *gathering = must(calloc(1, sizeof(*gathering) + daemon->worker_count * sizeof(struct question)));
	json_t *list = NULL;

	pthread_mutex_init(&gathering->lock, NULL);
	pthread_cond_init(&gathering->changed, NULL);
	gathering->refs = daemon->worker_count + 1;
	for (unsigned i = 0; i < daemon->worker_count; i++) {
		gathering->questions[i] = (struct question){ { .run = question_run }, gathering };
		worker_post(daemon->workers[i], &gathering->questions[i].mail);
	}
	if (answers_wait(daemon, gathering)) {
		list = json_array();
		for (size_t i = 0; i < gathering->count; i++)
			json_array_append_new(list, row_json(&gathering->rows[i]));
	}
	gathering_unref(gathering);
	return list ? json_pack("{s:b, s:o}", "ok", 1, "origins", list) : NULL;
}
