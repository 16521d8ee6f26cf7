/* One run of the audit: files in, counts and findings out. */
#ifndef LOGAUDIT_AUDIT_H
#define LOGAUDIT_AUDIT_H

#include "chunk.h"
#include "filter.h"
#include "metrics.h"
#include "progress.h"
#include "rule.h"
#include "tally.h"
#include "worth.h"

struct rejects { struct group group; char *example; };          /* example: the first column or detail, or NULL */

/* A rule that was silent since a header line lacked one of its columns, or since the filter leaves out what it needs. */
struct blind { bool filtered, blind; struct slice column; struct place header; };

struct audit_file { char *path; uint64_t dev, ino; struct format *format; };  /* format: of another program, or NULL */

/* Takes what the audit would count, for commands that look at lines in their own way: header lines and records. */
struct audit_reader {
	void (*line)(void *arg, const struct logline *line, struct place at);
	void (*columns)(void *arg, const struct columns *columns, struct place at);
	void *arg;
};

/* What a run does with the lines is cut into shares, each with state of its own: several threads may each do another share of
 * one chunk, or the same share never at once and always in the order of the lines. So the number of threads changes nothing. */
enum { AUDIT_SHARES = 6 };

enum input_trouble { INPUT_none, INPUT_too_long, INPUT_no_newline };

struct audit {
	const struct filter *filter;     /* NULL: every line counts */
	const char *format;              /* set after audit_init: what --format says; NULL: by the first bytes of each file */
	struct audit_reader reader;      /* set after audit_init: nothing else is counted then but lines */
	unsigned threads;                /* set after audit_init; 1 */
	struct progress *progress;       /* set after audit_init, or NULL */
	struct audit_file *files;
	size_t file_count;
	struct line_parser parser;       /* knows what the lines before say of those to come */
	struct known_names names;
	struct chunk one;                /* of audit_line */
	struct place here;               /* the last line that was settled */
	/* Physical lines. lines_read = lines_counted + lines_left_out (by the filter) + lines_rejected; header lines stand beside. */
	uint64_t lines_read, lines_counted, lines_left_out, lines_rejected, lines_header;
	uint64_t file_counted, file_rejected;
	struct rejects rejects[REJECT_COUNT];
	struct tally tally;
	struct worth worth;
	struct metrics metrics;
	void *rule_state[RULE_COUNT];
	uint64_t rules_on;               /* bits: those that have all their columns in the present file */
	struct blind blind[RULE_COUNT];
	struct findings findings;
	char **troubles;                 /* files that could not be read, or not to their end: sentences */
	size_t trouble_count;
	char **notes;                    /* what the reader should know but is no failure */
	size_t note_count;
	bool file_newer;
};

void audit_init(struct audit *audit);
/* Without rules: for what was counted and found elsewhere. */
void audit_init_tables(struct audit *audit);
/* Right after audit_init: only these lines count. The filter outlives the audit. */
void audit_filter(struct audit *audit, const struct filter *filter);
/* Reads one file to its end, whatever it holds. Troubles and notes are collected. */
void audit_read(struct audit *audit, const char *path);
/* Adds a sentence about what was to be read: a failure, or what the reader should know. */
void audit_trouble(struct audit *audit, const char *path, const char *what);
void audit_note(struct audit *audit, const char *path, const char *what);
/* The parts of audit_read, for what is not a file: a name to begin with, then lines. False: read no further. */
void audit_begin(struct audit *audit, const char *name);
/* The first bytes, before the first line: which program's log it is. False, with a trouble said: not the one that was named. */
bool audit_head(struct audit *audit, struct slice head);
bool audit_line(struct audit *audit, struct slice text, uint64_t number, enum input_trouble trouble);
void audit_end(struct audit *audit);

/* For what reads by chunks: each is settled in its order, which numbers its lines, counts what is no record and says which rules
 * are on; false: read no further. Settled chunks are given to each share in their order. */
bool audit_settle(struct audit *audit, struct chunk *chunk);
void audit_share(struct audit *audit, const struct chunk *chunk, unsigned share);

/* Lets the rules speak. Call once, after all files. */
void audit_finish(struct audit *audit);
void audit_release(struct audit *audit);

/* What was read as logs of other programs: how it was told, what it cannot answer. */
void formats_used_text(const struct audit *audit, FILE *out);

const char *audit_path(const struct audit *audit, struct place at);
/* The worst severity found, or -1. */
int audit_worst(const struct audit *audit);

#endif
