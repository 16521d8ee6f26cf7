/* The commands: cmd_<name>(), each from options to an exit code; and what several of them do. */
#ifndef LOGAUDIT_CMD_H
#define LOGAUDIT_CMD_H

#include "audit.h"
#include "options.h"
#include "report.h"

enum { EXIT_ok = 0, EXIT_found = 1, EXIT_trouble = 2 };

#define COMMAND(name, takes, args, doc) int cmd_##name(const struct options *o);
#include "tbl/commands.h"
#undef COMMAND

/* audit_init, with the filter of the options. */
void cmd_begin(struct audit *audit, const struct options *o);
/* Reads all files, finishes, and says on standard error what could not be read. */
void cmd_read(struct audit *audit, const struct options *o);
/* How the text is laid out on standard output. False: --color is none of its values, and that was said. */
bool cmd_report_options(const struct options *o, struct report_options *ret_options);
/* The whole report in the form that was asked for: JSON, CSV, a page or text. False: it could not be written, and that was said. */
bool cmd_show_report(const struct audit *audit, const struct options *o, const struct report_options *options);

/* A page into a file, which is put in its place when it is whole; "-" is standard output. False: it could not be written, as was said. */
bool cmd_save_page(const char *path, void (*write)(const void *arg, FILE *out), const void *arg);

#endif
