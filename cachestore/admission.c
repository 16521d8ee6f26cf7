/* What is let into a volume: by second hit. A key that was not let in is remembered, in a bounded table of its shard; while
 * it is, the next answer to it is let in. It stays remembered, so that what was evicted need not come twice again. */
#include "internal.h"

enum { SEEN_MIN = 1024, SEEN_PER_OBJECT = 2 };

bool index_admits(struct volume *volume, struct store_key key, uint64_t size)
{
	struct shard *shard = index_shard(volume, key);
	struct ghosts *seen = &shard->seen;
	uint32_t value;
	bool admits;

	if (volume->config.admission == ADMISSION_all || (size != STORE_SIZE_UNKNOWN && size <= volume->config.admission_over))
		return true;
	pthread_mutex_lock(&shard->lock);
	ghosts_reserve(seen, SEEN_MIN + SEEN_PER_OBJECT * shard->entry_count);
	if (++seen->now % GHOST_AGE_MAX == 0)
		ghosts_age(seen);
	admits = ghosts_take(seen, key, &value) || index_find(shard, key);
	ghosts_add(seen, key, seen->now);
	pthread_mutex_unlock(&shard->lock);
	if (!admits)
		atomic_fetch_add_explicit(&volume->not_admitted, 1, memory_order_relaxed);
	return admits;
}
