/* The store on a disk, in one run with what the disk itself does: writing while it fills and while it is full, with evictions
 * in any order, beside pwrite and fdatasync of as many bytes over an existing file; hits beside a pread of the same bytes.
 * Usage: store FOLDER [MB of the volume] [KB of a body; 0: log-normal, median 10 KB, mean 72 KB] [volumes written] */
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../../cachestore/cachestore.h"
#include "../../conf/check.h"

enum { BATCH = 8 << 20, BODY_MAX = 32 << 20, HOT = 20000, GETS = 5000000, READS = 200000 };

static uint64_t random_state = 1;
static char *bytes;                             /* BODY_MAX and more of them, for bodies */
static const char *folder;

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t random_next(void)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return random_state >> 33;
}

static double random_unit(void)
{
	return ((double)random_next() + 0.5) / 2147483648.0;
}

/* The size of an object's body is a function of its number: hits are checked against it. */
static size_t size_of(uint64_t number, size_t fixed)
{
	uint64_t saved = random_state;
	double normal, size;

	if (fixed > 0)
		return fixed;
	random_state = number * 0x9e3779b97f4a7c15u;
	random_next();
	normal = sqrt(-2 * log(random_unit())) * cos(2 * 3.14159265358979 * random_unit());
	size = exp(log(10 * 1024) + normal * sqrt(2 * log(7.2)));
	random_state = saved;
	return size < 100 ? 100 : size > BODY_MAX ? BODY_MAX : (size_t)size;
}

static struct slice key_text(uint64_t number, char buf[64])
{
	return slice_make(buf, (size_t)snprintf(buf, 64, "http://www.example.org/page/%llu", (unsigned long long)number));
}

static void put(struct volume *volume, uint64_t number, size_t size)
{
	static const struct object_meta meta = { .status = 200 };
	static const char head[300] = "Content-Type: text/html\r\n";
	struct object *object;
	struct slice text;
	char buf[64];

	text = key_text(number, buf);
	for (;;) {
		enum store_err err = object_new(volume, store_key_make(text), text, &meta, slice_make(head, sizeof(head)), size, &object);

		if (err == STORE_OK) {
			CHECK(object_append(object, bytes + number % 4096, size) == STORE_OK);
			err = object_finish(object);
			object_unref(&object);
		}
		if (err == STORE_OK)
			return;
		CHECK(err == STORE_QUEUE_FULL || err == STORE_RAM_FULL);
		usleep(1000);                     /* the bench waits; a proxy would not store it */
	}
}

static bool get(struct volume *volume, uint64_t number, struct object **ret_object)
{
	char buf[64];
	struct slice text = key_text(number, buf);

	return volume_get(volume, store_key_make(text), text, ret_object) == STORE_HIT;
}

/* ---- writing ---- */

struct rate { double mb_s, cpu_gb; };

static struct rate raw_write(int fd, uint64_t size)
{
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

	for (uint64_t at = 0; at < size; at += BATCH)
		CHECK(pwrite(fd, bytes, BATCH, (off_t)at) == BATCH && fdatasync(fd) == 0);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	return (struct rate){ (double)size / wall / 1e6, cpu / ((double)size / 1e9) };
}

/* As many bytes as the volume has. Every second put is followed by a hit on one of the last objects, so that what is
 * evicted is not simply the oldest. */
static void volume_write(struct volume *volume, uint64_t *number, uint64_t size, size_t fixed, int raw_fd, int turn)
{
	struct rate before = raw_write(raw_fd, size / 4), after;
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), mine = seconds(CLOCK_THREAD_CPUTIME_ID);
	uint64_t written = 0, puts = *number;
	struct object *object;
	struct volume_stat stat, before_stat;
	double raw;

	volume_stat(volume, &before_stat);
	for (; written < size; written += size_of(*number, fixed), ++*number) {
		put(volume, *number, size_of(*number, fixed));
		if (*number % 2 == 0 && get(volume, *number - random_next() % (*number < 100000 ? *number + 1 : 100000), &object))
			object_unref(&object);
	}
	volume_flush(volume);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	mine = seconds(CLOCK_THREAD_CPUTIME_ID) - mine;
	after = raw_write(raw_fd, size / 4);
	raw = (before.mb_s + after.mb_s) / 2;
	volume_stat(volume, &stat);
	printf("%s %d: %5.0f MB/s, raw %5.0f: %.2f of it; %6.0f objects/s; CPU s/GB: writer %.2f, putting %.2f, raw %.2f; live %.0f %%, %llu objects; moved %.2f a put; commit ms p50 %.1f p99 %.1f\n",
		turn == 0 ? "fill " : "churn", turn, (double)written / wall / 1e6, raw, (double)written / wall / 1e6 / raw,
		(double)(*number - puts) / wall, (cpu - mine) / ((double)written / 1e9), mine / ((double)written / 1e9),
		(before.cpu_gb + after.cpu_gb) / 2, 100.0 * (double)stat.live_bytes / (double)stat.data_bytes, (unsigned long long)stat.objects,
		(double)(stat.moved - before_stat.moved) / (double)(stat.puts - before_stat.puts),
		(double)stat.commit_us_p50 / 1e3, (double)stat.commit_us_p99 / 1e3);
	fflush(stdout);
}

/* ---- hits ---- */

/* In RAM: the look-up, the pointer to the bytes, and letting go. */
static void hits_ram(struct volume *volume, uint64_t first, size_t size)
{
	uint64_t hits = 0, objects = ((uint64_t)64 << 20) / size < HOT ? ((uint64_t)64 << 20) / size : HOT;
	double wall, making;

	for (uint64_t i = 0; i < objects; i++)
		put(volume, first + i, size);
	volume_flush(volume);
	wall = seconds(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < GETS; i++) {
		struct object *object;
		struct iovec iov[4];

		if (!get(volume, first + random_next() % objects, &object))
			continue;
		hits += object_peek(object, 0, size, iov, 4) > 0;
		object_unref(&object);
	}
	wall = seconds(CLOCK_MONOTONIC) - wall;
	making = seconds(CLOCK_MONOTONIC);
	for (uint64_t i = 0; i < GETS; i++) {
		char buf[64];

		hits += store_key_make(key_text(first + random_next() % objects, buf)).lo == 0;
	}
	making = seconds(CLOCK_MONOTONIC) - making;
	printf("hit in RAM, %3zu KB x %llu: %4.0f ns (%llu %% hits), and %.0f ns to make the key\n", size >> 10, (unsigned long long)objects,
		(wall - making) * 1e9 / GETS, (unsigned long long)(hits * 100 / GETS), making * 1e9 / GETS);
}

struct loading { struct store_load load; struct object *_Atomic object; };

static void loaded(struct store_load *load, struct object *object)
{
	atomic_store(&((struct loading *)load)->object, object);
	CHECK(object);
}

/* On disk, in the page cache: reading a large body where it lies, beside a plain pread of as many bytes. */
static void hits_disk(struct volume *volume, uint64_t number, size_t size, int raw_fd)
{
	char *buf = must(malloc(256 << 10)), text_buf[64];
	struct slice text = key_text(number, text_buf);
	struct loading loading = { .load = { .loaded = loaded } };
	struct object *loaded_object;
	double mine, raw;
	size_t piece = 64 << 10, reads = READS;

	CHECK(volume_load(volume, store_key_make(text), text, &loading.load) == STORE_OK);
	while (!atomic_load(&loading.object))
		usleep(100);
	mine = seconds(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < reads; i++)
		CHECK(object_read(loading.object, i * piece % (size - piece), buf, piece) == (ssize_t)piece);
	mine = seconds(CLOCK_THREAD_CPUTIME_ID) - mine;
	raw = seconds(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < reads; i++)
		CHECK(pread(raw_fd, buf, piece, (off_t)(i * piece % (size - piece))) == (ssize_t)piece);
	raw = seconds(CLOCK_THREAD_CPUTIME_ID) - raw;
	printf("body on disk, 64 KB of %zu MB: %.1f us, pread of as many: %.1f us (%.2f of it)\n", size >> 20, mine * 1e6 / (double)reads,
		raw * 1e6 / (double)reads, raw / mine);
	free(buf);
	loaded_object = loading.object;
	object_unref(&loaded_object);
}

static void reopen(const struct store_config *config, struct volume **volume)
{
	struct rusage before, after;
	struct volume_stat stat;
	double start;

	volume_close(volume);
	getrusage(RUSAGE_SELF, &before);
	start = seconds(CLOCK_MONOTONIC);
	CHECK(volume_open(config, volume, NULL) == STORE_OK);
	getrusage(RUSAGE_SELF, &after);
	volume_stat(*volume, &stat);
	printf("open: %.0f ms for %llu objects\n", (seconds(CLOCK_MONOTONIC) - start) * 1e3, (unsigned long long)stat.objects);
}

int main(int argc, char **argv)
{
	struct store_config config = { .name = "bench", .ram = (uint64_t)256 << 20, .fill_max = (uint64_t)256 << 20 };
	size_t fixed = (argc > 3 ? strtoull(argv[3], NULL, 10) : 0) << 10;
	int volumes = argc > 4 ? atoi(argv[4]) : 5, raw_fd;
	struct volume *volume = NULL;
	char why[256], path[4096];
	uint64_t number = 1;

	if (argc < 2)
		return fputs("usage: store FOLDER [MB] [KB, 0: log-normal] [volumes]\n", stderr), 2;
	folder = config.path = argv[1];
	config.size = (argc > 2 ? strtoull(argv[2], NULL, 10) : 2048) << 20;
	bytes = must(malloc(BODY_MAX + 4096));
	for (size_t i = 0; i < BODY_MAX + 4096; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	if (volume_open(&config, &volume, why) != STORE_OK)
		return fprintf(stderr, "%s\n", why), 1;
	snprintf(path, sizeof(path), "%s/raw", folder);
	raw_fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(raw_fd >= 0);
	raw_write(raw_fd, config.size / 4);
	for (int turn = 0; turn < volumes; turn++)
		volume_write(volume, &number, config.size, fixed, raw_fd, turn);
	hits_ram(volume, (uint64_t)1 << 40, 1 << 10);
	hits_ram(volume, (uint64_t)2 << 40, 16 << 10);
	hits_ram(volume, (uint64_t)3 << 40, 256 << 10);
	put(volume, (uint64_t)4 << 40, BODY_MAX);
	reopen(&config, &volume);
	hits_disk(volume, (uint64_t)4 << 40, BODY_MAX, raw_fd);
	volume_close(&volume);
	close(raw_fd);
	unlink(path);
	free(bytes);
	return 0;
}
