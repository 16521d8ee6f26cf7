/* proxyd volume dump and top: objects, one a line, and the body of one. */
#include "volume_tool.h"

#include <unistd.h>

#include "purge.h"
#include "stored.h"

/* ---- lines ---- */

struct room { char flags[512], tags[STORE_TAGS_MAX + 1]; };

static const char *flags_text(uint32_t flags, char out[512])
{
	size_t len = 0;

	out[0] = '\0';
#define X(name, bit, text) if (flags & (bit)) len += (size_t)snprintf(out + len, 512 - len, "%s%s", len > 0 ? " " : "", #text);
	STORED_FLAGS(X)
#undef X
	return out;
}

static struct slice tags_text(struct slice tags, char *out)
{
	for (size_t i = 0; i < tags.len; i++)
		out[i] = tags.ptr[i] == '\n' ? ' ' : tags.ptr[i];
	return slice_make(out, tags.len > 0 ? tags.len - 1 : 0);
}

static struct slice purged_name(enum inspect_purged purged)
{
	static const struct slice names[] = { { "", 0 }, { "soft", 4 }, { "hard", 4 } };

	return names[purged];
}

#define put_U64(value) fprintf(out, "%llu", (unsigned long long)(value))
#define put_I64(value) fprintf(out, "%lld", (long long)(value))
#define put_BOOL(value) fputc((value) ? '1' : '0', out)
#define put_TEXT(value) tool_put_text(out, (value), true)
#define json_U64(value) json_integer((json_int_t)(value))
#define json_I64(value) json_integer((json_int_t)(value))
#define json_BOOL(value) json_boolean(value)
#define json_TEXT(value) tool_json_text(value)

static void header_put(FILE *out)
{
	const char *comma = "";

#define DUMP_COLUMN(name, KIND, expression, doc) fprintf(out, "%s%s", comma, #name); comma = ",";
#include "tbl/dump_columns.h"
#undef DUMP_COLUMN
	fputc('\n', out);
}

void volume_dump_columns(FILE *out)
{
#define DUMP_COLUMN(name, KIND, expression, doc) fprintf(out, "  %-12s %s\n", #name, doc);
#include "tbl/dump_columns.h"
#undef DUMP_COLUMN
}

/* One object as a line of CSV or JSON. */
static void line_put(FILE *out, struct volume_tool *tool, const struct inspect_object *o)
{
	struct room *room = must(malloc(sizeof(*room)));
	struct stored_view head = { 0 }, *view = &head;
	const char *comma = "";

	if (!stored_read(o->head, &head))         /* bookkeeping has none */
		head = (struct stored_view){ 0 };
	if (tool->json) {
		json_t *line = json_object();

#define DUMP_COLUMN(name, KIND, expression, doc) json_object_set_new(line, #name, json_##KIND(expression));
#include "tbl/dump_columns.h"
#undef DUMP_COLUMN
		json_dumpf(line, out, JSON_COMPACT | JSON_PRESERVE_ORDER);
		json_decref(line);
	} else {
#define DUMP_COLUMN(name, KIND, expression, doc) fputs(comma, out); put_##KIND(expression); comma = ",";
#include "tbl/dump_columns.h"
#undef DUMP_COLUMN
	}
	(void)comma;
	fputc('\n', out);
	free(room);
}

/* ---- which ones ---- */

static bool has_tag(struct slice tags, struct slice tag)
{
	while (tags.len > 0) {
		const char *end = memchr(tags.ptr, '\n', tags.len);
		size_t len = end ? (size_t)(end - tags.ptr) : tags.len;

		if (slice_eq(slice_make(tags.ptr, len), tag))
			return true;
		len += end != NULL;
		tags = slice_make(tags.ptr + len, tags.len - len);
	}
	return false;
}

static bool has_key(struct slice key_text, struct slice key)
{
	return slice_starts(key_text, key) && (key_text.len == key.len || key_text.ptr[key.len] == '\n');
}

static bool is_wanted(const struct volume_tool *tool, const struct inspect_object *object)
{
	return (!tool->url_prefix.ptr || slice_starts(object->key_text, tool->url_prefix))
		&& (!tool->tag.ptr || has_tag(object->meta.tags, tool->tag))
		&& (!tool->expired || object->meta.expires_us <= tool->now_us)
		&& (tool->generation == 0 || tool->generation == object->generation)
		&& (!tool->key.ptr || has_key(object->key_text, tool->key));
}

/* ---- dump ---- */

struct dump {
	struct volume_tool *tool;
	uint64_t count;
	/* --body */
	uint64_t generation;                 /* the one that is wanted */
	int result;
	bool broken;                         /* who reads the output has gone, or it is full */
};

static void dump_visit(void *arg, const struct inspect_object *object)
{
	struct dump *dump = arg;

	if (tool_damaged(dump->tool, object) || !is_wanted(dump->tool, object))
		return;
	dump->count++;
	line_put(stdout, dump->tool, object);
}

/* Variants of one URL are several objects; what is kept to find them is no answer. */
static void body_find(void *arg, const struct inspect_object *object)
{
	struct dump *dump = arg;

	if (tool_damaged(dump->tool, object) || !is_wanted(dump->tool, object)
		|| (dump->tool->generation == 0 && (object->meta.flags & STORED_VARY_INDEX)))
		return;
	if (dump->count++ == 1)
		tool_tell("there are several; name one by --generation:\n  %llu", (unsigned long long)dump->generation);
	if (dump->count > 1)
		fprintf(stderr, "  %llu\n", (unsigned long long)object->generation);
	dump->generation = object->generation;
}

static void body_piece(void *arg, const void *bytes, size_t len)
{
	struct dump *dump = arg;

	dump->broken = dump->broken || fwrite(bytes, 1, len, stdout) != len;
}

static void body_write(void *arg, const struct inspect_object *object)
{
	static const char *const says[] = { [INSPECT_WHOLE] = "", [INSPECT_GONE] = "it has left the volume",
		[INSPECT_WRONG] = "damaged: the checksum of its body is wrong", [INSPECT_UNREADABLE] = "damaged: its body cannot be read from the data file",
		[INSPECT_UNKNOWN] = "its body could not be read, and the index could not be asked" };
	struct dump *dump = arg;
	enum inspect_body is;

	if (object->generation != dump->generation || object->damage)
		return;
	/* Read twice: nothing is written of a body that is not right. */
	if ((is = inspect_body(dump->tool->inspect, object, NULL, NULL)) == INSPECT_WHOLE)
		is = inspect_body(dump->tool->inspect, object, body_piece, dump);
	dump->result = is == INSPECT_WHOLE ? TOOL_WHOLE : TOOL_DAMAGE;
	if (is != INSPECT_WHOLE)
		tool_tell("generation %llu: %s", (unsigned long long)object->generation, says[is]);
	if (dump->broken || fflush(stdout) != 0) {
		tool_tell("the body could not be written");
		dump->result = TOOL_CANNOT;
	}
}

static int body_dump(struct dump *dump)
{
	if (!tool_walk(dump->tool, body_find, dump))
		return TOOL_DAMAGE;
	if (dump->count == 0)
		tool_tell("%s: there is no such object", dump->tool->dir);
	if (dump->count != 1)
		return TOOL_DAMAGE;
	dump->result = TOOL_DAMAGE;
	dump->tool->damaged = 0;                  /* others that are damaged were told, and do not concern it */
	return tool_walk(dump->tool, body_write, dump) ? dump->result : TOOL_DAMAGE;
}

/* A URL as a person writes it -> the key that the daemon makes of it. What is no URL may still be a key. */
static void key_read(struct volume_tool *tool, char room[PURGE_KEY_ROOM])
{
	struct slice text;
	const char *why;

	if (tool->key.ptr && purge_key_of_url(tool->key, room, &text, &why))
		tool->key = text;
}

int volume_dump(struct volume_tool *tool)
{
	struct dump dump = { .tool = tool };
	char *room = must(malloc(PURGE_KEY_ROOM));
	int code;

	key_read(tool, room);
	if (tool->body) {
		code = body_dump(&dump);
	} else {
		if (!tool->json)
			header_put(stdout);
		code = tool_walk(tool, dump_visit, &dump) && tool->damaged == 0 ? TOOL_WHOLE : TOOL_DAMAGE;
	}
	free(room);
	return code;
}

/* ---- top ---- */

struct top_line { int64_t value; uint64_t generation; char *text; };
struct top {
	struct volume_tool *tool;
	int order;
	struct top_line *lines;              /* the most first */
	size_t count;
};

static const char *const orders[] = {
#define TOP_ORDER(name, expression, doc) #name,
#include "tbl/top_orders.h"
#undef TOP_ORDER
};

void volume_top_names(FILE *out)
{
#define TOP_ORDER(name, expression, doc) fprintf(out, "  %-9s %s\n", #name, doc);
#include "tbl/top_orders.h"
#undef TOP_ORDER
}

static int64_t order_value(const struct volume_tool *tool, int order, const struct inspect_object *o)
{
	const int64_t values[] = {
#define TOP_ORDER(name, expression, doc) expression,
#include "tbl/top_orders.h"
#undef TOP_ORDER
	};

	return values[order];
}

static void top_visit(void *arg, const struct inspect_object *object)
{
	struct top *top = arg;
	struct top_line line = { .generation = object->generation };
	size_t at, len = 0;
	FILE *out;

	if (tool_damaged(top->tool, object) || !is_wanted(top->tool, object))
		return;
	line.value = order_value(top->tool, top->order, object);
	if (top->count == top->tool->count && line.value <= top->lines[top->count - 1].value)
		return;                           /* of equals the older ones stay */
	out = must(open_memstream(&line.text, &len));
	line_put(out, top->tool, object);
	CHECK(fclose(out) == 0);
	if (top->count == top->tool->count)
		free(top->lines[--top->count].text);
	for (at = top->count++; at > 0 && top->lines[at - 1].value < line.value; at--)
		top->lines[at] = top->lines[at - 1];
	top->lines[at] = line;
}

int volume_top(struct volume_tool *tool)
{
	struct top top = { .tool = tool, .order = -1 };
	bool whole;

	for (size_t i = 0; i < COUNT_OF(orders); i++)
		if (strcmp(orders[i], tool->by) == 0)
			top.order = (int)i;
	if (top.order < 0) {
		tool_tell("--by %s: there is no such order%s; try proxyd volume --help", tool->by,
			strncmp(tool->by, "hit", 3) == 0 || strncmp(tool->by, "request", 7) == 0 ? ": a volume keeps no count of hits, `logaudit top FILE` has it from the access log" : "");
		return TOOL_CANNOT;
	}
	top.lines = must(calloc(tool->count, sizeof(*top.lines)));
	whole = tool_walk(tool, top_visit, &top);
	if (!tool->json)
		header_put(stdout);
	for (size_t i = 0; i < top.count; i++) {
		fputs(top.lines[i].text, stdout);
		free(top.lines[i].text);
	}
	free(top.lines);
	return whole && tool->damaged == 0 ? TOOL_WHOLE : TOOL_DAMAGE;
}
