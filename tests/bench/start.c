/* The start of a volume with many small objects: seconds until it is ready, warm and cold, and what the RAM index takes.
 *
 * start FOLDER [OBJECTS [ROUNDS]]    the volume is made in FOLDER when it is not there (13 GB for a million, most of it never written), and stays */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../cachestore/cachestore.h"
#include "../../conf/check.h"

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct slice key_of(uint64_t i, char room[96])
{
	int n = snprintf(room, 96, "http://site.test/items/%llu/picture-of-medium-size.jpg", (unsigned long long)i);

	return slice_make(room, (size_t)n);
}

static void fill(struct volume *volume, uint64_t objects)
{
	struct object_meta meta = { .stored_us = 1, .lifetime_us = 600000000, .expires_us = 600000001, .stale_while_us = -1,
		.stale_error_us = -1, .status = 200 };
	struct slice head = SLICE("200\ncontent-type: image/jpeg\ncache-control: max-age=600\netag: \"5f2a-60bd\"\nlast-modified: Tue, 01 Jul 2025 10:00:00 GMT\n");
	char room[96];

	for (uint64_t i = 0; i < objects; i++) {
		struct slice text = key_of(i, room);
		struct object *object = NULL;
		enum store_err err;

		do {
			CHECK(object_new(volume, store_key_make(text), text, &meta, head, text.len, &object) == STORE_OK);
			CHECK(object_append(object, text.ptr, text.len) == STORE_OK);
			err = object_finish(object);
			object_unref(&object);
			if (err == STORE_QUEUE_FULL)
				volume_flush(volume);
		} while (err == STORE_QUEUE_FULL);
		CHECK(err == STORE_OK);
	}
	volume_flush(volume);
}

static void forget_pages(const char *folder)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/index", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
}

static void round_run(const struct store_config *config, const char *what)
{
	struct mallinfo2 before = mallinfo2(), after;
	struct volume *volume;
	struct volume_stat stat;
	char why[256] = "";
	double begun = seconds(), cpu_begun = cpu(), returned, ready;

	if (volume_open(config, &volume, why) != STORE_OK) {
		fprintf(stderr, "start: %s\n", why);
		exit(1);
	}
	returned = seconds();
	CHECK(volume_wait(volume, 600000000));
	ready = seconds();
	after = mallinfo2();
	volume_stat(volume, &stat);
	printf("%s: open returns after %.4f s, ready after %.3f s (%.3f CPU-s), %llu objects, %.1f bytes of memory an object\n", what, returned - begun,
		ready - begun, cpu() - cpu_begun, (unsigned long long)stat.objects,
		(double)(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / (double)(stat.objects ? stat.objects : 1));
	volume_close(&volume);
}

int main(int argc, char **argv)
{
	uint64_t objects = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
	int rounds = argc > 3 ? atoi(argv[3]) : 5;
	struct store_config config = { .name = "bench", .size = objects * 13000 + (64 << 20), .batch_bytes = 32 << 20 };
	struct volume *volume;
	struct stat st;
	char why[256] = "";

	if (argc < 2) {
		fputs("start FOLDER [OBJECTS [ROUNDS]]\n", stderr);
		return 2;
	}
	config.path = argv[1];
	if (stat(config.path, &st) != 0) {
		double begun = seconds();

		if (volume_open(&config, &volume, why) != STORE_OK) {
			fprintf(stderr, "start: %s\n", why);
			return 1;
		}
		fill(volume, objects);
		volume_close(&volume);
		printf("made in %.1f s\n", seconds() - begun);
	}
	config.in_background = true;
	for (int i = 0; i < rounds; i++)
		round_run(&config, "warm");
	forget_pages(config.path);
	round_run(&config, "cold");
	return 0;
}
