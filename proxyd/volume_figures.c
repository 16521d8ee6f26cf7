/* proxyd volume stat: what is in a volume, and how it lies there. */
#include "volume_tool.h"

#include "figures.h"
#include "stored.h"

enum { ROWS_MAX = 10 };

struct figures {
	struct volume_tool *tool;
	struct inspect_folder folder;
	struct inspect_index index;
	struct inspect_blocks *blocks;
	struct inspect_runs runs;
	struct series sizes, ages, extents;
	struct names types, statuses, hosts;
	uint64_t objects, bookkeeping, expired, purged, index_bytes, rules, behind;
	pid_t reader;
	json_t *rule_list;
};

/* ---- gathering ---- */

/* Of scheme://host[:port]/path */
static struct slice host_of(struct slice key)
{
	const char *begin = memmem(key.ptr, key.len, "://", 3), *end;

	if (!begin)
		return SLICE("(none)");
	begin += 3;
	end = memchr(begin, '/', (size_t)(key.ptr + key.len - begin));
	return slice_make(begin, (size_t)((end ? end : key.ptr + key.len) - begin));
}

static struct slice type_of(const struct inspect_object *object)
{
	struct stored_view view;
	const char *end;

	if (!stored_read(object->head, &view) || view.content_type.len == 0)
		return SLICE("(none)");
	end = memchr(view.content_type.ptr, ';', view.content_type.len);
	return end ? slice_trim(slice_make(view.content_type.ptr, (size_t)(end - view.content_type.ptr))) : view.content_type;
}

static void object_gather(void *arg, const struct inspect_object *object)
{
	struct figures *f = arg;
	int64_t age = f->tool->now_us - object->meta.stored_us;
	char status[8];
	uint32_t block;

	f->objects++;
	f->index_bytes += object->index_bytes;
	if (tool_damaged(f->tool, object))
		return;
	inspect_blocks_claim(f->blocks, object, &block);
	f->bookkeeping += (object->meta.flags & STORED_BOOKKEEPING) != 0;
	f->expired += object->meta.expires_us <= f->tool->now_us;
	f->purged += tool_purged(f->tool, object) != INSPECT_PURGED_no;
	series_add(&f->sizes, object->body_size);
	series_add(&f->ages, age > 0 ? (uint64_t)age : 0);
	if (object->extent_count > 0)
		series_add(&f->extents, object->extent_count);
	snprintf(status, sizeof(status), "%u", object->meta.status);
	names_add(&f->statuses, slice_str(status), object->body_size);
	names_add(&f->hosts, host_of(object->key_text), object->body_size);
	names_add(&f->types, type_of(object), object->body_size);
}

static void rule_gather(void *arg, const struct inspect_rule *rule)
{
	static const char *const kinds[] = { [PURGE_KEY] = "url", [PURGE_PREFIX] = "prefix", [PURGE_TAG] = "tag" };
	struct figures *f = arg;

	f->rules++;
	if (rule->damage)
		json_array_append_new(f->rule_list, json_pack("{s:s}", "damage", rule->damage));
	else
		json_array_append_new(f->rule_list, json_pack("{s:s, s:s, s:o, s:I}", "kind", kinds[rule->kind], "mode",
			rule->hard >= rule->soft ? "hard" : "soft", "text", tool_json_text(rule->text), "clock",
			(json_int_t)(rule->hard > rule->soft ? rule->hard : rule->soft)));
}

/* ---- showing ---- */

static void put_number(const char *name, const char *value, const char *doc)
{
	printf("  %-18s %16s  %s\n", name, value, doc);
}

static void put_double(const char *name, double value, const char *format, const char *doc)
{
	char text[32];

	snprintf(text, sizeof(text), format, value);
	put_number(name, text, doc);
}

static void put_names(const char *title, const struct names *names)
{
	const struct name_row *rows[ROWS_MAX];
	size_t count = names_top(names, rows, ROWS_MAX);
	char objects[32], bytes[32];

	printf("\n%s%s\n", title, names->count > ROWS_MAX ? " (the first ten)" : "");
	for (size_t i = 0; i < count; i++) {
		printf("  %16s %20s  ", tool_thousands(objects, rows[i]->objects), tool_thousands(bytes, rows[i]->bytes));
		tool_put_text(stdout, slice_make(rows[i]->text, rows[i]->len), false);
		putchar('\n');
	}
}

static void put_runs(const struct inspect_runs *runs)
{
	char from[32], count[32];

	puts("\nFree runs: of at least so many blocks, and less than twice as many");
	for (size_t i = 0; i < INSPECT_POWERS; i++)
		if (runs->by_power[i] > 0)
			printf("  %16s %20s\n", tool_thousands(from, (uint64_t)1 << i), tool_thousands(count, runs->by_power[i]));
}

static void put_rules(const struct figures *f)
{
	json_t *rule;
	size_t i;

	if (f->rules == 0)
		return;
	printf("\nPurges in force%s\n", f->rules > ROWS_MAX ? " (the first ten)" : "");
	json_array_foreach(f->rule_list, i, rule) {
		const char *text = json_string_value(json_object_get(rule, "text"));

		if (i == ROWS_MAX)
			break;
		printf("  %-6s %-4s ", text ? json_string_value(json_object_get(rule, "kind")) : "", text ? json_string_value(json_object_get(rule, "mode")) : "");
		tool_put_text(stdout, text ? slice_str(text) : SLICE("(damaged)"), false);
		putchar('\n');
	}
}

#define text_TEXT(name, value, doc) put_number(name, value, doc)
#define text_COUNT(name, value, doc) put_number(name, tool_thousands(room, value), doc)
#define text_BYTES(name, value, doc) put_number(name, tool_thousands(room, value), doc)
#define text_US(name, value, doc) put_number(name, tool_time(room, (int64_t)(value)), doc)
#define text_RATIO(name, value, doc) put_double(name, value, "%.2f", doc)
#define text_SHARE(name, value, doc) put_double(name, (value) * 100, "%.2f %%", doc)

static void show_text(struct figures *f)
{
	const char *gap = "";
	char room[32];

#define FIGURE_PART(title) printf("%s%s\n", gap, title); gap = "\n";
#define FIGURE(name, KIND, expression, doc) text_##KIND(#name, expression, doc);
#include "tbl/volume_figures.h"
#undef FIGURE
#undef FIGURE_PART
	put_runs(&f->runs);
	put_rules(f);
	put_names("By content type: objects, bytes", &f->types);
	put_names("By status: objects, bytes", &f->statuses);
	put_names("By host: objects, bytes", &f->hosts);
	if (f->folder.open_by != 0)
		puts("\nIt was read in slices while a daemon has it open: the numbers are of moments shortly after one another.");
}

#define json_TEXT(value) json_string(value)
#define json_COUNT(value) json_integer((json_int_t)(value))
#define json_BYTES(value) json_integer((json_int_t)(value))
#define json_US(value) json_integer((json_int_t)(value))
#define json_RATIO(value) json_real(value)
#define json_SHARE(value) json_real(value)

static json_t *names_json(const struct names *names)
{
	const struct name_row *rows[ROWS_MAX];
	size_t count = names_top(names, rows, ROWS_MAX);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:o, s:I, s:I}", "name", tool_json_text(slice_make(rows[i]->text, rows[i]->len)), "objects",
			(json_int_t)rows[i]->objects, "bytes", (json_int_t)rows[i]->bytes));
	return list;
}

static void show_json(struct figures *f)
{
	json_t *answer = json_object(), *powers = json_array();

#define FIGURE_PART(title)
#define FIGURE(name, KIND, expression, doc) json_object_set_new(answer, #name, json_##KIND(expression));
#include "tbl/volume_figures.h"
#undef FIGURE
#undef FIGURE_PART
	for (size_t i = 0; i < INSPECT_POWERS; i++)
		if (f->runs.by_power[i] > 0)
			json_array_append_new(powers, json_pack("{s:I, s:I}", "blocks_from", (json_int_t)1 << i, "runs", (json_int_t)f->runs.by_power[i]));
	json_object_set_new(answer, "free_runs_by_size", powers);
	json_object_set(answer, "purges_in_force", f->rule_list);
	json_object_set_new(answer, "by_content_type", names_json(&f->types));
	json_object_set_new(answer, "by_status", names_json(&f->statuses));
	json_object_set_new(answer, "by_host", names_json(&f->hosts));
	json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(answer);
}

static bool gather(struct figures *f, char why[256])
{
	struct volume_tool *tool = f->tool;

	f->folder = *inspect_found(tool->inspect);
	/* Before the walk: what is seen then is this tool's own slice, too. */
	if (inspect_oldest_reader(tool->inspect, &f->reader, &f->behind) != STORE_OK || inspect_index(tool->inspect, &f->index) != STORE_OK) {
		snprintf(why, 256, "%s", inspect_why(tool->inspect));
		return false;
	}
	f->blocks = inspect_blocks_new(f->folder.data_bytes);
	if (!tool_walk(tool, object_gather, f))
		return false;
	inspect_blocks_runs(f->blocks, &f->runs);
	inspect_rules(tool->inspect, rule_gather, f);
	return true;
}

int volume_figures(struct volume_tool *tool)
{
	struct figures f = { .tool = tool, .rule_list = json_array() };
	char why[256] = "";
	bool whole = gather(&f, why);

	if (*why)
		tool_tell("%s: damaged: %s", tool->dir, why);
	if (whole && tool->json)
		show_json(&f);
	else if (whole)
		show_text(&f);
	inspect_blocks_free(&f.blocks);
	json_decref(f.rule_list);
	series_release(&f.sizes);
	series_release(&f.ages);
	series_release(&f.extents);
	names_release(&f.types);
	names_release(&f.statuses);
	names_release(&f.hosts);
	return whole && tool->damaged == 0 ? TOOL_WHOLE : TOOL_DAMAGE;
}
