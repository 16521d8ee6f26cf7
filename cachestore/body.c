/* The bytes of an object: chunks in memory, or extents of the data file, or both. Shared by objects that a refresh made.
 *
 * One thread appends; any number read without a lock: a chunk is linked before `available` (release) covers it, and stays
 * until the body is freed. So what object_peek() gave is valid as long as a reference is. */
#include "internal.h"

#include <fcntl.h>
#include <sys/uio.h>

static struct body *body_alloc(struct volume *volume, uint64_t size, size_t inline_bytes)
{
	struct body *body = must(malloc(sizeof(*body) + inline_bytes));

	memset(body, 0, sizeof(*body));
	atomic_init(&body->refs, 1);
	atomic_init(&body->state, OBJECT_FILLING);
	atomic_init(&body->size, size);
	body->volume = volume ? volume_ref(volume) : NULL;
	body->heap_bytes = sizeof(*body) + inline_bytes;
	body->in_memory = true;
	pthread_mutex_init(&body->lock, NULL);
	return body;
}

static void chunk_link(struct body *body, struct chunk *chunk, uint64_t offset, size_t size)
{
	atomic_init(&chunk->next, NULL);
	chunk->offset = offset;
	chunk->size = size;
	if (body->last)
		atomic_store_explicit(&body->last->next, chunk, memory_order_release);
	else
		atomic_store_explicit(&body->first, chunk, memory_order_release);
	body->last = chunk;
}

struct body *body_new(struct volume *volume, uint64_t size, bool contiguous)
{
	size_t bytes = size != STORE_SIZE_UNKNOWN && (contiguous || size <= BODY_CONTIGUOUS_MAX) ? (size_t)size : 0;
	struct body *body = body_alloc(volume, size, bytes > 0 ? sizeof(struct chunk) + bytes : 0);

	if (bytes > 0)
		chunk_link(body, (struct chunk *)(body + 1), 0, bytes);
	return body;
}

struct body *body_new_on_disk(struct volume *volume, uint64_t size, uint64_t checksum)
{
	struct body *body = body_alloc(volume, size, 0);

	body->in_memory = false;
	body->checksum = checksum;
	atomic_store(&body->available, size);
	atomic_store(&body->state, OBJECT_WHOLE);
	return body;
}

struct body *body_ref(struct body *body)
{
	atomic_fetch_add_explicit(&body->refs, 1, memory_order_relaxed);
	return body;
}

void body_unref(struct body *body)
{
	struct chunk *chunk, *next;

	if (atomic_fetch_sub_explicit(&body->refs, 1, memory_order_acq_rel) != 1)
		return;
	CHECK(!body->waiters);
	body_uncharge(body);
	if (body->extents)
		body_set_extents(body, NULL, 0);
	for (chunk = atomic_load(&body->first); chunk; chunk = next) {
		next = atomic_load(&chunk->next);
		if (chunk != (struct chunk *)(body + 1))
			free(chunk);
	}
	if (body->hash)
		XXH3_freeState(body->hash);
	pthread_mutex_destroy(&body->lock);
	if (body->volume)
		volume_unref(body->volume);
	free(body);
}

void body_uncharge(struct body *body)
{
	uint64_t charge = atomic_exchange(&body->charge, 0);

	if (charge > 0)
		atomic_fetch_sub(&body->volume->fill_bytes, charge);
}

/* Counts bytes of memory against fill_max. */
static bool body_charge(struct body *body, uint64_t bytes)
{
	struct volume *volume = body->volume;
	uint64_t now;

	if (!volume)
		return true;
	now = atomic_load(&volume->fill_bytes);
	do {
		if (bytes > volume->fill_max || now > volume->fill_max - bytes)
			return false;
	} while (!atomic_compare_exchange_weak(&volume->fill_bytes, &now, now + bytes));
	atomic_fetch_add(&body->charge, bytes);
	return true;
}

/* The next chunk: each twice as long as the one before, cut to what is missing when the size is known. */
static enum store_err body_grow(struct body *body)
{
	uint64_t have = atomic_load_explicit(&body->available, memory_order_relaxed), size = atomic_load(&body->size);
	uint64_t bytes = size == STORE_SIZE_UNKNOWN ? CHUNK_FIRST : BODY_CONTIGUOUS_MAX;

	if (body->last)
		bytes = body->last->size * 2 < CHUNK_MAX ? body->last->size * 2 : CHUNK_MAX;
	if (size != STORE_SIZE_UNKNOWN && bytes > size - have)
		bytes = size - have;
	if (size == STORE_SIZE_UNKNOWN && !body_charge(body, bytes))     /* known sizes were counted at once */
		return STORE_RAM_FULL;
	chunk_link(body, must(malloc(sizeof(struct chunk) + bytes)), have, bytes);
	body->heap_bytes += sizeof(struct chunk) + bytes;
	return STORE_OK;
}

static void waiters_wake(struct body *body)
{
	struct object_waiter *waiter;

	while ((waiter = body->waiters)) {
		body->waiters = waiter->next;
		if (waiter->next)
			waiter->next->prev = NULL;
		waiter->linked = false;
		waiter->wake(waiter);
	}
}

enum store_err body_append(struct body *body, const char *bytes, size_t len)
{
	uint64_t have = atomic_load_explicit(&body->available, memory_order_relaxed), size = atomic_load(&body->size), end;
	enum store_err err;

	if (len == 0)
		return STORE_OK;
	if (len > UINT64_MAX - 1 - have || have + len > size || (body->volume && have + len > body->volume->body_max))
		return STORE_TOO_LARGE;
	if (!body->hash && (have > 0 || len != size)) {
		CHECK(have == 0);
		body->hash = must(XXH3_createState());
		XXH3_64bits_reset(body->hash);
	}
	if (body->hash)
		XXH3_64bits_update(body->hash, bytes, len);
	else
		body->checksum = XXH3_64bits(bytes, len);
	for (end = have + len; have < end;) {
		size_t used, room;

		if (!body->last || have == body->last->offset + body->last->size)
			if ((err = body_grow(body)) != STORE_OK)
				return err;
		used = (size_t)(have - body->last->offset);
		room = body->last->size - used;
		if (room > end - have)
			room = (size_t)(end - have);
		memcpy(body->last->bytes + used, bytes, room);
		bytes += room;
		have += room;
		atomic_store_explicit(&body->available, have, memory_order_release);
	}
	pthread_mutex_lock(&body->lock);
	waiters_wake(body);
	pthread_mutex_unlock(&body->lock);
	return STORE_OK;
}

void body_end(struct body *body, enum object_state state)
{
	if (state == OBJECT_WHOLE) {
		uint64_t have = atomic_load(&body->available);

		if (body->hash)
			body->checksum = XXH3_64bits_digest(body->hash);
		else if (have == 0)
			body->checksum = XXH3_64bits("", 0);
		atomic_store(&body->size, have);
	}
	if (body->hash)
		XXH3_freeState(body->hash);
	body->hash = NULL;
	pthread_mutex_lock(&body->lock);
	atomic_store_explicit(&body->state, state, memory_order_release);
	waiters_wake(body);
	pthread_mutex_unlock(&body->lock);
}

bool object_wait(struct object *object, uint64_t seen, struct object_waiter *waiter)
{
	struct body *body = object->body;
	bool linked = false;

	pthread_mutex_lock(&body->lock);
	CHECK(!waiter->linked);
	if (atomic_load(&body->available) <= seen && atomic_load(&body->state) == OBJECT_FILLING) {
		waiter->prev = NULL;
		waiter->next = body->waiters;
		if (waiter->next)
			waiter->next->prev = waiter;
		body->waiters = waiter;
		waiter->linked = linked = true;
	}
	pthread_mutex_unlock(&body->lock);
	return linked;
}

bool object_unwait(struct object *object, struct object_waiter *waiter)
{
	struct body *body = object->body;
	bool linked;

	pthread_mutex_lock(&body->lock);
	linked = waiter->linked;
	if (linked) {
		if (waiter->prev)
			waiter->prev->next = waiter->next;
		else
			body->waiters = waiter->next;
		if (waiter->next)
			waiter->next->prev = waiter->prev;
		waiter->linked = false;
	}
	pthread_mutex_unlock(&body->lock);
	return linked;
}

int body_peek(const struct body *body, uint64_t offset, uint64_t max, struct iovec *iov, int count)
{
	uint64_t have = atomic_load_explicit(&body->available, memory_order_acquire);
	const struct chunk *chunk;
	int pieces = 0;

	if (offset >= have || max == 0)
		return 0;
	if (!body->in_memory)
		return -1;
	if (max > have - offset)
		max = have - offset;
	chunk = atomic_load_explicit(&body->first, memory_order_acquire);
	while (offset >= chunk->offset + chunk->size)
		chunk = atomic_load_explicit(&chunk->next, memory_order_acquire);
	for (; pieces < count && max > 0; pieces++) {
		size_t from = (size_t)(offset - chunk->offset), len = chunk->size - from;

		if (len > max)
			len = (size_t)max;
		iov[pieces] = (struct iovec){ (void *)(chunk->bytes + from), len };
		offset += len;
		max -= len;
		if (max > 0)
			chunk = atomic_load_explicit(&chunk->next, memory_order_acquire);
	}
	return pieces;
}

ssize_t body_copy(const struct body *body, uint64_t offset, void *buf, size_t len)
{
	size_t done = 0;
	struct iovec iov;

	while (done < len && body_peek(body, offset + done, len - done, &iov, 1) == 1) {
		memcpy((char *)buf + done, iov.iov_base, iov.iov_len);
		done += iov.iov_len;
	}
	return (ssize_t)done;
}

void body_set_extents(struct body *body, struct extent *extents, uint32_t count)
{
	struct blocks *blocks = &body->volume->blocks;

	if (body->extents)
		blocks_unpin(blocks, body);
	free(body->extents);
	body->extents = extents;
	body->extent_count = count;
	if (extents)
		blocks_pin(blocks, body);
	atomic_store(&body->on_disk, extents != NULL);
}

ssize_t body_read_disk(struct body *body, uint64_t offset, void *buf, size_t len, int flags)
{
	uint64_t size = atomic_load(&body->size), from = 0;
	size_t done = 0;

	if (offset >= size)
		return 0;
	if (len > size - offset)
		len = (size_t)(size - offset);
	for (uint32_t i = 0; i < body->extent_count && done < len; i++) {
		uint64_t bytes = (uint64_t)body->extents[i].count * BLOCK_BYTES;

		for (; done < len && offset + done < from + bytes;) {
			uint64_t within = offset + done - from;
			struct iovec iov = { (char *)buf + done, len - done };
			ssize_t n;

			if (iov.iov_len > bytes - within)
				iov.iov_len = (size_t)(bytes - within);
			n = preadv2(body->volume->folder.data_fd, &iov, 1,
				(off_t)((uint64_t)body->extents[i].start * BLOCK_BYTES + within), flags);
			if (n < 0 && errno == EINTR)
				continue;
			if (n == 0)
				errno = EIO;
			if (n <= 0 && done > 0)
				return (ssize_t)done;
			if (n <= 0 && errno == EIO)
				atomic_fetch_add(&body->volume->read_errors, 1);
			if (n <= 0)
				return -errno;
			done += (size_t)n;
		}
		from += bytes;
	}
	return (ssize_t)done;
}

void body_read_ahead(struct body *body, uint64_t offset, size_t len)
{
	uint64_t from = 0, end = offset + len;

	for (uint32_t i = 0; i < body->extent_count && from < end; i++) {
		uint64_t bytes = (uint64_t)body->extents[i].count * BLOCK_BYTES;
		uint64_t first = offset > from ? offset - from : 0, last = end - from < bytes ? end - from : bytes;

		if (first < last)
			readahead(body->volume->folder.data_fd, (off_t)((uint64_t)body->extents[i].start * BLOCK_BYTES + first), (size_t)(last - first));
		from += bytes;
	}
}
