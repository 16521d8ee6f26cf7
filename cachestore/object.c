/* Objects: key, meta and head in one allocation, and a body. Their life: new, append, finish or fail; refresh; the end. */
#include "internal.h"

struct object *object_make(struct volume *volume, struct store_key key, struct slice key_text, const struct object_meta *meta,
	struct slice head, struct body *body)
{
	size_t bytes = sizeof(struct object) + head.len + key_text.len + meta->tags.len;
	struct object *object = must(malloc(bytes));
	char *text = (char *)(object + 1);

	memset(object, 0, sizeof(*object));
	atomic_init(&object->refs, 1);
	object->volume = volume;
	object->body = body;
	object->key = key;
	object->meta = *meta;
	object->own_bytes = bytes;
	object->in_memory = body->in_memory;
	if (key_text.len > 0)
		memcpy(text, key_text.ptr, key_text.len);
	object->key_text = slice_make(text, key_text.len);
	if (head.len > 0)
		memcpy(text + key_text.len, head.ptr, head.len);
	object->head = slice_make(text + key_text.len, head.len);
	text += key_text.len + head.len;
	if (meta->tags.len > 0)
		memcpy(text, meta->tags.ptr, meta->tags.len);
	object->meta.tags = slice_make(text, meta->tags.len);
	atomic_init(&object->judged, object->meta.born << 2);
	return object;
}

uint64_t object_bytes(const struct object *object)
{
	return object->own_bytes + object->body->heap_bytes;
}

struct object *object_ref(struct object *object)
{
	atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
	return object;
}

void object_unref(struct object **object)
{
	struct object *gone = *object;

	*object = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->refs, 1, memory_order_acq_rel) != 1)
		return;
	body_unref(gone->body);
	free(gone);
}

/* Memory that is certain from the start is counted at the start: a filling that must fail shall fail early. */
static enum store_err fill_begin(struct volume *volume, struct slice key_text, struct slice head, struct slice tags, uint64_t size)
{
	uint64_t now = atomic_load(&volume->fill_bytes);

	if (atomic_load(&volume->failed) || atomic_load(&volume->closed))
		return STORE_FAILED;
	if (volume_is_starting(volume))
		return STORE_STARTING;
	if (atomic_load(&volume->retired))
		return STORE_HANDED_OVER;
	if (head.len > STORE_HEAD_MAX || key_text.len > STORE_KEY_MAX || tags.len > STORE_TAGS_MAX || (size != STORE_SIZE_UNKNOWN && size > volume->body_max))
		return STORE_TOO_LARGE;
	if (size == STORE_SIZE_UNKNOWN)
		return now < volume->fill_max ? STORE_OK : STORE_RAM_FULL;
	do {
		if (now > volume->fill_max || size > volume->fill_max - now)
			return STORE_RAM_FULL;
	} while (!atomic_compare_exchange_weak(&volume->fill_bytes, &now, now + size));
	return STORE_OK;
}

/* Born now, unless it says when. */
static struct object_meta meta_born(const struct volume *volume, const struct object_meta *meta)
{
	struct object_meta born = *meta;

	if (volume && born.born == 0)
		born.born = volume_purge_clock(volume);
	if (volume && born.asked == 0)
		born.asked = volume_void_clock(volume);
	return born;
}

enum store_err object_new(struct volume *volume, struct store_key key, struct slice key_text, const struct object_meta *meta,
	struct slice head, uint64_t body_size, struct object **ret_object)
{
	struct object_meta born;
	struct body *body;
	enum store_err err;

	if (volume && !(meta->flags & volume->config.bookkeeping_flags) && !index_admits(volume, key, body_size))
		return STORE_NOT_ADMITTED;
	if (volume && (err = fill_begin(volume, key_text, head, meta->tags, body_size)) != STORE_OK)
		return err;
	body = body_new(volume, body_size, false);
	if (volume && body_size != STORE_SIZE_UNKNOWN)
		atomic_store(&body->charge, body_size);
	born = meta_born(volume, meta);
	*ret_object = object_make(volume, key, key_text, &born, head, body);
	return STORE_OK;
}

enum store_err object_append(struct object *object, const void *bytes, size_t len)
{
	enum object_state state = atomic_load(&object->body->state);
	enum store_err err;

	CHECK(state != OBJECT_WHOLE);
	if (state == OBJECT_BROKEN)
		return STORE_FAILED;
	if ((err = body_append(object->body, bytes, len)) != STORE_OK)
		object_fail(object);
	return err;
}

void object_fail(struct object *object)
{
	if (atomic_load(&object->body->state) != OBJECT_FILLING)
		return;                           /* an append failed before */
	body_end(object->body, OBJECT_BROKEN);
	body_uncharge(object->body);
}

/* What waits for the writer: the record, and the body unless it is on disk. */
static uint64_t put_bytes(const struct object *object)
{
	return object->own_bytes + (atomic_load(&object->body->on_disk) ? 0 : object->body->heap_bytes);
}

/* Publishes and queues, or neither. */
static enum store_err object_put(struct object *object, const struct object *over)
{
	struct volume *volume = object->volume;
	uint64_t bytes = put_bytes(object), replaced;
	enum store_err err;

	if (atomic_load(&volume->failed) || atomic_load(&volume->closed))
		return STORE_FAILED;
	if (atomic_load(&volume->retired) || !handover_has_room(volume, bytes))
		return STORE_HANDED_OVER;
	if (purge_forbids(volume, object))
		return STORE_PURGED;
	if ((err = writer_reserve(volume, bytes)) != STORE_OK)
		return err;
	if (!index_publish(volume, object, over, &replaced)) {
		writer_unreserve(volume, bytes);
		return STORE_REPLACED;
	}
	atomic_fetch_add_explicit(&volume->puts, 1, memory_order_relaxed);
	writer_push_put(volume, object, replaced, bytes);
	/* Voided between the first look and its publishing, when what was to be dropped was not there yet. */
	if (void_forbids(volume, object)) {
		volume_drop(volume, object->key, object);
		return STORE_PURGED;
	}
	return STORE_OK;
}

enum store_err object_finish(struct object *object)
{
	struct body *body = object->body;
	uint64_t size = atomic_load(&body->size);
	enum store_err err = STORE_OK;

	CHECK(atomic_load(&body->state) != OBJECT_WHOLE);
	if (atomic_load(&body->state) == OBJECT_BROKEN)
		return STORE_FAILED;
	if (size != STORE_SIZE_UNKNOWN && atomic_load(&body->available) != size) {
		object_fail(object);              /* shorter than promised: never served as whole */
		return STORE_FAILED;
	}
	body_end(body, OBJECT_WHOLE);
	if (object->volume)
		err = object_put(object, NULL);
	if (err != STORE_OK)
		body_uncharge(body);
	return err;
}

enum store_err object_refresh(struct object *object, const struct object_meta *meta, struct slice head, struct object **ret_object)
{
	struct object_meta born = meta_born(object->volume, meta);
	bool storable = object->volume && object->generation > 0 && head.len <= STORE_HEAD_MAX && meta->tags.len <= STORE_TAGS_MAX
		&& atomic_load(&object->body->state) == OBJECT_WHOLE;
	struct object *fresh = object_make(storable ? object->volume : NULL, object->key, object->key_text, &born, head,
		body_ref(object->body));
	enum store_err err = storable ? object_put(fresh, object) : head.len > STORE_HEAD_MAX ? STORE_TOO_LARGE
		: object->volume ? STORE_REPLACED : STORE_OK;

	if (err != STORE_OK)
		fresh->volume = NULL;
	*ret_object = fresh;
	return err;
}

/* ---- reading ---- */
enum object_state object_state(const struct object *object)
{
	return atomic_load_explicit(&object->body->state, memory_order_acquire);
}

const struct object_meta *object_meta(const struct object *object)
{
	return &object->meta;
}

struct slice object_head(const struct object *object)
{
	return object->head;
}

uint64_t object_available(const struct object *object)
{
	return atomic_load_explicit(&object->body->available, memory_order_acquire);
}

uint64_t object_size(const struct object *object)
{
	return atomic_load_explicit(&object->body->size, memory_order_acquire);
}

uint64_t object_checksum(const struct object *object)
{
	return object_state(object) == OBJECT_WHOLE ? object->body->checksum : 0;
}

int object_peek(const struct object *object, uint64_t offset, uint64_t max, struct iovec *iov, int count)
{
	return body_peek(object->body, offset, max, iov, count);
}

ssize_t object_read(struct object *object, uint64_t offset, void *buf, size_t len)
{
	struct body *body = object->body;
	ssize_t n;

	if (body->in_memory)
		return body_copy(body, offset, buf, len);
	if (atomic_load(&body->volume->closed))
		return -EIO;
	n = body_read_disk(body, offset, buf, len, RWF_NOWAIT);
	if (n >= 0 || n == -EAGAIN)
		return n;
	if (n == -EOPNOTSUPP || n == -EINVAL)     /* file systems without RWF_NOWAIT: the I/O thread has no such flag */
		return -EAGAIN;
	loader_damaged(body->volume, index_remove_object(body->volume, object));
	return -EIO;
}

enum store_err object_read_wait(struct object *object, uint64_t offset, void *buf, size_t len, struct store_read *read)
{
	struct body *body = object->body;

	if (!body->in_memory && !atomic_load(&body->volume->closed))
		return loader_read(object, offset, buf, len, read);
	read->done(read, body->in_memory ? body_copy(body, offset, buf, len) : -EIO);
	return STORE_OK;
}

bool object_read_cancel(struct store_read *read, bool late)
{
	return loader_read_cancel(read, late);
}

void object_read_ahead(struct object *object, uint64_t offset, size_t len)
{
	if (!object->body->in_memory && offset < object_size(object) && !atomic_load(&object->body->volume->closed))
		loader_read(object, offset, NULL, len, NULL);
}
