/* The command line: tables of commands (tbl/commands.h) and options (tbl/options.h), their parser, help and manual page. */
#ifndef LOGAUDIT_OPTIONS_H
#define LOGAUDIT_OPTIONS_H

#include <stdio.h>

#include "../conf/slice.h"

#include "filter.h"

enum { OPTION_LIST_MAX = 16, ROWS_DEFAULT = 20 };
struct option_list { const char *texts[OPTION_LIST_MAX]; int count; };

#define OPTION_TYPE_FLAG  bool
#define OPTION_TYPE_COUNT size_t
#define OPTION_TYPE_TEXT  const char *
#define OPTION_TYPE_LIST  struct option_list

struct options {
#define OPTION(name, KIND, value, commands, doc) OPTION_TYPE_##KIND name;
#include "tbl/options.h"
#undef OPTION
	struct filter filter;            /* of the options that choose lines */
	char **files;                    /* what stands after the command */
	int file_count;
};

enum takes { TAKES_FILES, TAKES_WORDS, TAKES_NOTHING };
struct command { const char *name; enum takes takes; const char *args, *doc; int (*run)(const struct options *); };

/* NULL when there is none of this name. */
const struct command *command_find(const char *name);

/* What is asked for; the texts are argv's, and the caller releases the filter. NULL: *ret_code is the exit code, and what had to be said was said. */
const struct command *options_parse(int argc, char **argv, struct options *ret_options, int *ret_code);

/* command NULL: of all. */
void help_print(const struct command *command, FILE *out);
/* The sections of logaudit.1 that follow from the tables, in roff: commands and options. */
void help_man(FILE *out);

/* One sentence on standard error, with where to look. Returns the exit code. */
int usage(const char *what, const char *detail);

#endif
