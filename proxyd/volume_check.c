/* proxyd volume check: everything is read, and what is wrong is named. */
#include "volume_tool.h"

#include <stdarg.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_US = 200 * 1000, PACE_US = 2000 };

struct check {
	struct volume_tool *tool;
	struct inspect_blocks *blocks;
	struct inspect_index index;
	json_t *list;                        /* of damage; NULL: as text */
	uint64_t objects, bodies, body_bytes, gone, damage, rules;
	uint64_t began_us, shown_us;
	bool terminal;
};

static uint64_t steady_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- what is told ---- */

static void progress(struct check *check, bool last)
{
	uint64_t now = check->terminal ? steady_us() : 0;
	char count[32], bytes[32], all[32];

	if (!check->terminal || (!last && now - check->shown_us < PROGRESS_US))
		return;
	check->shown_us = now;
	fprintf(stderr, "\r%s of about %s objects, %s bytes of bodies%s", tool_thousands(count, check->objects),
		tool_thousands(all, check->index.records), tool_thousands(bytes, check->body_bytes), last ? "\n" : "");
}

/* generation 0: not of one object. */
static void damage(struct check *check, uint64_t generation, struct slice key_text, const char *format, ...) __attribute__((format(printf, 4, 5)));
static void damage(struct check *check, uint64_t generation, struct slice key_text, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	check->damage++;
	if (check->list) {
		json_t *row = json_pack("{s:I, s:o, s:s}", "generation", (json_int_t)generation, "key", tool_json_text(key_text), "what", what);

		json_array_append_new(check->list, row);
		return;
	}
	if (check->terminal)
		fputc('\n', stderr);
	fputs("damaged: ", stdout);
	if (generation > 0) {
		printf("generation %llu ", (unsigned long long)generation);
		tool_put_text(stdout, key_text, false);
		fputs(": ", stdout);
	}
	puts(what);
}

/* ---- objects ---- */

/* Not faster than was asked for. */
static void piece_read(void *arg, const void *bytes, size_t len)
{
	struct check *check = arg;

	(void)bytes;
	check->body_bytes += len;
	progress(check, false);
	if (check->tool->rate == 0)
		return;
	uint64_t due = check->began_us + (uint64_t)((double)check->body_bytes * 1e6 / (double)check->tool->rate), now = steady_us();
	if (due > now + PACE_US)
		nanosleep(&(struct timespec){ (time_t)((due - now) / 1000000), (long)((due - now) % 1000000 * 1000) }, NULL);
}

static void body_check(struct check *check, const struct inspect_object *object)
{
	switch (inspect_body(check->tool->inspect, object, piece_read, check)) {
	case INSPECT_WHOLE: check->bodies++; break;
	case INSPECT_GONE: check->gone++; break;
	case INSPECT_UNKNOWN: break;             /* the walk ends there, and says why */
	case INSPECT_WRONG: damage(check, object->generation, object->key_text, "the checksum of its body is wrong"); break;
	case INSPECT_UNREADABLE: damage(check, object->generation, object->key_text, "its body cannot be read from the data file"); break;
	}
}

static void object_check(void *arg, const struct inspect_object *object)
{
	struct check *check = arg;
	uint32_t block = 0;
	uint64_t other;
	bool there = true;

	check->objects++;
	progress(check, false);
	if (object->damage) {
		/* Live: what a commit has taken out since is no damage. */
		if (inspect_has(check->tool->inspect, object->generation, &there) == STORE_OK && there)
			damage(check, object->generation, object->key_text, "%s", object->damage);
		return;
	}
	other = inspect_blocks_claim(check->blocks, object, &block);
	if (other > 0 && inspect_has(check->tool->inspect, object->generation, &there) == STORE_OK && there
			&& inspect_has(check->tool->inspect, other, &there) == STORE_OK && there)
		damage(check, object->generation, object->key_text, "block %u is claimed by generation %llu, too", block, (unsigned long long)other);
	if (!check->tool->no_bodies)
		body_check(check, object);
}

/* ---- the rest ---- */

static void rule_check(void *arg, const struct inspect_rule *rule)
{
	struct check *check = arg;

	check->rules++;
	if (rule->damage)
		damage(check, 0, slice_make(NULL, 0), "%s", rule->damage);
}

static bool index_check(struct check *check)
{
	const struct inspect_index *index = &check->index;
	enum store_err err = inspect_index(check->tool->inspect, &check->index);

	if (err != STORE_OK) {
		tool_tell("%s: damaged: the pages of the index cannot be counted: %s", check->tool->dir, inspect_why(check->tool->inspect));
		return false;
	}
	if (strcmp(inspect_found(check->tool->inspect)->state, "damaged") == 0)
		damage(check, 0, slice_make(NULL, 0), "an earlier run found the index damaged; the next start sets it aside");
	if (index->lost > 0)
		damage(check, 0, slice_make(NULL, 0), "%llu pages of the index are neither used nor on the free list", (unsigned long long)index->lost);
	if (index->wrong > 0)
		damage(check, 0, slice_make(NULL, 0), "%llu pages of the index are on the free list twice, or used as well, or do not exist",
			(unsigned long long)index->wrong);
	return true;
}

/* When no commit came meanwhile there are as many as the index counts. */
static void count_check(struct check *check)
{
	struct inspect_index now;

	if (inspect_index(check->tool->inspect, &now) == STORE_OK && now.commit == check->index.commit && now.records != check->objects)
		damage(check, 0, slice_make(NULL, 0), "the index counts %llu records, and %llu are there", (unsigned long long)now.records,
			(unsigned long long)check->objects);
}

static void show(struct check *check, bool whole)
{
	char objects[32], bodies[32], bytes[32], found[32];

	if (check->list) {
		json_t *answer = json_pack("{s:b, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:O}", "ok", whole && check->damage == 0, "path", check->tool->dir,
			"read_to_the_end", whole, "objects", (json_int_t)check->objects, "bodies", (json_int_t)check->bodies, "body_bytes",
			(json_int_t)check->body_bytes, "gone_meanwhile", (json_int_t)check->gone, "purge_rules", (json_int_t)check->rules, "damage", check->list);

		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(answer);
		return;
	}
	printf("%s: %s: %s objects, %s bodies with %s bytes, %llu purges in force; %s damaged\n", check->tool->dir,
		whole && check->damage == 0 ? "whole" : "damaged", tool_thousands(objects, check->objects), tool_thousands(bodies, check->bodies),
		tool_thousands(bytes, check->body_bytes), (unsigned long long)check->rules, tool_thousands(found, check->damage));
	if (check->gone > 0)
		printf("%llu objects left while they were read\n", (unsigned long long)check->gone);
}

int volume_check(struct volume_tool *tool)
{
	struct check check = { .tool = tool, .list = tool->json ? json_array() : NULL, .began_us = steady_us(), .terminal = isatty(STDERR_FILENO) };
	bool whole;

	check.blocks = inspect_blocks_new(inspect_found(tool->inspect)->data_bytes);
	whole = index_check(&check) && tool_walk(tool, object_check, &check);
	if (whole) {
		count_check(&check);
		inspect_rules(tool->inspect, rule_check, &check);
	}
	progress(&check, true);
	show(&check, whole);
	inspect_blocks_free(&check.blocks);
	json_decref(check.list);
	return whole && check.damage == 0 ? TOOL_WHOLE : TOOL_DAMAGE;
}
