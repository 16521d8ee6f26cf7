/* The coded forms of stored bodies: made by one thread, at a high level, one after the other, and stored beside them. The queue
 * is short: what does not fit is asked for again by the next request for it. */
#include "compress.h"
#include "access_log.h"
#include "clock.h"
#include "daemon.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { QUEUE_MAX = 64, PIECE_BYTES = 64 * 1024, LEVEL_GZIP = 9, LEVEL_BR = 9, LEVEL_ZSTD = 12, NICE = 10 };

/* What a coded form is kept with. A body that the coding does not make shorter has one without bytes. */
struct coded_head { uint32_t magic, gain; uint64_t size, checksum; };
#define CODED_MAGIC 0x31445043u

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool running;
	atomic_bool stop;
	struct compress_order orders[QUEUE_MAX];     /* the first one is being made */
	size_t count;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

bool coded_fits(const struct object *coded, const struct object *of, bool *ret_gain)
{
	struct slice kept = object_head(coded);
	struct coded_head head;

	if (!(object_meta(coded)->flags & STORED_CODED) || kept.len != sizeof(head))
		return false;
	memcpy(&head, kept.ptr, sizeof(head));
	*ret_gain = head.gain != 0;
	return head.magic == CODED_MAGIC && object_state(coded) == OBJECT_WHOLE && head.size == object_size(of) && head.checksum == object_checksum(of);
}

/* ---- reading ---- */

struct wait { struct store_read read; sem_t done; ssize_t result; };

static void read_done(struct store_read *read, ssize_t result)
{
	struct wait *wait = (struct wait *)read;

	wait->result = result;
	sem_post(&wait->done);
}

/* Bytes of the body from `at`; 0 or less: none can be had. */
static ssize_t body_read(struct object *object, uint64_t at, char *buf, struct slice *ret_bytes)
{
	struct iovec iov;
	int n = object_peek(object, at, PIECE_BYTES, &iov, 1);

	if (n > 0) {
		*ret_bytes = slice_make(iov.iov_base, iov.iov_len);
		return (ssize_t)iov.iov_len;
	}
	if (n == 0)
		return 0;
	ssize_t got = object_read(object, at, buf, PIECE_BYTES);
	if (got == -EAGAIN) {
		struct wait wait = { .read = { .done = read_done } };
		sem_init(&wait.done, 0, 0);
		if (object_read_wait(object, at, buf, PIECE_BYTES, &wait.read) != STORE_OK)
			return -1;
		while (sem_wait(&wait.done) != 0)
			;
		sem_destroy(&wait.done);
		got = wait.result;
	}
	if (got > 0)
		*ret_bytes = slice_make(buf, (size_t)got);
	return got;
}

/* ---- making ---- */

static unsigned level_to_store(const struct compress_order *order)
{
	unsigned least = order->coding == CODING_gzip ? LEVEL_GZIP : order->coding == CODING_br ? LEVEL_BR : LEVEL_ZSTD;

	return order->level > least ? order->level : least;
}

static bool object_make(const struct compress_order *order, bool gain, struct object **ret_coded)
{
	const struct object_meta *of = object_meta(order->object);
	struct coded_head head = { CODED_MAGIC, gain, object_size(order->object), object_checksum(order->object) };
	struct object_meta meta = { .stored_us = of->stored_us, .lifetime_us = INT64_MAX / 2, .expires_us = INT64_MAX, .stale_while_us = -1, .stale_error_us = -1,
		.flags = STORED_CODED, .status = of->status, .owner = of->owner, .born = of->born, .tags = of->tags };

	return object_new(order->volume, order->key, order->key_text, &meta, slice_make((const char *)&head, sizeof(head)),
		gain ? STORE_SIZE_UNKNOWN : 0, ret_coded) == STORE_OK;
}

/* One piece of the body through the encoder into the object. */
static bool encode(struct encoder *encoder, enum encode how, struct slice in, struct object *coded)
{
	char out[16 * 1024];
	size_t len;
	bool done = false;

	while (!done) {
		if (!encoder_run(encoder, how, &in, out, sizeof(out), &len, &done))
			return false;
		if (len && object_append(coded, out, len) != STORE_OK)
			return false;
	}
	return true;
}

/* True: all of the body is in `coded`, coded; unless that is not shorter. */
static bool body_encode(const struct compress_order *order, struct object *coded, char *buf, bool *ret_gain)
{
	uint64_t at = 0, size = object_size(order->object);
	struct encoder *encoder = encoder_new(order->coding, level_to_store(order), ENCODER_to_store, size);
	bool good = encoder != NULL;
	struct slice bytes;

	*ret_gain = true;
	while (good && *ret_gain && at < size) {
		good = !atomic_load(&queue.stop) && body_read(order->object, at, buf, &bytes) > 0 && encode(encoder, ENCODE_more, bytes, coded);
		if (good)
			at += bytes.len;
		*ret_gain = object_available(coded) < size;
	}
	good = good && (!*ret_gain || encode(encoder, ENCODE_end, slice_make("", 0), coded));
	*ret_gain = object_available(coded) < size;
	encoder_free(&encoder);
	return good;
}

static void note(const struct compress_order *order, const struct object *coded, bool stored, uint64_t took_us)
{
	struct logline line;

	logline_init(&line);
	line.rec = REC_compress;
	line.t_us = (uint64_t)clock_wall_us();
	line.volume = order->volume_name;
	line.key = order->log_key;
	line.variant = order->log_variant;
	line.coding = coding_token(order->coding);
	line.plain_bytes = (int64_t)object_size(order->object);
	line.object_bytes = (int64_t)object_available(coded);
	line.stored = stored;
	line.total_us = took_us;
	access_log_note(order->daemon->log, &line);
}

static void make(const struct compress_order *order, char *buf)
{
	struct object *coded = NULL, *marker = NULL;
	uint64_t begin_us = clock_now_us();
	bool gain;

	if (!object_make(order, true, &coded))
		return;
	bool good = body_encode(order, coded, buf, &gain), stored = false;
	if (good && gain) {
		stored = object_finish(coded) == STORE_OK;
	} else {
		object_fail(coded);
		if (good && object_make(order, false, &marker))
			stored = object_finish(marker) == STORE_OK;
	}
	note(order, coded, stored, clock_now_us() - begin_us);
	object_unref(&coded);
	object_unref(&marker);
}

/* ---- the thread ---- */

static void order_release(struct compress_order *order)
{
	object_unref(&order->object);
	conf_unref(&order->conf);
	free((char *)(uintptr_t)order->key_text.ptr);
}

static void *thread_main(void *arg)
{
	char *buf = must(malloc(PIECE_BYTES));

	(void)arg;
	pthread_setname_np(pthread_self(), "compress");
	/* Of the thread alone, in Linux: whoever waits for an answer comes first. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		while (!queue.count && !atomic_load(&queue.stop))
			pthread_cond_wait(&queue.changed, &queue.lock);
		if (!queue.count)
			break;
		struct compress_order order = queue.orders[0];
		pthread_mutex_unlock(&queue.lock);
		if (!atomic_load(&queue.stop))
			make(&order, buf);
		order_release(&order);
		pthread_mutex_lock(&queue.lock);
		queue.count--;
		memmove(queue.orders, queue.orders + 1, queue.count * sizeof(queue.orders[0]));
	}
	pthread_mutex_unlock(&queue.lock);
	free(buf);
	return NULL;
}

static bool is_queued(const struct compress_order *order)
{
	for (size_t i = 0; i < queue.count; i++)
		if (queue.orders[i].volume == order->volume && queue.orders[i].key.hi == order->key.hi && queue.orders[i].key.lo == order->key.lo)
			return true;
	return false;
}

void compress_order(const struct compress_order *order)
{
	pthread_mutex_lock(&queue.lock);
	if (!queue.running && !atomic_load(&queue.stop))
		queue.running = pthread_create(&queue.thread, NULL, thread_main, NULL) == 0;
	if (queue.running && queue.count < QUEUE_MAX && !is_queued(order)) {
		struct compress_order *to = &queue.orders[queue.count++];
		char *text = must(malloc(order->key_text.len));
		*to = *order;
		memcpy(text, order->key_text.ptr, order->key_text.len);
		to->key_text = slice_make(text, order->key_text.len);
		to->object = object_ref(order->object);
		to->conf = conf_ref(order->conf);
		pthread_cond_signal(&queue.changed);
	}
	pthread_mutex_unlock(&queue.lock);
}

void compress_stop(void)
{
	pthread_mutex_lock(&queue.lock);
	atomic_store(&queue.stop, true);
	pthread_cond_signal(&queue.changed);
	bool running = queue.running;
	pthread_mutex_unlock(&queue.lock);
	if (running)
		pthread_join(queue.thread, NULL);
	queue.running = false;
}
