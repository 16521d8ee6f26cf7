/* What purges in force cost a look-up: nanoseconds of a hit in memory with 0, 10 and 1,000 of each kind, when no purge came
 * since the object was looked at, and right after one; the best of many rounds, since others use the machine. Usage: purge FOLDER [MB of the volume] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../cachestore/internal.h"

enum { OBJECTS = 2000, ROUNDS = 200 };

static const char tags[] = "product-17\nproduct-18\ncategory-shoes\nsite\n";
static struct { char text[64]; struct slice slice; struct store_key key; } pages[OBJECTS];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void fill(struct volume *volume)
{
	const struct object_meta meta = { .status = 200, .tags = slice_make(tags, sizeof(tags) - 1) };

	for (size_t i = 0; i < OBJECTS; i++) {
		struct object *object;

		snprintf(pages[i].text, sizeof(pages[i].text), "http://www.example.org/shop/page/%zu", i);
		pages[i].slice = slice_str(pages[i].text);
		pages[i].key = store_key_make(pages[i].slice);
		CHECK(object_new(volume, pages[i].key, pages[i].slice, &meta, SLICE("head"), 10, &object) == STORE_OK);
		CHECK(object_append(object, "0123456789", 10) == STORE_OK && object_finish(object) == STORE_OK);
		object_unref(&object);
		if (i % 2000 == 0)
			volume_flush(volume);
	}
	volume_flush(volume);
}

static void look(struct volume *volume, size_t which)
{
	struct object *object = NULL;

	CHECK(volume_get(volume, pages[which].key, pages[which].slice, &object) == STORE_HIT && !object_is_purged(object));
	object_unref(&object);
}

/* Nanoseconds of one. */
static double looks(struct volume *volume)
{
	double start = now();

	for (size_t i = 0; i < OBJECTS; i++)
		look(volume, i * 7919 % OBJECTS);
	return (now() - start) / OBJECTS * 1e9;
}

static void done(void *arg, enum store_err err, uint64_t objects)
{
	CHECK(err == STORE_OK && objects == 0);
	atomic_fetch_add((atomic_uint *)arg, 1);
}

/* That concern nothing, so that every look-up holds its object against them. Prefixes: of 30 lengths. */
static void purge(struct volume *volume, enum purge_kind kind, unsigned from, unsigned to)
{
	atomic_uint finished = 0;

	for (unsigned i = from; i < to; i++) {
		char text[128];
		struct store_purge order = { .kind = kind, .soft = true };

		snprintf(text, sizeof(text), kind == PURGE_TAG ? "other-%u" : "http://www.example.org/%0*u/", (int)(4 + i % 30), i);
		order.text = slice_str(text);
		CHECK(volume_purge(volume, &order, done, &finished) == STORE_OK);
	}
	while (atomic_load(&finished) < to - from)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* One more of the kind: an old one again. */
static double first_look(struct volume *volume, enum purge_kind kind)
{
	double best = 1e9, took;

	for (int round = 0; round < ROUNDS; round++) {
		purge(volume, kind, 0, 1);
		if ((took = looks(volume)) < best)
			best = took;
	}
	return best;
}

static double steady_look(struct volume *volume)
{
	double best = looks(volume), took;

	for (int round = 0; round < ROUNDS; round++)
		if ((took = looks(volume)) < best)
			best = took;
	return best;
}

static void counted(void *arg, enum store_err err, uint64_t objects)
{
	CHECK(err == STORE_OK && objects == OBJECTS);
	atomic_store((atomic_uint *)arg, 1);
}

/* All objects at once: how long the caller is held, and how long until they are counted. */
static void purge_all(struct volume *volume)
{
	struct store_purge order = { .kind = PURGE_PREFIX, .soft = true, .text = SLICE("http://www.example.org/") };
	atomic_uint finished = 0;
	double start = now(), called;

	CHECK(volume_purge(volume, &order, counted, &finished) == STORE_OK);
	called = now();
	while (!atomic_load(&finished))
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	printf("purge of a prefix with %d objects: %.0f us, counted and on disk after %.1f ms\n", OBJECTS, (called - start) * 1e6, (now() - start) * 1e3);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { [PURGE_KEY] = "urls", [PURGE_PREFIX] = "prefixes", [PURGE_TAG] = "tags" };
	static const unsigned counts[] = { 10, 1000 };

	if (argc < 2)
		return fputs("usage: purge FOLDER [MB]\n", stderr), 2;
	for (int kind = PURGE_KEY; kind <= PURGE_TAG; kind++) {
		struct store_config config = { .name = "bench", .ram = (uint64_t)256 << 20, .fill_max = (uint64_t)256 << 20 };
		struct volume *volume = NULL;
		char path[4096], why[256];
		unsigned had = 0;

		snprintf(path, sizeof(path), "%s/%s", argv[1], names[kind]);
		config.path = path;
		config.size = (argc > 2 ? strtoull(argv[2], NULL, 10) : 512) << 20;
		if (volume_open(&config, &volume, why) != STORE_OK)
			return fprintf(stderr, "%s\n", why), 1;
		fill(volume);
		printf("%-9s none:   %4.0f ns a look-up\n", names[kind], steady_look(volume));
		for (size_t i = 0; i < COUNT_OF(counts); i++) {
			purge(volume, (enum purge_kind)kind, had, counts[i]);
			had = counts[i];
			printf("%-9s %5u:  %4.0f ns a look-up, %4.0f ns the first one after a purge\n", names[kind], had, steady_look(volume),
				first_look(volume, (enum purge_kind)kind));
		}
		if (kind == PURGE_TAG)
			purge_all(volume);
		volume_close(&volume);
	}
	return 0;
}
