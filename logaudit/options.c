/* Arguments by the tables. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>

#include "cmd.h"
#include "pipeline.h"
#include "show.h"

static const struct command commands[] = {
#define COMMAND(name, takes, args, doc) { #name, TAKES_##takes, args, doc, cmd_##name },
#include "tbl/commands.h"
#undef COMMAND
};

enum option_id {
#define OPTION(name, KIND, value, commands, doc) OPTION_##name,
#include "tbl/options.h"
#undef OPTION
	OPTION_COUNT, OPTION_help, OPTION_version };

static const struct { const char *member, *value, *commands, *doc; } option_rows[OPTION_COUNT] = {
#define OPTION(name, KIND, value, commands, doc) { #name, value, commands, doc },
#include "tbl/options.h"
#undef OPTION
};

enum { OPTION_NAME_MAX = 32, HELP_WIDTH = 100, HELP_INDENT = 22, SENTENCE_MAX = 512 };

/* fail_on is --fail-on */
static const char *option_name(int option, char out[OPTION_NAME_MAX])
{
	snprintf(out, OPTION_NAME_MAX, "%s", option_rows[option].member);
	for (char *c = out; *c; c++)
		if (*c == '_') *c = '-';
	return out;
}

int usage(const char *what, const char *detail)
{
	fprintf(stderr, "logaudit: %s%s%s\ntry: logaudit help\n", what, detail ? " " : "", detail ? detail : "");
	return EXIT_trouble;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(commands[i].name, name) == 0) return &commands[i];
	return NULL;
}

static bool option_is_for(int option, const struct command *command)
{
	char word[64];

	if (!option_rows[option].commands[0]) return command->takes == TAKES_FILES;
	snprintf(word, sizeof(word), " %s ", command->name);
	return strstr(option_rows[option].commands, word) != NULL;
}

/* ---- values by kind ---- */

static bool take_FLAG(bool *member, const char *text)
{
	(void)text;
	*member = true;
	return true;
}

static bool take_TEXT(const char **member, const char *text)
{
	*member = text;
	return true;
}

static bool take_COUNT(size_t *member, const char *text)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end || end == text || errno || text[0] == '-') return false;
	*member = (size_t)n;
	return true;
}

static bool take_LIST(struct option_list *member, const char *text)
{
	if (member->count == OPTION_LIST_MAX) return false;
	member->texts[member->count++] = text;
	return true;
}

static bool option_take(struct options *o, int option, const char *text)
{
	switch (option) {
#define OPTION(name, KIND, value, commands, doc) case OPTION_##name: return take_##KIND(&o->name, text);
#include "tbl/options.h"
#undef OPTION
	}
	return false;
}

/* ---- parsing ---- */

static const char *const refusals[] = {
	[TAKES_FILES] = "give the files of the log, or - for standard input, to", [TAKES_NOTHING] = "this command takes no files:",
};

static bool files_fit(const struct command *command, int words)
{
	return command->takes == TAKES_FILES ? words > 0 : command->takes == TAKES_WORDS || words == 0;
}

static const struct command *command_checked(const char *name, int words, const bool *given)
{
	const struct command *command = command_find(name);
	char text[OPTION_NAME_MAX + 96], option[OPTION_NAME_MAX];

	if (!command) {
		usage("no such command:", name);
		return NULL;
	}
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!given[i] || option_is_for(i, command)) continue;
		snprintf(text, sizeof(text), "--%s is no option of", option_name(i, option));
		usage(text, name);
		return NULL;
	}
	if (!files_fit(command, words)) {
		usage(refusals[command->takes], name);
		return NULL;
	}
	return command;
}

static void help_asked(int argc, char **argv)
{
	const struct command *command = NULL;

	for (int i = 1; i < argc && !command; i++)
		if (argv[i][0] != '-') command = command_find(argv[i]);
	help_print(command, stdout);
}

static void longs_fill(struct option longs[OPTION_COUNT + 3], char names[OPTION_COUNT][OPTION_NAME_MAX])
{
	for (int i = 0; i < OPTION_COUNT; i++)
		longs[i] = (struct option){ option_name(i, names[i]), option_rows[i].value ? required_argument : no_argument, NULL, 256 + i };
	longs[OPTION_COUNT] = (struct option){ "help", no_argument, NULL, 256 + OPTION_help };
	longs[OPTION_COUNT + 1] = (struct option){ "version", no_argument, NULL, 256 + OPTION_version };
	longs[OPTION_COUNT + 2] = (struct option){ 0 };
}

/* False: *ret_code is the exit code; what had to be said was said. */
static bool options_take(int argc, char **argv, struct options *o, bool *given, int *ret_code)
{
	struct option longs[OPTION_COUNT + 3];
	char names[OPTION_COUNT][OPTION_NAME_MAX], text[OPTION_NAME_MAX + 64];

	longs_fill(longs, names);
	*ret_code = EXIT_ok;
	for (int c; (c = getopt_long(argc, argv, "ho:V", longs, NULL)) != -1;) {
		int option = c == 'o' ? OPTION_output : c == 'h' ? OPTION_help : c == 'V' ? OPTION_version : c - 256;
		if (option == OPTION_help) {
			help_asked(argc, argv);
			return false;
		}
		if (option == OPTION_version) {
			printf("logaudit, log schema %d\n", LOG_SCHEMA_VERSION);
			return false;
		}
		if (option < 0 || option >= OPTION_COUNT) {
			*ret_code = usage("that option is not known, or lacks its value", NULL);
			return false;
		}
		given[option] = true;
		if (option_take(o, option, optarg)) continue;
		snprintf(text, sizeof(text), "--%.31s is not a number, or given too often:", names[option]);
		*ret_code = usage(text, optarg);
		return false;
	}
	return true;
}

/* Several values of one shorthand must all hold, as all conditions must. */
static bool filter_columns(struct filter *filter, enum log_field field, const struct option_list *list, char why[FILTER_WHY_MAX])
{
	for (int i = 0; i < list->count; i++)
		if (!filter_column(filter, field, list->texts[i], why)) return false;
	return true;
}

static bool options_filter(struct options *o, char why[FILTER_WHY_MAX])
{
	struct filter *f = &o->filter;
	uint64_t now_us = (uint64_t)time(NULL) * 1000000;

	filter_init(f);
	if ((o->since && !filter_since(f, o->since, now_us, why)) || (o->until && !filter_until(f, o->until, now_us, why))) return false;
	for (int i = 0; i < o->where.count; i++)
		if (!filter_where(f, o->where.texts[i], why)) return false;
	return filter_columns(f, LOG_FIELD_host, &o->host, why) && filter_columns(f, LOG_FIELD_volume, &o->volume, why)
		&& filter_columns(f, LOG_FIELD_node, &o->node, why) && filter_columns(f, LOG_FIELD_status, &o->status, why)
		&& filter_columns(f, LOG_FIELD_route, &o->route, why);
}

const struct command *options_parse(int argc, char **argv, struct options *ret_options, int *ret_code)
{
	bool given[OPTION_COUNT] = { false };
	struct options o = { .limit = ROWS_DEFAULT };
	const struct command *command = NULL;
	char why[FILTER_WHY_MAX] = "";
	int words;

	if (!options_take(argc, argv, &o, given, ret_code)) return NULL;
	*ret_code = EXIT_trouble;
	if (given[OPTION_threads] && (o.threads < 1 || o.threads > PIPELINE_THREADS_MAX)) {
		usage("--threads is not a number from 1 to 64", NULL);
		return NULL;
	}
	/* --explain-line may stand instead of the command. */
	words = given[OPTION_explain_line] && optind < argc && strcmp(argv[optind], "explain") != 0 ? optind : optind + 1;
	if (optind == argc) usage("what is to be done? no command was given", NULL);
	else command = command_checked(words == optind ? "explain" : argv[optind], argc - words, given);
	if (!command) return NULL;
	if (!options_filter(&o, why)) {
		filter_release(&o.filter);
		usage(why, NULL);
		return NULL;
	}
	o.files = argv + words;
	o.file_count = argc - words;
	*ret_options = o;
	return command;
}

/* ---- help ---- */

static void help_row(const char *first, const char *doc, FILE *out)
{
	bool fits = strlen(first) < HELP_INDENT - 2;

	fprintf(out, "  %-*s%s", HELP_INDENT - 2, first, fits ? "" : "\n");
	if (!fits) fprintf(out, "%*s", HELP_INDENT, "");
	show_wrapped(out, "", HELP_INDENT, HELP_WIDTH, doc);
}

static void help_options(const struct command *command, FILE *out)
{
	char name[OPTION_NAME_MAX], first[HELP_WIDTH];

	for (int i = 0; i < OPTION_COUNT; i++) {
		if (command && !option_is_for(i, command)) continue;
		const char *value = option_rows[i].value;
		snprintf(first, sizeof(first), "--%.31s%s%.31s", option_name(i, name), value ? " " : "", value ? value : "");
		help_row(first, option_rows[i].doc, out);
	}
}

static const char *first_sentence(const char *doc, char out[SENTENCE_MAX])
{
	const char *end = strstr(doc, ". ");

	snprintf(out, SENTENCE_MAX, "%.*s", end ? (int)(end - doc) + 1 : (int)strlen(doc), doc);
	return out;
}

void help_print(const struct command *command, FILE *out)
{
	char first[HELP_WIDTH], sentence[SENTENCE_MAX];

	if (command) {
		fprintf(out, "usage: logaudit %s [OPTIONS]%s%s\n\n", command->name, command->args[0] ? " " : "", command->args);
		show_wrapped(out, "", 0, HELP_WIDTH, command->doc);
		fputc('\n', out);
		help_options(command, out);
		return;
	}
	fputs("usage: logaudit COMMAND [OPTIONS] [FILES...]\n\nReads access logs of proxyd: files, gzip files, pipes (-), folders and patterns, in any order.\n\n", out);
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		snprintf(first, sizeof(first), "%s %s", commands[i].name, commands[i].args);
		help_row(first, first_sentence(commands[i].doc, sentence), out);
	}
	fputc('\n', out);
	help_options(NULL, out);
	help_row("--help", "With a command: what it does and its options.", out);
	help_row("--version", "The version of the log's schema that this program knows.", out);
}

/* ---- the manual page ---- */

/* Roff: backslashes and dashes are written with one more backslash, a full stop or a quote must not begin a line. */
static void man_text(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '\\') fputs("\\e", out);
		else if (*text == '-') fputs("\\-", out);
		else if (*text == '`') fputs("\\(oq", out);
		else fputc(*text, out);
	}
}

static void man_option(int option, FILE *out)
{
	char name[OPTION_NAME_MAX];

	fputs("\\fB\\-\\-", out);
	man_text(option_name(option, name), out);
	fputs("\\fR", out);
	if (option_rows[option].value) fprintf(out, " \\fI%s\\fR", option_rows[option].value);
}

static void man_command(const struct command *command, FILE *out)
{
	fprintf(out, ".TP\n.B logaudit %s\n", command->name);
	for (int i = 0; i < OPTION_COUNT; i++) {
		/* What every command takes is said once, with the options. */
		if (!option_rows[i].commands[0] || !option_is_for(i, command)) continue;
		fputc('[', out);
		man_option(i, out);
		fputs("]\n", out);
	}
	if (command->args[0]) fprintf(out, ".I %s\n", command->args);
	fputs(".br\n", out);
	man_text(command->doc, out);
	fputc('\n', out);
}

static void man_for_whom(int option, FILE *out)
{
	const char *at = option_rows[option].commands;

	if (!at[0]) {
		fputs("(All commands that read files.)\n", out);
		return;
	}
	fputc('(', out);
	for (at++; *at; at += strcspn(at, " ") + 1) fprintf(out, "%s\\fB%.*s\\fR", at[-1] == ' ' && at - 1 != option_rows[option].commands ? ", " : "",
		(int)strcspn(at, " "), at);
	fputs(")\n", out);
}

void help_man(FILE *out)
{
	fputs(".SH COMMANDS\n", out);
	for (size_t i = 0; i < COUNT_OF(commands); i++) man_command(&commands[i], out);
	fputs(".SH OPTIONS\n", out);
	for (int i = 0; i < OPTION_COUNT; i++) {
		fputs(".TP\n", out);
		man_option(i, out);
		fputc('\n', out);
		man_text(option_rows[i].doc, out);
		fputc('\n', out);
		man_for_whom(i, out);
	}
	fputs(".TP\n\\fB\\-\\-help\\fR\nWith a command: what it does and its options.\n", out);
	fputs(".TP\n\\fB\\-\\-version\\fR\nThe version of the log\\(cqs schema that this program knows.\n", out);
}
