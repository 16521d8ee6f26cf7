/* How fast is the store: nanoseconds of a hit in RAM, throughput of putting while filling and when full, against pwrite and
 * fdatasync of the same bytes over an existing file in the same run. Usage: store FOLDER [MB of the volume] [KB of a body] */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "../../cachestore/cachestore.h"
#include "../../conf/check.h"

enum { HOT = 20000, GETS = 5000000, BATCH = 8 << 20 };

static double now(void)
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

static struct slice key_text(uint64_t number, char buf[64])
{
	return slice_make(buf, (size_t)snprintf(buf, 64, "http://www.example.org/page/%llu", (unsigned long long)number));
}

static void put(struct volume *volume, uint64_t number, const char *body, size_t size)
{
	static const struct object_meta meta = { .status = 200 };
	static const char head[300] = "Content-Type: text/html\r\n";
	struct slice text;
	struct object *object;
	char buf[64];

	text = key_text(number, buf);
	for (;;) {
		enum store_err err = object_new(volume, store_key_make(text), text, &meta, slice_make(head, sizeof(head)), size, &object);

		if (err == STORE_OK) {
			CHECK(object_append(object, body, size) == STORE_OK);
			err = object_finish(object);
			object_unref(&object);
		}
		if (err == STORE_OK)
			return;
		CHECK(err == STORE_QUEUE_FULL || err == STORE_RAM_FULL);
		usleep(1000);                     /* the bench waits; a proxy would not store it */
	}
}

static double raw_write(const char *folder, uint64_t bytes)
{
	char path[4096], *buf = must(malloc(BATCH));
	double start;
	int fd;

	snprintf(path, sizeof(path), "%s/raw", folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	memset(buf, 7, BATCH);
	for (int pass = 0; pass < 2; pass++) {    /* the second one goes over an existing file */
		start = now();
		for (uint64_t at = 0; at < bytes; at += BATCH)
			CHECK(pwrite(fd, buf, BATCH, (off_t)at) == BATCH && fdatasync(fd) == 0);
	}
	start = now() - start;
	close(fd);
	unlink(path);
	free(buf);
	return (double)bytes / start / 1e6;
}

int main(int argc, char **argv)
{
	struct store_config config = { .name = "bench", .ram = (uint64_t)256 << 20, .fill_max = (uint64_t)256 << 20 };
	size_t size = (argc > 3 ? strtoull(argv[3], NULL, 10) : 16) << 10;
	struct volume *volume = NULL;
	struct volume_stat stat;
	uint64_t number = 0, random = 1, hits = 0;
	char why[256], buf[64], *body = must(calloc(1, size));
	double start, cpu_start, raw;

	if (argc < 2)
		return fputs("usage: store FOLDER [MB] [KB]\n", stderr), 2;
	config.path = argv[1];
	config.size = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1024) << 20;
	if (volume_open(&config, &volume, why) != STORE_OK)
		return fprintf(stderr, "%s\n", why), 1;
	for (int round = 0; round < 4; round++) {
		uint64_t until = number + config.size / size;

		start = now();
		cpu_start = cpu();
		for (; number < until; number++)
			put(volume, number, body, size);
		volume_flush(volume);
		volume_stat(volume, &stat);
		printf("put, volume %d: %6.0f objects/s  %6.0f MB/s  %.2f CPU s/GB  live %.0f %%  commit max %.0f ms\n", round + 1,
			(double)(config.size / size) / (now() - start), (double)config.size / (now() - start) / 1e6,
			(cpu() - cpu_start) / ((double)config.size / 1e9), 100.0 * (double)stat.live_bytes / (double)stat.data_bytes,
			(double)stat.commit_us_max / 1e3);
	}
	raw = raw_write(config.path, (uint64_t)512 << 20);
	printf("raw pwrite + fdatasync over an existing file: %.0f MB/s\n", raw);
	for (uint64_t i = 0; i < HOT; i++)
		put(volume, 1000000000 + i, body, 1024);
	volume_flush(volume);
	start = now();
	for (uint64_t i = 0; i < GETS; i++) {
		struct slice text = { buf, 0 };
		struct object *object;

		random = random * 6364136223846793005u + 1442695040888963407u;
		text = key_text(1000000000 + (random >> 33) % HOT, buf);
		if (i == 0)
			start = now();
		if (volume_get(volume, store_key_make(text), text, &object) == STORE_HIT) {
			hits++;
			object_unref(&object);
		}
	}
	printf("hit with key text and hash made: %.0f ns", (now() - start) * 1e9 / GETS);
	start = now();
	for (uint64_t i = 0; i < GETS; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		hits += store_key_make(key_text(1000000000 + (random >> 33) % HOT, buf)).lo == 0;
	}
	printf(", of these for making them: %.0f ns (%llu hits)\n", (now() - start) * 1e9 / GETS, (unsigned long long)hits);
	volume_close(&volume);
	start = now();
	CHECK(volume_open(&config, &volume, why) == STORE_OK);
	volume_stat(volume, &stat);
	printf("open: %.0f ms for %llu objects\n", (now() - start) * 1e3, (unsigned long long)stat.objects);
	volume_close(&volume);
	free(body);
	return 0;
}
