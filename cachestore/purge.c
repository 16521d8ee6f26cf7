/* Purging, as callers see it. An object is held against the rules once after each purge, and remembers what they said: when
 * no purge came since, asking costs a comparison. What they say only ever gets stricter, so that an older answer, written
 * over a newer one by another thread, costs another look and no more. */
#include "internal.h"

uint64_t volume_purge_clock(const struct volume *volume)
{
	return atomic_load_explicit(&volume->rules.clock, memory_order_acquire);
}

bool purge_is_bookkeeping(const struct volume *volume, const struct object_meta *meta)
{
	return (meta->flags & volume->config.bookkeeping_flags) != 0;
}

static struct slice purged_text(const struct volume *volume, struct slice key_text, char room[STORE_KEY_MAX])
{
	return volume->config.purge_text ? volume->config.purge_text(key_text, room) : key_text;
}

enum purged purge_rules(struct volume *volume, struct slice key_text, const struct object_meta *meta, void (*each)(struct rule *rule),
	uint64_t *ret_clock)
{
	char room[STORE_KEY_MAX];

	return rules_judge(&volume->rules, purged_text(volume, key_text, room), meta, purge_is_bookkeeping(volume, meta), each, ret_clock);
}

bool purge_is_due(struct volume *volume, struct slice key_text, const struct object_meta *meta)
{
	char room[STORE_KEY_MAX];

	return rules_take(&volume->rules, purged_text(volume, key_text, room), meta);
}

enum purged purge_judge(struct volume *volume, struct object *object)
{
	uint64_t judged = atomic_load_explicit(&object->judged, memory_order_relaxed), clock;
	enum purged purged = (enum purged)(judged & 3), now;

	if (judged >> 2 >= volume_purge_clock(volume))
		return purged;
	now = purge_rules(volume, object->key_text, &object->meta, NULL, &clock);
	if (now > purged)
		purged = now;
	atomic_store_explicit(&object->judged, clock << 2 | purged, memory_order_relaxed);
	return purged;
}

/* What is not published yet may be older than a rule that has gone: nobody can tell any more. */
bool purge_forbids(struct volume *volume, struct object *object)
{
	return object->meta.born < atomic_load(&volume->rules.floor) || purge_judge(volume, object) != PURGED_no
		|| void_forbids(volume, object);
}

bool object_is_purged(struct object *object)
{
	struct volume *volume = object->body->volume;

	if (!volume)
		return false;
	if (atomic_load_explicit(&object->generation, memory_order_relaxed) == 0)
		return purge_forbids(volume, object);
	return purge_judge(volume, object) != PURGED_no;
}

/* ---- what hard purges take ---- */

static void ghost_add(struct volume *volume, struct store_key key)
{
	_Atomic uint64_t *ghosts = atomic_load(&volume->rules.ghosts), *none = NULL;

	if (!ghosts) {
		ghosts = must(calloc(GHOSTS, sizeof(*ghosts)));
		if (!atomic_compare_exchange_strong(&volume->rules.ghosts, &none, ghosts)) {
			free((void *)ghosts);
			ghosts = none;
		}
	}
	atomic_store(&ghosts[key.lo % GHOSTS], key.hi | 1);
}

bool volume_was_purged(struct volume *volume, struct store_key key)
{
	_Atomic uint64_t *ghosts = atomic_load(&volume->rules.ghosts);
	uint64_t here = key.hi | 1;

	return ghosts && atomic_compare_exchange_strong(&ghosts[key.lo % GHOSTS], &here, 0);
}

void purge_drop(struct volume *volume, struct store_key key, uint64_t removed)
{
	if (removed == 0)
		return;
	ghost_add(volume, key);                   /* at once: somebody may be missing it already */
	writer_push_drop(volume, removed);
	atomic_fetch_add(&volume->rules.purged, 1);
}

bool purge_takes(struct volume *volume, struct object *object)
{
	if (purge_judge(volume, object) != PURGED_hard)
		return false;
	purge_drop(volume, object->key, index_remove_object(volume, object));
	return true;
}

/* ---- the call ---- */

enum store_err volume_purge(struct volume *volume, const struct store_purge *purge,
	void (*done)(void *arg, enum store_err err, uint64_t objects), void *arg)
{
	struct slice text = purge->text;
	struct purge_job *job;
	enum store_err held;

	if (text.len > STORE_KEY_MAX || (text.len > 0 && memchr(text.ptr, '\n', text.len)))
		return STORE_TOO_LARGE;
	if (atomic_load(&volume->closed))
		return STORE_FAILED;
	if (atomic_load(&volume->retired))
		return STORE_HANDED_OVER;
	job = must(malloc(sizeof(*job) + text.len));
	*job = (struct purge_job){ .purge = *purge, .hash = rule_hash(purge->kind, text), .done = done, .arg = arg };
	if (text.len > 0)
		memcpy(job->text, text.ptr, text.len);
	job->purge.text = slice_make(job->text, text.len);
	if ((held = purger_hold(volume, job)) != STORE_STARTING) {
		if (held != STORE_OK)
			free(job);
		return held;
	}
	job->clock = rules_add(&volume->rules, &job->purge, job->hash);
	if (job->clock == 0) {
		free(job);
		purger_push(volume, NULL);
		return STORE_RULES_FULL;
	}
	atomic_fetch_add(&volume->rules.purges, 1);
	purger_push(volume, job);
	return STORE_OK;
}
