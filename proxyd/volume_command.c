/* proxyd volume check|stat|dump|top DIR: arguments, the child that reads, and what all four share. */
#include "volume_command.h"
#include "volume_tool.h"

#include <getopt.h>
#include <stdarg.h>
#include <unistd.h>

#include "../conf/conf.h"
#include "clock.h"
#include "stored.h"
#include "target.h"

enum { COUNT_DEFAULT = 10, COUNT_MAX = 100000 };

/* WORD(name, function, what it is for, doc) */
#define TOOL_WORDS(X) \
	X(check, volume_check,   "is it whole?", "Read every record, head and body, the pages of the index and the purges in force; name what is damaged.") \
	X(stat,  volume_figures, "what is in it?", "Sizes, objects, ages, fragmentation, free runs, pages and readers of the index, and what the objects are.") \
	X(dump,  volume_dump,    "which objects?", "One line of CSV for each object, with a header; or the body of one.") \
	X(top,   volume_top,     "which are the largest?", "The objects with the most of something, as dump shows them.")

/* OPTION(long name, has argument, letter for the switch, words it is for, what it is called, doc) */
#define TOOL_OPTIONS(X) \
	X("json",       no_argument,       'j', "check stat dump top", "",    "For scripts: one object, or one a line.") \
	X("no-bodies",  no_argument,       'n', "check",    "",          "The index only: bodies are not read.") \
	X("rate",       required_argument, 'r', "check",    "SIZE",      "Read bodies at no more than so much a second, such as 20m.") \
	X("url-prefix", required_argument, 'u', "dump top", "URL",       "Only objects whose key begins so.") \
	X("tag",        required_argument, 't', "dump top", "TAG",       "Only objects with exactly this tag.") \
	X("expired",    no_argument,       'e', "dump top", "",          "Only objects past their lifetime.") \
	X("key",        required_argument, 'k', "dump",     "URL",       "Only the object with this key, and its variants.") \
	X("generation", required_argument, 'g', "dump",     "NUMBER",    "Only the object that has this number in the column generation.") \
	X("body",       no_argument,       'b', "dump",     "",          "Write the body of the one object that --key or --generation names, once its checksum was found right.") \
	X("by",         required_argument, 'B', "top",      "NAME",      "What there is most of: size when not given.") \
	X("count",      required_argument, 'c', "top",      "N",         "How many: 10 when not given.") \
	X("help",       no_argument,       'h', "check stat dump top", "", "This text.")

static const struct option long_options[] = {
#define X(name, argument, letter, words, what, doc) { name, argument, NULL, letter },
	TOOL_OPTIONS(X)
#undef X
	{ NULL, 0, NULL, 0 }
};
static const struct { int letter; const char *words; } option_words[] = {
#define X(name, argument, letter, words, what, doc) { letter, words },
	TOOL_OPTIONS(X)
#undef X
};
static const struct { const char *word; int (*run)(struct volume_tool *tool); } words[] = {
#define X(name, run, what, doc) { #name, run },
	TOOL_WORDS(X)
#undef X
};

static void usage(FILE *out)
{
	fputs("proxyd volume WORD [OPTIONS] DIR: looks at a volume, whether a daemon has it open or not, and changes nothing\n\n", out);
#define X(name, run, what, doc) fprintf(out, "  %-6s %-24s %s\n", #name, what, doc);
	TOOL_WORDS(X)
#undef X
	fputc('\n', out);
#define X(name, argument, letter, words, what, doc) fprintf(out, "  --%-11s %-7s %-20s %s\n", name, what, words, doc);
	TOOL_OPTIONS(X)
#undef X
	fputs("\nColumns of dump and top; control bytes are \\xHH, a backslash is doubled:\n", out);
	volume_dump_columns(out);
	fputs("\nWhat top --by takes:\n", out);
	volume_top_names(out);
	fputs("A volume keeps no count of hits: `logaudit top FILE` has the URLs that are asked for most, from the access log.\n\n"
		"Exit code: 0 whole, 1 damage was found or what was asked for is not there, 2 wrong use or the volume cannot be read.\n", out);
}

/* ---- what all share ---- */

void tool_tell(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("proxyd: volume: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

bool tool_walk(struct volume_tool *tool, void (*visit)(void *arg, const struct inspect_object *object), void *arg)
{
	enum store_err err;
	bool more = true;

	inspect_rewind(tool->inspect);
	while (more) {
		err = inspect_next(tool->inspect, visit, arg, &more);
		if (err != STORE_OK) {
			tool_tell("%s: %sthe index cannot be read to its end: %s", tool->dir, err == STORE_DAMAGED ? "damaged: " : "", inspect_why(tool->inspect));
			return false;
		}
		fflush(stdout);
	}
	return true;
}

static bool is_utf8(struct slice text)
{
	json_t *json = json_stringn(text.len > 0 ? text.ptr : "", text.len);

	json_decref(json);
	return json != NULL;
}

void tool_put_text(FILE *out, struct slice text, bool quoted)
{
	unsigned char most = is_utf8(text) ? 255 : 127;
	bool quotes = false;

	for (size_t i = 0; quoted && i < text.len; i++)
		quotes = quotes || text.ptr[i] == ',' || text.ptr[i] == '"';
	quotes = quotes || (quoted && text.len > 0 && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' '));
	if (quotes)
		fputc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c == 127 || c > most)
			fprintf(out, "\\x%02x", c);
		else if (c == '\\' || (c == '"' && quotes))
			fprintf(out, "%c%c", c, c);
		else
			fputc(c, out);
	}
	if (quotes)
		fputc('"', out);
}

json_t *tool_json_text(struct slice text)
{
	json_t *json = json_stringn(text.len > 0 ? text.ptr : "", text.len);
	char *escaped = NULL;
	size_t len = 0;
	FILE *out;

	if (json)
		return json;
	out = must(open_memstream(&escaped, &len));
	tool_put_text(out, text, false);
	CHECK(fclose(out) == 0);
	json = json_stringn(escaped, len);
	free(escaped);
	return json;
}

bool tool_damaged(struct volume_tool *tool, const struct inspect_object *object)
{
	if (!object->damage)
		return false;
	tool->damaged++;
	fflush(stdout);
	fprintf(stderr, "proxyd: volume: %s: damaged: generation %llu ", tool->dir, (unsigned long long)object->generation);
	tool_put_text(stderr, object->key_text, false);
	fprintf(stderr, ": %s\n", object->damage);
	return true;
}

const char *tool_thousands(char out[32], uint64_t number)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	char *at = out;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	*at = '\0';
	return out;
}

const char *tool_time(char out[32], int64_t us)
{
	static const struct { double seconds; const char *name; } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" }, { 0, "s" } };
	double seconds = (double)us / 1e6;
	size_t i = 0;

	while (seconds < units[i].seconds && units[i].seconds > 0)
		i++;
	snprintf(out, 32, "%.1f %s", seconds / (units[i].seconds > 0 ? units[i].seconds : 1), units[i].name);
	return out;
}

enum inspect_purged tool_purged(struct volume_tool *tool, const struct inspect_object *object)
{
	char room[STORE_KEY_MAX];

	return inspect_judge(tool->inspect, target_plain_key(object->key_text, room), &object->meta, (object->meta.flags & STORED_BOOKKEEPING) != 0);
}

/* ---- arguments ---- */

static bool number_take(const char *option, const char *text, uint64_t most, uint64_t *ret_number)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (*text >= '0' && *text <= '9' && !*end && number > 0 && number <= most) {
		*ret_number = number;
		return true;
	}
	tool_tell("--%s: '%s' is not a number from 1 to %llu", option, text, (unsigned long long)most);
	return false;
}

static bool option_take(struct volume_tool *tool, const char *word, int letter)
{
	for (size_t i = 0; i < COUNT_OF(option_words); i++)
		if (option_words[i].letter == letter && !strstr(option_words[i].words, word)) {
			tool_tell("--%s is not for %s, but for: %s", long_options[i].name, word, option_words[i].words);
			return false;
		}
	switch (letter) {
	case 'j': tool->json = true; return true;
	case 'n': tool->no_bodies = true; return true;
	case 'e': tool->expired = true; return true;
	case 'b': tool->body = true; return true;
	case 'u': tool->url_prefix = slice_str(optarg); return true;
	case 't': tool->tag = slice_str(optarg); return true;
	case 'k': tool->key = slice_str(optarg); return true;
	case 'B': tool->by = optarg; return true;
	case 'g': return number_take("generation", optarg, INT64_MAX, &tool->generation);
	case 'c': return number_take("count", optarg, COUNT_MAX, &tool->count);
	case 'r':
		if (conf_parse_size(slice_str(optarg), &tool->rate) && tool->rate > 0)
			return true;
		tool_tell("--rate: '%s' is not a size such as 20m", optarg);
		return false;
	default: return false;
	}
}

/* Returns -1 to go on, or an exit code. */
static int parse(int argc, char **argv, struct volume_tool *tool)
{
	int letter;

	optind = 0;
	opterr = 0;
	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (letter == 'h') {
			usage(stdout);
			return 0;
		}
		if (letter == '?') {
			tool_tell("'%s' is no option, or lacks its value; try proxyd volume --help", argv[optind - 1]);
			return TOOL_CANNOT;
		}
		if (!option_take(tool, argv[0], letter))
			return TOOL_CANNOT;
	}
	if (optind + 1 != argc) {
		tool_tell("%s takes one folder; try proxyd volume --help", argv[0]);
		return TOOL_CANNOT;
	}
	if (tool->body && (!tool->key.ptr && tool->generation == 0)) {
		tool_tell("--body needs --key or --generation: of which object?");
		return TOOL_CANNOT;
	}
	tool->dir = argv[optind];
	return -1;
}

/* ---- the child ---- */

struct child { struct volume_tool *tool; int (*run)(struct volume_tool *tool); };

static int child_run(void *arg)
{
	struct child *child = arg;
	struct volume_tool *tool = child->tool;
	char why[256] = "";
	enum store_err err = inspect_open(tool->dir, &tool->inspect, why);
	int code;

	if (err != STORE_OK) {
		tool_tell("%s%s", err == STORE_DAMAGED ? "damaged: " : "", *why ? why : store_strerror(err));
		return err == STORE_DAMAGED ? TOOL_DAMAGE : TOOL_CANNOT;
	}
	code = child->run(tool);
	inspect_close(&tool->inspect);
	return code;
}

/* It died of what it read. Without a place among the readers that may be a page that the daemon wrote anew just then. */
static int tell_death(const struct volume_tool *tool, const struct inspect_folder *before)
{
	struct inspect_folder now = *before;
	char why[256];

	inspect_look(tool->dir, &now, why);
	if (!before->may_register && now.open_by != 0) {
		tool_tell("%s: a daemon (process %ld) writes to it faster than it can be read by this user; try again as the user of the daemon", tool->dir,
			(long)now.open_by);
		return TOOL_CANNOT;
	}
	tool_tell("%s: damaged: the index cannot be read to its end: whoever reads it dies of it", tool->dir);
	return TOOL_DAMAGE;
}

static int volume_run(struct volume_tool *tool, int (*run)(struct volume_tool *tool))
{
	struct child child = { tool, run };
	struct inspect_folder folder;
	char why[256] = "";
	int code = TOOL_CANNOT;

	if (inspect_look(tool->dir, &folder, why) != STORE_OK) {
		tool_tell("%s", why);
		return TOOL_CANNOT;
	}
	switch (inspect_guard(child_run, &child, &code)) {
	case STORE_OK:
		return code;
	case STORE_DAMAGED:
		return tell_death(tool, &folder);
	default:
		tool_tell("%s: the process that reads it was ended, or could not be started", tool->dir);
		return TOOL_CANNOT;
	}
}

int volume_command(int argc, char **argv)
{
	struct volume_tool tool = { .now_us = clock_wall_us(), .count = COUNT_DEFAULT, .by = "size" };
	int code;

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		usage(stdout);
		return TOOL_WHOLE;
	}
	for (size_t i = 0; argc > 1 && i < COUNT_OF(words); i++)
		if (strcmp(argv[1], words[i].word) == 0) {
			code = parse(argc - 1, argv + 1, &tool);
			return code >= 0 ? code : volume_run(&tool, words[i].run);
		}
	if (argc > 1)
		tool_tell("'%s' is no command", argv[1]);
	usage(stderr);
	return TOOL_CANNOT;
}
