/* What the tests of cachestore share: a folder that goes away, bodies made from a seed, a get that waits. */
#ifndef CACHESTORE_HELP_H
#define CACHESTORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../cachestore/cachestore.h"
#include "../../conf/check.h"

#define MB ((uint64_t)1 << 20)

static inline int help_remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st; (void)kind; (void)ftw;
	return remove(path);
}

static inline void help_remove(const char *path)
{
	nftw(path, help_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A new name under the folder for temporary files; nothing is there yet. */
static inline char *help_folder(void)
{
	const char *base = getenv("TMPDIR");
	char path[512];

	snprintf(path, sizeof(path), "%s/cachestore.XXXXXX", base ? base : "/tmp");
	CHECK(mkdtemp(path));
	return must(strdup(path));
}

static inline struct store_config help_config(const char *path, uint64_t size)
{
	return (struct store_config){ .name = "t", .path = path, .size = size, .ram = 16 * MB, .fill_max = 64 * MB };
}

static inline struct volume *help_open(const struct store_config *config)
{
	struct volume *volume = NULL;
	char why[256] = "";
	enum store_err err = volume_open(config, &volume, why);

	if (err != STORE_OK)
		fprintf(stderr, "volume_open: %s: %s\n", store_strerror(err), why);
	assert_int_equal(err, STORE_OK);
	return volume;
}

/* Byte `at` of the body of a seed: no two seeds and no two blocks look alike. */
static inline void help_bytes(char *buf, size_t len, uint64_t seed, uint64_t at)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t word = ((at + i) / 8 + 1) * 0x9e3779b97f4a7c15u ^ seed * 0xc2b2ae3d27d4eb4fu;

		buf[i] = (char)((word ^ word >> 29) >> ((at + i) % 8 * 8));
	}
}

static inline struct object_meta help_meta(uint64_t seed)
{
	return (struct object_meta){ .stored_us = (int64_t)seed, .age_base_us = 1, .lifetime_us = 60000000, .stale_while_us = -1,
		.stale_error_us = 5, .expires_us = (int64_t)seed + 59999999, .flags = (uint32_t)seed * 3, .status = 200 };
}

/* Heads of 50 bytes to 3 KB. */
static inline struct slice help_head(char *buf, uint64_t seed)
{
	size_t len = seed % 7 == 0 ? 3000 : 50 + seed % 200;

	help_bytes(buf, len, seed + 1000000, 0);
	return slice_make(buf, len);
}

static inline struct store_key help_key(const char *text)
{
	return store_key_make(slice_str(text));
}

/* A filled object, not finished. */
static inline enum store_err help_fill(struct volume *volume, const char *text, uint64_t seed, size_t size, bool known, struct object **ret)
{
	struct object_meta meta = help_meta(seed);
	char head[4096], piece[10000];
	enum store_err err = object_new(volume, help_key(text), slice_str(text), &meta, help_head(head, seed),
		known ? size : STORE_SIZE_UNKNOWN, ret);

	for (size_t at = 0; err == STORE_OK && at < size;) {
		size_t len = size - at < sizeof(piece) ? size - at : sizeof(piece);

		help_bytes(piece, len, seed, at);
		err = object_append(*ret, piece, len);
		at += len;
	}
	return err;
}

static inline enum store_err help_put_once(struct volume *volume, const char *text, uint64_t seed, size_t size)
{
	struct object *object = NULL;
	enum store_err err = help_fill(volume, text, seed, size, seed % 2, &object);

	if (err == STORE_OK)
		err = object_finish(object);
	object_unref(&object);
	return err;
}

/* Whatever the speed of the disk: when the queue is full, it is waited for, once. */
static inline enum store_err help_put(struct volume *volume, const char *text, uint64_t seed, size_t size)
{
	enum store_err err = help_put_once(volume, text, seed, size);

	if (err != STORE_QUEUE_FULL && err != STORE_RAM_FULL)
		return err;
	volume_flush(volume);
	return help_put_once(volume, text, seed, size);
}

struct help_wait {
	struct store_load load;
	struct store_read read;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
	struct object *object;
	ssize_t result;
};
#define HELP_WAIT { .load = { .loaded = help_loaded }, .read = { .done = help_was_read }, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER }

static inline void help_done(struct help_wait *wait)
{
	pthread_mutex_lock(&wait->lock);
	wait->done = true;
	pthread_cond_signal(&wait->cond);
	pthread_mutex_unlock(&wait->lock);
}

static inline void help_loaded(struct store_load *load, struct object *object)
{
	struct help_wait *wait = (struct help_wait *)((char *)load - offsetof(struct help_wait, load));

	wait->object = object;
	help_done(wait);
}

static inline void help_was_read(struct store_read *read, ssize_t result)
{
	struct help_wait *wait = (struct help_wait *)((char *)read - offsetof(struct help_wait, read));

	wait->result = result;
	help_done(wait);
}

static inline void help_join(struct help_wait *wait)
{
	pthread_mutex_lock(&wait->lock);
	while (!wait->done)
		pthread_cond_wait(&wait->cond, &wait->lock);
	wait->done = false;
	pthread_mutex_unlock(&wait->lock);
}

static inline struct object *help_load(struct volume *volume, struct store_key key, const char *text)
{
	struct help_wait wait = HELP_WAIT;

	CHECK(volume_load(volume, key, slice_str(text), &wait.load) == STORE_OK);
	help_join(&wait);
	return wait.object;
}

static inline struct object *help_get(struct volume *volume, const char *text)
{
	struct object *object = NULL;

	switch (volume_get(volume, help_key(text), slice_str(text), &object)) {
	case STORE_MISS: return NULL;
	case STORE_HIT: return object;
	case STORE_LOAD: break;
	}
	return help_load(volume, help_key(text), text);
}

/* All bytes of the body, from memory or disk, as a worker would read them. -1: unreadable. */
static inline ssize_t help_read(struct object *object, uint64_t offset, char *buf, size_t len)
{
	struct iovec iov[3];
	int count = object_peek(object, offset, len, iov, 3);
	ssize_t n = 0;

	if (count == -1) {
		n = object_read(object, offset, buf, len);
		if (n == -EAGAIN) {
			struct help_wait wait = HELP_WAIT;

			CHECK(object_read_wait(object, offset, buf, len, &wait.read) == STORE_OK);
			help_join(&wait);
			n = wait.result;
		}
		return n < 0 ? -1 : n;
	}
	for (int i = 0; i < count; i++) {
		memcpy(buf + n, iov[i].iov_base, iov[i].iov_len);
		n += (ssize_t)iov[i].iov_len;
	}
	return n;
}

/* Is it the whole object of this seed? */
static inline bool help_is(struct object *object, uint64_t seed, size_t size)
{
	static const size_t STEP = 100000;
	struct object_meta meta = help_meta(seed);
	char head[4096], *have, *want;
	bool same;

	if (object_state(object) != OBJECT_WHOLE || object_size(object) != size || object_available(object) != size
		|| !slice_eq(object_head(object), help_head(head, seed)) || memcmp(object_meta(object), &meta, offsetof(struct object_meta, born)) != 0)
		return false;
	have = must(malloc(STEP));
	want = must(malloc(STEP));
	same = true;
	for (uint64_t at = 0; same && at < size;) {
		ssize_t n = help_read(object, at, have, STEP);

		same = n > 0;
		if (same) {
			help_bytes(want, (size_t)n, seed, at);
			same = memcmp(have, want, (size_t)n) == 0;
			at += (uint64_t)n;
		}
	}
	free(have);
	free(want);
	return same;
}

/* Gets the object and compares: 1 right, 0 not there, -1 wrong. */
static inline int help_check(struct volume *volume, const char *text, uint64_t seed, size_t size)
{
	struct object *object = help_get(volume, text);
	int result = !object ? 0 : help_is(object, seed, size) ? 1 : -1;

	object_unref(&object);
	return result;
}

/* The closed volume's marker says what it would after a power cut: not clean, and used in another boot. */
static inline void help_power_cut(const char *path)
{
	char file[1024], text[257] = "", *at;
	FILE *marker;

	snprintf(file, sizeof(file), "%s/volume", path);
	CHECK((marker = fopen(file, "r+")) && fread(text, 1, 256, marker) > 0);
	CHECK((at = strstr(text, "state clean")));
	memcpy(at, "state dirty", 11);
	CHECK((at = strstr(text, "boot ")));
	memset(at + 5, '0', strcspn(at + 5, "\n"));
	rewind(marker);
	CHECK(fputs(text, marker) >= 0 && fclose(marker) == 0);
}

static inline struct volume_stat help_stat(struct volume *volume)
{
	struct volume_stat stat;

	volume_stat(volume, &stat);
	return stat;
}

/* Bytes on disk of all files in the folder. */
static inline uint64_t help_disk_bytes(const char *path)
{
	static const char *const names[] = { "volume", "data", "index", "index-lock" };
	uint64_t bytes = 0;
	char file[600];
	struct stat st;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, names[i]);
		if (stat(file, &st) == 0)
			bytes += (uint64_t)st.st_blocks * 512 > (uint64_t)st.st_size ? (uint64_t)st.st_blocks * 512 : (uint64_t)st.st_size;
	}
	return bytes;
}

#endif
